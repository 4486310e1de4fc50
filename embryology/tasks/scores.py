"""The official metrics of the tasks, by name."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from embryology import intervals
from embryology.runs.measurements import row
from embryology.specs.downstream import SCORE
from embryology.tasks import Task


def _from_scipy(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    def score(gold: np.ndarray, predicted: np.ndarray) -> float:
        from scipy import stats  # late: half a second

        with warnings.catch_warnings(action="ignore", category=stats.ConstantInputWarning):
            correlation = getattr(stats, name)(gold, predicted).statistic
        return float(np.nan_to_num(correlation))  # a constant tells nothing

    return score


def _from_sklearn(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    def score(gold: np.ndarray, predicted: np.ndarray) -> float:
        from sklearn import metrics  # late: a second

        options = {"zero_division": 0} if name == "f1_score" else {}
        return float(getattr(metrics, name)(gold, predicted, **options))

    return score


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": _from_sklearn("accuracy_score"),
    "f1": _from_sklearn("f1_score"),
    "matthews": _from_sklearn("matthews_corrcoef"),
    "pearson": _from_scipy("pearsonr"),
    "spearman": _from_scipy("spearmanr"),
}
"""(gold, predicted), (n,) each, to a number; classes are numbers and F1 is that of class 1. Predictions that are all
alike have Matthews, Pearson and Spearman correlations of 0."""

OF_SCORES = ("pearson", "spearman")
"""Those of tasks without classes; the others are of classes."""

Rows = list[dict[str, Any]]
"""Of :func:`embryology.runs.measurements.row`."""


def refusal(task: Task) -> str | None:
    """Why the metrics of a task, a plug-in's say, cannot be computed, as a clause; None where they can."""
    known = [name for name in METRICS if (name in OF_SCORES) != bool(task.classes)]
    if len(task.classes) > 2:
        known.remove("f1")  # it has no one class to be of
    if task.metrics and set(task.metrics) <= set(known):
        return None
    asked, of = ", ".join(task.metrics) or "none", f"{len(task.classes)} classes" if task.classes else "scores"
    return f"asks for the metrics {asked}; choose of those of {of}: {', '.join(known)}"


def rows(task: Task, dev: str, gold: np.ndarray, predicted: np.ndarray, baseline: str | None = None) -> Rows:
    """A row for each of a task's metrics and for :data:`SCORE`, with 95% bootstrap intervals over items.

    Args:
        task: whose metrics.
        dev: the development set, where there are several; else empty.
        gold, predicted: (items,) classes or scores.
        baseline: whose answers these are; None for the model's.
    """
    picks = np.random.default_rng(intervals.SEED).integers(0, len(gold), (intervals.RESAMPLES, len(gold)))
    values = [METRICS[metric](gold, predicted) for metric in task.metrics]
    draws = np.stack([_resampled(metric, gold, predicted, picks) for metric in task.metrics], axis=1)
    return _rows(task.name, dev, task.metrics, values, draws, len(gold), baseline)


def _resampled(metric: str, gold: np.ndarray, predicted: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """(draws,) of items ``picks`` (draws, items)."""
    if metric == "accuracy":  # the same number as sklearn's, which takes a second for a thousand
        means: np.ndarray = (gold == predicted)[picks].mean(axis=1)
        return means
    return np.array([METRICS[metric](gold[pick], predicted[pick]) for pick in picks])


def means(task: str, metrics: Sequence[str], by_item: np.ndarray, baseline: str | None = None) -> Rows:
    """:func:`rows` of metrics that are means over items, (items, metrics)."""
    draws = intervals.resamples(len(by_item), seed=intervals.SEED) @ by_item / len(by_item)
    return _rows(task, "", metrics, by_item.mean(axis=0).tolist(), draws, len(by_item), baseline)


def _rows(
    task: str, dev: str, metrics: Sequence[str], values: list[float], draws: np.ndarray, n: int, baseline: str | None
) -> Rows:
    named = [*zip(metrics, values, draws.T, strict=True), (SCORE, float(np.mean(values)), draws.mean(axis=1))]
    return [
        row(task, dev, metric, value, intervals.percentile_interval(of_resamples), n, baseline=baseline)
        for metric, value, of_resamples in named
    ]


def over_sets(rows: Rows) -> Rows:
    """The mean over a task's development sets of each metric, and of the ends of its intervals."""
    metrics = dict.fromkeys((row["metric"], row["baseline"]) for row in rows if row["low"] is not None)
    mean_rows = []
    for metric, baseline in metrics:
        of_sets = [row for row in rows if (row["metric"], row["baseline"]) == (metric, baseline)]
        means = {end: float(np.mean([row[end] for row in of_sets])) for end in ("value", "low", "high")}
        mean_rows.append(of_sets[0] | means | {"group": "", "n": sum(row["n"] for row in of_sets)})
    return mean_rows
