"""Facts over objects of a relation: counted by hand, and paired with blind answers and an earlier checkpoint."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology import intervals
from embryology.analysis import over_objects
from embryology.runs import measurements
from embryology.specs.knowledge import NO_OBJECT


def facts_of(answers, relation="P1", steps=(0, 10, 20), **columns):
    """By object the answers of its facts, each a list of right or wrong by step; the second object is common."""
    rows = [
        (f"{relation}:{thing}-{fact}", relation, thing, step, bool(right))
        for thing, of_object in enumerate(answers) for fact, path in enumerate(of_object)
        for step, right in zip(steps, path, strict=True)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["item_id", "group", "object_number", "step", "correct"])
    table = table.assign(task="trex", pieces=1, named=False, held_out=False, common=table["object_number"] == 1)
    return table.assign(chosen=table["correct"], **columns)


def test_known_is_what_the_prompt_alone_does_not_say_by_either_criterion():
    table = pd.DataFrame(
        {
            "object_number": [5, 5, 5, 7, 7],
            "correct": [True, True, False, True, False],
            "chosen": [True, True, True, False, True],
            "answer": [5, 5, 6, 7, 6],
            "choice": [5, 5, 5, 6, 7],
            "answer_alone": [5, 6, 5, 6, 6],
            "choice_alone": [6, 5, 5, 7, 6],
            "common": [True, False, False, False, True],
        }
    )
    known = over_objects.with_known
    assert known(table)["known"].tolist() == [False, True, False, True, False]
    assert known(table, "chosen")["known"].tolist() == [True, False, False, False, True]
    bare = table.drop(columns=["answer", "choice", "answer_alone", "choice_alone"])
    assert known(bare)["known"].tolist() == [False, True, False, True, False]
    assert known(bare, "chosen")["known"].tolist() == [False, True, True, False, False]


@pytest.fixture(scope="module")
def counted():
    """Two relations whose objects have the same numbers; of twelve objects each, some with one fact and some three."""
    rng = np.random.default_rng(0)

    def answers():
        return [rng.random((3 if thing % 2 else 1, 3)) < rng.random() for thing in range(24)]

    items = pd.concat([facts_of(answers(), relation) for relation in ("P1", "P2")])
    number = items["item_id"].str[3:].str.split("-").str[0].astype(int)
    items = items.assign(named=number % 6 == 0, held_out=number % 5 == 0, chosen=items["correct"] | (number % 7 == 0))
    items = over_objects.with_known(items.sample(frac=1, random_state=1))
    table = pd.DataFrame(over_objects._counted(items))
    return items, table.assign(baseline=table["baseline"].fillna(""))


PARTS = {
    "trex": lambda items: items["step"] >= 0,
    "trex/not named": lambda items: ~items["named"],
    "trex/held out": lambda items: items["held_out"],
    "trex/not held out": lambda items: ~items["held_out"],
}


def test_every_part_relation_and_metric_is_the_mean_of_its_facts(counted):
    items, table = counted
    of_metric = {
        ("accuracy", ""): "correct", ("known", ""): "known", ("accuracy_of_candidates", ""): "chosen",
        ("accuracy", "most-common-object"): "common", ("accuracy", "copy"): "named",
    }  # fmt: skip
    assert len(table) == len(PARTS) * 3 * len(of_metric) * 3
    for row in table.itertuples():
        some = items[PARTS[row.task](items) & (items["step"] == row.step)]
        some = some if not row.group else some[some["group"] == row.group]
        assert row.value == pytest.approx(some[of_metric[row.metric, row.baseline]].mean())
        assert row.n == len(some)
        assert row.unit == "object"


def test_an_interval_is_over_the_objects_of_each_relation(counted):
    items, table = counted
    row = table[
        (table["task"] == "trex") & (table["group"] == "") & (table["metric"] == "known") & (table["step"] == 20)
    ]
    last = items[items["step"] == 20]
    of_objects = last.groupby(["group", "object_number"])["known"].agg(["sum", "size"]).to_numpy(float)
    assert len(of_objects) == 48
    assert row[["low", "high"]].to_numpy()[0] == pytest.approx(np.stack(intervals.of_share(*of_objects.T)))


def test_intervals_over_single_facts_are_left_out_of_runs_that_were_frozen_with_them(counted, monkeypatch):
    items, _ = counted
    columns = {"step": 20, "task": "trex", "group": "", "low": 0.1, "high": 0.9, "n": 5, "unit": None, "seed": 0}
    rows = [
        {"metric": metric, "baseline": baseline, "value": 0.5, "series": "s"} | columns
        for metric in ("accuracy", "gain")
        for baseline in (None, "copy", "without-subject")[: 3 if metric == "accuracy" else 1]
    ]
    frame = pd.DataFrame(rows).assign(layer=None, reason=None)
    monkeypatch.setattr(measurements, "read", lambda *_: frame)
    monkeypatch.setattr(measurements, "read_items", lambda *_: items)
    found = over_objects.measured(None)
    found = found[(found["task"] == "trex") & (found["group"] == "") & (found["step"] == 20)]
    by = found.set_index(found["metric"] + " " + found["baseline"].fillna(""))
    assert by.loc["accuracy ", "value"] == pytest.approx(items.loc[items["step"] == 20, "correct"].mean())
    assert by.loc[["accuracy ", "accuracy copy", "known "], "low"].notna().all()
    assert by.loc[["gain ", "accuracy without-subject"], ["low", "high"]].isna().all(axis=None)
    assert by.loc["gain ", "value"] == 0.5
    assert by.index.is_unique
    kept = frame.assign(unit="object")
    monkeypatch.setattr(measurements, "read", lambda *_: kept)
    assert over_objects.measured(None) is kept


def one_each(right):
    """Paths of one fact for each of many objects: (objects, steps)."""
    return [[path] for path in np.asarray(right).astype(bool)]


@pytest.mark.parametrize("blind", ["common", "alone", "untrained"])
def test_above_all_is_above_the_best_of_the_blind_answers(blind):
    """Of 30 objects 20 are right; each blind answer in turn gets 8 others right, and others none."""
    right = np.zeros((30, 3), bool)
    right[:20, 1:] = True
    if blind == "untrained":
        right[22:, 0] = True
    table = facts_of(one_each(right), answer=NO_OBJECT, answer_alone=NO_OBJECT)
    late = table["object_number"] >= 22
    table["common"] = late if blind == "common" else False
    table["answer_alone"] = np.where(late & (blind == "alone"), table["object_number"], NO_OBJECT)
    table["answer"] = table["answer_alone"]
    found = over_objects.above_all(table.sample(frac=1, random_state=0)).set_index("relation")["low"]
    difference = right[:, -1].astype(float) - (np.arange(30) >= 22)
    assert found["P1"] == pytest.approx(stats.ttest_1samp(difference, 0).confidence_interval().low)


def test_a_change_is_from_half_of_the_trained_steps_and_fact_by_fact_over_objects():
    """A model that began well is not the middle; facts that come and facts that go are paired."""
    rng = np.random.default_rng(2)
    steps, right = (0, 400, 480, 1000), rng.random((60, 4)) < 0.5
    right[:, 0] = True
    right[::2, 2], right[::2, 3] = False, True  # of objects with two facts one comes
    paths = right.reshape(30, 2, 4)
    items = facts_of(paths, steps=steps)
    shuffled = pd.concat([items[items["step"] == step].sample(frac=1, random_state=step) for step in steps])
    (found,) = over_objects.changed(shuffled).to_dict("records")
    of_objects = paths[..., 3].mean(axis=1) - paths[..., 2].mean(axis=1)
    expected = stats.ttest_1samp(of_objects, 0).confidence_interval()
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
    assert over_objects.changed(items[items["step"].isin([0, 1000])]).empty
    early = over_objects.changed(items[items["step"].isin([0, 1000])].assign(step=lambda frame: frame["step"] + 1))
    assert len(early) == 1
    named = pd.concat([items, facts_of(one_each(np.ones((9, 4))), "P2", steps, named=True)])
    assert over_objects.changed(named)["relation"].tolist() == ["P1"]
    nearer = facts_of(paths[..., 1:], steps=(450, 700, 1000))  # 450 is nearer to 500
    (found,) = over_objects.changed(nearer).to_dict("records")
    expected = stats.ttest_1samp(paths[..., 3].mean(axis=1) - paths[..., 1].mean(axis=1), 0).confidence_interval()
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
