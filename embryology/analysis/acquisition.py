"""From which checkpoint on a word stays right: its age of acquisition, which lies between two checkpoints.

A word is acquired at the first checkpoint from which it is right to the end, at two checkpoints or more. So the last
checkpoint only confirms, and a word that is not right at the last two is not acquired within the run: censored, which
is neither left out nor given the last step.
"""

import numpy as np
import pandas as pd

from embryology.errors import EmbryologyError

CHECKPOINTS = 4
"""Fewer leave too few gaps between checkpoints in which words may be acquired."""


class CannotBeTold(EmbryologyError):  # noqa: N818 - an outcome, not an error
    """There are too few checkpoints or words; the message is a clause."""


def tokens(
    items: pd.DataFrame, properties: pd.DataFrame, task: str, groups: list[str], values: str = "correct"
) -> pd.DataFrame:
    """Every scored word of some groups, a row each, with the checkpoints at which it was right.

    Args:
        items: of :func:`embryology.runs.measurements.read_items`, of the tokens probe.
        properties: of the same items, the kind ``frequency`` of :func:`embryology.runs.properties.read`.
        task: ``reconstruction`` or ``mask-prediction``.
        groups: tags.
        values: the column of the items that is told instead.

    Returns:
        ``type``, ``group``, ``pieces``, ``count``, ``frequency`` (log2 of the count in the training text and one),
        ``words`` (1), and a column a step with whether it was right, as numbers.

    Raises:
        CannotBeTold: there are fewer than :data:`CHECKPOINTS`, or the items were frozen without those values.
        EmbryologyError: the properties lack an item.
    """
    if values not in items:
        raise CannotBeTold(f"{values.replace('_', '-')} was not kept when it was frozen")
    chosen = items[(items["task"] == task) & items["group"].isin(groups)]
    right = chosen.pivot(index="item_id", columns="step", values=values).astype(float)
    if right.shape[1] < CHECKPOINTS:
        raise CannotBeTold(
            f"when words are acquired cannot be told from {right.shape[1]} checkpoints; it takes {CHECKPOINTS}"
        )
    first = chosen.drop_duplicates("item_id")[["item_id", "group"]]
    words = first.merge(properties, on="item_id", how="left", validate="one_to_one")
    if lacking := int(words["type"].isna().sum()):
        raise EmbryologyError(f"the frequency of {lacking:,} words was not counted: embryology count RUN")
    words = words.assign(frequency=np.log2(words["count"] + 1), words=1)
    return words.join(right, on="item_id")


def of_one_piece(words: pd.DataFrame) -> pd.DataFrame:
    """The words whose frequency is that of what the model reads: pieces of others are more frequent than they are."""
    return words[words["pieces"] == 1]


def types(words: pd.DataFrame) -> pd.DataFrame:
    """The word types of each group: as :func:`tokens`, ``words`` how many, and the share of them that is right."""
    of_type = dict.fromkeys(["pieces", "count", "frequency"], "first")
    return words.groupby(["group", "type"], sort=True, as_index=False).agg(
        of_type | {"words": "sum"} | dict.fromkeys(steps_of(words), "mean")
    )


def steps_of(words: pd.DataFrame) -> list[int]:
    """The checkpoints of a table of :func:`tokens` or :func:`types`."""
    return [int(column) for column in words.columns if isinstance(column, int | np.integer)]


def acquired(words: pd.DataFrame) -> np.ndarray:
    """(words,) int64: the number of the checkpoint from which each stays right; as many as can be told where none is.

    A type is right where more than half of its words are. With s checkpoints 0 to s - 2 can be told, and s - 1 stands
    for a word that is censored.
    """
    right = words[steps_of(words)].to_numpy() > 0.5
    wrong = ~right[:, ::-1]
    last_run = np.where(wrong.any(axis=1), wrong.argmax(axis=1), right.shape[1])
    from_step: np.ndarray = np.minimum(right.shape[1] - last_run, right.shape[1] - 1)
    return from_step
