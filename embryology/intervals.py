"""95% intervals: Wilson for independent items, :func:`of_share` and :func:`of_mean` for items that come in units.

Items of one unit (words of a sentence, facts of one object) are not independent. What is no mean of items, such as a
learning time, is resampled by whole units, of which there have to be 30 at least: the percentile bootstrap of fewer
covers less than it says. :func:`jackknife` does with fewer.
"""

import warnings

import numpy as np
from scipy import special

RESAMPLES = 1000
SEED = 0
LEAST_OF_SHARE, LEAST_OF_MEAN, LEAST_OF_BOOTSTRAP = 10, 3, 30
"""Units below which there is no interval, as it would not cover what it says. Of shares and means those that are
counted are even ones: units of different sizes tell as much as ``sum(size)^2 / sum(size^2)`` of one size."""
LEAST_FREEDOM = 5
"""Degrees of freedom that the variance of a share has to have: fewer where a few units are most of the items."""


def wilson(count: np.ndarray | int, n: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95% interval of ``count`` successes in ``n`` trials (Wilson 1927).

    Args:
        count, n: integers or arrays of one shape; nowhere ``n`` 0.

    Returns:
        Lower and upper ends, of that shape, never beyond [0, 1] and never leaving out ``count / n``.
    """
    from statsmodels.stats.proportion import proportion_confint  # late: a second, where nothing is to be done

    count, n = np.asarray(count), np.asarray(n)
    if np.any(n <= 0):
        raise ValueError("an interval of a proportion needs at least one trial")
    low, high = proportion_confint(count, n, alpha=0.05, method="wilson")
    share = count / n  # rounding moves the ends past 0 and 1 by one unit in the last place
    return np.minimum(np.maximum(low, 0), share), np.maximum(np.minimum(high, 1), share)


def by_unit(values: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over the items of each unit, (units, ...), and how many those are, (units,).

    Args:
        values: (items, ...) numbers or bool.
        units: (items,) any labels.
    """
    numbers = np.unique(units, return_inverse=True)[1].ravel()
    counts = np.bincount(numbers)
    sums = np.zeros((len(counts), *np.shape(values)[1:]))
    np.add.at(sums, numbers, values)
    return sums, counts


def of_share(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95% interval of a share of items that come in units: Wilson's, of as many items as are independent.

    Those are how many items would give the variance between units (Korn and Graubard 1998), which is that of
    :func:`of_mean`. Where no item is right, or each, there is no variance to be seen, and units are taken to stand and
    fall as wholes.

    Args:
        sums, counts: (units, ...) right items of a unit, and all of them.

    Returns:
        Lower and upper ends, (...); nan below :data:`LEAST_OF_SHARE` even units or :data:`LEAST_FREEDOM`.
    """
    share, variance, freedom, evenness = _moments(sums, counts)
    z = special.ndtri(0.975)
    spread = share * (1 - share)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.where(spread > 0, np.minimum(counts.sum(axis=0), spread / variance), evenness)
        n = n * (z / special.stdtrit(freedom, 0.975)) ** 2
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(spread / n + z**2 / (4 * n**2))
    few = ~((evenness > LEAST_OF_SHARE - 1e-9) & (freedom >= LEAST_FREEDOM))
    # Rounding moves the ends past 0 and 1 by one unit in the last place.
    ends = np.minimum(np.maximum(centre - half, 0), share), np.maximum(np.minimum(centre + half, 1), share)
    return np.where(few, np.nan, ends[0]), np.where(few, np.nan, ends[1])


def of_mean(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95% t interval of a mean of items that come in units of different sizes.

    The variance is the cluster-robust one with the correction for few units (CR2) and Satterthwaite's degrees of
    freedom, those of units that stand and fall as wholes (Bell and McCaffrey 2002). Of units of one item it is
    Student's.

    Args:
        sums, counts: (units, ...) the sum over a unit's items, and how many those are.

    Returns:
        Lower and upper ends, (...); nan below :data:`LEAST_OF_MEAN` even units.
    """
    mean, variance, freedom, evenness = _moments(sums, counts)
    with np.errstate(invalid="ignore"):
        half = special.stdtrit(freedom, 0.975) * np.sqrt(variance)
    half = np.where(evenness > LEAST_OF_MEAN - 1e-9, half, np.nan)
    return mean - half, mean + half


def jackknife(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95% t interval of what is no mean of items, of few units: each is left out once (Tukey 1958).

    Degrees of freedom are those of :func:`of_mean`.

    Args:
        values: (1 + units, ...) of all units, then without each.
        counts: (units,) items of each.

    Returns:
        Lower and upper ends, (...); nan below :data:`LEAST_OF_SHARE` even units, or where a value is not finite.
    """
    _, _, freedom, evenness = _moments(np.zeros(len(counts)), counts)
    with np.errstate(invalid="ignore"):
        half = special.stdtrit(freedom, 0.975) * np.sqrt((len(counts) - 1) * values[1:].var(axis=0))
    half = np.where((evenness > LEAST_OF_SHARE - 1e-9) & np.isfinite(half), half, np.nan)
    return values[0] - half, values[0] + half


def _moments(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """The mean over items, its variance, that variance's degrees of freedom, and how many units of one size would
    tell as much; (...) each of (units, ...) twice."""
    sums, counts = np.asarray(sums, float), np.asarray(counts, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = counts.sum(axis=0)
        mean, share = sums.sum(axis=0) / total, counts / total
        variance = (((sums - mean * counts) / total) ** 2 / (1 - share)).sum(axis=0)
        # With W = diag(w) and M = W - w p' - p w' + sum(w) p p' the variance is y' M y of units' means y, and its
        # degrees of freedom are tr(M)^2 / tr(M^2).
        w = share**2 / (1 - share)
        all_w, wp, p2 = w.sum(axis=0), (w * share).sum(axis=0), (share**2).sum(axis=0)
        w2, w2p, wp2 = (w**2).sum(axis=0), (w**2 * share).sum(axis=0), (w * share**2).sum(axis=0)
        trace = all_w - 2 * wp + all_w * p2
        of_square = w2 - 4 * w2p + 2 * all_w * wp2 + 2 * (w2 * p2 + wp**2) - 4 * all_w * wp * p2 + (all_w * p2) ** 2
        return mean, variance, trace**2 / of_square, 1 / p2


def resamples(clusters: int, draws: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """How often each bootstrap sample draws each cluster: (draws, clusters), every row sums to ``clusters``.

    One such matrix for all groups and steps keeps comparisons between them paired.
    """
    if clusters < 1:
        raise ValueError("a bootstrap needs at least one cluster")
    return np.random.default_rng(seed).multinomial(clusters, np.full(clusters, 1 / clusters), size=draws).astype(float)


def bootstrap_means(sums: np.ndarray, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean over items in every bootstrap sample of whole clusters.

    Args:
        sums, counts: (clusters, ...) sum over a cluster's items, and how many those are.
        weights: (draws, clusters) of :func:`resamples`.

    Returns:
        (draws, ...); nan where a sample drew no item.
    """
    total = np.tensordot(weights, counts, axes=1)
    return np.divide(np.tensordot(weights, sums, axes=1), total, out=np.full(total.shape, np.nan), where=total > 0)


def percentile_interval(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95% percentile interval over the first axis of ``draws``, (draws, ...).

    Samples that are nan say nothing and are left out; nan where all are. Ends are values of the
    draws, never between two of them, so that infinite draws ("not reached") stay what they are.
    """
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # all nan
        low, high = np.nanpercentile(draws, [2.5, 97.5], axis=0, method="inverted_cdf")
    return low, high


def wins(scores: np.ndarray, positive: np.ndarray, clusters: np.ndarray, count: int) -> np.ndarray:
    """What the area under the ROC curve is made of, by cluster, so that clusters can be resampled.

    Args:
        scores: (n,) of items.
        positive: (n,) bool.
        clusters: (n,) number of the cluster, below ``count``.

    Returns:
        (count, count): how often a positive item of the first cluster scores higher than a negative one of the second,
        a tie counting half.
    """
    from scipy import sparse  # late, as statsmodels

    order = np.argsort(scores[~positive], kind="stable")
    below = np.zeros((len(order) + 1, count), np.float32)
    below[1:][np.arange(len(order)), clusters[~positive][order]] = 1
    np.cumsum(below, axis=0, out=below)
    negatives, mine = scores[~positive][order], scores[positive]
    beaten = sum(below[np.searchsorted(negatives, mine, side)] for side in ("left", "right"))
    of_cluster = sparse.csr_array(
        (np.full(len(mine), 0.5), (clusters[positive], np.arange(len(mine)))), (count, len(mine))
    )
    return of_cluster @ beaten


def areas(wins: np.ndarray, positive: np.ndarray, clusters: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws,): the area under the ROC curve of each resample.

    Args:
        wins, positive, clusters: as of :func:`wins`.
        weights: (draws, clusters): how often each cluster was drawn.
    """
    count = weights.shape[1]
    positives, negatives = (np.bincount(clusters[side], minlength=count) for side in (positive, ~positive))
    return np.einsum("ds,st,dt->d", weights, wins, weights, optimize=True) / (
        (weights @ positives) * (weights @ negatives)
    )
