"""The model of two states, against the one that answers were drawn from and all courses that a fact can take."""

import itertools
from dataclasses import astuple

import numpy as np
import pytest

from embryology.analysis import two_states
from embryology.analysis.two_states import TwoStates, fit, fit_all

TRUE = TwoStates(start=0.05, learn=0.08, forget=0.12, guess=0.02, slip=0.1)


def test_the_fit_gives_back_the_model_that_answers_were_drawn_from():
    doublings = np.resize([0.5, 1, 2], 19)
    known = TRUE.draw(12_000, doublings, np.random.default_rng(2))
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
    models, before = np.array([[0.3, 0.3, 0.3, 0.2, 0.3], [0.1, 0.2, 0.4, 0.1, 0.2]]), -np.inf
    for _ in range(30):
        models, likelihood = two_states._improved(models, known, np.ones((2, 300)), np.ones(9))
        assert (likelihood >= before - 1e-9).all()
        before = likelihood


def test_its_likelihood_is_that_of_all_courses_that_a_fact_can_take():
    """Summed over the 2⁴ courses of each fact, without a recursion."""
    known, doublings = TRUE.draw(5, np.array([0.5, 1, 2]), np.random.default_rng(8)), np.array([0.5, 1, 2])
    counts = np.array([1.0, 2, 1, 3, 1])
    change = {(0, 1): 1 - np.exp(-TRUE.learn * doublings), (1, 0): 1 - np.exp(-TRUE.forget * doublings)}
    right = np.array([TRUE.guess, 1 - TRUE.slip])
    total = np.zeros(5)
    for course in itertools.product((0, 1), repeat=4):
        chance = TRUE.start if course[0] else 1 - TRUE.start
        for gap, pair in enumerate(itertools.pairwise(course)):
            chance *= change[pair][gap] if pair in change else 1 - change[pair[0], 1 - pair[0]][gap]
        total += chance * np.where(known, right[list(course)], 1 - right[list(course)]).prod(axis=1)
    _, likelihood = two_states._improved(np.array([astuple(TRUE)]), known, counts[None], doublings)
    assert likelihood == pytest.approx([counts @ np.log(total)])


def test_fits_side_by_side_are_those_of_each(monkeypatch):
    """Of shared answers and of each its own, with rows that do not count, and in parts."""
    rng, doublings = np.random.default_rng(9), np.resize([0.5, 2], 5)
    known, counts = TRUE.draw(40, doublings, rng), rng.integers(0, 4, (6, 40)).astype(float)
    single = [astuple(fit(known[row > 0], doublings, row[row > 0], iterations=200)) for row in counts]
    monkeypatch.setattr(two_states, "AT_ONCE", 2 * known.size)
    assert fit_all(known, doublings, counts, iterations=200) == pytest.approx(np.array(single), abs=1e-9)
    own = np.stack([known, ~known])
    single = [astuple(fit(each, doublings, row)) for each, row in zip(own, counts[:2], strict=True)]
    assert fit_all(own, doublings, counts[:2]) == pytest.approx(np.array(single), abs=1e-9)
