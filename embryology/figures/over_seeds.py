"""Seeds of one recipe as thin lines, with their median."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import over_seeds
from embryology.analysis.over_seeds import OverSeeds
from embryology.figures import answers, style
from embryology.runs.series import Series
from embryology.specs import UNTRAINED, downstream, edges, knowledge, tokens

BASELINES = (
    downstream.BASELINES
    | tokens.SPECIFICATION.baselines
    | edges.SPECIFICATION.baselines
    | {knowledge.MAJORITY: knowledge.SPECIFICATION.baselines[knowledge.MAJORITY]}
    | {edges.MAJORITY: "most frequent answer", UNTRAINED: "untrained model (step 0)"}
)
"""Labels by name, those of all probes together."""


def headlines(seeds: Sequence[Series], steps: str = "all") -> HTML:
    """What stands for each probe, over seeds.

    Args:
        seeds: of :func:`embryology.analysis.over_seeds.group`.
        steps: which checkpoints of the first one.
    """
    if not seeds:
        return style.paragraph("Not drawn: no two of these series differ by their seed alone.")
    return with_remarks(over_seeds.read(seeds, over_seeds.HEADLINES, steps), "seeds", "What does another seed change?")


def groups(seeds: Sequence[Series], steps: str = "all") -> HTML:
    """Reconstruction of the nine groups of words over seeds, as :func:`headlines`; nothing if not measured."""
    over = over_seeds.read(seeds, over_seeds.GROUPS, steps) if seeds else None
    if over is None or over.curves.empty:
        return HTML("")
    return with_remarks(over, "seeds-of-words", "Which words does each seed give back when it sees the whole sentence?")


def with_remarks(over: OverSeeds, name: str, question: str) -> HTML:
    """:func:`curves`, if there are any, and below them what is missing and why."""
    figure = curves(over, name, question) if len(over.curves) else style.paragraph("Not drawn: nothing was measured.")
    return HTML("".join(str(part.data) for part in (figure, *map(style.paragraph, over.remarks))))


def answer(seeds: Sequence[Series], steps: str = "all") -> Markdown:
    """How far seeds end apart; arguments as of :func:`headlines`."""
    question = "What does another seed change?"
    if not seeds:
        return answers.said(question, answers.UNTOLD, "No two of these series differ by their seed alone")
    over = over_seeds.read(seeds, over_seeds.HEADLINES, steps)
    return answers.said(question, _answer(over), f"Holds for one recipe, {answers.count(len(seeds), 'seed')} of it")


@style.styled
def curves(over: OverSeeds, name: str, question: str) -> HTML:
    """A panel a measure: a thin line a seed, the median with its interval, and baselines.

    Args:
        over: of :func:`embryology.analysis.over_seeds.read`.
        name: of the figure.
        question: that it answers.
    """
    measures = list(dict.fromkeys(over.curves["measure"]))
    columns = min(3, len(measures))
    figure, axes = style.grid(len(measures), columns, 2.5, margin=1.3)
    colour, marker, _ = style.LINES[0]
    levels = []
    for axis, measure in zip(axes, measures, strict=True):
        rows = over.curves[over.curves["measure"] == measure]
        for number, (_, seed) in enumerate(rows.groupby("series", sort=False)):
            thin = {"color": style.LINES[number % len(style.LINES)][0], "linewidth": 0.9, "alpha": 0.75}
            axis.plot(seed["step"], 100 * seed["value"].astype(float), **thin, marker=".", label="one seed")
        median = over.medians[over.medians["measure"] == measure]
        if len(median):
            at = median["step"].astype(float)
            axis.plot(at, 100 * median["value"], color=style.INK, marker=marker, label="median over seeds")
            low, high = (100 * median[end].astype(float) for end in ("low", "high"))
            if low.notna().any():
                band = {"color": colour, "alpha": 0.22, "linewidth": 0}
                axis.fill_between(at, low, high, **band, label="95% t interval of the mean over seeds")
        for baseline, value in over.levels[measure].items():
            if np.isfinite(value):
                style.level(axis, 100 * value, baseline, BASELINES[baseline])
                levels.append(pd.DataFrame({"measure": [measure], "baseline": baseline, "value": value}))
        low_end, high_end = axis.get_ylim()
        axis.set_ylim(max(low_end, -4), min(high_end, 104))  # a t interval of three shares may leave their range
        axis.set_title(textwrap.fill(measure, 34))
        style.training_axis(axis, rows["step"], "training step")
    for axis in axes[::columns]:
        axis.set_ylabel("%")
    style.legend(figure, axes, 2)
    answer = _answer(over)
    few = over.medians["low"].notna().any()
    told = (
        "band: 95% t interval of their mean, over seeds, cut at 0 and 100%, none where all are alike"
        if few
        else "no interval, which takes three seeds that differ"
    )
    names = style.some(list(dict.fromkeys(over.curves["series"])))
    return style.show(
        figure,
        name,
        answer,
        pd.concat(
            [over.curves.merge(over.medians, on=["measure", "step"], how="left", suffixes=("", "_median")), *levels],
            ignore_index=True,
        ),
        f"{question} Thin: a line a seed ({names}), without the intervals over items that its own pages have. Thick: "
        f"the median at the steps that all seeds have, of two seeds their mean; {told}. Baselines are those of the "
        "first seed.",
        f"{style.plural(len(measures), 'line chart')}"
        f" over training steps, a thin line a seed and their median. {answer}.",
    )


def _answer(over: OverSeeds) -> str:
    """How far seeds are apart at the last step of each median."""
    told = []
    for measure, rows in over.medians.groupby("measure", sort=False):
        last = rows.iloc[-1]
        there = over.curves[(over.curves["measure"] == measure) & (over.curves["step"] == last["step"])]["value"]
        ends = f"{100 * there.min():.1f} to {100 * there.max():.1f}"
        told.append((there.max() - there.min(), f"{measure} {100 * last['value']:.1f}% ({ends})"))
    if not told:
        return "No median of these seeds can be taken"
    seeds = int(over.medians["seeds"].max())
    apart, widest = max(told)
    if apart == 0:
        return f"All of {seeds} seeds end alike"
    return f"{seeds} seeds at the end, their median (the lowest to the highest), farthest apart: {widest}"
