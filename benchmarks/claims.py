"""How often the rules of the twelve claims say yes: where all twelve are false, and where one is true.

    python benchmarks/claims.py [--draws 400]

Every claim's number is drawn as its measurements would give it: learning times, curves over checkpoints, rates; with
noise of seeds, and with noise of the items, which all seeds share. What is drawn has a known truth: where claims are
false, the largest effect that is none (the bound, the margin; of orders one that agrees no more than the bound, or one
that has nothing to do with the other).
"""

from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
import typer
from scipy import stats

from embryology.analysis.claims import CLAIMS
from embryology.analysis.claims.decisions import ITEM_DRAWS, LEVEL, SUPPORTED, Above, Estimate, estimate, outcomes
from embryology.analysis.claims.statistics import (
    extremes_of_others,
    late_share,
    octaves_between,
    taus,
    twice_the_median,
)

STEPS = np.array([0, 50, 100, 200, 400, 800, 1300, 2000, 3000, 4500, 6500, 9000, 13000, 17000, 20000], float)
SEEDS = (3, 5, 10)
SPREADS, ORDERS, GAINS = {1: 0.1, 4: 0.2, 5: 0.1}, (2, 3, 6), {7: 0.1, 9: 0.25, 10: 0.25, 11: 0.1}
"""Claims by what is drawn: octaves by which learning times differ between seeds; and where late training begins."""
NULLS = {claim.number: claim.rule.bound if isinstance(claim.rule, Above) else claim.rule.margin for claim in CLAIMS}
EFFECTS = {
    1: (2.0, 4.0),
    4: (2.0, 4.0),
    5: (0.6, 1.0),
    **dict.fromkeys(ORDERS, (0.8, 1.0)),
    **dict.fromkeys(GAINS, (0.05, 0.0)),
    8: (0.5, 0.0),
    12: (0.1, 0.2),
}
"""In the unit of each claim."""


@dataclass(frozen=True)
class Drawn:
    """The number of a claim of every seed, as :class:`embryology.analysis.claims.claim.Measured`."""

    values: np.ndarray
    p: float = 0.0
    grain: float = 0.0


def drawn(number: int, truth: float | None, seeds: int, rng: np.random.Generator) -> Drawn:
    """What measurements of some seeds would give.

    Args:
        number: of the claim.
        truth: the number that endless seeds and items would give; None, of orders, one of the other's groups at random.
        seeds: how many.
        rng: of all noise.
    """
    draws = ITEM_DRAWS if seeds >= 10 else 0
    if number in SPREADS:
        groups = 5 if number == 5 else 9
        logs = _crossed(8 + np.linspace(0, truth or 0, groups), seeds, draws, SPREADS[number], rng)
        return Drawn(extremes_of_others(2**logs))
    if number in ORDERS:
        order = rng.permutation(9) if truth is None else _of_tau(truth)
        logs = _crossed(8 + 0.4 * order, seeds, draws, 0.2, rng)
        found = taus(logs, np.arange(9.0))
        return Drawn(found, twice_the_median([_exact(round(18 * (1 - tau))) for tau in found[:, 0]]), 2 / 36)
    if number in GAINS:
        curve = _late(truth or 0.0, GAINS[number])
        sway = 0.02 * rng.standard_normal((seeds, 1, 1)) * np.maximum(np.log2(np.maximum(STEPS, 1) / STEPS[-1]) + 3, 0)
        share = late_share(STEPS, _crossed(curve, seeds, draws, 0.01, rng) + sway, GAINS[number])
        assert not isinstance(share, str)
        return Drawn(share)
    if number == 8:
        logs = _crossed(8 + np.array([0, 0.5, 1, 0, 0.5, 1]) + (truth or 0) * np.repeat([0, 1], 3), seeds, 0, 0.2, rng)
        return Drawn(octaves_between(2**logs, [False] * 3 + [True] * 3))
    return Drawn((truth or 0) + 0.02 * rng.standard_normal((seeds, 1)))


@cache
def _exact(turned: int) -> float:
    """The two-sided exact p of two orders of nine that have so many of 36 pairs turned round; 1 where most are."""
    p = stats.kendalltau(_turned(turned), np.arange(9), method="exact").pvalue
    return float(p) if turned < 18 else 1.0


def _crossed(truth: np.ndarray, seeds: int, draws: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """(seeds, 1 + draws, n): noise of seeds; and of items half as much, of which every resample has more, for all."""
    of_seeds = noise * rng.standard_normal((seeds, 1, len(truth)))
    of_items = noise / 2 * rng.standard_normal((1, 1, len(truth)))
    of_draws = noise / 2 * rng.standard_normal((1, draws, len(truth)))
    resampled = np.concatenate([np.zeros((1, 1, len(truth))), of_draws], axis=1)
    return np.asarray(truth + of_seeds + (of_items if draws else 0) + resampled)


def _of_tau(tau: float) -> np.ndarray:
    """An order of nine groups that agrees by at most that with 0, 1, …"""
    return _turned(int(np.ceil((1 - tau) / 2 * 36)))


def _turned(pairs: int) -> np.ndarray:
    """An order of nine groups with so many pairs turned round."""
    order = list(range(9))
    for _ in range(pairs):
        at = next(at for at in range(8) if order[at] < order[at + 1])
        order[at], order[at + 1] = order[at + 1], order[at]
    return np.argsort(order)


def _late(share: float, start: float) -> np.ndarray:
    """A curve that rises evenly over the logarithm of the steps, of whose gain just such a share is late."""
    at = np.log2(np.maximum(STEPS, 1))
    border = np.log2(start * STEPS[-1])
    early, late = np.minimum(at / border, 1.0), np.maximum(at - border, 0) / (at[-1] - border)
    whole, rises = late_share(STEPS, np.stack([early, late]), start), np.stack([early, late])
    gains = rises[:, -3:].mean(axis=1) - rises[:, 0]
    # share = (whole_e gain_e + a whole_l gain_l) / (gain_e + a gain_l), solved for a.
    assert not isinstance(whole, str)
    weight = (share - whole[0]) * gains[0] / ((whole[1] - share) * gains[1])
    return np.asarray(early + weight * late)


def p_values(number: int, of: Drawn) -> tuple[float, float]:
    """p for and against one claim, not corrected."""
    rule = CLAIMS[number - 1].rule
    found = estimate(of.values, of.grain)
    if not isinstance(found, Estimate):
        return 1.0, 1.0
    return max(rule.supports(found), of.p), rule.opposes(found)


def any_supported(seeds: int, draws: int, seed: int = 0) -> int:
    """In how many draws any claim is supported where all twelve are false at once; orders are at the bound in half of
    the draws, and random ones in the others."""
    rng, count = np.random.default_rng(seed), 0
    for draw in range(draws):
        truths = {number: None if number in ORDERS and draw % 2 else null for number, null in NULLS.items()}
        ps = [p_values(number, drawn(number, truth, seeds, rng)) for number, truth in truths.items()]
        count += any(outcome == SUPPORTED for outcome, _, _ in outcomes(*zip(*ps, strict=True)))
    return count


def power(number: int, truth: float, seeds: int, draws: int, seed: int = 0) -> float:
    """How often a claim is supported that is true, where the other eleven are not decided."""
    rng = np.random.default_rng(seed)
    p = np.array([p_values(number, drawn(number, truth, seeds, rng))[0] for _ in range(draws)])
    return float(np.mean(p * len(CLAIMS) < LEVEL))


def main(draws: Annotated[int, typer.Option(help="Of measurements, a cell.")] = 400) -> None:
    """Print both tables."""
    print("| seeds | any claim supported, all twelve false |\n|---|---|")
    for seeds in SEEDS:
        print(f"| {seeds} | {any_supported(seeds, draws)} of {draws} |", flush=True)
    print(f"\n| claim | effect | {' | '.join(f'{seeds} seeds' for seeds in SEEDS)} |\n|---|---|{'---|' * len(SEEDS)}")
    for claim in CLAIMS:
        for effect in EFFECTS[claim.number]:
            shares = [power(claim.number, effect, seeds, draws) for seeds in SEEDS]
            cells = " | ".join(f"{share:.0%}" for share in shares)
            print(f"| {claim.number}. {claim.title} | {effect:g}{claim.unit} | {cells} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
