"""Single facts through time: learnt, forgotten, learnt again; and how much of that is more than chance.

A fact's trajectory says at which checkpoints it is answered right. Two chances are held against its changes. If the
order of a fact's answers meant nothing, a fact that is right at ``k`` of ``t`` checkpoints would be forgotten
``k (t - k) / t`` times on average: fewer than that means that answers last. If facts were learnt once and for all and
only answers slipped, a model with two states would tell every loss as a slip: more forgetting than such a model finds
in answers drawn from itself means that facts are lost for good. Checkpoints lie 50 or 2,000 steps apart, so that rates
are those of a doubling of the steps; from the untrained model there is none, and it is left out.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from embryology import intervals
from embryology.analysis.over_objects import by_fact
from embryology.analysis.two_states import FORGET, TwoStates, fit, fit_all, next_rate

ITERATIONS = 60
REFITS = 100
"""Sets of answers that are drawn from the model without forgetting."""


@dataclass(frozen=True)
class Trajectories:
    """Facts of one set over the checkpoints of one run."""

    facts: pd.DataFrame
    """A row a fact; what does not change over checkpoints."""
    steps: np.ndarray
    """(t,) rising."""
    known: np.ndarray
    """(facts, t) bool: answered right."""
    clusters: np.ndarray
    """(facts,) of facts that share relation and object, and so come and go together: the unit of resampling."""

    @classmethod
    def of(cls, items: pd.DataFrame) -> "Trajectories":
        """From an item table with ``item_id``, ``step``, ``known``, ``group`` and ``object_number``.

        Raises:
            EmbryologyError: a fact was not measured at every checkpoint.
        """
        facts, steps, columns = by_fact(items, ["known"])
        clusters = facts.groupby(["group", "object_number"], sort=False).ngroup().to_numpy()
        return cls(facts.drop(columns=["step", "known"]), steps, columns["known"].astype(bool), clusters)

    @property
    def doublings(self) -> np.ndarray:
        """(t - 1,) of the steps, from each checkpoint to the next; infinite from step 0."""
        with np.errstate(divide="ignore"):
            return np.diff(np.log2(self.steps))

    def trained(self) -> "Trajectories":
        """Without step 0."""
        return self.at(self.steps[self.steps > 0])

    def at(self, steps: np.ndarray) -> "Trajectories":
        """At some of the checkpoints."""
        chosen = np.isin(self.steps, steps)
        return replace(self, steps=self.steps[chosen], known=self.known[:, chosen])

    def where(self, chosen: np.ndarray) -> "Trajectories":
        """Those of some facts, (facts,) bool."""
        clusters = np.unique(self.clusters[chosen], return_inverse=True)[1]
        return Trajectories(self.facts[chosen].reset_index(drop=True), self.steps, self.known[chosen], clusters)


def events(known: np.ndarray) -> pd.DataFrame:
    """What happened to each fact of (facts, t): ``first``, ``learnt``, ``forgotten``, ``relearnt``, ``state``.

    ``first`` is the number of the checkpoint at which it is right for the first time, -1 for never. ``learnt`` counts
    all beginnings of being right, one at the first checkpoint too, ``relearnt`` those after the first, ``forgotten``
    the ends. ``state`` is that of the last checkpoint: ``never``, ``known``, ``relearnt`` or ``forgotten``.
    """
    before = np.pad(known, ((0, 0), (1, 0)))[:, :-1]
    learnt = (known & ~before).sum(axis=1)
    ever = known.any(axis=1)
    state = np.select(
        [~ever, known[:, -1] & (learnt == 1), known[:, -1]], ["never", "known", "relearnt"], default="forgotten"
    )
    return pd.DataFrame(
        {
            "first": np.where(ever, known.argmax(axis=1), -1),
            "learnt": learnt,
            "forgotten": (before & ~known).sum(axis=1),
            "relearnt": np.maximum(learnt - 1, 0),
            "state": state,
        }
    )


def states(known: np.ndarray) -> pd.DataFrame:
    """Facts by state at each checkpoint of (facts, t), and how many came and went since the one before.

    Columns ``known`` (since they were first right), ``relearnt``, ``forgotten`` (right before and not now), ``never``
    (not yet), which add up to all; ``gained`` and ``lost``.
    """
    ends = [events(known[:, : at + 1]) for at in range(known.shape[1])]
    table = pd.DataFrame(
        [end["state"].value_counts().reindex(["known", "relearnt", "forgotten", "never"], fill_value=0) for end in ends]
    ).reset_index(drop=True)
    for name, column in (("gained", "learnt"), ("lost", "forgotten")):
        totals = np.array([end[column].sum() for end in ends])
        table[name] = np.diff(totals, prepend=0)
    return table


def forgotten_in_random_order(known: np.ndarray) -> np.ndarray:
    """(facts,) how often each fact of (facts, t) would be forgotten on average if its answers came in random order.

    Of ``t - 1`` pairs of neighbours each is right and then wrong with probability ``k (t - k) / (t (t - 1))``.
    """
    right, t = known.sum(axis=1), known.shape[1]
    times: np.ndarray = right * (t - right) / t
    return times


@dataclass(frozen=True)
class Forgetting:
    """Whether facts are lost for good, or answers only slip."""

    model: TwoStates
    low: float
    high: float
    """95% bootstrap interval of ``model.forget`` over objects."""
    chance: float
    """What 97.5% of fits stay below on answers drawn from the model without forgetting, of as many facts."""

    @property
    def beyond_chance(self) -> bool:
        return self.low > self.chance


def forgetting(trajectories: Trajectories, draws: int = intervals.RESAMPLES, seed: int = intervals.SEED) -> Forgetting:
    """Fit :class:`TwoStates` with and without forgetting, and hold the first against the second.

    Raises:
        ValueError: no fact is ever right, or there is one checkpoint alone.
    """
    trajectories = trajectories.trained()
    known, doublings = trajectories.known, trajectories.doublings
    if not known.any() or known.shape[1] < 2:
        raise ValueError("there is nothing to forget")
    distinct, row_of = np.unique(known, axis=0, return_inverse=True)
    by_cluster = np.zeros((trajectories.clusters.max() + 1, len(distinct)))
    np.add.at(by_cluster, (trajectories.clusters, row_of.ravel()), 1)
    model = fit(distinct, doublings, by_cluster.sum(axis=0))
    of_draws = intervals.resamples(len(by_cluster), draws, seed) @ by_cluster
    of_draws = of_draws[of_draws @ distinct.any(axis=1) > 0]
    refitted = fit_all(distinct, doublings, of_draws, begin=model, tolerance=1e-6, iterations=50)
    lasting = fit(distinct, doublings, by_cluster.sum(axis=0), forgets=False)
    rng = np.random.default_rng(seed)
    drawn = [np.unique(lasting.draw(len(known), doublings, rng), axis=0, return_counts=True) for _ in range(REFITS)]
    rows = np.zeros((REFITS, max(len(each) for each, _ in drawn), known.shape[1]), bool)
    counts = np.zeros(rows.shape[:2])  # 0 where a draw has fewer distinct rows than another
    for at, (each, often) in enumerate(drawn):
        rows[at, : len(each)], counts[at, : len(each)] = each, often
    chance = fit_all(rows, doublings, counts, begin=model, tolerance=1e-6)
    ends = intervals.percentile_interval(refitted[:, FORGET])
    low, high = min(float(ends[0]), model.forget), max(float(ends[1]), model.forget)  # fits end near 0, not at it
    return Forgetting(model, low, high, float(np.quantile(chance[:, FORGET], 0.975)))


@dataclass(frozen=True)
class HalfLife:
    """After how many doublings of the steps half of the facts that are right are not, at one rate throughout."""

    value: float
    low: float
    high: float
    """95% bootstrap interval over objects; nan where fewer of these than it takes are ever right."""


def half_life(
    trajectories: Trajectories, draws: int = intervals.RESAMPLES, seed: int = intervals.SEED
) -> HalfLife | None:
    """How long right answers last: that one ends is seen between two checkpoints alone (interval-censored), and those
    of the last checkpoint have not ended.

    None where no fact is right before the last checkpoint; infinite where none is lost.
    """
    trajectories = trajectories.trained()
    before, after = trajectories.known[:, :-1], trajectories.known[:, 1:]
    ended, lasted = (_sums(counts, trajectories.clusters) for counts in (before & ~after, before & after))
    if not before.any():
        return None
    weights = np.vstack([np.ones(len(ended)), intervals.resamples(len(ended), draws, seed)])
    of_draws = weights @ ended, weights @ lasted
    rate = np.full(len(weights), 0.5)
    for _ in range(ITERATIONS):
        rate = next_rate(rate, *of_draws, trajectories.doublings)
    with np.errstate(divide="ignore"):
        lives = np.log(2) / rate
    low, high = intervals.percentile_interval(lives[1:])
    if np.count_nonzero((ended + lasted).sum(axis=1)) < intervals.LEAST_OF_BOOTSTRAP:
        low = high = np.array(np.nan)
    return HalfLife(float(lives[0]), float(low), float(high))


def _sums(counts: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """(clusters, t) of (facts, t)."""
    sums = np.zeros((clusters.max() + 1, counts.shape[1]))
    np.add.at(sums, clusters, counts)
    return sums


def changes_of_objects(trajectories: Trajectories) -> pd.DataFrame:
    """How facts of one object come and go together: gains and losses, in the rows ``learnt`` and ``forgotten``.

    Columns ``facts`` (as of :func:`events`), ``objects`` (how often an object has any, of all checkpoints), ``whole``
    (the share of these facts that change with all others of their object, of objects with two facts or more; nan
    without any).
    """
    known = np.pad(trajectories.known, ((0, 0), (1, 0)))
    sizes = np.bincount(trajectories.clusters)[:, None]
    rows = {}
    for name, change in (("learnt", known[:, 1:] & ~known[:, :-1]), ("forgotten", known[:, :-1] & ~known[:, 1:])):
        of_objects = _sums(change, trajectories.clusters)
        of_several = of_objects * (sizes > 1)
        whole = (of_several * (of_objects == sizes)).sum() / of_several.sum() if of_several.any() else np.nan
        rows[name] = change.sum(), np.count_nonzero(of_objects), whole
    return pd.DataFrame.from_dict(rows, orient="index", columns=["facts", "objects", "whole"])


def rank_correlation(
    trajectories: Trajectories, counts: np.ndarray, draws: int = intervals.RESAMPLES, seed: int = intervals.SEED
) -> tuple[float, float, float]:
    """Spearman's correlation, within relations, of a count with how early facts are right; and its 95% interval.

    Facts are ranked among those of their relation, by count and by the checkpoint at which they are first right
    (never is last); positive where facts with higher counts are right earlier. Relations of which no fact is ever
    right say nothing. nan where too few objects are left, or all counts are equal. The interval is a bootstrap over
    objects.
    """
    first = events(trajectories.known)["first"].to_numpy()
    first = np.where(first < 0, len(trajectories.steps), first)
    early, often = np.zeros(len(first)), np.zeros(len(first))
    for rows in trajectories.facts.groupby("group").indices.values():
        if np.ptp(first[rows]):
            early[rows], often[rows] = (
                stats.rankdata(values) / len(rows) - (len(rows) + 1) / (2 * len(rows))
                for values in (-first[rows], counts[rows])
            )
    products = np.stack([early * often, early**2, often**2], axis=1)
    if not (products.sum(axis=0)[1:] > 0).all():
        return (np.nan, np.nan, np.nan)
    sums = _sums(products, trajectories.clusters)
    if np.count_nonzero(sums[:, 1]) < intervals.LEAST_OF_BOOTSTRAP:
        return (np.nan, np.nan, np.nan)
    drawn = intervals.resamples(len(sums), draws, seed) @ sums
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = intervals.percentile_interval(drawn[:, 0] / np.sqrt(drawn[:, 1] * drawn[:, 2]))
    both, one, other = sums.sum(axis=0)
    return float(both / np.sqrt(one * other)), float(low), float(high)
