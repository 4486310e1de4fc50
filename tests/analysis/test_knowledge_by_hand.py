"""What is said of facts: blind answers, relations that rise and fall, classes of frequency, and why nothing is told."""

import numpy as np
import pandas as pd
import pytest

from embryology import intervals
from embryology.analysis import knowledge, published
from embryology.analysis.permuted import Chance
from embryology.analysis.trajectories import Trajectories
from embryology.runs import measurements
from embryology.specs.knowledge import COPY, MAJORITY, NO_OBJECT, TEMPLATE, UNTRAINED

COVERS = ("embryology/analysis/knowledge.py",)


def rows_of(value, half, baseline=None, **columns):
    row = {"series": "s", "task": "trex", "group": "", "metric": "accuracy", "step": 10, "tokens": 1, "n": 9}
    ends = {"value": value, "low": value - half, "high": value + half}
    return pd.DataFrame([row | ends | {"baseline": baseline} | columns])


@pytest.mark.parametrize("above", [MAJORITY, TEMPLATE, COPY, UNTRAINED])
def test_one_blind_answer_whose_interval_is_met_is_enough(above):
    lines = [rows_of(0.1, 0.05, name) for name in (MAJORITY, TEMPLATE, COPY, UNTRAINED)]
    own = rows_of(0.4, 0.05)
    assert knowledge.above_blind(pd.concat([own, *lines]), "trex")
    met = [rows_of(0.32, 0.05, name) if name == above else line for name, line in
           zip((MAJORITY, TEMPLATE, COPY, UNTRAINED), lines, strict=True)]  # fmt: skip
    assert not knowledge.above_blind(pd.concat([own, *met]), "trex")
    beside = rows_of(0.36, np.nan, above)  # a line without an interval
    assert not knowledge.above_blind(pd.concat([own, *lines, beside]).iloc[[0, -1]], "trex")


def table_of(paths, relation="P1", steps=(0, 10, 20, 40), **columns):
    """Items of a fact an object: (objects, steps) right or wrong; what is wrong is none of the objects."""
    paths = np.asarray(paths, bool)
    objects, count = paths.shape
    number = np.repeat(np.arange(objects), count)
    right = paths.ravel()
    table = pd.DataFrame({"item_id": [f"{relation}:{n}" for n in number], "group": relation, "object_number": number})
    table = table.assign(step=np.tile(steps, objects), correct=right, chosen=right, task="trex", pieces=1, named=False)
    table["answer"] = table["choice"] = np.where(right, number, NO_OBJECT)
    blind = {"answer_alone": NO_OBJECT, "choice_alone": NO_OBJECT, "common": False, "held_out": False, "together": 0}
    return table.assign(**(blind | columns))


@pytest.fixture
def read(monkeypatch):
    def give(table):
        monkeypatch.setattr(measurements, "read_items", lambda *_: table)

    return give


def test_relations_rise_fall_or_do_neither_and_facts_of_several_pieces_say_nothing(read):
    rise, fall, wave = np.zeros((3, 40, 4), bool)
    rise[:30, 3] = True
    fall[:30, 1:3], fall[:8, 3] = True, True
    wave[:20, 1:3], wave[2:22, 3] = True, True  # two come and two go
    slightly = np.zeros((40, 4), bool)
    slightly[:20, 1:3], slightly[1:20, 3] = True, True  # one is lost
    of_several = table_of(rise, "P2").assign(pieces=2, item_id=lambda table: table["item_id"] + "x")
    tables = [table_of(each, name) for name, each in (("P1", rise), ("P2", fall), ("P3", wave), ("P4", slightly))]
    read(pd.concat([*tables, of_several, of_several.assign(task="other", pieces=1)]))
    told = knowledge.by_relation(None, "trex")
    assert told["rises"].to_dict() == {"P1": True, "P2": False, "P3": False, "P4": False}
    assert told["falls"].to_dict() == {"P1": False, "P2": True, "P3": False, "P4": False}
    assert told["above"].tolist() == [True] * 4
    read(table_of(rise[:2], "P1"))
    assert knowledge.by_relation(None, "trex")[["above", "told"]].to_numpy().tolist() == [[False, False]]


def test_steps_copies_and_criterion_of_the_facts_that_are_followed(read):
    """Of 200 facts 4 are right at one checkpoint of four each: 2% of facts, and half a percent of answers."""
    paths = np.zeros((200, 4), bool)
    paths[[0, 1, 2, 3], [1, 1, 2, 3]] = True
    table = table_of(paths, named=False)
    table["named"] = table["object_number"] >= 150
    table["chosen"] |= table["object_number"] < 100
    table["choice"] = np.where(table["chosen"], table["object_number"], NO_OBJECT)
    read(table)
    followed = knowledge.trajectories(None, "trex")
    assert followed.criterion == "correct"
    assert (followed.everything, *followed.paths.known.shape) == (200, 150, 4)
    assert followed.paths.known.sum(axis=0).tolist() == [0, 2, 1, 1]
    read(table[(table["object_number"] > 1)])  # 2 of 198 are ever right, a little more than one in a hundred
    assert knowledge.trajectories(None, "trex").criterion == "correct"
    read(table[(table["object_number"] > 1) & (table["object_number"] != 3) & (table["object_number"] < 102)])
    last = knowledge.trajectories(None, "trex", "last")  # one of 100
    assert last.criterion == "chosen"
    assert last.paths.steps.tolist() == [40]
    assert last.paths.known.sum() == 97
    assert last.chance.right == 97


def test_chance_is_that_of_answers_less_what_is_said_without_a_subject(read):
    """Two facts: each said of the other would be wrong, but for the one object that the template alone says, too."""
    table = table_of(np.ones((3, 5)), steps=(10, 20, 30, 40, 50))
    table["object_number"] = [0] * 5 + [0] * 5 + [1] * 5
    table["answer"] = table["object_number"]
    table["answer_alone"] = np.tile([NO_OBJECT, NO_OBJECT, NO_OBJECT, 0, 1], 3)
    read(table)
    followed = knowledge.trajectories(None, "trex")
    # Right at three checkpoints are all, at one the fact of object 1, and at one the two of object 0.
    assert followed.paths.known.sum() == followed.chance.right == 12
    # Permuted, a fact of 0 gets 0 in two of three, and that of 1 gets 1 in one of three.
    assert followed.chance.expected == pytest.approx(3 * 5 / 3 + 1 / 3 + 4 / 3, rel=0.05)


@pytest.mark.parametrize(("right", "said"), [(3, "Facts are known at 3 checkpoints"), (4, None)])
def test_facts_that_the_untrained_model_has_do_not_count_as_a_checkpoint(right, said):
    known = np.zeros((2, 6), bool)
    known[0, : right + 1] = True  # step 0 too
    facts = pd.DataFrame({"item_id": ["a", "b"], "group": "P1"})
    paths = Trajectories(facts, np.arange(6) * 10, known, np.arange(2))
    followed = knowledge.Followed(paths, "correct", Chance(20, 2, 0.001), 2)
    assert (followed.why_not or "").startswith(said or "")
    assert (followed.why_not is None) == (said is None)
    by_chance = knowledge.Followed(paths, "correct", Chance(1234, 1200, 0.03), 2)
    if said is None:
        assert "1,234 known at all checkpoints together, 1,200 with permuted subjects (p = 0.030)" in by_chance.why_not


def test_classes_of_how_often_both_names_stand_together_have_intervals_over_objects():
    """Each bound of a class is in it; four facts of an object are learnt or not together."""
    together = np.array([0, 1, 2, 4, 5, 16, 17, 900])
    facts = pd.DataFrame({"together": np.tile(np.repeat(together, 4), 20), "common": np.repeat([False, True], 320)})
    clusters = np.arange(640) // 4
    ever = np.random.default_rng(0).random(160) < 0.4
    known = np.zeros((640, 3), bool)
    known[:, 1] = ever[clusters]
    table = knowledge.by_frequency(Trajectories(facts, np.arange(3), known, clusters))
    spans = ["0", "1", "2 to 4", "5 to 16", "17 or more"]
    assert table["together"].tolist() == spans * 2
    assert table["objects"].tolist() == ["most common object"] * 5 + ["other objects"] * 5
    assert table["n"].tolist() == [40, 40, 80, 80, 80] * 2
    for row in table.itertuples():
        within = np.isin(facts["together"], np.split(together, [1, 2, 4, 6])[spans.index(row.together)])
        within &= facts["common"] == (row.objects == "most common object")
        of_objects = ever[np.unique(clusters[within])]
        assert row.value == pytest.approx(of_objects.mean())
        expected = intervals.of_share(4.0 * of_objects, np.full(len(of_objects), 4))
        assert (row.low, row.high) == pytest.approx(tuple(map(float, expected)), nan_ok=True)


def test_what_was_asked_is_counted_by_relation_of_the_model_at_the_last_checkpoint():
    frame = pd.concat(
        [
            rows_of(0.5, 0.1, group="P17", n=30),
            rows_of(0.5, 0.1, group="P17", n=20, step=5),
            rows_of(0.5, 0.1, MAJORITY, group="P17", n=99),
            rows_of(0.5, 0.1, group="", n=30),
            rows_of(-9, 0.1, group="P17", n=7, task="trex/several pieces", metric="log_probability"),
            rows_of(0.5, 0.1, group="P17", n=6, task="trex/several pieces", metric="gain"),
            rows_of(3, 0.1, group="P17", n=3, metric="excluded"),
        ]
    ).assign(reason="unknown piece")
    table = knowledge.asked(frame, "trex")
    assert table.to_dict("records") == [
        {"relation": "P17", "facts": 40, "one piece": 30, "several pieces": 7, "unknown piece": 3}
    ]


def test_published_curves_are_those_of_the_file():
    points = pd.read_csv(published.FOLDER / "bert_knowledge.csv").to_dict("records")
    table = knowledge.published()
    assert {(row["series"], row["step"]): row["value"] for row in points} == table.stack().dropna().to_dict()
    assert set(table.index) == set(knowledge.RELATIONS)
