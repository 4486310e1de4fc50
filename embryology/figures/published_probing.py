"""The published edge-probing curves with the intervals that their test items allow."""

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import published_probing as published
from embryology.figures import answers, style

RATE = 1e-4
"""Of the released probe at its beginning."""


def numbers() -> dict[str, str]:
    """What the prose of the page says, by name."""
    table = published.denominators()
    by_task = table.groupby("task", sort=False)
    agree = table["n"] == table["remainder"]
    return {
        "items": style.listed([f"{int(rows['n'].iloc[0])} ({task})" for task, rows in by_task]),
        "same": "the same" if (by_task["n"].nunique() == 1).all() else "not always the same",
        "farthest": f"{table['distance'].max():.1e}",
        "tolerance": f"{published.TOLERANCE:.0g}",
        "chance": f"{table['log_chance'].max():.0f}",
        "batch": f"{published.BATCH:,}",
        "agree": f"{agree.sum()} of {len(table)}",
        "larger": f"{(table['whole'] / table['n']).min():,.0f} to {(table['whole'] / table['n']).max():,.0f}",
        "one": _range(100 / table["n"]),
        "error": _range(100 * table["error"]),
        "spread": _range(100 * table["spread"]),
        "halved_small": str(published.halvings(RATE, 1e-7)),
        "halved_gone": f"{published.halvings(RATE, 5e-324):,}",
    }


def answer() -> Markdown:
    """How exact the published curves are."""
    table, values = published.denominators(), numbers()
    wider = _wider(table)
    return answers.said(
        "How exact are the published probing curves?",
        f"To {values['error']} (standard error): each rests on few test items, {values['items']}, and not on the whole "
        "test set",
        f"Read off the released figures of BERT and ELECTRA; in {wider} of {len(table)} curves that error is larger "
        "than what they vary late in training",
    )


def _wider(table: pd.DataFrame) -> int:
    """Of how many curves the standard error is larger than what they vary late."""
    return int((table["error"] > table["spread"]).sum())


def _range(values: pd.Series) -> str:
    return f"{values.min():.1f} to {values.max():.1f} points"


@style.styled
def curves() -> HTML:
    """Every published curve with its 95% interval, a panel a model and task."""
    figure, axes = style.panels(len(published.TASKS), 2, 8.5, 8.6, sharex=True, sharey="row")
    drawn = []
    panels = iter(axes)
    for task in published.TASKS:
        for (model, (colour, _, _)), axis in zip(_colours(), (next(panels), next(panels)), strict=True):
            rows = published.with_intervals(model, task)
            axis.plot(rows["step"], rows["value"], color=colour, marker=".", linewidth=1, label=f"published {model}")
            axis.fill_between(rows["step"], rows["low"], rows["high"], color=colour, alpha=0.22, linewidth=0)
            axis.set_title(f"{model}: {task} · n = {rows['n'].iloc[0]}")
            drawn.append(rows.assign(model=model))
    for axis in axes[::2]:
        axis.set_ylabel("micro F1")
    for axis in axes[-2:]:
        axis.set_xlabel("training step (thousands)")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}")
    table, values = published.denominators(), numbers()
    wider = _wider(table)
    answer = f"Another test sample would move {wider} of {len(table)} published curves by more than they vary late"
    return style.show(
        figure,
        "published-probing",
        answer,
        pd.concat(drawn, ignore_index=True)[["model", "task", "step", "value", "low", "high", "n"]],
        f"How sure are the published edge-probing curves? Micro F1 of BERT and ELECTRA over pretraining, read off the "
        f"released figures. Bands: 95% Wilson intervals, of as many test items as all values of a curve are multiples "
        f"of ({values['items']}). The items are the same at every step, so part of this error is shared along a curve. "
        f"No baseline was published.",
        f"{style.plural(len(axes), 'line chart')} of micro"
        f" F1 over training steps, for {style.listed(list(published.TASKS))} of BERT "
        f"and ELECTRA. {answer}: the standard error is {values['error']}, the standard deviation from step "
        f"{published.LATE:,} on {values['spread']}.",
    )


def _colours() -> list[tuple[str, tuple[str, str, Any]]]:
    return list(zip(published.FILES, style.LINES, strict=False))


def table() -> HTML:
    """The numbers behind it, a row a curve."""
    denominators = published.denominators()
    return style.table(
        pd.DataFrame(
            {
                "curve": denominators["model"] + " " + denominators["task"],
                "points": denominators["points"],
                "distinct values": denominators["distinct"],
                "all are multiples of 1 /": denominators["n"],
                "farthest from one": denominators["distance"].map("{:.1e}".format),
                "log10 chance": denominators["log_chance"].map("{:.0f}".format),
                "test set, commonly cited": denominators["whole"].map("{:,}".format),
                f"modulo {published.BATCH:,}": denominators["remainder"],
                "standard error (points)": (100 * denominators["error"]).map("{:.1f}".format),
                "s.d. of late values (points)": (100 * denominators["spread"]).map("{:.1f}".format),
            }
        )
    )


def rates() -> HTML:
    """What is left of the probe's learning rate after so many steps of halving."""
    steps = np.array([0, 5, 10, 20, 30, 50, 100, 1000, 1100])
    left = RATE * 0.5**steps
    return style.table(
        pd.DataFrame({"training steps after the sixth entry": steps, "learning rate": [f"{rate:.1e}" for rate in left]})
    )
