"""Every chosen checkpoint times every chosen probe, once: what is measured, kept, skipped and refused."""

import io
import re
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForMaskedLM

from embryology import presets, specs
from embryology.analysis import tables
from embryology.analysis.learning_order import learning_times
from embryology.corpus import articles
from embryology.errors import EmbryologyError
from embryology.figures import provenance, tokens
from embryology.probes import WHOLE, Probe
from embryology.probes.runner import chosen_settings, run_probes
from embryology.runs import manifest, measurements
from embryology.runs.checkpoints import RECORD, WEIGHTS
from embryology.runs.series import Series
from embryology.specs import NotApplicable, ProbeSettings, Specification, registry
from embryology.specs.edges import EdgesSettings
from embryology.specs.tokens import TokensSettings
from embryology.storage.files import read_json, sha256_of_file, write_json
from embryology.tasks import baselines
from tests.synthetic import make_run, write_manifest
from tests.training import small_preset, train

COVERS = ("embryology/probes/measuring.py",)


class CountSettings(ProbeSettings):
    factor: int = 1


class CountProbe(Probe):
    """Counts parameters, and how often it was asked to do what."""

    def __init__(self):
        self.data = "one"
        self.prepared = self.measured = 0
        self.interrupt_at = self.refuses = None
        self.seeds, self.fails = 0, []

    def inputs(self, settings, series):
        return {"data": self.data}

    def parts(self, settings, series):
        return {f"seed-{seed}": {"seed": seed} for seed in range(self.seeds)} or super().parts(settings, series)

    def prepare(self, settings, tokenizer, series):
        self.prepared += 1
        return len(tokenizer) * settings.factor

    def measure(self, encoder, examples, part=WHOLE):
        if self.measured == self.interrupt_at:
            raise KeyboardInterrupt
        if self.fails:
            raise self.fails.pop(0)
        if self.refuses:
            raise NotApplicable(self.refuses)
        self.measured += 1
        items = pd.DataFrame({"item_id": [f"a{part}"], "value": [examples]})
        return [measurements.row("count", "", "pieces", examples, n=1)], items


@pytest.fixture
def probe(monkeypatch):
    probe = CountProbe()
    specify(monkeypatch, probe)
    return probe


def specify(monkeypatch, probe, **changes):
    """Let the probe be found under the name ``count``, as an entry point would."""
    values = {
        "name": "count", "version": 1, "settings": CountSettings, "needs": frozenset({"masked-head"}), "probe": "",
        "kept_items": (), "resampled": ("item",), "tasks": {}, "baselines": {},
    }  # fmt: skip

    class Count(Specification):
        def load(self):
            return probe

    monkeypatch.setitem(registry.specifications(), "count", Count(**values | changes))


@pytest.fixture
def series(make_series):
    return make_series()


def run(series, settings=None, **options):
    return run_probes(series, registry.asked_for(["count"], {"count": settings or {}}), **options)


def test_an_expensive_probe_takes_every_other_checkpoint_and_the_last(make_series, probe):
    series = make_series(steps=(0, 10, 20, 30))
    run(series, {"every": 2})
    assert sorted(measurements.read(series)["step"]) == [0, 20, 30]
    assert run(series) == 1  # how many are measured says nothing of what is: the others stand
    assert run(series, {"every": 3}, steps="10,20") == 0


def test_every_checkpoint_is_measured_once(series, probe):
    screen = io.StringIO()
    assert run(series, console=Console(file=screen)) == 3
    assert (probe.prepared, probe.measured) == (1, 3), "examples are made once for many checkpoints"
    table = measurements.read(series)
    assert table["step"].tolist() == [0, 10, 20]
    assert table["tokens"].tolist() == [0, 1000, 2000]
    assert set(table["value"]) == {1000.0}
    assert set(zip(table["series"], table["model"], table["objective"], strict=True)) == {
        ("tiny-albert", "albert", "masked")
    }
    assert measurements.read_items(series, "count")["step"].tolist() == [0, 10, 20]
    assert run(series, console=Console(file=screen, width=200)) == 0
    assert "3 of 3 measured before" in screen.getvalue()
    assert probe.measured == 3


def test_steps_are_chosen(series, probe):
    assert run(series, steps="last") == 1
    assert run(series, steps="all") == 2


def test_what_changes_the_numbers_changes_the_key(series, probe, monkeypatch):
    assert run(series, steps="0") == 1
    assert run(series, {"factor": 2}, steps="0") == 1
    specify(monkeypatch, probe, version=2)
    assert run(series, steps="0") == 1
    probe.data = "two"
    assert run(series, steps="0") == 1
    for checkpoint in series.checkpoints:
        configuration = checkpoint.location / "tokenizer_config.json"
        configuration.write_text(configuration.read_text().replace("{", '{"note": "changed",', 1))
    assert run(series, steps="0") == 1
    assert run(series, {"factor": 1}, steps="0") == 0


def test_checkpoints_with_different_tokenizers_are_refused(series, probe):
    configuration = series.checkpoints[1].location / "tokenizer_config.json"
    configuration.write_text(configuration.read_text().replace("{", '{"note": "changed",', 1))
    with pytest.raises(EmbryologyError, match="have different tokenizers, so no curve can join"):
        run(series)


def test_steps_that_are_asked_for_by_name_are_measured_whatever_every_says(make_series, probe):
    series = make_series(steps=(0, 10, 20, 30))
    assert run(series, {"every": 3}, steps="10,20") == 2


def test_parts_are_kept_and_depend_on_the_weights(series, probe):
    probe.seeds = 1
    assert run(series, steps="0") == 1
    probe.seeds, probe.data = 2, "two"
    assert run(series, steps="0") == 1
    assert probe.measured == 2, "the first part was kept"
    assert measurements.read_items(series, "count")["item_id"].tolist() == ["aseed-0", "aseed-1"]
    location = series.checkpoints[0].location
    tensors = load_file(location / WEIGHTS)
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, location / WEIGHTS, {"format": "pt"})
    write_json(location / RECORD, read_json(location / RECORD) | {"sha256": sha256_of_file(location / WEIGHTS)})
    assert run(Series.open(series.folder.root), steps="0") == 1
    assert probe.measured == 4, "both parts were measured on the new weights"


def test_what_was_asked_for_last_is_what_readers_see(series, probe):
    for factor in (1, 2):
        run(series, {"factor": factor}, steps="0")
        assert measurements.read(series)["value"].tolist() == [1000.0 * factor]
    assert run(series, {"factor": 1}, steps="0") == 0
    assert measurements.read(series)["value"].tolist() == [1000.0]
    assert measurements.read_items(series, "count")["value"].tolist() == [1000]


def test_a_damaged_checkpoint_does_not_stop_the_others(series, probe):
    weights = series.checkpoints[1].location / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(EmbryologyError, match=r"could not be measured: step 10: .*was changed after"):
        run(series)
    assert measurements.read(series)["step"].tolist() == [0, 20]
    weights.write_bytes(whole)
    assert run(series) == 1
    weights.write_bytes(whole[:-1])  # measured, and then changed
    with pytest.raises(EmbryologyError, match=r"could not be measured: step 10: .*was changed after"):
        run(series)


def test_any_error_is_one_checkpoint_s_failure_and_what_python_said_is_kept(series, probe):
    probe.fails = [IndexError("index 130 is out of bounds\nwith more to say")]
    with pytest.raises(
        EmbryologyError,
        match=r"could not be measured: step 0: count: IndexError: index 130 is out .*\(all of it in \S+failures",
    ):
        run(series)
    assert measurements.read(series)["step"].tolist() == [10, 20]
    (log,) = (series.folder.measurements / "failures").iterdir()
    assert log.name == "count-step-00000000.log"
    assert "Traceback" in log.read_text()
    assert "with more to say" in log.read_text()
    assert run(series) == 1


def test_examples_that_cannot_be_made_are_tried_once_and_reported_once(series, probe, monkeypatch):
    def prepare(*arguments):
        probe.prepared += 1
        raise EmbryologyError("its data are not there")

    monkeypatch.setattr(probe, "prepare", prepare)
    with pytest.raises(EmbryologyError, match=r"could not be measured: step 0, 10, 20: its data are not there$"):
        run(series)
    assert probe.prepared == 1


def test_a_probe_that_asks_in_another_language_says_so_and_measures(series, probe, monkeypatch):
    specify(monkeypatch, probe, language="en")
    write_json(series.folder.corpus, {"languages": {"fr": 0.97}})
    console = Console(record=True, file=io.StringIO())
    assert run(series, console=console) == 3
    assert "probe count asks in en, and the training text is fr 97%" in console.export_text()


def test_where_a_measurement_was_taken_is_recorded(series, probe):
    run(series, steps="0", device="cpu", threads=1)
    taken = measurements.read(series)[list(measurements.MACHINE)].iloc[0]
    assert taken.tolist() == [manifest.processor(), "float32", torch.__version__, 1]


def test_an_interrupt_keeps_what_is_done(series, probe):
    probe.interrupt_at = 2
    with pytest.raises(KeyboardInterrupt):
        run(series)
    probe.interrupt_at = None
    assert run(series) == 1


def test_a_failed_write_leaves_no_measurement(series, probe, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("embryology.storage.files.pq.write_table", fail)
        with pytest.raises(EmbryologyError, match=r"^cannot write .*No space left"):
            run(series)
    assert not [file for file in series.folder.measurements.rglob("*") if file.is_file()]


def test_items_are_written_before_measurements(series, probe, monkeypatch):
    monkeypatch.setattr(measurements, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(series, steps="0")
    written = [
        file.relative_to(series.folder.measurements).as_posix().partition("-")[0]
        for file in series.folder.measurements.rglob("*.p*")
    ]
    assert len(written) == 1
    assert re.fullmatch(r"count/[0-9a-f]{16}/items/00000000", written[0])


def test_a_probe_that_does_not_apply_says_why(series, probe, monkeypatch):
    specify(monkeypatch, probe, needs=frozenset({"masked-head"}))
    probe.refuses = "its head is too small"
    screen = io.StringIO()
    assert run(series, steps="0,10", console=Console(file=screen, width=200)) == 2
    assert (probe.prepared, probe.measured) == (1, 0)
    assert screen.getvalue().count("probe count does not apply: its head is too small") == 1
    row, _ = measurements.read(series).to_dict("records")
    assert (row["metric"], row["reason"], row["n"]) == ("not applicable", "its head is too small", 0)
    assert np.isnan(row["value"])
    assert measurements.lacking(series, "count") == "probe count does not apply: its head is too small"
    assert run(series, steps="0,10") == 0


def test_a_probe_whose_needs_a_model_does_not_meet_does_not_apply(series, probe, monkeypatch):
    monkeypatch.setitem(specs.NEEDS, "third-eye", "third eye")
    specify(monkeypatch, probe, needs=frozenset({"masked-head", "third-eye"}))
    assert run(series, steps="0") == 1
    assert (probe.prepared, probe.measured) == (0, 0)
    assert measurements.lacking(series, "count") == "probe count does not apply: its model has no third eye"


def test_wrong_names_and_settings_are_refused(series, probe):
    for name, settings, message in (
        (
            "tokns",
            {},
            "there is no probe 'tokns'; choose one of attention, completions, divergence",
        ),
        ("count", {"facto": 2}, r"settings of probe count\.facto: there is no such key"),
        ("tokens", {"sentences": 0}, r"settings of probe tokens\.sentences: input should be greater than 0"),
    ):
        with pytest.raises(EmbryologyError, match=message):
            registry.asked_for([name], {name: settings})


def test_settings_come_from_the_run(tmp_path):
    series = make_run(tmp_path / "run", steps=(0, 20), sentences=5)
    assert [*chosen_settings(series)] == [
        "attention",
        "completions",
        "divergence",
        "frozen",
        "grammar",
        "knowledge",
        "similarity",
        "tokens",
    ]
    write_manifest(series.folder, series.manifest.outcome, {"tokens": {"sentences": 9}})
    series = Series.open(series.folder.root)
    nine = TokensSettings(sentences=9)
    assert chosen_settings(series) == {"tokens": nine}
    assert chosen_settings(series, ["tokens", "edges"]) == {"tokens": nine, "edges": EdgesSettings()}
    smoke = TokensSettings(**presets.load("smoke").probes["tokens"])
    assert chosen_settings(series, ["tokens"], "smoke") == {"tokens": smoke}


def test_the_real_probe_end_to_end_and_then_nothing_heavy_is_loaded(series, monkeypatch):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    settings = {"tokens": {"treebank": "silver", "sentences": 10, "mask_words_per_tag": 2}}
    assert run_probes(series, registry.asked_for(None, settings), threads=1) == 3
    table = measurements.read(series, probe="tokens")
    assert set(table["task"]) == {"reconstruction", "mask-prediction", "alignment"}
    items = measurements.read_items(series, "tokens")
    assert items.groupby("step")["item_id"].agg(tuple).nunique() == 1, "the same items at every checkpoint"
    again = f"""
        import sys
        from embryology.probes.runner import run_probes
        from embryology.runs.series import Series
        from embryology.specs import registry
        assert run_probes(Series.open({str(series.folder.root)!r}), registry.asked_for(None, {settings!r})) == 0
        heavy = {{"torch", "spacy", "statsmodels"}} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(again)], check=True, timeout=60)


def test_another_series_has_keys_of_its_own(make_series, probe):
    for kind in ("albert", "bert"):
        series = make_series(kind, steps=(0,))
        assert run(series) == 1
        assert set(measurements.read(series)["model"]) == {kind}


def test_probes_that_predict_words_read_electras_generator(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)  # bundled tasks are enough
    model = presets.load("smoke").outcome.model.model_dump() | {"family": "electra", "generator_size": 0.5}
    objective = presets.load("tiny-electra").outcome.objective.model_dump()
    made = train(
        small_preset(tmp_path, model=model, objective=objective, steps=10, checkpoints=[0, 10]), tmp_path / "run"
    )
    some = list(articles.articles("bundled"))[::10]
    monkeypatch.setattr(articles, "articles", lambda *_: iter(some))
    monkeypatch.setattr(baselines, "rows", lambda *_: [])
    series = Series.open(made.root)
    probes = {"tokens": TokensSettings(treebank="silver", sentences=10), "frozen": registry.settings_of("frozen", {})}
    probes["frozen"] = probes["frozen"].model_copy(update={"train": 40})
    run_probes(series, probes)
    for name, objective in {"tokens": "masked", "frozen": "replaced"}.items():
        assert set(measurements.read(series, name)["objective"]) == {objective}
    ours = measurements.read(series, "tokens")
    likely = ours[(ours["metric"] == "log_probability") & (ours["group"] == "") & (ours["task"] == "reconstruction")]
    assert likely["step"].tolist() == [0, 10]
    assert likely["value"].nunique() == 2  # each step's own generator
    plain = AutoModelForMaskedLM.from_pretrained(series.checkpoints[-1].location / "generator").eval()
    assert plain.config.hidden_size == 16
    provenance.note([series], "tokens")
    frame = tables.read([series], "tokens")
    times = learning_times(frame, measurements.read_items(series, "tokens"), "reconstruction")
    below = tokens.accuracy(frame, times, "reconstruction", "x").data
    assert "tokens read the generator of run, as its discriminator predicts no words" in below
    assert len(ours)
    damaged = series.checkpoints[-1].location / "generator" / WEIGHTS
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")
    shutil.rmtree(made.measurements)
    with pytest.raises(EmbryologyError, match=r"generator/model\.safetensors was changed after it was written"):
        run_probes(Series.open(made.root), probes)
