"""Whether right answers have anything to do with subjects: more are right than with subjects permuted.

A model that says one thing of all facts of a relation is right about some of them, and where that thing changes facts
seem to come and go. Given any other subject of the relation it would be right as often.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from embryology import intervals
from embryology.analysis.trajectories import Trajectories


@dataclass(frozen=True)
class Chance:
    """Right answers at all checkpoints together, against subjects that make no difference."""

    right: float
    expected: float
    p: float
    """One-sided: of as many right answers, were there no difference."""

    @property
    def beyond(self) -> bool:
        return self.p <= 0.025


def permuted(
    paths: Trajectories,
    answers: np.ndarray,
    alone: np.ndarray,
    draws: int = intervals.RESAMPLES,
    seed: int = intervals.SEED,
) -> Chance:
    """Permute the subjects within relations, the same way at all checkpoints, and count right answers again.

    Args:
        paths: facts, whose ``known`` are those whose answer is their object and not what is said without a subject.
        answers: (facts, t) numbers of objects.
        alone: (facts, t) the same without a subject.
    """
    rng, rights = np.random.default_rng(seed), np.zeros(draws)
    objects = paths.facts["object_number"].to_numpy()
    for rows in paths.facts.groupby("group").indices.values():
        told, may = answers[rows], alone[rows] != objects[rows, None]
        if np.isin(told, objects[rows]).any():
            for draw in range(draws):
                shuffled = told[rng.permutation(len(rows))]
                rights[draw] += np.count_nonzero((shuffled == objects[rows, None]) & may)
    right = paths.known.sum()
    return Chance(float(right), float(rights.mean()), float((1 + np.sum(rights >= right)) / (1 + draws)))


def bounded(paths: Trajectories) -> Chance:
    """The same where answers were not kept, but only which were right.

    If answers do not depend on subjects, the facts of an object are right as often as the relation's answers are that
    object, and over objects these shares add up to one at most. So the sum over objects of the share of right facts is
    one a relation at most: ``right`` is that sum over all relations and ``expected`` how many these are. The test is
    of the difference by its standard error over objects.
    """
    counts = np.bincount(paths.clusters)
    shares = np.bincount(paths.clusters, paths.known.mean(axis=1)) / counts
    relation = np.zeros(len(counts), int)
    relation[paths.clusters] = paths.facts.groupby("group").ngroup()
    sizes, sums = np.bincount(relation), np.bincount(relation, shares)
    told = sizes > 1  # of a single object nothing can be told
    away = np.bincount(relation, (shares - (sums / sizes)[relation]) ** 2)
    variance = (away[told] * sizes[told] / (sizes[told] - 1)).sum()
    right, expected = float(sums[told].sum()), float(told.sum())
    p = float(stats.norm.sf((right - expected) / np.sqrt(variance))) if variance > 0 else 1.0
    return Chance(right, expected, p)
