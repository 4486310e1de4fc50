"""How weights of checkpoints belong together: which are kin, and in which order they came.

**Kin.** Which hidden unit is which is settled by the random beginning of a run alone: had a run begun with its units in
another order, it would have gone the same way in that order. So of two independent runs the units of one may be
permuted, and nothing about the pair changes. The scalar product of two stretches is held against the products that it
would have over all permutations of the columns of one; their mean and variance have a closed form (Hoeffding, 1951).
The *kinship* is its distance from the mean in standard deviations: two seeds have about 0, whatever they have both
learnt of the text, and checkpoints of one run have dozens or hundreds, as long as anything of their common beginning is
left.

**Order.** On a walk with independent steps squared distances add up, so that the sum of squared distances between
neighbours is least in the order of the walk; drift makes it the clearer. What is not of the walk, such as noise of its
own at each checkpoint, which a falling learning rate takes away, adds the same to every order. So two neighbouring
blocks of checkpoints are exchanged if that shortens the sum by more than the squared distance between them: for blocks
in the wrong order a walk gives twice that, drift more, noise nothing. At an end of the series a walk gives it once, and
noise may give nearly as much, as a checkpoint that comes to stand there has a neighbour on one side alone. So where
many are passed, what the nearest of them would gain by going to the end alone is taken off, and three quarters are
asked for; where two change places, more than noise can give, so that only drift shows such a pair. Growth, shrinking,
warm-up, decay of the rate and uneven gaps change how long steps are, not the sign of this. Which end is the beginning
the weights do not say. Distances are of directions, so that no tensor counts more than another.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csgraph

KIN = 6.0
"""Standard deviations from which on two are kin; noise reaches it once in a billion pairs."""
UNRELATED = 4.0
"""Below it they are as strange as two seeds; between the two it is not told."""
TELLING, TELLING_FIRST = 12.0, 30.0
"""A tensor is judged alone where neighbours have this kinship at least, so that losing all of it is telling; the second
where it is the first checkpoint's, as training leaves least of a small matrix at the beginning."""
CUT = 3.0
"""Standard deviations at which numbers are cut off, lest a few large ones decide."""
INSIDE, AT_AN_END, PAIR_AT_AN_END = 1.0, 0.75, 1.1
"""What an exchange of blocks has to gain, in squared distances between them."""
LEAST_GAIN = 1e-9
"""Of a sum of squared distances between directions; below it is rounding."""


def cut(values: np.ndarray) -> np.ndarray:
    """Numbers of a stretch, the largest cut off, as float64."""
    limit = CUT * float(np.median(np.abs(values))) / 0.6745
    return values.astype(np.float64).clip(-limit, limit)


def cosines(stretches: np.ndarray) -> np.ndarray:
    """Of every pair of stretches.

    Args:
        stretches: checkpoints × rows × columns; one of zeros alone has no direction, and 0 with all.

    Returns:
        checkpoints × checkpoints.
    """
    flat = stretches.reshape(len(stretches), -1)
    directions = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.finfo(float).tiny)
    products: np.ndarray = directions @ directions.T
    return products


def kinship(stretches: np.ndarray) -> np.ndarray:
    """Of every pair of stretches, in standard deviations; arguments and result as of :func:`cosines`."""
    centred = stretches - stretches.mean(axis=2, keepdims=True)
    flat = centred.reshape(len(centred), -1)
    # The squares of all products of columns, summed, are the product of the two Gram matrices of rows.
    rows = (centred @ centred.transpose(0, 2, 1)).reshape(len(centred), -1)
    variance = rows @ rows.T / (stretches.shape[2] - 1)
    standardised: np.ndarray = flat @ flat.T / np.sqrt(np.maximum(variance, np.finfo(float).tiny))
    return standardised


def together(kinships: Sequence[np.ndarray]) -> np.ndarray:
    """The kinship of whole models, from that of their tensors (Stouffer)."""
    summed: np.ndarray = np.sum(kinships, axis=0) / np.sqrt(len(kinships))
    return summed


def lineages(kinships: np.ndarray) -> list[list[int]]:
    """Checkpoints that hang together by pairs of kin, the largest group first, the earlier of two as large."""
    count, labels = csgraph.connected_components(kinships >= KIN, directed=False)
    groups = [[int(place) for place in np.flatnonzero(labels == label)] for label in range(count)]
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def best_order(cosine: np.ndarray) -> list[int]:
    """The order of checkpoints that their weights tell, as places in the order that their names tell.

    Args:
        cosine: checkpoints × checkpoints, in the order of their names.
    """
    distance, order = 2 - 2 * cosine, list(range(len(cosine)))
    for _ in order[:]:
        exchange = _best_exchange(distance[np.ix_(order, order)])
        if exchange is None:
            break
        first, second, end = exchange
        order = order[:first] + order[second:end] + order[first:second] + order[end:]
    return min(order, order[::-1], key=lambda way: len(displaced(way)))  # a path is as short backwards


def _best_exchange(distance: np.ndarray) -> tuple[int, int, int] | None:
    """The neighbouring blocks ``first:second`` and ``second:end`` that are to be exchanged; None where none are."""
    count = len(distance)
    # Beyond both ends nothing is at a distance from anything.
    around = np.zeros((count + 2, count + 2))
    around[1:-1, 1:-1] = distance
    best, most = None, LEAST_GAIN
    for second in range(1, count):
        starts, ends = np.arange(second), np.arange(second + 1, count + 1)
        before, after = starts, ends + 1  # in `around`, where a place is one further
        edge = distance[second - 1, second]
        gain = (
            (around[before, starts + 1] - around[before, second + 1])[:, None]
            + (around[ends, after] - around[second, after])[None, :]
            + edge
            - around[np.ix_(starts + 1, ends)]
        )
        first, last = (starts == 0)[:, None], (ends == count)[None, :]
        noise = first * max(gain[0, 0], 0) + last * max(gain[-1, -1], 0)
        at_an_end = np.where(
            (second - starts)[:, None] + (ends - second)[None, :] > 2, AT_AN_END * edge + noise, PAIR_AT_AN_END * edge
        )
        gain = np.where(gain > np.where(first | last, at_an_end, INSIDE * edge), gain, 0)
        start, end = np.unravel_index(np.argmax(gain), gain.shape)
        if gain[start, end] > most:
            best, most = (int(start), second, int(ends[end])), gain[start, end]
    return best


def displaced(order: Sequence[int]) -> list[int]:
    """The fewest places that have to be taken out of an order so that the others rise, in rising order."""
    tails: list[int] = []
    lengths = []
    for place in order:
        length = bisect_left(tails, place)
        tails[length : length + 1] = [place]
        lengths.append(length)
    kept: list[int] = []
    for place, length in zip(reversed(order), reversed(lengths), strict=True):
        if length == len(tails) - 1 - len(kept) and (not kept or place < kept[-1]):
            kept.append(place)
    return sorted(set(order) - set(kept))
