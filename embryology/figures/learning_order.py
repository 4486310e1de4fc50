"""The order in which parts of speech are learnt, beside the published one, and the numbers prose tells of it."""

import itertools

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes

from embryology.analysis import curves, published
from embryology.analysis.learning_order import BEFORE_FIRST, REACHED, Agreement, agreement, in_order
from embryology.analysis.side_by_side import Learnt
from embryology.figures import style
from embryology.intervals import RESAMPLES, SEED

TASKS = {"reconstruction": "reconstruction", "mask-prediction": "mask prediction"}
PUBLISHED = "published ALBERT"


@style.styled
def learning_order(frame: pd.DataFrame, times: dict[str, pd.DataFrame], source: str) -> HTML:
    """Learning time of the nine groups with bootstrap intervals, beside the published times.

    Args:
        frame: of :func:`embryology.analysis.curves.read`.
        times: by task, of :func:`embryology.analysis.learning_order.learning_times` on that frame.
        source: whose tags on which text.
    """
    series = curves.main_series(frame)
    steps = np.sort(frame.loc[frame["series"] == series, "step"].unique())
    theirs = published.learning_times()
    order = in_order(theirs)
    figure, (axis, beside) = style.panels(1, 2, 8, 5.6, sharey=True, width_ratios=[1.8, 1])
    rows = {tag: place for place, tag in enumerate(order)}
    for (task, table), offset, (colour, marker, _) in zip(times.items(), (-0.14, 0.18), style.LINES, strict=False):
        _times(axis, table, rows, offset, colour, marker, TASKS[task], steps)
    axis.set_title(series)
    _axes(axis, beside, steps, "step of half the final accuracy", theirs)
    style.legend(figure, (axis, beside), 3)
    main = times["reconstruction"]
    found = agreement(main, theirs)
    answer = _ends(main) + ("" if found.tau is None else f"; τ = {found.tau:.2f} with the published order")
    style.title(figure, answer)
    mask = (
        f" The order of mask prediction has {_agreement_words(agreement(times['mask-prediction'], theirs))} with it."
        if "mask-prediction" in times
        else ""
    )
    return style.show(
        figure,
        "learning-order",
        _data(times, theirs),
        f"In which order are parts of speech learnt, and is it the published order (rows, top first)? Step at which "
        f"accuracy first reaches half of its final value, linear between checkpoints, for {series} on {source}; bars: "
        f"95% percentile bootstrap over sentences ({RESAMPLES:,} resamples, seed {SEED}). A group whose accuracy never "
        f"clears blind answers (the most frequent word everywhere, the untrained model) has learnt nothing "
        f"yet, has no time and counts as last. Right: published ALBERT, on its own axis, from curves with a point "
        f"every 1,000 steps. Reconstruction and the published order have {_agreement_words(found)}; ties are gaps "
        f"below the spacing of the checkpoints.{mask}",
        f"Dot plot of learning times of nine parts of speech. {answer}. "
        + "; ".join(f"{TASKS[task]}: {_said(table)}" for task, table in times.items())
        + f". Published order: {', '.join(order)}.",
    )


def _axes(axis: Axes, beside: Axes, at: np.ndarray, label: str, theirs: pd.DataFrame) -> None:
    """Rows in the published order, an axis of training for ours, and the published times."""
    order = in_order(theirs)
    style.training_axis(axis, at, label)
    axis.set_xlim(right=max(at.max(), 1) * 4)  # room for what was not reached
    axis.set_yticks(range(len(order)), [f"{curves.GROUPS[tag]} {tag}" for tag in order])
    axis.set_ylim(len(order) - 0.5, -0.5)
    beside.errorbar(
        theirs.loc[order, "step"], range(len(order)), color=style.INK, marker="D", markersize=5, linestyle="",
        label="published (no interval)",
    )  # fmt: skip
    beside.set_title("published ALBERT")
    beside.set_xlabel("step, of 30,000 shown")
    beside.set_xlim(0, 16_500)
    beside.set_xticks([0, 5_000, 10_000, 15_000], ["0", "5k", "10k", "15k"])


@style.styled
def side_by_side(runs: dict[str, Learnt]) -> HTML:
    """Learning times of reconstruction in several runs, over tokens read, beside the published times.

    Args:
        runs: of :func:`embryology.analysis.side_by_side.read`.
    """
    theirs = published.learning_times()
    order = in_order(theirs)
    figure, (axis, beside) = style.panels(1, 2, 8, 5.6, sharey=True, width_ratios=[1.8, 1])
    rows = {tag: place for place, tag in enumerate(order)}
    tokens = {name: run.in_tokens("reconstruction") for name, run in runs.items()}
    offsets = np.linspace(-0.2, 0.2, len(runs)) if len(runs) > 1 else [0]
    for (name, run), offset, (colour, marker, _) in zip(runs.items(), offsets, itertools.cycle(style.LINES)):
        _times(axis, tokens[name], rows, offset, colour, marker, name, run.grid["tokens"])
    axis.set_title("reconstruction")
    at = np.concatenate([run.grid["tokens"] for run in runs.values()])
    _axes(axis, beside, at, "tokens read at half of the final accuracy", theirs)
    style.legend(figure, (axis, beside), 3)
    answer = compared(runs, p=False)
    style.title(figure, answer)
    sources = "; ".join(f"{name} on {run.source}" for name, run in runs.items())
    data = [
        table.reset_index().rename(columns={"step": "tokens"}).assign(source=name) for name, table in tokens.items()
    ]
    published_data = theirs.reset_index()[["tag", "state", "step", "final"]].assign(source=PUBLISHED)
    return style.show(
        figure,
        "learning-order-side-by-side",
        pd.concat([*data, published_data]),
        f"Is the order of learning the same in a longer run? Tokens read when the accuracy of reconstruction first "
        f"reaches half of its final value, linear between checkpoints; bars: 95% percentile bootstrap over sentences "
        f"({RESAMPLES:,} resamples, seed {SEED}). Measured: {sources}. Final values differ between runs, so an equal "
        f"time is not an equal accuracy. A group whose accuracy never clears blind answers (the most frequent word "
        f"everywhere, the untrained model) has learnt nothing yet, has no time and counts as last. Right: published "
        f"ALBERT, on its own axis, from curves with a point every 1,000 steps, without intervals. The table below has "
        f"Kendall's τ and p of every pair.",
        f"Dot plot of learning times of nine parts of speech. {answer}. "
        + "; ".join(f"{name}: {_said(run.times['reconstruction'])}" for name, run in runs.items())
        + f". Published order: {', '.join(order)}.",
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
                "Kendall's τ": _number(found.tau),
                "exact p": "undefined" if found.p is None else _p(found.p),
                "pairs of groups alike": found.same,
                "reversed": found.reversed,
                "tied": found.tied,
            }
            for task, one, other, found in pairs
        )
    )


def _pairs(runs: dict[str, Learnt], task: str) -> list[tuple[str, str, Agreement]]:
    """Of reconstruction there is a published order too."""
    orders = {name: run.times[task] for name, run in runs.items()}
    if task == "reconstruction":
        orders[PUBLISHED] = published.learning_times()
    return [(one, other, agreement(orders[one], orders[other])) for one, other in itertools.combinations(orders, 2)]


def compared(runs: dict[str, Learnt], p: bool = True) -> str:
    """Kendall's tau of every pair of orders of reconstruction, as prose says it; ``p``: with its exact p."""
    found = [
        f"{one} and {other} {_number(pair.tau)}{f' (exact p = {_p(pair.p)})' if p and pair.p is not None else ''}"
        for one, other, pair in _pairs(runs, "reconstruction")
    ]
    return f"Kendall's τ: {style.listed(found)}"


def _times(axis: Axes, times: pd.DataFrame, rows: dict, offset: float, colour, marker, label: str, steps) -> None:
    reached = times[times["state"] == REACHED]
    edges = steps.min(), steps.max()
    low = reached["low"].fillna(reached["step"]).clip(*edges)
    high = reached["high"].fillna(reached["step"]).clip(*edges)
    at = [rows[tag] + offset for tag in reached.index]
    # Not errorbar: the interval of a skewed bootstrap may leave out the estimate.
    axis.hlines(at, low, high, color=colour, linewidth=2)
    axis.plot(reached["step"], at, color=colour, marker=marker, markersize=6, linestyle="", label=label)
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
    names = [f"{curves.GROUPS[tag]}s" for tag in in_order(learnt)]
    if not names:
        return "No group has learnt anything yet"
    if not (learnt["state"] == REACHED).any():
        return "The checkpoints begin too late to tell an order"
    return f"Only {names[0]} are learnt" if len(names) == 1 else f"{names[0].capitalize()} first, {names[-1]} last"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def _agreement_words(found: Agreement) -> str:
    if found.tau is None:
        return "no Kendall's τ (one of the orders is all ties)"
    pairs = found.same + found.reversed + found.tied
    return (
        f"Kendall's τ = {found.tau:.2f} (exact permutation p = {_p(found.p)}, {found.groups} groups; of {pairs} pairs "
        f"{found.same} in the same order, {found.reversed} reversed, {found.tied} tied)"
    )


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else f"{p:.1e}"


def _said(times: pd.DataFrame) -> str:
    steps = times["step"].map("step {:,.0f}".format).where(times["step"].notna(), times["state"])
    return ", ".join(f"{tag} {steps[tag]}" for tag in in_order(times))


def _data(times: dict[str, pd.DataFrame], theirs: pd.DataFrame) -> pd.DataFrame:
    tables = [table.reset_index().assign(source=task) for task, table in times.items()]
    columns = ["tag", "state", "step", "spacing", "final"]  # the published curves come without sentences
    return pd.concat([*tables, theirs.reset_index()[columns].assign(source="published ALBERT reconstruction")])


def numbers(frame: pd.DataFrame, times: dict[str, pd.DataFrame]) -> dict[str, str]:
    """What the text says of the learning order, formatted, by the name to glue.

    Args:
        frame: of :func:`embryology.analysis.curves.read`.
        times: by task, of :func:`embryology.analysis.learning_order.learning_times`.
    """
    main, mask = times["reconstruction"], times["mask-prediction"]
    theirs = published.learning_times("ALBERT")
    found = agreement(main, theirs)
    age = published.developmental_age(frame).iloc[-1]
    learnt = {task: [tag for tag in in_order(table) if table.loc[tag, "learnt"]] for task, table in times.items()}
    return {
        "order": ", ".join(learnt["reconstruction"]) or "none yet",
        "order_names": _names(learnt["reconstruction"]) or "none yet",
        "published_names": _names(in_order(theirs)),
        "learnt": style.listed(learnt["reconstruction"]),
        "learnt_count": f"{len(learnt['reconstruction'])} of {len(main)}",
        "mask_learnt": style.listed(learnt["mask-prediction"]),
        "mask_learnt_count": f"{len(learnt['mask-prediction'])} of {len(mask)}",
        "tau": _number(found.tau),
        "p": "undefined" if found.p is None else _p(found.p),
        "pairs": f"{found.same + found.reversed + found.tied}",
        "pairs_same": f"{found.same}",
        "pairs_reversed": f"{found.reversed}",
        "pairs_tied": f"{found.tied}",
        "bert_agreement": _agreement_words(agreement(main, published.learning_times("BERT"))),
        "tasks_agreement": _agreement_words(agreement(mask, main)),
        "age": f"{age['published_step']:,.0f}",
        "age_difference": f"{age['difference']:.2f}",
        "age_correlation": "undefined" if pd.isna(age["rank_correlation"]) else f"{age['rank_correlation']:.2f}",
        **_extremes(main),
    }


def _names(tags: list[str]) -> str:
    return ", ".join(curves.GROUPS[tag] for tag in tags)


def _extremes(times: pd.DataFrame) -> dict[str, str]:
    best, worst = times["final"].idxmax(), times["final"].idxmin()
    return {
        "best": f"{curves.GROUPS[best]}s ({best})",
        "best_accuracy": f"{times.loc[best, 'final']:.2f}",
        "worst": f"{curves.GROUPS[worst]}s ({worst})",
        "worst_accuracy": f"{times.loc[worst, 'final']:.2f}",
    }
