"""Intervals over units hold the truth 92 to 98 times in a hundred, of items that come in units as they do in probes.

Units of the sizes and numbers in use, the smallest too. The items of a unit agree with each other little or much.
"""

import functools

import numpy as np
import pytest

from embryology import intervals
from embryology.runs.measurements import read_items
from embryology.runs.paths import ROOT
from embryology.runs.series import Series

DRAWS = 4000
pytestmark = pytest.mark.long


def sentences(units, rng):
    """Words of each."""
    return 1 + rng.poisson(14, units)


def documents(units, rng):
    """Edges of each."""
    return np.ceil(rng.lognormal(3.5, 0.6, units)).astype(int)


def objects(relation, rng):
    """Facts of each object of a relation of T-REx, or of all of them."""
    sizes = facts()
    return sizes[sizes.index.get_level_values("group").str.fullmatch(relation)].to_numpy()


@functools.cache
def facts():
    items = read_items(Series.open(ROOT / "results" / "small-cut-seed0"), "knowledge")
    items = items[(items["task"] == "trex") & (items["step"] == 0) & (items["pieces"] == 1)]
    return items.groupby(["group", "object_number"]).size()


UNITS = [
    *((sentences, units) for units in (12, 30, 800)),
    *((documents, units) for units in (12, 30, 308)),
    *((objects, relation) for relation in ("P495", "P740", "P17", "P1376", "P.*")),
]


def covered(low, high, truth):
    share = np.mean((low <= truth) & (truth <= high))
    print(f"covered {share:.3f}")
    assert 0.92 <= share <= 0.98


@pytest.mark.parametrize(("units", "which"), UNITS)
@pytest.mark.parametrize(("share", "agreement"), [(0.5, 0.05), (0.5, 0.6), (0.2, 0.05), (0.2, 0.4)])
def test_shares(units, which, share, agreement):
    """``agreement``: the correlation of two items of a unit."""
    rng = np.random.default_rng(0)
    counts = np.repeat(units(which, rng)[:, None], DRAWS, axis=1)
    easy = rng.beta(share * (1 / agreement - 1), (1 - share) * (1 / agreement - 1), counts.shape)
    covered(*intervals.of_share(rng.binomial(counts, easy), counts), share)


@pytest.mark.parametrize(("share", "agreement"), [(0.09, 0.1), (0.24, 0.8), (0.03, 0.2), (0.11, 0.9)])
def test_shares_as_small_as_those_of_facts(share, agreement):
    """Of T-REx, as seen: right among all pieces and among the relation's objects, with and without copies."""
    test_shares(objects, "P.*", share, agreement)


@pytest.mark.parametrize(("units", "which"), [(sentences, 5), (documents, 5), *UNITS])
def test_means(units, which):
    rng = np.random.default_rng(1)
    counts = np.repeat(units(which, rng)[:, None], DRAWS, axis=1)
    of_unit = rng.normal(-3, 1, counts.shape)
    covered(*intervals.of_mean(rng.normal(of_unit * counts, np.sqrt(counts)), counts), -3)


@pytest.mark.parametrize("seeds", [3, 5])
def test_means_of_seeds(seeds):
    values = np.random.default_rng(2).normal(0.7, 0.1, (seeds, DRAWS))
    covered(*intervals.of_mean(values, np.ones_like(values)), 0.7)


def test_the_bootstrap_of_the_fewest_units():
    """Of a ratio that is no share: 30 documents, and development items, of which a task has 71 at least."""
    rng = np.random.default_rng(3)
    for units in (intervals.LEAST_OF_BOOTSTRAP, 71):
        counts = documents(units, rng)
        weights = intervals.resamples(units)
        values = rng.normal(rng.normal(-3, 1, (DRAWS // 4, units)), 1 / np.sqrt(counts)) * counts
        drawn = intervals.bootstrap_means(values.T, np.repeat(counts[:, None], len(values), axis=1), weights)
        covered(*intervals.percentile_interval(drawn), -3)


@pytest.mark.parametrize("units", [15, 26, 29])
def test_the_jackknife_of_fewer_units(units):
    """Of the logarithm of a ratio of sums, of documents of uneven sizes: 0 in truth, as both count the same items."""
    rng = np.random.default_rng(4)
    counts = documents(units, rng)
    easy = rng.beta(3, 3, (DRAWS, 2, units))
    right = rng.binomial(counts, easy).astype(float)
    sums = np.concatenate([right.sum(-1, keepdims=True), right.sum(-1, keepdims=True) - right], axis=-1)
    values = np.log(sums[:, 0] / sums[:, 1]).T
    covered(*intervals.jackknife(values, counts), 0)
