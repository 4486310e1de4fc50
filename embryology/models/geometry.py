"""How alike two sets of vectors of the same items are, and how many directions one fills: formulas in NumPy.

Every function answers for all items and without each of some groups of them, which is what the jackknife asks: the
bootstrap would draw items twice, and a pair of equal items is as alike as can be and nobody's nearest neighbour.
Groups stand one behind the other; ``starts`` says where each begins. Answers are (1 + groups,).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

DISCARDED = 0.1
"""Of the largest ratios of distances, which are not fitted (Facco et al. 2017)."""
SAME = 1e-10
"""Squared distances, in units of the mean square, up to which vectors differ by rounding alone."""


@dataclass(frozen=True)
class Vectors:
    """Vectors of items, shifted to mean 0 and scaled to mean square 1, to which nothing here but cosines looks."""

    values: np.ndarray
    """(items, size) float64; all nan where they do not differ."""
    starts: np.ndarray
    """(groups,) rising, from 0."""

    @classmethod
    def of(cls, raw: np.ndarray, starts: np.ndarray) -> "Vectors":
        """Of (items, size)."""
        raw = np.asarray(raw, float)
        centred = raw - raw.mean(axis=0)
        square = (centred**2).sum(axis=1).mean()
        if not square > SAME * (raw**2).sum(axis=1).mean():
            return cls(np.full_like(centred, np.nan), starts)
        return cls(centred / np.sqrt(square), starts)

    @cached_property
    def sizes(self) -> np.ndarray:
        """(1 + groups,) how many items are left."""
        counts = np.diff(np.append(self.starts, len(self.values)))
        return len(self.values) - np.append(0, counts)

    @cached_property
    def left(self) -> np.ndarray:
        """(items, 1 + groups) 1 where an item is left, else 0."""
        counts = np.diff(np.append(self.starts, len(self.values)))
        group = np.repeat(np.arange(len(counts)), counts)
        return np.column_stack([np.ones(len(group)), group[:, None] != np.arange(len(counts))]).astype(float)

    @cached_property
    def products(self) -> np.ndarray:
        """(items, items) inner products, 0 on the diagonal."""
        products = self.values @ self.values.T
        np.fill_diagonal(products, 0)
        return products

    @cached_property
    def row_sums(self) -> np.ndarray:
        """(items, 1 + groups) of :attr:`products` over the items that are left; 0 for an item that is not."""
        return (self.products @ self.left) * self.left

    @cached_property
    def spread(self) -> np.ndarray:
        """:func:`hsic` of the vectors with themselves."""
        return hsic(self, self)


def hsic(x: Vectors, y: Vectors) -> np.ndarray:
    """The squared Frobenius norm of the covariance of two sets, by the unbiased estimator (Song et al. 2012, eq. 5).

    It is the Hilbert-Schmidt independence criterion of linear kernels. Of independent vectors it is 0 on the average,
    however many their dimensions, and so may be below.
    """
    n = x.sizes
    by_group = np.add.reduceat(np.add.reduceat(x.products * y.products, x.starts, axis=0), x.starts, axis=1)
    without = by_group.sum() - by_group.sum(axis=0) - by_group.sum(axis=1) + by_group.diagonal()
    trace = np.append(by_group.sum(), without)
    sums = x.row_sums.sum(axis=0) * y.row_sums.sum(axis=0)
    both = (x.row_sums * y.row_sums).sum(axis=0)
    return (trace + sums / ((n - 1) * (n - 2)) - 2 * both / (n - 2)) / (n * (n - 3))


def cka(x: Vectors, y: Vectors) -> np.ndarray:
    """Linear centred kernel alignment (Kornblith et al. 2019) of unbiased estimates; nan where one set has no spread.

    1 where one set is the other, rotated, shifted or scaled by one factor; about 0 where they are independent. What is
    left of bias is that of a ratio, of order 1 / items.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        of_both = np.sqrt(np.where((x.spread > 0) & (y.spread > 0), x.spread * y.spread, np.nan))
        return hsic(x, y) / of_both


def components(x: Vectors, most: int) -> tuple[np.ndarray, float]:
    """The first principal components of vectors, (items, at most ``most``), and their share of the variance.

    Those without variance, but for rounding, are none. Without any there is one of nan.
    """
    if np.isnan(x.values).any():
        return np.full((len(x.values), 1), np.nan), np.nan
    variances, directions = np.linalg.eigh(x.values.T @ x.values)
    order = np.argsort(-variances)[:most]
    order = order[variances[order] > SAME * variances.max()]
    return x.values @ directions[:, order], float(variances[order].sum() / variances.sum())


def pwcca(x: np.ndarray, y: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Projection-weighted canonical correlation (Morcos et al. 2018), as ``compute_pwcca`` of its code has it.

    Each canonical correlation counts by how much of the vectors its direction takes up: the sum over dimensions of the
    absolute inner products with the canonical variable, of the set with fewer dimensions, of ``x`` where both have the
    same. Correlations are fitted to the items that they are told of: of independent sets they are far from 0 where
    items are not many times the dimensions, so that few :func:`components` are given, and shuffled items are the line
    to clear.

    Args:
        x, y: (items, size) each; mean 0 is not needed.
        starts: (groups,) rising, from 0.
    """
    if np.isnan(x).any() or np.isnan(y).any():
        return np.full(1 + len(starts), np.nan)
    both = np.hstack([x, y])
    cut = x.shape[1]
    parts = np.split(both, starts[1:])
    sums = np.stack([part.sum(axis=0) for part in parts])
    squares = np.stack([part.T @ part for part in parts])
    n = len(both) - np.append(0, [len(part) for part in parts])[:, None]
    means = (sums.sum(axis=0) - np.vstack([np.zeros_like(sums[:1]), sums])) / n
    squares = (squares.sum(axis=0) - np.concatenate([np.zeros_like(squares[:1]), squares])) / n[..., None]
    covariance = squares - means[:, :, None] * means[:, None, :]
    root_x, white_x = _roots(covariance[:, :cut, :cut])
    root_y, white_y = _roots(covariance[:, cut:, cut:])
    left, correlations, right = np.linalg.svd(white_x @ covariance[:, :cut, cut:] @ white_y, full_matrices=False)
    directions = left.transpose(0, 2, 1) @ root_x if cut <= y.shape[1] else right @ root_y
    weights = np.abs(directions).sum(axis=-1)
    return (weights * np.clip(correlations, 0, 1)).sum(axis=-1) / weights.sum(axis=-1)


def _roots(covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The symmetric square roots of matrices, (..., size, size), and their inverses."""
    values, vectors = np.linalg.eigh(covariances)
    roots = np.sqrt(np.maximum(values, SAME * values[..., -1:]))[..., None, :]
    return (vectors * roots) @ vectors.swapaxes(-1, -2), (vectors / roots) @ vectors.swapaxes(-1, -2)


def mean_cosine(raw: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The mean cosine of two different items' vectors, (items, size), not centred: 0 where directions are even.

    It has no bias. A few dimensions of large mean make it near 1 whatever the others do.
    """
    raw = np.asarray(raw, float)
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    unit = np.divide(raw, lengths, out=np.full_like(raw, np.nan), where=lengths > 0)
    by_group = np.add.reduceat(unit, starts, axis=0)
    n = len(raw) - np.append(0, np.diff(np.append(starts, len(raw))))
    left = by_group.sum(axis=0) - np.vstack([np.zeros_like(by_group[:1]), by_group])
    return ((left**2).sum(axis=1) - n) / (n * (n - 1))


def participation(x: Vectors) -> np.ndarray:
    """The participation ratio: the squared sum of the covariance's eigenvalues over the sum of their squares.

    From 1, where vectors differ in one direction, to as many as dimensions, where in all alike. The plain one of a
    sample can be no more than its items; this one divides by :func:`hsic`, of which that is not true.
    """
    squares = (x.values**2).sum(axis=1) @ x.left
    means = (x.values.T @ x.left) / x.sizes
    variance = (squares - x.sizes * (means**2).sum(axis=0)) / (x.sizes - 1)
    return np.where(x.spread > 0, variance**2 / np.where(x.spread > 0, x.spread, 1), np.nan)


def two_nn(x: Vectors) -> np.ndarray:
    """The intrinsic dimension by the distances to an item's two nearest neighbours (Facco et al. 2017).

    The slope, through the origin, of -log(1 - F) over the log of their ratio, where F is the share of items with no
    larger one; the largest tenth is left out. Of items that are the same the first counts alone. Vectors of many
    dimensions need more items than one has: it is too low, the more so the higher it is (1,000 items drawn evenly from
    a cube of 10 dimensions give 8.7, of 20 give 13.8); and at the scale of neighbours it sees noise as dimensions.
    """
    groups = np.split(np.arange(len(x.values)), x.starts[1:])
    squares = (x.values**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * x.products
    twins = np.tril(distances <= SAME, -1).any(axis=1)
    distances[twins] = distances[:, twins] = np.inf
    np.fill_diagonal(distances, np.inf)
    nearest = np.full((len(distances), len(groups), 2), np.inf)
    for number, group in enumerate(groups):
        nearest[:, number, : len(group)] = np.sort(distances[:, group], axis=1)[:, :2]
    dimensions = [_slope(nearest.reshape(len(nearest), -1))]
    for number, group in enumerate(groups):
        others = np.delete(np.delete(nearest, group, axis=0), number, axis=1)
        dimensions.append(_slope(others.reshape(len(others), -1)))
    return np.array(dimensions)


def _slope(squares: np.ndarray) -> float:
    """Of squared distances, (items, neighbours) in any order."""
    first, second = np.partition(squares, 1, axis=1)[:, :2].T
    known = np.isfinite(second)
    ratios = np.sort(np.log(second[known] / first[known]) / 2)
    kept = ratios[: int(len(ratios) * (1 - DISCARDED))]
    share = np.arange(1, len(kept) + 1) / len(ratios) if len(ratios) else kept
    return float(-(kept @ np.log1p(-share)) / (kept @ kept)) if (kept > 0).any() else np.nan
