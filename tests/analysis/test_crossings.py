"""Where curves cross levels: by hand, and by SciPy's isotonic regression."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from embryology.analysis.crossings import LAST, bracket, first_crossing, half_steps, interval, lasting, resampled

STEPS = np.array([0, 10, 20, 40, 80, 100, 150, 200])
values = st.lists(st.integers(0, 9).map(lambda n: n / 9), min_size=len(STEPS), max_size=len(STEPS))


@pytest.mark.parametrize(
    ("curve", "half"),
    [
        ([0.0, 0.2, 0.6, 0.8], 20 + 0.5 * 20),  # 0.4 lies half-way between 0.2 and 0.6
        ([0.0, 0.4, 0.6, 0.8], 20),  # a checkpoint exactly at half
        ([0.0, 0.5, 0.1, 0.8], 16),  # the first of two crossings
        ([0.0, 0.2, 0.6, 0.4], 20),  # half of the final value, not of the best
        ([0.0, 0.0, 0.0, 1.0], 40 + 0.5 * 40),
        ([0.5, 0.6, 0.7, 0.8], -np.inf),  # there before training
        ([0.0, 0.9, 0.5, 0.0], np.inf),  # forgotten: half of nothing
        ([0.0, 0.0, 0.0, 0.0], np.inf),
    ],
)
def test_half_steps_by_hand(curve, half):
    assert half_steps([0, 20, 40, 80], curve) == half


def test_half_steps_of_many_curves_and_of_one_checkpoint():
    many = np.broadcast_to([0.0, 0.2, 0.6, 0.8], (5, 3, 4))
    assert (half_steps([0, 20, 40, 80], many) == 30).all()
    assert np.isnan(half_steps([0, 20], [np.nan, 1.0]))
    assert half_steps([100], [0.7]) == -np.inf
    assert half_steps([100], [0.0]) == np.inf
    assert first_crossing([0, 10], [5.0, 1.0], 6) == np.inf
    assert first_crossing([0, 10], [1.0, 6.0], 6) == 10
    assert first_crossing([0, 10], [6.0, 7.0], 6) == -np.inf


@settings(deadline=None, max_examples=100)
@given(values, st.floats(-0.1, 1.1), st.lists(st.integers(0, 3), min_size=len(STEPS), max_size=len(STEPS)))
def test_a_lasting_crossing_is_that_of_scipys_isotonic_regression(curve, level, drawn):
    weights = np.array(drawn, float)
    weights[[0, -3, -2, -1]] = np.maximum(weights[[0, -3, -2, -1]], 1)
    there = weights > 0
    fit = isotonic_regression(np.array(curve)[there], weights=weights[there]).x
    expected = first_crossing(STEPS[there], fit, level)
    found = lasting(STEPS, np.array([curve]), np.array([level]), np.array(drawn))
    if np.abs(fit - level).min() > 1e-9:  # else rounding decides
        assert found == pytest.approx([float(expected)])


def test_a_blip_is_no_lasting_crossing_and_a_dip_does_not_undo_one():
    blip = [0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.8, 0.8]
    dip = [0.0, 0.0, 0.8, 0.9, 0.45, 0.9, 0.9, 0.9]
    steady = [0.0, 0.0, 0.2, 0.6, 0.6, 0.6, 0.6, 0.6]
    found = lasting(STEPS, np.array([blip, dip, steady]), np.array([0.4, 0.5, 0.4]))
    assert 100 < found[0] < 150
    assert 10 < found[1] < 20
    assert found[2] == pytest.approx(30)
    assert (lasting(STEPS, np.array([blip]), np.array([2.0])) == np.inf).all()
    assert (lasting(STEPS, np.array([blip]), np.array([-1.0])) == -np.inf).all()


def test_resamples_draw_checkpoints_and_keep_what_blind_answers_and_final_values_rest_on():
    rise = np.array([0.0, 0.0, 0.1, 0.3, 0.6, 0.9, 1.0, 1.0])
    draws = resampled(STEPS, np.broadcast_to(rise, (400, 1, len(rise))), np.full((400, 1), 0.45))
    assert len(np.unique(draws)) > 3, "the same curve with other checkpoints crosses elsewhere"
    assert (draws == lasting(STEPS, rise[None], np.array([0.45]))).mean() > 0.2
    ends = np.array([0.0, *np.zeros(7 - LAST), 1.0, 1.0, 1.0])
    draws = resampled(STEPS, np.broadcast_to(ends, (400, 1, len(ends))), np.full((400, 1), 0.5))
    assert draws.min() > 0  # step 0 is always there,
    assert draws.max() < 100  # and so is the first of the last three


def test_each_seed_draws_other_checkpoints():
    noisy = np.broadcast_to([0.0, 0.1, 0.4, 0.3, 0.6, 0.5, 0.9, 1.0], (50, 1, len(STEPS)))
    drawn = [resampled(STEPS, noisy, np.full((50, 1), 0.45), seed) for seed in range(4)]
    assert len({draws.tobytes() for draws in drawn}) == 4


def test_ends_move_out_to_the_checkpoints_around_them():
    before, after = bracket(STEPS, np.array([25.0, 40.0, 0.5, np.inf, -np.inf, np.nan]))
    assert before.tolist() == pytest.approx([20, 20, 0, np.inf, -np.inf, np.nan], nan_ok=True)
    assert after.tolist() == pytest.approx([40, 40, 10, np.inf, -np.inf, np.nan], nan_ok=True)
    draws = np.r_[np.full(30, 12.0), np.full(910, 45.0), np.full(60, np.inf)][:, None]
    low, high = interval(STEPS, draws)
    assert (low[0], high[0]) == (10, np.inf)
    low, high = interval(STEPS, np.r_[np.full(20, 12.0), np.full(970, 45.0), np.full(10, np.inf)][:, None])
    assert (low[0], high[0]) == (40, 80)
