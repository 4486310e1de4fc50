"""Which layer knows what, and when: layers × steps, the best layer, and the centre of gravity."""

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import edge_documents, edges, tables
from embryology.analysis.edge_documents import Documents
from embryology.figures import answers, style
from embryology.figures.edges import panels
from embryology.runs.series import Series
from embryology.specs import UNTRAINED


def numbers(frame: pd.DataFrame, documents: dict[str, Documents] | None = None) -> dict[str, str]:
    """What the prose of the page says of the first series, by name.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        documents: of :func:`embryology.analysis.edge_documents.read`, for intervals of centres.
    """
    tasks = edges.tasks(frame)
    best = {task: edges.grid(frame, task).iloc[:, -1].idxmax() for task in tasks}
    centres = {task: edges.centre_of_gravity(frame, task).iloc[-1] for task in tasks}
    known = sorted((centre, task) for task, centre in centres.items() if not np.isnan(centre))
    listed = style.listed([f"{edges.label(task)} {_centre(at, task, documents)}" for at, task in known])
    none = style.listed([edges.label(task) for task, centre in centres.items() if np.isnan(centre)])
    sentences = [f"At the last checkpoint it stands at {listed}."] if known else []
    sentences += [f"There is nothing to weigh at the end for {none}."] if len(known) < len(tasks) else []
    return {
        "layers": str(max(edges.layers(frame))),
        "best": style.listed([f"layer {layer} for {edges.label(task)}" for task, layer in best.items()]),
        "centres": " ".join(sentences),
        "lowest_first": f"Centre of gravity at the end{_ends_of(known)}{listed}"
        if known
        else "No layer is shown to add to the embeddings",
    }


def _ends_of(known: list[tuple[float, str]]) -> str:
    """The lowest and the highest of three or more, with their places in the layers."""
    if len(known) < 3:
        return ", lowest first: "
    (low, first), *_, (high, last) = known
    return f": {edges.label(first)} {low:.2f} to {edges.label(last)} {high:.2f}; lowest first: "


def answer(series: Series, frame: pd.DataFrame, documents: dict[str, Documents] | None = None) -> Markdown:
    """Where the gain sits; arguments as of :func:`numbers`."""
    return answers.said(
        "Which layer knows what?",
        numbers(frame, documents)["lowest_first"],
        answers.of_one(series, "documents" if documents else ""),
    )


def _centre(centre: float, task: str, documents: dict[str, Documents] | None) -> str:
    low, high = edge_documents.centre_of_gravity(documents[task]) if documents else (np.nan, np.nan)
    return f"{centre:.2f}" if np.isnan(low) else f"{centre:.2f} ({min(low, centre):.2f} to {max(high, centre):.2f})"


def chosen(documents: dict[str, Documents]) -> HTML:
    """The best layer and checkpoint of one half of the documents, scored on the other half, a row a task.

    Args:
        documents: of :func:`embryology.analysis.edge_documents.read`.
    """
    table = edge_documents.choices(documents)
    if table.empty:
        return style.paragraph(
            "Whether the best layer is best on other documents cannot be told: the answers of single layers were not "
            "kept, or all are of one document."
        )
    shown = pd.DataFrame(
        {
            "task": table["task"].map(edges.label),
            "documents": table["documents"],
            "best layer of each half": [" and ".join(map(str, pair)) for pair in table["layers"]],
            "micro F1 on the other half": [_ends(row, "score", "{:.3f}") for _, row in table.iterrows()],
            "above static embeddings": [_ends(row, "gain", "{:+.3f}") for _, row in table.iterrows()],
            "best checkpoint of each half": [" and ".join(f"{step:,}" for step in pair) for pair in table["steps"]],
            "above the last one": [
                _ends(row, "best_gain", "{:+.3f}") if set(row["steps"]) != {row["last"]} else "it is the last one"
                for _, row in table.iterrows()
            ],
        }
    )
    return style.table(shown)


def _ends(row: pd.Series, name: str, form: str) -> str:
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    if np.isnan(low):
        return f"{form.format(value)} (too few documents for an interval)"
    return f"{form.format(value)} ({form.format(low)} to {form.format(high)})"


@style.styled
def heat(frame: pd.DataFrame) -> HTML:
    """Micro F1 of every layer at every checkpoint, a map a task, the best layer of each checkpoint marked."""
    tasks = edges.tasks(frame)
    figure, axes = panels(tasks)
    drawn, halves = [], []
    for axis, task in zip(axes, tasks, strict=True):
        values = edges.grid(frame, task)
        halves.append((edges.grid(frame, task, "high") - edges.grid(frame, task, "low")).to_numpy().mean() / 2)
        style.heat(axis, values, cbar_kws={"label": "micro F1"})
        axis.invert_yaxis()  # the embeddings below
        ring = {
            "linestyle": "",
            "marker": "o",
            "markersize": 5,
            "markerfacecolor": "white",
            "markeredgecolor": style.INK,
        }
        best = values.to_numpy().argmax(axis=0)
        axis.plot(np.arange(values.shape[1]) + 0.5, best + 0.5, **ring, label="best layer of the checkpoint")
        interval = max(1, -(-values.shape[1] // 7))
        shown = range(0, values.shape[1], interval)
        axis.set_xticks([i + 0.5 for i in shown], [style.short(values.columns[i]) for i in shown], rotation=0)
        axis.set(ylabel="layer", xlabel=style.counted("training step (one column a checkpoint)"))
        ends = [edges.grid(frame, task, name).stack().rename(name) for name in ("value", "low", "high")]
        drawn.append(pd.concat(ends, axis=1).reset_index().assign(task=task))
    style.legend(figure, axes, 1)
    untrained = ", the first column the untrained model" if (frame["baseline"] == UNTRAINED).any() else ""
    above = sum(np.isfinite(edges.centre_of_gravity(frame, task).iloc[-1]) for task in tasks)
    answer = f"At the end some layer's interval lies above that of the embeddings in {above} of {len(tasks)} tasks"
    return style.show(
        figure,
        "layers",
        answer,
        pd.concat(drawn, ignore_index=True)[["task", "layer", "step", "value", "low", "high"]],
        f"Which layer tells what, and when? Micro F1 of a linear classifier on each layer of each checkpoint of "
        f"{tables.main_series(frame)}; layer 0 is the static embeddings{untrained}. Each "
        f"map has its own scale. A value's 95% interval reaches about {100 * np.mean(halves):.1f} points to either "
        f"side, so neighbouring layers are often not told apart.",
        f"{style.plural(len(tasks), 'heat map')} of micro"
        f" F1, layers by checkpoints. {answer}: {numbers(frame)['best']}.",
    )


@style.styled
def centres(frame: pd.DataFrame) -> HTML:
    """Centre of gravity and best layer over steps, a panel a task."""
    tasks = edges.tasks(frame)
    figure, axes = panels(tasks, sharey=True)
    top, drawn = max(edges.layers(frame)), []
    colour, marker, _ = style.LINES[0]
    for axis, task in zip(axes, tasks, strict=True):
        centre, best = edges.centre_of_gravity(frame, task), edges.grid(frame, task).idxmax()
        axis.plot(best.index, best, linestyle="", marker="s", color=style.LINES[1][0], label="best layer")
        axis.plot(centre.index, centre, color=colour, marker=marker, label="centre of gravity")
        even = {"color": style.MUTED, "linestyle": style.DOTTED, "linewidth": 1.3}
        axis.axhline((1 + top) / 2, **even, label="equal gain in every layer above the embeddings")
        if centre.isna().all():
            axis.text(
                0.03, 0.4, "no layer above the embeddings", transform=axis.get_yaxis_transform(), color=style.ALERT
            )
        axis.set(ylabel="layer", yticks=edges.layers(frame))
        style.training_axis(axis, best.index, "training step")
        drawn.append(
            pd.DataFrame(
                {"task": task, "step": best.index, "best_layer": best, "centre": centre, "even": (1 + top) / 2}
            )
        )
    axes[0].set_ylim(-0.3, top + 0.3)
    style.legend(figure, axes, 2)
    answer = numbers(frame)["lowest_first"]
    return style.show(
        figure,
        "layers-centres",
        answer,
        pd.concat(drawn, ignore_index=True),
        "Does knowledge move through the layers? The centre of gravity is the mean layer, weighted by how much each "
        "layer's micro F1 exceeds that of the static embeddings; it is drawn where some layer's 95% interval lies "
        "above theirs. Baseline, dotted: the centre if every "
        "layer gained alike. The best layer is that of the highest value on the same items, whose lead may be chance.",
        f"{style.plural(len(tasks), 'line chart')} of layer numbers over training steps. {answer}.",
    )
