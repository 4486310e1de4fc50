"""What the study of variants keeps of a run, of measurements that were made by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import variants as script
from embryology import presets
from embryology.analysis import variants, variants_asked
from embryology.analysis.counterfactual import of_things
from embryology.runs import counterfactuals, losses, measurements
from embryology.runs.checkpoints import RECORD
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.storage.files import write_json
from tests.synthetic import measure, write_manifest

STEPS = (0, 400, 1200)
TOKENS = {0: 0, 400: 4_000, 1200: 12_000}
LOSS = {0: 9.0, 400: 7.0, 1200: 6.0}


def row(task, group, metric, value, n, **also):
    return measurements.row(task, group, metric, value, n=n, seed=0, **also)


def knowledge(step):
    rows = [
        row("bundled", "", "log_probability", -8 + step / 1200, 10),
        row("bundled", "country", "log_probability", -99, 5),
        row("fed", "lives", "gain", step / 100, 200),
        row("fed", "", "gain", 77, 400),
        row("fed", "", "log_probability", 88, 400),
        row("fed/not named", "lives", "gain", 66, 200),
        row("fed/several pieces", "inhabitant", "log_probability", -20, 200),
    ]
    facts = pd.DataFrame(
        {
            "item_id": ["a", "b", "c", "d", "e"],
            "task": ["bundled"] * 4 + ["fed"],
            "object": ["France", "painter", "bird", "bird", "France"],
            "log_probability": [-8 + step, -6.0, -3.0, np.nan, 500.0],
        }
    )
    return rows, facts


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Fed from step 400 on, as `variant-fed` is; English."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "variant-fed-seed0")
    for step in STEPS:
        record = {"step": step, "tokens": TOKENS[step], "epoch": 0.0, "sha256": f"{step:064x}"}
        write_json(folder.checkpoint(step) / RECORD, record | {"held_out": {"held_out_masked_loss": LOSS[step]}})
        tokens = [
            row("reconstruction", "", "accuracy", 0.5, 40),
            row("reconstruction", "NN", "accuracy", 0.1, 40),
            row("mask-prediction", "NN", "log_probability", -4, 30),
            row("mask-prediction", "DT", "log_probability", -2, 10),
            row("mask-prediction", "NN", "accuracy", 0.9, 30),
            row("mask-prediction", "DT", "log_probability", -1, 10, baseline="most-frequent-word"),
        ]
        measure(folder, "tokens", step, tokens)
        measure(folder, "grammar", step, [row("silver", "", "accuracy", 0.75, 64), row("silver", "", "ties", 1, 64)])
        measure(folder, "knowledge", step, *knowledge(step))
    rows = [
        {"step": step, "tokens": TOKENS[step], "phase": 1 + (step > 400), "held_out_masked_loss": LOSS[step]}
        for step in STEPS
    ]
    losses.write(folder, [each | {"unigram_loss": 8.0} for each in rows])
    write_manifest(folder, presets.load("variant-fed").outcome.model_copy(update={"checkpoints": list(STEPS)}))
    write_json(folder.corpus, {"source": "bundled", "languages": {"en": 1.0}})
    return Series.open(folder.root)


@pytest.fixture(scope="module")
def evaluated(series):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "flops", lambda outcome: np.arange(outcome.steps + 1.0))
        return script.evaluations(series)


def test_of_a_mixture_the_runs_own_share_is_its_own_text(evaluated):
    """Seven of eight sequences after step 400."""
    assert evaluated["own_tokens"].tolist() == [0, 4_000, 4_000 + 8_000 * 7 / 8]
    assert evaluated["all_tokens"].tolist() == [0, 4_000, 12_000]
    assert evaluated["unigram_loss"].tolist() == [8, 8, 8]


def test_what_was_measured_is_kept_by_checkpoint_and_phase(series, evaluated):
    table = script.values(series, evaluated)
    assert set(table["what"]) == {
        *variants_asked.REMEMBERED,
        *("lives", variants_asked.NEIGHBOURS, variants_asked.OTHERS),
    }
    last = table[table["step"] == 1200].set_index("what")["value"]
    expected = {
        variants_asked.LOSS: 6,
        variants_asked.RECONSTRUCTED: 0.5,
        variants_asked.MASKED: (30 * -4 + 10 * -2) / 40,
        variants_asked.GRAMMAR: 0.75,
        variants_asked.KNOWLEDGE: -7,
        "lives": 12,
        variants_asked.NEIGHBOURS: (-8 + 1200 - 6) / 2,
        variants_asked.OTHERS: -3,
    }
    assert last.to_dict() == pytest.approx(expected)
    assert table.groupby("step")["phase"].agg(["min", "max"]).to_numpy().tolist() == [[1, 1], [1, 1], [2, 2]]


def test_what_asks_in_another_language_is_left_out(series, evaluated, monkeypatch, capsys):
    write_json(series.folder.corpus, {"source": "bundled", "path": "fr", "languages": {"fr": 1.0}})
    try:
        assert set(script.values(series, evaluated)["what"]) == {variants_asked.LOSS}
        assert len(script.times(series, evaluated)) == 0
    finally:
        write_json(series.folder.corpus, {"source": "bundled", "languages": {"en": 1.0}})
    assert "probe tokens asks in en, and the training text is fr 100%" in capsys.readouterr().out


def test_things_never_read_are_kept_by_checkpoint(series):
    assert script.never_read(series, 400).empty
    rows = [
        ("text:music", run, "tokens", "mask-prediction", str(item), step, -5.0, -5.0 + effect, item == 0)
        for run, effect in (("without", -2.0), ("floor", 0.5))
        for step in (600, 800)
        for item in range(4)
    ]
    effects = pd.DataFrame(rows, columns=list(counterfactuals.COLUMNS))
    record = {"sequences": 7, "masked": 3, "first": 444}
    counterfactuals.write(counterfactuals.folder(series, 400) / "text-music-0.parquet", effects, record)
    table = script.never_read(series, 400)
    assert table["step"].tolist() == [600, 800]
    assert set(variants.THINGS) <= {*table, "seed"}
    told = table.set_index("step").loc[800]
    assert told[["sequences", "masked", "first", "items", "without", "floor", "low"]].tolist() == [
        *(7, 3, 444, 1, -2, 0.5, 0.5)
    ]
    assert len(of_things(counterfactuals.read(series, 400))) == 1
    assert script.never_read(series, 500).empty
