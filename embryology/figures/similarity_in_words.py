"""What the page about similarity says in words: how quickly layers settle, in which order, and what cannot be told."""

import numpy as np
import pandas as pd
from IPython.display import Markdown

from embryology.analysis import similarity, tables
from embryology.analysis.learning_order import NOT_REACHED, REACHED, UNTOLD, untellable
from embryology.analysis.similarity import LOWER, UPPER, Settling
from embryology.figures import answers, style
from embryology.runs.series import Series
from embryology.specs.similarity import (
    ACCURACY,
    BEFORE,
    CKA,
    KEPT,
    MAJORITY,
    NOISE,
    PWCCA,
    SHUFFLED,
    SURVIVED,
)

NAMES = {CKA: "CKA", PWCCA: "PWCCA"}
SAID = {LOWER: "the lower layers settle first", UPPER: "the upper layers settle first"}


def named(layer: int) -> str:
    """What a layer is called: layer 0 are the embeddings."""
    return f"layer {layer}" if layer else "embeddings"


def units(frame: pd.DataFrame) -> str:
    return tables.units(frame, "document")


def numbers(frame: pd.DataFrame, of: Settling) -> dict[str, str]:
    """What the prose of the page says of the first series, by name.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        of: of :func:`embryology.analysis.similarity.read`.
    """
    own = frame[frame["series"] == tables.main_series(frame)]
    kept = own.loc[own["metric"] == KEPT, "value"]
    since = " It was trained on since; measure it again." if of.trained_on else ""
    shared = "its layers have one set of weights between them, and differ in what they are given"
    return {
        "source": of.source,
        "words": f"{own['n'].max():,}",
        "reference": f"step {of.reference:,}.{since}",
        "settling": f"{settling_of(frame, of)}.",
        "order": f"{order(frame, of, CKA)}. {order(frame, of, PWCCA)}.",
        "shared": f"This model is an ALBERT: {shared}." if (own["model"] == "albert").all() else "",
        "chance": _chance(frame),
        "kept": f"{100 * kept.min():.0f} to {100 * kept.max():.0f}%" if len(kept) else "an unknown share",
        "slowest": _slowest(frame),
        "noise": _noise(frame),
    }


def answer(series: Series, frame: pd.DataFrame, of: Settling) -> Markdown:
    """Whether layers settle from the bottom up; arguments as of :func:`numbers`."""
    return answers.said(
        "Do layers settle from the bottom up?", order(frame, of, CKA), answers.of_one(series, "documents (jackknife)")
    )


def settling_of(frame: pd.DataFrame, of: Settling) -> str:
    """How quickly layers settle, by CKA, as a sentence without its full stop."""
    times = of.times[CKA]
    timed = times[times["state"] == REACHED]
    if (times["state"] == UNTOLD).all():
        return f"How quickly layers settle cannot be told: {_why(frame)}"
    never = [named(layer) for layer in times.index[times["state"] == NOT_REACHED]]
    parts = []
    if len(timed):
        by_step = timed.sort_values("step", kind="stable")
        first, last = by_step.iloc[0], by_step.iloc[-1]
        parts.append(f"first {named(by_step.index[0])} at step {style.stepped(first)}")
        if len(timed) > 1:
            parts.append(f"last {named(by_step.index[-1])} at step {style.stepped(last)}")
    parts += [f"{style.listed(never)} not before the last checkpoint"] if never else []
    return f"Halfway by CKA to what they are at step {of.reference:,}: {', '.join(parts)}"


def _why(frame: pd.DataFrame) -> str:
    return untellable(frame) or "no layer is shown to change, or there are too few documents"


def order(frame: pd.DataFrame, of: Settling, metric: str) -> str:
    """Whether layers settle from the bottom, by a measure, as a sentence without its full stop."""
    pairs = of.pairs[metric]
    counts = pairs["first"].value_counts()
    told = similarity.bottom_up(pairs)
    said = {"neither": "layers settle in no order from bottom to top"} | SAID
    verdict = said[told] if told else "whether lower layers settle first cannot be told"
    if pairs.empty:
        return f"By {NAMES[metric]} {verdict}: there is one layer"
    why = f" ({_why(frame)})" if (of.times[metric]["state"] == UNTOLD).all() else ""
    unknown = len(pairs) - counts.sum()
    return (
        f"By {NAMES[metric]} {verdict}: of {len(pairs)} pairs of layers the lower one settles first in "
        f"{counts.get(LOWER, 0)}, the upper one in {counts.get(UPPER, 0)}, and in {unknown} it cannot be told{why}"
    )


def _chance(frame: pd.DataFrame) -> str:
    """What the words in another order give at the last checkpoint."""
    ends = [
        f"{NAMES[metric]} {style.ranged(rows.iloc[-1], '.2f')}"
        for metric in NAMES
        if len(rows := similarity.chance(frame, metric, SHUFFLED))
    ]
    return style.listed(ends) if ends else "what cannot be told"


def _slowest(frame: pd.DataFrame) -> str:
    """Between which two checkpoints the last layer changes most."""
    top = similarity.layers(frame)[-1]
    rows = similarity.curve(frame, BEFORE, CKA, top)
    if rows.empty:
        return "Between which checkpoints vectors change most cannot be told: there is one alone."
    least = rows.loc[rows["value"].idxmin()]
    return (
        f"The last layer changes most from one checkpoint to the next before step {least['step']:,.0f}: CKA "
        f"{style.ranged(least, '.2f')}. At the last checkpoint it is {style.ranged(rows.iloc[-1], '.3f')}."
    )


def _noise(frame: pd.DataFrame) -> str:
    """How well part of speech is read at the end, and whether the noise it survives has grown since it could be."""
    own = frame[frame["series"] == tables.main_series(frame)]
    blind = similarity.curve(frame, NOISE, ACCURACY, None, MAJORITY).iloc[-1]
    curves = {layer: similarity.curve(frame, NOISE, SURVIVED, layer) for layer in similarity.layers(frame)}
    curves = {layer: rows for layer, rows in curves.items() if len(rows)}
    if not curves:
        return (
            "In no layer of any checkpoint is part of speech read better than by the most frequent tag "
            f"({style.ranged(blind, '.1f', '%', 100)}), so that there is nothing for noise to take away."
        )
    said = []
    for layer, rows in curves.items():
        ends = rows.iloc[-1]
        scored = similarity.curve(frame, NOISE, ACCURACY, layer)
        scored = scored[scored["step"] == ends["step"]].iloc[-1]
        when = "" if ends["step"] == own["step"].max() else f" (at step {ends['step']:,.0f}, the last with any)"
        said.append(
            f"{named(layer)} {style.ranged(scored, '.1f', '%', 100)} accuracy, which survives noise of "
            f"{style.ranged(ends, '.1f')} standard deviations{when}; {_grown(rows)}"
        )
    return f"At the end: {'. '.join(said)}. The most frequent tag is right for {style.ranged(blind, '.1f', '%', 100)}."


def _grown(rows: pd.DataFrame) -> str:
    """Whether the noise that is survived has grown since it could first be told, interval against interval."""
    first, last = rows.iloc[0], rows.iloc[-1]
    if len(rows) < 2 or not np.isfinite([first["high"], last["low"]]).all():
        return "whether that has grown cannot be told"
    since = f"since step {first['step']:,.0f} ({style.ranged(first, '.1f')})"
    if last["low"] > first["high"]:
        return f"it has grown {since}"
    return f"it has fallen {since}" if last["high"] < first["low"] else f"whether it has grown {since} cannot be told"
