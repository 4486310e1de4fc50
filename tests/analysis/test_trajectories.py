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
    known = TRUE.draw(20_000, 20, np.random.default_rng(2))
    fitted = fit(known)
    for name in ("start", "learn", "forget", "guess", "slip"):
        assert getattr(fitted, name) == pytest.approx(getattr(TRUE, name), abs=0.015)
    assert fit(known, forgets=False).forget == 0


def test_rows_may_be_counted_instead_of_repeated():
    known = TRUE.draw(500, 8, np.random.default_rng(3))
    distinct, counts = np.unique(known, axis=0, return_counts=True)
    assert fit(distinct, counts.astype(float)).forget == pytest.approx(fit(known).forget, abs=1e-6)


def test_the_likelihood_never_falls():
    known = TRUE.draw(300, 10, np.random.default_rng(4))
    model, answers, before = TwoStates(0.3, 0.3, 0.3, 0.2, 0.3), np.stack([~known, known]).astype(float), -np.inf
    for _ in range(30):
        model, likelihood = trajectories._improved(model, answers, np.ones(len(known)))
        assert likelihood >= before - 1e-9
        before = likelihood


@pytest.mark.parametrize(("forget", "lost"), [(0.1, True), (0.0, False)])
def test_forgetting_is_told_from_slips(forget, lost):
    model = TwoStates(start=0.05, learn=0.1, forget=forget, guess=0.01, slip=0.15)
    known = model.draw(1500, 12, np.random.default_rng(5))
    forgetting = trajectories.forgetting(made(known), draws=100)
    assert forgetting.beyond_chance == lost
    assert forgetting.low <= forgetting.model.forget <= forgetting.high
    if lost:
        assert forgetting.low < forget < forgetting.high
    else:
        assert forgetting.high < 0.01


def test_where_nothing_is_known_there_is_nothing_to_forget():
    with pytest.raises(ValueError, match="nothing to forget"):
        trajectories.forgetting(made(rows("000", "000")))
    with pytest.raises(ValueError, match="no fact is right before"):
        trajectories.half_life(made(rows("001", "000")))


def test_half_life_is_the_median_of_spells_that_end_or_are_censored():
    # Lasting 10, 10, 30 steps, and one from 20 that still lasts at 40.
    known = rows("1000", "0100", "0110", "0011")
    median, low, high = trajectories.half_life(made(known, objects=4, steps=STEPS), draws=200)
    assert median == 10
    assert low <= median <= high
    assert trajectories.half_life(made(rows("1111", "0111", "1000"), objects=3, steps=STEPS), draws=50)[0] == np.inf


def test_half_life_of_a_constant_rate_is_what_it_says():
    rng = np.random.default_rng(6)
    lasted = rng.geometric(0.2, 4000)
    known = np.arange(40) < lasted[:, None]
    median, low, high = trajectories.half_life(made(known, objects=400, steps=np.arange(40)), draws=100)
    assert median == np.ceil(np.log(0.5) / np.log(0.8))
    assert low <= median <= high


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
        {"item_id": ["a", "a", "b"], "step": [0, 1, 0], "correct": True, "group": "P", "object_number": 0}
    )
    with pytest.raises(EmbryologyError, match="measured on different facts"):
        Trajectories.of(items)
    paths = Trajectories.of(items[items["item_id"] == "a"].iloc[::-1])
    assert paths.steps.tolist() == [0, 1]
    assert paths.known.tolist() == [[True, True]]
