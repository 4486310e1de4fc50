"""What a thing's sequences taught: a run that never read them against the run itself, and against its noise floor."""

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.runs.counterfactuals import FLOOR, WITHOUT

COLUMNS = ["query", "sequences", "masked", "first", "step", "items", WITHOUT, FLOOR, "low", "high"]


def of_things(effects: pd.DataFrame, step: int | None = None) -> pd.DataFrame:
    """By thing, how its own items change (nats), and how much any item changes with as many other sequences replaced.

    Args:
        effects: of :func:`embryology.runs.counterfactuals.read`.
        step: a checkpoint; None is the last.

    Returns:
        :data:`COLUMNS`: the thing, how many sequences held it, in how many it was asked for, the step of the first; the
        checkpoint; how many of its items are asked about; the mean effect on these without it, and in the noise floor;
        ``low`` and ``high``, between which 95% of the effects on all other items of the same probes lie in the noise
        floor. Effects are nan of a thing that no item asks for.
    """
    at = effects[effects["step"] == (effects["step"].max() if step is None else step)]
    rows = []
    for query, own in at.groupby("query", sort=False):
        asked = own[own["asked"]]
        means = asked.groupby("run")["effect"].mean()
        others = own[(own["run"] == FLOOR) & ~own["asked"] & own["probe"].isin(asked["probe"].unique())]["effect"]
        low, high = np.percentile(others, [2.5, 97.5]) if len(others) else (np.nan, np.nan)
        first = own.iloc[0]
        told = (first["sequences"], first["masked"], first["first"], first["step"], int((asked["run"] == FLOOR).sum()))
        rows.append((query, *told, means.get(WITHOUT, np.nan), means.get(FLOOR, np.nan), low, high))
    return pd.DataFrame(rows, columns=COLUMNS)


def by_checkpoint(effects: pd.DataFrame) -> pd.DataFrame:
    """:func:`of_things` at every checkpoint."""
    return pd.concat([of_things(effects, int(step)) for step in np.sort(effects["step"].unique())], ignore_index=True)


def over_things(things: pd.DataFrame) -> pd.DataFrame:
    """By checkpoint the mean over things of the effect on their own items: without them, in the noise floor, and the
    difference of both.

    Args:
        things: of :func:`by_checkpoint`, each once a checkpoint; those that no item asks for are left out.

    Returns:
        ``step``, ``of`` (the runs' names, or ``difference``), ``value``, ``low``, ``high`` (t over things), ``things``.
    """
    rows = []
    for step, own in things.dropna(subset=[WITHOUT, FLOOR]).groupby("step"):
        values = {WITHOUT: own[WITHOUT], FLOOR: own[FLOOR], "difference": own[WITHOUT] - own[FLOOR]}
        for name, of_thing in values.items():
            low, high = intervals.of_mean(of_thing.to_numpy(float), np.ones(len(of_thing)))
            rows.append((step, name, of_thing.mean(), float(low), float(high), len(of_thing)))
    return pd.DataFrame(rows, columns=["step", "of", "value", "low", "high", "things"])
