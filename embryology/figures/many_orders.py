"""Orders of learning in five runs or more: maps in place of lists of pairs, with the sentence that they come to."""

import itertools

import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.pyplot import close
from scipy.cluster import hierarchy
from scipy.spatial import distance

from embryology.analysis import published
from embryology.analysis.learning_order import (
    BEFORE_FIRST,
    BLIND_REACH_IT,
    LEVELS,
    NEVER_BEYOND,
    NOT_REACHED,
    REACHED,
    UNTOLD,
    agreement,
    in_order,
)
from embryology.analysis.side_by_side import Learnt
from embryology.figures import chart, looks, style
from embryology.figures.learning_order import EXACTLY, HALFWAY, PUBLISHED, TASKS, steps_in_words
from embryology.specs.tokens import RECONSTRUCTION

SHORT = {NOT_REACHED: "–", NEVER_BEYOND: "blind", BLIND_REACH_IT: "blind", UNTOLD: "?", BEFORE_FIRST: "◂"}
"""What stands in a cell without a time."""


@style.styled
def times(runs: dict[str, Learnt], x: str, label: str) -> HTML:
    """When each group is learnt in each run, a column a run; arguments as of :func:`levels`."""
    tables = {name: run.over(run.times[RECONSTRUCTION], x) for name, run in runs.items()}
    groups = next(iter(runs.values())).groups
    figure, axes = style.panels(1, 1, 2.4 + 0.72 * len(runs), 2 + 0.36 * len(groups))
    axis = axes[0]
    names = [f"{tag} {groups[tag]}" for tag in groups]
    _map(axis, tables, list(groups), names, label)
    data = pd.concat(
        [table.reset_index().rename(columns={"step": x}).assign(source=name) for name, table in tables.items()]
    )
    answer = spread(runs).removeprefix("Kendall's ")
    return style.show(
        figure,
        "learning-order-side-by-side",
        answer,
        pd.concat(
            [data, published.learning_times().reset_index()[["tag", "state", "step", "final"]].assign(source=PUBLISHED)]
        ),
        f"In which order do {len(runs)} runs learn parts of speech (rows: the published order)? "
        f"{label.capitalize()} when reconstruction's {HALFWAY.partition('. Bars')[0]}; darker is earlier. "
        f"Intervals are in the data and where one points. “blind”: not beyond blind answers.{EXACTLY} Final values "
        "differ between runs, so an equal time is not an equal accuracy.",
        f"Map of learning times of {len(groups)} parts of speech in {len(runs)} runs. {answer}. "
        + "; ".join(f"{name}: {steps_in_words(run.times[RECONSTRUCTION])}" for name, run in runs.items())
        + f". Published order: {', '.join(in_order(published.learning_times()))}.",
    )


@style.styled
def levels(runs: dict[str, Learnt], x: str, label: str) -> HTML:
    """When groups reach fixed accuracies, a map a level.

    Args:
        runs: of :func:`embryology.analysis.side_by_side.read`.
        x: ``tokens`` or ``step``.
        label: of it.
    """
    groups = next(iter(runs.values())).groups
    figure, axes = style.panels(
        len(LEVELS), 1, 2.4 + 0.72 * len(runs), 1.2 + len(LEVELS) * (0.7 + 0.3 * len(groups)), sharex=True
    )
    data, reached = [], 0
    for axis, level in zip(axes, LEVELS, strict=True):
        tables = {name: run.over(run.levels[level], x) for name, run in runs.items()}
        _map(axis, tables, list(groups), [f"{tag} {name}" for tag, name in groups.items()], label)
        axis.set_title(f"accuracy of {level:.0%}")
        data += [
            table.reset_index().rename(columns={"step": x}).assign(source=name, level=level)
            for name, table in tables.items()
        ]
        reached = sum((table["state"] == REACHED).sum() for table in tables.values())
    answer = f"An accuracy of {LEVELS[-1]:.0%} has a time in {reached} of {len(groups) * len(runs)} groups and runs"
    return style.show(
        figure,
        "learning-order-levels",
        answer,
        pd.concat(data),
        f"When is the same skill there? {label.capitalize()} at which each part of speech reaches a fixed accuracy of "
        "reconstruction; darker is earlier. Intervals are in the data and where one points. Where blind answers may "
        "reach as much, no time is told (“blind”); “–” is not reached.",
        f"{style.plural(len(LEVELS), 'map')} of times of {len(groups)} parts of speech in {len(runs)} runs. {answer}.",
    )


def _map(axis: style.Axes, tables: dict[str, pd.DataFrame], tags: list[str], names: list[str], label: str) -> None:
    """Times as cells, with the reason in place of a time that is none."""
    columns = {name: table.reindex(tags) for name, table in tables.items()}
    cells = pd.DataFrame({name: table["step"].where(table["state"] == REACHED) for name, table in columns.items()})
    said = {
        name: [
            style.short(float(f"{row['step']:.2g}")) if row["state"] == REACHED else SHORT.get(row["state"], "")
            for _, row in table.iterrows()
        ]
        for name, table in columns.items()
    }
    hover = {
        name: [
            style.stepped(row, style.short) if row["state"] == REACHED else str(row["state"])
            for _, row in table.iterrows()
        ]
        for name, table in columns.items()
    }
    cells.index = pd.Index(names)
    known = cells.to_numpy(float)
    ends = (np.nanmin(known[known > 0]), np.nanmax(known)) if (known > 0).any() else (1, 10)
    style.heat(axis, cells, cmap="cividis", norm=LogNorm(*ends), cbar_kws={"label": label}, linewidths=1)
    style.write_in(axis, cells, pd.DataFrame(said, cells.index))
    chart.remember_cells(axis, cells, pd.DataFrame(hover, cells.index))
    axis.tick_params(axis="x", rotation=40)


def spread(runs: dict[str, Learnt]) -> str:
    """From which to which run Kendall's tau of the order of reconstruction with the published one goes."""
    what, reference = "Kendall's τ with the published order", published.learning_times()
    all_taus = {name: agreement(run.times[RECONSTRUCTION], reference).tau for name, run in runs.items()}
    taus = {name: tau for name, tau in all_taus.items() if tau is not None}
    if not taus:
        return f"{what} is told in no run"
    least, most = min(taus.values()), max(taus.values())
    if least == most:
        return f"{what}: {least:.2f} in all of {len(taus)} runs"
    lowest, highest = (next(name for name, tau in taus.items() if tau == end) for end in (least, most))
    return f"{what} in {len(taus)} runs: {least:.2f} ({lowest}) to {most:.2f} ({highest})"


def pairs(runs: dict[str, Learnt], task: str) -> pd.DataFrame:
    """Every two orders with their agreement: ``one``, ``other``, and the fields of :class:`Agreement`."""
    orders = {name: run.times[task] for name, run in runs.items()}
    if task == RECONSTRUCTION:
        orders[PUBLISHED] = published.learning_times()
    return pd.DataFrame(
        [
            {"one": one, "other": other, **vars(agreement(orders[one], orders[other]))}
            for one, other in itertools.combinations(orders, 2)
        ]
    )


def agreements(runs: dict[str, Learnt]) -> HTML:
    """A map of Kendall's tau of all orders for each task, like ones together, and a sentence where there is none."""
    return HTML("".join(str(_agreements(runs, task).data) for task in TASKS))


@style.styled
def _agreements(runs: dict[str, Learnt], task: str) -> HTML:
    table = pairs(runs, task)
    told = table.dropna(subset="tau")
    square = told.pivot(index="one", columns="other", values="tau")
    names = [name for name in dict.fromkeys([*table["one"], *table["other"]]) if name in {*told["one"], *told["other"]}]
    left_out = [name for name in dict.fromkeys([*table["one"], *table["other"]]) if name not in names]
    without = f" All ties, so without τ: {style.listed(left_out)}." if left_out else ""
    if len(names) < 3:
        return style.paragraph(f"Orders of {TASKS[task]}: fewer than three can be compared.{without}")
    square = square.reindex(index=names, columns=names).astype(float)
    square = square.fillna(square.T).fillna(pd.DataFrame(np.eye(len(names)), names, names))
    figure = _clustered(square)
    same, apart = _by_recipe(told, runs)
    answer = f"{TASKS[task].capitalize()}: τ of {same or apart}{f'; of {apart}' if same else ''}"
    return style.show(
        figure,
        f"agreement-{task}",
        answer,
        table,
        f"How alike are orders of {TASKS[task]}? Kendall's τ of every two, 1 the same order, 0 none in common. "
        f"Like ones stand together (average linkage of 1 − τ).{without} Pairs of groups are tied where their times "
        "cannot be told apart; the exact permutation p of each τ, and how many pairs are alike, are in the data.",
        f"Map of Kendall's τ of {len(names)} orders. {answer}.",
    )


def _clustered(square: pd.DataFrame) -> Figure:
    """A cluster map of likenesses from -1 to 1."""
    apart = distance.squareform(np.clip(1 - square.to_numpy(), 0, None), checks=False)
    links = hierarchy.linkage(apart, "average", optimal_ordering=True)
    size = 2.6 + 0.62 * len(square)
    grid = sns.clustermap(
        square, row_linkage=links, col_linkage=links, annot=True, fmt=".2f", vmin=-1, vmax=1, cmap="vlag",
        figsize=(size, size), dendrogram_ratio=(0.1, 0.1), cbar_pos=None, linewidths=1, annot_kws={"fontsize": 9},
    )  # fmt: skip
    close(grid.figure)  # seaborn opens it in pyplot, which Jupyter would show a second time
    axis = grid.ax_heatmap
    axis.set(xlabel="", ylabel="")
    axis.tick_params(axis="x", rotation=40)
    for label in axis.get_xticklabels():
        label.set_horizontalalignment("right")
    chart.remember_cells(axis, grid.data2d)
    figure: Figure = grid.figure
    return figure


def _by_recipe(told: pd.DataFrame, runs: dict[str, Learnt]) -> tuple[str, str]:
    """The spread of tau between seeds of one recipe, empty where no two are, and between other runs."""
    recipe = {name: called for called, names in looks.by_recipe(runs).items() for name in names}
    between = told[told["other"] != PUBLISHED]
    alike = between["one"].map(recipe) == between["other"].map(recipe)
    texts = []
    for rows, what in ((between[alike], "seeds of one recipe"), (between[~alike], "other runs")):
        taus = rows["tau"]
        ends = " to ".join(dict.fromkeys(f"{end:.2f}" for end in (taus.min(), taus.max())))
        texts.append(f"{what} {ends}" if len(taus) else "")
    return texts[0], texts[1]
