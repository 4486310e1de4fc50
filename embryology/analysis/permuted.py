"""Whether right answers have anything to do with subjects: more are right than with subjects permuted.

A model that says one thing of all facts of a relation is right about some of them, and where that thing changes facts
seem to come and go. Given any other subject of the relation it would be right as often.
"""

from dataclasses import dataclass

import numpy as np

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
