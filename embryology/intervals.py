"""95% intervals: Wilson for proportions, the percentile bootstrap over clusters for everything else."""

import warnings

import numpy as np

RESAMPLES = 1000
SEED = 0


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
