"""The order in which parts of speech are learnt, beside the published one, and the numbers prose tells of it."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes

from embryology.analysis import curves, published, tables
from embryology.analysis.learning_order import BEFORE_FIRST, REACHED, Agreement, agreement, in_order
from embryology.analysis.side_by_side import Learnt
from embryology.figures import style
from embryology.intervals import RESAMPLES, SEED
from embryology.specs.tokens import MASK_PREDICTION, RECONSTRUCTION, SPECIFICATION

TASKS = SPECIFICATION.tasks
PUBLISHED = "published ALBERT"
NAMES = curves.GROUPS | curves.UNIVERSAL


@style.styled
def learning_order(frame: pd.DataFrame, times: dict[str, pd.DataFrame], source: str) -> HTML:
    """Learning time of the nine groups with bootstrap intervals, beside the published times.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        times: by task, of :func:`embryology.analysis.learning_order.learning_times` on that frame.
        source: whose tags on which text.
    """
    series = tables.main_series(frame)
    steps = np.sort(frame.loc[frame["series"] == series, "step"].unique())
    published_times = published.learning_times()
    groups = curves.groups(frame)
    figure, (axis, beside) = style.panels(1, 2, 8, 5.6, sharey=True, width_ratios=[1.8, 1])
    rows = {tag: place for place, tag in enumerate(groups)}
    for (task, table), offset, line in zip(times.items(), (-0.14, 0.18), style.LINES, strict=False):
        _times(axis, table, rows, offset, line, TASKS[task], steps)
    axis.set_title(series)
    _axes(axis, beside, steps, "step of half the final accuracy", groups)
    style.legend(figure, (axis, beside), 3)
    main = times[RECONSTRUCTION]
    alike = agreement(main, published_times)
    answer = _ends(main) + ("" if alike.tau is None else f"; τ = {alike.tau:.2f} with the published order")
    beside_it = "Right: published ALBERT, on its own axis, from curves with a point every 1,000 steps. "
    mask = ""
    if MASK_PREDICTION in times:
        alike_masked = agreement(times[MASK_PREDICTION], published_times)
        mask = f" The order of mask prediction has {agreement_words(alike_masked)} with it."
    return style.show(
        figure,
        "learning-order",
        answer,
        _data(times, published_times),
        f"In which order are parts of speech learnt, and is it the published order (rows, top first)? Step at which "
        f"accuracy first reaches half of its final value, linear between checkpoints, for {series} on {source}; bars: "
        f"95% percentile bootstrap over sentences ({RESAMPLES:,} resamples, seed {SEED}). A group whose accuracy never "
        f"clears blind answers (the most frequent word everywhere, the untrained model) has learnt nothing "
        f"yet, has no time and counts as last. {beside_it if groups == curves.GROUPS else ''}Reconstruction and the "
        f"published order have {agreement_words(alike)}; ties are gaps below the spacing of the checkpoints.{mask}",
        f"Dot plot of learning times of nine parts of speech. {answer}. "
        + "; ".join(f"{TASKS[task]}: {_in_words(table)}" for task, table in times.items())
        + f". Published order: {', '.join(in_order(published_times))}.",
    )


def _axes(axis: Axes, beside: Axes, at: np.ndarray, label: str, groups: dict[str, str]) -> None:
    """Rows in the published order, an axis of training for ours, and the published times where they are of our tags."""
    style.training_axis(axis, at, label)
    axis.set_xlim(right=max(at.max(), 1) * 4)  # room for what was not reached
    axis.set_yticks(range(len(groups)), [f"{name} {tag}" for tag, name in groups.items()])
    axis.set_ylim(len(groups) - 0.5, -0.5)
    if groups != curves.GROUPS:
        beside.set_axis_off()
        return
    times = published.learning_times().loc[list(groups), "step"]
    diamond: dict[str, Any] = {"color": style.INK, "marker": "D", "markersize": 5, "linestyle": ""}
    beside.errorbar(times, range(len(groups)), **diamond, label="published (no interval)")
    beside.set_title(PUBLISHED)
    beside.set_xlabel("step, of 30,000 shown")
    beside.set_xlim(0, 16_500)
    beside.set_xticks([0, 5_000, 10_000, 15_000], ["0", "5k", "10k", "15k"])


@style.styled
def side_by_side(runs: dict[str, Learnt]) -> HTML:
    """Learning times of reconstruction in several runs, over tokens read, beside the published times.

    Args:
        runs: of :func:`embryology.analysis.side_by_side.read`.
    """
    published_times = published.learning_times()
    groups = next(iter(runs.values())).groups
    figure, (axis, beside) = style.panels(1, 2, 8, 5.6, sharey=True, width_ratios=[1.8, 1])
    rows = {tag: place for place, tag in enumerate(groups)}
    known = all(run.grid["tokens"].notna().all() for run in runs.values())  # not of checkpoints made by others
    x, label = ("tokens", "tokens read") if known else ("step", "training step")
    times = {
        name: run.in_tokens(RECONSTRUCTION) if known else run.times[RECONSTRUCTION].drop(columns="spacing")
        for name, run in runs.items()
    }
    offsets = np.linspace(-0.2, 0.2, len(runs)) if len(runs) > 1 else [0]
    for (name, run), offset, line in zip(runs.items(), offsets, itertools.cycle(style.LINES)):
        _times(axis, times[name], rows, offset, line, name, run.grid[x])
    axis.set_title(TASKS[RECONSTRUCTION])
    at = np.concatenate([run.grid[x] for run in runs.values()])
    _axes(axis, beside, at, f"{label} at half of the final accuracy", groups)
    style.legend(figure, (axis, beside), 3)
    answer = compared(runs, p=False)
    sources = "; ".join(f"{name} on {run.source}" for name, run in runs.items())
    data = [table.reset_index().rename(columns={"step": x}).assign(source=name) for name, table in times.items()]
    published_data = published_times.reset_index()[["tag", "state", "step", "final"]].assign(source=PUBLISHED)
    return style.show(
        figure,
        "learning-order-side-by-side",
        answer,
        pd.concat([*data, published_data]),
        f"Is the order of learning the same in a longer run? {label.capitalize()} when the accuracy of reconstruction "
        f"first reaches half of its final value, linear between checkpoints; bars: 95% percentile bootstrap over "
        f"sentences ({RESAMPLES:,} resamples, seed {SEED}). Measured: {sources}. Final values differ between runs, so "
        f"an equal time is not an equal accuracy. A group whose accuracy never clears blind answers (the most frequent "
        f"word everywhere, the untrained model) has learnt nothing yet, has no time and counts as last. Right: "
        f"published ALBERT, on its own axis, from curves with a point every 1,000 steps, without intervals. The table "
        f"below has Kendall's τ and p of every pair.",
        f"Dot plot of learning times of nine parts of speech. {answer}. "
        + "; ".join(f"{name}: {_in_words(run.times[RECONSTRUCTION])}" for name, run in runs.items())
        + f". Published order: {', '.join(in_order(published_times))}.",
    )


def agreements(runs: dict[str, Learnt]) -> HTML:
    """A table of Kendall's tau for every pair of orders: those of the runs by task, and the published one.

    Args:
        runs: of :func:`embryology.analysis.side_by_side.read`.
    """
    pairs = [(TASKS[task], *pair) for task in TASKS for pair in _pairs(runs, task)]
    return style.table(
        pd.DataFrame(
            {
                "order of": task,
                "in": one,
                "and in": other,
                "Kendall's τ": _number(alike.tau),
                "exact p": "undefined" if alike.p is None else _p(alike.p),
                "pairs of groups alike": alike.same,
                "reversed": alike.reversed,
                "tied": alike.tied,
            }
            for task, one, other, alike in pairs
        )
    )


def _pairs(runs: dict[str, Learnt], task: str) -> list[tuple[str, str, Agreement]]:
    """Of reconstruction there is a published order too."""
    orders = {name: run.times[task] for name, run in runs.items()}
    if task == RECONSTRUCTION:
        orders[PUBLISHED] = published.learning_times()
    return [(one, other, agreement(orders[one], orders[other])) for one, other in itertools.combinations(orders, 2)]


def compared(runs: dict[str, Learnt], p: bool = True) -> str:
    """Kendall's tau of every pair of orders of reconstruction, as prose says it; ``p``: with its exact p."""
    taus = [
        f"{one} and {other} {_number(alike.tau)}{f' (exact p = {_p(alike.p)})' if p and alike.p is not None else ''}"
        for one, other, alike in _pairs(runs, RECONSTRUCTION)
    ]
    return f"Kendall's τ: {style.listed(taus)}"


def _times(
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
    axis.plot(reached["step"], places, color=colour, marker=marker, markersize=6, linestyle="", label=label)
    for tag in rows.keys() - set(times.index):
        axis.text(edges[0], rows[tag] + offset, "no word of this tag", color=style.MUTED, va="center", fontsize=9)
    for tag, row in times[times["state"] != REACHED].iterrows():
        place = rows[tag] + offset
        if row["state"] == BEFORE_FIRST:
            words, x, side = f"◂ {row['state']}", edges[0], "left"
        else:
            words, x, side = "not reached ▸" if row["learnt"] else "learnt nothing yet ▸", 0.985, "right"
        transform = axis.transData if row["state"] == BEFORE_FIRST else axis.get_yaxis_transform()
        axis.text(x, place, words, color=colour, ha=side, va="center", fontsize=9, transform=transform)


def _ends(times: pd.DataFrame) -> str:
    learnt = times[times["learnt"]]
    names = [f"{NAMES[tag]}s" for tag in in_order(learnt)]
    if not names:
        return "No group has learnt anything yet"
    if not (learnt["state"] == REACHED).any():
        return "The checkpoints begin too late to tell an order"
    return f"Only {names[0]} are learnt" if len(names) == 1 else f"{names[0].capitalize()} first, {names[-1]} last"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def agreement_words(alike: Agreement) -> str:
    """How alike two orders are, as a clause after "with it"."""
    if not alike.groups:
        return "no group in common, as the published ones are single Penn tags"
    if alike.tau is None or alike.p is None:
        return "no Kendall's τ (one of the orders is all ties)"
    pairs = alike.same + alike.reversed + alike.tied
    return (
        f"Kendall's τ = {alike.tau:.2f} (exact permutation p = {_p(alike.p)}, {alike.groups} groups; of {pairs} pairs "
        f"{alike.same} in the same order, {alike.reversed} reversed, {alike.tied} tied)"
    )


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else f"{p:.1e}"


def _in_words(times: pd.DataFrame) -> str:
    steps = times["step"].map("step {:,.0f}".format).where(times["step"].notna(), times["state"])
    return ", ".join(f"{tag} {steps[tag]}" for tag in in_order(times))


def _data(times: dict[str, pd.DataFrame], published_times: pd.DataFrame) -> pd.DataFrame:
    measured = [table.reset_index().assign(source=task) for task, table in times.items()]
    columns = ["tag", "state", "step", "spacing", "final"]  # the published curves come without sentences
    return pd.concat([*measured, published_times.reset_index()[columns].assign(source=f"{PUBLISHED} reconstruction")])


def numbers(frame: pd.DataFrame, times: dict[str, pd.DataFrame]) -> dict[str, str]:
    """What the text says of the learning order of the first series, by the name to glue.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        times: by task, of :func:`embryology.analysis.learning_order.learning_times`.
    """
    main, mask = times[RECONSTRUCTION], times[MASK_PREDICTION]
    published_times = published.learning_times("ALBERT")
    learnt = {task: [tag for tag in in_order(table) if table.loc[tag, "learnt"]] for task, table in times.items()}
    return {
        "order": ", ".join(learnt[RECONSTRUCTION]) or "none yet",
        "order_names": _names(learnt[RECONSTRUCTION]) or "none yet",
        "published_names": _names(in_order(published_times)),
        "learnt": style.listed(learnt[RECONSTRUCTION]),
        "learnt_count": f"{len(learnt[RECONSTRUCTION])} of {len(main)}",
        "mask_learnt": style.listed(learnt[MASK_PREDICTION]),
        "mask_learnt_count": f"{len(learnt['mask-prediction'])} of {len(mask)}",
        "albert_agreement": agreement_words(agreement(main, published_times)),
        "bert_agreement": agreement_words(agreement(main, published.learning_times("BERT"))),
        "tasks_agreement": agreement_words(agreement(mask, main)),
        "age": _age(frame),
        **_extremes(main),
    }


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


def _names(tags: list[str]) -> str:
    return ", ".join(NAMES[tag] for tag in tags)


def _extremes(times: pd.DataFrame) -> dict[str, str]:
    best, worst = times["final"].idxmax(), times["final"].idxmin()
    return {
        "best": f"{NAMES[best]}s ({best})",
        "best_accuracy": f"{times.loc[best, 'final']:.2f}",
        "worst": f"{NAMES[worst]}s ({worst})",
        "worst_accuracy": f"{times.loc[worst, 'final']:.2f}",
    }
