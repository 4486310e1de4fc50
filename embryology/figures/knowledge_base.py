"""In a sentence and a table: what a knowledge base at hand does to the facts that a model gets right."""

import numpy as np
import pandas as pd
from IPython.display import HTML

from embryology.analysis.knowledge_base import ALL
from embryology.figures import style
from embryology.specs.knowledge import NOT_IN_IT

LABELS = {
    "types": "the subject's name and type",
    "sentence": "the first sentence of the object's article",
    "subject_sentence": "the first sentence of the subject's article",
}
NOT_ASKED = "No run has been asked for facts with a context."


def sentence(told: pd.DataFrame) -> str:
    """What each kind of context does at the last checkpoint, beyond what any such text does; no, and cannot be told.

    Args:
        told: of :func:`embryology.analysis.knowledge_base.over_seeds`, or of ``beside_plain``; of the first set.
    """
    last = _last(told)
    if last.empty:
        return NOT_ASKED
    said = []
    for kind, rows in last[last["measure"] == "correct"].groupby("context", sort=False):
        row = rows[rows["facts"] == ALL].iloc[0]
        text = f"{LABELS[kind]} {_effect(row)}: {row['with']:.1%} of facts are right with it, {row['without']:.1%} "
        text += f"without, {row['wrong']:.1%} with that of another object; the answer stands in {row['in_context']:.0%}"
        rest = rows[rows["facts"] == NOT_IN_IT]
        if len(rest) and row["in_context"] > 0:
            text += f", and of the others {rest['with'].iloc[0]:.1%} are right with it, "
            text += f"{rest['without'].iloc[0]:.1%} without"
        elif row["in_context"] > 0:
            text += ", so that it need only be copied"
        said.append(text)
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _effect(row: pd.Series) -> str:
    ends = [row[f"{name}_{end}"] for name in ("more", "beyond") for end in ("low", "high")]
    if np.isnan(ends).any():
        return "has an effect that cannot be told"
    more_low, more_high, beyond_low, _ = ends
    if more_low > 0:
        return "helps" if beyond_low > 0 else "helps no more than that of another object"
    return "does harm" if more_high < 0 else "cannot be seen to help"


def table(told: pd.DataFrame) -> HTML:
    """The same in numbers, a row a context, group of facts and measure."""
    last = _last(told)
    if last.empty:
        return style.table(pd.DataFrame({"a knowledge base at hand": [NOT_ASKED]}))
    shares = (last["measure"] == "correct").to_numpy()

    def said(name: str) -> list[str]:
        return [
            f"{value:.1%}" if share else f"{value:.2f} nats" for value, share in zip(last[name], shares, strict=True)
        ]

    def difference(name: str) -> list[str]:
        columns = (last[name], last[f"{name}_low"], last[f"{name}_high"], shares)
        return [_difference(*row) for row in zip(*columns, strict=True)]

    return style.table(
        pd.DataFrame(
            {
                "context": last["context"].map(LABELS),
                "facts": [f"{which} ({n:,.0f})" for which, n in zip(last["facts"], last["n"], strict=True)],
                "answer in it": [f"{share:.0%}" for share in last["in_context"]],
                **{f"{way} it" if way != "wrong" else "another's": said(way) for way in ("without", "with", "wrong")},
                "with less without": difference("more"),
                "with less another's": difference("beyond"),
            }
        )
    )


def _difference(value: float, low: float, high: float, is_share: bool) -> str:
    scale, unit = (100, "points") if is_share else (1, "nats")
    ends = "cannot be told" if np.isnan(low) else f"{low * scale:+.2f} to {high * scale:+.2f}"
    return f"{value * scale:+.2f} {unit} ({ends})"


def _last(told: pd.DataFrame) -> pd.DataFrame:
    if told.empty:
        return told
    first = told[told["set"] == told["set"].iloc[0]]
    return first[first["step"] == first["step"].max()].reset_index(drop=True)
