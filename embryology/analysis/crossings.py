"""The step at which a curve over checkpoints crosses a level, and how sure that is."""

import numpy as np

from embryology import intervals

LAST = 3
"""Checkpoints at the end, whose mean is the final value."""


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


def lasting(steps: np.ndarray, values: np.ndarray, level: np.ndarray, drawn: np.ndarray | None = None) -> np.ndarray:
    """Where the rising curves that fit best cross a level: no blip decides, and after it they never fall below.

    The fit is isotonic regression by least squares. It lies below a level up to where the sum of what the curve has
    above that level is smallest (Robertson, Wright and Dykstra 1988), so that only its two values there have to be
    found. The last crossing of the curve itself, after which it stays above, comes late where checkpoints wobble:
    ``tests/analysis/test_coverage_of_learning_times.py`` tells by how much.

    Args:
        steps: (s,) rising.
        values: (..., curves, s).
        level: (..., curves).
        drawn: (..., s) how often a resample drew each checkpoint; those that it did not draw are not there. The first
            one and the last :data:`LAST` always are, as blind answers and final values rest on them.

    Returns:
        (..., curves) steps, linear between checkpoints; infinite as of :func:`first_crossing`.
    """
    steps = np.asarray(steps, float)
    weights = np.ones(len(steps)) if drawn is None else drawn.astype(float)
    always = [0, *range(max(len(steps) - LAST, 0), len(steps))]
    weights[..., always] = np.maximum(weights[..., always], 1)
    weights = weights[..., None, :]
    above, weight = (
        np.insert(each.cumsum(axis=-1), 0, 0, axis=-1) for each in (weights * (values - level[..., None]), weights)
    )
    below = above.argmin(axis=-1)[..., None]  # how many checkpoints the fit lies below the level, up to one there
    rise = above - np.take_along_axis(above, below, axis=-1)
    weight = np.broadcast_to(weight, above.shape)
    run = weight - np.take_along_axis(weight, below, axis=-1)
    means = np.divide(rise, run, out=np.zeros_like(rise), where=run != 0)
    before = np.where(run < 0, means, -np.inf).max(axis=-1)  # the fit less the level, on either side
    after = np.where(run > 0, means, np.inf).min(axis=-1)
    below = below[..., 0]
    inside = (below > 0) & (run[..., -1] > 0)
    left = np.where(inside, below, 1) - 1
    right = np.where(inside, (run > 0).argmax(axis=-1), 1) - 1
    share = np.divide(before, before - after, out=np.zeros_like(before), where=inside)
    crossing = steps[left] + share * (steps[right] - steps[left])
    return np.where(inside, crossing, np.where(below == 0, -np.inf, np.inf))


def resampled(steps: np.ndarray, values: np.ndarray, level: np.ndarray, seed: int = intervals.SEED) -> np.ndarray:
    """:func:`lasting` of resampled curves, each with checkpoints drawn anew.

    Sentences alone do not show how a model wobbles from one checkpoint to the next, so that checkpoints are drawn too.

    Args:
        steps: (s,) rising.
        values: (draws, curves, s): each draw of the items' sentences.
        level: (draws, curves).
        seed: of the sentences' draws; those of checkpoints are others.

    Returns:
        (draws, curves).
    """
    return lasting(steps, values, level, intervals.resamples(len(steps), len(values), seed + 1))


def interval(steps: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95% percentile intervals of crossings, (draws, curves), whose ends move out to the checkpoints around them.

    A curve that crosses between two checkpoints says no more than that. Ends are infinite where more than 2.5% of the
    draws are.
    """
    low, high = intervals.percentile_interval(draws)
    return bracket(steps, low)[0], bracket(steps, high)[1]


def bracket(steps: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The checkpoint before each step and the one from it on; steps that are no numbers stay what they are."""
    steps, at = np.asarray(steps, float), np.asarray(at, float)
    after = np.clip(np.searchsorted(steps, at), 1, max(len(steps) - 1, 1))
    before, behind = steps[after - 1], steps[np.minimum(after, len(steps) - 1)]
    return np.where(np.isfinite(at), before, at), np.where(np.isfinite(at), behind, at)
