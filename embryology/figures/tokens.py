"""Which words a model reconstructs and predicts, by part of speech, over pretraining (section 3 of the paper)."""

from collections.abc import Collection, Iterable
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes

from embryology.analysis import curves, published, tables
from embryology.analysis.crossings import half_steps
from embryology.analysis.learning_order import NEVER_BEYOND, UNTOLD, published_definition, ranks, untellable
from embryology.figures import many_runs, style
from embryology.figures.learning_order import in_words
from embryology.specs import UNTRAINED
from embryology.specs.tokens import ACCURACY, FREQUENT_IN_GROUP, MASK_PREDICTION, RECONSTRUCTION, SPECIFICATION

QUESTIONS = {
    RECONSTRUCTION: "Which words can the model give back when it sees the whole sentence?",
    MASK_PREDICTION: "Which words can the model predict when they are masked?",
}


def _tags_kind(groups: Collection[str]) -> str:
    return "verb forms" if list(groups) == list(curves.VERB_FORMS) else "groups"


def _sizes(frame: pd.DataFrame, task: str, groups: Collection[str]) -> str:
    sizes = [int(rows["n"].iloc[-1]) for tag in groups if len(rows := curves.curve(frame, task, tag))]
    if not sizes:
        return "no words"
    return f"{min(sizes):,} words each" if min(sizes) == max(sizes) else f"{min(sizes):,} to {max(sizes):,} words each"


def _drawn(frame: pd.DataFrame, task: str, groups: Collection[str]) -> pd.DataFrame:
    rows = frame[(frame["task"] == task) & (frame["metric"] == ACCURACY) & frame["group"].isin(list(groups))]
    return rows[["series", "step", "tokens", "task", "group", "baseline", "value", "low", "high", "n"]]


@style.styled
def accuracy(
    frame: pd.DataFrame, times: pd.DataFrame, task: str, source: str, groups: dict[str, str] | None = None
) -> HTML:
    """Accuracy over training, a panel a group, with 95% intervals and every baseline.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        times: of these groups and this task, of :func:`embryology.analysis.learning_order.learning_times`.
        task: ``reconstruction`` or ``mask-prediction``.
        source: whose tags on which text, of :func:`measurements.source_of`.
        groups: name by tag, such as :data:`curves.VERB_FORMS`; None takes the nine.

    Returns:
        The figure; a sentence where no word has one of the tags, as with universal tags those of verb forms.
    """
    groups = groups or curves.groups(frame)
    there = [tag for tag in groups if len(curves.curve(frame, task, tag))]
    if not there:
        return style.paragraph(f"No word has one of the tags {style.listed(list(groups))} ({source}).")
    figure, axes = style.grid(len(groups), 3, 2.35, sharey=True)
    x, label = style.training_x(frame)
    for axis, (tag, name) in zip(axes, groups.items(), strict=True):
        _panel(axis, frame, task, tag, name, x)
        if tag in times.index and times.loc[tag, "state"] == NEVER_BEYOND:
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            axis.text(0.03, 0.9, "never beyond", transform=axis.transAxes, color=style.ALERT, bbox=ground)
    for axis in axes:
        style.training_axis(axis, frame[x].astype(float), "")
    for axis in axes[-3:]:
        axis.set_xlabel(label)
    for axis in axes[::3]:
        axis.set_ylabel("accuracy")
    axes[0].set_ylim(-0.03, 1.03)
    style.legend(figure, axes, 2)
    kind = _tags_kind(groups)
    last = frame.loc[frame["series"] == tables.main_series(frame), "step"].max()
    told = times[times["state"] != UNTOLD]
    reason = (
        untellable(frame) or f"{style.listed([tag for tag in there if tag not in told.index])} in too few sentences"
    )
    answer = f"{SPECIFICATION.tasks[task].capitalize()} by step {last:,}: " + (
        f"{told['learnt'].sum()} of {len(told)} {kind} end beyond every blind answer; "
        f"{told['beyond_everywhere'].sum()} beyond one word everywhere and the untrained model"
        if len(told)
        else f"what is learnt cannot be told ({reason})"
    )
    whose = (
        ""
        if frame["series"].nunique() == 1
        else f" All baselines and numbers of words are those of {frame['series'].iloc[0]}."
    )
    untold = f" Cannot be told: {reason}." if len(told) < len(there) else ""
    finals = [f"{tag} {rows['value'].iloc[-1]:.2f}" for tag in groups if len(rows := curves.curve(frame, task, tag))]
    return style.show(
        figure,
        f"{task}-{kind.replace(' ', '-')}",
        answer,
        _drawn(frame, task, groups),
        f"{QUESTIONS[task]} A word is right only if all of its pieces are. Bands: 95% Wilson intervals over words. "
        f"Accuracy of {style.listed(list(frame['series'].unique()))} on {source} ({_sizes(frame, task, groups)}). "
        f"Blind answers: the set's most frequent word everywhere, the untrained model (with its interval), and dashed, "
        f"the group's own most frequent word. A group ends beyond them where the 95% interval of the mean of its last "
        f"three checkpoints less theirs, from the same resamples of sentences, lies above 0.{whose}{untold}",
        f"{style.plural(len(groups), 'line chart')} of accuracy"
        f" over {label}, one a part of speech. {answer}. At the end: "
        f"{', '.join(finals)}.",
    )


def _panel(axis: Axes, frame: pd.DataFrame, task: str, tag: str, name: str, x: str) -> None:
    """Draw one group."""
    first = curves.curve(frame, task, tag)
    size = f" · n = {first['n'].iloc[-1]:,}" if len(first) else ""
    axis.set_title(f"{tag} {name}{size}")
    if first.empty:
        axis.text(0.5, 0.5, "no word of this tag", transform=axis.transAxes, ha="center", color=style.MUTED)
        return
    for baseline, level in curves.baselines(frame, task, tag).items():
        style.level(axis, level["value"], baseline, SPECIFICATION.baselines[baseline])
        if baseline == UNTRAINED:
            colour, _ = style.BASELINE_LINES[baseline]
            axis.axhspan(level["low"], level["high"], color=colour, alpha=0.15, linewidth=0)
    rows = [curves.curve(frame, task, tag, series).assign(series=series) for series in frame["series"].unique()]
    many_runs.curves(axis, pd.concat(rows, ignore_index=True), x)


@style.styled
def rescaled(frame: pd.DataFrame, times: pd.DataFrame, source: str, model: str = "ALBERT") -> HTML:
    """Reconstruction divided by its final value, beside the published curves, on the share of steps shown.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        times: of reconstruction, of :func:`embryology.analysis.learning_order.learning_times`.
        source: whose tags on which text, of :func:`measurements.source_of`.
        model: whose published curves, ``ALBERT`` or ``BERT``.

    Returns:
        The figure; a sentence where words have universal tags, as the published groups are single Penn tags.
    """
    if curves.groups(frame) != curves.GROUPS:
        return style.paragraph(
            f"Not drawn: the published curves are of single Penn tags, and these words have others ({source})."
        )
    learnt = times.index[times["learnt"]]
    if learnt.empty:
        reason = untellable(frame) or "no group of words ends beyond its blind answers"
        return style.paragraph(f"Not drawn for {tables.main_series(frame)}: {reason}.")
    published_curves = published.reconstruction(model)
    series = tables.main_series(frame)
    figure, axes = style.panels(3, 3, 9, 8.2, sharex=True, sharey=True)
    ours_last = int(frame.loc[frame["series"] == series, "step"].max())
    last = published_curves.columns.max()
    data = []
    for axis, (tag, name) in zip(axes, curves.GROUPS.items(), strict=True):
        axis.set_title(f"{tag} {name}")
        axis.axhline(0.5, color=style.MUTED, linewidth=1, label="half of the final value")
        values = published_curves.loc[tag] / published_curves.loc[tag].iloc[-1]
        axis.plot(values.index / last, values, color=style.LINES[1][0], linestyle="--", label=f"published {model}")
        data += _rescaled_rows(f"published {model}", tag, published_curves.columns, last, values)
        rows = curves.curve(frame, RECONSTRUCTION, tag)
        if rows.empty or rows["value"].iloc[-1] == 0:
            words = "no word of this tag" if rows.empty else "ours ends at 0"
            axis.text(0.95, 0.1, words, transform=axis.transAxes, ha="right", color=style.ALERT)
            continue
        scaled = rows["value"] / rows["value"].iloc[-1]
        colour, marker, dashes = style.LINES[0]
        share = rows["step"] / max(ours_last, 1)
        axis.plot(share, scaled, color=colour, marker=marker, linestyle=dashes, label=series)
        data += _rescaled_rows(series, tag, rows["step"], max(ours_last, 1), scaled)
        level = _rescaled_baseline(axis, frame, tag, rows["value"].iloc[-1])
        data += [(FREQUENT_IN_GROUP, tag, None, None, level)] if level is not None else []
    axes[0].set_ylim(-0.05, 1.3)
    axes[0].set_xticks(*style.SHARES)
    for axis in axes[-3:]:
        axis.set_xlabel("share of the steps shown")
    for axis in axes[::3]:
        axis.set_ylabel("accuracy / final")
    style.legend(figure, axes, 2)
    shares = half_steps(published_curves.columns, published_curves.to_numpy()) / last
    order = ranks(published_definition(frame, RECONSTRUCTION, learnt))
    ends = f"first by {style.listed(order[0])}, last by {style.listed(order[-1])}; " if len(order) > 1 else ""
    answer = f"Half of the final value is reached {ends}{'in order' if ends else 'by'}: {in_words(order)}"
    return style.show(
        figure,
        "rescaled-reconstruction",
        answer,
        pd.DataFrame(data, columns=["series", "group", "step", "share_of_steps", "rescaled"]),
        f"Do words rise in the same order as in the paper? Reconstruction accuracy of {series} ({source}) divided by "
        f"its value at the last checkpoint, and that of the published {model} (OntoNotes). The axes are not one: 1 is "
        f"step {ours_last:,} for {series} and step {last:,} for {model}, which has another batch size and another "
        f"corpus; only shape and order compare. Baseline, dashed: the group's most frequent word, divided by the same "
        f"final value. A quotient near a small final value is noisy; raw accuracies with intervals are in the figure "
        f"before.",
        f"Nine line charts of rescaled reconstruction accuracy, ours and the published {model}. {answer}. {model} "
        f"reaches half between {shares.min():.0%} and {shares.max():.0%} of its steps.",
    )


def _rescaled_rows(
    series: str, tag: str, steps: Iterable[int], last: int, values: Iterable[float]
) -> list[tuple[Any, ...]]:
    return [(series, tag, step, step / last, value) for step, value in zip(steps, values, strict=True)]


def _rescaled_baseline(axis: Axes, frame: pd.DataFrame, tag: str, final: float) -> float | None:
    levels = curves.baselines(frame, RECONSTRUCTION, tag)
    if FREQUENT_IN_GROUP not in levels:
        return None
    level = levels[FREQUENT_IN_GROUP]["value"] / final
    if level <= 1.3:
        style.level(axis, level, FREQUENT_IN_GROUP, SPECIFICATION.baselines[FREQUENT_IN_GROUP])
    else:
        axis.text(0.03, 0.9, f"baseline at {level:.1f} ↑", transform=axis.transAxes, color=style.ALERT)
    return float(level)
