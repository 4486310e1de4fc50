"""When a group of words is learnt: halfway from the best blind answer to where its accuracy ends.

A blind answer is told nothing of the word in question: the most frequent word everywhere, the group's own most
frequent word, the untrained model. A model that says "the" everywhere scores well on determiners and has learnt none
of them, so that half of the final value, the published definition (:func:`published_definition`), is no time of
learning there. Outcomes that are no numbers have states of their own.
"""

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import blind_answers, crossings, curves, suddenness, tables
from embryology.specs.tokens import ACCURACY

REACHED = "reached"
BEFORE_FIRST = "before the first checkpoint"
NOT_REACHED = "not reached"
NEVER_BEYOND = "never beyond blind answers"
BLIND_REACH_IT = "blind answers reach it"
UNTOLD = "cannot be told"
RISE = ["doublings", "fewest", "most"]
"""How suddenly it comes: the columns of :mod:`embryology.analysis.suddenness`."""
COLUMNS = [
    *("state", "step", "low", "high", "spacing", "blind", "final", "learnt", "beyond_everywhere", "n", *RISE),
    "resampled",
]
FEWEST_CHECKPOINTS = 4
"""After the untrained model: the final value takes three."""
FEWEST_SENTENCES = 30
"""With fewer, intervals from resamples are too narrow."""
LEVELS = (0.25, 0.5, 0.75)
"""Accuracies whose steps compare runs that end elsewhere."""


def learning_times(
    frame: pd.DataFrame,
    items: pd.DataFrame,
    task: str,
    tags: Iterable[str] | None = None,
    draws: int = intervals.RESAMPLES,
    seed: int = intervals.SEED,
    level: float | None = None,
) -> pd.DataFrame:
    """The learning time of every group in a run, with its interval over sentences and checkpoints.

    Blind answers, final value (the mean of the last three checkpoints) and curve come from the same resamples of
    sentences. The curve's rising fit is crossed (:func:`crossings.lasting`). Items that were frozen before they kept
    what frequent words get right have that drawn from a binomial of its own; the interval of "beyond" is then too wide
    rather than too narrow, as both rise with the sentences that are drawn.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, of the tokens probe; decides the checkpoints.
        items: of the same series, from :func:`embryology.runs.measurements.read_items`.
        task: ``reconstruction`` or ``mask-prediction``.
        tags: groups, None takes the nine; those without a scored word are left out.
        draws, seed: of the resamples, which all groups share.
        level: None is halfway; else this accuracy, where it lies above all of the blind answers' interval.

    Returns:
        A row a tag, by tag: ``state``; ``step``, null unless reached; ``low`` and ``high``, checkpoints around the 95%
        interval, infinite where more than 2.5% of the resamples do not reach the level or begin there; ``spacing`` of
        the two checkpoints around the step; the best ``blind`` answer's accuracy and the ``final`` one; ``learnt``,
        whether the interval of final less blind lies above 0; ``beyond_everywhere``, whether it does for blind answers
        that are not told the group; ``n`` words; of halfway ``doublings``, ``fewest`` and ``most`` as of
        :func:`of_gains`; and the times that were ``resampled``, an array (draws,).
    """
    return at_levels(frame, items, task, [level], tags, draws, seed)[level]


def at_levels(
    frame: pd.DataFrame,
    items: pd.DataFrame,
    task: str,
    levels: Iterable[float | None],
    tags: Iterable[str] | None = None,
    draws: int = intervals.RESAMPLES,
    seed: int = intervals.SEED,
) -> dict[float | None, pd.DataFrame]:
    """:func:`learning_times` by level, all of the same resamples."""
    measured = set(tables.of(frame, task, ACCURACY)["group"])
    tags = [tag for tag in (curves.groups(frame) if tags is None else tags) if tag in measured]
    if not tags:
        return dict.fromkeys(levels, of_curves(np.arange(1), pd.DataFrame(np.empty((0, 1)))))
    steps = _steps(frame)
    items = items[(items["task"] == task) & items["group"].isin(tags)]
    sums, counts = blind_answers.by_sentence(items, tags, steps)
    weights = np.vstack([np.ones(len(sums)), intervals.resamples(len(sums), draws, seed)])  # first what was measured
    values = intervals.bootstrap_means(sums, counts, weights)  # (1 + draws, tags, steps)
    everywhere, own = blind_answers.resampled(frame, items, tags, weights, seed)
    blind, final = np.fmax(everywhere, own), values[..., -crossings.LAST :].mean(axis=-1)
    learnt, beyond_everywhere = (
        intervals.percentile_interval((final - each)[1:])[0] > 0 for each in (blind, everywhere)
    )
    told = (np.count_nonzero(counts[..., -1], axis=0) >= FEWEST_SENTENCES) & (untellable(frame) is None)
    told &= ~np.isnan(own[0])
    tables_at = {}
    for level in levels:
        if level is None:
            table = of_gains(tags, steps, values, blind, told, seed)
        else:
            asked, above = np.full_like(blind, level), intervals.percentile_interval(blind[1:])[1] < level
            table = timed(tags, steps, values, asked, told, learnt, above, seed).assign(**dict.fromkeys(RISE, np.nan))
        tables_at[level] = table.assign(
            blind=blind[0],
            final=final[0],
            learnt=learnt & told,
            beyond_everywhere=beyond_everywhere & told,
            n=counts.sum(axis=0)[:, -1].astype(int),
        )[COLUMNS]
    return tables_at


def of_gains(
    names: Iterable[str],
    steps: np.ndarray,
    values: np.ndarray,
    blind: np.ndarray,
    told: np.ndarray,
    seed: int = intervals.SEED,
) -> pd.DataFrame:
    """When curves are halfway from their blind answers to where they end, and how suddenly.

    Args:
        names: of the curves.
        steps: (s,) rising.
        values: (1 + draws, curves, s): what was measured, then its resamples.
        blind: (1 + draws, curves): the best blind answer, of the same resamples.
        told: (curves,) bool: whether there is enough to tell by.
        seed: of the resamples.

    Returns:
        As of :func:`timed`, with ``blind``, ``final``, ``learnt``, and of what has a time ``doublings`` of the steps
        from a quarter of the gain to three quarters with the ends of their 95% interval, ``fewest`` and ``most``.
    """
    final = values[..., -crossings.LAST :].mean(axis=-1)
    learnt = intervals.percentile_interval((final - blind)[1:])[0] > 0
    table = timed(names, steps, values, (blind + final) / 2, told, learnt, np.ones(len(learnt), bool), seed)
    known = table["state"].isin([REACHED, BEFORE_FIRST]).to_numpy()
    rise = np.full((len(RISE), len(known)), np.nan)
    if known.any():
        rise[:, known] = suddenness.rises(steps, values[:, known], blind[:, known], final[:, known], seed)
    return table.assign(blind=blind[0], final=final[0], learnt=learnt & told, **dict(zip(RISE, rise, strict=True)))


def timed(
    names: Iterable[str],
    steps: np.ndarray,
    values: np.ndarray,
    asked: np.ndarray,
    told: np.ndarray,
    learnt: np.ndarray,
    above: np.ndarray,
    seed: int = intervals.SEED,
) -> pd.DataFrame:
    """When curves cross a level, with intervals over resamples and checkpoints.

    Args:
        names: of the curves.
        steps: (s,) rising.
        values: (1 + draws, curves, s): what was measured, then its resamples.
        asked: (1 + draws, curves): the level, of the same resamples.
        told, learnt, above: (curves,) bool: whether there is enough to tell a time by, whether a curve ends beyond
            blind answers, and whether the level lies above these.
        seed: of the resamples.

    Returns:
        As of :func:`learning_times`, up to ``spacing``, and ``resampled``.
    """
    table = _table(names, steps, crossings.lasting(steps, values[0], asked[0]))
    resampled = crossings.resampled(steps, values[1:], asked[1:], seed)
    table["low"], table["high"] = crossings.interval(steps, resampled)
    table["resampled"] = list(resampled.T)
    numbers = ["step", "low", "high", "spacing"]
    table[numbers] = table[numbers].where((table["state"] == REACHED) & told & learnt & above)
    table["state"] = table["state"].where(above, BLIND_REACH_IT).where(learnt, NEVER_BEYOND).where(told, UNTOLD)
    return table


def published_definition(frame: pd.DataFrame, task: str, tags: Iterable[str] | None = None) -> pd.DataFrame:
    """Learning times by the published definition, half of the last value, of a run; as of :func:`of_curves`."""
    by_tag = {tag: curves.curve(frame, task, tag)["value"] for tag in (curves.groups(frame) if tags is None else tags)}
    values = pd.DataFrame({tag: value for tag, value in by_tag.items() if len(value)}).T.rename_axis("tag")
    return of_curves(_steps(frame), values)


def of_curves(steps: np.ndarray, values: pd.DataFrame) -> pd.DataFrame:
    """Where curves without items, such as published ones, first reach half of their last value.

    Args:
        steps: (s,) rising.
        values: a row a tag, (tags, s).

    Returns:
        As of :func:`learning_times`; ``low`` and ``high`` are the checkpoints around, and no blind answer is known.
    """
    table = _table(values.index, steps, crossings.half_steps(steps, values.to_numpy()))
    table["low"], table["high"] = crossings.bracket(steps, table["step"].to_numpy())
    return table.assign(
        blind=np.nan, final=values.to_numpy()[:, -1], learnt=True, beyond_everywhere=True, n=0, resampled=None
    ).reindex(columns=COLUMNS)


def untellable(frame: pd.DataFrame) -> str | None:
    """Why the checkpoints of the first series tell no learning time, as a clause; None where they do."""
    trained = np.count_nonzero(_steps(frame) > 0)
    if trained >= FEWEST_CHECKPOINTS:
        return None
    return f"learning times take {FEWEST_CHECKPOINTS} checkpoints after step 0, and here are {trained}"


def _steps(frame: pd.DataFrame) -> np.ndarray:
    return np.sort(frame.loc[frame["series"] == tables.main_series(frame), "step"].unique())


def _table(tags: Iterable[str], steps: np.ndarray, at: np.ndarray) -> pd.DataFrame:
    """State, step and spacing of crossings ``at`` (tags,), infinite where they are before all checkpoints or never."""
    reached = np.isfinite(at)
    step = np.where(reached, at, np.nan)
    before, after = crossings.bracket(steps, step)
    state = np.where(reached, REACHED, np.where(at < 0, BEFORE_FIRST, NOT_REACHED))
    index = pd.Index(tags, name="tag")
    return pd.DataFrame({"state": state, "step": step, "spacing": after - before}, index=index)


def in_order(times: pd.DataFrame) -> list[str]:
    """The tags by learning time: first those before the first checkpoint, last those without any."""
    return list(_positions(times).sort_values(kind="stable").index)


def ranks(times: pd.DataFrame) -> list[list[str]]:
    """The groups that have a learning time, those first that are first; what is not told apart is one rank.

    Two ranks are told apart wherever they meet: every group of the one from every group of the other.
    """
    timed = times[times["state"].isin([REACHED, BEFORE_FIRST])]
    tags = in_order(timed)
    later = _signs(timed.loc[tags]) > 0  # (groups, groups)
    cuts = [at for at in range(1, len(tags)) if later[:at, at:].all()]
    return [tags[start:end] for start, end in zip([0, *cuts], [*cuts, len(tags)], strict=True) if start < end]


def _positions(times: pd.DataFrame) -> pd.Series:
    """Steps on the extended line, so that states without a number still have their place in an order."""
    outside = times["state"].map({BEFORE_FIRST: -np.inf}).astype(float).fillna(np.inf)
    return times["step"].astype(float).fillna(outside)


@dataclass(frozen=True)
class Agreement:
    """How alike two orders of the same groups are. ``tau`` and ``p`` are None where one of them is all ties."""

    tau: float | None
    """Kendall's, with ties as tau-b has them."""
    p: float | None
    """Exact, two-sided: the share of all permutations of the groups with a tau at least as far from 0."""
    groups: int
    same: int
    """Pairs of groups in the same order,"""
    reversed: int
    """in reversed order,"""
    tied: int
    """and too close to tell in at least one of the two."""


def agreement(one: pd.DataFrame, other: pd.DataFrame, ties: bool = True) -> Agreement:
    """Kendall's tau of two tables of learning times with its exact permutation p.

    Two groups are tied where the gap between their times is below the spacing of the checkpoints around either (the
    wider counts), where fewer than 97.5% of the resamples have one of them first, and where neither has a time. One
    that is never beyond blind answers comes after all that have a time; one of which it cannot be told is left out. A
    tied pair counts for neither side. Such ties need not be transitive, so tau is Daniels' (1944) general coefficient
    of the two matrices of signs: tau-b where ties are transitive, the plain tau where there are none.

    Args:
        one, other: of :func:`learning_times` or :func:`of_curves`; groups in only one are left out.
        ties: False orders times by their numbers alone.
    """
    tags = [tag for tag in one.index if tag in other.index and UNTOLD not in (one["state"][tag], other["state"][tag])]
    a, b = (_signs(times.loc[tags], ties) for times in (one, other))
    upper = np.triu_indices(len(tags), 1)
    product = (a * b)[upper]
    scale = np.sqrt(np.sum(a[upper] ** 2) * np.sum(b[upper] ** 2))
    same, opposed = int(np.sum(product > 0)), int(np.sum(product < 0))
    return Agreement(
        tau=float((same - opposed) / scale) if scale else None,
        p=_exact_p(a, b) if scale else None,
        groups=len(tags),
        same=same,
        reversed=opposed,
        tied=len(product) - same - opposed,
    )


def _signs(times: pd.DataFrame, ties: bool = True) -> np.ndarray:
    """(groups, groups): 1 where the second group is learnt later, -1 where earlier, 0 where tied."""
    at = _positions(times).to_numpy()
    with np.errstate(invalid="ignore"):  # two groups without a number: inf - inf
        gap = np.nan_to_num(at[None, :] - at[:, None], nan=0)
    signs: np.ndarray = np.sign(gap).astype(int)
    if ties:
        spacing = times["spacing"].fillna(0).to_numpy()
        signs[np.abs(gap) < np.maximum(spacing[None, :], spacing[:, None])] = 0
        signs *= _told_apart(times)
    return signs


def _told_apart(times: pd.DataFrame) -> np.ndarray:
    """(groups, groups): whether one comes first in 97.5% of the resamples, or there are none to ask."""
    timed = times["step"].notna().to_numpy()
    draws = times.reindex(columns=["resampled"])["resampled"][timed]
    apart = np.ones((len(times), len(times)), bool)
    if len(draws) and not draws.isna().any():
        at = np.stack(draws)
        first = (at[:, None] < at[None, :]).mean(axis=-1)
        apart[np.ix_(timed, timed)] = np.maximum(first, first.T) >= 0.975
    return apart


def _exact_p(a: np.ndarray, b: np.ndarray) -> float:
    n = len(a)
    if n > 9:
        raise ValueError(f"{n} groups have too many permutations to go through them all; at most 9")
    pairs = _pairs_of_permutations(n)
    total = np.zeros(pairs.shape[1], np.int8)
    for sign, permuted in zip(a[np.triu_indices(n, 1)], pairs, strict=True):
        if sign:
            total += (sign * b).astype(np.int8).take(permuted)
    return float(np.mean(np.abs(total) >= abs(total[0])))  # the identity comes first


@functools.cache
def _pairs_of_permutations(n: int) -> np.ndarray:
    """(pairs, n!): where in (n, n) each pair of groups lies when they are permuted, the identity first."""
    orders = _permutations(n)
    return np.stack([orders[:, i] * n + orders[:, j] for i, j in itertools.combinations(range(n), 2)])


def _permutations(n: int) -> np.ndarray:
    """(n!, n), the identity first."""
    orders = np.zeros((1, 0), np.int8)
    for number in range(n):
        orders = np.concatenate([np.insert(orders, at, number, axis=1) for at in range(number, -1, -1)])
    return orders
