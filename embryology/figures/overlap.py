"""How much test text stands in the training text, and what scores are without it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import overlap
from embryology.figures import answers, style
from embryology.runs.series import Series
from embryology.specs import registry


def numbers(series: Series, steps: str = "all") -> dict[str, str]:
    """What the prose of the page says, by name."""
    table = overlap.table(series, steps)
    held_out, told = overlap.held_out_facts(series)
    facts = "No fact of an article that was kept out of training was asked for."
    if held_out:
        facts = (
            f"Of {held_out:,} facts whose article was kept out of training, the names of {told:,} stand together in a "
            "sentence of another one."
        )
    return {"overlap": _sentence(table), "held_out_facts": facts}


def answer(series: Series, steps: str = "all") -> Markdown:
    """How much of the test text was trained on; arguments as of :func:`numbers`."""
    said = _sentence(overlap.table(series, steps))
    return answers.said("How much of the test text was trained on?", said, answers.of_one(series, "documents"))


def _sentence(table: pd.DataFrame) -> str:
    if not table["overlapping"].any():
        return "No sentence and no 13 words of any item stand in the training text."
    most = table.loc[(table["overlapping"] / table["items"]).idxmax()]
    sentence = (
        f"Most of it is in {_label(most)}, where {most['overlapping']:,} of {most['items']:,} items share text with "
        "what the model was trained on."
    )
    change = 100 * table["difference"].abs()
    if change.isna().all():
        return sentence
    if change.max() < 0.005:
        return f"{sentence} Without such items no share of right answers changes by 0.01 points."
    at = table.loc[change.idxmax()]
    return (
        f"{sentence} Without such items the share of right answers changes most for {_label(at)}, by "
        f"{100 * -at['difference']:+.2f} points."
    )


def _label(row: pd.Series) -> str:
    labels, (*of, kind) = registry.get(row["probe"]).tasks, row["task"].rsplit("/", 1)
    return f"{labels.get(kind, kind)}{f' ({of[0]})' if of else ''}"


def shares(series: Sequence[Series]) -> HTML:
    """Item sets by training text: the share of items with a sentence and with an n-gram in it."""
    table = overlap.shares(series)
    table = table.assign(
        items=[f"{probe}: {label}" for probe, label in zip(table["probe"], table.apply(_label, axis=1), strict=True)],
        shares=[
            f"{_percent(row.sentence, 'too short')}, {_percent(row.ngram, 'too short')}" for row in table.itertuples()
        ],
    )
    wide = table.pivot_table("shares", "items", "series", aggfunc="first", sort=False).fillna("not counted")
    return style.table(wide.reset_index().rename_axis(None, axis=1))


def scores(series: Series, steps: str = "all") -> HTML:
    """The share of right answers of every task that overlaps, with those items and without them."""
    table = overlap.table(series, steps)
    table = table[table["overlapping"] > 0]
    if table.empty:
        return style.paragraph("Nothing overlaps, so that there is no score to tell without it.")
    shown = pd.DataFrame(
        {
            "items": table["probe"] + ": " + table.apply(_label, axis=1),
            "overlapping": [
                f"{row.overlapping:,} of {row.items:,}, in {row.units:,} {_units(row)}" for row in table.itertuples()
            ],
            "right": [_percent(share, "not right or wrong") for share in table["score"]],
            "right without them": [_percent(share, "not right or wrong") for share in table["without"]],
            "all less without, points (95% interval)": [_difference(row) for _, row in table.iterrows()],
        }
    )
    return style.table(shown)


def _units(row: Any) -> str:
    return "documents" if "sentence" in registry.get(row.probe).kept_items else "passages"


def _percent(share: float, otherwise: str) -> str:
    return f"{100 * share:.1f}%" if np.isfinite(share) else otherwise


def _difference(row: pd.Series) -> str:
    if not np.isfinite(row["difference"]):
        return "cannot be told"
    if not np.isfinite(row["low"]):
        return f"{100 * row['difference']:+.2f} (fewer than {overlap.FEWEST} {_units(row)}, no interval)"
    return style.ranged(row.rename({"difference": "value"})[["value", "low", "high"]], "+.2f", scale=100)
