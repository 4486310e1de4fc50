"""Runs that differ by their seed alone: do they end alike, and do they know the same facts?

An interval over facts or sentences tells what another sample of them would give; only another run tells what another
seed gives.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import curves, downstream, knowledge, trajectories
from embryology.analysis.trajectories import Trajectories
from embryology.analysis.twins import Run, pairs
from embryology.errors import EmbryologyError
from embryology.runs.paths import RunFolder

VALUES = ["value", "low", "high"]
ENDS = ["one", "other", "measure", "step", *VALUES, *(f"{name}_other" for name in VALUES), "apart"]


def ends(runs: Sequence[Run]) -> pd.DataFrame:
    """What every two runs of one recipe score at the last checkpoint at which both were measured.

    Returns:
        A row a pair and measure that both have: ``one`` and ``other`` (names of runs), ``measure``, ``step``,
        ``value``, ``low``, ``high`` of one and ``value_other``, ``low_other``, ``high_other``, and ``apart``: whether
        the two 95% intervals, which are over items, do not meet.
    """
    tables = []
    for one, other in pairs(runs):
        its = dict(_curves(other))
        for measure, curve in _curves(one):
            if measure in its:
                both = curve.merge(its[measure], on="step", suffixes=("", "_other")).sort_values("step").tail(1)
                names = {"one": RunFolder.named(one).name, "other": RunFolder.named(other).name}
                tables.append(both.assign(**names, measure=measure))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=ENDS[:-1], dtype=float)
    apart = table[["low", "low_other"]].max(axis=1) > table[["high", "high_other"]].min(axis=1)
    return table.assign(apart=apart)[ENDS]


def _curves(run: Run) -> Iterator[tuple[str, pd.DataFrame]]:
    """The name of each measure that a run has, and its curve: step, value, low, high."""
    with suppress(EmbryologyError):
        yield "words reconstructed", curves.curve(curves.read(run), "reconstruction", "")
    with suppress(EmbryologyError):
        frame = knowledge.read(run)
        for name in knowledge.sets(frame):
            yield f"facts right, {knowledge.SETS[name]}", knowledge.curve(frame, name)
    for probe, label in ((downstream.FROZEN, "tasks, frozen"), (downstream.FINETUNED, "tasks, fine-tuned")):
        with suppress(EmbryologyError):
            yield label, downstream.curve(downstream.read(run, probe=probe), downstream.MEAN)


def same_facts(run: Run, other: Run) -> tuple[Trajectories, Trajectories, str]:
    """The facts of the first set that both have, at the checkpoints at which both were asked; and the criterion.

    Raises:
        EmbryologyError: one was not asked, or they were asked for different facts, or at no common checkpoint.
    """
    sets, others = (knowledge.sets(knowledge.read(each)) for each in (run, other))
    if of_both := [name for name in sets if name in others]:
        (one, criterion), (two, its) = (knowledge.trajectories(each, of_both[0]) for each in (run, other))
        steps = np.intersect1d(one.steps, two.steps)
        if criterion == its and len(steps) and one.facts["item_id"].equals(two.facts["item_id"]):
            return one.at(steps), two.at(steps), criterion
    names = " and ".join(RunFolder.named(each).name for each in (run, other))
    raise EmbryologyError(f"{names} were not asked the same facts; measure both alike")


def overlap(
    one: Trajectories, other: Trajectories, draws: int = intervals.RESAMPLES, seed: int = intervals.SEED
) -> pd.DataFrame:
    """How far two runs know the same facts, at each of their checkpoints.

    The measure is Dice's (1945): the facts that both know, as a share of the mean of what each knows. ``chance`` is
    what it would be if what is known of a relation and object were drawn anew for each run, so that they shared which
    objects are easy and nothing of subjects. ``before`` is the overlap of a run with itself at the checkpoint before,
    the mean of both runs. nan where nothing is known, and at the first checkpoint.

    Args:
        one, other: of the same facts at the same checkpoints.

    Returns:
        ``step``, ``one``, ``other`` and ``both`` (facts known), ``value`` with ``low`` and ``high`` (95% bootstrap over
        relations' objects), ``chance``, ``before``.
    """
    mine, its = (_sums(run.known, one.clusters) for run in (one, other))
    both = _sums(one.known & other.known, one.clusters)
    sizes = np.bincount(one.clusters)[:, None]
    drawn = intervals.bootstrap_means(2 * both, mine + its, intervals.resamples(len(sizes), draws, seed))
    low, high = intervals.percentile_interval(drawn)
    before = np.mean([_dice(run.known[:, 1:], run.known[:, :-1]) for run in (one, other)], axis=0)
    return pd.DataFrame(
        {
            "step": one.steps,
            "one": one.known.sum(axis=0),
            "other": other.known.sum(axis=0),
            "both": both.sum(axis=0),
            "value": _dice(one.known, other.known),
            "low": low,
            "high": high,
            "chance": _share(2 * (mine * its / sizes).sum(axis=0), (mine + its).sum(axis=0)),
            "before": [np.nan, *before],
        }
    )


def same_order(one: Trajectories, other: Trajectories) -> tuple[float, float, float]:
    """Spearman's correlation, within relations, of when facts are first right in two runs; and its 95% interval."""
    first = trajectories.events(other.known)["first"].to_numpy(float)
    return trajectories.rank_correlation(one, -np.where(first < 0, len(other.steps), first))


def _sums(known: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """(clusters, t) how many facts of each are known."""
    sums = np.zeros((clusters.max() + 1, known.shape[1]))
    np.add.at(sums, clusters, known)
    return sums


def _dice(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(t,) of (facts, t) twice."""
    return _share(2.0 * (one & other).sum(axis=0), one.sum(axis=0) + other.sum(axis=0))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
