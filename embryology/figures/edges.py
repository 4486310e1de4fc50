"""What vectors know of syntax and semantics over pretraining (section 4 of the paper)."""

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from embryology.analysis import edge_documents, edges, published_probing, tables
from embryology.analysis.edge_documents import Documents
from embryology.analysis.learning_order import untellable
from embryology.figures import answers, looks, style
from embryology.runs.series import Series
from embryology.specs import UNTRAINED
from embryology.specs.edges import (
    COMPRESSION,
    CONTROL,
    F1_MACRO,
    FREQUENCIES,
    MAJORITY,
    RECURRING,
    SELECTIVITY,
    SHARE_UNREAD,
    SPECIFICATION,
    STATIC,
    STATIC_LAYER,
)

LABELS = SPECIFICATION.baselines


def numbers(
    frame: pd.DataFrame, sources: dict[str, str], layer: int, documents: dict[str, Documents] | None = None
) -> dict[str, str]:
    """What the prose of the page says of the first series, by name.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        sources: of :func:`embryology.analysis.edges.sources`.
        layer: the one that is drawn.
        documents: of :func:`embryology.analysis.edge_documents.read`, for intervals of steps.
    """
    tasks = edges.tasks(frame)
    beyond = {task: edges.beyond(frame, task, layer) for task in tasks}
    below = [f"{edges.label(task)}: {style.listed(names)}" for task in tasks if (names := _failed(beyond[task]))]
    ends = {task: edges.curve(frame, task, layer).iloc[-1] for task in tasks}
    return {
        "sources": style.listed(sorted(set(sources.values()))),
        "layer": str(layer),
        "layers": str(max(edges.layers(frame))),
        "last": f"{frame.loc[frame['series'] == tables.main_series(frame), 'step'].max():,}",
        "ends": style.listed([f"{edges.label(task)} {style.ranged(end, '.3f')}" for task, end in ends.items()]),
        "beyond": _beyond([edges.label(task) for task in tasks if not _failed(beyond[task])], below),
        "halves": _halves(frame, layer, documents),
        "unread": f"{_unread(frame):.1%}",
        "selectivity": _range(frame, SELECTIVITY, layer, "{:.2f}", RECURRING),
        "compression": _range(frame, COMPRESSION, layer, "{:.1f}"),
        "no_shorter": _no_shorter(frame, layer),
    }


def answer(series: Series, frame: pd.DataFrame, layer: int) -> Markdown:
    """In how many tasks a layer tells more than every baseline; arguments as of :func:`numbers`."""
    tasks = edges.tasks(frame)
    above = [edges.label(task) for task in tasks if not _failed(edges.beyond(frame, task, layer))]
    named = f": {style.listed(above)}" if above else ""
    return answers.said(
        "Do its vectors tell syntax and meaning?",
        f"{answers.of(len(above), len(tasks))}: at the end layer {layer} tells more than every baseline in "
        f"{len(above)} of {answers.count(len(tasks), 'task')}, interval against interval{named}",
        answers.of_one(series, tables.units(frame, "sentence")),
    )


def _halves(frame: pd.DataFrame, layer: int, documents: dict[str, Documents] | None) -> str:
    """When half of each gain is there, in sentences."""
    halves = edge_documents.half_gains(frame, layer, documents)
    flat = [edges.label(task) for task in edges.tasks(frame) if task not in halves.index]
    sentences = [f"No gain is shown for {style.listed(flat)}."] if flat else []
    if len(halves):
        order = ", then ".join(
            style.listed([f"{edges.label(task)} at step {style.stepped(halves.loc[task])}" for task in rank])
            + (" (not told apart)" if len(rank) > 1 else "")
            for rank in edges.ranks(halves)
        )
        reason = untellable(frame)
        when = f"When the gains came cannot be told: {reason}." if reason else f"Half of the gain is there for {order}."
        sentences.insert(0, when)
    return " ".join(sentences)


def _beyond(above: list[str], below: list[str]) -> str:
    """Which tasks clear all three lines, in sentences; ``below``: the others, each with those that it does not."""
    sentences = [f"Beyond all three lines, interval against interval: {style.listed(above)}."] if above else []
    sentences += [f"Not beyond: {'; '.join(below)}."] if below else []
    return " ".join(sentences)


def _failed(beyond: dict[str, bool]) -> list[str]:
    return [name for name, above in beyond.items() if not above]


def _unread(frame: pd.DataFrame) -> float:
    return float(frame.loc[(frame["metric"] == SHARE_UNREAD) & frame["baseline"].isna(), "value"].max())


def _no_shorter(frame: pd.DataFrame, layer: int) -> str:
    """Whether vectors shorten the labels more than how frequent each label is does."""
    shorter: list[str] = []
    longer: list[str] = []
    for task in edges.tasks(frame):
        ours, theirs = (
            edges.curve(frame, task, at, COMPRESSION, baseline) for at, baseline in ((layer, None), (None, FREQUENCIES))
        )
        if len(ours) and len(theirs):
            (shorter if ours["value"].iloc[-1] > theirs["value"].iloc[-1] else longer).append(edges.label(task))
    if not shorter and not longer:
        return "A code by label frequencies alone was not measured beside it."
    if not longer:
        return "In every task that is more than a code by label frequencies alone gives."
    return f"No more than a code by label frequencies alone gives: {style.listed(longer)}."


def _range(frame: pd.DataFrame, metric: str, layer: int, form: str, group: str = "") -> str:
    curves = (edges.curve(frame, task, layer, metric, group=group) for task in edges.tasks(frame))
    ends = [rows.iloc[-1] for rows in curves if len(rows)]
    if not ends:
        return "not measured"
    least, most = (choose(ends, key=lambda row: row.value) for choose in (min, max))
    return " to ".join(dict.fromkeys([form.format(least.value), form.format(most.value)]))


def panels(tasks: list[str], more: int = 0, layer: int | None = None, **kwargs: Any) -> tuple[Figure, np.ndarray]:
    """A panel a task with its name, and its layer if it has one, and ``more`` without a name.

    ``kwargs`` as of :func:`style.grid`.
    """
    figure, axes = style.grid(len(tasks) + more, 2, 2.5, **kwargs)
    for axis, task in zip(axes, tasks, strict=False):
        axis.set_title(edges.label(task) + ("" if layer is None else f" · layer {layer}"))
    return figure, axes


@style.styled
def scores(frame: pd.DataFrame, losses: pd.DataFrame, sources: dict[str, str], layer: int) -> HTML:
    """Micro F1 over training, a panel a task, with 95% intervals and baselines, and the masked loss if it is known.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        losses: of :func:`embryology.analysis.plateau.read`, of the same series; empty where none has any.
        sources: of :func:`embryology.analysis.edges.sources`.
        layer: of the first run; others are drawn at their own best.
    """
    tasks = edges.tasks(frame)
    held_out = losses.dropna(subset=["held_out_masked_loss"])
    names = list(frame["series"].unique())
    figure, axes = panels(tasks, 1 if len(held_out) else 0, layer if len(names) == 1 else None)
    x, label = style.training_x(frame)
    drawn: list[pd.DataFrame] = []
    for axis, task in zip(axes, tasks, strict=False):
        for number, series in enumerate(names):
            at = edges.best_layer(frame, series) if number else layer
            rows = edges.curve(frame, task, at, series=series)
            if len(rows):
                style.curve(axis, rows, looks.lines(names)[series], f"{series}, layer {at}", x)
                drawn.append(rows.assign(series=series, task=task, layer=at))
        baselines = {
            MAJORITY: edges.curve(frame, task, None, baseline=MAJORITY),
            STATIC: edges.curve(frame, task, STATIC_LAYER),
            UNTRAINED: edges.curve(frame, task, layer, baseline=UNTRAINED),
        }
        for name, rows in baselines.items():
            style.baseline(axis, rows, name, LABELS[name], x)
            drawn.append(rows.assign(series=names[0], task=task, baseline=name))
        axis.set_ylabel("micro F1")
        style.training_axis(axis, frame[x], "")
    if len(held_out):
        _loss(axes[-1], held_out, names, x)
        losses_drawn = held_out.rename(columns={"held_out_masked_loss": "value"})[["series", "step", "tokens", "value"]]
        unigram = pd.DataFrame({"series": [names[0]], "value": held_out["unigram_loss"].iloc[0], "baseline": "unigram"})
        drawn += [each.assign(task="held-out masked loss, nats") for each in (losses_drawn, unigram)]
        style.training_axis(axes[-1], frame[x], label)
    axes[max(len(tasks) - 1, 0)].set_xlabel(label)
    style.legend(figure, axes[: len(tasks)], 2)
    values = numbers(frame, sources, layer)
    above = sum(not _failed(edges.beyond(frame, task, layer)) for task in tasks)
    answer = f"At step {values['last']}, layer {layer} tells more than every baseline in {above} of {len(tasks)} tasks"
    columns = ["series", "task", "layer", "baseline", "step", "tokens", "value", "low", "high", "n"]
    sizes = [int(edges.curve(frame, task, layer)["n"].iloc[-1]) for task in tasks]
    return style.show(
        figure,
        "edges",
        answer,
        pd.concat(drawn, ignore_index=True)[columns],
        f"When do the model's vectors tell syntax and meaning? Micro F1 of linear classifiers on frozen vectors of "
        f"layer {layer} of {max(edges.layers(frame))} of {tables.main_series(frame)}, on whole test sets "
        f"({min(sizes):,} to {max(sizes):,} edges): {values['sources']}. Bands: 95% intervals over "
        f"test {tables.units(frame, 'sentence')}. Baselines: the most frequent label, the static "
        f"embeddings of the same checkpoint, and the untrained model. "
        f"Of the test edges at most {values['unread']} lie beyond the model's input and count as wrong.",
        f"{style.plural(len(tasks), 'line chart')} of micro F1 over {label}, one a task"
        f"{', and one of the masked loss' if len(held_out) else ''}. {answer}. At the end: {values['ends']}.",
    )


def _loss(axis: Axes, held_out: pd.DataFrame, names: list[str], x: str) -> None:
    """The held-out masked loss of those series that have one, each in its own line."""
    for series, rows in held_out.groupby("series", sort=False):
        colour, marker, dashes = looks.lines(names)[str(series)]
        axis.plot(rows[x], rows["held_out_masked_loss"], color=colour, marker=marker, linestyle=dashes)
    axis.axhline(held_out["unigram_loss"].iloc[0], color=style.INK, linestyle=style.DOTTED, linewidth=1.3)
    axis.set(title="held-out masked loss; dotted: word frequencies", ylabel="nats")


@style.styled
def by_layer(frame: pd.DataFrame) -> HTML:
    """Micro F1 of every layer at the last checkpoint beside the control task's and the untrained model's."""
    tasks = edges.tasks(frame)
    figure, axes = panels(tasks, sharex=True)
    last = frame.loc[frame["series"] == tables.main_series(frame), "step"].max()
    drawn, hardest = [], {}
    for axis, task in zip(axes, tasks, strict=False):
        grey, red = (style.BASELINE_LINES[name] for name in (UNTRAINED, CONTROL))
        lines = {
            "last checkpoint": (style.LINES[0], None),
            LABELS[CONTROL]: ((red[0], "x", red[1]), CONTROL),
            "untrained model (step 0)": ((grey[0], ".", grey[1]), UNTRAINED),
        }
        for name, (line, baseline) in lines.items():
            by_layer = {layer: edges.curve(frame, task, layer, baseline=baseline) for layer in edges.layers(frame)}
            rows = pd.concat([curve.tail(1).assign(layer=layer) for layer, curve in by_layer.items()])
            if len(rows):
                style.curve(axis, rows, line, name, "layer")
                drawn.append(rows.assign(task=task, line=name))
        majority = edges.curve(frame, task, None, baseline=MAJORITY)["value"].iloc[-1]
        style.level(axis, majority, MAJORITY, LABELS[MAJORITY])
        drawn.append(pd.DataFrame({"task": [task], "line": LABELS[MAJORITY], "value": majority}))
        axis.set(ylabel="micro F1", xticks=edges.layers(frame))
        told = [edges.curve(frame, task, layer, SELECTIVITY, group=RECURRING) for layer in edges.layers(frame)]
        if all(map(len, told)):
            hardest[edges.label(task)] = max(curve["value"].iloc[-1] for curve in told)
    for axis in axes[-2:]:
        axis.set_xlabel("layer (0: static embeddings)")
    style.legend(figure, axes, 2)
    answer = "Selectivity of edges whose words recur was not measured"
    if hardest:
        (most, value), *others = sorted(hardest.items(), key=lambda item: -item[1])
        rest = f"; {style.listed([f'{name} {less:.2f}' for name, less in others])}" if others else ""
        answer = f"Largest selectivity, of edges whose words recur: {most} {value:.2f}{rest}"
    return style.show(
        figure,
        "edges-controls",
        answer,
        pd.concat(drawn, ignore_index=True)[["task", "line", "layer", "step", "value", "low", "high", "n"]],
        f"Do the classifiers read what the vectors hold, or learn words by heart? Micro F1 by layer at step {last:,}. "
        f"Baselines: classifiers of the same size on control labels, drawn at random for every type of word or phrase; "
        f"the untrained model; the most frequent label. Bands: 95% over test {tables.units(frame, 'sentence')}. "
        "Selectivity, of the best layer, is the first line less the control, whose right answers are known by heart; "
        "no control label of words that training has not can be known, so that it is told of those edges whose words "
        "recur.",
        f"{style.plural(len(tasks), 'line chart')} of micro F1 over layers. {answer}.",
    )


@style.styled
def compression(frame: pd.DataFrame, layer: int) -> HTML:
    """How much shorter labels become by online coding, over training, beside control labels and step 0."""
    tasks = edges.tasks(frame)
    curves = {task: rows for task in tasks if len(rows := edges.curve(frame, task, layer, COMPRESSION))}
    if not curves:
        return HTML("<p>The description length was not measured in this run (<code>codelength: false</code>).</p>")
    figure, axes = panels(list(curves), layer=layer)
    drawn = []
    for axis, (task, rows) in zip(axes, curves.items(), strict=True):
        style.curve(axis, rows, style.LINES[0], f"layer {layer}", band=False)
        baselines = {
            STATIC: edges.curve(frame, task, STATIC_LAYER, COMPRESSION),
            UNTRAINED: edges.curve(frame, task, layer, COMPRESSION, UNTRAINED),
            CONTROL: edges.curve(frame, task, layer, COMPRESSION, CONTROL),
        }
        baselines[FREQUENCIES] = edges.curve(frame, task, None, COMPRESSION, FREQUENCIES)
        drawn.append(rows.assign(task=task, layer=layer))
        for name, line in baselines.items():
            style.baseline(axis, line, name, LABELS[name])
            drawn.append(line.assign(task=task, baseline=name))
        axis.axhline(1, color=style.INK, linewidth=1, linestyle=style.DOTTED, label="as long as without a model")
        axis.set_ylabel("compression (times)")
        style.training_axis(axis, rows["step"], "training step")
    style.legend(figure, axes, 2)
    ends = {edges.label(task): rows["value"].iloc[-1] for task, rows in curves.items()}
    least, most = f"{min(ends.values()):.1f}", f"{max(ends.values()):.1f}"
    answer = f"Labels become {least if least == most else f'{least} to {most}'} times shorter by the end"
    answer += f"; {style.listed([f'{name} {times:.1f}' for name, times in ends.items()])}"
    return style.show(
        figure,
        "edges-compression",
        answer,
        pd.concat(drawn, ignore_index=True),
        f"How easily are labels read from the vectors? The training labels' length at log2(labels) bits each, over "
        f"their length in an online code of classifiers on layer {layer}. Baselines: static embeddings, the untrained "
        f"model, control labels, and a code by how often each label was sent before. One order of the items, so no "
        f"interval.",
        f"{style.plural(len(curves), 'line chart')} of compression over training steps. {answer}.",
    )


@style.styled
def beside_published(frame: pd.DataFrame, layer: int) -> HTML:
    """Our curves beside the published ones of BERT and ELECTRA, each with its interval, on the share of steps."""
    by_kind = {kind: name for name, kind in published_probing.TASKS.items()}
    tasks = [task for task in edges.tasks(frame) if edges.kind(task) in by_kind]
    if not tasks:
        return HTML("<p>No curve of one of this run's tasks was published.</p>")
    figure, axes = panels(tasks, layer=layer)
    columns = ["series", "task", "step", "share", "value", "low", "high", "n"]
    drawn, widths = [], []
    for axis, task in zip(axes, tasks, strict=False):
        name = by_kind[edges.kind(task)]
        lines = {f"{tables.main_series(frame)}, layer {layer}": edges.curve(frame, task, layer)} | {
            f"published {model}": published_probing.with_intervals(model, name) for model in published_probing.FILES
        }
        for line, (series, rows) in zip(style.LINES, lines.items(), strict=False):
            rows = rows.assign(share=rows["step"] / max(rows["step"].max(), 1))
            style.curve(axis, rows, (line[0], "", line[2]), series, "share")
            drawn.append(rows.assign(series=series, task=task)[columns])
            widths.append((series, (rows["high"] - rows["low"]).mean() / 2))
        axis.set_ylabel("micro F1")
        axis.set_xticks(*style.SHARES)
        axis.set_xlabel("share of the steps shown")
    style.legend(figure, axes, 2)
    half = pd.DataFrame(widths, columns=["series", "half"])
    published = half["series"].str.startswith("published")
    table = pd.concat(drawn, ignore_index=True)
    sizes = table.loc[table["series"].str.startswith("published"), "n"]
    items = " to ".join(map(str, sorted({sizes.min(), sizes.max()})))
    answer = (
        f"Mean half-width of an interval: {100 * half.loc[~published, 'half'].mean():.1f} points on whole test sets, "
        f"{100 * half.loc[published, 'half'].mean():.1f} on the published items"
    )
    return style.show(
        figure,
        "edges-published",
        answer,
        table,
        "Do skills rise in the same way as in the published curves? Micro F1 over the share of the steps shown. "
        f"Bands: of this run 95% over test {tables.units(frame, 'sentence')}, of the published BERT and ELECTRA 95% "
        f"Wilson, for the items behind each point ({items}). Heights do not compare, as corpora, sizes, label sets and "
        "test sets differ; shapes do. No baseline was published.",
        f"{style.plural(len(tasks), 'line chart')} of micro F1 over the share of training steps. {answer}.",
    )


def table(frame: pd.DataFrame, layer: int, documents: dict[str, Documents] | None = None) -> HTML:
    """The last checkpoint in numbers, a row a task; ``documents`` as in :func:`numbers`."""
    rows, halves, reason = [], edge_documents.half_gains(frame, layer, documents), untellable(frame)
    for task in edges.tasks(frame):
        end = edges.curve(frame, task, layer).iloc[-1]
        beside = {
            LABELS[MAJORITY]: edges.curve(frame, task, None, baseline=MAJORITY),
            "untrained": edges.curve(frame, task, layer, baseline=UNTRAINED),
            "static": edges.curve(frame, task, STATIC_LAYER),
            "control": edges.curve(frame, task, layer, baseline=CONTROL),
            "macro F1": edges.curve(frame, task, layer, F1_MACRO),
        }
        half = (
            "no gain shown"
            if task not in halves.index
            else "cannot be told"
            if reason
            else style.stepped(halves.loc[task])
        )
        rows.append(
            {
                "task": edges.label(task),
                "test edges": f"{int(end['n']):,}",
                "micro F1 (95% interval)": style.ranged(end, ".3f"),
                **{name: f"{curve['value'].iloc[-1]:.3f}" if len(curve) else "" for name, curve in beside.items()},
                "half of its gain at step": half,
            }
        )
    return style.table(pd.DataFrame(rows))
