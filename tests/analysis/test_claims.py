"""Rules of claims: p and intervals against SciPy and statsmodels, numbers by hand, and draws whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from benchmarks.claims import EFFECTS, NULLS, any_supported, drawn, power
from embryology.analysis.claims import CLAIMS, decisions, verdicts
from embryology.analysis.claims import statistics as numbers
from embryology.analysis.claims.decisions import AGAINST, SUPPORTED, UNDECIDED, Above, Estimate, Within, estimate
from embryology.analysis.claims.verdicts import Verdict

COVERS = (
    "embryology/analysis/claims/decisions.py",
    "embryology/analysis/claims/statistics.py",
)
THREE = np.array([0.7, 0.9, 0.75])
RECORDED = {
    "reconstruction-speeds": ("2026-11-29T21:20:00+00:00", "a1fa6d1b1c87"),
    "published-order": ("2026-11-29T21:20:00+00:00", "15c0be58b215"),
    "order-of-bert": ("2026-11-29T21:20:00+00:00", "9f531441d7da"),
    "masked-speeds": ("2026-11-29T21:20:00+00:00", "a1fa6d1b1c87"),
    "verb-forms": ("2026-11-29T21:20:00+00:00", "16fe17370079"),
    "frequency-order": ("2026-11-29T21:20:00+00:00", "32e810c9c7e8"),
    "late-linguistic-knowledge": ("2026-11-29T21:20:00+00:00", "d671b75743c9"),
    "syntax-and-meaning": ("2026-11-29T21:20:00+00:00", "9f727a8b2c80"),
    "late-downstream": ("2026-11-29T21:20:00+00:00", "acd4934d1d7b"),
    "downstream-of-bert-and-electra": ("2026-11-29T21:20:00+00:00", "b032bd65d823"),
    "late-facts": ("2026-11-29T21:20:00+00:00", "740a63bb5e09"),
    "facts-lost": ("2026-11-29T21:20:00+00:00", "e5427fada01a"),
}
"""When each rule was written, and a hash of what decides: who changes one changes its date, here and there."""


def test_t_over_seeds_is_scipys():
    found = estimate(THREE[:, None])
    assert found.interval == pytest.approx(stats.t.interval(0.95, 2, THREE.mean(), stats.sem(THREE)))
    assert found.above(0.5) == pytest.approx(stats.ttest_1samp(THREE, 0.5, alternative="greater").pvalue)
    assert found.below(0.8) == pytest.approx(stats.ttest_1samp(THREE, 0.8, alternative="less").pvalue)


def test_an_equivalence_is_that_of_two_one_sided_tests():
    values, found = THREE - 0.78, estimate((THREE - 0.78)[:, None])
    p, *_ = ttost_paired(values, np.zeros(3), -0.3, 0.3)
    assert Within(0.3).supports(found) == pytest.approx(p)
    assert Within(0.01).opposes(found) == 1.0
    far = Estimate(-5.0, 0.1, 2)
    assert Within(1.0).opposes(far) < 0.01
    assert Within(1.0, falls=False).opposes(far) > 0.99
    assert Within(1.0, falls=False).supports(far) > 0.99
    assert Within(1.0).opposes(Estimate(5.0, 0.1, 2)) == pytest.approx(2 * stats.t.sf(40, 2))


def test_several_claims_are_corrected_as_statsmodels_does():
    p = np.random.default_rng(0).random(12) ** 4
    assert decisions.holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_outcomes_are_of_the_corrected_p():
    supports, opposes = [0.02, 0.001, 1.0, 0.9], [1.0, 1.0, 0.01, 0.5]
    assert [outcome for outcome, _, _ in decisions.outcomes(supports, opposes)] == [
        UNDECIDED, SUPPORTED, AGAINST, UNDECIDED,
    ]  # fmt: skip
    assert decisions.outcomes([0.02], [1.0])[0] == (SUPPORTED, 0.02, 1.0)


def test_seeds_that_are_equal_tell_nothing_unless_they_are_rounded():
    equal = np.ones((3, 1))
    assert "no seed differs" in estimate(equal)
    assert estimate(equal, grain=0.1).error == pytest.approx(0.1 / np.sqrt(12) / np.sqrt(3))
    assert "not finite" in estimate(np.array([[1.0], [np.nan], [2.0]]))


def test_from_ten_seeds_on_items_are_resampled_too():
    """Against the variance of a mean over seeds and over items that all seeds share."""
    rng = np.random.default_rng(0)
    of_seeds, of_items = rng.normal(0, 1, 40), rng.normal(0, 0.4, 2000)
    values = of_seeds[:, None] + np.concatenate([[0.0], of_items])
    found = estimate(values)
    assert found.error == pytest.approx(np.sqrt(of_seeds.var(ddof=1) / 40 + of_items[:1000].var()), rel=0.06)
    assert found.freedom == 39
    assert estimate(values[:9]).error == pytest.approx(stats.sem(of_seeds[:9]))
    few = values.copy()
    few[:, 1:400] = np.inf
    assert "too many resamples" in estimate(few)


def test_the_multi_bootstrap_of_ten_seeds_has_the_variance_of_ten_seeds():
    values = np.repeat(np.random.default_rng(3).normal(0, 1, (10, 1)), 201, axis=1)
    assert estimate(values).error == pytest.approx(stats.sem(values[:, 0]), rel=0.03)


def test_over_all_recipes_the_weakest_decides_and_exploratory_ones_stand_back():
    one = CLAIMS[0]
    strong, weak = (Verdict(one, name, estimate=Estimate(3.0, error, 2)) for name, error in (("a", 0.05), ("b", 0.3)))
    opposed = Verdict(one, "c", estimate=Estimate(-3.0, 0.05, 2))

    def over(*given):
        return verdicts._overall(CLAIMS, given)[0]

    assert over(strong).outcome == over(strong, replace(strong, recipe="d")).outcome == SUPPORTED
    assert over(strong, weak).outcome == over(strong, opposed).outcome == UNDECIDED
    assert over(opposed).outcome == AGAINST
    assert over(strong, weak).supports == pytest.approx(12 * stats.t.sf(2 / 0.3, 2))
    looked_at = replace(weak, exploratory=("before",))
    assert (over(strong, looked_at).outcome, over(strong, looked_at).others) == (SUPPORTED, (looked_at,))
    assert over(looked_at).is_exploratory
    assert not over(strong, looked_at).is_exploratory


def test_extremes_are_chosen_by_other_seeds():
    times = np.array([[8.0, 16, 32], [8, 32, 32], [4, 16, 64]])[:, None]
    # The others of each learn its first group first, and its last one last.
    assert numbers.extremes_of_others(times)[:, 0].tolist() == [2.0, 2.0, 4.0]
    of_noise = 2 ** np.random.default_rng(0).normal(8, 1, (4000, 3, 9))
    means = [numbers.extremes_of_others(one[:, None]).mean() for one in of_noise]
    assert abs(np.mean(means)) < 3 * stats.sem(means), "the largest of several is not large by choice"
    drawn_too = np.concatenate([times, times[..., ::-1]], axis=1)
    assert numbers.extremes_of_others(drawn_too)[:, 1].tolist() == [-2.0, -2.0, -4.0]


def test_tau_is_scipys():
    rng = np.random.default_rng(0)
    other = np.array([1.0, 2, 3, 4, 4, 6, 7])
    for own in rng.integers(0, 5, (20, 7)).astype(float):
        assert numbers.taus(own, other) == pytest.approx(stats.kendalltau(own, other).statistic)
    assert numbers.taus(np.array([1, np.inf, np.inf]), np.array([1.0, 2, 3])) == pytest.approx(2 / np.sqrt(6))
    assert np.isnan(numbers.taus(np.ones(3), np.array([1.0, 2, 3])))


def test_a_late_share_by_hand():
    steps = np.array([0, 1, 2, 8, 16, 32, 64, 80])
    rising = np.array([0.0, 0.2, 0.4, 0.8, 0.8, 0.8, 0.8, 0.8])
    assert numbers.late_share(steps, rising, 0.1) == pytest.approx(0)
    late = steps >= 8
    wobbly = rising + np.array([0, 0, 0, 0, 0.02, 0.07, 0.06, 0.1])
    slope = stats.linregress(np.log2(steps[late]), wobbly[late]).slope
    gain = wobbly[-3:].mean() - wobbly[0]
    assert numbers.late_share(steps, wobbly, 0.1) == pytest.approx(slope * np.log2(10) / gain)
    assert np.isnan(numbers.late_share(steps, -rising, 0.1))
    assert "2 checkpoints" in numbers.late_share(steps, rising, 0.8)
    assert "whole gain" in numbers.late_share(steps[4:], rising[4:], 0.1)


def test_octaves_and_times_that_are_not_seen():
    times = numbers.no_earlier_than([0, 8, 64], np.array([[2.0, 8, 32, 64]]))
    assert times.tolist() == [[8, 8, 32, 64]]
    assert numbers.octaves_between(times, [False, False, True, True]).tolist() == [2.5]
    assert numbers.twice_the_median([0.01, 0.2, 0.03]) == pytest.approx(0.06)


@pytest.mark.parametrize("seeds", [3, 5])
def test_where_all_twelve_are_false_hardly_any_is_supported(seeds):
    assert any_supported(seeds, 400) <= 28


@pytest.mark.long
@pytest.mark.parametrize("seeds", [3, 4, 5, 10, 15])
def test_where_all_twelve_are_false_hardly_any_is_supported_of_other_draws(seeds):
    counts = [any_supported(seeds, 400, seed) for seed in range(1, 6)]
    print(f"{seeds} seeds: {counts} of 400")
    assert np.mean(counts) <= 24
    assert max(counts) <= 32


def test_large_effects_are_seen_and_more_often_with_more_seeds():
    shares = {seeds: {name: power(name, EFFECTS[name][1], seeds, 40) for name in NULLS} for seeds in (3, 10)}
    assert min(shares[10].values()) > 0.7
    assert all(shares[3][name] <= shares[10][name] for name in NULLS)
    assert shares[3][1] > 0.3


def test_draws_have_the_truth_that_is_asked():
    rng = np.random.default_rng(0)
    for number in (1, 5, 7, 9, 8, 12):
        found = [drawn(number, EFFECTS[number][0], 5, rng).values[:, 0].mean() for _ in range(300)]
        assert np.mean(found) == pytest.approx(EFFECTS[number][0], abs=0.06 * max(EFFECTS[number][0], 0.2))


def test_there_are_twelve_each_with_all_that_it_says():
    assert [claim.number for claim in CLAIMS] == [*range(1, 13)]
    assert len({claim.name for claim in CLAIMS}) == len({claim.title for claim in CLAIMS}) == 12
    for claim in CLAIMS:
        assert all((claim.wording, claim.place, claim.meaning, claim.statistic, claim.margin, claim.limits))
    assert {claim.number for claim in CLAIMS if claim.late} == {7, 9, 10, 11}


def test_no_rule_changes_under_its_date():
    assert {claim.name: (claim.since, claim.decides) for claim in CLAIMS} == RECORDED
    one = CLAIMS[0]
    for change in ({"rule": Above(0.9)}, {"late": True}, {"families": ("bert",)}, {"statistic": "another"}):
        assert replace(one, **change).decides != one.decides
