"""Tasks that models are fine-tuned for: sentences or pairs of them with a label, and questions on paragraphs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Example:
    """A sentence, or a pair of them, and what is to be said of it."""

    id: str
    first: str
    second: str | None
    label: float
    """The number of a class, or a score."""


@dataclass
class Split:
    """The examples of one file, and what was not read of it."""

    examples: list[Example]
    part: bool = False
    """Whether the file is only a part of the task's split and says so in its name."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Malformed lines, by reason."""


@dataclass(frozen=True)
class Task:
    """A task with its data read."""

    name: str
    label: str
    """For figures."""
    classes: tuple[str, ...]
    """Empty where a score is to be told."""
    metrics: tuple[str, ...]
    """Of :data:`embryology.tasks.scores.METRICS`; a task's score is their mean, over all of ``dev``."""
    train: Split | None
    """None where there is none: then the task is not run."""
    dev: dict[str, Split]
    """By name: ``dev``, or ``matched`` and ``mismatched``."""
    every_piece_counts: bool = False
    """Whether a symbol that a tokenizer does not know makes right and wrong examples the same."""


def drawn(examples: Sequence[T], most: int | None, seed: int) -> list[T]:
    """At most ``most`` examples, drawn evenly and left in their order; None takes all."""
    if not most or most >= len(examples):
        return list(examples)
    return [examples[i] for i in np.sort(np.random.default_rng(seed).permutation(len(examples))[:most])]
