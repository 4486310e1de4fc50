"""When a group of words is learnt, in which order groups are, and whether that is the published order.

The learning time of a curve is the step at which it first reaches half of its final value, linear
between checkpoints. Two outcomes are no numbers: :data:`BEFORE_FIRST`, where the curve is there at
the first checkpoint, and :data:`NOT_REACHED`, where it ends at zero or never clears blind answers:
half of nothing is not a time of learning.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import curves, tables

REACHED = "reached"
BEFORE_FIRST = "before the first checkpoint"
NOT_REACHED = "not reached"
COLUMNS = ["state", "step", "low", "high", "spacing", "final", "learnt", "n"]


def first_crossing(steps: np.ndarray, values: np.ndarray, level: np.ndarray | float) -> np.ndarray:
    """The step at which curves first reach a level from below, linear between checkpoints.

    Args:
        steps: (s,) rising.
        values: (..., s).
        level: (...) or one number.

    Returns:
        (...) steps; ``-inf`` where the first value is there already, ``inf`` where none is.
    """
    steps, values = np.asarray(steps, float), np.asarray(values, float)
    level = np.broadcast_to(np.asarray(level, float), values.shape[:-1])
    reached = values >= level[..., None]
    after = reached.argmax(axis=-1)
    before = np.maximum(after - 1, 0)
    low, high = (np.take_along_axis(values, at[..., None], axis=-1)[..., 0] for at in (before, after))
    rise = np.where(high > low, high - low, 1)
    crossing = steps[before] + (level - low) / rise * (steps[after] - steps[before])
    return np.where(reached.any(axis=-1), np.where(after == 0, -np.inf, crossing), np.inf)


def half_steps(steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The step at which curves (..., s) first reach half of their final value, as :func:`first_crossing`.

    A curve that ends at zero has no half and gives ``inf``; one with gaps gives nan.
    """
    values = np.asarray(values, float)
    final = values[..., -1]
    crossings = np.where(final > 0, first_crossing(steps, values, final / 2), np.inf)
    return np.where(np.isnan(values).any(axis=-1), np.nan, crossings)


def learning_times(
    frame: pd.DataFrame,
    items: pd.DataFrame,
    task: str,
    tags: Iterable[str] | None = None,
    draws: int = intervals.RESAMPLES,
    seed: int = intervals.SEED,
) -> pd.DataFrame:
    """The learning time of every group in a run, with a percentile bootstrap over sentences.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, of the tokens probe; decides the checkpoints and baselines.
        items: of the same series, from :func:`embryology.runs.measurements.read_items`.
        task: ``reconstruction`` or ``mask-prediction``.
        tags: groups, None takes the nine; those without a scored word are left out.
        draws, seed: of the bootstrap. All groups share its samples.

    Returns:
        A row a tag, by tag: ``state``; ``step``, null unless reached; ``low`` and ``high``, infinite
        where more than 2.5% of the samples do not reach half, or do so before the first checkpoint;
        ``spacing`` of the two checkpoints around; ``final`` accuracy; ``learnt``, whether the curve
        clears blind answers; ``n`` words.
    """
    tags = [tag for tag in tags or curves.groups(frame) if not curves.curve(frame, task, tag).empty]
    steps = np.sort(frame.loc[frame["series"] == tables.main_series(frame), "step"].unique())
    sums, counts = _by_sentence(items[items["task"] == task], tags, steps)
    weights = intervals.resamples(len(sums), draws, seed)
    low, high = intervals.percentile_interval(half_steps(steps, intervals.bootstrap_means(sums, counts, weights)))
    values = intervals.bootstrap_means(sums, counts, np.ones((1, len(sums))))[0]
    sentences = np.count_nonzero(counts[..., -1], axis=0)
    low, high = (np.where(sentences > 1, end, np.nan) for end in (low, high))  # one sentence shows no spread
    learnt = [curves.clears_baselines(frame, task, tag) for tag in tags]
    return _table(tags, steps, values, low, high, learnt, counts.sum(axis=0)[:, -1].astype(int))


def of_curves(steps: np.ndarray, values: pd.DataFrame) -> pd.DataFrame:
    """Learning times of curves without items, such as published ones: as :func:`learning_times`, no intervals.

    Args:
        steps: (s,) rising.
        values: a row a tag, (tags, s).
    """
    open_ends = np.full(len(values), np.nan)
    return _table(values.index, steps, values.to_numpy(), open_ends, open_ends, [True] * len(values), [0] * len(values))


def _by_sentence(items: pd.DataFrame, tags: list[str], steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right answers and answers, each (sentences, tags, steps)."""
    items = items[items["group"].isin(tags) & items["step"].isin(steps)]
    sentences, names = pd.factorize(items["sentence"])
    place = (
        sentences,
        pd.Categorical(items["group"], categories=tags).codes,
        np.searchsorted(steps, items["step"].to_numpy()),
    )
    shape = (len(names), len(tags), len(steps))
    cells = np.ravel_multi_index(place, shape)
    count = np.bincount(cells, minlength=np.prod(shape)).reshape(shape)
    right = np.bincount(cells, weights=items["correct"].to_numpy(float), minlength=np.prod(shape)).reshape(shape)
    return right, count


def _table(
    tags: Sequence[str] | pd.Index,
    steps: np.ndarray,
    values: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    learnt: list[bool],
    n: np.ndarray | list[int],
) -> pd.DataFrame:
    halves = np.where(learnt, half_steps(steps, values), np.inf)
    reached = np.isfinite(halves)
    after = np.clip(np.searchsorted(steps, np.where(reached, halves, 0)), 1, max(len(steps) - 1, 1))
    spacing = np.diff(steps, append=np.inf).astype(float)[after - 1]
    table = pd.DataFrame(
        {
            "state": np.where(reached, REACHED, np.where(halves < 0, BEFORE_FIRST, NOT_REACHED)),
            "step": np.where(reached, halves, np.nan),
            "low": np.where(reached, low, np.nan),
            "high": np.where(reached, high, np.nan),
            "spacing": np.where(reached, spacing, np.nan),
            "final": values[:, -1],
            "learnt": learnt,
            "n": n,
        },
        index=pd.Index(tags, name="tag"),
    )
    return table[COLUMNS]


def in_order(times: pd.DataFrame) -> list[str]:
    """The tags by learning time: first those before the first checkpoint, last those not reached."""
    return list(_positions(times).sort_values(kind="stable").index)


def _positions(times: pd.DataFrame) -> pd.Series:
    """Steps on the extended line, so that states without a number still have their place in an order."""
    outside = times["state"].map({BEFORE_FIRST: -np.inf, NOT_REACHED: np.inf}).astype(float)
    return times["step"].astype(float).fillna(outside)


@dataclass(frozen=True)
class Agreement:
    """How alike two orders of the same groups are. ``tau`` and ``p`` are None where one of them is all ties."""

    tau: float | None
    """Kendall's, with ties as tau-b has them."""
    p: float | None
    """Exact, two-sided: the share of all permutations of the groups with a tau at least as far from 0."""
    groups: int
    same: int
    """Pairs of groups in the same order,"""
    reversed: int
    """in reversed order,"""
    tied: int
    """and too close to tell in at least one of the two."""


def agreement(one: pd.DataFrame, other: pd.DataFrame, spaced: bool = True) -> Agreement:
    """Kendall's tau of two tables of learning times with its exact permutation p.

    Two groups are tied where both were not reached, both were there before the first checkpoint, or
    the gap between their times is below the spacing of the checkpoints around the later or earlier one
    (the wider counts). Such ties need not be transitive, so tau is Daniels' (1944) general coefficient of the two
    matrices of signs: tau-b where ties are transitive, the plain tau where there are none.

    Args:
        one, other: of :func:`learning_times` or :func:`of_curves`; groups in only one are left out.
        spaced: False counts gaps below the spacing too.
    """
    tags = [tag for tag in one.index if tag in other.index]
    a, b = (_signs(times.loc[tags], spaced) for times in (one, other))
    upper = np.triu_indices(len(tags), 1)
    product = (a * b)[upper]
    scale = np.sqrt(np.sum(a[upper] ** 2) * np.sum(b[upper] ** 2))
    same, opposed = int(np.sum(product > 0)), int(np.sum(product < 0))
    return Agreement(
        tau=float((same - opposed) / scale) if scale else None,
        p=_exact_p(a, b) if scale else None,
        groups=len(tags),
        same=same,
        reversed=opposed,
        tied=len(product) - same - opposed,
    )


def _signs(times: pd.DataFrame, spaced: bool) -> np.ndarray:
    """(groups, groups): 1 where the second group is learnt later, -1 where earlier, 0 where tied."""
    at = _positions(times).to_numpy()
    spacing = times["spacing"].fillna(0).to_numpy() * spaced
    with np.errstate(invalid="ignore"):  # two groups without a number: inf - inf
        gap = np.nan_to_num(at[None, :] - at[:, None], nan=0)
    return np.where(np.abs(gap) < np.maximum(spacing[None, :], spacing[:, None]), 0, np.sign(gap)).astype(int)


def _exact_p(a: np.ndarray, b: np.ndarray) -> float:
    n = len(a)
    if n > 9:
        raise ValueError(f"{n} groups have too many permutations to go through them all; at most 9")
    orders = _permutations(n)
    total = np.zeros(len(orders), int)
    for i in range(n):
        for j in range(i + 1, n):
            if a[i, j]:
                total += a[i, j] * b[orders[:, i], orders[:, j]]
    return float(np.mean(np.abs(total) >= abs(total[0])))  # the identity comes first


def _permutations(n: int) -> np.ndarray:
    """(n!, n), the identity first."""
    orders = np.zeros((1, 0), np.int8)
    for number in range(n):
        orders = np.concatenate([np.insert(orders, at, number, axis=1) for at in range(number, -1, -1)])
    return orders
