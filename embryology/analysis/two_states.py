"""A fact is known or not, and answers tell of it but for guesses and slips: the model, and its likeliest parameters."""

import math
from dataclasses import astuple, dataclass, fields, replace

import numpy as np

AT_ONCE = 200_000
"""Answers of all draws that are fitted side by side, as more of them leave the processor's cache."""


@dataclass(frozen=True)
class TwoStates:
    """A fact is known or not; it may be learnt or forgotten at any time; answers are right by guess, wrong by slip.

    Bayesian knowledge tracing (Corbett and Anderson 1994), with forgetting. ``learn`` and ``forget`` are rates: that of
    a change within ``w`` doublings is ``1 - exp(-rate w)``. The others are probabilities.
    """

    start: float
    """Of being known at the first checkpoint."""
    learn: float
    """Of being learnt, a doubling of the steps."""
    forget: float
    """Of being forgotten, a doubling of the steps."""
    guess: float
    """Of a right answer where the fact is not known."""
    slip: float
    """Of a wrong answer where it is."""

    def draw(self, facts: int, doublings: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(facts, t) bool answers at checkpoints so many ``doublings``, (t - 1,), apart."""
        checkpoints = len(doublings) + 1
        learn, forget = -np.expm1(-self.learn * doublings), -np.expm1(-self.forget * doublings)
        chance = rng.random((2, checkpoints, facts))
        state, answers = chance[0, 0] < self.start, np.empty((facts, checkpoints), bool)
        for t in range(checkpoints):
            if t:
                state = np.where(state, chance[0, t] >= forget[t - 1], chance[0, t] < learn[t - 1])
            answers[:, t] = chance[1, t] < np.where(state, 1 - self.slip, self.guess)
        return answers


FORGET = [field.name for field in fields(TwoStates)].index("forget")


def fit(
    known: np.ndarray,
    doublings: np.ndarray,
    counts: np.ndarray | None = None,
    forgets: bool = True,
    begin: TwoStates | None = None,
    tolerance: float = 1e-7,
    iterations: int = 500,
) -> TwoStates:
    """Maximum likelihood by expectation and maximisation (Baum and Welch).

    Args:
        known: (rows, t) bool, t at least 2.
        doublings: (t - 1,) of the steps between checkpoints, finite.
        counts: (rows,) how often each row stands for a fact; None for once.
        forgets: whether facts may be forgotten; else ``forget`` stays 0.
        begin: where to start from; None takes a plain guess.
        tolerance: of the mean log-likelihood of an answer, at which it is enough.
        iterations: at most.
    """
    counts = np.ones(len(known)) if counts is None else counts
    (model,) = fit_all(known, doublings, counts[None], forgets, begin, tolerance, iterations)
    return TwoStates(*map(float, model))


def fit_all(
    known: np.ndarray,
    doublings: np.ndarray,
    counts: np.ndarray,
    forgets: bool = True,
    begin: TwoStates | None = None,
    tolerance: float = 1e-7,
    iterations: int = 500,
) -> np.ndarray:
    """:func:`fit` for each set of ``counts``, (draws, rows), side by side: (draws, 5) in the order of its fields.

    ``known`` is that of all draws, or of each of them, (draws, rows, t).
    """
    model = begin or TwoStates(0.05, 0.1, 0.1, 0.01, 0.1)
    # A rate of 0 stays 0, and one near it hardly moves.
    model = replace(model, forget=max(model.forget, 0.02) if forgets else 0.0)
    models, before = np.tile(astuple(model), (len(counts), 1)), np.full(len(counts), -np.inf)
    enough = tolerance * counts.sum(axis=1) * known.shape[-1]
    for chunk in np.array_split(np.arange(len(counts)), math.ceil(counts.size * known.shape[-1] / AT_ONCE)):
        moving = chunk
        for _ in range(iterations):
            of_each = known if known.ndim == 2 else known[moving]
            models[moving], likelihood = _improved(models[moving], of_each, counts[moving], doublings)
            gained, before[moving] = likelihood - before[moving], likelihood
            moving = moving[gained >= enough[moving]]
            if not len(moving):
                break
    return models


def _improved(
    models: np.ndarray, known: np.ndarray, counts: np.ndarray, doublings: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One step of each of (draws, 5) ``models``. Returns also the (draws,) log-likelihoods before it."""
    start, learning, forgetting, guess, slip = models.T[:, :, None]
    right, t = np.moveaxis(known, -1, 0), known.shape[-1]
    # (state, draws, rows) of each checkpoint: the probability of its answer where the fact is unknown and is known.
    answer = [np.stack([np.where(seen, guess, 1 - guess), np.where(seen, 1 - slip, slip)]) for seen in right]
    # (draws, 1) of each checkpoint after the first
    learn, forget = (-np.expm1(-rate * [0, *doublings]).T[:, :, None] for rate in (learning, forgetting))
    forward: list[np.ndarray] = []
    scale: list[np.ndarray] = []
    prior = np.stack([1 - start, start])
    for at in range(t):
        if at:
            no, yes = forward[-1]
            prior = np.stack([no * (1 - learn[at]) + yes * forget[at], no * learn[at] + yes * (1 - forget[at])])
        joint = prior * answer[at]
        scale.append(joint.sum(axis=0))
        forward.append(joint / scale[at])
    changes = np.zeros((4, len(models), t))  # learnt since the checkpoint before, still unknown, forgotten, still known
    right_guess, unknown, wrong_slip = np.zeros((3, len(models)))
    after = np.ones((2, *counts.shape))
    for at in reversed(range(t)):
        state = forward[at] * after * counts
        unknown += state[0].sum(axis=1)
        right_guess += (state[0] * right[at]).sum(axis=1)
        wrong_slip += (state[1] * ~right[at]).sum(axis=1)
        if at:
            no, yes = forward[at - 1] * counts
            ahead = after * answer[at] / scale[at]
            for row, (weight, of, reached) in enumerate(
                (
                    (no, learn[at], ahead[1]),
                    (no, 1 - learn[at], ahead[0]),
                    (yes, forget[at], ahead[0]),
                    (yes, 1 - forget[at], ahead[1]),
                )
            ):
                changes[row, :, at] = of[:, 0] * np.einsum("dr,dr->d", weight, reached)
            after = np.stack(
                [
                    (1 - learn[at]) * ahead[0] + learn[at] * ahead[1],
                    forget[at] * ahead[0] + (1 - forget[at]) * ahead[1],
                ]
            )
    facts = counts.sum(axis=1)
    improved = [
        state[1].sum(axis=1) / facts,  # at the first checkpoint, where the loop ended
        next_rate(models[:, 1], changes[0, :, 1:], changes[1, :, 1:], doublings),
        next_rate(models[:, 2], changes[2, :, 1:], changes[3, :, 1:], doublings),
        _share(right_guess, unknown),
        _share(wrong_slip, facts * t - unknown),
    ]
    return np.stack(improved, axis=1), (np.log(scale).sum(axis=0) * counts).sum(axis=1)


def next_rate(before: np.ndarray | float, ended: np.ndarray, lasted: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """One step of expectation and maximisation towards the rate of an end that is seen between checkpoints alone.

    Args:
        before: (...) the rate so far; 0 stays 0.
        ended, lasted: (..., intervals) how many did in each interval, and did not.
        widths: (intervals,).
    """
    rate = np.asarray(before, float)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        until_end = np.where(rate * widths > 1e-6, 1 / rate - widths / np.expm1(rate * widths), widths / 2)
    exposure = (lasted * widths).sum(axis=-1) + (ended * until_end).sum(axis=-1)
    rates = np.divide(ended.sum(axis=-1), exposure, out=np.zeros(exposure.shape), where=exposure > 0)
    return np.where(np.asarray(before) > 0, rates, 0)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return shares.clip(0, 1)
