"""All runs at hand beside each other, question by question; the reader's own run in a colour that is always its."""

import textwrap
from collections.abc import Sequence

import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis.all_runs import FALLS, HALF, OPEN, RISES, Score, asked
from embryology.figures import answers, style
from embryology.runs.series import Series

QUESTIONS = {
    "language": "Do vectors tell syntax and meaning, and does the model prefer grammatical sentences?",
    "inside": "Do attention heads find a word's syntactic head?",
    "use": "Is a pretrained model a better start for a task, and do more steps make it better?",
    "world": "Does it know facts, and do more steps give more of them?",
}
COLUMNS = 3
NUMBERS = ["step", "tokens", "value", "low", "high", "blind", "blind_high"]


def answer(scores: Sequence[Score], series: Sequence[Series], question: str) -> Markdown:
    """The question, how many scores end beyond all blind answers, and how many still change late.

    Args:
        scores: of :func:`embryology.analysis.all_runs.read`.
        series: all at hand.
        question: one of :data:`QUESTIONS`.
    """
    of_it = asked(series, question)
    if not scores:
        return answers.said(QUESTIONS[question], answers.UNTOLD, f"None of {len(series)} runs at hand was asked")
    beyond = sum(score.beyond for score in scores)
    end = "ends" if len(scores) == 1 else "end"
    said = (
        f"{answers.of(beyond, len(scores))}: {beyond} of {answers.count(len(scores), 'score')} {end} beyond every "
        f"blind answer, interval against interval. {late(scores)}"
    )
    return answers.said(QUESTIONS[question], said, f"{answers.of_several(of_it)}; {_strength(of_it, series)}")


def _strength(of_it: Sequence[Series], series: Sequence[Series]) -> str:
    missing = len(series) - len(of_it)
    left = f"; {missing} of {len(series)} at hand were not asked" if missing else ""
    return f"intervals are over items, not over seeds{left}"


def late(scores: Sequence[Score]) -> str:
    """What scores do from half of the steps on, as a sentence."""
    told = [score.late for score in scores if score.late is not None]
    if not told:
        return "Whether more steps help cannot be told: no checkpoint of the first half was asked"
    return (
        f"From half of the steps to the end {told.count(RISES)} of {len(told)} still rise, {told.count(FALLS)} fall, "
        f"and of {told.count(OPEN)} no change is shown"
    )


@style.styled
def curves(scores: Sequence[Score], question: str) -> HTML:
    """A panel a measure: a thin line a run, that of the first one in its colour, and the best blind answer of each.

    Args:
        scores: of :func:`embryology.analysis.all_runs.read`.
        question: one of :data:`QUESTIONS`.
    """
    if not scores:
        return style.paragraph("Not drawn: no run at hand was asked.")
    measures = list(dict.fromkeys(score.measure for score in scores))
    names = list(dict.fromkeys(score.series for score in scores))
    own = scores[0].series
    known = all(score.rows["tokens"].notna().all() for score in scores)
    x, label = ("tokens", "tokens read") if known else ("step", "training step")
    columns = min(COLUMNS, len(measures))
    figure, axes = style.grid(len(measures), columns, 2.6, margin=0.6 + 0.22 * len(names), sharey=True)
    drawn = []
    for axis, measure in zip(axes, measures, strict=True):
        of_it = [score for score in scores if score.measure == measure]
        for score in reversed(of_it):
            number = names.index(score.series)
            colour, marker, dashes = style.LINES[number % len(style.LINES)]
            width = {"linewidth": 2.2, "zorder": 3} if score.series == own else {"linewidth": 0.9, "alpha": 0.8}
            at, rows = score.rows[x], score.rows
            axis.plot(at, rows["value"], color=colour, marker=marker, linestyle=dashes, label=score.series, **width)
            axis.fill_between(at, rows["low"], rows["high"], color=colour, alpha=0.12, linewidth=0)
            axis.hlines(rows["blind"].iloc[0], 0, at.iloc[-1], color=colour, linestyle=style.DOTTED, linewidth=1)
            drawn.append(rows.assign(series=score.series, measure=measure))
        axis.set_title(textwrap.fill(measure, 34), fontsize=9)
        axis.set_ylim(-0.03, 1.03)
        style.training_axis(axis, pd.concat([score.rows[x] for score in of_it]), label)
    axes[0].plot([], [], color=style.MUTED, linestyle=style.DOTTED, label="best blind answer of the run in this colour")
    style.legend(figure, axes, 2)
    beyond = sum(score.beyond for score in scores)
    short = f"{beyond} of {answers.count(len(scores), 'score')} end beyond every blind answer"
    return style.show(
        figure,
        f"all-runs-{question}",
        short,
        pd.concat(drawn, ignore_index=True)[["series", "measure", *NUMBERS]],
        f"{QUESTIONS[question]} A line a run; thick: {own}. Bands: 95% intervals over items, not over seeds. Dotted: "
        "the best blind answer of each run at the end. Runs of other text or test sets do not compare by heights.",
        f"{len(measures)} panels over {label}, a line a run. {short}. {late(scores)}.",
    )


def table(scores: Sequence[Score]) -> HTML:
    """A row a run and measure: where it ends, beside the best blind answer, and what it does late."""
    rows = [
        {
            "measure": score.measure,
            "run": score.series,
            "at the end": style.ranged(score.rows.iloc[-1], ".1f", "%", 100),
            "best blind answer": f"{100 * score.rows['blind'].iloc[-1]:.1f}%",
            "beyond it": "yes" if score.beyond else "not shown",
            f"from {HALF:.0%} of the steps on": score.late or "cannot be told",
        }
        for score in scores
    ]
    return style.table(pd.DataFrame(rows)) if rows else HTML("")
