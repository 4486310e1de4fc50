"""Presets × seeds as factors: which cells of a study are measured, and what presets and seeds change at the end."""

import textwrap
from collections.abc import Sequence

import numpy as np
from IPython.display import HTML, Markdown
from matplotlib.patches import Rectangle

from embryology.analysis import factors
from embryology.analysis.factors import Factors
from embryology.figures import answers, style
from embryology.figures.over_seeds import BASELINES
from embryology.runs.series import Series

MISSING = "missing"


def answer(series: Sequence[Series], study: Factors | None) -> Markdown:
    """Of which measures presets lie further apart at the end than seeds of one preset; and what is missing."""
    question = "Does a preset change more than a seed?"
    if study is None:
        return answers.said(question, f"{answers.UNTOLD}. {_NOT}", answers.of_several(series))
    apart, compared = factors.apart(study)
    missing = int((study.cells["wanted"] - study.cells["measured"]).sum())
    lacking = f"; {missing:,} measurements are missing" if missing else ""
    return answers.said(
        question,
        f"{answers.of(apart, compared)}: at the end, of {compared} measures {apart} have every seed of one preset "
        "beyond every seed of another, of two seeds or more each",
        f"{answers.of_several(series)}{lacking}; so few seeds bear no test",
    )


def coverage(study: Factors | None) -> HTML:
    """A cell a run × probe: how many of its checkpoints are measured, or that it is missing."""
    return style.paragraph(_NOT) if study is None or study.cells.empty else _coverage(study)


def ends(study: Factors | None) -> HTML:
    """The last value of each measure by preset, a point a seed, and below what else is missing."""
    if study is None:
        return style.paragraph(_NOT)
    figure = (
        points(study)
        if len(study.ends)
        else style.paragraph("Not drawn: no measure was taken of several presets alike.")
    )
    return HTML("".join(str(part.data) for part in (figure, *map(style.paragraph, study.remarks))))


_NOT = "Not drawn: these runs are not of several presets with several seeds."


@style.styled
def _coverage(study: Factors) -> HTML:
    probes = list(dict.fromkeys(study.cells["probe"]))
    runs = [(preset, seed) for preset in study.presets for seed in study.seeds]
    figure, (axis,) = style.panels(1, 1, 9, 0.36 * len(runs) + 1.6)
    by_cell = study.cells.set_index(["preset", "seed", "probe"])
    lacking = 0
    for y, (preset, seed) in enumerate(runs):
        for x, probe in enumerate(probes):
            cell = by_cell.loc[(preset, seed, probe)]
            share = cell["measured"] / cell["wanted"] if cell["wanted"] else 0.0
            lacking += int(cell["wanted"] - cell["measured"])
            patch = Rectangle((x - 0.5, y - 0.5), 1, 1, edgecolor=style.INK, linewidth=0.6, fill=bool(share))
            if share:
                patch.set(facecolor=style.LINES[0][0], alpha=0.15 + 0.6 * share)
            if share < 1:
                patch.set_hatch("////")
            axis.add_patch(patch)
            said = f"{cell['measured']} of {cell['wanted']}" if share else MISSING
            plain = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
            axis.text(x, y, said, ha="center", va="center", fontsize=8, bbox=plain)
    axis.set_xlim(-0.5, len(probes) - 0.5)
    axis.set_ylim(len(runs) - 0.5, -0.5)
    axis.set_xticks(range(len(probes)), probes)
    axis.set_yticks(range(len(runs)), [f"{preset}, seed {seed}" for preset, seed in runs])
    axis.set_xlabel("probe")
    axis.set_ylabel("run")
    total = int(study.cells["wanted"].sum())
    answer = (
        f"{lacking:,} of {total:,} measurements of checkpoints are missing"
        if lacking
        else f"All {total:,} measurements of checkpoints are there"
    )
    gone = [f"{p}, seed {s}" for p, s in runs if not study.cells.query("preset == @p and seed == @s")["measured"].any()]
    return style.show(
        figure,
        "study-coverage",
        answer,
        study.cells,
        "What was measured of each preset and seed? A cell says at how many of the checkpoints that a probe is to "
        "measure it has measured; hatched are cells that lack some, and all of those that are missing.",
        f"Table of runs by probes. {answer}."
        + (f" Of these runs there is nothing: {'; '.join(gone)}." if gone else ""),
    )


@style.styled
def points(study: Factors) -> HTML:
    """A panel a measure: presets beside each other, a point a seed, their mean with its interval, and baselines."""
    measures = list(dict.fromkeys(study.ends["measure"]))
    columns = min(3, len(measures))
    figure, axes = style.grid(len(measures), columns, 2.8, margin=1.3)
    spread = factors.spread(study.ends)
    offsets = np.linspace(-0.25, 0.25, len(study.seeds)) if len(study.seeds) > 1 else np.zeros(1)
    for axis, measure in zip(axes, measures, strict=True):
        rows = study.ends[study.ends["measure"] == measure].set_index(["preset", "seed"])["value"]
        presets = list(dict.fromkeys(preset for preset, _ in rows.index))
        summed = spread[spread["measure"] == measure].set_index("preset")
        for x, preset in enumerate(presets):
            values = np.array([rows[preset, seed] for seed in study.seeds], float)
            there = np.isfinite(values)
            looks = {"color": style.LINES[0][0], "marker": "o", "linestyle": "none", "markersize": 5}
            axis.plot(x + offsets[there], 100 * values[there], **looks, label="a seed")
            if (~there).any():  # below the axis, where no value can be
                at_foot = {"transform": axis.get_xaxis_transform(), "clip_on": False, "linestyle": "none"}
                cross = {"color": style.INK, "marker": "x", "markersize": 6}
                axis.plot(
                    x + offsets[~there], np.full((~there).sum(), 0.02), **at_foot, **cross, label=f"{MISSING} seed"
                )
            mean = summed.loc[preset]
            axis.plot([x - 0.32, x + 0.32], [100 * mean["mean"]] * 2, color=style.INK, label="mean of seeds")
            if np.isfinite(mean["low"]):
                ends = [100 * mean["low"], 100 * mean["high"]]
                axis.plot([x, x], ends, color=style.INK, linewidth=0.9, label="95% t interval of the mean")
        for baseline, value in study.levels.get(measure, {}).items():
            if np.isfinite(value):
                style.level(axis, 100 * value, baseline, BASELINES[baseline])
        axis.set_title(textwrap.fill(measure, 34))
        axis.set_xticks(range(len(presets)), [textwrap.fill(preset, 14) for preset in presets])
        axis.set_xlim(-0.5, len(presets) - 0.5)
        axis.set_xlabel("preset")
    for axis in axes[::columns]:
        axis.set_ylabel("%")
    style.legend(figure, axes, 2)
    answer = _answer(study)
    return style.show(
        figure,
        "study-ends",
        answer,
        study.ends.merge(spread, on=["measure", "preset"], how="left"),
        "What does a preset change, and what a seed? The value at the last checkpoint that all seeds of a preset were "
        "measured at: a point a seed, a line for their mean, and from three seeds on that differ its 95% t interval "
        "over seeds. A cross at the foot stands for a seed that is missing. Baselines are those of the first run; a "
        "preset that reads other text has others.",
        f"{len(measures)} charts of points over presets. {answer}.",
    )


def _answer(study: Factors) -> str:
    """Whether presets are farther apart than seeds of one, in the first measure that several presets have."""
    spread = factors.spread(study.ends)
    for measure, rows in spread.groupby("measure", sort=False):
        seeds = rows[rows["seeds"] > 1]
        if len(rows) > 1 and len(seeds):
            apart, within = rows["mean"].max() - rows["mean"].min(), seeds["range"].max()
            return (
                f"In {measure} the means of presets are at most {100 * apart:.1f} points apart, seeds of one preset at "
                f"most {100 * within:.1f}"
            )
    return "Presets cannot be held against seeds: no measure has two presets, one of them with two seeds"
