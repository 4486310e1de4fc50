"""How suddenly something comes: the doublings of the steps from a quarter of its gain to three quarters.

One measure for words, attention, grammar and facts, so that they compare. Doublings, as what comes late has more steps
to come in.
"""

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import crossings

SUDDEN = 1.0
"""Doublings: a gain is sudden where it takes no more by all of its interval, gradual where it takes more by all."""
QUARTERS = (0.25, 0.75)
Gap = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Doublings of the steps, and the ends of their 95% interval."""


def rises(steps: np.ndarray, values: np.ndarray, blind: np.ndarray, final: np.ndarray, seed: int) -> Gap:
    """From a quarter of the gain to three quarters.

    Args:
        steps: (s,) rising.
        values: (1 + draws, curves, s): what was measured, then its resamples.
        blind, final: (1 + draws, curves): where the gain begins and ends, of the same resamples.
        seed: of the resamples.

    Returns:
        (curves,) each, as of :func:`between`, and never less than 0.
    """
    ends = []
    for share in QUARTERS:
        level = blind + share * (final - blind)
        measured = crossings.lasting(steps, values[:1], level[:1])
        ends.append(np.concatenate([measured, crossings.resampled(steps, values[1:], level[1:], seed)]))
    value, low, high = between(steps, *ends)
    return np.maximum(value, 0), np.maximum(low, 0), high


def between(steps: np.ndarray, earlier: np.ndarray, later: np.ndarray) -> Gap:
    """How many doublings of the steps lie between two crossings.

    A crossing is known to lie between the two checkpoints around it and no better, so that in each resample the gap is
    taken at its narrowest for the lower end and at its widest for the upper one. Before the first checkpoint after step
    0 it may be at any step, and so it may after the last one.

    Args:
        steps: (s,) rising.
        earlier, later: (1 + draws, ...) crossings, infinite as of :func:`crossings.lasting`; first as measured.

    Returns:
        (...) each: the doublings, nan where a crossing is none; and the ends, which may be infinite.
    """
    (first_before, first_after), (last_before, last_after) = (_around(steps, at[1:]) for at in (earlier, later))
    low = intervals.percentile_interval(last_before - first_after)[0]
    high = intervals.percentile_interval(last_after - first_before)[1]
    measured = np.log2(np.maximum([earlier[0], later[0]], _first(steps)))
    with np.errstate(invalid="ignore"):
        value = np.where(np.isinf(measured).any(axis=0), np.nan, measured[1] - measured[0])
    return value, np.fmin(low, value), np.fmax(high, value)


def verdict(times: pd.Series) -> str | None:
    """``sudden`` or ``gradual``, by :data:`SUDDEN`, of a row of learning times; None where that cannot be told."""
    if times["most"] <= SUDDEN:
        return "sudden"
    return "gradual" if times["fewest"] > SUDDEN else None


def _first(steps: np.ndarray) -> float:
    return float(steps[steps > 0][0])


def _around(steps: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log2 of the checkpoints before and after crossings."""
    before, after = crossings.bracket(steps, at)
    before = np.where(at == np.inf, steps[-1], np.where(before >= _first(steps), before, 0))
    with np.errstate(divide="ignore"):
        return np.log2(before), np.log2(np.maximum(after, _first(steps)))
