"""The numbers that claims rest on, of arrays alone: what can be simulated without a run."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from embryology.analysis.crossings import LAST

LATE_CHECKPOINTS = 3
"""Fewer in the late phase show no trend."""


def extremes_of_others(times: np.ndarray) -> np.ndarray:
    """How many octaves the last group is learnt after the first, which the other seeds choose.

    The largest of several noisy ratios is large by choice alone; a ratio of groups that other seeds choose is not.

    Args:
        times: (seeds, 1 + draws, groups), steps above 0; at least two seeds and groups.

    Returns:
        (seeds, 1 + draws).
    """
    logs = np.log2(times)
    measured = logs[:, 0]
    others = (measured.sum(axis=0) - measured) / (len(times) - 1)
    first, last = (chosen[:, None, None] for chosen in (others.argmin(axis=1), others.argmax(axis=1)))
    octaves = np.take_along_axis(logs, last, axis=2) - np.take_along_axis(logs, first, axis=2)
    return np.asarray(octaves[..., 0])


def taus(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of orders (..., groups) with one order (groups,); infinite places are last, and tied."""
    upper = np.triu_indices(len(other), 1)
    with np.errstate(invalid="ignore"):  # inf - inf
        signs, signs_of_other = (
            np.sign(np.nan_to_num(each[..., upper[1]] - each[..., upper[0]], nan=0.0)) for each in (one, other)
        )
        scale = np.sqrt((signs**2).sum(axis=-1) * (signs_of_other**2).sum())
        return np.asarray((signs * signs_of_other).sum(axis=-1) / np.where(scale > 0, scale, np.nan))


def twice_the_median(p: Sequence[float]) -> float:
    """One p of several, valid however they depend on each other (Rüger 1978): seeds share groups and text."""
    return float(min(1.0, 2 * np.median(p)))


def late_share(steps: np.ndarray, values: np.ndarray, start: float) -> np.ndarray | str:
    """How much of what is gained in all comes after a share ``start`` of the steps; a clause where that is untold.

    The late gain is what the least-squares line in the logarithm of the steps rises by from the first late checkpoint
    to the last, so that no single checkpoint decides. The whole gain is from the first checkpoint to the mean of the
    last :data:`~embryology.analysis.crossings.LAST`, as elsewhere.

    Args:
        steps: (s,) rising.
        values: (..., s).
        start: share of the last step.

    Returns:
        (...); nan where nothing is gained.
    """
    steps = np.asarray(steps, float)
    late = steps >= start * steps[-1]
    if late.all():
        return f"its first checkpoint lies behind {start:.0%} of its steps, so that its whole gain is not known"
    if late.sum() < LATE_CHECKPOINTS:
        return f"{late.sum()} checkpoints lie behind {start:.0%} of its steps; it takes {LATE_CHECKPOINTS}"
    x = np.log2(steps[late])
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    rise = (values[..., late] @ weights) * (x[-1] - x[0])
    whole = values[..., -LAST:].mean(axis=-1) - values[..., 0]
    share: np.ndarray = np.divide(rise, whole, out=np.full(np.shape(rise), np.nan), where=whole > 0)
    return share


def octaves_between(times: np.ndarray, later: Sequence[bool]) -> np.ndarray:
    """How many octaves some tasks come after the others, on average.

    Args:
        times: (..., tasks), steps above 0.
        later: (tasks,) which of them are said to be later.
    """
    logs, chosen = np.log2(times), np.asarray(later, bool)
    return np.asarray(logs[..., chosen].mean(axis=-1) - logs[..., ~chosen].mean(axis=-1))


def no_earlier_than(steps: np.ndarray, times: np.ndarray | pd.Series) -> np.ndarray:
    """Times, those before the first checkpoint with training as that one: what happens before it is not seen, and
    ratios of such times would be as large as one likes."""
    steps = np.asarray(steps, float)
    bounded: np.ndarray = np.maximum(np.asarray(times, float), steps[steps > 0].min())
    return bounded
