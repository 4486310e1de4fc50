"""What was measured at one checkpoint, or why nothing was: the pages of single checkpoints ask several probes."""

from typing import NamedTuple

import pandas as pd

from embryology.analysis import grammar as pairs
from embryology.analysis import knowledge, tables
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import completions, grammar
from embryology.specs.knowledge import NO_OBJECT

TEXT_IS_FREE = "bundled"
"""The set of facts whose text may be published: descriptions of Wikipedia's articles, under CC BY-SA."""


class AtStep(NamedTuple):
    """Of one probe at one checkpoint."""

    rows: pd.DataFrame
    """Of :data:`embryology.runs.measurements.SCHEMA`."""
    items: pd.DataFrame
    """Those behind them."""


def read(series: Series, probe: str, step: int) -> AtStep | str:
    """What a probe measured at a checkpoint, or why it did not, as a clause.

    Args:
        series: that has such a checkpoint.
        probe: its name, of a probe with items.
        step: of the checkpoint.

    Raises:
        EmbryologyError: the series has no checkpoint at ``step``.
    """
    series.select(str(step))
    if reason := measurements.lacking(series, probe):
        return reason
    rows = measurements.read(series, probe)
    at = sorted(rows["step"].unique())
    if step not in at:
        nearest = min(at, key=lambda each: (abs(each - step), each))
        return f"probe {probe} measures some checkpoints alone, and this is none of them; the nearest is {nearest:,}"
    items = measurements.read_items(series, probe)
    return AtStep(rows[rows["step"] == step], items[items["step"] == step].reset_index(drop=True))


def value(rows: pd.DataFrame, task: str, metric: str, baseline: str | None = None, group: str = "") -> pd.Series:
    """The one row of a metric; all null where it was not measured."""
    of_baseline = rows["baseline"].isna() if baseline is None else rows["baseline"] == baseline
    chosen = rows[of_baseline & (rows["task"] == task) & (rows["metric"] == metric) & (rows["group"] == group)]
    return chosen.iloc[0] if len(chosen) else pd.Series(index=rows.columns, dtype=object)


def favourite(items: pd.DataFrame) -> tuple[str, int]:
    """The answer that the most gaps get, of several the first in the alphabet, and how many get it.

    Args:
        items: of the completions probe at one checkpoint.
    """
    answers = items.loc[items["task"] == completions.GAP, "answer"].value_counts()
    most = int(answers.max())
    return min(answers.index[answers == most]), most


def facts(told: AtStep, most: int) -> tuple[str, bool, pd.DataFrame]:
    """Facts of the first set at a checkpoint: those that are right first, and of each kind the most certain.

    Args:
        told: of the knowledge probe.
        most: how many are chosen.

    Returns:
        The name of the set; whether its text may be published, and is there; and a row a fact of one piece, with its
        columns of the probe, ``relation``, and ``fact``, the subject or where it may not be published its number.
        ``right`` is the object, by name or by number, and ``said`` the one that the likeliest piece is, empty where it
        is none of the relation's.
    """
    name = knowledge.sets(told.rows)[0]
    missing = {"answer": NO_OBJECT, "log_probability": 0.0}  # which runs that were frozen earlier do not keep
    items = told.items.assign(**{column: value for column, value in missing.items() if column not in told.items})
    table = items[(items["task"] == name) & (items["pieces"] == 1)].copy()
    named = name == TEXT_IS_FREE and "subject" in table
    objects = table["object"] if named else "object " + table["object_number"].astype(str)
    names = dict(zip(zip(table["group"], table["object_number"], strict=True), objects, strict=True))
    table["fact"] = table["subject"] if named else table["item_id"].str.partition(":")[2]
    table["right"] = objects
    pairs = zip(table["group"], table["answer"], strict=True)
    table["said"] = [names.get(pair, "") for pair in pairs]
    table = table.rename(columns={"group": "relation"})
    # One of each relation, then a second one: else the first rows were all of the commonest.
    ranked = table.sort_values(["correct", "log_probability"], ascending=False, kind="stable")
    turn = ranked.groupby(["correct", "relation"]).cumcount()
    order = ranked.assign(turn=turn).sort_values(["correct", "turn"], ascending=[False, True], kind="stable")
    return name, named, order.head(most).reset_index(drop=True)


def phenomena(told: AtStep) -> pd.DataFrame:
    """Accuracy on the phenomena of the first set of minimal pairs: ``group``, ``value``, ``low``, ``high``, ``n``.

    Args:
        told: of the grammar probe.
    """
    task = pairs.sets(told.rows)[0]
    asked = {"", *told.items.loc[told.items["task"] == task, "group"]}
    rows = tables.of(told.rows, task, grammar.ACCURACY)
    chosen = rows[rows["group"].isin(asked)]
    return chosen[["group", "value", "low", "high", "n"]].sort_values("group", ignore_index=True)
