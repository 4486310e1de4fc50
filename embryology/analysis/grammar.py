"""Grammar over checkpoints: when phenomena are learnt, how suddenly, and before or after what frequency alone gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from embryology import intervals
from embryology.analysis import learning_order, suddenness, tables
from embryology.runs import measurements
from embryology.specs.grammar import ACCURACY, PHENOMENA, REFERENCES, SHORTER, SPECIFICATION, UNIGRAM, WHOLE

ALL, WITH, AGAINST = "", "with frequency", "against frequency"
"""Groups beside the phenomena: all pairs, and those whose grammatical sentence has the more frequent pieces or the
less frequent ones."""
CHANCE = 0.5


def sets(frame: pd.DataFrame) -> list[str]:
    """The sets of pairs of the first series, in the order of the specification, those of plug-ins behind them.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, as everywhere here.
    """
    measured = set(frame.loc[frame["series"] == tables.main_series(frame), "task"])
    others = sorted(name for name in measured - set(SPECIFICATION.tasks) if "/" not in name)
    return [*(name for name in SPECIFICATION.tasks if name in measured), *others]


def label(group: str) -> str:
    """What a phenomenon, a paradigm or another group is called."""
    return PHENOMENA.get(group, group.replace("_", " ")) or "all pairs"


def source(items: pd.DataFrame, frame: pd.DataFrame) -> str:
    """What was asked of the first series at every checkpoint, in words.

    Raises:
        EmbryologyError: other pairs at some checkpoints than at others.
    """
    return measurements.source_of(items[items["task"] == sets(frame)[0]])


def curve(
    frame: pd.DataFrame,
    task: str,
    group: str = ALL,
    metric: str = ACCURACY,
    baseline: str | None = None,
    series: str | None = None,
) -> pd.DataFrame:
    """A metric of one group over steps: step, tokens, value, low, high, n; empty where it was not measured."""
    rows = tables.of(frame, task, metric, baseline, series)
    return rows[rows["group"] == group].sort_values("step")[tables.CURVE].reset_index(drop=True)


@dataclass(frozen=True)
class Curves:
    """Accuracy of groups of pairs over checkpoints, as measured and in resamples of what pairs are made of."""

    steps: np.ndarray
    """(s,) rising."""
    groups: list[str]
    """:data:`ALL`, the phenomena, and where the training text was at hand :data:`WITH` and :data:`AGAINST`."""
    values: np.ndarray
    """(1 + draws, groups, s); first as measured."""
    blind: np.ndarray
    """(1 + draws, groups): the best of chance, the shorter sentence, more frequent pieces, and the untrained model; of
    the groups that frequency decides chance alone, as what an untrained model prefers of so few is chance too."""
    units: np.ndarray
    """(groups,) what is resampled."""
    pairs: np.ndarray
    """(groups,)"""
    untellable: str | None
    """Why the checkpoints tell no time, as a clause."""


def curves(
    frame: pd.DataFrame, items: pd.DataFrame, draws: int = intervals.RESAMPLES, seed: int = intervals.SEED
) -> Curves:
    """Of the first set of the first series.

    Pairs are drawn within their paradigms where each is made of something of its own; else what several are made of is
    drawn.

    Args:
        frame: decides the checkpoints.
        items: of the first series, from :func:`embryology.runs.measurements.read_items`.
        draws, seed: of the resamples, which all groups share.
    """
    task = sets(frame)[0]
    steps = np.sort(curve(frame, task)["step"].unique())
    items = items[(items["task"] == task) & items["step"].isin(steps)]
    last = items[items["step"] == steps[-1]]
    units = last["sentence"].unique()
    strata = last["paradigm"].to_numpy() if last["sentence"].is_unique else np.zeros(len(units))
    weights = np.vstack([np.ones(len(units)), _resamples(strata, draws, seed)])
    chosen = {ALL: slice(None)} | {name: items["group"] == name for name in sorted(last["group"].unique())}
    if last[UNIGRAM].notna().any():
        chosen |= {WITH: items[UNIGRAM] == 1, AGAINST: items[UNIGRAM] == 0}
    groups, values, blind, counts = [], [], [], []
    for group, rows in chosen.items():
        own = items[rows]
        if own.empty:  # frequency may decide all pairs in one way
            continue
        groups.append(group)
        means, n = _means(own, units, steps, "correct", weights)
        answers = [np.full(len(weights), CHANCE)]
        if group not in (WITH, AGAINST):
            answers += [_means(own, units, steps[-1:], name, weights)[0][:, 0] for name in (SHORTER, UNIGRAM)]
            answers += [means[:, 0]] if steps[0] == 0 else []
        values.append(means)
        blind.append(np.fmax.reduce(answers))
        counts.append((np.count_nonzero(n), n.sum()))
    of_units, pairs = np.array(counts, int).T
    return Curves(
        steps, groups, np.stack(values, 1), np.stack(blind, 1), of_units, pairs, learning_order.untellable(frame)
    )


def _resamples(strata: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(draws, units): how often each unit is drawn, as often within each stratum as that has units."""
    weights = np.empty((draws, len(strata)))
    for number, stratum in enumerate(np.unique(strata)):
        own = strata == stratum
        weights[:, own] = intervals.resamples(int(own.sum()), draws, seed + number)
    return weights


def _means(
    items: pd.DataFrame, units: np.ndarray, steps: np.ndarray, column: str, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(draws, steps) means of a column, and (units,) how many items each has."""
    items = items[items["step"].isin(steps)]
    cells = pd.Categorical(items["sentence"], units).codes, np.searchsorted(steps, items["step"].to_numpy())
    sums, counts = np.zeros((len(units), len(steps))), np.zeros((len(units), len(steps)))
    np.add.at(sums, cells, items[column].to_numpy(float))
    np.add.at(counts, cells, 1)
    return intervals.bootstrap_means(sums, counts, weights), counts[:, -1]


def learning_times(told: Curves, seed: int = intervals.SEED) -> pd.DataFrame:
    """When each group is halfway from its best blind answer to where it ends, over pairs and checkpoints.

    Returns:
        As of :func:`embryology.analysis.learning_order.of_gains`, a row a group, and ``n`` pairs.
    """
    enough = (told.units >= learning_order.FEWEST_SENTENCES) & (told.untellable is None)
    table = learning_order.of_gains(told.groups, told.steps, told.values, told.blind, enough, seed)
    return table.assign(n=told.pairs)


def lag(told: Curves, times: pd.DataFrame) -> pd.Series | None:
    """How many doublings of the steps lie between what frequency gives and grammar against it.

    Returns:
        ``doublings``, ``fewest`` and ``most`` as of :func:`embryology.analysis.suddenness.between`; None where one of
        the two is not learnt, or that cannot be told.
    """
    if not {WITH, AGAINST} <= set(times.index):
        return None
    rows = [times.loc[group] for group in (WITH, AGAINST)]
    known = (learning_order.REACHED, learning_order.BEFORE_FIRST)
    if not all(row["state"] in known for row in rows):
        return None
    gap = suddenness.between(told.steps, *(np.array([row["step"], *row["resampled"]], float) for row in rows))
    return pd.Series(dict(zip(learning_order.RISE, map(float, gap), strict=True)))


def beside_others(frame: pd.DataFrame) -> pd.DataFrame:
    """What others get right of the paradigms, beside the last checkpoint; empty where not all pairs were asked.

    Returns:
        A row a reference, by its label: ``paradigms``, their mean accuracy ``theirs`` and ``ours``, and Spearman's
        ``rho`` over paradigms with its ``p``.
    """
    name = sets(frame)[0]
    rows = []
    for task in (f"{name}/{WHOLE}", name):
        last = tables.of(frame, task, ACCURACY)
        last = last[last["step"] == frame.loc[frame["series"] == tables.main_series(frame), "step"].max()]
        ours = last.set_index("group")["value"]
        for who, called in REFERENCES.items():
            theirs = tables.of(frame, task, ACCURACY, who).drop_duplicates("group").set_index("group")["value"]
            both = theirs.index.intersection(ours.index)
            if len(both) > 2:
                rho = stats.spearmanr(theirs[both], ours[both])
                rows.append((called, len(both), theirs[both].mean(), ours[both].mean(), rho.statistic, rho.pvalue))
        if rows:
            break
    return pd.DataFrame(rows, columns=["reference", "paradigms", "theirs", "ours", "rho", "p"]).set_index("reference")


def phenomena(groups: Sequence[str]) -> list[str]:
    """The phenomena among groups of :class:`Curves`."""
    return [group for group in groups if group not in (ALL, WITH, AGAINST)]
