"""What vectors know of syntax and semantics over pretraining (section 4 of the paper)."""

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes

from embryology.analysis import curves, edges, published_probing
from embryology.figures import style

LINES = {
    "majority": "most frequent label",
    "static": "static embeddings (layer 0)",
    "untrained": "untrained model (step 0), same layer",
    "control": "control: labels by heart",
}


def facts(frame: pd.DataFrame, sources: dict[str, str], layer: int) -> dict[str, str]:
    """What the prose of the page says of the first run.

    Args:
        frame: of :func:`embryology.analysis.edges.read`.
        sources: of :func:`embryology.analysis.edges.sources`.
        layer: the one that is drawn.
    """
    tasks = edges.tasks(frame)
    beyond = {task: edges.beyond(frame, task, layer) for task in tasks}
    below = [f"{edges.label(task)}: {style.listed(no)}" for task in tasks if (no := _failed(beyond[task]))]
    halves = {task: edges.half_gain(frame, task, layer) for task in tasks}
    order = sorted((step, edges.label(task)) for task, step in halves.items() if step == step)
    flat = [edges.label(task) for task, step in halves.items() if step != step]
    ends = {task: edges.curve(frame, task, layer).iloc[-1] for task in tasks}
    return {
        "sources": style.listed(sorted(set(sources.values()))),
        "layer": str(layer),
        "layers": str(max(edges.layers(frame))),
        "last": f"{frame.loc[frame['series'] == curves.main_series(frame), 'step'].max():,}",
        "ends": style.listed(
            [f"{edges.label(task)} {end.value:.3f} ({end.low:.3f} to {end.high:.3f})" for task, end in ends.items()]
        ),
        "beyond": style.listed([edges.label(task) for task in tasks if not _failed(beyond[task])]),
        "not_beyond": "; ".join(below) or "none",
        "order": style.listed([f"{name} at step {step:,.0f}" for step, name in order]),
        "flat": style.listed(flat),
        "unread": f"{_unread(frame):.1%}",
        "selectivity": _range(frame, edges.SELECTIVITY, layer, "{:.2f}"),
        "compression": _range(frame, edges.COMPRESSION, layer, "{:.1f}"),
    }


def _failed(beyond: dict[str, bool]) -> list[str]:
    return [name for name, above in beyond.items() if not above]


def _unread(frame: pd.DataFrame) -> float:
    return float(frame.loc[(frame["metric"] == "share_unread") & frame["baseline"].isna(), "value"].max())


def _range(frame: pd.DataFrame, metric: str, layer: int, form: str) -> str:
    ends = [rows.iloc[-1] for task in edges.tasks(frame) if len(rows := edges.curve(frame, task, layer, metric))]
    if not ends:
        return "not measured"
    least, most = (choose(ends, key=lambda row: row.value) for choose in (min, max))
    return f"{form.format(least.value)} to {form.format(most.value)}"


def panels(tasks: list[str], more: int = 0, **kwargs) -> tuple:
    rows = -(-(len(tasks) + more) // 2)
    figure, axes = style.panels(rows, 2, 9, 2.5 * rows + 1.1, **kwargs)
    for axis in axes[len(tasks) + more :]:
        axis.set_axis_off()
    for axis, task in zip(axes, tasks, strict=False):
        axis.set_title(edges.label(task))
    return figure, axes


def _baseline(axis: Axes, rows: pd.DataFrame, name: str, x: str = "step") -> None:
    if len(rows):
        colour, dashes = style.BASELINE_LINES[name]
        axis.plot(
            rows[x].astype(float), rows["value"], color=colour, linestyle=dashes, linewidth=1.3, label=LINES[name]
        )


@style.styled
def scores(frame: pd.DataFrame, losses: pd.DataFrame, sources: dict[str, str], layer: int) -> HTML:
    """Micro F1 over training, a panel a task, with 95% intervals and baselines, and the masked loss under them.

    Args:
        frame: of :func:`embryology.analysis.edges.read`.
        losses: of :func:`embryology.analysis.plateau.read`, of the same runs.
        sources: of :func:`embryology.analysis.edges.sources`.
        layer: of the first run; others are drawn at their own best.
    """
    tasks = edges.tasks(frame)
    figure, axes = panels(tasks, 1)
    held_out = losses.dropna(subset=["held_out_masked_loss"])
    x, label = style.training_x(frame)
    drawn = []
    for axis, task in zip(axes, tasks, strict=False):
        for number, series in enumerate(frame["series"].unique()):
            at = edges.best_layer(frame, series) if number else layer
            rows = edges.curve(frame, task, at, series=series)
            if len(rows):
                style.curve(axis, rows, style.LINES[number % len(style.LINES)], f"{series}, layer {at}", x)
                drawn.append(rows.assign(series=series, task=task, layer=at))
        _baseline(axis, edges.curve(frame, task, None, baseline=edges.MAJORITY), "majority", x)
        _baseline(axis, edges.curve(frame, task, edges.STATIC), "static", x)
        _baseline(axis, edges.curve(frame, task, layer, baseline=curves.UNTRAINED), "untrained", x)
        axis.set_ylabel("micro F1")
        style.training_axis(axis, frame[x], "")
    loss = axes[len(tasks)]
    for number, (_, rows) in enumerate(held_out.groupby("series", sort=False)):
        line = style.LINES[number % len(style.LINES)]
        loss.plot(rows[x], rows["held_out_masked_loss"], color=line[0], marker=line[1], linestyle=line[2])
    if len(held_out):
        loss.axhline(held_out["unigram_loss"].iloc[0], color=style.INK, linestyle=(0, (1, 1.5)), linewidth=1.3)
        style.training_axis(loss, frame[x], label)
    loss.set(title="held-out masked loss; dotted: word frequencies", ylabel="nats")
    axes[max(len(tasks) - 1, 0)].set_xlabel(label)
    style.legend(figure, axes[: len(tasks)], 2)
    said = facts(frame, sources, layer)
    above = sum(not _failed(edges.beyond(frame, task, layer)) for task in tasks)
    answer = f"At step {said['last']}, layer {layer} tells more than every baseline in {above} of {len(tasks)} tasks"
    style.title(figure, answer)
    columns = ["series", "task", "layer", "step", "tokens", "value", "low", "high", "n"]
    sizes = [int(edges.curve(frame, task, layer)["n"].iloc[-1]) for task in tasks]
    return style.show(
        figure,
        "edges",
        pd.concat(drawn, ignore_index=True)[columns],
        f"When do the model's vectors tell syntax and meaning? Micro F1 of linear classifiers on frozen vectors of "
        f"layer {layer} of {max(edges.layers(frame))} of {curves.main_series(frame)}, on whole test sets "
        f"({min(sizes):,} to {max(sizes):,} edges): {said['sources']}. Bands: 95% bootstrap over test sentences. "
        f"Baselines: the most frequent label, the static embeddings of the same checkpoint, and the untrained model. "
        f"Of the test edges at most {said['unread']} lie beyond the model's input and count as wrong.",
        f"{len(tasks)} line charts of micro F1 over {label}, one a task, and one of the masked loss. {answer}. At the "
        f"end: {said['ends']}.",
    )


@style.styled
def by_layer(frame: pd.DataFrame) -> HTML:
    """Micro F1 of every layer at the last checkpoint beside the control task's and the untrained model's."""
    tasks = edges.tasks(frame)
    figure, axes = panels(tasks, sharex=True)
    last = frame.loc[frame["series"] == curves.main_series(frame), "step"].max()
    drawn, hardest = [], {}
    for axis, task in zip(axes, tasks, strict=False):
        grey, red = (style.BASELINE_LINES[name] for name in ("untrained", "control"))
        lines = {
            "last checkpoint": (style.LINES[0], None),
            LINES["control"]: ((red[0], "x", red[1]), edges.CONTROL),
            "untrained model (step 0)": ((grey[0], ".", grey[1]), curves.UNTRAINED),
        }
        for name, (line, baseline) in lines.items():
            rows = [edges.curve(frame, task, layer, baseline=baseline).tail(1).assign(layer=layer)
                    for layer in edges.layers(frame)]  # fmt: skip
            rows = pd.concat(rows)
            if len(rows):
                style.curve(axis, rows, line, name, "layer")
                drawn.append(rows.assign(task=task, line=name))
        majority = edges.curve(frame, task, None, baseline=edges.MAJORITY)["value"].iloc[-1]
        colour, dashes = style.BASELINE_LINES["majority"]
        axis.axhline(majority, color=colour, linestyle=dashes, linewidth=1.3, label=LINES["majority"])
        axis.set(ylabel="micro F1", xticks=edges.layers(frame))
        hardest[edges.label(task)] = max(
            edges.curve(frame, task, layer, edges.SELECTIVITY)["value"].iloc[-1] for layer in edges.layers(frame)
        )
    for axis in axes[max(0, len(tasks) - 2) : len(tasks)]:
        axis.set_xlabel("layer (0: static embeddings)")
    style.legend(figure, axes[: len(tasks)], 2)
    answer = f"Largest selectivity over layers: {style.listed([f'{name} {v:.2f}' for name, v in hardest.items()])}"
    style.title(figure, answer)
    return style.show(
        figure,
        "edges-controls",
        pd.concat(drawn, ignore_index=True)[["task", "line", "layer", "step", "value", "low", "high", "n"]],
        f"Do the classifiers read what the vectors hold, or learn words by heart? Micro F1 by layer at step {last:,}, "
        f"beside classifiers of the same size on control labels, drawn at random for every type of word or phrase "
        f"(what they get right they know by heart), the untrained model, and the most frequent label. Selectivity is "
        f"the first line less the control. Bands: 95% bootstrap over test sentences.",
        f"{len(tasks)} line charts of micro F1 over layers. {answer}.",
    )


@style.styled
def compression(frame: pd.DataFrame, layer: int) -> HTML:
    """How much shorter labels become by online coding, over training, beside control labels and step 0."""
    tasks = edges.tasks(frame)
    found = {task: edges.curve(frame, task, layer, edges.COMPRESSION) for task in tasks}
    found = {task: rows for task, rows in found.items() if len(rows)}
    if not found:
        return HTML("<p>The description length was not measured in this run (<code>codelength: false</code>).</p>")
    figure, axes = panels(list(found))
    for axis, (task, rows) in zip(axes, found.items(), strict=False):
        style.curve(axis, rows, style.LINES[0], f"layer {layer}", band=False)
        _baseline(axis, edges.curve(frame, task, edges.STATIC, edges.COMPRESSION), "static")
        _baseline(axis, edges.curve(frame, task, layer, edges.COMPRESSION, curves.UNTRAINED), "untrained")
        _baseline(axis, edges.curve(frame, task, layer, edges.COMPRESSION, edges.CONTROL), "control")
        axis.axhline(1, color=style.INK, linewidth=1, linestyle=(0, (1, 1.5)), label="as long as without a model")
        axis.set_ylabel("compression (times)")
        style.training_axis(axis, rows["step"], "training step")
    style.legend(figure, axes[: len(found)], 2)
    ends = [f"{edges.label(task)} {rows['value'].iloc[-1]:.1f}" for task, rows in found.items()]
    answer = f"Times shorter at the end: {style.listed(ends)}"
    style.title(figure, answer)
    return style.show(
        figure,
        "edges-compression",
        pd.concat([rows.assign(task=task, layer=layer) for task, rows in found.items()], ignore_index=True),
        f"How easily are labels read from the vectors? The training labels' length at log2(labels) bits each, divided "
        f"by their length in an online code of classifiers on layer {layer}. Beside it the static embeddings, the "
        f"untrained model, and control labels. One order of the items, so no interval.",
        f"{len(found)} line charts of compression over training steps. {answer}.",
    )


@style.styled
def beside_published(frame: pd.DataFrame, layer: int) -> HTML:
    """Our curves beside the published ones of BERT and ELECTRA, each with its interval, on the share of steps."""
    by_kind = {ours: name for name, ours in published_probing.TASKS.items()}
    tasks = [task for task in edges.tasks(frame) if edges.kind(task) in by_kind]
    if not tasks:
        return HTML("<p>No curve of one of this run's tasks was published.</p>")
    figure, axes = panels(tasks)
    drawn, widths = [], []
    for axis, task in zip(axes, tasks, strict=False):
        name = by_kind[edges.kind(task)]
        own = edges.curve(frame, task, layer)
        lines = {f"{curves.main_series(frame)}, layer {layer}": own} | {
            f"published {model}": published_probing.with_intervals(model, name) for model in published_probing.FILES
        }
        for line, (series, rows) in zip(style.LINES, lines.items(), strict=False):
            rows = rows.assign(share=rows["step"] / max(rows["step"].max(), 1))
            style.curve(axis, rows, (line[0], line[1] if rows is own else "", line[2]), series, "share")
            drawn.append(
                rows.assign(series=series, task=task)[["series", "task", "step", "share", "value", "low", "high", "n"]]
            )
            widths.append((series, (rows["high"] - rows["low"]).mean() / 2))
        axis.set_ylabel("micro F1")
        axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "¼", "½", "¾", "1"])
        axis.set_xlabel("share of the steps shown")
    style.legend(figure, axes[: len(tasks)], 2)
    half = pd.DataFrame(widths, columns=["series", "half"])
    theirs = half["series"].str.startswith("published")
    table = pd.concat(drawn, ignore_index=True)
    items = table.loc[table["series"].str.startswith("published"), "n"]
    answer = (
        f"Mean half-width of an interval: {100 * half.loc[~theirs, 'half'].mean():.1f} points on whole test sets, "
        f"{100 * half.loc[theirs, 'half'].mean():.1f} on the published items"
    )
    style.title(figure, answer)
    return style.show(
        figure,
        "edges-published",
        table,
        "Do skills rise in the same way as in the published curves? Micro F1 over the share of the steps shown, of "
        "this run with a 95% bootstrap over test sentences, and of the published BERT and ELECTRA with the 95% Wilson "
        f"interval that the items behind each of their points allow ({items.min()} to {items.max()} by task). "
        "Corpora, sizes, label sets and test sets differ, so heights do not compare; shapes do. No baseline was "
        "published.",
        f"{len(tasks)} line charts of micro F1 over the share of training steps. {answer}.",
    )


def table(frame: pd.DataFrame, layer: int) -> HTML:
    """The last checkpoint in numbers, a row a task."""
    rows = []
    for task in edges.tasks(frame):
        end = edges.curve(frame, task, layer).iloc[-1]
        others = {
            "most frequent label": edges.curve(frame, task, None, baseline=edges.MAJORITY),
            "untrained": edges.curve(frame, task, layer, baseline=curves.UNTRAINED),
            "static": edges.curve(frame, task, edges.STATIC),
            "control": edges.curve(frame, task, layer, baseline=edges.CONTROL),
            "macro F1": edges.curve(frame, task, layer, edges.MACRO),
        }
        half = edges.half_gain(frame, task, layer)
        rows.append(
            {
                "task": edges.label(task),
                "test edges": f"{int(end['n']):,}",
                "micro F1 (95% interval)": f"{end['value']:.3f} ({end['low']:.3f} to {end['high']:.3f})",
                **{name: f"{own['value'].iloc[-1]:.3f}" if len(own) else "" for name, own in others.items()},
                "half of its gain at step": f"{half:,.0f}" if np.isfinite(half) else "no gain shown",
            }
        )
    return style.table(pd.DataFrame(rows))
