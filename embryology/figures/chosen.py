"""Single words, facts and pairs through training: a few are drawn, and a reader chooses others in the page.

Text is named where it may be published, that is words and facts of the bundled articles. Items of other data, and those
of frozen runs, which keep no text, are named by their tag or relation and a number; pairs by their paradigm and id.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML

from embryology.analysis import tables
from embryology.errors import EmbryologyError
from embryology.figures import chart, style
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import grammar, knowledge, tokens
from embryology.specs.tokens import LOG_PROBABILITY, MASK_PREDICTION

MOST = 300
"""Items that a reader can choose from: more would make a page of megabytes."""
DRAWN = 6
BUNDLED = "vital articles"
"""How sources and sets of the bundled text are called."""


def words(series: Series, steps: str = "all") -> HTML:
    """The mean log-probability of single words where they are masked, a line a word.

    Args:
        series: of any run; where it is frozen, words are named by their tag and a number.
        steps: which checkpoints, as of :func:`embryology.analysis.tables.read`.
    """
    items = _items(series, tokens.SPECIFICATION.name, steps, LOG_PROBABILITY, MASK_PREDICTION)
    if isinstance(items, str):
        return style.paragraph(items)
    if _may_be_named(items, "word"):
        items = items.assign(name=items["word"].str.lower() + " (" + items["group"] + ")")
    return _drawn(series, items, "word", "mean log-probability, nats")


def facts(series: Series, steps: str = "all") -> HTML:
    """The log-probability of the objects of single facts, a line a fact; arguments as of :func:`words`."""
    items = _items(series, knowledge.SPECIFICATION.name, steps, LOG_PROBABILITY)
    if isinstance(items, str):
        return style.paragraph(items)
    if _may_be_named(items, "subject"):
        items = items.assign(name=items["subject"] + " → " + items["object"] + " (" + items["group"] + ")")
    return _drawn(series, items, "fact", "log-probability of the object, nats")


def pairs(series: Series, steps: str = "all") -> HTML:
    """How much likelier the grammatical sentence of single pairs is, a line a pair; arguments as of :func:`words`."""
    items = _items(series, grammar.SPECIFICATION.name, steps, "difference")
    if isinstance(items, str):
        return style.paragraph(items)
    return _drawn(series, items.assign(name=items["item_id"]), "pair", "log-probability, less the other's, nats")


def _may_be_named(items: pd.DataFrame, column: str) -> bool:
    return column in items and BUNDLED in str(items["source"].iloc[0])


def _items(series: Series, probe: str, steps: str, value: str, task: str | None = None) -> pd.DataFrame | str:
    """The items of a task of a probe, the first if none is said, at chosen checkpoints: with ``y``, the column
    ``value``, and ``name``, their group and a number; or a sentence that says why there are none."""
    try:
        items = tables.select(measurements.read_items(series, probe), series, steps)
    except EmbryologyError as error:
        return f"Single items are not drawn: {error}."
    if value not in items:
        return f"Single items are not drawn: {series.name} kept no {value.replace('_', ' ')} of them."
    items = items[~items["task"].str.endswith(f"/{grammar.WHOLE}")]
    items = items[items["task"] == (task or items["task"].iloc[0])]
    return items.assign(name=_numbered(items, items["group"])).rename(columns={value: "y"})


def _numbered(items: pd.DataFrame, kind: pd.Series) -> pd.Series:
    """ "NN 12": what an item is, and its number among those, in the order of their ids."""
    numbers = items["item_id"].map({item: place for place, item in enumerate(sorted(items["item_id"].unique()))})
    of_kind = numbers.groupby(kind).rank(method="dense").astype(int)
    return kind + " " + of_kind.astype(str)


def _few(curves: pd.DataFrame, counts: pd.Series) -> pd.DataFrame:
    """At most :data:`MOST` curves: of those that rest on most items, evenly through their names."""
    if len(curves) <= MOST:
        return curves
    frequent = counts[counts == counts.max()] if (counts == counts.max()).sum() >= MOST else counts.nlargest(MOST)
    return curves.loc[sorted(frequent.index)].loc[style.few(sorted(frequent.index), MOST)]


@style.styled
def _drawn(series: Series, items: pd.DataFrame, of: str, unit: str) -> HTML:
    """Lines of :data:`DRAWN` items that end at evenly spaced places, with the mean of all, and the choice of others.

    Args:
        series: whose.
        items: ``name``, ``step`` and ``y``; several rows of one name and step are averaged.
        of: what an item is.
        unit: of ``y``.
    """
    curves = items.pivot_table("y", "name", "step", aggfunc="mean").dropna()
    if curves.empty:
        return style.paragraph(f"Single {of}s are not drawn: none was asked for at every checkpoint.")
    mean, everything = curves.mean(), len(curves)
    last = int(curves.columns[-1])
    curves = _few(curves, items[items["step"] == last].groupby("name").size().reindex(curves.index))
    order = curves[last].sort_values(kind="stable").index
    shown = style.few(list(order), DRAWN)
    figure, (axis,) = style.panels(1, 1, 7.5, 4.6)
    for name, line in zip(shown, style.LINES, strict=False):
        style.curve(axis, _rows(curves.loc[name]), line, str(name), band=False)
    style.curve(axis, _rows(mean), (style.INK, "", style.DASHED), f"mean of all {everything:,}", band=False)
    style.training_axis(axis, curves.columns.to_numpy(float), "training step")
    axis.set_ylabel(unit)
    style.legend(figure, [axis], 2)
    chart.offer(
        figure,
        {
            "of": of,
            "labels": [str(name) for name in curves.index],
            "x": [float(step) for step in curves.columns],
            "y": curves.round(2).to_numpy(float).tolist(),
            "first": [list(curves.index).index(name) for name in shown],
            "colours": [colour for colour, _, _ in style.LINES],
        },
    )
    rises = (curves[last] > curves.iloc[:, 0]).mean()
    answer = f"{rises:.0%} of {len(curves):,} {of}s end higher than at step {int(curves.columns[0]):,}"
    # Wide, as a tidy one would be ten times as long.
    data = pd.concat([curves, mean.to_frame("mean of all").T]).round(4)
    return style.show(
        figure,
        f"single-{of}s",
        answer,
        data.rename(columns="step {}".format).rename_axis("name").reset_index(),
        f"How does a single {of} come? Drawn are {len(shown)} of {series.name}, which end at evenly spaced places. "
        f"Dashed: the mean of all {everything:,}. One {of} has no interval: neighbouring checkpoints differ by chance. "
        f"Others can be chosen above, where the page runs scripts, of {len(curves):,} that stand in the data.",
        f"Line chart of {len(shown)} {of}s over training steps. {answer}.",
    )


def _rows(values: pd.Series) -> pd.DataFrame:
    nothing: Sequence[float] = [np.nan] * len(values)
    return pd.DataFrame({"step": values.index, "value": values.to_numpy(float), "low": nothing, "high": nothing})
