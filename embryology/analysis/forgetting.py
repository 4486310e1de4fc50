"""What fine-tuning for tags forgets, and gives to another language, by the checkpoint that it starts from."""

import numpy as np
import pandas as pd

from embryology.analysis.means import over_units
from embryology.specs.forgetting import (
    ACCURACY,
    BEFORE,
    FORGOTTEN,
    LEARNT,
    MAJORITY,
    MASKED_LOSS,
    OTHER,
    PLAIN,
    SPECIFICATION,
    UNIGRAM,
)

ALL = ""
"""The group that is the mean over all texts."""
KEYS = ["task", "metric", "group"]


def by_checkpoint(frame: pd.DataFrame) -> pd.DataFrame:
    """What each method gives from each checkpoint.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, of the probe: seeds of one recipe, or a single run.

    Returns:
        A row a ``task`` (the method), ``metric``, ``group`` and ``step``: ``value``, the mean over runs of the mean
        over their seeds of fine-tuning; ``low`` and ``high``, the 95% t interval over runs, nan for fewer than three;
        ``runs``; and ``majority``, of accuracies that of the most frequent tag. Metrics are the accuracy of tags and
        what is forgotten of the masked loss (nats), of each text and of all (:data:`ALL`).
    """
    means = _by_cell(frame).groupby([*KEYS, "step", "series"], as_index=False)["value"].mean()
    rows = over_units(means, [*KEYS, "step"], "value", "runs")
    majority = frame[(frame["baseline"] == MAJORITY) & (frame["metric"] == ACCURACY)]
    return rows.join(majority.groupby(KEYS)["value"].mean().rename("majority"), on=KEYS)


def beside_plain(frame: pd.DataFrame) -> pd.DataFrame:
    """By how much each method differs from plain fine-tuning of the last checkpoint, the same runs and seeds paired.

    Args:
        frame: as of :func:`by_checkpoint`.

    Returns:
        A row a ``task``, ``metric`` and ``group``: ``difference``, ``low`` and ``high``, the 95% t interval over ``n``
        units, nan for fewer than three; the ``unit`` is the run, where there are several, else the seed of fine-tuning.
    """
    cells = _by_cell(frame)
    cells = cells[cells["step"] == cells["step"].max()]
    unit = "run" if cells["series"].nunique() > 1 else "seed"
    pairing = ["metric", "group", "series", "seed"]
    plain = cells.loc[cells["task"] == PLAIN, [*pairing, "value"]].rename(columns={"value": "plain"})
    cells = cells[cells["task"] != PLAIN].merge(plain, on=pairing)
    cells = cells.assign(difference=cells["value"] - cells["plain"])
    units = cells.groupby([*KEYS, "series" if unit == "run" else "seed"], as_index=False)["difference"].mean()
    return over_units(units, KEYS, "difference", "n").assign(unit=unit)


def said(frame: pd.DataFrame) -> str:
    """Whether what is remembered is kept, and whether the other language gains, in sentences for the page."""
    table = beside_plain(frame)
    if table.empty:
        return "What remembering does cannot be told: the run was not fine-tuned plainly and in another way."
    rows = by_checkpoint(frame).set_index([*KEYS, "step"])
    cells, majority = rows["value"], rows["majority"]
    last = frame["step"].max()
    lost, right = cells[PLAIN, FORGOTTEN, ALL, last], cells[PLAIN, ACCURACY, LEARNT, last]
    known = _known(frame[frame["step"] == last])
    if known <= 0:
        return (
            f"What is forgotten cannot be told: at step {last:,} the masked loss is not below that of the frequency of "
            f"pieces (by {known:+.2f} nats), so that there is nothing to forget."
        )
    sentences = [
        f"Before it is fine-tuned its masked loss is {known:.2f} nats below that of the frequency of pieces. "
        f"Fine-tuned plainly from step {last:,} on, its masked loss changes by {lost:+.2f} nats, and it tells "
        f"{right:.1%} of the tags that it learns."
    ]
    by_key = table.set_index(KEYS)
    asked = (PLAIN, ACCURACY, OTHER, last) in cells.index
    for task in (name for name in SPECIFICATION.tasks if name in set(table["task"])):
        parts = [_compared(by_key.loc[(task, FORGOTTEN, ALL)], "forgets", ("{:+.3f}", 1, "nats"))]
        if asked:
            row = by_key.loc[(task, ACCURACY, OTHER)]
            parts.append(_compared(row, "tells of the other language's tags", ("{:+.1f}", 100, "points")))
        sentences.append(f"{SPECIFICATION.tasks[task].capitalize()} {' and '.join(parts)}.")
    if asked:
        value, first = cells[PLAIN, ACCURACY, OTHER, last], cells.get((PLAIN, ACCURACY, OTHER, 0))
        scratch = "" if first is None else f", from random parameters {first:.1%}"
        blind = f"the most frequent tag of the first is right in {majority[PLAIN, ACCURACY, OTHER, last]:.1%}"
        sentences.insert(1, f"Of the other language, without an example, it tells {value:.1%}{scratch}; {blind}.")
    else:
        sentences.append("Tags of another language cannot be told: no treebank in one was named.")
    n = table["n"].min()
    units = _count(n, "run") if table["unit"].iloc[0] == "run" else f"{_count(n, 'seed')} of fine-tuning one run"
    over = "; 95% t intervals over them" if table["low"].notna().any() else ""
    return " ".join([*sentences, f"Rests on {units}{over}."])


def _known(rows: pd.DataFrame) -> float:
    """How far the masked loss is below the unigram line before fine-tuning, nats, as a mean over runs and texts."""
    means = rows[rows["metric"] == MASKED_LOSS].groupby("baseline")["value"].mean()
    return float(means[UNIGRAM] - means[BEFORE])


def _by_cell(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a series, step, method, metric, group and seed, with the mean over texts of what is forgotten."""
    rows = frame[frame["baseline"].isna() & frame["metric"].isin([ACCURACY, FORGOTTEN])]
    columns = [*KEYS, "series", "step", "seed"]
    texts = rows[rows["metric"] == FORGOTTEN].assign(group=ALL).groupby(columns, as_index=False)["value"].mean()
    return pd.concat([rows[[*columns, "value"]], texts], ignore_index=True)


def _compared(row: pd.Series, does: str, how: tuple[str, float, str]) -> str:
    """What it does more or less of, with the interval; or that this is not shown. ``how`` a number is written: its
    form, what it is multiplied by, and its unit."""
    form, scale, unit = how
    difference, low, high = (form.format(scale * row[name]) for name in ("difference", "low", "high"))
    if np.isnan(row["low"]):
        return f"what it {does} differs by {difference} {unit}, without an interval"
    told = f"({difference} {unit}, {low} to {high})"
    if row["low"] > 0 or row["high"] < 0:
        return f"what it {does} is {'more' if row['low'] > 0 else 'less'} {told}"
    return f"what it {does} is not shown to differ {told}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' if n != 1 else ''}"
