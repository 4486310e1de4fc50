"""How pretraining went: losses, accuracies on held-out text, and the gradient."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis.plateau import MARGIN, plateau
from embryology.figures import answers, looks, many_runs, phases_of_training, style
from embryology.intervals import wilson
from embryology.runs.losses import STALLED_NORM
from embryology.runs.series import Series


def _runs(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame, tuple[str, str, Any]]]:
    """Every series with its rows and its way of being drawn, the run itself first."""
    names = table["series"].unique()
    return [(name, table[table["series"] == name], line) for name, line in looks.lines(list(names)).items()]


def _axis(table: pd.DataFrame) -> tuple[str, str]:
    """Runs of different batch sizes are compared at equal tokens, a run alone is shown by its steps."""
    return ("tokens", "tokens read") if table["series"].nunique() > 1 else ("step", "training step")


@style.styled
def losses(table: pd.DataFrame) -> HTML:
    """The masked-word loss in nats against the unigram line, with the plateau shaded.

    Args:
        table: of :func:`embryology.analysis.plateau.read`.
    """
    x, label = _axis(table)
    figure, (axis,) = style.panels(1, 1, 7.5, 4.4)
    for name, rows, (colour, marker, dashes) in _runs(table):
        held_out = rows.dropna(subset=["held_out_masked_loss"])
        axis.plot(rows[x], rows["masked_loss"], color=colour, alpha=0.45, linewidth=1, label=f"{name}: training text")
        line = {"color": colour, "marker": marker, "linestyle": dashes}
        axis.plot(held_out[x], held_out["held_out_masked_loss"], **line, label=f"{name}: held-out text")
        ends = held_out["held_out_masked_loss_low"], held_out["held_out_masked_loss_high"]
        axis.fill_between(held_out[x], *ends, color=colour, alpha=0.22, linewidth=0)
    held_out_columns = [column for column in table if column.startswith("held_out_masked_loss")]
    main = _runs(table)[0][1]
    stay = plateau(main)
    unigram = main["unigram_loss"].dropna().iloc[-1]
    axis.axhline(unigram, color=style.INK, linestyle="--", linewidth=1.3, label=f"unigram frequencies ({unigram:.2f})")
    if stay.entered is not None:
        steps = [main["step"].max() if end is None else end for end in (stay.entered, stay.left)]
        left, right = np.interp(steps, main["step"], main[x])
        axis.axvspan(left, right, color="#E69F00", alpha=0.18, linewidth=0, label=f"within {MARGIN} nats of it")
    borders = phases_of_training.mark([axis], main, x)
    style.training_axis(axis, table.dropna(subset=["held_out_masked_loss"])[x], label)
    axis.set_ylabel("masked-word loss (nats)")
    style.legend(figure, [axis], 2)
    words = phases_of_training.around_the_unigram_line(main)
    name = _runs(table)[0][0]
    return style.show(
        figure,
        "losses",
        words[0].upper() + words[1:],
        table[["series", "step", "tokens", "masked_loss", *held_out_columns, "unigram_loss"]],
        f"When does the model learn more than how often words occur? Masked-word loss of {name} on training text and "
        f"on held-out articles, mean nats a masked piece. Band: 95% bootstrap over sequences. "
        f"Baseline, dashed: cross-entropy of the training text's unigram distribution, {unigram:.2f} nats. Shaded: the "
        f"plateau, within {MARGIN} nats of it. On training text it is the mean over the steps since the point before; "
        f"on held-out articles masks are fixed, and dots are checkpoints. The plateau begins where the held-out loss "
        f"comes within {MARGIN} nats of the baseline, which is at the same places, and ends where it is {MARGIN} nats "
        f"below it, linear between checkpoints.{borders}{_copied(table)}",
        f"Line chart of masked-word loss over {label}: {words}. Held-out loss ends at {stay.final:.2f} nats, the "
        f"unigram line is at {unigram:.2f}.",
    )


@style.styled
def below_unigram(table: pd.DataFrame) -> HTML:
    """How far the held-out masked loss of several runs lies below their own unigram lines, over tokens read.

    Args:
        table: of :func:`embryology.analysis.plateau.read`.
    """
    held_out = _below_unigram(table)
    figure, (axis,) = style.panels(1, 1, 7.5, 4.4)
    axis.axhline(0, color=style.INK, linestyle="--", linewidth=1.3, label="unigram frequencies, each run's own")
    many_runs.curves(axis, held_out.rename(columns={"below_unigram": "value"}), "tokens")
    style.training_axis(axis, held_out["tokens"], "tokens read")
    named = []
    if held_out["series"].nunique() >= many_runs.MANY:
        style.room(axis, held_out["tokens"].max())
        named = many_runs.name_ends(axis)
    axis.set_ylabel("nats below the unigram line")
    style.legend(figure, [axis], 2, named)
    ends = held_out.groupby("series", sort=False)["below_unigram"].last().sort_values()
    spread = f"{ends.iloc[0]:.2f} ({ends.index[0]}) to {ends.iloc[-1]:.2f} ({ends.index[-1]})"
    listed = _lasts(held_out, "below_unigram")
    answer = f"Nats below the unigram line at the end: {listed}"
    if len(ends) > 2:
        answer = f"Ends: {spread} nats below the unigram line; {listed}"
    return style.show(
        figure,
        "below-unigram",
        answer,
        held_out,
        f"How much more than word frequencies does a run learn from more text? Cross-entropy of the training text's "
        f"unigram distribution less masked-word loss, at the same held-out places. "
        f"{'Thin: seeds' if named else 'Bands: 95% bootstrap over sequences'}. Baseline, dashed: 0, a model that knows "
        f"frequencies alone. In nats a masked piece; dots are checkpoints. Runs with other text or another vocabulary "
        f"have other unigram lines "
        f"({_lasts(held_out, 'unigram_loss')}), so the distance to the own line is drawn, not the loss."
        f"{_copied(table)}",
        f"Line chart of nats below the unigram line over tokens read. {answer}. {compared(table)['at_equal_tokens']}",
    )


def _copied(table: pd.DataFrame) -> str:
    """What is to be said of runs whose held-out places were not all masked."""
    if table["version"].max() > COPIED:
        return ""
    return (
        " A tenth of the held-out places were shown as they are: what lies below the line is in part copying, which "
        "is learnt before any word is predicted."
    )


def _below_unigram(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.dropna(subset=["held_out_masked_loss"])
    return pd.DataFrame(
        {
            **{column: rows[column] for column in ("series", "step", "tokens", "unigram_loss")},
            "below_unigram": rows["unigram_loss"] - rows["held_out_masked_loss"],
            "low": rows["unigram_loss"] - rows["held_out_masked_loss_high"],
            "high": rows["unigram_loss"] - rows["held_out_masked_loss_low"],
        }
    )


def _lasts(held_out: pd.DataFrame, column: str) -> str:
    last = held_out.groupby("series", sort=False)[column].last()
    return style.listed([f"{name} {value:.2f}" for name, value in last.items()])


def compared(table: pd.DataFrame) -> dict[str, str]:
    """What the text says of several runs beside each other, formatted, by name."""
    runs = [(name, rows["tokens"], rows["below_unigram"]) for name, rows, _ in _runs(_below_unigram(table))]
    first, last = runs[0][0], runs[0][1].iloc[-1]
    equal = [
        f"{name} is {_side(np.interp(last, tokens, below))} its own"
        for name, tokens, below in runs[1:]
        if tokens.iloc[-1] >= last
    ]
    at = f"At {style.short(last)} tokens, where {first} ends, and linear between checkpoints"
    return {"at_equal_tokens": f"{at}, {style.listed(equal)}." if equal else ""}


def _side(nats: float) -> str:
    return f"{abs(nats):.2f} nats {'below' if nats > 0 else 'above'}"


def answer(series: Series, table: pd.DataFrame) -> Markdown:
    """Whether a run learns more than how frequent words are.

    Args:
        series: the first.
        table: of :func:`embryology.analysis.plateau.read`.
    """
    main = _runs(table)[0][1]
    stay, last = plateau(main), main.dropna(subset=["held_out_masked_loss"]).iloc[-1]
    low, high = last["held_out_masked_loss_low"], last["held_out_masked_loss_high"]
    told = answers.YES if high < stay.unigram else answers.NO if low > stay.unigram else answers.UNTOLD
    return answers.said(
        "Does it learn more than how frequent words are?",
        f"{told}: after {last['tokens']:,} tokens its loss on held-out text is {stay.final:.2f} nats ({low:.2f} to "
        f"{high:.2f}), {_side(stay.unigram - stay.final)} that of a model that predicts frequencies alone",
        answers.of_one(series, "held-out sequences"),
    )


def answer_of_runs(series: Sequence[Series], table: pd.DataFrame) -> Markdown:
    """How far runs get below their own unigram lines; arguments as of :func:`answer`, ``series`` all of them."""
    ends = [rows.iloc[-1] for _, rows, _ in _runs(_below_unigram(table))]
    beyond = sum(row["low"] > 0 for row in ends)
    nats = sorted(row["below_unigram"] for row in ends)
    drawn = [each for each in series if each.name in set(table["series"])]
    others = len(series) - len(drawn)
    left = f"; {others} others have no losses, or those of another version of training" if others else ""
    all_below = f"by {nats[0]:.2f} to {nats[-1]:.2f} nats"
    span = all_below if nats[0] > 0 else f"from {_side(nats[0])} it to {_side(nats[-1])} it"
    return answers.said(
        "How much more do runs learn than how frequent words are?",
        f"{beyond} of {answers.count(len(ends), 'run')} end below the loss of word frequencies alone, interval against "
        f"interval, {span}",
        f"{answers.of_several(drawn)}; intervals are over held-out sequences{left}",
    )


class Question(NamedTuple):
    """What a model is asked on held-out text."""

    title: str
    answer: str
    """Column of ``losses.parquet``."""
    baseline: str
    """Likewise, of what knows nothing but what ``guess`` says."""
    guess: str
    scored: str | None
    """Likewise, of how many were scored; None where the interval is that of the difference from the baseline."""
    unit: str = "accuracy"


QUESTIONS = (
    Question(
        title="masked words",
        answer="held_out_masked_accuracy",
        baseline="unigram_accuracy",
        guess="the most frequent piece everywhere",
        scored="held_out_places",
    ),
    Question(
        title="pairs of segments",
        answer="held_out_pair_accuracy",
        baseline="held_out_surface_accuracy",
        guess="the best rule that reads no words",
        scored="held_out_pairs",
    ),
    Question(
        title="replaced pieces",
        answer="held_out_replaced_accuracy",
        baseline="held_out_original_share",
        guess="every piece taken for the original",
        scored="held_out_pieces",
    ),
    Question(
        title="replaced pieces, ranked",
        answer="held_out_replaced_auc",
        baseline="held_out_frequency_auc",
        guess="ranked by how frequent a piece is",
        scored=None,
        unit="area under the ROC curve",
    ),
)
CUT = (
    "the pairs of this run were cut before they were swapped, and whether the first segment ends a sentence tells most "
    "of their order"
)
"""Of runs of version 1, which measured no surface rule."""
COPIED = 2
"""The last version of training whose held-out places were not all masked."""


@style.styled
def held_out_accuracy(table: pd.DataFrame) -> HTML:
    """Held-out accuracy of the training tasks against baselines, a panel each.

    Args:
        table: of :func:`embryology.analysis.plateau.read`.
    """
    x, label = _axis(table)
    held_out = table.dropna(subset=["held_out_masked_accuracy"]).reset_index(drop=True)
    asked = [question for question in QUESTIONS if held_out[question.answer].notna().any()]
    figure, axes = style.panels(len(asked), 1, 7.5, 3 * len(asked) + 0.2, sharex=True)
    main = _runs(held_out)[0][1]
    last, ends, baselines = main.iloc[-1], [], []
    shown = held_out[["series", "step", "tokens"]].copy()
    for axis, question in zip(axes, asked, strict=True):
        for name, rows, (colour, marker, dashes) in _runs(held_out):
            axis.plot(rows[x], rows[question.answer], color=colour, marker=marker, linestyle=dashes, label=name)
            there = rows[rows[question.answer].notna()]
            low, high = _interval(there, question)
            axis.fill_between(there[x], low, high, color=colour, alpha=0.22, linewidth=0)
            shown.loc[there.index, [f"{question.answer}_low", f"{question.answer}_high"]] = np.column_stack([low, high])
        axis.set(title=question.title, ylabel=question.unit)
        axis.set_ylim(bottom=0) if question is QUESTIONS[0] else axis.set_ylim(0.3, 1.02)
        if pd.isna(last[question.answer]):
            axis.text(0.5, 0.7, "not asked in this run", transform=axis.transAxes, ha="center", color=style.MUTED)
            continue
        value = last[question.answer]
        ends.append(f"{question.title} {value:.0%}" if question.scored else f"{question.title} {value:.2f}")
        cut = pd.isna(last[question.baseline])
        at, guess = (main[x] * 0 + 0.5, "chance") if cut else (main[question.baseline], question.guess)
        line = {"color": style.INK, "linestyle": "--", "linewidth": 1.3}
        axis.plot(main[x], at, label=f"{question.title}: {guess}", **line)
        scored = f", of {last[question.scored]:,.0f} scored" if question.scored else ""
        baselines.append(f"{question.title}: {guess} ({at.iloc[-1]:.3f}{scored}){f'; {CUT}' if cut else ''}")
        low, _ = _interval(main.iloc[[-1]], question)
        if low.item() <= at.iloc[-1]:
            ends[-1] += ", no better than its baseline"
    style.training_axis(axes[-1], held_out[x], label)
    style.legend(figure, axes, 1)
    answer = f"Right at the end: {style.listed(ends)}"
    columns = [
        column for question in asked for column in (question.answer, question.baseline, question.scored) if column
    ]
    return style.show(
        figure,
        "held-out-accuracy",
        answer,
        pd.concat([shown, held_out[columns]], axis=1),
        f"How well does {_runs(table)[0][0]} do on text it never saw? Accuracy on held-out articles at what it is "
        f"trained to tell. Bands: 95% Wilson intervals. Baselines, dashed, at the last checkpoint: "
        f"{'; '.join(baselines)}. Pairs are whether two neighbouring segments stand in order (ALBERT), or the second "
        f"follows the first (BERT); dots are checkpoints; of areas the band is the bootstrap over sequences of the "
        f"difference from the baseline.",
        f"{style.plural(len(asked), 'line chart')} of held"
        f"-out accuracy over {label}. {answer}. Baselines: {'; '.join(baselines)}.",
    )


def _interval(rows: pd.DataFrame, question: Question) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends at checkpoints that were asked."""
    if question.scored:
        return wilson((rows[question.answer] * rows[question.scored]).round(), rows[question.scored])
    low, high = (rows[question.baseline] + rows[f"held_out_auc_gain_{end}"] for end in ("low", "high"))
    return low.to_numpy(), high.to_numpy()


@style.styled
def optimisation(table: pd.DataFrame) -> HTML:
    """Gradient norm and learning rate, where a collapse of the layers would show.

    Args:
        table: of :func:`embryology.analysis.plateau.read`.
    """
    x, label = _axis(table)
    figure, axes = style.panels(2, 1, 7.5, 5.4, sharex=True)
    for name, rows, (colour, _, dashes) in _runs(table):
        for axis, column in zip(axes, ("gradient_norm", "learning_rate"), strict=True):
            axis.plot(rows[x], rows[column], color=colour, linestyle=dashes, label=name)
    main = _runs(table)[0][1]
    axes[0].axhline(
        STALLED_NORM, color=style.INK, linestyle=":", linewidth=1.3, label=f"sign of a stall ({STALLED_NORM})"
    )
    axes[0].set_ylim(bottom=0)
    axes[0].set_title("norm of the gradient before clipping")
    axes[1].set_title("learning rate")
    axes[1].ticklabel_format(axis="y", style="sci", scilimits=(-3, -3))
    axes[1].axhline(0, color=style.MUTED, linewidth=0.8)
    ends = phases_of_training.mark(axes, main, x)
    style.training_axis(axes[1], table.dropna(subset=["held_out_masked_loss"])[x], label)
    style.legend(figure, axes[:1], 3)
    norms = main["gradient_norm"].dropna()
    final = f"{norms.iloc[-1]:.2f}" if len(norms) else "unknown"
    answer = f"The gradient's norm ends at {final}"
    return style.show(
        figure,
        "optimisation",
        answer,
        table[["series", "step", "tokens", "gradient_norm", "learning_rate", "tokens_per_second"]],
        f"Did training stall? Norm of the gradient before clipping, mean over the steps since the point before "
        f"(top), and learning rate (bottom) of {_runs(table)[0][0]}. Dotted: {STALLED_NORM}; a norm below it while "
        f"the loss is at the unigram line is the sign of layers that give every position the same vector.{ends} One "
        f"run has no interval.",
        f"Two line charts over {label}. {answer}; the largest learning rate is {main['learning_rate'].max():.2g}.",
    )


def numbers(table: pd.DataFrame) -> dict[str, str]:
    """What the text around these figures says of the run, formatted, by name."""
    main = _runs(table)[0][1]
    stay = plateau(main)
    last = main.dropna(subset=["held_out_masked_loss"]).iloc[-1]
    speed = main["tokens_per_second"].median()
    return {
        "plateau": phases_of_training.around_the_unigram_line(main),
        "stopped": phases_of_training.stopped(main),
        "steps": f"{last['step']:,}",
        "tokens": f"{last['tokens']:,}",
        "unigram_gap": _side(stay.unigram - stay.final),
        "masked_accuracy": f"{last['held_out_masked_accuracy']:.1%}",
        "unigram_accuracy": f"{last['unigram_accuracy']:.1%}",
        "pairs": _pairs(last),
        "speed": "unknown" if pd.isna(speed) else f"{speed:,.0f}",
    }


def _pairs(last: pd.Series) -> str:
    """What is to be said of pairs, a clause; ``last`` is the row of a checkpoint."""
    pairs, surface = last["held_out_pair_accuracy"], last["held_out_surface_accuracy"]
    if pd.isna(pairs):
        return "how segments belong together was not asked"
    told = f"{pairs:.1%} of the pairs of segments are told right"
    return f"{told}, but {CUT}" if pd.isna(surface) else f"{told}, by the best rule that reads no words {surface:.1%}"
