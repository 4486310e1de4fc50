"""Curves of any number of runs: each with its interval, or, of many, seeds as thin lines with their median."""

import numpy as np
import pandas as pd

from embryology.figures import chart, looks, style

MANY = 5
"""From so many runs on seeds are thin lines, and orders are maps."""
GAP = 0.06
"""Between names at the ends of lines, as a share of the height of a panel."""


def curves(axis: style.Axes, rows: pd.DataFrame, x: str, scale: float = 1) -> None:
    """Draw a curve a series.

    From :data:`MANY` on those of one recipe are thin lines of one colour, with their median at the steps that all of
    them have; a line that is alone in its recipe is thick. Intervals are then drawn of none, but kept for who points.

    Args:
        axis: where they are drawn.
        rows: ``series``, ``step``, ``value``, ``low``, ``high`` and the column ``x``.
        x: of the x axis.
        scale: what values are multiplied by.
    """
    names = list(rows["series"].unique())
    lines = looks.lines(names)
    if len(names) < MANY:
        for name, line in lines.items():
            style.curve(axis, rows[rows["series"] == name], line, name, x, scale=scale)
        return
    for called, group in looks.by_recipe(names).items():
        if len(group) == 1:
            style.curve(axis, rows[rows["series"] == group[0]], lines[group[0]], group[0], x, band=False, scale=scale)
            continue
        for name in group:
            own, (colour, _, dashes) = rows[rows["series"] == name], lines[name]
            (thin,) = axis.plot(
                own[x].astype(float),
                scale * own["value"],
                color=colour,
                linestyle=dashes,
                linewidth=0.8,
                alpha=0.6,
                label=f"_{name}",
            )
            chart.remember(thin, own, scale)
        median = _median(rows[rows["series"].isin(group)], x, len(group))
        if len(median):
            style.curve(
                axis, median, lines[group[0]], f"{called}, median of {len(group)} seeds", x, band=False, scale=scale
            )


def _median(rows: pd.DataFrame, x: str, seeds: int) -> pd.DataFrame:
    """At steps that all seeds have; tokens read differ a little between seeds, and are their median too."""
    by_step = rows.groupby("step")
    at = pd.DataFrame(
        {"value": by_step["value"].median(), x: by_step[x].median(), "seeds": by_step["series"].nunique()}
    )
    at = at[at["seeds"] == seeds].drop(columns="seeds")
    return at.assign(low=np.nan, high=np.nan, n=np.nan).reset_index(drop=x == "step")


def name_ends(axis: style.Axes) -> list[str]:
    """Write the name of each line with marks at its end, and give the labels that a legend then need not have."""
    lines = [line for line in axis.lines if line.get_marker() not in (None, "", "None")]
    ends = sorted((float(np.asarray(line.get_ydata())[-1]), place) for place, line in enumerate(lines))
    low, high = axis.get_ylim()
    height = -np.inf
    for y, place in ends:
        height = max(y, height + GAP * (high - low))
        line = lines[place]
        x = float(np.asarray(line.get_xdata())[-1])
        name, _, count = str(line.get_label()).partition(", median of ")
        text = f"{name} ({count})" if count else name
        axis.text(1.12 * x, height, text, color=line.get_color(), fontsize=9, va="center", ha="left")
    return [str(line.get_label()) for line in lines]
