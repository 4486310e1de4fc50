"""How a layer's vectors come to be what they are at the end, what shape they have, and how much noise they survive."""

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes

from embryology.analysis import similarity, tables
from embryology.analysis.learning_order import NOT_REACHED, REACHED
from embryology.analysis.similarity import Settling
from embryology.figures import style
from embryology.figures.learning_order import mark
from embryology.figures.similarity_in_words import NAMES, named, order, settling_of, units
from embryology.specs.similarity import (
    ACCURACY,
    BEFORE,
    CKA,
    COSINE,
    DIMENSION,
    LAST,
    MAJORITY,
    NOISE,
    PARTICIPATION,
    PWCCA,
    SHAPE,
    SHUFFLED,
    SPECIFICATION,
    SURVIVED,
)

BASELINES = SPECIFICATION.baselines
MOST_LAYERS, MOST_STEPS = len(style.LINES), 6
"""That are drawn."""


def _curves(axis: Axes, frame: pd.DataFrame, task: str, metric: str) -> pd.DataFrame:
    """Draw a line a layer, and give what was drawn."""
    drawn = []
    for layer, line in zip(style.few(similarity.layers(frame), MOST_LAYERS), style.LINES, strict=False):
        rows = similarity.curve(frame, task, metric, layer)
        if len(rows):
            style.curve(axis, rows, line, named(layer))
            drawn.append(rows.assign(task=task, metric=metric, layer=layer))
    return pd.concat(drawn, ignore_index=True) if drawn else pd.DataFrame()


def _steps(frame: pd.DataFrame) -> np.ndarray:
    return np.sort(frame.loc[frame["series"] == tables.main_series(frame), "step"].unique())


@style.styled
def settling(frame: pd.DataFrame, of: Settling) -> HTML:
    """Similarity of each layer with itself at the last checkpoint and at the one before, a line a layer.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        of: of :func:`embryology.analysis.similarity.read`.
    """
    figure, axes = style.grid(4, 2, 2.5, sharey=True)
    drawn = []
    shown = [(task, metric) for task in (LAST, BEFORE) for metric in (CKA, PWCCA)]
    for axis, (task, metric) in zip(axes, shown, strict=True):
        drawn.append(_curves(axis, frame, task, metric))
        if task == LAST:
            level = similarity.chance(frame, metric, SHUFFLED)
            style.baseline(axis, level, SHUFFLED, BASELINES[SHUFFLED])
            drawn.append(level.assign(task=task, metric=metric, baseline=SHUFFLED))
        axis.set_title(f"{NAMES[metric]} {SPECIFICATION.tasks[task]}")
        axis.set(ylabel="similarity", ylim=(min(0, axis.get_ylim()[0]), 1.02))
        style.training_axis(axis, _steps(frame), "training step")
    style.legend(figure, axes, 4)
    answer = settling_of(frame, of)
    return style.show(
        figure,
        "similarity-settling",
        answer,
        pd.concat(drawn, ignore_index=True),
        f"How quickly do layers settle? Each layer beside itself at step {of.reference:,}, where it is 1, and at the "
        f"checkpoint before. Bands: 95% over {units(frame)} (jackknife). Dotted: the same words in another order, the "
        f"highest of the layers. The untrained model is step 0. Vectors of one word a sentence, {of.source}, in "
        f"{tables.main_series(frame)}; to the checkpoint before a layer is the closer the fewer steps lie between.",
        f"Four line charts of similarity over training steps, a line a layer. {answer}.",
    )


@style.styled
def times(frame: pd.DataFrame, of: Settling) -> HTML:
    """When each layer is halfway from where it began to the last checkpoint, by both measures."""
    numbers = list(of.times[CKA].index)
    rows = {named(layer): place for place, layer in enumerate(numbers)}
    figure, (axis,) = style.panels(1, 1, 8.5, 0.42 * len(rows) + 1.4)
    for number, (metric, table) in enumerate(of.times.items()):
        table = table.rename(index=named)
        mark(axis, table, rows, (number - 0.5) * 0.4, style.LINES[number], NAMES[metric], _steps(frame))
    style.training_axis(axis, _steps(frame), "training step, halfway to the last checkpoint")
    style.room(axis, _steps(frame)[-1])
    axis.set_yticks(list(rows.values()), list(rows))
    axis.set_ylim(len(rows) - 0.5, -0.5)
    style.legend(figure, [axis], 2)
    answer = order(frame, of, CKA).partition(":")[0]
    data = pd.concat([table.drop(columns="resampled").assign(metric=metric) for metric, table in of.times.items()])
    return style.show(
        figure,
        "similarity-times",
        answer,
        data.rename_axis("layer").reset_index(),
        f"In which order do layers settle? Step at which the similarity of a layer with step {of.reference:,} is "
        f"halfway from what it is at the first checkpoint to 1, by the best rising fit; {tables.main_series(frame)}. "
        f"Bars: 95% over {units(frame)} (jackknife), out to the checkpoints around. Halfway lies above the first "
        "checkpoint by construction.",
        f"Dot plot of {len(data)} times on an axis of training steps. {answer}.",
    )


@style.styled
def between_layers(frame: pd.DataFrame) -> HTML:
    """CKA of each layer with each other within checkpoints."""
    steps = style.few([int(step) for step in _steps(frame)], MOST_STEPS)
    numbers = similarity.layers(frame)
    figure, axes = style.grid(len(steps), 3, 2.6, sharex=True, sharey=True, margin=0.3)
    drawn = []
    for axis, step in zip(axes, steps, strict=True):
        values = similarity.square(frame, step)
        table, of_all = pd.DataFrame(values, numbers, numbers), {"vmin": 0, "vmax": 1, "square": True, "cbar": False}
        written = {"annot": True, "fmt": ".2f", "annot_kws": {"fontsize": 8}} if len(numbers) <= MOST_LAYERS else {}
        style.heat(axis, table, **of_all, **written)
        axis.set(title=f"step {style.short(step)}", xlabel="layer", ylabel="layer")
        cells = table.stack().rename_axis(["layer", "other"]).rename("cka")
        drawn.append(cells.reset_index().assign(step=step))
    axes[0].invert_yaxis()  # of all of them, which share it: the embeddings below
    figure.colorbar(axes[-1].collections[0], ax=list(axes), label="CKA", shrink=0.8)
    ends = [similarity.curve(frame[frame["group"].isin(["0", ""])], "layers", CKA, numbers[-1])]
    ends = [row for _, row in ends[0].iloc[[0, -1]].iterrows()] if len(ends[0]) else []
    said = [f"{style.ranged(row, '.2f')} at step {row['step']:,.0f}" for row in ends]
    short = [f"{row['value']:.2f} at step {row['step']:,.0f}" for row in ends]
    answer = f"CKA of the last layer and the embeddings: {' and '.join(dict.fromkeys(short))}"
    answer += f"; {' and '.join(dict.fromkeys(said))}" if said != short else ""
    answer = answer if ends else "How alike the last layer and the embeddings are cannot be told"
    return style.show(
        figure,
        "similarity-layers",
        answer,
        pd.concat(drawn, ignore_index=True),
        f"How alike are layers of one checkpoint? Linear CKA of each layer of {tables.main_series(frame)} with each "
        "other, 0 the embeddings; of independent vectors it is about 0, of equal ones 1. One scale for all maps; "
        f"intervals over {units(frame)} are in the sentence above.",
        f"{style.plural(len(steps), 'map')} of layers by layers. {answer}.",
    )


@style.styled
def shape(frame: pd.DataFrame) -> HTML:
    """Isotropy and dimension of each layer over training, a line a layer."""
    figure, axes = style.grid(3, 3, 2.6, width=10)
    metrics = {COSINE: "mean cosine", PARTICIPATION: "participation ratio", DIMENSION: "intrinsic dimension (TwoNN)"}
    drawn = []
    for axis, (metric, title) in zip(axes, metrics.items(), strict=True):
        drawn.append(_curves(axis, frame, SHAPE, metric))
        axis.set_title(title)
        axis.set_ylabel("cosine" if metric == COSINE else "dimensions")
        axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
        style.training_axis(axis, _steps(frame), "training step")
    style.legend(figure, axes, 4)
    last = similarity.layers(frame)[-1]
    measured = [
        (name, form, rows.iloc[0], rows.iloc[-1])
        for metric, name, form in ((COSINE, "mean cosine", ".2f"), (DIMENSION, "dimension", ".0f"))
        if len(rows := similarity.curve(frame, SHAPE, metric, last))
    ]
    ends = [f"{name} from {one['value']:{form}} to {other['value']:{form}}" for name, form, one, other in measured]
    ranges = [
        f"{name} from {style.ranged(one, form)} to {style.ranged(other, form)}" for name, form, one, other in measured
    ]
    answer = f"In the last layer {style.listed(ends)}; first to last checkpoint: {style.listed(ranges)}"
    answer = answer if ends else "What shape the vectors have cannot be told"
    return style.show(
        figure,
        "similarity-shape",
        answer,
        pd.concat(drawn, ignore_index=True),
        f"How many directions do the vectors of {tables.main_series(frame)} fill? Mean cosine of two words (0: no "
        "common direction), participation ratio of the covariance's eigenvalues, and intrinsic dimension by the two "
        "nearest neighbours, which is too low where it is high. The line to clear is the untrained model, step 0. "
        f"Bands: 95% over {units(frame)} (jackknife).",
        f"Three line charts over training steps, a line a layer. {answer}.",
    )


@style.styled
def fragility(frame: pd.DataFrame) -> HTML:
    """How well part of speech is read from each layer, and how much noise that survives."""
    figure, axes = style.grid(2, 2, 2.8)
    drawn = [_curves(axes[0], frame, NOISE, ACCURACY)]
    blind = similarity.curve(frame, NOISE, ACCURACY, None, MAJORITY)
    style.baseline(axes[0], blind, MAJORITY, BASELINES[MAJORITY])
    drawn += [blind.assign(metric=ACCURACY, baseline=MAJORITY), _curves(axes[1], frame, NOISE, SURVIVED)]
    axes[0].set(title="part of speech", ylabel="accuracy, share", ylim=(0, 1))
    axes[1].set(title="noise that halves what is above the dotted line", ylabel="standard deviations")
    axes[1].set_ylim(bottom=0)
    for axis in axes:
        style.training_axis(axis, _steps(frame), "training step")
    style.legend(figure, axes, 3)
    last = similarity.layers(frame)[-1]
    ends = similarity.curve(frame, NOISE, SURVIVED, last)
    if len(ends) and ends["step"].iloc[-1] == _steps(frame)[-1]:
        noise = style.ranged(ends.iloc[-1], ".1f")
        answer = f"Part of speech in the last layer survives noise of {noise} standard deviations; at the end"
    else:
        answer = "How much noise part of speech survives in the last layer at the end cannot be told"
    return style.show(
        figure,
        "similarity-fragility",
        answer,
        pd.concat(drawn, ignore_index=True),
        f"How firmly do vectors of {tables.main_series(frame)} hold part of speech? Left: accuracy of a linear "
        "classifier on words and documents it was not trained on, beside the most frequent tag. Right: normal noise, "
        "in standard deviations of each dimension, at which that accuracy is halfway down to the most frequent tag's; "
        f"nothing where accuracy is not shown to be above it. Bands: 95% over {units(frame)} (right: jackknife).",
        f"Two line charts over training steps, a line a layer. {answer}.",
    )


def table(of: Settling) -> HTML:
    """When layers are halfway, by both measures, and where they begin."""
    rows = []
    for layer in of.times[CKA].index:
        cells = {"layer": named(layer)}
        for metric, each in of.times.items():
            row = each.loc[layer]
            told = style.stepped(row) if row["state"] == REACHED else row["state"]
            told = "not before the last checkpoint" if row["state"] == NOT_REACHED else told
            cells |= {f"{NAMES[metric]} at first": f"{row['begins']:.2f}", f"halfway by {NAMES[metric]}": told}
        rows.append(cells)
    return style.table(pd.DataFrame(rows))
