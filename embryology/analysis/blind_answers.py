"""What is right without having learnt a word: the line that a group's accuracy has to clear, resampled with it."""

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import curves
from embryology.specs.tokens import FREQUENT_IN_GROUP, FREQUENT_WORD

UNMEASURED = pd.Series({"value": np.nan, "n": 1})


def are_kept(items: pd.DataFrame) -> bool:
    """Whether items hold what frequent words get right, as those that were frozen earlier do not."""
    return FREQUENT_WORD in items and FREQUENT_IN_GROUP in items


def resampled(
    frame: pd.DataFrame, items: pd.DataFrame, tags: list[str], weights: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The accuracy of the best answer that is blind to the group, and that of the group's own most frequent word.

    The former is the set's most frequent word everywhere or the untrained model, whichever gets more right. Where items
    do not hold what frequent words get right, that is drawn from a binomial of its own, independent of the sentences;
    nan where it was not measured.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, of the tokens probe.
        items: of one task and of ``tags`` alone, at all checkpoints.
        tags: groups.
        weights: (draws, sentences), how often each sentence of ``items`` was drawn, in order; first all of them once.
        seed: of the binomial.

    Returns:
        Two tables, (draws, tags).
    """
    first, last = items["step"].min(), items["step"].max()
    if are_kept(items):
        everywhere, own = (
            _at(items, tags, last, weights, name).squeeze(-1) for name in (FREQUENT_WORD, FREQUENT_IN_GROUP)
        )
    else:
        rng, task = np.random.default_rng(seed), str(items["task"].iloc[0])
        rows = [curves.baselines(frame, task, tag) for tag in tags]
        everywhere, own = (
            _drawn([row.get(name, UNMEASURED) for row in rows], len(weights), rng)
            for name in (FREQUENT_WORD, FREQUENT_IN_GROUP)
        )
    if first == 0:
        everywhere = np.fmax(everywhere, _at(items, tags, first, weights, "correct").squeeze(-1))
    return everywhere, own


def _at(items: pd.DataFrame, tags: list[str], step: int, weights: np.ndarray, column: str) -> np.ndarray:
    return intervals.bootstrap_means(*by_sentence(items, tags, np.array([step]), column), weights)


def _drawn(rows: list[pd.Series], draws: int, rng: np.random.Generator) -> np.ndarray:
    share, n = (np.array([row[column] for row in rows]) for column in ("value", "n"))
    drawn = rng.binomial(n.astype(int), np.nan_to_num(share), (draws - 1, len(rows))) / n
    return np.where(np.isnan(share), np.nan, np.vstack([share, drawn]))


def by_sentence(
    items: pd.DataFrame, tags: list[str], steps: np.ndarray, column: str = "correct"
) -> tuple[np.ndarray, np.ndarray]:
    """Right answers and answers, each (sentences, tags, steps), of items of ``tags``; all of their sentences in order.

    Args:
        items: of one task and of ``tags`` alone.
        tags: groups.
        steps: rising; items of others are left out.
        column: what says whether an answer is right.
    """
    names = items["sentence"].unique()
    items = items[items["step"].isin(steps)]
    place = (
        pd.Categorical(items["sentence"], categories=names).codes,
        pd.Categorical(items["group"], categories=tags).codes,
        np.searchsorted(steps, items["step"].to_numpy()),
    )
    shape = (len(names), len(tags), len(steps))
    cells = np.ravel_multi_index(place, shape)
    count = np.bincount(cells, minlength=np.prod(shape)).reshape(shape)
    right = np.bincount(cells, weights=items[column].to_numpy(float), minlength=np.prod(shape)).reshape(shape)
    return right, count
