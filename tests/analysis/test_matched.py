"""Groups beside as frequent words: which words count, how wide simultaneous intervals are, and factors."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import matched


def test_words_at_the_edge_of_a_quarter_octave_count_and_a_word_without_a_match_does_not():
    types = pd.DataFrame(
        [("A", 1, 4.0), ("A", 2, 9.0), ("B", 3, 4.25), ("B", 4, 3.75), ("B", 5, 4.5), ("C", 6, 4.0)],
        columns=["group", "type", "frequency"],
    )
    values, sizes = np.array([[0.1], [0.9], [0.2], [0.4], [0.8], [0.6]]), np.array([2.0, 8, 1, 3, 5, 4])
    found = matched.beside(types, values, sizes, draws=2)
    assert found.groups == ["A", "B", "C"]
    assert found.types.tolist() == [2, 3, 1]
    assert found.matched.tolist() == [1, 2, 1]  # 9.0 has no word near it, and 4.5 none within a quarter
    assert found.own[0, :, 0] == pytest.approx([(0.2 + 7.2) / 10, (0.2 + 1.2 + 4) / 9, 0.6])
    assert found.others[0, :, 0] == pytest.approx([(5.4 + 2.4) / 13, (7.4 + 2.4) / 14, (7.4 + 5.4) / 19])
    assert found.own_matched[0, :, 0] == pytest.approx([0.1, (0.2 + 1.2) / 4, 0.6])
    beside_b = (0.2 + 2.4) / 6  # the words of A and C at 4.0, near to both words of B
    assert found.others_matched[0, :, 0] == pytest.approx([(0.2 + 1.2 + 2.4) / 8, beside_b, (0.2 + 0.2 + 1.2) / 6])


def test_a_type_that_has_words_in_two_groups_is_drawn_for_both():
    types = pd.DataFrame({"group": ["A", "B"] * 20, "type": np.repeat(np.arange(20), 2), "frequency": 1.0})
    values = np.repeat(np.random.default_rng(0).random((20, 3)), 2, axis=0)
    found = matched.beside(types, values, np.ones(40), draws=30)
    np.testing.assert_allclose(found.own[:, 0], found.own[:, 1])
    assert np.ptp(found.own[:, 0, 0]) > 0.05
    one, other = (matched.beside(types, values, np.ones(40), draws=30, seed=seed).own for seed in (1, 2))
    assert (one[1:] != other[1:]).any()
    assert (one[0] == other[0]).all()


def test_simultaneous_intervals_of_independent_groups_are_sidaks():
    """Of normal draws, each of a width of its own: all five lie inside in 95% where each does in 0.95 ** (1 / 5)."""
    spread = np.array([0.1, 0.5, 1.0, 2.0, 4.0, 1.0])
    draws = np.random.default_rng(0).standard_normal((20_001, 6)) * spread
    draws[0] = np.arange(6)
    ends = matched._simultaneous(draws, np.array([True] * 5 + [False]))
    half = stats.norm.ppf((1 + 0.95 ** (1 / 5)) / 2) * spread[:5]
    assert (ends[1] - ends[0])[:5] / 2 == pytest.approx(half, rel=0.02)
    assert ends[:, :5].mean(axis=0) == pytest.approx(np.arange(5))
    assert np.isnan(ends[:, 5]).all()


def test_samples_in_which_no_group_is_acquired_say_nothing():
    draws = np.random.default_rng(1).standard_normal((5001, 1))
    draws[1:151] = np.nan
    low, high = matched._simultaneous(draws, np.array([True]))[:, 0]
    assert (high - low) / 2 == pytest.approx(stats.norm.ppf(0.975), rel=0.05)
    draws[1:301] = np.nan  # six in a hundred
    assert np.isnan(matched._simultaneous(draws, np.array([True]))).all()


def test_factors_need_matched_types_and_a_group_that_is_acquired_after_the_first_checkpoint():
    steps = np.array([10.0, 20, 40])
    shares = np.array([[0.0, 0.5, 1.0], [0.0, 0.2, 0.4], [0.6, 0.8, 1.0], [0.0, 0.0, 0.0]])
    other = np.tile([0.0, 0.4, 0.8], (4, 1))
    own, others = (np.tile(each, (5, 1, 1)) for each in (shares, other))
    beside = matched.Beside(["A", "B", "C", "D"], np.full(4, 30), np.array([30, 9, 30, 30]), own, others, own, others)
    table = matched.factors(beside, steps)
    # Half of the lower last value: 0.4 for A and its others, 0.2 for B.
    assert table["value"].tolist() == pytest.approx([18 / 20, 20 / 15, np.nan, np.nan], nan_ok=True)
    assert table["step"].tolist() == pytest.approx([18, 20, np.nan, np.nan], nan_ok=True)
    assert table["others_step"].tolist()[:2] == pytest.approx([20, 15])
    assert table["low"].notna().tolist() == [True, False, False, False]
