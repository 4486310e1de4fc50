"""What stands is part of the run and not of the file system: copied, touched, cloned or unpacked it says the same."""

import os
import random
import shutil
import subprocess
import tarfile

import pandas as pd
import pytest

from embryology.figures import provenance
from embryology.runs import measurements
from embryology.runs import misfit as language
from embryology.runs.series import Series
from embryology.runs.verify import check
from embryology.storage.files import sha256_of_file, write_json
from tests.screen import shown
from tests.synthetic import make_run, measure

COVERS = ("embryology/runs/misfit.py",)
ITEMS = pd.DataFrame(
    [{"item_id": "a", "sentence": "s", "group": "DT", "task": task, "correct": True, "source": "made up"}
     for task in ("reconstruction", "mask-prediction")]
)  # fmt: skip


def rows_of(value):
    return [measurements.row(task, "DT", "accuracy", value, n=5) for task in ("reconstruction", "mask-prediction")]


@pytest.fixture(scope="module")
def moved_from(tmp_path_factory):
    """Measured under one configuration, then under another, then under the first again, as files in between tell."""
    series = make_run(tmp_path_factory.mktemp("here") / "tiny", steps=(0, 20, 40), sentences=10)
    for value, settings in ((0.1, {"sentences": 3}), (0.9, {"sentences": 99}), (0.1, {"sentences": 3})):
        for step in (0, 20):
            measure(series.folder, "tokens", step, rows_of(value), ITEMS, settings=settings)
    return series


@pytest.fixture
def run(moved_from, tmp_path):
    return Series.open(shutil.copytree(moved_from.folder.root, tmp_path / "here" / "tiny"))


def said(series):
    """Everything that a person sees of a run, and all that figures are made of, without its place."""
    text = shown(series), provenance.measured(series).data, provenance.about([series]).data, *check(series.folder)
    files = [(file.name, sha256_of_file(file)) for file in measurements.files(series)]
    return str(text).replace(str(series.folder.root), ""), files, measurements.read(series).to_csv()


def copied(root, place):
    return shutil.copytree(root, place / "tiny", copy_function=shutil.copyfile)


def touched(root, place):
    files = [file for file in root.rglob("*") if file.is_file()]
    random.Random(1).shuffle(files)
    for number, file in enumerate(files):
        os.utime(file, (number, number))
    return root


def cloned(root, place):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(root)]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "a run"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run(["git", "clone", "-q", root, place / "tiny"], check=True)
    return place / "tiny"


def unpacked(root, place):
    with tarfile.open(place / "run.tar.gz", "w:gz") as archive:
        archive.add(root, "tiny")
    with tarfile.open(place / "run.tar.gz") as archive:
        archive.extractall(place, filter="data")
    return place / "tiny"


@pytest.mark.parametrize("move", [copied, touched, cloned, unpacked])
def test_a_run_that_was_moved_says_the_same(run, tmp_path, move):
    before = said(run)
    place = tmp_path / "there"
    place.mkdir()
    after = said(Series.open(move(run.folder.root, place)))
    assert after == before


def test_what_was_set_aside_is_named(run):
    assert measurements.set_aside(run) == {"tokens": [0, 20, 40]}
    frame = measurements.read(run, "tokens")
    assert frame["value"].tolist() == [0.1] * 4
    assert "set aside, of other settings, data or weights: step 0, 20, 40" in " ".join(shown(run).split())
    assert "Set aside, as they are of other settings, data or weights: tokens at step 0, 20, 40" in (
        provenance.measured(run).data
    )


def misfit(run):
    return language.misfit(run, measurements.standing(run.folder)["tokens"])


def test_data_in_another_language_than_the_text_are_said(run):
    assert misfit(run) is None  # not known
    write_json(run.folder.corpus, {"source": "text", "languages": {"en": 0.97, "fr": 0.02}})
    assert misfit(run) is None
    write_json(run.folder.corpus, {"source": "text", "languages": {"de": 0.5, "en": 0.5}})
    assert misfit(run) is None
    write_json(run.folder.corpus, {"source": "text", "languages": {"de": 0.93, "en": 0.05}})
    said = "probe tokens asks in en, and the training text is de 93%, en 5%: its numbers say little"
    assert misfit(run) == said
    assert said in " ".join(shown(run).split())
    german = {"source": "text", "languages": {"de": 1.0}}
    write_json(run.folder.corpus, german | {"others": [{"languages": {"en": 0.9, "fr": 0.1}}]})
    assert misfit(run) is None  # of the texts of its phases
    write_json(run.folder.corpus, german | {"others": [{"languages": {"fr": 0.9, "en": 0.1}}]})
    assert misfit(run) == said.replace("de 93%, en 5%", "de 100% and fr 90%, en 10%")


@pytest.mark.parametrize(
    ("data", "languages"),
    [
        ({"language": "fr"}, "fr"),
        ({"train": {"language": "fr"}, "test": {"language": "fr"}}, "fr"),
        ({"train": {"language": "en"}, "test": {"language": "fr"}}, "en and fr"),
    ],
)
def test_a_treebank_of_ones_own_says_in_which_language_it_asks(run, data, languages):
    write_json(run.folder.corpus, {"source": "text", "languages": {"en": 0.97, "fr": 0.02}})
    asked = measurements.standing(run.folder)["tokens"].model_copy(update={"data": data})
    assert language.misfit(run, asked).startswith(f"probe tokens asks in {languages}, and the training text is en 97%")
    unknown = asked.model_copy(update={"data": {"language": None}})
    assert language.misfit(run, unknown) is None  # as the probe's own, English


def test_where_measurements_were_taken_is_said_where_checkpoints_differ(run):
    for step, precision in ((0, "float32"), (20, "float32"), (40, "bfloat16")):
        taken = [row | {"precision": precision, "device": "a card", "torch": "2", "threads": 2} for row in rows_of(0.1)]
        measure(run.folder, "tokens", step, taken, ITEMS, settings={"sentences": 3})
    assert measurements.machines(measurements.read(run, "tokens")) == ["precision bfloat16 and float32"]
    assert "taken with precision bfloat16 and float32" in " ".join(shown(run).split())
