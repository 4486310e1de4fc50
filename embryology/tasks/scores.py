"""The official metrics of the tasks, by name."""

import warnings
from collections.abc import Callable

import numpy as np
from scipy import stats


def _correlation(of: Callable) -> Callable[[np.ndarray, np.ndarray], float]:
    def score(gold: np.ndarray, predicted: np.ndarray) -> float:
        with warnings.catch_warnings(action="ignore", category=stats.ConstantInputWarning):
            found = of(gold, predicted).statistic
        return float(np.nan_to_num(found))  # a constant tells nothing

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
    "pearson": _correlation(stats.pearsonr),
    "spearman": _correlation(stats.spearmanr),
}
"""(gold, predicted), (n,) each, to a number; classes are numbers and F1 is that of class 1. Predictions that are all
alike have Matthews, Pearson and Spearman correlations of 0."""
