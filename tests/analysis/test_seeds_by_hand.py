"""Runs side by side on made-up measures, items and facts, against SciPy's paired test and plain resamples."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial import distance

from embryology.analysis import knowledge, seeds, tables
from embryology.analysis.knowledge import Followed
from embryology.analysis.seeds import Curve
from embryology.analysis.trajectories import Trajectories
from embryology.errors import EmbryologyError
from embryology.runs import measurements

COVERS = ("embryology/analysis/seeds.py",)
ONE, OTHER = SimpleNamespace(name="one"), SimpleNamespace(name="other")


def curve_of(measure, values, half=0.1, right=None, steps=(10, 20, 40)):
    rows = pd.DataFrame({"step": steps, "value": values})
    rows = rows.assign(low=rows["value"] - half, high=rows["value"] + half).sample(frac=1, random_state=1)
    return Curve(measure, rows, right)


@pytest.fixture
def ends(monkeypatch):
    """The row of a measure that two runs have."""

    def of(one, other):
        monkeypatch.setattr(seeds, "seed_pairs", lambda series: [(ONE, OTHER)])
        monkeypatch.setattr(seeds, "_curves", lambda each: [one] if each is ONE else [other])
        table = seeds.ends([ONE, OTHER])
        assert table["measure"].tolist() == [one.measure]
        return table.iloc[0]

    return of


def test_the_last_checkpoint_is_that_of_both(ends):
    row = ends(curve_of("m", [0.1, 0.2, 0.3]), curve_of("m", [0.4, 0.5, 0.9], steps=(10, 20, 80)))
    assert row[["one", "other", "step", "value", "value_other"]].tolist() == ["one", "other", 20, 0.2, 0.5]
    assert row[["low", "high", "low_other", "high_other"]].tolist() == pytest.approx([0.1, 0.3, 0.4, 0.6])
    assert row["apart"]
    assert row[["more", "more_low", "more_high"]].isna().all()


@pytest.mark.parametrize(("half", "apart"), [(0.04, True), (0.06, False)])
def test_without_items_intervals_that_meet_are_not_apart(ends, half, apart):
    for one, other in ((0.5, 0.6), (0.6, 0.5)):
        assert ends(curve_of("m", [0, 0, one], half), curve_of("m", [0, 0, other], half))["apart"] == apart


def items_of(right, units, steps=(20, 40)):
    """At the last step as given, before it all wrong; in an order of their own."""
    names = [f"i{number}" for number in range(len(right))]
    before = pd.DataFrame({"item_id": names, "step": steps[0], "correct": False, "unit": units})
    last = before.assign(step=steps[1], correct=np.asarray(right, bool))
    table = pd.concat([before, last]).sample(frac=1, random_state=int(np.sum(right)))
    return lambda: table


@pytest.mark.parametrize("less", [0.2, 0.08, 0.02])
def test_how_much_more_is_told_item_by_item_over_units(ends, less):
    """Intervals that leave out 0, or hold it with slightly less or more, against SciPy's paired t test over units."""
    rng = np.random.default_rng(4)
    units = np.arange(200) // 5
    first = rng.random(200) < 0.6
    second = first & (rng.random(200) > less) | (~first & (rng.random(200) < 0.05))
    row = ends(
        curve_of("m", [0, 0, first.mean()], right=items_of(first, units)),
        curve_of("m", [0, 0, second.mean()], right=items_of(second, units)),
    )
    by_unit = [side.reshape(-1, 5).mean(axis=1) for side in (first, second)]
    expected = stats.ttest_rel(by_unit[1], by_unit[0])
    ends_of = expected.confidence_interval()
    assert row[["more", "more_low", "more_high"]].tolist() == pytest.approx(
        [second.mean() - first.mean(), ends_of.low, ends_of.high]
    )
    assert row["apart"] == (expected.pvalue < 0.05)
    assert (less == 0.2) == row["apart"]
    assert (less == 0.02) == (row["more"] > 0)


def test_items_are_those_of_the_last_checkpoint_of_both(ends):
    units, right = np.arange(60), np.arange(60) % 3 > 0
    one = curve_of("m", [0.1, 0.2, 0.7], steps=(10, 20, 40), right=items_of(right, units))
    longer = curve_of("m", [0.1, 0.2, 0.7], steps=(10, 40, 80), right=items_of(right, units, steps=(40, 80)))
    for first, second in ((one, longer), (longer, one)):
        row = ends(first, second)
        assert row["step"] == 40
        assert abs(row["more"]) == pytest.approx(2 / 3)  # at step 40 the longer one has none right


def test_items_that_are_others_or_all_alike_are_not_compared(ends):
    right = np.arange(40) < 30
    one = items_of(right, np.arange(40))
    row = ends(curve_of("m", [0, 0, 0.75], right=one), curve_of("m", [0, 0, 0.75], right=one))
    assert row["more"] == 0
    assert np.isnan(row["more_low"])
    assert not row["apart"]
    row = ends(
        curve_of("m", [0, 0, 0.75], right=one), curve_of("m", [0, 0, 0.7], right=items_of(right[:39], np.arange(39)))
    )
    assert np.isnan(row["more"])


def test_facts_are_paired_over_objects_of_their_relation_with_or_without_those_that_are_named(monkeypatch):
    items = pd.DataFrame(
        {"item_id": list("abcde"), "task": ["trex"] * 4 + ["other"], "group": list("PPQQP"),
         "object_number": [1, 2, 1, 1, 1], "pieces": [1, 1, 1, 2, 1], "named": [False, True, False, False, False],
         "correct": True, "step": 10}
    )  # fmt: skip
    monkeypatch.setattr(measurements, "read_items", lambda *_: items)
    columns = {"series": "s", "group": "", "metric": "accuracy", "baseline": None, "step": 10, "tokens": 1, "n": 3}
    frame = pd.DataFrame([columns | {"task": task, "value": 0.5, "low": 0.4, "high": 0.6} for task in
                          ("trex", "trex/not named")])  # fmt: skip
    every, unnamed = seeds._of_facts(ONE, frame)
    assert every.measure == "facts right, LAMA T-REx"
    assert every.right()["item_id"].tolist() == ["a", "b", "c"]
    assert every.right()["unit"].nunique() == 3
    assert unnamed.right()["item_id"].tolist() == ["a", "c"]


def made(known, clusters, steps=None):
    facts = pd.DataFrame({"item_id": [f"f{i}" for i in range(len(known))], "group": "P1"})
    return Trajectories(facts, np.arange(known.shape[1]) * 10 if steps is None else steps, known, np.asarray(clusters))


def test_overlap_and_its_interval_are_those_of_plain_resamples_of_objects():
    rng = np.random.default_rng(5)
    clusters = np.repeat(np.arange(60), rng.integers(1, 6, 60))
    easy = (rng.random(60) ** 2)[clusters][:, None]
    one, other = (rng.random((len(clusters), 3)) < easy for _ in range(2))
    one[:, 0] &= clusters < 20  # few objects know any at first
    other[:, 0] &= clusters < 20
    table = seeds.overlap(made(one, clusters), made(other, clusters))
    for at in range(3):
        assert table["value"][at] == pytest.approx(1 - distance.dice(one[:, at], other[:, at]))
    itself = [
        [1 - distance.dice(run[:, at], run[:, at - 1]) for run in (one, other)] for at in (1, 2)
    ]  # fmt: skip
    assert table["before"].tolist() == pytest.approx([np.nan, *np.mean(itself, axis=1)], nan_ok=True)
    facts = [np.flatnonzero(clusters == number) for number in range(60)]
    drawn = []
    for _ in range(600):
        chosen = np.concatenate([facts[number] for number in rng.integers(60, size=60)])
        drawn.append(1 - distance.dice(one[chosen, 2], other[chosen, 2]))
    assert table.loc[2, ["low", "high"]].tolist() == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.02)
    assert table["low"].isna().tolist() == [True, False, False]
    anew = [
        1 - distance.dice(*(np.concatenate([rng.permutation(run[fact, 2]) for fact in facts]) for run in (one, other)))
        for _ in range(300)
    ]
    assert table["chance"][2] == pytest.approx(np.mean(anew), abs=0.01)


def followed(steps, ids=3, criterion="correct"):
    paths = made(np.ones((ids, len(steps)), bool), np.arange(ids), np.asarray(steps))
    return Followed(paths, criterion, None, ids)


def test_the_same_facts_are_those_of_the_first_set_of_both_at_the_steps_of_both(monkeypatch):
    told = {"one": {"trex": [0, 10, 40], "pararel": [7]}, "other": {"trex": [10, 20, 40], "pararel": [7]}}
    monkeypatch.setattr(tables, "read", lambda series, probe: series[0].name)
    monkeypatch.setattr(knowledge, "sets", lambda name: list(told[name]))
    monkeypatch.setattr(knowledge, "trajectories", lambda series, name: followed(told[series.name][name]))
    one, other = seeds.same_facts(ONE, OTHER)
    assert one.paths.steps.tolist() == other.paths.steps.tolist() == [10, 40]
    assert one.paths.known.shape == (3, 2)
    told["other"] = {"pararel": [7]}
    assert seeds.same_facts(ONE, OTHER)[0].paths.steps.tolist() == [7]
    for others in ({"trex": [20]}, {"bundled": [10]}):
        told["other"] = others
        with pytest.raises(EmbryologyError, match="not asked the same facts"):
            seeds.same_facts(ONE, OTHER)
