"""Figures of what variants are asked beside their control: what is forgotten, which fed facts are known, and what one
thing taught that was never read."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from embryology.analysis import variants_asked
from embryology.analysis.knowledge_base import ALL
from embryology.analysis.means import over_units
from embryology.analysis.variants import Study
from embryology.analysis.variants_asked import FED, NEVER, NOT_RUN, REMEMBERED
from embryology.figures import forgetting as tuned
from embryology.figures import knowledge_base, latent_types, style
from embryology.figures.variants_said import FLOOR, WITHOUT, never_read_sentence

LIKELIER = {"more": "than without it", "beyond": "than with that of another object"}
UNTOLD = "Whether contexts make objects likelier cannot be told"
MEAN_BAND = "Bands: 95% t intervals over seeds, of three seeds at least."


NOT_DRAWN = HTML("")
"""Of what was not run: the sentence before it says so."""


def _not_measured(axis: Any, why: str = "not measured") -> None:
    axis.annotate(why, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
    axis.set_xticks([])
    axis.set_yticks([])


@style.styled
def never_read(study: Study) -> HTML:
    """A row a thing at the last checkpoint: its own items without it and in the noise floor, and all others there."""
    things = variants_asked.things(study)
    last = things[things["step"] == things["step"].max()].dropna(subset=[WITHOUT, FLOOR])
    last = last.sort_values(WITHOUT, ascending=False, ignore_index=True)
    if last.empty:
        return NOT_DRAWN
    figure, (axis,) = style.panels(1, 1, 7.5, 0.26 * max(len(last), 4) + 1.6)
    rows = np.arange(len(last))
    band = {"color": style.MUTED, "linewidth": 6, "alpha": 0.25}
    axis.hlines(rows, last["low"], last["high"], **band, label="95% of all other items, noise floor")
    hollow = {"linestyle": "", "marker": "o", "markerfacecolor": "white", "color": style.INK}
    axis.plot(last[FLOOR], rows, **hollow, label="noise floor: as many other sequences not read")
    axis.plot(last[WITHOUT], rows, linestyle="", marker="s", color=style.LINES[1][0], label="never read")
    axis.axvline(0, color=style.INK, linestyle="--", linewidth=1.3, label="the control itself")
    axis.set_yticks(rows, last["query"].str.partition(":")[2])
    axis.set_ylim(-0.8, len(last) - 0.2)
    style.legend(figure, [axis], 2)
    axis.set_xlabel("log-probability of what asks for it less the control's, nats")
    said = never_read_sentence(study)
    data = last.rename(columns={"low": "noise_low", "high": "noise_high"})
    return style.show(
        figure,
        "never-read",
        said,
        data[["query", "sequences", "masked", "step", "items", WITHOUT, FLOOR, "noise_low", "noise_high", "seeds"]],
        "What does one thing teach? Training is replayed from a checkpoint with other sequences in the place of those "
        "that hold a word, or both names of a fact; all others, their masks and their batches stay the same. "
        "Marks, filled: how the log-probability of the items that ask for it changes. Marks, hollow: the same where as "
        "many other sequences of the same batches are replaced. Grey bars: between which 95% of the changes of all "
        "other items of the same probes lie there. Dashed: the control.",
        f"Dot chart of {style.plural(len(last), 'thing')}. {said}.",
    )


@style.styled
def continued(study: Study) -> HTML:
    """A panel for each of what is remembered: its change after the old text ends, a line a continued run."""
    changes = variants_asked.since_the_old_text(study).rename(columns={"change": "value"})
    curves = over_units(changes, ["preset", "what", "step", "phase"])
    if curves.empty:
        return NOT_DRAWN
    plan = study.plan[study.plan["asked"] == "forgetting"]
    figure, axes = style.grid(len(REMEMBERED), 3, 2.6)
    for axis, (what, unit) in zip(axes, REMEMBERED.items(), strict=True):
        axis.set_title(what, loc="left")
        rows = curves[curves["what"] == what]
        if rows.empty:
            _not_measured(axis)
            continue
        for line, each in zip(style.LINES, plan.itertuples(), strict=False):
            own = rows[rows["preset"] == each.preset]
            if len(own):
                style.curve(axis, own, line, each.changed)
        axis.axhline(0, color=style.INK, linestyle="--", linewidth=1.3, label="as the old text ended")
        for border in _borders(rows):
            axis.axvline(border, color=style.MUTED, linestyle=":", linewidth=1)
        axis.set_xlabel(style.counted("training step"))
        axis.set_ylabel(f"change, {unit}")
    style.legend(figure, axes, 2)
    table = variants_asked.forgetting(study)
    lost = int((table["forgotten_low"] > 0).sum())
    back = int(((table["forgotten_low"] > 0) & (table["regained_low"] > 0)).sum())
    said = (
        f"Of {len(table)} measures of continued runs {lost} are worse after another text, and {back} of these better "
        "again after a pass over the old one"
    )
    return style.show(
        figure,
        "continued",
        said,
        curves,
        "What is forgotten when training goes on with another text? Change since the end of the old text: another text "
        "follows, and after the dotted line the old one again. Dashed: as it was when the old text ended. "
        f"{MEAN_BAND} Loss rises where it is forgotten, all else falls.",
        f"{style.plural(len(REMEMBERED), 'line chart')} of continued runs. {said}.",
    )


def _borders(rows: pd.DataFrame) -> list[float]:
    """Where the phases after the old text end, but for the last."""
    ends = rows.groupby("phase")["step"].max()
    return [float(step) for phase, step in ends.items() if 1 < phase < ends.index.max()]


@style.styled
def fed(study: Study) -> HTML:
    """Left, through training, how well facts are known by how they are asked; right, facts that were not fed beside
    the control's."""
    ours = study.plan.loc[study.plan["asked"] == "facts", "preset"]
    values = study.values[study.values["preset"].isin(ours) & study.values["what"].isin([*FED, *NEVER])]
    beside = variants_asked.beside_the_control(study).rename(columns={"difference": "value"})
    curves = {"gain": over_units(values, ["what", "step"]), "beside": over_units(beside, ["what", "step"])}
    if all(rows.empty for rows in curves.values()):
        return NOT_DRAWN
    figure, (left, right) = style.panels(1, 2, 9, 4.6)
    for axis, rows in zip((left, right), curves.values(), strict=True):
        if rows.empty:
            _not_measured(axis)
            continue
        for number, (what, own) in enumerate(rows.groupby("what", sort=False)):
            if what in NEVER:
                look = {"color": style.MUTED, "linestyle": (style.DASHED, style.DOTTED)[what == "works-never"]}
                axis.plot(own["step"], own["value"], **look, label=NEVER[str(what)])
            else:
                style.curve(axis, own, style.LINES[number % len(style.LINES)], FED.get(str(what), str(what)))
        axis.axhline(0, color=style.INK, linewidth=0.8)
        style.training_axis(axis, rows["step"], style.counted("training step"))
    left.set_ylabel("gain, nats")
    right.set_ylabel("log-probability less the control's, nats")
    style.legend(figure, [left, right], 2)
    table = variants_asked.fed_facts(study)
    known = [FED[name] for name in table.loc[table["low"] > 0, "relation"]]
    said = f"Of {len(table)} ways to ask for made-up facts these are known at the end: {style.listed(known)}"
    data = pd.concat([rows.assign(measure=name) for name, rows in curves.items()], ignore_index=True)
    return style.show(
        figure,
        "fed",
        said,
        data,
        "Are facts known that are fed into training, and what follows from them? Left: how much likelier an object is "
        "with its own subject than with others. Baselines, grey: the same questions about people who are never told "
        f"of. Right: facts that were not fed, beside the control of the same seed. {MEAN_BAND}",
        f"2 line charts. {said}.",
    )


@style.styled
def contexts(study: Study) -> HTML:
    """A panel a context: through training, how much likelier objects are with it than without, and than with that of
    another object."""
    told = variants_asked.contexts(study)
    told = told[(told["facts"] == ALL) & (told["measure"] == "log_probability")]
    if told.empty:
        return NOT_DRAWN
    told = told[told["set"] == told["set"].iloc[0]]
    figure, axes = style.panels(1, len(knowledge_base.LABELS), 9, 3.6, sharey=True)
    drawn, helps, unknown = [], [], []
    for axis, (kind, label) in zip(axes, knowledge_base.LABELS.items(), strict=True):
        axis.set_title(textwrap.fill(label, 26), loc="left")
        rows = told[told["context"] == kind]
        if rows.empty:
            _not_measured(axis, "not asked")
            continue
        last = rows.loc[rows["step"].idxmax(), ["more_low", "beyond_low"]]
        if last.isna().any():
            unknown.append(label)
        elif (last > 0).all():
            helps.append(label)
        for line, (name, what) in zip(style.LINES, LIKELIER.items(), strict=False):
            ends = {name: "value", f"{name}_low": "low", f"{name}_high": "high"}
            own = rows[["context", "step", *ends, "seeds"]].rename(columns=ends).assign(line=what)
            style.curve(axis, own, line, what)
            drawn.append(own)
        axis.axhline(0, color=style.INK, linestyle="--", linewidth=1.3, label="no likelier")
        style.training_axis(axis, rows["step"], style.counted("training step"))
    axes[0].set_ylabel("log-probability of the object, nats more")
    style.legend(figure, list(axes), 3)
    helping = style.listed(helps or ["no context"])
    said = f"Objects are shown likelier with {helping} than without it and with another's"
    if unknown:
        said = f"{said}; of {style.listed(unknown)} it cannot be told" if len(unknown) < len(axes) else UNTOLD
    columns = ["context", "line", "step", "value", "low", "high", "seeds"]
    return style.show(
        figure,
        "contexts",
        said,
        pd.concat(drawn)[columns],
        "How much likelier is the object of a fact with what a knowledge base says before the question? All facts that "
        "have such a context. Dashed: no likelier. Bands: 95% t intervals over seeds, of two seeds at least.",
        f"{style.plural(len(axes), 'line chart')}, one a context. {said}.",
    )


def forgotten(study: Study) -> HTML:
    """What is forgotten and regained, in numbers."""
    table = variants_asked.forgetting(study)
    if table.empty:
        return style.table(pd.DataFrame({"continued": [NOT_RUN]}))
    changed = study.plan.set_index("preset")["changed"]
    said = {
        name: [
            f"{row[name]:+.3f} ({row[f'{name}_low']:+.3f} to {row[f'{name}_high']:+.3f})"
            if np.isfinite(row[f"{name}_low"])
            else row["why_not"] or "cannot be told"
            for row in table.to_dict("records")
        ]
        for name in ("forgotten", "regained")
    }
    units = table["what"].map(REMEMBERED)
    return style.table(
        pd.DataFrame({"variant": table["preset"].map(changed), "measure": table["what"], "unit": units} | said)
    )


def tagged(study: Study) -> HTML:
    """What fine-tuning for tags forgets and gives, by checkpoint and method, in numbers."""
    return tuned.table(variants_asked.tags(study))


def at_hand(study: Study) -> HTML:
    """Facts with a context and without, in numbers."""
    return knowledge_base.table(variants_asked.contexts(study))


def typed(study: Study) -> HTML:
    """What latent types say at every checkpoint, in numbers."""
    return latent_types.table(variants_asked.types(study))
