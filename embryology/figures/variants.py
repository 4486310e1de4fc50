"""What variants of one training run do, beside their control: tokens to its loss, and every learning time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import variants
from embryology.analysis.variants import Study
from embryology.analysis.variants_asked import NOT_RUN
from embryology.figures import answers, style

NOT_MEASURED = "not measured yet"


def answer(study: Study) -> Markdown:
    """Which variants come sooner or later to the control's loss, of those that have been run."""
    said = numbers(study)
    return answers.said(
        "What does one change do to all that is learnt?",
        said["loss"],
        f"Rests on {said['run']} of {said['planned']} variants, {said['seeds']} each; simultaneous 95% intervals "
        "against their control",
    )


def opening(study: Study) -> Markdown:
    """How many variants have been run, and which have not."""
    said = numbers(study)
    return Markdown(
        f"{said['run']} of {said['planned']} variants have been run; those that have not are {said['lacking']}. "
        "`make variants` trains, measures and collects them."
    )


def sooner_or_later(study: Study) -> Markdown:
    """Which variants come sooner or later to the control's loss and words, and how much of that is noise."""
    said = numbers(study)
    return Markdown(f"{said['loss']} {said['times']} Half the width of an interval of tokens {said['noise']}.")


def numbers(study: Study) -> dict[str, str]:
    """What the prose of the page says."""
    lacking = study.lacking()
    ours = study.planned
    seeds = study.evaluations.groupby("preset")["seed"].nunique()
    tokens, times = variants.tokens_to_loss(study), variants.learning_times(study)
    return {
        "planned": str(len(ours)),
        "run": str(int((~ours["preset"].isin(lacking)).sum())),
        "lacking": style.listed([_changed(study, name) for name in ours["preset"] if name in lacking]) or "none",
        "seeds": _between(seeds),
        "loss": _sentence(study, tokens, "the control's loss", "sooner", "later"),
        "times": _sentence(study, times, "words", "sooner", "later"),
        "noise": _noise(tokens),
    }


def _between(seeds: pd.Series) -> str:
    if seeds.empty:
        return "no seeds"
    least, most = int(seeds.min()), int(seeds.max())
    return style.plural(least, "seed") if least == most else f"{least} to {most} seeds"


def _sentence(study: Study, table: pd.DataFrame, what: str, lower: str, higher: str) -> str:
    """Which variants differ from their control beyond what seeds explain, which do not, and which cannot be told."""
    if table.empty:
        return f"No variant has been run with its control, so that nothing can be said about {what}."
    told = table[table["why_not"] == ""]
    apart = {
        lower: told[told["high"] < 0].sort_values("difference"),
        higher: told[told["low"] > 0].sort_values("difference", ascending=False),
    }
    parts = [
        f"{what} {'comes' if what.endswith('loss') else 'come'} {word} with "
        f"{style.listed([_changed(study, name) for name in rows['preset']])}"
        for word, rows in apart.items()
        if len(rows)
    ]
    rest = len(told) - sum(map(len, apart.values()))
    if rest:
        parts.append(f"{rest} of {len(table)} variants cannot be told from their control")
    if unknown := len(table) - len(told):
        parts.append(f"of {unknown} it cannot be said")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _noise(table: pd.DataFrame) -> str:
    half = (table["high"] - table["low"]).dropna() / 2
    if half.empty:
        return "cannot be told yet"
    return f"is a factor of {2 ** half.median():.2f}"


def _changed(study: Study, preset: str) -> str:
    return str(study.plan.set_index("preset").loc[preset, "changed"])


@style.styled
def beside_control(study: Study) -> HTML:
    """Two panels, a row a variant: doublings of tokens to the control's loss, and of the tokens of learning times.
    Nothing where no variant has been run."""
    plan, lacking = study.variants, study.lacking()
    missing = [_changed(study, name) for name in plan["preset"] if name in lacking]
    if len(missing) == len(plan):
        return HTML("")
    rows = np.arange(len(plan))[::-1]
    figure, axes = style.panels(1, 2, 8.5, 0.34 * len(plan) + 1.6)
    tables = {
        "tokens of its own text to the control's loss": variants.tokens_to_loss(study),
        "tokens at which words are learnt": variants.learning_times(study),
    }
    drawn = []
    for axis, (what, table) in zip(axes, tables.items(), strict=True):
        by_preset = table.set_index("preset")
        axis.axvline(0, color=style.INK, linestyle="--", linewidth=1.3, label="control")
        for row, preset in zip(rows, plan["preset"], strict=True):
            _draw(axis, row, by_preset.loc[preset] if preset in by_preset.index else None, _missing(study, preset))
        axis.set_yticks(rows, plan["changed"] if axis is axes[0] else [""] * len(rows))
        axis.set_ylim(-0.6, len(plan) - 0.4)
        axis.set_xlabel(f"{what},\ndoublings beside the control")
        named = plan[["preset", "control", "changed"]].merge(table.drop(columns=["control", "seeds"]), how="left")
        drawn.append(named.rename(columns={"difference": "shift"}).assign(measure=what))
    style.legend(figure, list(axes), 3)
    values = numbers(study)
    done = f"{len(plan) - len(missing)} of {len(plan)} variants have been run"
    return style.show(
        figure,
        "variants",
        f"{values['loss']} {values['times']}",
        pd.concat(drawn, ignore_index=True),
        f"What does one change do to a whole run? {done}, each with {values['seeds']} (marks). Left: tokens of the "
        f"run's own text until the held-out masked loss is, for good, where the control's is at "
        f"{variants.LEVEL_AT:.0%} of its text. Right: the mean over groups of words of the shift of their learning "
        f"times. One doubling to the left is half the text. Dashed: the control. Bands: simultaneous 95% intervals of "
        f"Dunnett with the spread of seeds pooled over all variants of a control.",
        f"Dot chart of {len(plan)} variants beside their controls. {values['loss']} {values['times']} "
        f"Not run yet: {style.listed(missing)}.",
    )


def _missing(study: Study, preset: str) -> str:
    """Why there is nothing of a variant."""
    return NOT_MEASURED if preset in set(study.evaluations["preset"]) else NOT_RUN


def _draw(axis: Any, row: int, told: pd.Series | None, missing: str) -> None:
    """One variant in one panel; what cannot be drawn is said in its place."""
    reason = missing if told is None else told["why_not"]
    if told is not None and not np.isnan(told["low"]):
        bar = {"color": style.LINES[0][0], "linewidth": 5, "alpha": 0.3}
        axis.hlines(row, told["low"], told["high"], **bar, label="95% interval of the difference")
    if told is not None:
        seeds = [seed for seed in told["seeds"] if np.isfinite(seed)]
        mark = {"linestyle": "", "marker": "o", "markersize": 4, "color": style.LINES[0][0]}
        axis.plot(seeds, [row] * len(seeds), **mark, label="one seed")
    if reason:
        axis.annotate(reason, (0.02, row), xycoords=("axes fraction", "data"), va="center", fontsize="small")


def table(study: Study) -> HTML:
    """The same in numbers, with the final loss, all that was read, and FLOPs; a row a variant that has been run."""
    there = study.variants[study.variants["preset"].isin(study.evaluations["preset"])]
    if there.empty:
        return style.table(pd.DataFrame({"variants": [NOT_RUN]}))
    columns = {
        "tokens of its own text": variants.tokens_to_loss(study),
        "all tokens": variants.tokens_to_loss(study, "all_tokens"),
        "FLOPs": variants.tokens_to_loss(study, "flops"),
        "learning times": variants.learning_times(study),
    }
    losses = variants.final_losses(study)
    rows = []
    for each in there.itertuples():
        row = {"part": each.group, "changed": each.changed, "control": each.control}
        row |= {
            name: _cell(each.preset, made, lambda doublings: f"{2**doublings:.2f}") for name, made in columns.items()
        }
        row["final loss, nats more"] = _cell(each.preset, losses, lambda value: f"{value:+.3f}")
        rows.append(row)
    return style.table(pd.DataFrame(rows))


def _cell(preset: str, made: pd.DataFrame, say: Callable[[float], str]) -> str:
    by_preset = made.set_index("preset")
    if preset not in by_preset.index:
        return NOT_MEASURED
    row = by_preset.loc[preset]
    if row["why_not"]:
        return str(row["why_not"])
    return f"{say(row['difference'])} ({say(row['low'])} to {say(row['high'])})"


def groups(study: Study) -> HTML:
    """The shift of every group's learning time, in doublings by seed."""
    told = variants.shifts(study)
    told = told[told["preset"] != told["control"]]
    if told.empty:
        return style.table(pd.DataFrame({"learning times": [f"no variant with learning times: {NOT_RUN}"]}))
    told = told.assign(
        variant=[_changed(study, name) for name in told["preset"]],
        value=["never" if np.isnan(value) else f"{value:+.2f}" for value in told["value"]],
    )
    by_group = told.groupby(["variant", "group"], sort=False)["value"].agg(", ".join)
    return style.table(by_group.unstack("group").fillna("").reset_index())


def scratch(study: Study) -> HTML:
    """From which step on a start beats random parameters in tasks made by program, by seed."""
    told = study.scratch
    if told.empty:
        return style.table(pd.DataFrame({"tasks made by program": [NOT_RUN]}))
    said = told.assign(
        step=[
            "cannot be told" if np.isnan(step) else "never" if np.isinf(step) else f"{step:,.0f}"
            for step in told["step"]
        ],
        tau=[f"{tau:+.2f}" if np.isfinite(tau) else "cannot be told" for tau in told["tau"]],
    )
    rows = said.groupby("task", sort=False).agg(
        **{
            "better than scratch from step, by seed": ("step", "; ".join),
            "tau with the masked loss, by seed": ("tau", "; ".join),
        }
    )
    return style.table(rows.reset_index())


def made(study: Study) -> HTML:
    """The command, the machine and the versions; of a study that is not collected yet what makes it."""
    record = study.made or {"command": "make variants", "state": NOT_RUN}
    return style.table(pd.DataFrame({"": record.keys(), "study": record.values()}))
