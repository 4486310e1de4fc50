"""How suddenly a gain comes, of curves whose steps at a quarter and three quarters are known."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import learning_order, suddenness
from embryology.analysis.learning_order import NEVER_BEYOND

COVERS = ("embryology/analysis/suddenness.py",)
FINE = np.array([0, *(10 * 1.1 ** np.arange(50))])
COARSE = np.array([0, *(10 * 4.0 ** np.arange(8))])


def timed(steps, curve, blind=0.0):
    draws = np.broadcast_to(np.array(curve, float), (501, 1, len(steps)))
    return learning_order.of_gains(["made"], steps, draws, np.full((501, 1), blind), np.array([True])).loc["made"]


@pytest.mark.parametrize(
    ("steps", "curve", "least", "most", "said"),
    [
        (FINE, np.arange(51) > 25, 0, np.log2(1.1), "sudden"),  # all of it between two checkpoints
        (FINE, np.arange(51) / 50, 24 * np.log2(1.1), 26 * np.log2(1.1), "gradual"),  # half in half of the checkpoints
        (COARSE, np.arange(9) > 4, 0, 2, None),
    ],
)
def test_a_gain_is_sudden_where_its_middle_half_takes_a_doubling_or_less(steps, curve, least, most, said):
    times = timed(steps, curve)
    assert suddenness.verdict(times) == said
    # Checkpoints are drawn as well: where one is not, the gap is wider.
    assert times["fewest"] <= least + 1e-9
    assert most - 1e-9 <= times["most"] < most + 3 * np.log2(steps[2] / steps[1])
    assert times["fewest"] <= times["doublings"] <= times["most"]


def test_the_quarters_are_those_of_the_gain_and_not_of_the_curve():
    """From 0.6 up to 1, 0.7 is a quarter of the way and 0.9 three quarters."""
    curve = np.interp(np.arange(51), [0, 10, 20, 40, 47], [0.6, 0.6, 0.7, 0.9, 1])
    times = timed(FINE, curve, blind=0.6)
    assert times["doublings"] == pytest.approx(np.log2(FINE[40] / FINE[20]), abs=0.01)
    assert times["fewest"] > 14 * np.log2(1.1)


def test_what_never_comes_is_neither_sudden_nor_gradual():
    times = timed(FINE, np.zeros(51))
    assert times["state"] == NEVER_BEYOND
    assert np.isnan(times["most"])
    assert suddenness.verdict(times) is None


def test_a_gain_that_is_half_there_at_the_first_checkpoint_after_step_0_may_take_any_number():
    times = timed(FINE, [0, 0.6, *np.linspace(0.65, 1, 44), *[1] * 5])
    assert times["most"] == np.inf
    assert times["fewest"] > 0


def test_a_gap_reaches_out_to_the_checkpoints_around():
    steps = np.array([0, 10, 20, 40, 80, 160])
    one, other = np.full(201, 15.0), np.full(201, 100.0)
    value, low, high = suddenness.between(steps, one, other)
    assert (value, low, high) == pytest.approx((np.log2(100 / 15), np.log2(80 / 20), np.log2(160 / 10)))
    assert suddenness.between(steps, other, one)[1:] == pytest.approx((np.log2(10 / 160), np.log2(20 / 80)))
    # 6 of 200 resamples never get there: the upper end is open, and the lower one is not.
    some = other.copy()
    some[1:7] = np.inf
    assert suddenness.between(steps, one, some)[1:] == pytest.approx((2, np.inf))
    assert suddenness.between(steps, some, one)[1:] == (-np.inf, pytest.approx(-2))
    assert suddenness.between(steps, one, np.full(201, np.inf))[1:] == pytest.approx((3, np.inf))  # after the last one
    some[1:7] = -np.inf  # there from the first one on
    assert suddenness.between(steps, some, some)[1:] == (-np.inf, np.inf)
    early = np.full(201, 5.0)  # before step 10 it may be at any step
    assert suddenness.between(steps, early, one)[1:] == pytest.approx((0, np.inf))


def test_verdicts_take_the_whole_interval():
    for fewest, most, said in ((0, 1, "sudden"), (0, 1.01, None), (1, 3, None), (1.01, 3, "gradual")):
        assert suddenness.verdict(pd.Series({"fewest": fewest, "most": most})) == said
