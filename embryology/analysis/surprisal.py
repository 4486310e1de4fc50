"""When masked words become likely: the age of acquisition by surprisal, where log-probabilities were kept."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special

from embryology.analysis import acquisition, frequency
from embryology.analysis.acquisition import CHECKPOINTS, CannotBeTold

LEAST = 1.0
"""Nats below chance that a word has to come: halfway to less lies in the noise of a word that was never learnt."""


@dataclass(frozen=True)
class Surprisal:
    """Word types by when they become likely."""

    types: pd.DataFrame
    """``group``, ``type``, ``frequency`` and ``step``, a row each; ``step`` is nan where it does not come."""
    shares: dict[str, float]
    """Of :func:`embryology.analysis.frequency.rank_shares`, types without a step tied last."""


def of_words(words: pd.DataFrame, pieces: int) -> Surprisal:
    """Masked words, by type.

    Args:
        words: of :func:`embryology.analysis.acquisition.tokens`, with log-probabilities.
        pieces: of the vocabulary; all of them alike are chance.

    Raises:
        CannotBeTold: there are too few checkpoints.
    """
    types = acquisition.types(words)
    steps = np.array(acquisition.steps_of(types))
    trained = steps > 0
    if np.count_nonzero(trained) < CHECKPOINTS:
        raise CannotBeTold(f"surprisal takes {CHECKPOINTS} checkpoints after step 0")
    values = -types[list(steps[trained])].to_numpy(float)
    types = types[["group", "type", "frequency"]].assign(step=acquired(steps[trained], values, np.log(pieces)))
    ranks = types["step"].fillna(np.inf).rank().to_numpy()
    return Surprisal(types, frequency.shares(ranks, types["frequency"].to_numpy(), types["group"]))


def acquired(steps: np.ndarray, surprisal: np.ndarray, chance: float) -> np.ndarray:
    """The step at which each word's surprisal is halfway from chance to the least that it reaches.

    Chang and Bergen (2022, "Word Acquisition in Neural Language Models"): where a sigmoid over log10 steps, fitted by
    least squares, crosses that level.

    Args:
        steps: (s,) rising, above 0.
        surprisal: (types, s), nats.
        chance: nats.

    Returns:
        (types,); nan where the sigmoid does not fall through that level within the steps, or the word does not come
        :data:`LEAST` below chance.
    """
    at = np.log10(steps)
    found = np.full(len(surprisal), np.nan)
    for number, values in enumerate(surprisal):
        if values.min() > chance - LEAST:
            continue
        level = (chance + values.min()) / 2
        high, fall, middle, slope = _sigmoid(at, values)
        if fall <= 0 or not high - fall < level < high:
            continue
        crossing = middle + special.logit((high - level) / fall) / slope
        if at[0] <= crossing <= at[-1]:
            found[number] = 10**crossing
    return found


def _sigmoid(at: np.ndarray, values: np.ndarray) -> tuple[float, float, float, float]:
    """``high``, ``fall``, ``middle`` and ``slope`` of high - fall * expit(slope * (at - middle)), by least squares."""

    def residuals(p: np.ndarray) -> np.ndarray:
        left: np.ndarray = p[0] - p[1] * special.expit(p[3] * (at - p[2])) - values
        return left

    def jacobian(p: np.ndarray) -> np.ndarray:
        share = special.expit(p[3] * (at - p[2]))
        steep = p[1] * share * (1 - share)
        return np.stack([np.ones_like(at), -share, p[3] * steep, -(at - p[2]) * steep], axis=1)

    bounds = [-np.inf, 0, at[0], 0.1], [np.inf, np.inf, at[-1], 50]
    span = max(float(np.ptp(values)), 1e-3)
    start = [values.max(), span, at[np.abs(values - values.mean()).argmin()].clip(at[0] + 1e-6, at[-1] - 1e-6), 3]
    high, fall, middle, slope = optimize.least_squares(residuals, start, jacobian, bounds).x
    return float(high), float(fall), float(middle), float(slope)
