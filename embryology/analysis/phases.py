"""Which n-grams of the training text a masked model follows, checkpoint by checkpoint, and when one hands over to the
next (after Chang and Bergen 2022, and Michaelov and others 2025, who have it of models that read from the left).

How likely the model makes each masked word is regressed, with a constant, on the logarithms of what the training text
gives it (:mod:`embryology.corpus.ngrams`): by frequency alone, beside the word before, beside the word after, and
between both. What is explained is told of word types that the regression has not learnt from, in five folds, so that a
predictor of nothing explains nothing, or less. One explains *alone* what it does without the others, *adds* what it
does beside frequency, and explains *by itself* what all do together less what the others do. Intervals are a bootstrap
over the types that are told of.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import crossings, tables
from embryology.analysis.frequency import DRAWS
from embryology.errors import EmbryologyError
from embryology.runs import measurements, properties
from embryology.runs.series import Series
from embryology.specs.properties import FREQUENCY, NGRAMS
from embryology.specs.tokens import MASK_PREDICTION, SPECIFICATION

UNIGRAM, LEFT, RIGHT, BOTH = "unigram", "left", "right", "both"
PREDICTORS = (UNIGRAM, LEFT, RIGHT, BOTH)
PAIRS = ((UNIGRAM, LEFT), (UNIGRAM, RIGHT), (UNIGRAM, BOTH), (LEFT, BOTH), (RIGHT, BOTH))
"""From, to."""
FOLDS = 5
FEWEST = intervals.LEAST_OF_BOOTSTRAP
HANDED_OVER, NOT_YET, FROM_THE_FIRST, UNTOLD = "handed over", "not yet", "from the first", "cannot be told"


@dataclass(frozen=True)
class Phases:
    """What explains masked words of one piece, over the checkpoints of one run."""

    steps: np.ndarray
    """(s,) rising."""
    words: int
    types: int
    alone: np.ndarray
    """(3, predictors, s): value, low and high of R² of each of :data:`PREDICTORS`."""
    itself: np.ndarray
    """(3, predictors, s): of R² of all less that of all others."""
    added: np.ndarray
    """(3, predictors - 1, s): of R² of each but frequency together with it, less that of frequency alone."""
    together: np.ndarray
    """(3, s): of R² of all."""
    likely: np.ndarray
    """(3, s): of the model's mean log-probability, nats."""
    levels: np.ndarray
    """(predictors,) mean log-probability that each gives, nats."""
    handovers: pd.DataFrame
    """A row a pair of :data:`PAIRS`: ``from``, ``to``, ``state``; ``step``, ``low`` and ``high`` where it handed over,
    else nan."""
    passed: pd.DataFrame
    """A row a predictor: ``predictor``, ``state`` and ``step``, ``low``, ``high`` at which words become likelier, for
    good, than it makes them."""

    @property
    def best(self) -> list[str]:
        """The predictor that explains most alone, by checkpoint."""
        return [PREDICTORS[at] for at in self.alone[0].argmax(axis=0)]


def read(series: Series, steps: str = "all") -> Phases | str:
    """Of a run whose masked words were measured and counted; or a clause that says why nothing can be told."""
    probe = SPECIFICATION.name
    for kind in (FREQUENCY, NGRAMS):
        if reason := properties.lacking(series, probe, kind):
            return reason
    items = tables.select(measurements.read_items(series, probe), series, steps)
    if "log_probability" not in items:
        return "log-probabilities were not kept when it was frozen"
    items = items[items["task"] == MASK_PREDICTION]
    values = items.pivot(index="item_id", columns="step", values="log_probability").sort_index(axis=1).astype(float)
    if values.isna().any(axis=None):
        raise EmbryologyError(
            "the checkpoints of this run were measured on different words; measure all of them alike: embryology probe "
            "RUN --probe tokens"
        )
    often = properties.read(series, probe, FREQUENCY).set_index("item_id")[["type", "pieces"]]
    table = values.join(often, how="left").join(properties.read(series, probe, NGRAMS).set_index("item_id"), how="left")
    if table["type"].isna().any():
        raise EmbryologyError("the frequency of some words was not counted: embryology count RUN")
    table = table[(table["pieces"] == 1) & table[list(PREDICTORS)].notna().all(axis=1)]
    predictors = table[list(PREDICTORS)].to_numpy(float)
    return of_words(values.columns.to_numpy(), predictors, table[values.columns].to_numpy(), table["type"].to_numpy())


def of_words(
    steps: np.ndarray,
    predictors: np.ndarray,
    values: np.ndarray,
    types: np.ndarray,
    draws: int = DRAWS,
    seed: int = intervals.SEED,
) -> Phases | str:
    """As :func:`read`.

    Args:
        steps: (s,) rising.
        predictors: (words, 4) log-probabilities of :data:`PREDICTORS`.
        values: (words, s) log-probabilities of the model.
        types: (words,) any labels: what is resampled.
        draws, seed: of the bootstrap.
    """
    if len(steps) < 2:
        return "it takes two checkpoints"
    if (kinds := len(np.unique(types))) < FEWEST:
        return f"there are {kinds} word types of one piece with their neighbours, and it takes {FEWEST}"
    numbers = np.unique(types, return_inverse=True)[1]
    weights = np.concatenate([np.ones((1, kinds)), intervals.resamples(kinds, draws, seed)])
    fold = (np.random.default_rng(seed).permutation(kinds) % FOLDS)[numbers]
    sizes = (weights @ np.bincount(numbers))[:, None]

    def summed(each: np.ndarray) -> np.ndarray:
        """(1 + draws, ...) of (words, ...)."""
        sums: np.ndarray = weights @ intervals.by_unit(each, numbers)[0]
        return sums

    centred = values - values.mean(axis=0)  # for the sake of digits alone
    means = summed(centred) / sizes
    spread = summed(centred**2) - sizes * means**2

    def explained(*chosen: str) -> np.ndarray:
        """(1 + draws, s): the share of the variance of words whose types were not learnt from."""
        columns = [np.ones(len(values)), *(predictors[:, PREDICTORS.index(name)] for name in chosen)]
        design, left = np.stack(columns, axis=1), np.empty(values.shape)
        for number in range(FOLDS):
            held = fold == number
            left[held] = centred[held] - design[held] @ np.linalg.lstsq(design[~held], centred[~held])[0]
        shares: np.ndarray = 1 - np.divide(summed(left**2), spread, out=np.ones(spread.shape), where=spread > 0)
        return shares

    alone = {name: explained(name) for name in PREDICTORS}
    together = explained(*PREDICTORS)
    itself = [together - explained(*(other for other in PREDICTORS if other != name)) for name in PREDICTORS]
    added = [explained(UNIGRAM, name) - alone[UNIGRAM] for name in PREDICTORS[1:]]
    differences = np.stack([alone[to] - alone[by] for by, to in PAIRS], axis=1)
    likely = means + values.mean(axis=0)
    gaps = likely[:, None] - (summed(predictors) / sizes)[:, :, None]
    return Phases(
        steps,
        len(values),
        kinds,
        _told(np.stack([*alone.values()], axis=1)),
        _told(np.stack(itself, axis=1)),
        _told(np.stack(added, axis=1)),
        _told(together),
        _told(likely),
        predictors.mean(axis=0),
        pd.DataFrame(PAIRS, columns=["from", "to"]).join(_crossed(steps, differences)),
        pd.DataFrame({"predictor": PREDICTORS}).join(_crossed(steps, gaps)),
    )


def _told(drawn: np.ndarray) -> np.ndarray:
    """(3, ...) of (1 + draws, ...): the first, and the ends of the interval of the others."""
    return np.stack([drawn[0], *intervals.percentile_interval(drawn[1:])])


def _crossed(steps: np.ndarray, differences: np.ndarray) -> pd.DataFrame:
    """When curves, (1 + draws, curves, s), rise above 0 for good: ``state``, ``step``, ``low``, ``high``.

    They do where they are below at some checkpoint and above at the last, both with their interval.
    """
    steps = np.asarray(steps, float)
    _, low, high = _told(differences)
    below, ends_above, ends_below = (high < 0).any(axis=1), low[:, -1] > 0, high[:, -1] < 0
    state = np.select(
        [ends_above & below, ends_above, ends_below], [HANDED_OVER, FROM_THE_FIRST, NOT_YET], default=UNTOLD
    )
    zeros = np.zeros(differences.shape[:2])
    at = crossings.lasting(steps, differences[0], zeros[0])
    drawn = crossings.resampled(steps, differences[1:], zeros[1:])
    ends = crossings.interval(steps, drawn)
    table = pd.DataFrame({"state": state, "step": at, "low": np.minimum(ends[0], at), "high": np.maximum(ends[1], at)})
    table.loc[table["state"] != HANDED_OVER, ["step", "low", "high"]] = np.nan
    return table
