"""The order in which parts of speech are learnt, beside the published one, and the numbers prose tells of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.axes import Axes

from embryology.analysis import blind_answers, curves, published, tables
from embryology.analysis.learning_order import (
    BEFORE_FIRST,
    REACHED,
    UNTOLD,
    Agreement,
    agreement,
    in_order,
    published_definition,
    ranks,
    untellable,
)
from embryology.figures import answers, chart, style
from embryology.intervals import RESAMPLES, SEED
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs.tokens import MASK_PREDICTION, RECONSTRUCTION, SPECIFICATION

TASKS = SPECIFICATION.tasks
PUBLISHED = "published ALBERT"
NAMES = curves.GROUPS | curves.UNIVERSAL
HALFWAY = (
    "accuracy is halfway from the best blind answer to its final value. Bars: 95% bootstrap over sentences and "
    "checkpoints, out to the checkpoints around"
)
EXACTLY = (
    " The best of three blind answers counts, the most frequent word everywhere, the group's own, the untrained model; "
    "the final value is the mean of the last three checkpoints, and the time is where the best rising fit crosses; "
    f"percentiles of {RESAMPLES:,} resamples, seed {SEED}."
)
"""What :data:`HALFWAY` leaves out."""
WIDTH = 5.2
"""Of the orders, inches: what a phone shows without scrolling, as the published panel is beside ours."""
MANY = 3
"""More groups that are not told apart are counted and not listed."""
INDEPENDENT = " What frequent words get right was drawn apart from the sentences, as these items do not keep it."


@style.styled
def learning_order(frame: pd.DataFrame, times: dict[str, pd.DataFrame], items: pd.DataFrame) -> HTML:
    """Learning time of the nine groups with its intervals, beside half of the final value and the published times.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        times: by task, of :func:`embryology.analysis.learning_order.learning_times` on that frame.
        items: that they were made of.

    Returns:
        The figure; a sentence where no group has a learning time.
    """
    series = tables.main_series(frame)
    main = times[RECONSTRUCTION]
    if not any(ranks(table) for table in times.values()):
        return style.paragraph(f"Not drawn for {series}: {_none(frame)}.")
    published_times = published.learning_times()
    half = published_definition(frame, RECONSTRUCTION)
    groups = curves.groups(frame)
    steps = np.sort(frame.loc[frame["series"] == series, "step"].unique())
    figure, (axis, beside) = style.panels(1, 2, WIDTH, 6.4, sharey=True, width_ratios=[1.9, 1])
    rows = {tag: place for place, tag in enumerate(groups)}
    for (task, table), offset, line in zip(times.items(), (-0.14, 0.18), style.LINES, strict=False):
        if not ranks(table):
            continue
        mark(axis, table, rows, offset, line, TASKS[task], steps)
    shown = half[half["state"] == REACHED]
    ring: dict[str, Any] = {"color": style.MUTED, "marker": "x", "markersize": 6, "linestyle": ""}
    axis.plot(
        shown["step"], [rows[tag] - 0.36 for tag in shown.index], **ring, label="half of the last value, as published"
    )
    axis.set_title(series)
    dress(axis, beside, steps, "training step, halfway", groups)
    style.legend(figure, (axis, beside), 1)
    alike = agreement(main, published_times)
    first, _, last = _ends(main).partition("; ")
    tau = "" if alike.tau is None else f"; τ = {alike.tau:.2f} with the published order"
    answer = f"{first}{tau}{f'; {last}' if last else ''}"
    unlearnt = [TASKS[task] for task, table in times.items() if not ranks(table)]
    against = (
        f" With the published order reconstruction has {agreement_words(alike)}, by the published definition (crosses: "
        f"half of the last value, first reached) {agreement_words(agreement(half, published_times))}. Right: published "
        "ALBERT, a point every 1,000 steps, whose blind answers are not known."
    )
    return style.show(
        figure,
        "learning-order",
        answer,
        _data(times, half, published_times),
        f"In which order are parts of speech learnt, and is it the published order (rows, top first)? Step at which "
        f"{HALFWAY}. Measured: {series} on {measurements.source_of(items)}. A group whose interval of final less "
        "blind value holds 0 has no time and counts as last"
        f"{f' (all groups of {style.listed(unlearnt)})' if unlearnt else ''}."
        f"{against if groups == curves.GROUPS else ''}{EXACTLY}{'' if blind_answers.are_kept(items) else INDEPENDENT}",
        f"Dot plot of learning times of nine parts of speech. {answer}. "
        + "; ".join(f"{TASKS[task]}: {steps_in_words(table)}" for task, table in times.items())
        + f". Published order: {', '.join(in_order(published_times))}.",
    )


def dress(axis: Axes, beside: Axes, at: np.ndarray, label: str, groups: dict[str, str]) -> None:
    """Rows in the published order, an axis of training for ours, and the published times where they are of our tags."""
    style.training_axis(axis, at, label)
    style.room(axis, at.max())
    axis.set_yticks(range(len(groups)), [f"{name}\n{tag}" for tag, name in groups.items()])
    axis.set_ylim(len(groups) - 0.5, -0.5)
    if groups != curves.GROUPS:
        beside.set_axis_off()
        return
    times = published.learning_times().loc[list(groups), "step"]
    diamond: dict[str, Any] = {"color": style.INK, "marker": "D", "markersize": 5, "linestyle": ""}
    beside.plot(times, range(len(groups)), **diamond, label="published (no interval)")
    beside.set_title(PUBLISHED.replace(" ", "\n"))
    beside.set_xlabel("step, of 30k")
    beside.set_xlim(0, 16_500)
    beside.set_xticks([0, 10_000], ["0", "10k"])


def mark(
    axis: Axes,
    times: pd.DataFrame,
    rows: dict[str, int],
    offset: float,
    line: tuple[str, str, Any],
    label: str,
    at: Sequence[float] | np.ndarray,
) -> None:
    """Mark the times of one series, a row a tag; ``at`` are its checkpoints, in the unit of the times."""
    colour, marker, _ = line
    reached = times[times["state"] == REACHED]
    edges = min(at), max(at)
    low = reached["low"].fillna(reached["step"]).clip(*edges)
    high = reached["high"].fillna(reached["step"]).clip(*edges)
    places = [rows[tag] + offset for tag in reached.index]
    # Not errorbar: the interval of a skewed bootstrap may leave out the estimate.
    axis.hlines(places, low, high, color=colour, linewidth=2)
    look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 6, "linestyle": ""}
    (dots,) = axis.plot(reached["step"], places, **look, label=label)
    chart.remember(dots, reached, across=True)
    for tag in rows.keys() - set(times.index):
        axis.text(edges[0], rows[tag] + offset, "no word of this tag", color=style.MUTED, va="center", fontsize=9)
    for tag, row in times[times["state"] != REACHED].iterrows():
        place = rows[tag] + offset
        if row["state"] == BEFORE_FIRST:
            words, x, side = f"◂ {row['state']}", edges[0], "left"
        else:
            words, x, side = f"{row['state']} ▸", 0.985, "right"
        transform = axis.transData if row["state"] == BEFORE_FIRST else axis.get_yaxis_transform()
        axis.text(x, place, words, color=colour, ha=side, va="center", fontsize=9, transform=transform)


def _ends(times: pd.DataFrame) -> str:
    """Which groups come first and which last, those that cannot be told apart together."""
    order = ranks(times)
    if not order:
        return "No group has a learning time"
    first, last = (style.listed([f"{NAMES[tag]}s" for tag in rank]) for rank in (order[0], order[-1]))
    if (times.loc[in_order(times)[0], "state"]) == BEFORE_FIRST and len(order) == 1:
        return "The checkpoints begin too late to tell an order"
    if len(order) > 1:
        return f"{first.capitalize()} first; {last} last"
    if len(order[0]) > MANY:
        return _alike(order[0]).capitalize()
    alone = "are the only ones with a learning time" if len(order[0]) == 1 else "cannot be told apart"
    return f"{first.capitalize()} {alone}"


def _alike(rank: list[str]) -> str:
    return f"none of {len(rank)} groups is told apart from all others"


def _none(frame: pd.DataFrame) -> str:
    """Why no group has a learning time, as a clause."""
    return untellable(frame) or "no group of words ends beyond its blind answers"


def in_words(order: list[list[str]], names: dict[str, str] | None = None) -> str:
    """An order of ranks as prose says it: "CC, then DT and IN together"; "none yet" of none.

    Args:
        order: of :func:`embryology.analysis.learning_order.ranks`.
        names: what a word of each tag is called; None leaves tags as they are.
    """
    together = [
        style.listed([f"{names[tag]}s" if names else tag for tag in rank]) + (" together" if len(rank) > 1 else "")
        for rank in order
    ]
    return ", then ".join(together) or "none yet"


def agreement_words(alike: Agreement, published: bool = True) -> str:
    """How alike two orders are, as a clause after "with it"; ``published``: whether one is of the paper's groups."""
    if not alike.groups:
        why = " (the published ones are single Penn tags)" if published else ""
        return f"no group in common that can be told of{why}"
    if alike.tau is None or alike.p is None:
        return "no Kendall's τ (one of the orders is all ties)"
    pairs = alike.same + alike.reversed + alike.tied
    return (
        f"Kendall's τ = {alike.tau:.2f} (exact permutation p = {exact(alike.p)}, {alike.groups} groups; of {pairs} "
        f"pairs {alike.same} in the same order, {alike.reversed} reversed, {alike.tied} tied)"
    )


def exact(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else f"{p:.1e}"


def doublings(row: pd.Series) -> str:
    """How suddenly something comes, or how much later: "1.2 doublings of the steps (0.4 to 2.1)".

    Args:
        row: ``doublings``, ``fewest`` and ``most``, as of :mod:`embryology.analysis.suddenness`.
    """
    low = f"{row['fewest']:.1f}" if np.isfinite(row["fewest"]) else "any less"
    high = f"to {row['most']:.1f}" if np.isfinite(row["most"]) else "or more"
    if np.isnan(row["doublings"]):
        return f"{low} {high} doublings of the steps"
    return f"{row['doublings']:.1f} doublings of the steps ({low} {high})"


def steps_in_words(times: pd.DataFrame) -> str:
    steps = times["step"].map("step {:,.0f}".format).where(times["step"].notna(), times["state"])
    return ", ".join(f"{tag} {steps[tag]}" for tag in in_order(times))


def _data(times: dict[str, pd.DataFrame], half: pd.DataFrame, published_times: pd.DataFrame) -> pd.DataFrame:
    measured = [table.drop(columns="resampled").reset_index().assign(source=task) for task, table in times.items()]
    columns = ["tag", "state", "step", "low", "high", "spacing", "final"]  # without items
    by_half = {f"{RECONSTRUCTION}, half of the last value": half, f"{PUBLISHED} reconstruction": published_times}
    return pd.concat(
        [*measured, *(table.reset_index()[columns].assign(source=source) for source, table in by_half.items())]
    )


def numbers(frame: pd.DataFrame, times: dict[str, pd.DataFrame]) -> dict[str, str]:
    """What the text says of the learning order of the first series, by name.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        times: by task, of :func:`embryology.analysis.learning_order.learning_times`.
    """
    main, mask = times[RECONSTRUCTION], times[MASK_PREDICTION]
    half, published_times = published_definition(frame, RECONSTRUCTION), published.learning_times()
    half = half.loc[[tag for tag in half.index if main.loc[tag, "learnt"]]]
    return {
        "order": in_words(ranks(main)),
        "order_names": in_words(ranks(main), NAMES),
        "half_order": in_words(ranks(half)),
        "published_names": in_words(ranks(published_times), NAMES),
        "learnt": _learnt(frame, main),
        "mask_learnt": _learnt(frame, mask),
        "albert_agreement": agreement_words(agreement(main, published_times)),
        "half_agreement": agreement_words(agreement(half, published_times)),
        "bert_agreement": agreement_words(agreement(main, published.learning_times("BERT"))),
        "tasks_agreement": agreement_words(agreement(mask, main), published=False),
        "age": _age(frame),
        **_extremes(main),
    }


def answer(series: Series, frame: pd.DataFrame, times: dict[str, pd.DataFrame]) -> Markdown:
    """In which order words are learnt; arguments as of :func:`numbers`, and the first series."""
    order, learnt = ranks(times[RECONSTRUCTION]), _learnt(frame, times[RECONSTRUCTION])
    told = in_words(order, NAMES) if order else f"{answers.UNTOLD}: no group of words has a learning time"
    if len(order) == 1 and len(order[0]) > MANY:
        told = f"{answers.UNTOLD}: {_alike(order[0])}"
    return answers.said(
        "Which words are learnt first?",
        f"{told}. Of words that it sees, {learnt}",
        answers.of_one(series, "sentences"),
    )


def _learnt(frame: pd.DataFrame, times: pd.DataFrame) -> str:
    """How many groups end beyond which blind answers, as a clause; or why that cannot be told."""
    told = times[times["state"] != UNTOLD]
    if told.empty:
        return untellable(frame) or "no group of words stands in sentences enough to tell what was learnt"
    anyone, own = (list(told.index[told[column]]) for column in ("beyond_everywhere", "learnt"))
    if anyone == own:
        return f"{_counted(own, told)} end beyond all of their blind answers"
    return (
        f"{_counted(anyone, told)} end beyond the most frequent word everywhere and the untrained model, "
        f"{_counted(own, told)} beyond their own most frequent word too"
    )


def _counted(tags: list[str], told: pd.DataFrame) -> str:
    listed = f" ({style.listed(tags)})" if 0 < len(tags) < len(told) else ""
    return f"{len(tags)} of {len(told)} groups{listed}"


def _age(frame: pd.DataFrame) -> str:
    """Which published checkpoint the last one is most like, as a clause after "it"."""
    ages = published.developmental_age(frame)
    if ages.empty:
        return "is like none that can be named, as the published groups are single Penn tags"
    age = ages.iloc[-1]
    ranks = "undefined" if pd.isna(age["rank_correlation"]) else f"{age['rank_correlation']:.2f}"
    return (
        f"is most like the published ALBERT at step {age['published_step']:,.0f} (mean difference "
        f"{age['difference']:.2f}, rank correlation of the groups there {ranks})"
    )


def _extremes(times: pd.DataFrame) -> dict[str, str]:
    best, worst = times["final"].idxmax(), times["final"].idxmin()
    return {
        "best": f"{NAMES[best]}s ({best})",
        "best_accuracy": f"{times.loc[best, 'final']:.2f}",
        "worst": f"{NAMES[worst]}s ({worst})",
        "worst_accuracy": f"{times.loc[worst, 'final']:.2f}",
    }
