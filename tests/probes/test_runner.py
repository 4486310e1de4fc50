import io
import subprocess
import sys
import textwrap

import pandas as pd
import pytest
from rich.console import Console

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.probes import ProbeSettings, registry
from embryology.probes.runner import run_probes
from embryology.runs import measurements
from embryology.runs.checkpoints import WEIGHTS, Series
from embryology.storage.files import write_yaml


class CountSettings(ProbeSettings):
    factor: int = 1


class CountProbe:
    """Counts parameters, and how often it was asked to do what."""

    name = "count"
    needs = frozenset({"masked-head"})
    Settings = CountSettings

    def __init__(self):
        self.version = 1
        self.data = "one"
        self.prepared = self.measured = 0
        self.interrupt_at = None

    def inputs(self, settings, series):
        return {"data": self.data}

    def prepare(self, settings, tokenizer, series):
        self.prepared += 1
        return len(tokenizer) * settings.factor

    def measure(self, encoder, examples):
        if self.measured == self.interrupt_at:
            raise KeyboardInterrupt
        self.measured += 1
        row = {"task": "count", "item": "", "layer": None, "metric": "pieces", "value": float(examples), "n": 1}
        row |= {"low": None, "high": None, "seed": None, "baseline": None}
        return pd.DataFrame([row]), pd.DataFrame({"item_id": ["a"], "value": [examples]})


@pytest.fixture
def probe(monkeypatch):
    probe = CountProbe()
    monkeypatch.setitem(registry.PROBES, "count", probe)
    return probe


@pytest.fixture
def series(make_series):
    return make_series()


def test_a_dear_probe_takes_every_other_checkpoint_and_the_last(make_series, probe):
    series = make_series(steps=(0, 10, 20, 30))
    run_probes(series, {"count": {"every": 2}})
    assert sorted(measurements.read(series.folder.root)["step"]) == [0, 20, 30]
    assert run_probes(series, {"count": {}}) == 1  # how many are measured says nothing of what is: the others stand
    assert run_probes(series, {"count": {"every": 3}}, steps="10,20") == 0


def test_every_checkpoint_is_measured_once(series, probe):
    screen = io.StringIO()
    assert run_probes(series, {"count": {}}, console=Console(file=screen)) == 3
    assert (probe.prepared, probe.measured) == (1, 3), "examples are made once for many checkpoints"
    table = measurements.read(series.folder.root)
    assert table["step"].tolist() == [0, 10, 20]
    assert table["tokens"].tolist() == [0, 1000, 2000]
    assert set(table["value"]) == {1000.0}
    assert set(zip(table["series"], table["model"], table["objective"], strict=True)) == {
        ("tiny-albert", "albert", "masked")
    }
    assert measurements.read_items(series.folder.root, "count")["step"].tolist() == [0, 10, 20]
    assert run_probes(series, {"count": {}}, console=Console(file=screen, width=200)) == 0
    assert "3 of 3 measured before" in screen.getvalue()
    assert probe.measured == 3


def test_steps_are_chosen(series, probe):
    assert run_probes(series, {"count": {}}, steps="last") == 1
    assert run_probes(series, {"count": {}}, steps="all") == 2


def test_what_changes_the_numbers_changes_the_key(series, probe):
    assert run_probes(series, {"count": {}}, steps="0") == 1
    assert run_probes(series, {"count": {"factor": 2}}, steps="0") == 1
    probe.version = 2
    assert run_probes(series, {"count": {}}, steps="0") == 1
    probe.data = "two"
    assert run_probes(series, {"count": {}}, steps="0") == 1
    configuration = series.checkpoints[0].location / "tokenizer_config.json"
    configuration.write_text(configuration.read_text().replace("{", '{"note": "changed",', 1))
    assert run_probes(series, {"count": {}}, steps="0") == 1
    assert run_probes(series, {"count": {"factor": 1}}, steps="0") == 0


def test_what_was_asked_for_last_is_what_readers_see(series, probe):
    for factor in (1, 2):
        run_probes(series, {"count": {"factor": factor}}, steps="0")
        assert measurements.read(series.folder.root)["value"].tolist() == [1000.0 * factor]
    assert run_probes(series, {"count": {"factor": 1}}, steps="0") == 0
    assert measurements.read(series.folder.root)["value"].tolist() == [1000.0]
    assert measurements.read_items(series.folder.root, "count")["value"].tolist() == [1000]


def test_a_damaged_checkpoint_does_not_stop_the_others(series, probe):
    weights = series.checkpoints[1].location / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(EmbryologyError, match=r"1 checkpoint could not be measured: step 10: .*was changed after"):
        run_probes(series, {"count": {}})
    assert measurements.read(series.folder.root)["step"].tolist() == [0, 20]
    weights.write_bytes(whole)
    assert run_probes(series, {"count": {}}) == 1
    weights.write_bytes(whole[:-1])  # measured, and then changed
    with pytest.raises(EmbryologyError, match=r"1 checkpoint could not be measured: step 10: .*was changed after"):
        run_probes(series, {"count": {}})


def test_an_interrupt_keeps_what_is_done(series, probe):
    probe.interrupt_at = 2
    with pytest.raises(KeyboardInterrupt):
        run_probes(series, {"count": {}})
    probe.interrupt_at = None
    assert run_probes(series, {"count": {}}) == 1


def test_a_failed_write_leaves_no_measurement(series, probe, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("embryology.storage.files.pq.write_table", fail)
        with pytest.raises(EmbryologyError, match=r"3 checkpoints .*step 0: cannot write .*No space left"):
            run_probes(series, {"count": {}})
    assert not [file for file in series.folder.measurements.rglob("*") if file.is_file()]


def test_items_are_written_before_measurements(series, probe, monkeypatch):
    monkeypatch.setattr(measurements, "write", lambda path, rows: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run_probes(series, {"count": {}}, steps="0")
    written = [
        file.relative_to(series.folder.measurements).parts[0] for file in series.folder.measurements.rglob("*.p*")
    ]
    assert written == ["details"]


def test_a_probe_that_does_not_apply_says_so(series, probe):
    probe.needs = frozenset({"a-third-eye"})
    assert run_probes(series, {"count": {}}, steps="0") == 1
    assert (probe.prepared, probe.measured) == (0, 0)
    (row,) = measurements.read(series.folder.root).to_dict("records")
    assert (row["metric"], row["value"], row["n"]) == ("applicable", 0.0, 0)
    assert run_probes(series, {"count": {}}, steps="0") == 0


def test_wrong_names_and_settings_are_refused(series, probe):
    with pytest.raises(EmbryologyError, match="there is no probe 'tokns'; choose one of tokens, edges, knowl"):
        run_probes(series, {"tokns": {}})
    with pytest.raises(EmbryologyError, match=r"settings of probe count\.facto: there is no such setting"):
        run_probes(series, {"count": {"facto": 2}})
    with pytest.raises(EmbryologyError, match=r"settings of probe tokens\.sentences: input should be greater than 0"):
        run_probes(series, {"tokens": {"sentences": 0}})


def test_settings_come_from_the_run(series):
    assert registry.chosen_settings(series) == {"tokens": {}, "knowledge": {}, "frozen": {}}
    write_yaml(series.folder.manifest, {"probes": {"tokens": {"sentences": 9}}})
    assert registry.chosen_settings(series) == {"tokens": {"sentences": 9}}
    assert registry.chosen_settings(series, ["tokens", "other"]) == {"tokens": {"sentences": 9}, "other": {}}
    assert registry.chosen_settings(series, ["tokens"], "smoke") == {"tokens": presets.load("smoke").probes["tokens"]}


def test_the_real_probe_end_to_end_and_then_nothing_heavy_is_loaded(series, monkeypatch):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    settings = {"treebank": "silver", "sentences": 10, "mask_words_per_tag": 2}
    assert run_probes(series, {"tokens": settings}, threads=1) == 3
    table = measurements.read(series.folder.root, probe="tokens")
    assert set(table["task"]) == {"reconstruction", "mask-prediction", "alignment"}
    items = measurements.read_items(series.folder.root, "tokens")
    assert items.groupby("step")["item_id"].agg(tuple).nunique() == 1, "the same items at every checkpoint"
    again = f"""
        import sys
        from embryology.runs.checkpoints import Series
        from embryology.probes.runner import run_probes
        assert run_probes(Series.open({str(series.folder.root)!r}), {{"tokens": {settings!r}}}) == 0
        heavy = {{"torch", "spacy", "statsmodels"}} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(again)], check=True, timeout=60)


def test_another_series_has_keys_of_its_own(make_series, probe):
    for kind in ("albert", "bert"):
        series = make_series(kind, steps=(0,))
        assert run_probes(Series.open(series.folder.root), {"count": {}}) == 1
        assert set(measurements.read(series.folder.root)["model"]) == {kind}
