"""Groups of words beside words of the other groups that are as frequent in the training text."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from embryology import intervals
from embryology.analysis.frequency import DRAWS, FEWEST, OCTAVE


@dataclass(frozen=True)
class Beside:
    """Curves of each group; ``(1 + draws, groups, steps)``, first that of all types, then of each bootstrap sample."""

    groups: list[str]
    types: np.ndarray
    """(groups,)"""
    matched: np.ndarray
    """(groups,): types of which other groups have some as frequent."""
    own: np.ndarray
    others: np.ndarray
    """The mean of all words of the other groups."""
    own_matched: np.ndarray
    """Of the matched types alone."""
    others_matched: np.ndarray
    """The mean of as frequent words of the other groups, each of the group's words counting as often as in its own."""


def beside(
    types: pd.DataFrame, values: np.ndarray, sizes: np.ndarray, draws: int = DRAWS, seed: int = intervals.SEED
) -> Beside:
    """The mean curve of every group, and what words of the other groups of the same frequency predict for it.

    Args:
        types: ``group``, ``type`` and ``frequency`` (log2), a row each.
        values: (types, steps), such as the share of a type's words that is right.
        sizes: (types,) how much each counts.
        draws, seed: of the bootstrap over types; a type that has words in two groups is drawn for both.
    """
    group, groups = pd.factorize(types["group"], sort=True)
    number, names = pd.factorize(types["type"])
    frequencies, place = np.unique(types["frequency"], return_inverse=True)
    low = np.searchsorted(frequencies, frequencies - OCTAVE)
    high = np.searchsorted(frequencies, frequencies + OCTAVE, side="right")
    cells = len(groups), len(frequencies)
    cell = np.ravel_multi_index((group, place), cells)
    collect = sparse.csr_array((np.ones(len(cell)), (cell, np.arange(len(cell)))), shape=(np.prod(cells), len(cell)))
    weights = np.concatenate([np.ones((1, len(names))), intervals.resamples(len(names), draws, seed)])
    curves = [_curves(collect, values, sizes * some[number], cells, low, high) for some in weights]
    own, others, own_matched, others_matched = (np.stack(each) for each in zip(*curves, strict=True))
    window = np.zeros((cells[0], cells[1] + 1))
    np.cumsum((collect @ np.ones(len(cell))).reshape(cells), axis=1, out=window[:, 1:])
    near = window[:, high] - window[:, low]
    has = (near.sum(axis=0) - near > 0)[group, place]
    return Beside(
        list(groups),
        np.bincount(group),
        np.bincount(group, has).astype(int),
        own,
        others,
        own_matched,
        others_matched,
    )


def _curves(
    collect: sparse.csr_array,
    values: np.ndarray,
    sizes: np.ndarray,
    cells: tuple[int, int],
    low: np.ndarray,
    high: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """The four curves of :class:`Beside`, (groups, steps) each; nan where there is no such word."""
    sums = (collect @ np.column_stack([sizes, sizes[:, None] * values])).reshape(*cells, -1)
    total = sums.sum(axis=1)
    before = np.pad(sums.cumsum(axis=1), ((0, 0), (1, 0), (0, 0)))
    near = before[:, high] - before[:, low]
    near = near.sum(axis=0) - near  # of the other groups
    has = near[..., :1] > 1e-9  # what is left of sums may not be 0
    matched = np.where(has, sums, 0).sum(axis=1)
    predicted = np.where(
        has, sums[..., :1] * np.divide(near[..., 1:], near[..., :1], where=has, out=np.zeros_like(near[..., 1:])), 0
    ).sum(axis=1)
    with np.errstate(invalid="ignore"):
        rest = total.sum(axis=0) - total
        return (
            total[:, 1:] / total[:, :1],
            rest[:, 1:] / rest[:, :1],
            matched[:, 1:] / matched[:, :1],
            predicted / matched[:, :1],
        )


def factors(curves: Beside, steps: np.ndarray) -> pd.DataFrame:
    """How many times as late a group is acquired as the words of the other groups: all of them, and as frequent ones.

    Both curves of a pair are asked for the step at which they reach the same share, half of the lower of their last
    values, linear between checkpoints.

    Args:
        curves: of :func:`beside`, of the share of words that is acquired by each step, which rises.
        steps: of these.

    Returns:
        By ``group``: ``types``, ``matched`` (how many of them are left), ``step`` and ``others_step`` of matched words;
        ``unmatched`` beside all words and ``value`` beside as frequent ones, each with simultaneous 95% intervals over
        the groups (``unmatched_low``, ``low`` …), null for groups of which fewer than
        :data:`embryology.analysis.frequency.FEWEST` types are left; all null where one is never acquired, or is from
        the first checkpoint on.
    """
    table = pd.DataFrame({"group": curves.groups, "types": curves.types, "matched": curves.matched}).set_index("group")
    table["step"], table["others_step"] = (
        each[0] for each in _reached(curves.own_matched, curves.others_matched, steps)
    )
    enough = table["matched"].to_numpy() >= FEWEST
    for name, prefix, pair in (
        ("unmatched", "unmatched_", (curves.own, curves.others)),
        ("value", "", (curves.own_matched, curves.others_matched)),
    ):
        one, other = _reached(*pair, steps)
        logs = np.log(one / other)
        table[name] = np.exp(logs[0])
        table[f"{prefix}low"], table[f"{prefix}high"] = np.exp(_simultaneous(logs, enough))
    return table


def _simultaneous(draws: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(2, groups): ends that hold all chosen groups' values in 95% of bootstrap samples, nan of the others.

    The largest of the studentised deviations is what is held (Beran 1988), so that no group is called early or late
    because there are nine.

    Args:
        draws: (1 + samples, groups), the estimate first.
        chosen: (groups,) bool.
    """
    chosen = chosen & np.isfinite(draws[0]) & (np.isfinite(draws).mean(axis=0) > 0.95)
    ends = np.full((2, draws.shape[1]), np.nan)
    if chosen.any():
        some = draws[1:, chosen]
        some = some[np.isfinite(some).any(axis=1)]  # samples in which none is acquired say nothing
        spread = np.nanstd(some, axis=0)
        deviation = np.abs(some - np.nanmean(some, axis=0)) / np.where(spread > 0, spread, 1)
        width = np.quantile(np.nanmax(deviation, axis=1), 0.95) * spread
        ends[:, chosen] = draws[0, chosen] - width, draws[0, chosen] + width
    return ends


def _reached(one: np.ndarray, other: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The steps at which two curves (..., steps) that rise reach half of the lower of their last values, (...) each."""
    level = np.minimum(one[..., -1], other[..., -1]) / 2
    return _crossing(one, level, steps), _crossing(other, level, steps)


def _crossing(curves: np.ndarray, level: np.ndarray, steps: np.ndarray) -> np.ndarray:
    after = (curves >= level[..., None]).argmax(axis=-1)
    before = np.maximum(after - 1, 0)
    low, high = (np.take_along_axis(curves, at[..., None], axis=-1)[..., 0] for at in (before, after))
    rise = np.where(high > low, high - low, 1)
    crossing = steps[before] + (level - low) / rise * (steps[after] - steps[before])
    return np.where((level > 0) & (after > 0), crossing, np.nan)
