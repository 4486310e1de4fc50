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
in the wrong order a walk gives twice that, drift more, noise nothing. Of two neighbours that change places less is
asked for, as noise of their own makes the distance between them long; but up to three checkpoints on each side of them
have to say so too. At an end of the series a walk gives it once, and noise may give nearly as much, as a checkpoint
that comes to stand there has a neighbour on one side alone. So where many are passed, what the nearest of them would
gain by going to the end alone is taken off, and three quarters are asked for; where two change places, the more the
noisier the steps beside them are, and nothing is told of a step that is tiny beside the one before, as at the end of a
decay, which may lead back. Growth, shrinking, warm-up, decay of the rate and uneven gaps change how long steps are, not
the sign of this. Which end is the beginning the weights do not say. Distances are of directions, so that no tensor
counts more than another.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csgraph

KIN = 6.0
"""Standard deviations from which on two are kin; noise reaches it once in a billion pairs."""
UNRELATED = 4.0
"""Below it they are as strange as two seeds; between the two it is not told."""
TELLING, TELLING_FIRST = 8.0, 30.0
"""A tensor is judged alone where neighbours have this kinship at least, so that losing all of it is telling; the second
where it is the first checkpoint's, as training leaves least of a small matrix at the beginning."""
CUT = 3.0
"""Standard deviations at which numbers are cut off, lest a few large ones decide."""
INSIDE, AT_AN_END = 1.0, 0.75
"""What an exchange of blocks has to gain, in squared distances between them."""
PAIR_INSIDE, PAIR_BY_MORE = 0.25, 0.5
"""Likewise of two neighbours: by the checkpoints beside them, and by the mean over several on each side."""
SEVERAL = 3
PAIR_AT_AN_END, MOST_AT_AN_END = 0.7, 1.1
"""Likewise of two neighbours at an end: of steps without noise, to which the share of noise is added that those
beside them have; and the most, which is more than noise can give."""
TINY = 0.05
"""Of the squared distance beside it; a smaller one at an end tells nothing."""
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
        least = np.where(first | last, AT_AN_END * edge + noise, INSIDE * edge)
        beside = np.maximum(around[before, starts + 1][:, None], around[ends, after][None, :])
        least[(first | last) & (edge <= TINY * beside)] = np.inf
        least[-1, 0] = 0 if _pair_is_exchanged(distance, second - 1) else np.inf
        gain = np.where(gain > least, gain, 0)
        start, end = np.unravel_index(np.argmax(gain), gain.shape)
        if gain[start, end] > most:
            best, most = (int(start), second, int(ends[end])), gain[start, end]
    return best


def _pair_is_exchanged(distance: np.ndarray, place: int) -> bool:
    """Whether the checkpoints at a place and the next one are in the wrong order."""
    edge = distance[place, place + 1]
    before, after = distance[max(place - SEVERAL, 0) : place], distance[place + 2 : place + 2 + SEVERAL]
    # Of each checkpoint on a side, by how much nearer the farther one of the two is; the nearest comes first.
    sides = [(before[:, place] - before[:, place + 1])[::-1], after[:, place + 1] - after[:, place]]
    if all(map(len, sides)):
        near, several = sum(side[0] for side in sides), [side.mean() for side in sides]
        return bool(near > PAIR_INSIDE * edge and sum(several) > PAIR_BY_MORE * edge and min(several) > 0)
    if len(distance) == 2:
        return False
    side, beside = (sides[0], place - 1) if place else (sides[1], 2)
    longest = distance[beside, place : place + 2].max()
    least = min(PAIR_AT_AN_END + _noise_share(distance, place), MOST_AT_AN_END)
    return bool(side[0] > least * edge and edge > TINY * longest)


def _noise_share(distance: np.ndarray, place: int) -> float:
    """How much of a step is noise of the checkpoint's own, 0 of a walk: the most of the few before a pair at an end."""
    steps = np.diagonal(distance, 1)
    noise = (steps[:-1] + steps[1:] - np.diagonal(distance, 2)) / 2
    shares = noise / np.maximum(np.minimum(steps[:-1], steps[1:]), np.finfo(float).tiny)
    near = shares[:-1][-SEVERAL:] if place else shares[1:][:SEVERAL]
    return float(near.max(initial=0))


def untold_pairs(cosine: np.ndarray) -> list[int]:
    """The places whose checkpoint could have changed places with the next one without that being seen."""
    distance, untold = 2 - 2 * cosine, []
    for place in range(len(cosine) - 1):
        order = [*range(place), place + 1, place, *range(place + 2, len(cosine))]
        swapped = distance[np.ix_(order, order)]
        if not _pair_is_exchanged(swapped, place):
            untold.append(place)
    return untold


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
