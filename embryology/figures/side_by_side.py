"""Orders of learning in several runs beside each other, and beside the published one."""

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML

from embryology.analysis import published
from embryology.analysis.learning_order import LEVELS, REACHED, Agreement, agreement, in_order, ranks
from embryology.analysis.side_by_side import Learnt
from embryology.figures import looks, many_orders, style
from embryology.figures.learning_order import (
    EXACTLY,
    HALFWAY,
    INDEPENDENT,
    NAMES,
    PUBLISHED,
    TASKS,
    WIDTH,
    dress,
    exact,
    mark,
    steps_in_words,
)
from embryology.figures.many_runs import MANY
from embryology.specs.tokens import RECONSTRUCTION


@style.styled
def side_by_side(runs: dict[str, Learnt]) -> HTML:
    """Learning times of reconstruction in several runs, over tokens read, beside the published times.

    Args:
        runs: of :func:`embryology.analysis.side_by_side.read`.
    """
    if not any(ranks(run.times[RECONSTRUCTION]) for run in runs.values()):
        return style.paragraph(f"Not drawn: no group of words has a learning time in {style.listed(list(runs))}.")
    if len(runs) >= MANY:
        return many_orders.times(runs, *_training(runs))
    published_times = published.learning_times()
    groups = next(iter(runs.values())).groups
    figure, (axis, beside) = style.panels(1, 2, WIDTH, 6.4, sharey=True, width_ratios=[1.9, 1])
    rows = {tag: place for place, tag in enumerate(groups)}
    x, label = _training(runs)
    times = {name: run.over(run.times[RECONSTRUCTION], x) for name, run in runs.items()}
    offsets = np.linspace(-0.2, 0.2, len(runs)) if len(runs) > 1 else [0]
    for (name, run), offset, line in zip(runs.items(), offsets, looks.lines(list(runs)).values(), strict=True):
        mark(axis, times[name], rows, offset, line, name, run.grid[x])
    axis.set_title(TASKS[RECONSTRUCTION])
    at = np.concatenate([run.grid[x] for run in runs.values()])
    dress(axis, beside, at, f"{label}, halfway", groups)
    style.legend(figure, (axis, beside), 1)
    answer = _with_published(runs)
    sources = "; ".join(f"{name} on {run.source}" for name, run in runs.items())
    data = [table.reset_index().rename(columns={"step": x}).assign(source=name) for name, table in times.items()]
    published_data = published_times.reset_index()[["tag", "state", "step", "final"]].assign(source=PUBLISHED)
    return style.show(
        figure,
        "learning-order-side-by-side",
        answer,
        pd.concat([*data, published_data]),
        f"Is the order of learning the same in a longer run? {label.capitalize()} when reconstruction's {HALFWAY}."
        f"{EXACTLY} Measured: {sources}. Final values differ between runs, so an equal time is not an equal accuracy. "
        f"Right: published ALBERT by half of the last value, a point every 1,000 steps, without intervals."
        f"{INDEPENDENT if not all(run.kept for run in runs.values()) else ''}",
        f"Dot plot of learning times of nine parts of speech. {answer}. "
        + "; ".join(f"{name}: {steps_in_words(run.times[RECONSTRUCTION])}" for name, run in runs.items())
        + f". Published order: {', '.join(in_order(published_times))}.",
    )


def _training(runs: dict[str, Learnt]) -> tuple[str, str]:
    """The column of training that all runs have, and its label: steps of checkpoints made by others."""
    known = all(run.grid["tokens"].notna().all() for run in runs.values())
    return ("tokens", "tokens read") if known else ("step", "training step")


def levels(runs: dict[str, Learnt]) -> HTML:
    """A table of when groups reach fixed accuracies, where blind answers do not: the same skill in runs of any length.

    Args:
        runs: of :func:`embryology.analysis.side_by_side.read`.
    """
    x, label = _training(runs)
    if len(runs) >= MANY:
        return many_orders.levels(runs, x, label)
    by_level = {level: {name: run.over(run.levels[level], x) for name, run in runs.items()} for level in LEVELS}
    groups = next(iter(runs.values())).groups
    return style.table(
        pd.DataFrame(
            {"group": f"{tag} {groups[tag]}", "accuracy": f"{level:.0%}"}
            | {f"{name}, {label}": _time(table, tag) for name, table in of_runs.items()}
            for tag in groups
            for level, of_runs in by_level.items()
        )
    )


def _time(times: pd.DataFrame, tag: str) -> str:
    """A time with its interval, or why there is none."""
    if tag not in times.index:
        return "no word of this tag"
    row = times.loc[tag]
    return style.stepped(row, style.short) if row["state"] == REACHED else str(row["state"])


def agreements(runs: dict[str, Learnt]) -> HTML:
    """A table of Kendall's tau for every pair of orders: those of the runs by task, and the published one.

    Pairs of which one order is all ties have none, and are counted below it.

    Args:
        runs: of :func:`embryology.analysis.side_by_side.read`.
    """
    if len(runs) >= MANY:
        return many_orders.agreements(runs)
    pairs = [(TASKS[task], *pair) for task in TASKS for pair in _pairs(runs, task)]
    reference = published.learning_times()
    pairs += [
        (
            f"{TASKS[RECONSTRUCTION]}, by half of the last value",
            name,
            PUBLISHED,
            agreement(run.half, reference),
        )
        for name, run in runs.items()
    ]
    rows = [
        {
            "order of": task,
            "in": one,
            "and in": other,
            "Kendall's τ": _number(alike.tau),
            "exact p": exact(alike.p),
            "pairs of groups alike": alike.same,
            "reversed": alike.reversed,
            "tied": alike.tied,
        }
        for task, one, other, alike in pairs
        if alike.p is not None
    ]
    lines = [
        f"<p>Pairs of orders of {task} that have no τ, as one of them is all ties: {number}.</p>"
        for task, number in Counter(task for task, _, _, alike in pairs if alike.p is None).items()
    ]
    return HTML("".join([*([style.table(pd.DataFrame(rows)).data] if rows else []), *lines]))


def _pairs(runs: dict[str, Learnt], task: str) -> list[tuple[str, str, Agreement]]:
    """Of reconstruction there is a published order too."""
    orders = {name: run.times[task] for name, run in runs.items()}
    if task == RECONSTRUCTION:
        orders[PUBLISHED] = published.learning_times()
    return [(one, other, agreement(orders[one], orders[other])) for one, other in itertools.combinations(orders, 2)]


def _with_published(runs: dict[str, Learnt]) -> str:
    if len(runs) >= MANY:
        return many_orders.spread(runs)
    taus = [f"{one} {_number(alike.tau)}" for one, other, alike in _pairs(runs, RECONSTRUCTION) if other == PUBLISHED]
    return f"Kendall's τ with the published order: {style.listed(taus)}"


def compared(runs: dict[str, Learnt]) -> str:
    """Kendall's tau of the orders of reconstruction, as prose says it: with the published one, and between runs."""
    between = [alike.tau for _, other, alike in _pairs(runs, RECONSTRUCTION) if other != PUBLISHED]
    told = [tau for tau in between if tau is not None]
    ends = " to ".join(f"{tau:.2f}" for tau in sorted({min(told), max(told)})) if told else ""
    return f"{_with_published(runs)}{f'; of runs with each other {ends}' if told else ''}"


def in_short(runs: dict[str, Learnt]) -> str:
    """What comes first in most runs, and how alike the orders are, with each other and the published one."""
    orders = [ranks(run.times[RECONSTRUCTION]) for run in runs.values()]
    pairs = _pairs(runs, RECONSTRUCTION)
    spans = [
        f"{name} {ranged([float(alike.tau) for _, other, alike in pairs if check(other) and alike.tau is not None])}"
        for name, check in (
            ("with the published order", PUBLISHED.__eq__),
            ("of runs with each other", PUBLISHED.__ne__),
        )
    ]
    return f"{first(orders)} Kendall's τ of orders: {', '.join(spans)}"


def first(orders: Sequence[Sequence[Sequence[str]]]) -> str:
    """Which groups are in the first rank in more than half of the orders that have several, as a sentence."""
    if not any(orders):
        return f"Cannot be told: no group of words has a learning time in any of {len(orders)} runs."
    told = [order for order in orders if len(order) > 1]
    alike = sum(map(bool, orders)) - len(told)
    tied = f"no two groups can be told apart in {alike} of {len(orders)} runs" if alike else ""
    if not told:
        return f"Cannot be told: {tied}."
    counts = Counter(tag for order in told for tag in order[0])
    often = [
        f"{NAMES.get(tag, tag)}s (in {count} of {len(told)} runs)"
        for tag, count in counts.most_common()
        if 2 * count > len(told)
    ]
    said = f"First are {style.listed(often)}" if often else "No group is first in more than half of the runs"
    return f"{said}; {tied}." if tied else f"{said}."


def ranged(values: Sequence[float]) -> str:
    """The least and the greatest of several τ."""
    ends = sorted({f"{min(values):.2f}", f"{max(values):.2f}"}, key=float) if values else ["cannot be told"]
    return " to ".join(ends)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
