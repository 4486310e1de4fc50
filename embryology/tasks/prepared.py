"""A task's examples as a model reads them, drawn once for all checkpoints and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from embryology.errors import EmbryologyError
from embryology.tasks import Example, Task, baselines, catalogue, drawn, squad
from embryology.tasks.hub import PREFIX

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.models.finetuning import Inputs


@dataclass(frozen=True)
class Prepared:
    task: Task
    examples: list[Example]
    """Of training."""
    train: Inputs
    labels: np.ndarray
    """(training examples,) int64 classes, or float32 scores."""
    dev: dict[str, tuple[Inputs, list[Example]]]
    label: str
    """For figures: which task, and how much of its train set."""
    baselines: list[dict]
    """Rows of measurements that depend on no checkpoint."""


def chosen(tasks: Sequence[str] | Literal["auto"], spans: bool) -> tuple[str, ...]:
    """The names of tasks.

    ``auto`` takes those of GLUE whose train sets are there, without WNLI as in the paper, and SQuAD if ``spans`` can be
    told; else ``topic``.

    Raises:
        EmbryologyError: a name is unknown.
    """
    if tasks == "auto":
        left_out = {"WNLI"} if spans else {"WNLI", squad.NAME}
        return tuple(name for name in catalogue.trainable() if name not in left_out) or ("topic",)
    for name in tasks:
        catalogue.identity(name)  # says what is wrong
    return tuple(tasks)


def texts(names: Sequence[str]) -> pd.DataFrame:
    """The development examples of tasks: ``task``, ``item_id`` as in tables of items, ``text`` and an empty ``word``.

    The two parts of a pair stand on a line each.
    """
    rows = []
    for name in names:
        if name.removeprefix(PREFIX) == squad.NAME:
            data = squad.from_hub() if name.startswith(PREFIX) else squad.find()
            rows += [
                (squad.NAME, f"{squad.NAME}:dev:{asked.id}", f"{asked.question}\n{asked.context}") for asked in data.dev
            ]
        else:
            task = catalogue.find(name)
            rows += [
                (task.name, f"{task.name}:{dev}:{example.id}", "\n".join(filter(None, (example.first, example.second))))
                for dev, split in task.dev.items()
                for example in split.examples
            ]
    return pd.DataFrame(rows, columns=["task", "item_id", "text"]).assign(word="")


def read(name: str, most: int | None, seed: int, tokenizer: PreTrainedTokenizerFast, longest: int) -> Prepared:
    """Read a task, draw at most ``most`` of its training examples evenly, and tokenise them.

    Raises:
        EmbryologyError: its data are malformed or not there, it has no train set, or the tokenizer lacks pieces.
    """
    task = catalogue.find(name)
    if task.train is None:
        raise EmbryologyError(f"the task {name!r} has no train set here, so that nothing can be trained for it")
    examples = drawn(task.train.examples, most, seed)
    train = _read(examples, tokenizer, longest)
    if task.every_piece_counts and any(tokenizer.unk_token_id in ids for ids in train.ids):
        raise EmbryologyError(f"the task {name!r} has symbols for which the tokenizer has no piece; leave it out")
    if task.every_piece_counts and max(map(len, train.ids)) == longest:
        raise EmbryologyError(f"the task {name!r} has sequences of more than {longest} pieces; raise max_length")
    return Prepared(
        task,
        examples,
        train,
        np.array([example.label for example in examples], np.int64 if task.classes else np.float32),
        {dev: (_read(split.examples, tokenizer, longest), split.examples) for dev, split in task.dev.items()},
        f"{task.label}, {len(examples):,} of {len(task.train.examples):,} training examples",
        baselines.rows(task, examples),
    )


def _read(examples: list[Example], tokenizer: PreTrainedTokenizerFast, longest: int) -> Inputs:
    from embryology.models.finetuning import inputs  # late: it loads torch

    firsts, seconds = ([getattr(example, side) for example in examples] for side in ("first", "second"))
    return inputs(tokenizer, firsts, seconds, longest)
