"""A probe with its page, from two files outside the package: measured, drawn and frozen, with nothing edited."""

import json
import os
import re
import shlex
import shutil
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from rich.console import Console
from transformers import AutoModelForMaskedLM, AutoTokenizer

from embryology import cli, presets
from embryology.errors import EmbryologyError
from embryology.probes.runner import run_probes
from embryology.report import book, build
from embryology.runs import losses, measurements
from embryology.runs.freeze import freeze
from embryology.runs.manifest import open_session
from embryology.runs.paths import ROOT, RunFolder
from embryology.runs.series import Series
from embryology.specs import imports, registry
from embryology.storage.files import write_json
from tests.plug_ins import forget
from tests.stub_project import make_project
from tests.synthetic import write_manifest

COVERS = ("embryology/specs/registry.py", "embryology/runs/plugins.py")
EXAMPLE = ROOT / "book" / "examples"
FILE, PAGE, NAME = "sentence_length.py", "sentence_length.ipynb", "sentence-length"
FEW = {"sentences": 60}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where somebody keeps the two files, and is."""
    (tmp_path / "mine").mkdir()
    for name in (FILE, PAGE):
        shutil.copy(EXAMPLE / name, tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    forget()
    yield tmp_path / "mine"
    forget()


@pytest.fixture
def installed(folder, monkeypatch):
    """What installing a package with such an entry point leaves beside them."""
    information = folder / "sentence_length-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: sentence-length\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[embryology.probes]\n{NAME} = sentence_length:SPECIFICATION\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")  # for the kernels of notebooks
    forget()
    return information


@pytest.fixture
def run(make_series, tmp_path, monkeypatch):
    """The run ``tiny``, trained and not measured."""
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    made = make_series(steps=(0, 10)).folder.root
    folder = RunFolder(shutil.copytree(made, tmp_path / "runs" / "tiny"))
    outcome = presets.load("smoke").outcome.model_copy(update={"steps": 10, "checkpoints": [0, 10]})
    write_manifest(folder, outcome, {NAME: FEW})
    rows = [{"step": step, "tokens": step, "held_out_masked_loss": 1.0} for step in (0, 10)]
    losses.write(folder, rows)
    folder.corpus.write_text("{}")
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    """In place of this project a small one, whose book is its table of contents."""
    root = make_project(tmp_path / "project")
    monkeypatch.setattr(book, "build", lambda root, toc, console: console.print(json.dumps(toc), soft_wrap=True))
    monkeypatch.setattr(build, "report", partial(build.report, root=root))
    return root


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command as a process of its own: ``command("probe", "tiny")`` gives status, output and error lines."""

    def give(*arguments):
        forget()
        monkeypatch.setattr(sys, "argv", ["embryology", *map(str, arguments)])
        monkeypatch.setattr(cli, "console", Console(file=sys.stdout, width=300))
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        said = capsys.readouterr()
        return exit_.value.code or 0, said.out, said.err.splitlines()

    return give


@pytest.fixture
def executed(project, monkeypatch):
    """The pages that were executed since it was asked last; no kernel is started."""
    pages = []

    def execute(execution):
        pages.append(execution.page.name)
        cells = [{"source": [f"# {execution.page.title}"]}]
        made_of = {"sha256": execution.sha256(None), "reads": None}
        write_json(execution.place, {"cells": cells, "metadata": {"embryology": made_of}})

    def taken():
        before = sorted(pages)
        pages.clear()
        return before

    monkeypatch.setattr(build, "_execute", execute)
    return taken


def replace(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_the_how_to_leads_from_an_empty_folder_to_a_page_in_the_book(folder, run, project, command):
    """The commands that stand on the page, each in a process of its own as far as plug-ins go."""
    assert sorted(file.name for file in folder.iterdir()) == [PAGE, FILE]
    block = re.search(r"```sh\n(.*?)```", (ROOT / "book" / "plugins.md").read_text(), re.DOTALL)[1]
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [words[:3] for words in commands] == [["embryology", name, "tiny"] for name in ("probe", "show", "report")]
    outcomes = [command(*words[1:]) for words in commands]
    assert [(status, errors) for status, _, errors in outcomes] == [(0, [])] * 3
    _, show, report = (out for _, out, _ in outcomes)
    assert re.search(rf"{NAME} +│ +2 │ 0 to 10", show)
    assert "book/executed/tiny/sentence_length" in report
    page = project / "book" / "executed" / "tiny"
    assert '<figure class=\\"embryology-figure\\" id=\\"figure-sentence-length\\">' in (page / PAGE).read_text()
    listed = f"[Short and long sentences]({PAGE}): whether gaps in longer sentences are easier to fill"
    assert listed in (page / "index.ipynb").read_text()
    assert sorted(file.name for file in folder.iterdir()) == [PAGE, FILE]  # nothing is left beside them
    pages = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    assert any("book/plugins" in part.get("written", {}) for part in pages)


def test_what_it_measures_is_what_it_says(folder, run):
    """Each gap is asked about in turn, of a model that transformers loads."""
    registry.add(FILE)
    series = Series.open("tiny")
    settings = registry.settings_of(NAME, FEW)
    run_probes(series, {NAME: settings}, device="cpu")
    items = measurements.read_items(series, NAME)
    place = series.checkpoints[-1].location
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(place).eval(), AutoTokenizer.from_pretrained(place)
    mask, table = registry.get(NAME).load().prepare(settings, tokenizer, series)
    right = []
    for ids, gap in zip(table["ids"], table["place"], strict=True):
        assert ids[gap] not in tokenizer.all_special_ids
        masked = torch.tensor([[*ids[:gap], tokenizer.mask_token_id, *ids[gap + 1 :]]])
        right.append(int(model(input_ids=masked).logits[0, gap].argmax()) == ids[gap])
    assert (mask, len(table), len(set(table["item_id"]))) == (tokenizer.mask_token_id, 60, 60)
    assert items.loc[items["step"] == 10, "correct"].tolist() == right
    rows = measurements.read(series, NAME)
    rows = rows[rows["step"] == 10].set_index("group")
    words = np.array([len(tokenizer.decode(ids, skip_special_tokens=True).split()) for ids in table["ids"]])
    shorter = rows.loc["up to 10 words"]
    assert shorter["n"] == pytest.approx((words <= 10).sum(), abs=3)  # which pieces do not tell to the word
    assert rows["n"].drop("").sum() == rows.loc["", "n"] == 60
    assert rows.loc["", "value"] == sum(right) / 60


def test_a_run_remembers_it_so_that_measuring_is_resumed_and_the_file_may_move(folder, run, command, tmp_path):
    assert command("probe", "tiny", "--steps", "0", "--plugin", FILE)[::2] == (0, [])
    assert json.loads(run.plugins.read_text()) == {"sentence_length": str(folder / FILE)}
    status, out, _ = command("probe", "tiny")  # its settings are the run's
    assert (status, "1 of 2 measured before" in out) == (0, True)
    assert measurements.read(Series.open("tiny"), NAME)["step"].unique().tolist() == [0, 10]

    moved = shutil.copytree(folder, tmp_path / "moved") / FILE
    (folder / FILE).unlink()
    status, _, (error,) = command("show", "tiny")
    assert status == 1
    assert re.fullmatch(f"error: tiny is measured with the plug-in {folder / FILE}, which is gone; .*--plugin.*", error)
    assert command("show", "tiny", "--plugin", moved)[0] == 0
    status, out, _ = command("probe", "tiny", "--plugin", moved)
    assert (status, "2 of 2 measured before" in out) == (0, True)  # the same bytes
    assert command("show", "tiny")[0] == 0

    shutil.copytree(moved.parent, folder, dirs_exist_ok=True)
    replace(folder / FILE, '"a masked piece"', '"masked"')
    forget()
    registry.add(folder / FILE)
    Series.open("tiny")  # what is given counts
    assert registry.get(NAME).tasks == {"gap": "masked"}


def test_runs_of_two_files_of_one_name_are_not_mixed(folder, run, command, tmp_path):
    other = shutil.copytree(run.root, tmp_path / "runs" / "other")
    assert command("probe", "tiny", "--plugin", FILE)[0] == 0
    elsewhere = shutil.copytree(folder, tmp_path / "elsewhere") / FILE
    assert command("probe", "other", "--plugin", elsewhere)[0] == 0
    forget()
    with pytest.raises(EmbryologyError, match=r"two plug-ins are called 'sentence_length', .*mine.*elsewhere"):
        Series.open_all("tiny", other)
    forget()
    registry.add(FILE)
    assert len(Series.open_all("tiny", other)) == 2


def test_an_edit_is_measured_anew_and_drawn_anew_and_an_undone_one_is_not(folder, run, command, executed):
    code, page = folder / FILE, folder / PAGE

    def measured():
        return "measured before" not in command("probe", "tiny")[1]

    def drawn():
        assert command("report", "tiny")[0] == 0
        return executed()

    assert command("probe", "tiny", "--plugin", FILE)[0] == 0
    assert drawn() == ["index", "sentence_length"]
    before, others = code.read_bytes(), measurements.standing(run)[NAME]
    assert (measured(), drawn()) == (False, [])
    stamp = code.stat()
    replace(code, "[0, 10, 20, np.inf]", "[0, 10, 21, np.inf]")
    os.utime(code, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # nothing depends on a file's time
    assert drawn() == ["sentence_length"]
    assert measured()
    assert measurements.standing(run)[NAME].version != others.version
    assert str(others.version).startswith("1+")
    assert measurements.set_aside(Series.open("tiny")) == {NAME: [0, 10]}
    assert drawn() == ["index", "sentence_length"]
    code.write_bytes(before)
    assert not measured()
    assert measurements.standing(run)[NAME] == others
    assert drawn() == ["index", "sentence_length"]
    replace(page, "share of gaps filled right", "gaps filled right")
    assert (measured(), drawn()) == (False, ["sentence_length"])


def test_a_page_imports_the_file_and_is_made_of_it(folder, run, project, command, monkeypatch):
    cell = "series = Series.open_all(run, compare)"
    replace(folder / PAGE, cell, f"import sentence_length\\n\\n{cell}\\nprint(sentence_length.LENGTHS)")
    assert command("probe", "tiny", "--plugin", FILE)[0] == 0
    executes = build._execute
    monkeypatch.setattr(build, "_execute", lambda page: page.place.stem == "index" or executes(page))
    assert command("report", "tiny")[0] == 0
    assert "up to 10 words" in (project / "book" / "executed" / "tiny" / PAGE).read_text()
    code = [{"cell_type": "code", "source": ["import sentence_length"]}]
    found = imports.imported(code)
    assert {folder / FILE, imports.PACKAGE / "corpus" / "articles.py"} <= set(found)


def test_it_is_frozen_with_the_columns_that_it_names_and_without_its_place(folder, run, command, tmp_path):
    assert command("probe", "tiny", "--plugin", FILE)[0] == 0
    kept = tmp_path / "results" / "mine"
    assert command("freeze", "tiny", "--to", kept)[0] == 0
    assert not RunFolder(kept).plugins.exists()
    registry.add(FILE)
    frozen, series = Series.open(kept), Series.open("tiny")
    values = [measurements.read(each, NAME)["value"] for each in (frozen, series)]
    pd.testing.assert_series_equal(*values)
    assert measurements.read_items(frozen, NAME).columns.tolist() == list(registry.get(NAME).kept_items)
    status, out, _ = command("show", kept, "--plugin", FILE)
    assert (status, NAME in out) == (0, True)
    status, out, _ = command("show", kept)  # without it, its measurements are not known
    assert (status, NAME in out) == (0, False)


def test_it_is_exported_and_told_of_with_the_version_of_its_file(folder, run, command, tmp_path):
    assert command("probe", "tiny", "--plugin", FILE)[0] == 0
    version = measurements.standing(run)[NAME].version
    assert command("freeze", "tiny", "--to", tmp_path / "kept")[0] == 0
    for of, options in (("tiny", ()), (tmp_path / "kept", ("--plugin", FILE))):
        assert command("export", of, "--to", folder / "t.parquet", "--replace", *options)[::2] == (0, [])
        tables = [pd.read_parquet(folder / f"t{table}.parquet") for table in ("", "-configurations", "-dictionary")]
        measured, configurations, meanings = (table[table["probe"] == NAME] for table in tables)
        assert len(measured) == len(measurements.read(Series.open("tiny"), NAME))
        assert configurations["version"].tolist() == [version]
        (gap,) = meanings.loc[meanings["value"] == "gap", "meaning"]
        assert gap == "a masked piece"


def test_settings_stand_in_presets_and_training_remembers_it_too(folder, command, tmp_path):
    preset = {"name": "mine", "outcome": presets.load("smoke").outcome.model_dump(mode="json")}
    for settings, status, message in (
        ({"sentences": 9}, 0, ""),
        ({"sentnces": 9}, 1, r"settings of probe sentence-length\.sentnces: there is no such key"),
        ({"sentences": 0}, 1, r"settings of probe sentence-length\.sentences: .* greater than 0"),
    ):
        (folder / "mine.yaml").write_text(yaml.safe_dump(preset | {"probes": {NAME: settings}}))
        outcome = command("pretrain", "mine.yaml", "--dry-run", "--plugin", FILE)
        assert outcome[0] == status
        assert [bool(re.search(f"mine.yaml: {message}", line)) for line in outcome[2]] == [True] * status
    status, _, (error,) = command("pretrain", "mine.yaml", "--dry-run")
    assert (status, "no probe 'sentence-length'" in error, "--plugin" in error) == (1, True, True)
    registry.add(FILE)
    trained = RunFolder(tmp_path / "trained")
    open_session(trained, presets.load("smoke"), "float32", "a processor", 1)
    assert json.loads(trained.plugins.read_text()) == {"sentence_length": str(folder / FILE)}


def test_a_file_that_raises_or_a_second_of_one_name_is_one_line(folder, tmp_path, command):
    (folder / "again.py").write_text("raise ValueError('no')")
    status, out, errors = command("show", "tiny", "--plugin", "again.py")
    said = f"error: the plug-in {folder / 'again.py'} cannot be loaded: line 1: ValueError: no; fix it"
    assert (status, out, errors) == (1, "", [said])
    other = shutil.copytree(folder, tmp_path / "other") / FILE
    status, _, (error,) = command("show", "tiny", "--plugin", FILE, "--plugin", FILE, "--plugin", other)
    assert status == 1
    assert f"two plug-ins are called 'sentence_length', {folder / FILE} and {other}; rename one" in error


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('{"sentence_length": "sentence_length.py"}', "names sentence_length.py, code of that folder"),
        ('{"sentence_length": "ROOT/sentence_length.py"}', "code of that folder; if you trust it: --plugin"),
        ('["sentence_length.py"]', r"plugins\.json is damaged .*remove it"),
        ("{", r"plugins\.json is not valid JSON"),
    ],
)
def test_a_run_of_somebody_else_brings_no_code_of_its_own(folder, run, record, message):
    shutil.copy(FILE, run.root)
    run.plugins.parent.mkdir()
    run.plugins.write_text(record.replace("ROOT", str(run.root)))
    with pytest.raises(EmbryologyError, match=message):
        Series.open("tiny")
    assert registry.added == {}


def test_installed_it_is_known_by_its_version_and_its_page_by_its_code(installed, folder, run, command, executed):
    assert command("probe", "tiny")[0] == 0
    assert not run.plugins.exists()
    assert measurements.standing(run)[NAME].version == 1
    replace(folder / PAGE, "series = Series", "import sentence_length\\n\\nseries = Series")
    assert command("report", "tiny")[0] == 0
    assert executed() == ["index", "sentence_length"]
    replace(folder / FILE, '"a masked piece"', '"masked"')
    assert "2 of 2 measured before" in command("probe", "tiny")[1]
    assert command("report", "tiny")[0] == 0
    assert executed() == ["sentence_length"]
    forget()
    assert freeze(Series.open("tiny"), folder / "kept").is_dir()
    status, _, (error,) = command("show", "tiny", "--plugin", FILE)
    assert (status, "has a probe 'sentence-length', and there is another" in error) == (1, True)


def test_an_installed_one_that_cannot_be_loaded_or_has_a_name_that_is_taken_is_named(installed, folder):
    for text, message in (
        ("letters = lettres:SPECIFICATION", "the probe 'letters' .* cannot be loaded: ModuleNotFoundError"),
        (f"{NAME} = sentence_length:LENGTHS", f"the entry point '{NAME}' .* is no specification of that name"),
        ("words = sentence_length:SPECIFICATION", "the entry point 'words' .* is no specification of that name"),
        ("tokens = tokens_again:SPECIFICATION", "two installed probes are called 'tokens'"),
    ):
        (installed / "entry_points.txt").write_text(f"[embryology.probes]\n{text}\n")
        (folder / "tokens_again.py").write_text(
            "from dataclasses import replace\nfrom embryology.specs import tokens\n"
            "SPECIFICATION = replace(tokens.SPECIFICATION, version=2)\n"
        )
        forget()
        with pytest.raises(EmbryologyError, match=message):
            registry.specifications()


def test_data_of_a_plugin_are_listed_and_asked_for_by_a_probe(run, command, folder):
    """Its facts are known by the bytes of their files and of the plug-in, and found again without it being given."""
    shutil.copy(EXAMPLE / "food.py", folder)
    status, out, _ = command("data", "list", "--plugin", "food.py")
    assert (status, re.search(r"food +│ set of facts of a plug-in +│ no ", out) is None) == (0, False)
    (folder / "food").mkdir()
    facts = "".join(
        f"{subject}\t{object}\n" for subject, object in zip("abcd", ("the", "of", "in", "the"), strict=True)
    )
    (folder / "food" / "all.tsv").write_text(facts)
    assert re.search(
        r"food +│ set of facts of a plug-in +│ yes, 1 files", command("data", "list", "--plugin", "food.py")[1]
    )
    (folder / "mine.yaml").write_text(
        yaml.safe_dump({"outcome": presets.load("smoke").outcome.model_dump(mode="json")})
        + "probes: {knowledge: {sets: [food]}}\n"
    )
    assert command("probe", "tiny", "--preset", "mine.yaml", "--plugin", "food.py")[::2] == (0, [])
    before = measurements.standing(run)["knowledge"].data["food"]
    assert before.keys() == {"files", "alone", "reader"}
    assert set(measurements.read(Series.open("tiny"), "knowledge")["task"]) >= {"food"}
    assert "2 of 2 measured before" in command("probe", "tiny", "--preset", "mine.yaml")[1]
    (folder / "food" / "all.tsv").write_text(facts.replace("a\tthe", "a\tin"))
    assert "measured before" not in command("probe", "tiny", "--preset", "mine.yaml")[1]
    (folder / "food" / "all.tsv").write_text("a the\n")
    status, _, (error,) = command("probe", "tiny", "--preset", "mine.yaml")
    assert (status, "all.tsv, line 1: no tab between subject and object; fix it" in error) == (1, True)
