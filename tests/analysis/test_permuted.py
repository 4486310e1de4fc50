"""Models whose knowledge is known: one that copies, one with constant answers, one that learns, by their items."""

import itertools

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import knowledge, over_objects, permuted
from embryology.analysis.trajectories import Trajectories
from embryology.runs import measurements
from embryology.specs.knowledge import NO_OBJECT

STEPS, OBJECTS, FACTS = (0, 10, 20, 40, 80, 160), 40, 6


def items(answer, alone=lambda relation, step: NO_OBJECT, named=False):
    """Two relations of 40 objects with six facts each; ``answer(relation, object, fact, step)`` is an object."""
    rows = []
    for relation in range(2):
        for step in STEPS:
            for thing in range(OBJECTS):
                for fact in range(FACTS):
                    told, without = answer(relation, thing, fact, step), alone(relation, step)
                    name = f"P{relation}:{thing}-{fact}"
                    rows.append((name, f"P{relation}", step, thing, told, without, told == thing, thing == 0))
    names = ["item_id", "group", "step", "object_number", "answer", "answer_alone", "correct", "common"]
    table = pd.DataFrame(rows, columns=names)
    table["named"] = table["item_id"].str.endswith("-0") if named else False
    copied = {"choice": table["answer"], "choice_alone": table["answer_alone"], "chosen": table["correct"]}
    return table.assign(task="trex", pieces=1, held_out=False, together=0, **copied)


def copies(relation, thing, fact, step):
    return thing if fact == 0 and step else NO_OBJECT


def constant(relation, thing, fact, step):
    return (step // 10 + relation) % OBJECTS


def learns(relation, thing, fact, step):
    return thing if step >= 10 * (1 + (thing + fact) % 9) else NO_OBJECT


@pytest.fixture
def followed(monkeypatch):
    def follow(table):
        monkeypatch.setattr(measurements, "read_items", lambda *_: table)
        return knowledge.trajectories(None, "trex")

    return follow


def test_a_model_that_copies_knows_nothing(followed):
    of_copies = followed(items(copies, named=True))
    assert not of_copies.paths.known.any()
    assert "known at 0 checkpoints" in of_copies.why_not
    assert not (over_objects.above_all(items(copies, named=True))["low"] > 0).any()
    table = over_objects.with_known(items(copies))  # names apart, it is right
    assert table["known"].mean() == pytest.approx(5 / 6 / FACTS)


def test_constant_answers_are_no_facts_even_where_the_template_alone_says_something_else(followed):
    of_constants = followed(items(constant))
    assert of_constants.paths.known.sum() == 2 * FACTS * len(STEPS)
    assert of_constants.chance.expected == pytest.approx(of_constants.chance.right)
    assert "may be answers alone" in of_constants.why_not
    same = followed(items(constant, alone=lambda relation, step: constant(relation, 0, 0, step)))
    assert not same.paths.known.any()
    assert not over_objects.with_known(items(constant, alone=lambda relation, step: constant(relation, 0, 0, step)))[
        "known"
    ].any()


def test_a_model_that_learns_is_beyond_permuted_subjects(followed):
    of_learnt = followed(items(learns))
    assert of_learnt.why_not is None
    assert of_learnt.chance.right > 10 * of_learnt.chance.expected
    above = over_objects.above_all(items(learns))
    assert (above["low"] > 0).all()
    assert set(over_objects.changed(items(learns)).query("low > 0")["relation"]) == {"P0", "P1"}


def test_random_answers_are_beyond_permuted_subjects_no_more_often_than_said():
    rng, objects = np.random.default_rng(0), np.tile(np.repeat(np.arange(OBJECTS), FACTS), 2)
    facts = pd.DataFrame({"group": np.repeat(["P0", "P1"], OBJECTS * FACTS), "object_number": objects})
    alone = np.full((len(objects), len(STEPS)), NO_OBJECT)
    yes = 0
    for seed in range(60):
        answers = rng.permutation(np.tile(objects, len(STEPS))).reshape(alone.shape)
        known = answers == objects[:, None]
        yes += permuted.permuted(Trajectories(facts, np.array(STEPS), known, objects), answers, alone, 200, seed).beyond
    assert yes <= 5


def test_expected_and_p_are_those_of_all_permutations():
    """Five facts of one relation at three checkpoints, and three of another; all 120 times 6 ways to permute them."""
    facts = pd.DataFrame({"group": ["P0"] * 5 + ["P1"] * 3, "object_number": [1, 1, 2, 3, 4, 1, 2, 2]})
    objects = facts["object_number"].to_numpy()
    answers = np.array(
        [[1, 3, 2], [2, 2, 1], [1, 2, 1], [1, 1, 3], [1, 4, 4], [1, 2, 1], [2, 1, 2], [2, 1, 1]]
    )  # fmt: skip
    alone = np.array([[NO_OBJECT, NO_OBJECT, 1]] * 5 + [[1, 2, NO_OBJECT]] * 3)
    known = (answers == objects[:, None]) & (alone != objects[:, None])
    rights = []
    for one in itertools.permutations(range(5)):
        for other in itertools.permutations(range(5, 8)):
            told = answers[[*one, *other]]
            rights.append(np.sum((told == objects[:, None]) & (alone != objects[:, None])))
    paths = Trajectories(facts, np.arange(3), known, np.arange(8))
    found = permuted.permuted(paths, answers, alone, draws=4000)
    assert found.right == known.sum()
    assert found.expected == pytest.approx(np.mean(rights), rel=0.02)
    assert found.p == pytest.approx(np.mean(np.array(rights) >= known.sum()), abs=0.015)
    assert np.mean(np.array(rights) == known.sum()) > 0.03  # ties, which count
    other = [permuted.permuted(paths, answers, alone, draws=50, seed=seed).expected for seed in range(3)]
    assert len(set(other)) == 3
    never = permuted.permuted(paths, np.full_like(answers, NO_OBJECT), alone, draws=99)
    assert never.expected == 0
    assert never.p == 0.01  # never 0


def test_subjects_are_permuted_alike_at_all_checkpoints():
    """Four facts that are right at each of six: one of 24 permutations leaves them so."""
    answers = np.tile(np.arange(4)[:, None], 6)
    facts = pd.DataFrame({"group": "P0", "object_number": np.arange(4)})
    paths = Trajectories(facts, np.arange(6), np.ones((4, 6), bool), np.arange(4))
    found = permuted.permuted(paths, answers, np.full((4, 6), NO_OBJECT), draws=2000)
    assert found.p == pytest.approx(1 / 24, abs=0.015)
    assert found.expected == pytest.approx(6, rel=0.1)


def test_a_p_of_a_fortieth_is_beyond():
    assert permuted.Chance(2, 1, 0.025).beyond
    assert not permuted.Chance(2, 1, 0.026).beyond


@pytest.mark.long
def test_subjects_that_make_no_difference_are_beyond_chance_in_125_of_2000_series_at_most():
    """Every fact's answers are a path drawn from a few, whatever its object: constant, changing, and lasting ones."""
    rng, objects = np.random.default_rng(1), np.repeat(np.arange(20), 6)
    facts = pd.DataFrame({"group": np.repeat(["P0", "P1"], 60), "object_number": objects})
    alone = np.full((len(objects), len(STEPS)), NO_OBJECT)
    yes = 0
    for seed in range(2000):
        paths = rng.choice(20, (8, len(STEPS)), p=np.arange(1, 21) / 210)
        paths[:4] = paths[:4, :1]
        answers = paths[rng.integers(8, size=len(objects))]
        known = answers == objects[:, None]
        yes += permuted.permuted(Trajectories(facts, np.array(STEPS), known, objects), answers, alone, 200, seed).beyond
    print(f"{yes} of 2,000")
    assert yes <= 125


def test_frozen_without_answers_the_common_object_is_left_out_and_nothing_is_told(followed):
    frozen = items(learns).drop(columns=["answer", "answer_alone", "choice", "choice_alone"])
    of_frozen = followed(frozen)
    assert not of_frozen.paths.facts["common"].any()
    assert "cannot be told" in of_frozen.why_not


def test_a_relation_that_only_falls_falls():
    falling = items(lambda relation, thing, fact, step: thing if 0 < step < 100 else NO_OBJECT)
    assert (over_objects.changed(falling)["high"] < 0).all()
    assert (over_objects.above_all(falling)["low"] <= 0).all()


def test_an_interval_is_over_objects(monkeypatch, series):
    """All six facts of an object are right or wrong together: six times as many facts tell no more."""
    table = items(lambda relation, thing, fact, step: thing if thing % 3 == 0 else NO_OBJECT)
    rows = pd.DataFrame(over_objects._counted(over_objects.with_known(table)))
    rows = rows[rows["task"] == "trex"]
    last = rows[(rows["step"] == 160) & (rows["group"] == "P0") & rows["baseline"].isna()].set_index("metric")
    alone = items(lambda relation, thing, fact, step: thing if thing % 3 == 0 else NO_OBJECT)
    single = pd.DataFrame(over_objects._counted(over_objects.with_known(alone[alone["item_id"].str.endswith("-0")])))
    single = single[single["task"] == "trex"]
    single = single[(single["step"] == 160) & (single["group"] == "P0") & single["baseline"].isna()].set_index("metric")
    width = last["high"] - last["low"]
    assert width["accuracy"] == pytest.approx((single["high"] - single["low"])["accuracy"], rel=0.02)
    assert last.loc["accuracy", "n"] == FACTS * single.loc["accuracy", "n"]
