"""The measurements of several series as one table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import curves, learning_order, plateau, side_by_side, tables
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.checkpoints import Checkpoint
from embryology.runs.series import Series
from embryology.specs import NOT_APPLICABLE, UNTRAINED
from tests.synthetic import SILVER, STEPS, make_run, measure

COVERS = ("embryology/analysis/side_by_side.py",)


def test_steps_select_checkpoints_and_keep_the_untrained_baseline(series):
    assert tables.read([series], "tokens", "last")["step"].unique().tolist() == [2000]
    chosen = tables.read([series], "tokens", "20, 640")
    assert chosen["step"].unique().tolist() == [20, 640]
    assert UNTRAINED in curves.baselines(chosen, "reconstruction", "DT")
    assert tables.read([series], "tokens", 640)["step"].unique().tolist() == [640]
    with pytest.raises(EmbryologyError, match=r"synthetic has no checkpoint at step 7; it has 0, 20, "):
        tables.read([series], "tokens", "0,7")


def test_compared_series_come_after_the_reported_one_with_all_their_steps(series, tmp_path):
    other = make_run(tmp_path / "another", sentences=20, steps=(0, 50))
    frame = tables.read([series, other], "tokens", "last")
    assert frame["series"].unique().tolist() == ["synthetic", "another"]
    assert tables.main_series(frame) == "synthetic"
    assert curves.curve(frame, "reconstruction", "DT")["step"].tolist() == [2000]
    assert curves.curve(frame, "reconstruction", "DT", "another")["step"].tolist() == [0, 50]


def test_a_probe_that_does_not_apply_and_one_that_was_not_given_are_refused(tmp_path):
    series = make_run(tmp_path / "electra", sentences=2, steps=(0, 20))
    for step in (0, 20):
        row = measurements.row("", "", NOT_APPLICABLE, None, reason="it has no masked-word head")
        measure(series.folder, "tokens", step, [row])
    with pytest.raises(EmbryologyError, match="electra: probe tokens does not apply: it has no masked-word head"):
        tables.read([series], "tokens")
    with pytest.raises(EmbryologyError, match="electra has no measurements of probe other"):
        tables.read([series], "other")


def test_two_series_of_one_name_are_kept_apart(tmp_path):
    roots = [tmp_path / "a" / "tiny", tmp_path / "b" / "tiny"]
    for root, factor in zip(roots, (1.0, 4.0), strict=True):
        make_run(root, sentences=30, factor=factor, only=("tokens",))
    both, alone = Series.open_all(roots), [Series.open(root) for root in roots]
    names = ["a/tiny", "b/tiny"]
    frame, losses, learnt = tables.read(both, "tokens"), plateau.read(both), side_by_side.read(both)
    assert frame["series"].unique().tolist() == losses["series"].unique().tolist() == list(learnt) == names
    for name, series in zip(names, alone, strict=True):
        curve = curves.curve(frame, "reconstruction", "DT", name)
        assert curve.equals(curves.curve(tables.read([series], "tokens"), "reconstruction", "DT"))
        assert losses[losses["series"] == name]["step"].tolist() == series.losses["step"].tolist()
    first, second = (learnt[name].times["reconstruction"].loc["DT", "step"] for name in names)
    assert second > 2 * first


def test_baselines_of_step_0_are_not_the_untrained_model_and_the_last_step_is_the_probes():
    series = Series("zebra", None, tuple(Checkpoint(step, step, Path()) for step in (0, 20, 640, 2000)), None)
    row = {"series": "zebra", "task": "t", "group": "", "metric": "accuracy", "tokens": 5}
    rows = pd.DataFrame(
        [row | {"step": step, "baseline": baseline, "value": value} for step, baseline, value in
         ((0, None, 0.1), (0, "majority", 0.7), (20, None, 0.5), (20, "majority", 0.7))]
    )  # fmt: skip
    untrained = tables.untrained(rows)
    assert untrained[["step", "value", "baseline"]].to_numpy().tolist() == [[0, 0.1, UNTRAINED], [20, 0.1, UNTRAINED]]
    assert tables.select(rows, series, "last")["step"].tolist() == [20, 20]  # the run goes on to 2,000
    assert tables.select(rows, series, "20, 640")["step"].tolist() == [20, 20]
    both = pd.concat([rows, rows.assign(series="ape", value=0.9)])
    assert tables.main_series(both) == "zebra"
    assert tables.of(both, "t", "accuracy")["value"].tolist() == [0.1, 0.5]
    assert tables.of(both, "t", "accuracy", "majority")["value"].tolist() == [0.7, 0.7]
    assert tables.of(both, "t", "accuracy", series="ape")["value"].tolist() == [0.9, 0.9]


def test_documents_are_named_by_all_but_the_last_part():
    names = pd.Series(["weblog-blogspot.com_a-0001", "weblog-blogspot.com_b-0002", "s7", "GUM_news-x-12"])
    assert measurements.documents(names).tolist() == [
        "weblog-blogspot.com_a",
        "weblog-blogspot.com_b",
        "s7",
        "GUM_news-x",
    ]


def learnt(**changes):
    grid = pd.DataFrame({"step": [0.0, 10, 40], "tokens": [0.0, 1000, 2500], "sentences": [0.0, 7, 8]})
    values = {"source": "", "groups": {}, "grid": grid, "times": {}, "half": None, "levels": {}, "kept": True}
    return side_by_side.Learnt(**values | changes)


def test_learning_times_are_moved_to_another_column_with_ends_that_stay_infinite():
    times = pd.DataFrame(
        {"state": "reached", "step": [5.0, 25, np.nan], "low": [0.0, -np.inf, np.nan], "high": [10.0, np.inf, np.nan],
         "spacing": 10.0, "resampled": None, "n": 3}
    )  # fmt: skip
    over = learnt().over(times, "sentences")
    assert over["step"].tolist() == pytest.approx([3.5, 7.5, np.nan], nan_ok=True)
    assert over["low"].tolist() == pytest.approx([0, -np.inf, np.nan], nan_ok=True)
    assert over["high"].tolist() == pytest.approx([7, np.inf, np.nan], nan_ok=True)
    assert learnt().over(times, "tokens")["step"].tolist() == pytest.approx([500, 1750, np.nan], nan_ok=True)
    assert "spacing" not in over
    assert times["step"].tolist()[:2] == [5, 25]


def test_chosen_steps_are_those_of_the_first_series_and_each_time_is_of_its_task(series, monkeypatch):
    """What is told of each task, level and definition is said by name instead of being computed."""
    monkeypatch.setattr(
        learning_order, "at_levels", lambda frame, items, task, levels: {level: (task, level) for level in levels}
    )
    monkeypatch.setattr(learning_order, "published_definition", lambda frame, task: (task, sorted(set(frame["step"]))))
    other = replace(series, name="other")
    found = side_by_side.read([series, other], "20,640")
    assert list(found) == ["synthetic", "other"]
    assert [each.grid["step"].tolist() for each in found.values()] == [[20, 640], [*map(float, STEPS)]]
    one = found["synthetic"]
    assert one.grid["tokens"].tolist() == [20 * 2048, 640 * 2048]
    assert one.times == {task: (task, None) for task in ("reconstruction", "mask-prediction")}
    assert one.levels == {level: ("reconstruction", level) for level in (0.25, 0.5, 0.75)}
    assert one.half == ("reconstruction", [20, 640])
    assert one.kept
    assert one.source == SILVER


def test_units_are_named_in_prose():
    frame = pd.DataFrame({"low": [0.1, 0.2, np.nan, 0.3], "unit": ["document", "sentence", None, "document"]})
    assert tables.units(frame, "word") == "documents or sentences"
    assert (
        tables.units(
            frame.assign(unit=["document", "word", "seed", "document"], low=[0.1, np.nan, np.nan, 0.2]), "word"
        )
        == "documents"
    )
    assert tables.units(frame.assign(unit=None), "word") == "words"


def test_series_that_count_different_things_are_not_drawn_on_one_axis(series):
    words = replace(
        series, name="babylm", checkpoints=tuple(replace(each, unit="words") for each in series.checkpoints)
    )
    with pytest.raises(
        EmbryologyError, match="synthetic counts step and babylm words, so that no figure can draw both"
    ):
        tables.read([series, words], "tokens")
    assert len(tables.read([words, words], "tokens"))
