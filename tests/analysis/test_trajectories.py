"""Trajectories whose answers are known: by hand, and drawn from the models that are to be told apart."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import trajectories
from embryology.analysis.trajectories import Trajectories, TwoStates, events, fit
from embryology.errors import EmbryologyError

STEPS = np.array([0, 10, 20, 40])


def rows(*patterns):
    return np.array([[letter == "1" for letter in pattern] for pattern in patterns])


def made(known, relations=1, objects=50, steps=None):
    """Facts in relations, each with so many objects."""
    n = len(known)
    facts = pd.DataFrame({"item_id": [f"f{i}" for i in range(n)], "group": [f"P{i % relations}" for i in range(n)]})
    clusters = np.arange(n) % (relations * objects)
    return Trajectories(facts, np.arange(known.shape[1]) * 10 if steps is None else steps, known, clusters)


def test_events_are_those_of_hand_checked_trajectories():
    known = rows("0000", "0011", "1010", "0100", "1111", "0101")
    table = events(known)
    assert table["first"].tolist() == [-1, 2, 0, 1, 0, 1]
    assert table["learnt"].tolist() == [0, 1, 2, 1, 1, 2]
    assert table["forgotten"].tolist() == [0, 0, 2, 1, 0, 1]
    assert table["relearnt"].tolist() == [0, 0, 1, 0, 0, 1]
    assert table["state"].tolist() == ["never", "known", "forgotten", "forgotten", "known", "relearnt"]


def test_states_add_up_and_gains_less_losses_are_what_is_known():
    known = np.random.default_rng(0).random((200, 7)) < 0.3
    table = trajectories.states(known)
    assert (table[["known", "relearnt", "forgotten", "never"]].sum(axis=1) == 200).all()
    assert (table["known"] + table["relearnt"]).tolist() == known.sum(axis=0).tolist()
    assert (table["gained"] - table["lost"]).cumsum().tolist() == known.sum(axis=0).tolist()


def test_random_order_forgets_as_often_as_shuffled_answers_do():
    rng = np.random.default_rng(1)
    known = np.arange(12) < rng.integers(0, 13, 300)[:, None]
    shuffled = [events(rng.permuted(known, axis=1))["forgotten"].sum() for _ in range(200)]
    assert trajectories.forgotten_in_random_order(known).sum() == pytest.approx(np.mean(shuffled), rel=0.01)


TRUE = TwoStates(start=0.05, learn=0.08, forget=0.12, guess=0.02, slip=0.1)


def test_the_fit_gives_back_the_model_that_answers_were_drawn_from():
    doublings = np.resize([0.5, 1, 2], 19)
    known = TRUE.draw(20_000, doublings, np.random.default_rng(2))
    fitted = fit(known, doublings)
    for name in ("start", "learn", "forget", "guess", "slip"):
        assert getattr(fitted, name) == pytest.approx(getattr(TRUE, name), abs=0.015)
    assert fit(known, doublings, forgets=False).forget == 0


def test_rows_may_be_counted_instead_of_repeated():
    doublings = np.ones(7)
    known = TRUE.draw(500, doublings, np.random.default_rng(3))
    distinct, counts = np.unique(known, axis=0, return_counts=True)
    assert fit(distinct, doublings, counts.astype(float)).forget == pytest.approx(
        fit(known, doublings).forget, abs=1e-6
    )


def test_the_likelihood_never_falls():
    known = TRUE.draw(300, np.ones(9), np.random.default_rng(4))
    model, answers, before = TwoStates(0.3, 0.3, 0.3, 0.2, 0.3), np.stack([~known, known]).astype(float), -np.inf
    for _ in range(30):
        model, likelihood = trajectories._improved(model, answers, np.ones(len(known)), np.ones(9))
        assert likelihood >= before - 1e-9
        before = likelihood


@pytest.mark.parametrize(("forget", "lost"), [(0.1, True), (0.0, False)])
def test_forgetting_is_told_from_slips(forget, lost):
    model = TwoStates(start=0.05, learn=0.1, forget=forget, guess=0.01, slip=0.15)
    known = model.draw(1500, np.ones(11), np.random.default_rng(5))
    forgetting = trajectories.forgetting(made(known, steps=2 ** np.arange(12)), draws=100)
    assert forgetting.beyond_chance == lost
    assert forgetting.low <= forgetting.model.forget <= forgetting.high
    if lost:
        assert forgetting.low < forget < forgetting.high
    else:
        assert forgetting.high < 0.01


def test_where_nothing_is_known_there_is_nothing_to_forget():
    with pytest.raises(ValueError, match="nothing to forget"):
        trajectories.forgetting(made(rows("000", "000")))
    assert trajectories.half_life(made(rows("001", "000"))) is None


def test_half_life_is_that_of_the_rate_facts_were_drawn_with():
    """Right answers that end at a constant rate a doubling, seen at uneven checkpoints."""
    rng = np.random.default_rng(6)
    steps = np.array([0, 50, 100, 150, 400, 1000, 1500, 6000])
    lasted = rng.exponential(2 / np.log(2), 6000)  # half of them two doublings or longer
    known = np.log2(steps[1:] / 50) < lasted[:, None]
    known = np.column_stack([rng.random(6000) < 0.5, known])  # nothing is said of step 0
    life = trajectories.half_life(made(known, objects=300, steps=steps), draws=200)
    assert life.value == pytest.approx(2, rel=0.05)
    assert life.low < 2 < life.high


def test_facts_that_are_never_lost_live_for_ever():
    life = trajectories.half_life(made(rows("0111", "0011", "1111"), objects=3, steps=STEPS), draws=50)
    assert life.value == np.inf
    assert np.isnan(life.low)  # of three objects


def test_gains_of_whole_objects_are_one_event():
    """Object 0 has two facts that come together and one of them goes; object 1 has two that come apart."""
    known = rows("0110", "0001", "0111", "0011")  # facts of objects 0, 1, 0, 1
    table = trajectories.changes_of_objects(made(known, objects=2))
    assert table.loc["learnt"].tolist() == [4, 3, 0.5]
    assert table.loc["forgotten"].tolist() == [1, 1, 0.0]


def test_a_count_that_decides_when_facts_are_learnt_is_seen_within_relations():
    rng = np.random.default_rng(7)
    counts = rng.integers(0, 20, 600)
    first = np.clip(10 - counts // 2 + rng.integers(-1, 2, 600), 0, 11)
    known = np.arange(10) >= first[:, None]
    rho, low, high = trajectories.rank_correlation(made(known, relations=3), counts, draws=200)
    assert rho > 0.9
    assert low < rho < high
    noise, low, high = trajectories.rank_correlation(made(known, relations=3), rng.permutation(counts), draws=200)
    assert low < 0 < high
    assert abs(noise) < 0.15


def test_a_difference_between_relations_alone_is_no_correlation():
    """Relation P0 has high counts and early facts, P1 low ones and late facts; within them there is no order."""
    rng = np.random.default_rng(8)
    known = np.arange(10) >= np.where(np.arange(400) % 2, 8, 2)[:, None] + rng.integers(-1, 2, 400)[:, None]
    counts = np.where(np.arange(400) % 2, 0, 100) + rng.integers(0, 9, 400)
    _, low, high = trajectories.rank_correlation(made(known, relations=2), counts, draws=200)
    assert low < 0 < high


def test_equal_counts_say_nothing():
    assert np.isnan(trajectories.rank_correlation(made(rows("01", "11")), np.zeros(2))[0])


def test_facts_that_were_not_measured_at_every_checkpoint_are_refused():
    items = pd.DataFrame(
        {"item_id": ["a", "a", "b"], "step": [0, 1, 0], "known": True, "group": "P", "object_number": 0}
    )
    with pytest.raises(EmbryologyError, match="measured on different facts"):
        Trajectories.of(items)
    paths = Trajectories.of(items[items["item_id"] == "a"].iloc[::-1])
    assert paths.steps.tolist() == [0, 1]
    assert paths.known.tolist() == [[True, True]]
