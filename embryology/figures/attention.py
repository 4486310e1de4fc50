"""Where heads attend over pretraining, and when they find syntactic heads, beside uniform attention and offsets."""

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.colors import PowerNorm

from embryology.analysis import attention, tables
from embryology.analysis.attention import ALL, Formation
from embryology.analysis.learning_order import REACHED
from embryology.figures import style
from embryology.figures.attention_in_words import LABELS, beyond, frequency
from embryology.figures.learning_order import mark
from embryology.intervals import RESAMPLES, SEED
from embryology.specs import UNTRAINED
from embryology.specs.attention import (
    DISTANCE,
    ENTROPY,
    OFFSET,
    SPECIFICATION,
    TO_HEAD,
    UNIFORM,
)

BASELINES = SPECIFICATION.baselines
MOST_LAYERS, MOST_STEPS, MOST_RELATIONS = len(style.LINES), 6, 8
"""That are drawn."""
RESAMPLED = f"{RESAMPLES:,} resamples, seed {SEED}"


@style.styled
def maps(frame: pd.DataFrame, formation: Formation, sentence: int = 0) -> HTML:
    """Attention in one sentence, layers × checkpoints: of each layer the kept head that ends closest to neighbours.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        formation: of :func:`embryology.analysis.attention.read`.
        sentence: which of the project's own, from 0.
    """
    names = formation.maps["sentence"].unique()
    if not len(names):
        return style.paragraph("No maps were kept of this series.")
    kept = formation.maps[formation.maps["sentence"] == names[min(sentence, len(names) - 1)]]
    steps, layers = (
        style.few(sorted(kept["step"].unique()), MOST_STEPS),
        style.few(sorted(kept["layer"].unique()), MOST_LAYERS),
    )
    last, pieces = kept[kept["step"] == steps[-1]], kept["pieces"].iloc[0]
    near = last["map"].map(_to_neighbours)
    heads = {layer: int(last.loc[near[last["layer"] == layer].idxmax(), "head"]) for layer in layers}
    figure, axes = style.panels(
        len(layers), len(steps), 1.9 * len(steps) + 1, 1.9 * len(layers) + 0.8, sharex=True, sharey=True
    )
    chosen = kept[kept["head"] == kept["layer"].map(heads)].set_index(["layer", "step"])["map"]
    top, drawn, ends = max(chosen[layer, step].max() for layer in layers for step in steps), [], []
    for axis, (layer, step) in zip(axes, [(layer, step) for layer in layers for step in steps], strict=True):
        table = pd.DataFrame(chosen[layer, step], pieces, pieces)
        style.heat(axis, table, norm=PowerNorm(0.5, 0, top), square=True, cbar=False, rasterized=True)
        for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
            for text in labels:
                text.set_fontsize(6)
        if layer == layers[0]:
            axis.set_title(f"step {style.short(step)}", fontsize=9)
        if step == steps[0]:
            axis.set_ylabel(f"head {layer}-{heads[layer]}\nfrom", fontsize=9)
        if layer == layers[-1]:
            axis.set_xlabel("to", fontsize=9)
        cells = pd.DataFrame(chosen[layer, step]).stack().rename_axis(["from", "to"]).rename("attention").reset_index()
        drawn.append(cells.assign(layer=layer, head=heads[layer], step=step))
        if step == steps[-1]:
            ends.append(f"{_to_neighbours(chosen[layer, step]):.2f}")
    figure.colorbar(axes[-1].collections[0], ax=list(axes), label="attention, share", shrink=0.8)
    text = " ".join(pieces)
    even = _to_neighbours(np.full_like(chosen[layers[0], steps[0]], 1 / len(pieces)))
    answer = f"At step {steps[-1]:,} neighbours get {style.listed(ends)} of these heads' attention, evenly {even:.2f}"
    return style.show(
        figure,
        "attention-maps",
        answer,
        pd.concat(drawn, ignore_index=True)[["layer", "head", "step", "from", "to", "attention"]],
        f"How does attention form? One sentence of our own, “{text}”, read by {tables.main_series(frame)}: from each "
        f"token (row) to each (column), a row of maps a layer, a column a checkpoint; one scale for all, of square "
        f"roots. Of each layer's kept heads the one that ends with most attention to the tokens before and behind; "
        f"uniform attention would be {1 / len(pieces):.2f} everywhere. An example, without intervals.",
        f"Grid of {len(layers)} by {len(steps)} attention maps. {answer}.",
    )


def _to_neighbours(square: np.ndarray) -> float:
    """The mean attention of tokens to those before and behind them together, the first and the last token apart."""
    inner = square[1:-1, 1:-1]
    pairs = np.concatenate([np.diagonal(inner, -1), np.diagonal(inner, 1)])
    return float(pairs.sum() / max(len(inner), 1))


@style.styled
def patterns(frame: pd.DataFrame, formation: Formation) -> HTML:
    """Curves of where attention goes, a panel a pattern, a line a layer, beside uniform attention."""
    curves, masses = formation.curves, list(formation.patterns)
    layers = style.few(sorted(curves["layer"].unique()), MOST_LAYERS)
    figure, axes = style.grid(len(masses) + 2, 2, 2.3)
    drawn = []
    for axis, name in zip(axes, [*masses, ENTROPY, DISTANCE], strict=True):
        for layer, line in zip(layers, style.LINES, strict=False):
            if name in masses:
                rows = curves[(curves["pattern"] == name) & (curves["layer"] == layer)]
            else:
                rows = attention.mean_of_heads(frame, name, layer)
            style.curve(axis, rows, line, f"layer {layer}")
            drawn.append(rows[["step", "value", "low", "high"]].assign(statistic=name, layer=layer))
        even = attention.mean_of_heads(frame, name, None, UNIFORM)
        style.baseline(axis, even, UNIFORM, BASELINES[UNIFORM])
        drawn.append(even[["step", "value", "low", "high"]].assign(statistic=name, baseline=UNIFORM))
        axis.set_title(f"to {LABELS[name]}" if name in masses else {ENTROPY: "entropy", DISTANCE: "distance"}[name])
        axis.set_ylabel({ENTROPY: "nats", DISTANCE: "tokens"}.get(name, "attention, share"))
        if name in masses:
            axis.set_ylim(bottom=0)
        style.training_axis(axis, even["step"].to_numpy(), "training step")
    style.legend(figure, axes, 4)
    formed = [LABELS[name] for name, times in formation.patterns.items() if (times["state"] == REACHED).any()]
    answer = f"{len(formed)} of {len(masses)} patterns end beyond uniform attention and the untrained model"
    answer = f"{answer}; to {style.listed(formed)}"
    answer = answer if formed else "No pattern is shown to end beyond uniform attention and the untrained model"
    return style.show(
        figure,
        "attention-patterns",
        answer,
        pd.concat(drawn, ignore_index=True),
        f"Which patterns form in which layer? {tables.main_series(frame)} on {formation.source}. Of each layer the "
        f"head that attends so most at the end, chosen on half of the documents, drawn on the other half, both ways; "
        f"entropy and distance are means over a layer's heads. Bands: 95% over sentences (percentile bootstrap, "
        f"{RESAMPLED}; of means t intervals). Dotted: uniform attention. The untrained model is step 0.",
        f"{style.plural(len(masses) + 2, 'line chart')} over training steps, a line a layer. {answer}.",
    )


@style.styled
def relations(frame: pd.DataFrame, formation: Formation) -> HTML:
    """How often the chosen heads find syntactic heads, a panel a relation, beside the best fixed offset."""
    if formation.relations.empty:
        return style.paragraph(
            "Whether heads find syntax is not drawn: there are no other sentences to choose heads on."
        )
    shown = [ALL, *attention.relations(frame)[: MOST_RELATIONS - 1]]
    figure, axes = style.grid(len(shown), 2, 2.3, sharey=True)
    drawn = []
    for axis, relation in zip(axes, shown, strict=True):
        rows = attention.found(frame, relation)
        style.curve(axis, rows, style.LINES[0], "chosen head")
        drawn.append(rows.assign(relation=relation or "all"))
        for name in (OFFSET, UNIFORM, UNTRAINED):
            line = attention.found(frame, relation, name)
            style.baseline(axis, line, name, BASELINES[name])
            drawn.append(line.assign(relation=relation or "all", baseline=name))
        axis.set_title(f"{relation or 'all relations'} (n = {rows['n'].iloc[-1]:,})")
        axis.set(ylabel="heads found, share", ylim=(0, 1))
        style.training_axis(axis, rows["step"].to_numpy(), "training step")
    style.legend(figure, axes, 2)
    told = beyond(frame, formation.relations)
    answer = "Whether heads find syntax " if told.startswith("cannot") else "Beyond the best fixed offset heads find "
    answer += told
    return style.show(
        figure,
        "attention-relations",
        answer,
        pd.concat(drawn, ignore_index=True),
        "Do heads find syntax? Words whose syntactic head is found by the attention head and direction that does best "
        "for the relation on the other half of the documents. Bands: 95% over sentences. Dashed: the best fixed offset "
        f"for the relation, chosen alike; dotted: a word drawn evenly; grey: untrained. {tables.main_series(frame)} on "
        f"{formation.source}, most frequent relations, punctuation apart.",
        f"{style.plural(len(shown), 'line chart')} of shares over training steps. {answer}.",
    )


@style.styled
def times(frame: pd.DataFrame, formation: Formation) -> HTML:
    """When patterns form in layers and when relations are found, with intervals, beside what frequency predicts."""
    layers = style.few(range(len(next(iter(formation.patterns.values())))), MOST_LAYERS)
    of_patterns = [
        times.iloc[layers].rename(index=lambda layer, name=name: f"to {LABELS[name]}, {layer}")
        for name, times in formation.patterns.items()
    ]
    shown = [ALL, *attention.relations(frame)[: MOST_RELATIONS - 1]]
    syntax = formation.relations.reindex([name for name in shown if name in formation.relations.index])
    syntax = syntax.rename(index=lambda name: f"{name or 'all relations'}, beyond offsets")
    syntax = pd.concat([formation.attached.rename(index={ALL: "all relations, beyond uniform"}), syntax])
    table = pd.concat([*of_patterns, syntax])
    rows = {str(name): place for place, name in enumerate(table.index)}
    steps = np.sort(frame.loc[frame["series"] == tables.main_series(frame), "step"].unique())
    figure, (axis,) = style.panels(1, 1, 8.5, 0.24 * len(rows) + 1.4)
    mark(axis, pd.concat(of_patterns), {name: rows[name] for name in rows if name.startswith("to ")}, 0.0,
         style.LINES[0], "a layer's chosen head attends so", steps)  # fmt: skip
    if len(syntax):
        mark(axis, syntax, {name: rows[name] for name in syntax.index}, 0.0, style.LINES[1], "heads find it", steps)
    if isinstance(formation.frequency, pd.Series):
        low, high = formation.frequency[["low", "high"]]
        axis.axvspan(low, high, color=style.GRID, label="loss falls below what frequencies alone give")
    style.training_axis(axis, steps, "training step, halfway from blind to final")
    style.room(axis, steps[-1])
    axis.set_yticks(list(rows.values()), list(rows))
    axis.set_ylim(len(rows) - 0.5, -0.5)
    style.legend(figure, [axis], 2)
    timed = table[table["state"] == REACHED]
    first = str(timed["step"].idxmin()) if len(timed) else ""
    answer = f"{len(timed)} of {len(table)} have a time, the first: {first}" if first else "None of them has a time"
    return style.show(
        figure,
        "attention-times",
        answer,
        table.drop(columns="resampled").rename_axis("what").reset_index(),
        "When does attention form? Step at which a curve is halfway from the best blind answer to its final value. "
        f"Bars: 95% bootstrap over sentences and checkpoints, out to the checkpoints around. By the best rising fit; "
        f"percentiles of {RESAMPLED}; {tables.main_series(frame)} on {formation.source}. Blind answers are uniform "
        "attention, the untrained model, and of relations the best fixed offset. What never clears them has no time. "
        f"Grey: when the held-out loss falls below the unigram line, which {frequency(formation)}.",
        f"Dot plot of {len(table)} times on an axis of training steps. {answer}.",
    )


def table(frame: pd.DataFrame, formation: Formation) -> HTML:
    """Relations at the last checkpoint: the best attention head, and what heads and offsets find on other sentences."""
    best = attention.best_heads(frame)
    rows = []
    for relation in [ALL, *attention.relations(frame)]:
        ends = {name: rows_.iloc[-1] for name in (None, OFFSET) if len(rows_ := attention.found(frame, relation, name))}
        head = best.loc[relation]
        direction = "from the dependent" if head["direction"] == TO_HEAD else "from the head"
        rows.append(
            {
                "relation": relation or "all",
                "words": f"{attention.found(frame, relation, UNIFORM)['n'].iloc[-1]:,}",
                "best head on all": f"{head['layer']}-{head['head']}, {direction}: {100 * head['value']:.0f}%",
                "head chosen elsewhere": style.ranged(ends[None], ".0f", "%", 100) if None in ends else "none",
                "offset chosen elsewhere": style.ranged(ends[OFFSET], ".0f", "%", 100) if OFFSET in ends else "none",
            }
        )
    return style.table(pd.DataFrame(rows))
