"""What is true of items whatever the checkpoint: kept beside measurements, as numbers, and frozen with them."""

import io

import pandas as pd
import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.probes.properties import count
from embryology.runs import measurements, properties
from embryology.runs.freeze import freeze
from embryology.runs.series import Series
from embryology.runs.verify import check
from embryology.specs.properties import FREQUENCY, OVERLAP, VERSIONS
from embryology.storage.files import write_json
from tests.synthetic import configuration

COVERS = ("embryology/probes/properties.py", "embryology/specs/properties.py")


def test_properties_are_frozen_and_a_page_depends_on_them(run, tmp_path):
    file = properties.file_of(run.folder, configuration("tokens"), FREQUENCY)
    assert file in measurements.files(run)
    table = properties.read(run, "tokens", FREQUENCY)
    assert set(table["item_id"]) == set(measurements.read_items(run, "tokens")["item_id"])
    frozen = Series.open(freeze(run, tmp_path / "results" / "baby-seed0"))
    pd.testing.assert_frame_equal(properties.read(frozen, "tokens", FREQUENCY), table)
    assert not [line for line in check(frozen.folder)[0] if "measurements" in line or "propert" in line]


def test_each_probe_and_kind_has_its_own_and_an_earlier_version_does_not_count(made, monkeypatch):
    for probe, kind in (("tokens", FREQUENCY), ("tokens", OVERLAP), ("knowledge", OVERLAP)):
        assert properties.file_of(made.folder, configuration(probe), kind) in measurements.files(made)
        counted, measured = properties.read(made, probe, kind), measurements.read_items(made, probe, ["item_id"])
        assert set(counted["item_id"]) == set(measured["item_id"])
    assert properties.counted(made, OVERLAP) == ["knowledge", "tokens"]
    assert properties.counted(made, FREQUENCY) == ["tokens"]
    monkeypatch.setitem(VERSIONS, FREQUENCY, VERSIONS[FREQUENCY] + 1)
    assert properties.counted(made, FREQUENCY) == []
    assert properties.counted(made, OVERLAP) == ["knowledge", "tokens"]


def test_what_was_not_counted_is_said_with_the_command_that_counts_it(run):
    assert properties.lacking(run, "tokens", FREQUENCY) is None
    properties.file_of(run.folder, configuration("tokens"), FREQUENCY).unlink()
    with pytest.raises(EmbryologyError, match=r"run baby: the frequency of its items .* \(embryology count RUN\)"):
        properties.read(run, "tokens", FREQUENCY)


@pytest.mark.parametrize(
    ("table", "wrong"),
    [({"item_id": ["a"], "word": ["sea"]}, "these columns are not: word"), ({"item_id": ["a", "a"]}, "two rows")],
)
def test_text_and_doubled_items_are_refused(run, table, wrong):
    with pytest.raises(ValueError, match=wrong):
        properties.write(run.folder, configuration("tokens"), FREQUENCY, pd.DataFrame(table))


def test_counting_refuses_another_text_and_other_data(run, home, tokenizer, monkeypatch):
    properties.file_of(run.folder, configuration("tokens"), FREQUENCY).unlink()
    screen = io.StringIO()
    console = Console(file=screen, width=200)
    assert count(run, console, prepare=False) == 0
    assert "frequency of probe tokens: not counted: its training text is not at hand" in screen.getvalue()
    record = {"text_sha256": "a", "tokenizer_sha256": "b"}
    write_json(run.folder.corpus, record)
    folder = home / "runs" / ".corpora" / "made"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder / "tokenizer")
    write_json(folder / "corpus.json", record | {"languages": {}})  # which older runs did not record
    with pytest.raises(EmbryologyError, match="probe tokens: it was measured on other data than there are now"):
        count(run, console)
    other = record | {"text_sha256": "c"}
    write_json(folder / "corpus.json", other)
    monkeypatch.setattr("embryology.corpus.store.prepare", lambda *_, **__: next(iter(_all())))

    def _all():
        from embryology.corpus import store

        return store.all_prepared()

    with pytest.raises(EmbryologyError, match="is not the text that it was trained on"):
        count(run, console)
