"""From a number of every seed to a verdict: t over seeds, equivalence by two one-sided tests, Holm over claims."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from embryology import intervals

SUPPORTED, AGAINST, UNDECIDED = "supported", "not supported", "undecided"
LEVEL = 0.05
"""Of any of a family of claims being called supported where none is true, and of any being called not supported."""
FEWEST_SEEDS, MANY_SEEDS = 3, 10
"""Below the first nothing is decided; from the second on items are resampled beside seeds."""
ITEM_DRAWS = 200
"""Resamples of a seed's items."""
LEAST_FINITE = 0.95
"""Of the resamples of items: a number that cannot be had in more of them than the rest cannot be told."""


@dataclass(frozen=True)
class Estimate:
    """The mean of a number over seeds. ``error`` is its standard error, with as many degrees of ``freedom``."""

    mean: float
    error: float
    freedom: int

    @property
    def interval(self) -> tuple[float, float]:
        """95% t."""
        half = float(special.stdtrit(self.freedom, 0.975)) * self.error
        return self.mean - half, self.mean + half

    def above(self, bound: float) -> float:
        """One-sided p of the hypothesis that the mean is at most ``bound``."""
        return float(special.stdtr(self.freedom, (bound - self.mean) / self.error))

    def below(self, bound: float) -> float:
        """One-sided p of the hypothesis that the mean is at least ``bound``."""
        return float(special.stdtr(self.freedom, (self.mean - bound) / self.error))


def estimate(values: np.ndarray, grain: float = 0.0, seed: int = intervals.SEED) -> Estimate | str:
    """The mean over seeds, or why it cannot be told, as a clause.

    With fewer than :data:`MANY_SEEDS` the standard error is that of seeds, whose items are all of them. From there on
    it is the standard deviation of the multi-bootstrap (Sellam et al. 2022), which draws seeds and items, each with
    replacement; items are the same for all seeds. Its variance over n seeds is (n - 1)/n of what it should be, and is
    put right; its percentiles would be those of a normal distribution, and four times as many small p as there should
    be, so that the t distribution of n - 1 degrees of freedom is taken.

    Args:
        values: (seeds, 1 + draws), :data:`FEWEST_SEEDS` seeds or more: of all items, then of the same resamples of them
            for each seed; draws may be 0.
        grain: the least by which two seeds can differ: they may seem equal that differ by less. Seeds are taken to vary
            as much at least as rounding to it does.
        seed: of the draws of seeds.
    """
    seeds = len(values)
    measured, drawn = values[:, 0], values[:, 1:]
    if not np.isfinite(measured).all():
        return "of a seed the number is not finite"
    least = grain / np.sqrt(12 * seeds)
    error = max(float(measured.std(ddof=1) / np.sqrt(seeds)), least)
    if error <= 1e-12 * max(1.0, abs(float(measured.mean()))):  # a variance of none would make it certain
        return "no seed differs from another, so that nothing is known of what seeds do"
    if seeds >= MANY_SEEDS and drawn.shape[1]:
        drawn = drawn[:, np.isfinite(drawn).all(axis=0)]
        if drawn.shape[1] < LEAST_FINITE * (values.shape[1] - 1):
            return "in too many resamples of the items the number cannot be had"
        rng = np.random.default_rng(seed)
        of_seeds = rng.integers(seeds, size=(intervals.RESAMPLES, seeds))
        of_items = np.arange(intervals.RESAMPLES) % drawn.shape[1]
        means = drawn[of_seeds, of_items[:, None]].mean(axis=1)
        error = max(float(means.std(ddof=1) * np.sqrt(seeds / (seeds - 1))), least)
    return Estimate(float(measured.mean()), error, seeds - 1)


@dataclass(frozen=True)
class Above:
    """Supported above a bound, not supported below it."""

    bound: float

    def supports(self, of: Estimate) -> float:
        """p of the hypothesis that the claim is not true."""
        return of.above(self.bound)

    def opposes(self, of: Estimate) -> float:
        """p of the hypothesis that it is."""
        return of.below(self.bound)

    @property
    def lines(self) -> tuple[float, ...]:
        return (self.bound,)

    def words(self, unit: str) -> str:
        return f"supported above {_number(self.bound)}{unit}, not supported below"


@dataclass(frozen=True)
class Within:
    """Supported within a margin around 0, by two one-sided tests (Schuirmann 1987); not supported beyond."""

    margin: float
    falls: bool = True
    """Whether less than minus the margin speaks against the claim too; else it is no evidence either way."""

    def supports(self, of: Estimate) -> float:
        """p of the hypothesis that the claim is not true."""
        return max(of.above(-self.margin), of.below(self.margin))

    def opposes(self, of: Estimate) -> float:
        """p of the hypothesis that it is."""
        rises, falls = of.above(self.margin), of.below(-self.margin)
        return min(1.0, 2 * min(rises, falls)) if self.falls else rises

    @property
    def lines(self) -> tuple[float, ...]:
        return (-self.margin, self.margin)

    def words(self, unit: str) -> str:
        margin = f"{_number(self.margin)}{unit}"
        if self.falls:
            return f"supported within {margin} to either side of none, not supported beyond"
        return f"supported within {margin} to either side of none, not supported above; a larger fall decides nothing"


Rule = Above | Within


def holm(p: Sequence[float]) -> np.ndarray:
    """p of several claims, adjusted for being several (Holm 1979); of one that cannot be decided it is 1."""
    # statsmodels' collects garbage each time, a fifth of a second.
    values = np.asarray(p, float)
    order = values.argsort(kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1)
    return adjusted


def outcomes(supports: Sequence[float], opposes: Sequence[float]) -> list[tuple[str, float, float]]:
    """Of a family of claims, the twelve: the verdict of each, and both adjusted p.

    Args:
        supports, opposes: p of :class:`Above` or :class:`Within`; 1 where a claim cannot be decided.
    """
    for_it, against_it = holm(supports), holm(opposes)
    return [
        (SUPPORTED if one < LEVEL else AGAINST if other < LEVEL else UNDECIDED, float(one), float(other))
        for one, other in zip(for_it, against_it, strict=True)
    ]


def _number(value: float) -> str:
    return f"{value:g}"
