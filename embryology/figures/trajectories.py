"""Single facts through pretraining: the flow between known and unknown, what frequency tells, and histories."""

import numpy as np
import pandas as pd
from IPython.display import HTML

from embryology.analysis import knowledge, trajectories
from embryology.analysis.knowledge import Followed
from embryology.analysis.trajectories import HalfLife, Trajectories
from embryology.figures import style
from embryology.figures.knowledge import OVER

STATES = {
    "known": ("right since first", "#0072B2"),
    "relearnt": ("right again", "#56B4E9"),
    "forgotten": ("right before, not now", "#E69F00"),
}
MOST_ROWS = 5000
"""Of the table of facts; with more, those that are never right are left out."""


def numbers(followed: Followed) -> dict[str, str]:
    """What the prose of the page says of single facts, by name.

    Args:
        followed: of :func:`embryology.analysis.knowledge.trajectories`.
    """
    paths = followed.paths
    counts = trajectories.events(paths.known)
    values = {
        "criterion": knowledge.CRITERIA[followed.criterion],
        "facts": f"{len(paths.known):,}",
        "facts_all": f"{followed.everything:,}",
        "left_out": left_out(followed),
        "checkpoints": str(len(paths.steps)),
        "ever": f"{int((counts['state'] != 'never').sum()):,}",
        "right_at_end": f"{int(paths.known[:, -1].sum()):,}",
        "forgotten": f"{int(counts['forgotten'].sum()):,}",
        "relearnt": f"{int(counts['relearnt'].sum()):,}",
        "chance": followed.against_chance,
    }
    if followed.why_not:
        return values | {"histories": followed.why_not, "frequency": "not told, as no facts are followed"}
    return values | {"histories": _come_and_go(followed, values), "frequency": _correlation(paths)}


def left_out(followed: Followed) -> str:
    """What else than copies does not count as known, as the rest of a sentence."""
    if followed.chance is None:
        return (
            "and so are those of their relation's most common object, which stand for what the template says without a "
            "subject, as this run was frozen without its answers"
        )
    return "and a fact is known where it is right, and not by what the template says without its subject"


def _come_and_go(followed: Followed, values: dict[str, str]) -> str:
    paths = followed.paths
    objects = trajectories.changes_of_objects(paths)
    order = trajectories.forgotten_in_random_order(paths.known).sum()
    rate = trajectories.forgetting(paths)
    ends = [_share(end) for end in (rate.model.forget, rate.low, rate.high, rate.chance)]
    return (
        f"Facts are learnt {_changes(objects, 'learnt')}, forgotten {_changes(objects, 'forgotten')}, and learnt again "
        f"{values['relearnt']} times. If each fact's answers came in random order, facts would be forgotten "
        f"{order:,.0f} times: fewer means that answers last. A model with two states finds that {ends[0]} "
        f"({ends[1]} to {ends[2]}) of known facts are forgotten in a doubling of the steps, where answers without "
        f"forgetting would show up to {ends[3]}: {'more' if rate.beyond_chance else 'not more'} than chance. "
        f"{_half_life(trajectories.half_life(paths))}"
    )


def _share(rate: float) -> str:
    return f"{-100 * np.expm1(-rate):.1f}%"


def _changes(objects: pd.DataFrame, name: str) -> str:
    facts, of_objects, whole = objects.loc[name]
    together = f", {100 * whole:.0f}% with all others of their object" if np.isfinite(whole) else ""
    return f"{facts:,.0f} times ({of_objects:,.0f} times by object{together})"


def _half_life(life: HalfLife | None) -> str:
    if life is None:
        return "None is known before the last checkpoint."
    if not np.isfinite(life.value):
        return "None that is known is lost again."
    interval = f" ({life.low:.2f} to {life.high:.2f})" if np.isfinite(life.low) else ""
    return f"At one rate throughout, half of right answers would be wrong after {life.value:.2f}{interval} doublings."


def _correlation(paths: Trajectories) -> str:
    counts = paths.facts["together"].to_numpy(float)
    if np.isnan(counts).any():
        return "the training text was not at hand when this run was measured, so nothing was counted"
    others = ~paths.facts["common"].to_numpy()
    if not others.any():
        return "not to be told, as there are no other facts"
    rho, low, high = trajectories.rank_correlation(paths.where(others), counts[others])
    if np.isnan(rho):
        return (
            "not to be told, as too few objects are of relations with both facts that are known and facts that are not"
        )
    return f"{rho:.2f} ({low:.2f} to {high:.2f})"


@style.styled
def flow(followed: Followed, values: dict[str, str]) -> HTML:
    """Facts between known and unknown: how many stand where at each checkpoint, and how many came and went.

    Args:
        followed: of :func:`embryology.analysis.knowledge.trajectories`.
        values: of :func:`numbers`, which takes a while.
    """
    if followed.why_not:
        return HTML("")  # which the text below says
    paths = followed.paths
    table = trajectories.states(paths.known).assign(step=paths.steps)
    figure, (stock, change) = style.panels(2, 1, 9, 5.6, sharex=True)
    at = np.arange(len(table))
    bottom = np.zeros(len(table))
    for state, (name, colour) in STATES.items():
        stock.bar(at, table[state], bottom=bottom, color=colour, width=0.86, label=name)
        bottom += table[state]
    expected = trajectories.forgotten_in_random_order(paths.known).sum() / max(len(paths.steps) - 1, 1)
    change.bar(at, table["gained"], color=style.LINES[2][0], width=0.86, label="became right")
    hatched = {"color": style.LINES[1][0], "width": 0.86, "hatch": "//", "edgecolor": "white"}
    change.bar(at, -table["lost"], **hatched, label="became wrong")
    chance = {"color": style.INK, "linestyle": style.DOTTED, "linewidth": 1.3}
    change.axhline(-expected, **chance, label="lost an interval if answers came in random order")
    change.axhline(0, color=style.MUTED, linewidth=0.8)
    stock.set(ylabel="facts", title=f"of {len(paths.known):,} facts; the others were never known so far")
    change.set(ylabel="facts, change", xlabel=style.counted("training step (one bar a checkpoint)"))
    interval = max(1, -(-len(at) // 13))
    change.set_xticks(at[::interval], [style.short(step) for step in paths.steps[::interval]])
    for axis in (stock, change):
        axis.grid(axis="x", visible=False)
    style.legend(figure, [stock, change], 3)
    answer = (
        f"{values['ever']} of {values['facts']} facts are known at some checkpoint, {values['right_at_end']} at the "
        f"last; {values['forgotten']} times one is forgotten, {values['relearnt']} times one comes back"
    )
    return style.show(
        figure,
        "knowledge-flow",
        answer,
        table[["step", *STATES, "never", "gained", "lost"]].assign(lost_in_random_order=expected),
        f"Are facts gained, or only exchanged? A fact is right where its object is {values['criterion']}. Above: facts "
        "that are right since they were first right, right again after a loss, and wrong now although they were "
        "right before. Below: how many became right and wrong since the checkpoint before; dotted, how many would "
        f"be lost if each fact's answers came in random order. Facts whose object stands in the subject's name are "
        f"left out, {values['left_out']}. Against chance: {values['chance']}.",
        f"Two bar charts over checkpoints: facts by state, and facts gained and lost. {answer}.",
    )


@style.styled
def frequency(followed: Followed, values: dict[str, str]) -> HTML:
    """Whether facts that the training text tells more often are more often learnt; arguments as of :func:`flow`."""
    if followed.why_not:
        return HTML("")
    paths = followed.paths
    if paths.facts["together"].isna().any():
        return HTML("<p>The training text was not at hand when this run was measured: nothing was counted.</p>")
    table = knowledge.by_frequency(paths)
    figure, (axis,) = style.panels(1, 1, 7.5, 3.9)
    spans = list(dict.fromkeys(table["together"]))
    spans.sort(key=lambda span: int(span.split()[0]))
    for (name, rows), (colour, marker, dashes), shift in zip(
        table.groupby("objects", sort=False), style.LINES, (-0.07, 0.07), strict=False
    ):
        at = np.array([spans.index(span) for span in rows["together"]]) + shift
        line = {"color": colour, "marker": marker, "linestyle": dashes, "capsize": 3}
        ends = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
        axis.errorbar(at, rows["value"], yerr=ends, **line, label=name)
    overall = paths.known.any(axis=1).mean()
    axis.axhline(overall, color=style.INK, linestyle=style.DOTTED, linewidth=1.3, label="all facts")
    axis.set_xticks(range(len(spans)), spans)
    axis.set(xlabel="sentences of the training text with subject and object", ylabel="share of facts ever right")
    axis.set_ylim(bottom=0)
    style.legend(figure, [axis], 3)
    answer = f"How often the text tells a fact and how early it is right: rank correlation {values['frequency']}"
    return style.show(
        figure,
        "knowledge-frequency",
        answer,
        pd.concat([table, pd.DataFrame({"objects": ["all facts"], "value": overall})], ignore_index=True),
        "Is a fact learnt because the text tells it? Facts that are right at some checkpoint (the object is "
        f"{values['criterion']}), by how many sentences of the training text hold both subject and object, apart for "
        f"the most common object of each relation. Bars: 95% intervals over {OVER}. Baseline, "
        "dotted: the share of all facts. The correlation is Spearman's within relations, without the most common "
        "objects, and its interval a bootstrap over objects.",
        f"A chart of the share of facts ever right over the number of sentences with both names. {answer}.",
    )


def histories(followed: Followed, values: dict[str, str]) -> HTML:
    """Each fact with its history, to search and sort; those never right are left out of a large set."""
    if followed.why_not:
        return style.paragraph("Not listed, as no facts are followed.")
    paths = followed.paths
    counts = trajectories.events(paths.known)
    shown = np.ones(len(counts), bool)
    if len(counts) > MOST_ROWS:
        shown = (counts["state"] != "never").to_numpy()
    facts, counts = paths.facts[shown].reset_index(drop=True), counts[shown].reset_index(drop=True)
    names = (
        {"subject": facts["subject"], "object": facts["object"]}
        if "subject" in facts
        else {"fact": facts["item_id"].str.partition(":")[2]}
    )
    marks = np.where(paths.known[shown], "■", "□")
    table = pd.DataFrame(
        {
            "relation": facts["group"].map(knowledge.label),
            **names,
            "history": ["".join(row) for row in marks],
            "first right": [paths.steps[first] if first >= 0 else np.nan for first in counts["first"]],
            "forgotten": counts["forgotten"],
            "relearnt": counts["relearnt"],
            "at the end": counts["state"].map(
                {"never": "never right", "known": "right", "relearnt": "right again", "forgotten": "forgotten"}
            ),
            "in the text": facts["together"],
        }
    )
    for column in ("first right", "in the text"):
        table[column] = table[column].astype("Int64")
    table = table.sort_values(["forgotten", "first right"], ascending=[False, True], kind="stable")
    left_out = f"{(~shown).sum():,} facts that are never right are left out." if (~shown).any() else "All facts."
    steps = ", ".join(map(style.short, paths.steps))
    return style.searchable(
        table,
        "knowledge-facts",
        f"One square a checkpoint, filled where the object is {values['criterion']}: steps {steps}. {left_out} "
        "First right: the step. In the text: sentences of the training text with both names. Facts whose object stands "
        f"in the subject's name are not listed, {values['left_out']}.",
    )
