"""The cheap sibling of fine-tuning: a linear model on the frozen checkpoint's mean vectors, on the same tasks.

A sentence is the mean of the last layer's vectors of its pieces; of a pair the model reads ``u``, ``v``, ``|u - v|``
and ``u * v``, as in SentEval (Conneau and Kiela 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology.models.alignment import longest_input
from embryology.models.precision import resolve
from embryology.probes import WHOLE, Probe
from embryology.runs.series import Series
from embryology.specs.downstream import FROZEN_SPECIFICATION, FrozenSettings
from embryology.tasks import Example, catalogue, prepared, scores
from embryology.tasks.prepared import Prepared

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from transformers import PreTrainedTokenizerFast

    from embryology.models.encoder import Encoder

AT_ONCE = 2000
"""Sentences whose vectors are held at once."""


@dataclass(frozen=True)
class Examples:
    settings: FrozenSettings
    tasks: dict[str, Prepared]
    sentences: dict[str, list[int]]
    """Ids of every sentence of all tasks, by its text: each is read once."""
    special: tuple[int, int]
    """How many special pieces the tokenizer sets before a sentence and after it."""


class FrozenProbe(Probe):
    specification = FROZEN_SPECIFICATION

    def inputs(self, settings: FrozenSettings, series: Series) -> dict[str, Any]:
        identities = {name: catalogue.identity(name) for name in prepared.chosen(settings.tasks, spans=False)}
        return {"tasks": identities, "precision": resolve(settings.precision)}

    def prepare(self, settings: FrozenSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        longest = min(settings.max_length, longest_input(tokenizer, series.checkpoints[0].location))
        tasks = {
            name: prepared.read(name, settings.train, settings.seed, tokenizer, longest)
            for name in prepared.chosen(settings.tasks, spans=False)
        }
        texts = {text: None for data in tasks.values() for example in _examples(data) for text in _texts(example)}
        ids = tokenizer(list(texts), truncation=True, max_length=longest)["input_ids"]
        ids = [pieces or [tokenizer.unk_token_id or 0] for pieces in ids]  # nothing of an empty sentence, by some
        mask = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
        special = mask.index(0), mask[::-1].index(0)
        return Examples(settings, tasks, dict(zip(texts, ids, strict=True)), special)

    def texts(self, settings: FrozenSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> pd.DataFrame:
        return prepared.texts(prepared.chosen(settings.tasks, spans=False))

    def measure(self, encoder: Encoder, examples: Examples, part: str = WHOLE) -> tuple[list[dict[str, Any]], None]:
        """As fine-tuning: the task's metrics and their mean, ``score``, with a bootstrap over items, and baselines."""
        vectors = _means(encoder, examples)
        rows = []
        for data in examples.tasks.values():
            task_rows = []
            model = _fitted(_features(data.examples, vectors), data)
            for dev, (_, dev_examples) in data.dev.items():
                gold = np.array([example.label for example in dev_examples])
                predicted = model.predict(_features(dev_examples, vectors))
                task_rows += scores.rows(data.task, dev if len(data.dev) > 1 else "", gold, predicted)
            rows += task_rows + (scores.over_sets(task_rows) if len(data.dev) > 1 else []) + data.baselines
        return [each | {"seed": examples.settings.seed} for each in rows], None


def _examples(data: Prepared) -> list[Example]:
    return data.examples + [example for _, dev_examples in data.dev.values() for example in dev_examples]


def _texts(example: Example) -> tuple[str, ...]:
    return (example.first,) if example.second is None else (example.first, example.second)


def _means(encoder: Encoder, examples: Examples) -> dict[str, np.ndarray]:
    """The mean vector of each sentence's pieces, special ones apart, in the last layer; by its text."""
    from embryology.models import linear

    by_text: dict[str, np.ndarray] = {}
    before, after = examples.special
    sentences = list(examples.sentences.items())
    for first in range(0, len(sentences), AT_ONCE):
        some = sentences[first : first + AT_ONCE]
        last = encoder.hidden_states([ids for _, ids in some], examples.settings.precision)[-1:]
        ends = np.cumsum([len(ids) for _, ids in some])
        starts = ends - [len(ids) for _, ids in some]
        firsts = np.minimum(starts + before, ends - 1)
        inner = np.stack([firsts, np.maximum(ends - after, firsts + 1)], axis=1)  # an empty sentence is its separator
        means = linear.span_means(last, [inner])[0].float().numpy()
        by_text |= {text: mean for (text, _), mean in zip(some, means, strict=True)}
    return by_text


def _features(some: list[Example], vectors: dict[str, np.ndarray]) -> np.ndarray:
    first = np.stack([vectors[example.first] for example in some])
    if some[0].second is None:
        return first
    second = np.stack([vectors[example.second] for example in some if example.second is not None])
    return np.concatenate([first, second, np.abs(first - second), first * second], axis=1)


def _fitted(features: np.ndarray, data: Prepared) -> Pipeline:
    from sklearn.linear_model import LogisticRegression, Ridge  # late: a second
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    last = LogisticRegression(C=0.1, max_iter=500) if data.task.classes else Ridge(alpha=100.0)
    return make_pipeline(StandardScaler(), last).fit(features, data.labels)
