"""What a terminal shows of a series, number by number."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from embryology.analysis.learning_order import BEFORE_FIRST, NEVER_BEYOND, REACHED
from embryology.errors import EmbryologyError
from embryology.report import summary
from embryology.runs import measurements
from embryology.runs.checkpoints import RECORD
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.storage.files import write_json
from tests.screen import shown
from tests.synthetic import make_run, measure


def cells_of(table):
    """The rows of a table, as they are shown."""
    return list(zip(*(column.cells for column in table.columns), strict=True))


def test_held_out_values_are_those_of_checkpoints():
    losses = pd.DataFrame(
        {
            "step": [0, 10, 20000],
            "tokens": [0, 5, 2_000_000],
            "held_out_masked_loss": [7.0006, np.nan, 5.1234],
            "held_out_masked_loss_low": [6.9, np.nan, 5.0],
            "held_out_masked_accuracy": [0.0104, np.nan, 0.2346],
            "held_out_pair_accuracy": np.nan,
            "held_out_replaced_auc": [np.nan, np.nan, 0.71],
            "unigram_loss": [6.5, np.nan, 6.4567],
            "unigram_accuracy": [0.05, np.nan, 0.06],
        }
    )
    table = summary.held_out(losses, "tiny")
    assert table.title == "tiny: held-out text (unigram cross-entropy 6.457 nats)"
    assert [column.header for column in table.columns] == [
        "step", "tokens", "masked loss (nats)", "masked accuracy", "replaced auc",
    ]  # fmt: skip
    assert cells_of(table) == [
        ("0", "0", "7.001", "0.010", "nan"),
        ("20,000", "2,000,000", "5.123", "0.235", "0.710"),
    ]


def test_what_was_measured_is_counted_by_checkpoints(tmp_path):
    folder = RunFolder(tmp_path / "run")
    for step in (0, 1000, 2000):
        write_json(folder.checkpoint(step) / RECORD, {"step": step, "tokens": step, "sha256": f"{step:064x}"})
    rows = [measurements.row("reconstruction", tag, "accuracy", 0.5, n=10) for tag in ("DT", "NN")]
    for step in (0, 2000):
        measure(folder, "tokens", step, rows, settings={"sentences": 1})
    for step in (0, 1000):
        measure(folder, "tokens", step, rows)
    taken = [{"precision": precision} for precision in ("bfloat16", "float32")]
    for step, where in zip((1000, 2000), taken, strict=True):
        measure(folder, "edges", step, [measurements.row("pos", "", "f1_micro", 0.5, n=9) | where])
    write_json(folder.corpus, {"languages": {"de": 1.0}})
    table = summary.measured(Series.open(folder.root))
    assert table.title == "run: 3 checkpoints, measured by"
    by_probe = {row[0]: row[1:] for row in cells_of(table)}
    misfit = "asks in en, and the training text is de 100%: its numbers say little"
    aside = "set aside, of other settings, data or weights: step 0, 2,000"
    assert by_probe["tokens"] == ("2", "0 to 1,000", f"probe tokens {misfit}; {aside}")
    where = "taken with precision bfloat16 and float32"
    assert by_probe["edges"] == ("2", "1,000 to 2,000", f"{where}; probe edges {misfit}")
    assert by_probe["knowledge"][:2] == ("", "")
    write_json(folder.corpus, {"languages": {"en": 1.0}})
    by_probe = {row[0]: row[1:] for row in cells_of(summary.measured(Series.open(folder.root)))}
    assert by_probe["tokens"] == ("2", "0 to 1,000", aside)


def test_the_order_has_each_number_in_its_column(monkeypatch):
    columns = ["tag", "state", "step", "low", "high", "blind", "final", "n"]
    rows = [
        ("NN", REACHED, 1234.4, 900, np.inf, 0.124, 0.5, 1500),
        ("DT", REACHED, 50, 40.6, 60, 0.3, 0.99, 20),
        ("JJ", NEVER_BEYOND, 2000, 1, 2, 0.1, 0.2, 30),
        ("CC", BEFORE_FIRST, 0, 0, 0, 0.4, 0.6, 40),
    ]
    times = pd.DataFrame(rows, columns=columns).set_index("tag")
    asked = []
    monkeypatch.setattr(summary, "learning_times", lambda *given: asked.append(given) or times)
    monkeypatch.setattr(summary, "ranks", lambda times: [["CC"], ["DT", "NN"]])
    monkeypatch.setattr(summary, "in_order", lambda times: ["CC", "DT", "NN", "JJ"])
    monkeypatch.setattr(summary.curves, "groups", lambda frame: {"CC": "and", "DT": "the", "NN": "sea", "JJ": "red"})
    items = pd.DataFrame({"source": ["gold tags"]})
    table = summary.order("frame", items, "mask-prediction")
    assert asked == [("frame", items, "mask-prediction")]
    assert table.title == "mask-prediction: halfway from the best blind answer to the end, gold tags"
    assert [column.header for column in table.columns] == [
        "group", "rank", "step", "95% interval", "blind", "final", "words",
    ]  # fmt: skip
    assert cells_of(table) == [
        ("CC and", "1", BEFORE_FIRST, "", "0.40", "0.60", "40"),
        ("DT the", "2", "50", "41 to 60", "0.30", "0.99", "20"),
        ("NN sea", "2", "1,234", "900 or later", "0.12", "0.50", "1,500"),
        ("JJ red", "", NEVER_BEYOND, "", "0.10", "0.20", "30"),
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_run(
        tmp_path_factory.mktemp("made") / "run", steps=(0, 20, 160, 640, 2000), sentences=40, only=("tokens",)
    )


@pytest.fixture
def series(made, tmp_path):
    return Series.open(shutil.copytree(made.folder.root, tmp_path / "run"))


def test_a_run_is_told_with_its_losses_what_was_measured_and_its_order(made):
    text = shown(made)
    assert "unigram cross-entropy 6.700 nats" in text
    assert text.index("measured by") < text.index("reconstruction: halfway") < text.index("DT determiner")
    assert text.index("DT determiner") < text.index("JJ adjective") < text.index("mask-prediction: halfway")
    assert text.count("DT determiner") == 2
    assert "never beyond" in text
    assert "0 to 2,000" in text


def test_each_task_has_its_own_order(made):
    first, second = summary.summary(made)[2:]
    assert [table.title.partition(":")[0] for table in (first, second)] == ["reconstruction", "mask-prediction"]
    assert cells_of(first) != cells_of(second)  # of which one is learnt twice as late


def test_what_was_not_measured_or_does_not_apply_is_said_with_the_reason(series):
    shutil.rmtree(series.folder.measurements)
    reason = measurements.row("", "", "not applicable", None, reason="its model has no head")
    measure(series.folder, "knowledge", 0, [reason])
    text = " ".join(shown(series).split())
    assert "held-out text" in text
    assert "probe tokens has not measured it (embryology probe RUN --probe tokens)" in text
    assert "probe knowledge does not apply: its model has no head" in text
    assert "DT determiner" not in text


def test_checkpoints_of_others_are_shown_without_losses(series):
    series.folder.manifest.unlink()
    series.folder.losses.unlink()
    text = shown(Series.open(series.folder.root))
    assert "held-out text" not in text
    assert "DT determiner" in text


def test_the_json_of_a_run_has_the_numbers_of_its_tables(made):
    told = json.loads(json.dumps(summary.as_json(made), allow_nan=False))
    assert told.keys() == {"series", "counts", "checkpoints", "held_out", "measured", "order"}
    assert (told["series"], told["counts"]) == ("run", "step")
    assert told["checkpoints"] == [0, 20, 160, 640, 2000]
    assert [row["step"] for row in told["held_out"]] == told["checkpoints"]
    losses = pd.read_parquet(made.folder.losses).dropna(subset=["held_out_masked_loss"])
    assert [row["held_out_masked_loss"] for row in told["held_out"]] == losses["held_out_masked_loss"].tolist()
    assert {row["unigram_loss"] for row in told["held_out"]} == {6.7}
    assert told["order"].keys() == {"reconstruction", "mask-prediction"}
    for task, table in zip(told["order"], summary.summary(made)[2:], strict=True):
        shown = cells_of(table)
        groups = told["order"][task]["groups"]
        assert told["order"][task]["source"] in table.title
        assert [f"{each['group']} {each['name']}" for each in groups] == [row[0] for row in shown]
        for each, (_, rank, step, interval, blind, final, words) in zip(groups, shown, strict=True):
            assert (f"{each['blind']:.2f}", f"{each['final']:.2f}", f"{each['n']:,}") == (blind, final, words)
            assert str(each["rank"] or "") == rank
            if each["state"] == "reached":
                high = "or later" if each["high"] is None else f"to {each['high']:,.0f}"
                assert (f"{each['step']:,.0f}", f"{each['low']:,.0f} {high}") == (step, interval)
            else:
                assert (each["step"], each["low"], each["high"], each["state"]) == (None, None, None, step)
    states = [each["state"] for each in told["order"]["reconstruction"]["groups"]]
    assert {REACHED, NEVER_BEYOND} <= set(states)


def test_the_json_of_what_has_neither_losses_nor_words_has_the_same_keys(series):
    keys = summary.as_json(series).keys()
    for file in (series.folder.manifest, series.folder.losses):
        file.unlink()
    shutil.rmtree(series.folder.measurements)
    measure(series.folder, "edges", 20, [measurements.row("pos", "", "f1_micro", 0.5, n=9)], settings={"steps": 1})
    measure(series.folder, "edges", 0, [measurements.row("pos", "", "f1_micro", 0.5, n=9)])
    reason = measurements.row("", "", "not applicable", None, reason="its model has no head")
    measure(series.folder, "knowledge", 0, [reason])
    told = summary.as_json(Series.open(series.folder.root))
    assert told.keys() == keys
    assert (told["held_out"], told["order"]) == ([], {})
    by_probe = {row["probe"]: row for row in told["measured"]}
    assert len({tuple(row) for row in told["measured"]}) == 1
    assert [by_probe["edges"][key] for key in ("steps", "set_aside", "lacking")] == [[0], [20], None]
    assert by_probe["knowledge"]["lacking"] == "probe knowledge does not apply: its model has no head"
    assert "has not measured it" in by_probe["tokens"]["lacking"]


def test_no_run(tmp_path):
    with pytest.raises(EmbryologyError, match="there is no run at"):
        Series.open(tmp_path / "nothing")
