"""Intervals held against SciPy, statsmodels, scikit-learn and plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from embryology import intervals


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy_and_contains_the_share(case):
    count, n = case
    low, high = intervals.wilson(count, n)
    theirs = stats.binomtest(count, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= low <= count / n <= high <= 1


def test_wilson_takes_arrays_and_refuses_no_trials():
    low, high = intervals.wilson(np.array([0, 5]), np.array([10, 10]))
    assert low.shape == high.shape == (2,)
    with pytest.raises(ValueError, match="at least one trial"):
        intervals.wilson(0, 0)


def test_resamples_draw_as_many_clusters_as_there_are_and_repeat():
    weights = intervals.resamples(7, draws=50)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert (weights == intervals.resamples(7, draws=50)).all()
    assert (weights != intervals.resamples(7, draws=50, seed=1)).any()
    with pytest.raises(ValueError, match="at least one cluster"):
        intervals.resamples(0)


def test_bootstrap_means_are_those_of_resampling_item_by_item():
    rng = np.random.default_rng(0)
    items = [rng.random(size) for size in (3, 1, 4)]
    sums, counts = np.array([item.sum() for item in items]), np.array([len(item) for item in items])
    weights = intervals.resamples(3, draws=20)
    by_hand = [np.concatenate([items[i] for i in range(3) for _ in range(int(row[i]))]).mean() for row in weights]
    assert intervals.bootstrap_means(sums, counts, weights) == pytest.approx(by_hand)


def test_a_sample_without_items_says_nothing():
    means = intervals.bootstrap_means(np.array([1.0, 0]), np.array([1, 0]), np.array([[1.0, 1], [0, 2]]))
    assert means.tolist() == [1.0, pytest.approx(np.nan, nan_ok=True)]
    assert intervals.percentile_interval(means) == (1.0, 1.0)
    assert np.isnan(intervals.percentile_interval(np.array([np.nan]))).all()


def test_bootstrap_of_the_mean_has_the_known_width():
    """1,000 independent sentences of one word each: the standard error is that of a proportion."""
    right = np.repeat([1.0, 0.0], [300, 700])
    means = intervals.bootstrap_means(right, np.ones(1000), intervals.resamples(1000, draws=4000))
    low, high = intervals.percentile_interval(means)
    error = np.sqrt(0.3 * 0.7 / 1000)
    assert (low, high) == pytest.approx((0.3 - 1.96 * error, 0.3 + 1.96 * error), abs=0.003)


def test_clusters_that_agree_inside_give_wider_intervals_than_independent_items():
    sums, counts = np.repeat([10.0, 0.0], 20), np.full(40, 10)
    low, high = intervals.percentile_interval(intervals.bootstrap_means(sums, counts, intervals.resamples(40)))
    narrow_low, narrow_high = intervals.wilson(200, 400)
    assert high - low > 2 * (narrow_high - narrow_low)


def test_percentiles_are_values_of_the_draws_and_keep_infinities():
    draws = np.concatenate([np.arange(950.0), np.full(50, np.inf)])
    assert intervals.percentile_interval(draws) == (24.0, np.inf)
    low, high = intervals.percentile_interval(np.column_stack([draws, -draws]))
    assert low.tolist() == [24.0, -np.inf]
    assert high.tolist() == [np.inf, -25.0]


def test_a_mean_over_single_items_is_students():
    values = np.random.default_rng(1).normal(size=7)
    theirs = stats.ttest_1samp(values, 0).confidence_interval()
    assert intervals.of_mean(values, np.ones(7)) == pytest.approx((theirs.low, theirs.high))


def test_the_jackknife_of_a_mean_of_even_units_is_students_and_of_few_there_is_none():
    rng = np.random.default_rng(4)
    values = rng.normal(5, 2, 15)
    without = (values.sum() - values) / 14
    found = intervals.jackknife(np.array([values.mean(), *without]), np.full(15, 7))
    assert found == pytest.approx(stats.t(14, values.mean(), stats.sem(values)).interval(0.95))
    assert np.isnan(intervals.jackknife(np.arange(10.0), np.full(9, 7))).all()
    assert np.isnan(intervals.jackknife(np.array([1.0, np.inf, *np.ones(14)]), np.full(15, 7))).all()


def test_a_mean_over_units_has_the_variance_of_their_quadratic_form():
    """Bell and McCaffrey's matrix written out, of units of different sizes."""
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 30, 25)
    sums = rng.normal(counts, counts)
    share = counts / counts.sum()
    away = np.eye(25) - np.outer(np.ones(25), share)
    form = away.T @ np.diag(share**2 / (1 - share)) @ away
    error = np.sqrt((sums / counts) @ form @ (sums / counts))
    half = error * stats.t.ppf(0.975, np.trace(form) ** 2 / np.trace(form @ form))
    mean = sums.sum() / counts.sum()
    assert intervals.of_mean(sums, counts) == pytest.approx((mean - half, mean + half))


def test_a_share_of_independent_items_is_nearly_wilsons_and_of_units_wider():
    right = np.repeat([1.0, 0.0], [120, 280])
    low, high = intervals.of_share(right, np.ones(400))
    assert (low, high) == pytest.approx(intervals.wilson(120, 400), abs=0.001)
    low, high = intervals.of_share(np.repeat([10.0, 0.0], [12, 28]), np.full(40, 10))
    assert (low, high) == pytest.approx(intervals.wilson(12, 40), abs=0.01)  # as many items as units


def test_a_share_of_none_or_all_is_that_of_units():
    counts = np.full(40, 25)
    assert intervals.of_share(np.zeros(40), counts) == pytest.approx(intervals.wilson(0, 40), abs=0.01)
    assert intervals.of_share(counts, counts) == pytest.approx(intervals.wilson(40, 40), abs=0.01)


def test_too_few_units_have_no_interval():
    assert np.isnan(intervals.of_share(np.arange(9), np.full(9, 9))).all()
    assert np.isfinite(intervals.of_share(np.arange(10), np.full(10, 10))).all()
    assert np.isnan(intervals.of_share(np.arange(40), np.r_[5000, np.full(39, 40)])).all()  # one unit is most items
    assert np.isnan(intervals.of_mean(np.arange(2), np.ones(2))).all()
    assert np.isfinite(intervals.of_mean(np.arange(3), np.ones(3))).all()
    empty = np.r_[np.full(9, 10), np.zeros(20)]  # units without items are none
    assert np.isnan(intervals.of_share(empty / 2, empty)).all()


def test_items_are_summed_by_unit():
    sums, counts = intervals.by_unit(np.array([[1, 0], [1, 1], [0, 1]]), np.array(["b", "a", "b"]))
    assert sums.tolist() == [[1, 1], [1, 1]]
    assert counts.tolist() == [1, 2]


@pytest.mark.parametrize(("right", "units"), [(4, 12), (9, 30)])
def test_units_that_are_right_or_wrong_as_wholes_are_worth_one_item_less_than_they_are(right, units):
    """Their mean has the variance p (1 - p) / (units - 1), and t stands in for the normal distribution."""
    counts = np.full(units, 7)
    low, high = intervals.of_share(7.0 * (np.arange(units) < right), counts)
    n = (units - 1) * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, units - 1)) ** 2
    assert (low, high) == pytest.approx(proportion_confint(n * right / units, n, method="wilson"), abs=1e-12)


def test_units_that_are_all_alike_tell_no_more_than_their_items():
    low, high = intervals.of_share(np.full(40, 3.0), np.full(40, 10))
    n = 400 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 39)) ** 2
    assert (low, high) == pytest.approx(proportion_confint(0.3 * n, n, method="wilson"), abs=1e-12)


def test_many_units_of_which_one_is_most_have_no_mean():
    assert np.isnan(intervals.of_mean(np.arange(9.0), np.r_[1000, np.ones(8)])).all()


def test_seeds_of_resamples_are_all_different_and_draws_are_even():
    drawn = {intervals.resamples(6, draws=20, seed=seed).tobytes() for seed in range(5)}
    assert len(drawn) == 5
    assert intervals.resamples(6, draws=20_000).mean(axis=0) == pytest.approx(np.ones(6), abs=0.03)
    assert intervals.resamples(6, draws=20_000).var(axis=0) == pytest.approx(np.full(6, 5 / 6), abs=0.03)


def test_areas_of_resampled_clusters_are_scikit_learns():
    """Of clusters of different sizes and shares, drawn item by item; scores are few, so that many are tied."""
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(6), [3, 9, 4, 12, 2, 10])
    positive = rng.random(40) < np.array([0.8, 0.2, 0.5, 0.3, 0.5, 0.6])[clusters]
    scores = rng.integers(0, 5, 40) / 4 + 0.5 * positive * (clusters % 2)
    weights = np.vstack([np.ones(6), intervals.resamples(6, draws=8)])
    wins = intervals.wins(scores, positive, clusters, 6)
    for one, other in np.ndindex(6, 6):
        pairs = np.subtract.outer(scores[positive & (clusters == one)], scores[~positive & (clusters == other)])
        assert wins[one, other] == np.sum(pairs > 0) + np.sum(pairs == 0) / 2
    expected = [roc_auc_score(positive, scores, sample_weight=row[clusters]) for row in weights]
    assert intervals.areas(wins, positive, clusters, weights) == pytest.approx(expected)
