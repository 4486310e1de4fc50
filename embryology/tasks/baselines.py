"""What a task gives to those who read nothing, and to a linear model of words."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from embryology.specs.downstream import MAJORITY, TF_IDF
from embryology.tasks import Example, Task, scores
from embryology.tasks.scores import Rows


def rows(task: Task, train: Sequence[Example]) -> Rows:
    """Rows of metrics of both baselines, trained on ``train`` and scored on all of the task's development sets."""
    rows_of_all = []
    answers = {MAJORITY: _majority(task, train), TF_IDF: _tf_idf(task, train)}
    for name, by_set in answers.items():
        rows_of_baseline = []
        for (dev, split), predicted in zip(task.dev.items(), by_set, strict=True):
            gold = np.array([example.label for example in split.examples])
            rows_of_baseline += scores.rows(task, dev if len(task.dev) > 1 else "", gold, predicted, name)
        rows_of_all += rows_of_baseline
        if len(task.dev) > 1:
            rows_of_all += scores.over_sets(rows_of_baseline)
    return rows_of_all


def _majority(task: Task, train: Sequence[Example]) -> list[np.ndarray]:
    """The most frequent class everywhere, or the mean score."""
    labels = np.array([example.label for example in train])
    answer = np.bincount(labels.astype(int)).argmax() if task.classes else labels.mean()
    return [np.full(len(split.examples), answer) for split in task.dev.values()]


def _tf_idf(task: Task, train: Sequence[Example]) -> list[np.ndarray]:
    """Logistic (or ridge) regression on tf-idf of words and pairs of words; of two sentences also their product."""
    if task.classes and len({example.label for example in train}) == 1:
        return _majority(task, train)
    return _regression(bool(task.classes), tuple(train), tuple(tuple(split.examples) for split in task.dev.values()))


@lru_cache(maxsize=8)  # two probes ask for the same of each task, and it takes seconds
def _regression(classes: bool, train: tuple[Example, ...], devs: tuple[tuple[Example, ...], ...]) -> list[np.ndarray]:
    from scipy import sparse  # late, both: a second
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[^\w\s]")
    vectorizer.fit([text for example in train for text in (example.first, example.second) if text is not None])

    def features(examples: Sequence[Example]) -> "sparse.csr_matrix":
        first = vectorizer.transform([example.first for example in examples])
        if examples[0].second is None:
            return first
        second = vectorizer.transform([example.second or "" for example in examples])
        return sparse.hstack([first, second, first.multiply(second)]).tocsr()

    model = LogisticRegression(C=10, max_iter=1000) if classes else Ridge()
    model.fit(features(train), np.array([example.label for example in train]))
    return [model.predict(features(dev)) for dev in devs]
