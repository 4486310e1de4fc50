"""Which n-grams of the training text a masked model follows, and when one hands over to the next."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis.frequency import DRAWS
from embryology.analysis.phases import (
    BOTH,
    FOLDS,
    FROM_THE_FIRST,
    HANDED_OVER,
    LEFT,
    NOT_YET,
    PREDICTORS,
    RIGHT,
    UNIGRAM,
    UNTOLD,
    Phases,
)
from embryology.figures import answers, style
from embryology.intervals import SEED
from embryology.runs.series import Series

NAMES = {
    UNIGRAM: "frequency",
    LEFT: "the word before",
    RIGHT: "the word after",
    BOTH: "the words on both sides",
}
BOOTSTRAP = f"95% bootstrap intervals over word types ({DRAWS:,} resamples, seed {SEED})"
CHANCE = "a predictor of nothing"


@style.styled
def shares(phases: Phases | str, series: str) -> HTML:
    """The variance that each predictor explains alone, and by itself beside the others.

    Args:
        phases: of :func:`embryology.analysis.phases.read`.
        series: what the run is called.
    """
    if isinstance(phases, str):
        return style.paragraph(_untold(phases, series))
    figure, axes = style.panels(1, 2, 9, 4.2)
    data = []
    lines = dict(zip(PREDICTORS, style.LINES, strict=False))
    for axis, title, names, values in (
        (axes[0], "alone", PREDICTORS, phases.alone),
        (axes[1], "added to frequency", PREDICTORS[1:], phases.added),
    ):
        for at, predictor in enumerate(names):
            rows = _curve(phases, values[:, at])
            style.curve(axis, rows, lines[predictor], NAMES[predictor])
            data.append(rows.assign(explains=title, predictor=NAMES[predictor]))
        axis.axhline(0, color=style.INK, linestyle=style.DOTTED, linewidth=1.3, label=CHANCE)
        axis.set_title(title)
        style.training_axis(axis, phases.steps, "training step")
    together = _curve(phases, phases.together)
    style.curve(axes[0], together, (style.INK, "", style.DASHED), "all together", band=False)
    axes[0].set_ylabel("variance explained, R²")
    style.legend(figure, axes, 3)
    answer = _ruling(phases)
    return style.show(
        figure,
        "phases",
        answer,
        pd.concat([*data, together.assign(explains="together", predictor="all")]),
        f"What does the model go by when it fills in a word? Left, the share of the variance of its log-probabilities "
        f"that each n-gram of the training text explains alone; right, what each adds to frequency. Bands: "
        f"{BOOTSTRAP}. Dotted: {CHANCE}. Log-probabilities that {series} gives to "
        f"{phases.words:,} masked words of one piece ({phases.types:,} types) are regressed on those that the training "
        "text gives them: by how often it has the word, and has it beside the word before, the word after, and between "
        "both (interpolated as by Witten and Bell); of types that the regression has not learnt from, in "
        f"{FOLDS} folds.",
        f"Two line charts of explained variance over training steps, four n-gram predictors each. {answer}.",
    )


def _curve(phases: Phases, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(dict(zip(("value", "low", "high"), values, strict=True))).assign(step=phases.steps)


def _ruling(phases: Phases) -> str:
    """Which predictor explains most alone, from which checkpoint to which."""
    best, trained = phases.best, phases.steps > 0
    steps, best = phases.steps[trained], [each for each, after in zip(best, trained, strict=True) if after]
    top = phases.alone[0].max(axis=0)
    highest = int(top.argmax())
    changes = [at for at in range(len(best)) if not at or best[at] != best[at - 1]]
    if len(changes) == 1:
        who = f"{_upper(NAMES[best[0]])} explains most at every checkpoint"
    elif len(changes) <= 4:
        who = "Most is explained by " + style.listed([f"{NAMES[best[at]]} from step {steps[at]:,}" for at in changes])
    else:
        who = "Which predictor explains most changes from checkpoint to checkpoint"
    return (
        f"{who}; up to {top[highest]:.2f} of the variance, at step {phases.steps[highest]:,}, and {top[-1]:.2f} at the "
        "end"
    )


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


@style.styled
def likely(phases: Phases | str, series: str) -> HTML:
    """The mean log-probability of masked words, beside what the n-grams give them. Arguments as of :func:`shares`."""
    if isinstance(phases, str):
        return style.paragraph(_untold(phases, series))
    figure, (axis,) = style.panels(1, 1, 7, 4.2)
    rows = _curve(phases, phases.likely)
    style.curve(axis, rows, style.LINES[0], "the model")
    looks = (style.DOTTED, style.DASHED, (0, (3, 1, 1, 1)), (0, (8, 2)))
    for predictor, level, dashes in zip(PREDICTORS, phases.levels, looks, strict=True):
        axis.axhline(level, color=style.INK, linestyle=dashes, linewidth=1.3, label=NAMES[predictor])
    style.training_axis(axis, phases.steps, "training step")
    axis.set_ylabel("mean log-probability, nats")
    style.legend(figure, [axis], 3)
    answer = _passing(phases)
    return style.show(
        figure,
        "phases-likely",
        answer,
        pd.concat([rows.assign(of="the model"), pd.DataFrame({"of": [*NAMES.values()], "value": phases.levels})]),
        f"Are masked words likelier than the training text alone makes them? The mean log-probability of the words of "
        f"the figure above in {series}, and horizontal lines for what the n-grams give the same words. Band: "
        f"{BOOTSTRAP}. The model is told that a word is one piece, and the n-grams are not, so that it passes them "
        "somewhat early; it has read the text as often as it was trained on it, and they have all of it.",
        f"A line chart of mean log-probability over training steps with four horizontal lines. {answer}.",
    )


def _passing(phases: Phases) -> str:
    passed = phases.passed[phases.passed["state"] == HANDED_OVER]
    if passed.empty:
        return "Words are not shown to become likelier than any of the n-grams makes them"
    said = [f"{NAMES[row['predictor']]} from step {style.stepped(row)} on" for _, row in passed.iterrows()]
    return f"Words are likelier than by {style.listed(said)}"


def table(phases: Phases | str) -> HTML:
    """When each predictor hands over to another."""
    if isinstance(phases, str):
        return style.paragraph(_untold(phases, "this run"))
    rows = [
        {"from": NAMES[row["from"]], "to": NAMES[row["to"]], "step (95% interval)": _when(row)}
        for _, row in phases.handovers.iterrows()
    ]
    return style.table(pd.DataFrame(rows))


def _when(row: pd.Series) -> str:
    return {
        HANDED_OVER: style.stepped(row) if np.isfinite(row["step"]) else "",
        NOT_YET: "not by the end: the first still explains more",
        FROM_THE_FIRST: "the second explains more at the end, the first is not shown to have done before",
        UNTOLD: "cannot be told",
    }[row["state"]]


def numbers(phases: Phases | str) -> dict[str, str]:
    """What the page says, by name."""
    if isinstance(phases, str):
        return {
            "phases_verdict": _untold(phases, "this run"),
            "phases_itself": "",
            "phases_added": "",
            "phases_passed": "",
        }
    happened = phases.handovers[phases.handovers["state"] == HANDED_OVER]
    untold = int((phases.handovers["state"] == UNTOLD).sum())
    said = [
        f"from {NAMES[row['from']]} to {NAMES[row['to']]} at step {style.stepped(row)}"
        for _, row in happened.iterrows()
    ]
    verdict = (
        f"The model hands over {style.listed(said)}."
        if said
        else f"Of {len(phases.handovers)} pairs of predictors none is shown to hand over to the other within the run"
        + (f"; of {untold} it cannot be told which explains more at the end." if untold else ".")
    )
    own = _shown(phases.itself[:, :, -1], PREDICTORS)
    itself = (
        f"At the last checkpoint these explain something that no other does: {style.listed(own)}."
        if own
        else "At the last checkpoint no predictor is shown to explain what the others do not."
    )
    added = _shown(phases.added[:, :, -1], PREDICTORS[1:])
    adds = (
        f"At the last checkpoint these add to what frequency explains: {style.listed(added)} of the variance."
        if added
        else "That any neighbour adds to what frequency explains at the last checkpoint is not shown."
    )
    return {
        "phases_verdict": verdict,
        "phases_itself": itself,
        "phases_added": adds,
        "phases_passed": f"{_passing(phases)}.",
    }


def answer(series: Series, phases: Phases | str) -> Markdown:
    """Which predictor hands over to which; arguments as of :func:`numbers`."""
    return answers.said(
        "Does it follow frequency first, and n-grams after?", numbers(phases)["phases_verdict"], answers.of_one(series)
    )


def _shown(values: np.ndarray, names: Sequence[str]) -> list[str]:
    """Those above 0, of (3, names), each with its interval."""
    rows = pd.DataFrame(values.T, columns=["value", "low", "high"], index=[*names])
    return [f"{NAMES[name]} {style.ranged(row, '.3f')}" for name, row in rows.iterrows() if row["low"] > 0]


def _untold(reason: str, series: str) -> str:
    return f"Not told for {series}: {reason}."
