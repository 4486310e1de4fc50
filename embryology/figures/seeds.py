"""What another seed changes: where runs of one recipe end, and which facts they share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from embryology import intervals
from embryology.analysis import knowledge, seeds
from embryology.analysis.knowledge import Followed
from embryology.errors import EmbryologyError
from embryology.figures import style
from embryology.figures.knowledge import OVER
from embryology.figures.trajectories import left_out
from embryology.runs import measurements
from embryology.runs.series import Series, seed_pairs
from embryology.specs.knowledge import SPECIFICATION


def ends(table: pd.DataFrame) -> HTML:
    """Where every two series of one recipe end, measure by measure; of :func:`embryology.analysis.seeds.ends`."""
    if table.empty:
        return HTML("")
    shown = pd.DataFrame(
        {
            "runs": table["one"] + " and " + table["other"],
            "measure": table["measure"],
            "step": [f"{step:,.0f}" for step in table["step"]],
            "one": _percents(table[seeds.VALUES]),
            "the other": _percents(table[[f"{name}_other" for name in seeds.VALUES]]),
            "the other has more, points": [_more(row) for row in table.to_dict("records")],
        }
    )
    return style.table(shown)


def sentence(table: pd.DataFrame) -> str:
    """What :func:`ends` shows, in a sentence."""
    if table.empty:
        return "No two of these runs differ by their seed alone."
    apart = table["apart"]
    consequence = "an interval over facts or sentences is not one over runs" if apart.any() else "none is beyond them"
    return (
        f"In {apart.sum()} of {len(apart)} comparisons two seeds differ by more than the intervals over items allow: "
        f"{consequence}."
    )


def _more(row: dict[str, Any]) -> str:
    """The paired difference; whether intervals meet where there is none."""
    if row["more"] == 0 and np.isnan(row["more_low"]):
        return "no item differs"
    if np.isnan(row["more_low"]):
        return f"not paired; the intervals {'do not ' if row['apart'] else ''}meet"
    return style.ranged(pd.Series([row[name] for name in seeds.DIFFERENCE], ["value", "low", "high"]), "+.1f", "", 100)


def facts(series: Sequence[Series]) -> HTML:
    """:func:`shared_facts` of every two series of one recipe that were asked for facts, or why it is not drawn."""
    asked = [each for each in series if measurements.lacking(each, SPECIFICATION.name) is None]
    drawn, said = [], dict[str, None]()  # each sentence once
    for one, other in seed_pairs(asked):
        try:
            followed = seeds.same_facts(one, other)
        except EmbryologyError as error:
            said[f"Facts: {error}."] = None
            continue
        reasons = [
            f"Facts that {name} shares with other seeds are not told. {each.why_not}"
            for name, each in zip((one.name, other.name), followed, strict=True)
            if each.chance is not None and each.why_not
        ]
        said |= dict.fromkeys(reasons)
        if not reasons:
            drawn.append(str(shared_facts(one, other, *followed).data))
    return HTML("".join([*drawn, *(str(style.paragraph(sentence).data) for sentence in said)]))


@style.styled
def shared_facts(one: Series, other: Series, followed: Followed, followed_of_other: Followed) -> HTML:
    """How many facts each of two series knows, and how far they are the same ones.

    Args:
        one, other: of one recipe.
        followed, followed_of_other: of :func:`embryology.analysis.seeds.same_facts`.
    """
    names = [one.name, other.name]
    paths, paths_of_other = followed.paths, followed_of_other.paths
    table = seeds.overlap(paths, paths_of_other)
    figure, (known, shared) = style.panels(1, 2, 9, 3.7)
    n = len(paths.known)
    knows = {"one": paths.known, "other": paths_of_other.known, "both": paths.known & paths_of_other.known}
    for (column, right), line, name in zip(knows.items(), style.LINES, [*names, "both"], strict=False):
        sums, counts = intervals.by_unit(right, paths.clusters)
        lows, highs = intervals.of_share(sums, counts[:, None])
        table = table.assign(**{f"{column}_low": n * lows, f"{column}_high": n * highs})
        style.curve(known, table.assign(value=table[column] / n, low=lows, high=highs), line, name, scale=100)
    known.set_ylabel("facts known, %")
    known.set_ylim(bottom=0)
    style.curve(shared, table.dropna(subset="value"), style.LINES[3], "two seeds", scale=100)
    for column, colour, dashes, label in (
        ("before", style.MUTED, style.DASHED, "a run and its checkpoint before"),
        ("chance", style.INK, style.DOTTED, "chance, objects alone"),
    ):
        shared.plot(table["step"], 100 * table[column], color=colour, linestyle=dashes, label=label)
    shared.set_ylabel("facts in common, %")
    shared.set_ylim(0, 102)
    for axis in (known, shared):
        style.training_axis(axis, table["step"], "training step")
    style.legend(figure, [known, shared], 3)
    answer = _answer(table, names)
    rho, low, high = seeds.same_order(paths, paths_of_other)
    order = (
        f"by {rho:.2f} ({low:.2f} to {high:.2f}, Spearman)" if np.isfinite(rho) else "by what cannot be told of so few"
    )
    source = knowledge.source(one, paths.facts["task"].iloc[0])
    return style.show(
        figure,
        f"seeds-{names[1]}",
        answer,
        table,
        f"Does another seed learn the same facts? {source}; a fact is right where its object is "
        f"{knowledge.CRITERIA[followed.criterion]}. Facts whose object stands in the subject's name are left out, "
        f"{left_out(followed)}. Left: the share of facts that are known, with 95% intervals over {OVER}. Right: "
        "facts that both seeds know, as a share of the mean of what each knows (Dice), with a 95% bootstrap over the "
        "relations' objects. Baselines: what it would be if each seed's right answers fell on any of the facts with "
        "the same object, so that nothing of subjects were shared; and each run's own overlap with its checkpoint "
        "before, the mean of both runs. How early facts are first known correlates between the seeds, within "
        f"relations, {order}.",
        "Two charts over training steps: the share of facts that are right in each of two runs and in both, and how "
        f"far the right facts are the same. {answer}.",
    )


def _answer(table: pd.DataFrame, names: Sequence[str]) -> str:
    last = table.iloc[-1]
    counts = f"{names[0]} and {names[1]} know {last['one']:,.0f} and {last['other']:,.0f} facts at the end"
    if pd.isna(last["value"]):
        return f"{counts}: there is nothing to share"
    if pd.isna(last["low"]):
        return f"{counts}, of too few objects to tell whether these are the same"
    compared = "more than" if last["low"] > last["chance"] else "not more than"
    return (
        f"{counts} and share {100 * last['value']:.0f}% of them, {compared} the {100 * last['chance']:.0f}% that "
        "objects alone would give"
    )


def _percents(values: pd.DataFrame) -> list[str]:
    rows = 100 * values.to_numpy(float)
    return [
        f"{value:.1f}% ({low:.1f} to {high:.1f})" if np.isfinite(low) else f"{value:.1f}%" for value, low, high in rows
    ]
