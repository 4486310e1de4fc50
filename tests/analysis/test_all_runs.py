"""Scores of all runs beside each other, against the rows of the tables picked by hand."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import all_runs, orders, published
from embryology.analysis.all_runs import FALLS, OPEN, RISES, Score
from embryology.runs import measurements
from embryology.specs import edges as labels
from embryology.specs import knowledge as facts
from tests.synthetic import make_run

COVERS = ("embryology/analysis/orders.py",)
STEPS = (0, 20, 80, 640, 2000)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return [
        make_run(root / "own", steps=STEPS, sentences=40),
        make_run(root / "other", steps=STEPS, sentences=40, factor=2, only=("tokens", "edges", "knowledge")),
    ]


def score(values, blind_high=0.5, width=0.05, steps=None):
    values = np.array(values, float)
    steps = np.arange(len(values)) * 100.0 if steps is None else np.array(steps, float)
    rows = pd.DataFrame(
        {"step": steps, "tokens": steps, "value": values, "low": values - width, "high": values + width}
    )
    return Score("words", "run", rows.assign(blind=blind_high - 0.1, blind_high=blind_high))


@pytest.mark.parametrize(("last", "is_beyond"), [(0.56, True), (0.55, False), (0.54, False), (0.4, False)])
def test_a_score_is_beyond_blind_answers_where_its_interval_is_above_theirs(last, is_beyond):
    assert score([0.9, last]).beyond is is_beyond


@pytest.mark.parametrize(
    ("values", "late"),
    [
        ([0.1, 0.2, 0.3, 0.6, 0.9], RISES),
        ([0.1, 0.2, 0.9, 0.6, 0.3], FALLS),
        ([0.9, 0.9, 0.5, 0.9, 0.59], OPEN),  # half of the steps is the third checkpoint, whatever lies around it
        ([0.9, 0.9, 0.5, 0.1, 0.41], OPEN),
        ([0.5], None),
    ],
)
def test_what_is_late_is_from_half_of_the_steps_to_the_end(values, late):
    assert score(values).late == late


def test_late_takes_the_last_checkpoint_up_to_half_and_an_interval_at_both():
    uneven = [0, 10, 90, 200]
    assert score([0.1, 0.1, 0.2, 0.9], steps=uneven).late == RISES  # step 90 is before half of 200
    assert score([0.1, 0.9, 0.2, 0.2], steps=[0, 90, 120, 200]).late == FALLS  # 90, and not 120
    without = score([0.1, 0.2, 0.9])
    without.rows.loc[1, "low"] = np.nan
    assert without.late is None
    assert score([0.1, 0.9], steps=[150, 200]).late is None  # nothing in the first half


def test_scores_are_those_of_the_tables_beside_the_highest_end_of_a_blind_answer(runs):
    found = all_runs.read(runs, "language")
    tasks = {score.measure: score for score in found if score.series == "own"}
    raw = measurements.read(runs[0], "edges")
    raw = raw[(raw["metric"] == labels.F1_MICRO) & (raw["group"] == "")]
    ours = raw[raw["baseline"].isna()]
    last = ours[ours["step"] == 2000]
    layer = last[last["layer"].notna()].groupby("layer")["value"].mean().idxmax()
    for task, rows in ours[ours["layer"] == layer].groupby("task"):
        (name,) = (name for name in tasks if f"({task.split('/')[0]})" in name and all_runs.edges.label(task) == name)
        table = tasks[name].rows
        assert table["value"].tolist() == rows.sort_values("step")["value"].tolist()
        of_task = raw[raw["task"] == task]
        majority = of_task[(of_task["baseline"] == "majority") & (of_task["step"] == 2000)]
        static = of_task[of_task["baseline"].isna() & (of_task["layer"] == 0) & (of_task["step"] == 2000)]
        untrained = of_task[of_task["baseline"].isna() & (of_task["layer"] == layer) & (of_task["step"] == 0)]
        lines = pd.concat([majority, static, untrained])
        assert table["blind_high"].iloc[-1] == lines["high"].fillna(lines["value"]).max()
        assert table["blind"].iloc[-1] == lines["value"].max()
    assert {score.series for score in found} == {"own", "other"}
    assert [score.series for score in all_runs.read(runs, "inside")] == ["own"]  # the other has no attention
    assert all_runs.asked(runs, "inside") == runs[:1]
    assert all_runs.asked(runs, "world") == runs


def test_steps_choose_checkpoints_of_the_first_series_alone(runs):
    found = all_runs.read(runs, "language", "0,20")
    assert {score.rows["step"].max() for score in found if score.series == "own"} == {20}
    assert {score.rows["step"].max() for score in found if score.series == "other"} == {2000}


def test_facts_are_those_that_cannot_be_copied(runs):
    table = all_runs.facts_right(runs).set_index("series")
    for each in runs:
        raw = measurements.read(each, "knowledge")
        end = raw[(raw["step"] == 2000) & (raw["group"] == "") & (raw["metric"] == "accuracy")]
        end = end[end["task"] == f"{raw['task'].str.split('/').str[0].iloc[0]}/{facts.NOT_NAMED}"]
        if end.empty:
            assert each.name not in table.index
            continue
        assert table.loc[each.name, "value"] == end.loc[end["baseline"].isna(), "value"].item()
        assert table.loc[each.name, "majority"] == end.loc[end["baseline"] == "majority", "value"].item()


def test_orders_hold_each_run_against_the_published_one_and_frequency(runs):
    own, other = orders.read(runs)
    assert (own.series, other.series) == ("own", "other")
    assert own.tokens == 2000 * 2048
    tags = {tag for rank in own.ranks for tag in rank}
    assert tags
    assert tags <= set(published.learning_times().index)
    assert own.frequency is not None
    (without,) = orders.read([make_run(runs[0].folder.root.parent / "short", steps=(0, 20), sentences=40)])
    assert without.ranks == []  # too few checkpoints for a learning time
