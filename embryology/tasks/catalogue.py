"""The tasks by name, of this package and of plug-ins, and how they are counted."""

import math
import numbers
from functools import partial
from typing import Any

from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.specs import registry
from embryology.specs.sources import Data, Source, chosen, differences, named, refuse
from embryology.tasks import Split, Task, glue, programs, scores, squad, topics

OWN = (*glue.SOURCES, *squad.SOURCES, *programs.SOURCES, topics.SOURCE)


def sources() -> dict[str, Source]:
    """The tasks by name, whether their data are there or not."""
    return registry.sources("task", OWN)


def find(name: str) -> Task:
    """A task of labels by its name, read: one of GLUE's, the same with ``hub:`` before it, ``topic``, one
    made by program (:mod:`embryology.tasks.programs`), or a plug-in's.

    Raises:
        EmbryologyError: there is no such task, its data are not there, or they are malformed, or a plug-in has made
            none, or asks for metrics that cannot be computed of it.
    """
    if named(sources(), name) in squad.SOURCES:
        raise EmbryologyError(
            f"the task {squad.NAME!r} asks for places in a text, not for labels: models are fine-tuned for it"
        )
    return _read(chosen(sources(), name))


def _read(data: Data, skip_bad: bool = False) -> Task:
    task = data.read(skip_bad)
    if not isinstance(task, Task):
        raise EmbryologyError(f"the task {data.name!r} of a plug-in is no Task of embryology.tasks")
    if reason := scores.refusal(task) or _misfit(task):
        raise EmbryologyError(f"the task {data.name!r} of a plug-in {reason}")
    return task


def _splits(task: Task) -> dict[str, Split]:
    return ({"train": task.train} if task.train else {}) | task.dev


def _misfit(task: Task) -> str | None:
    """What of a task's examples cannot be trained for or scored, as a clause; None where all can."""
    allowed = f"0 to {len(task.classes) - 1}, the places of its classes" if task.classes else "finite numbers"
    for name, split in _splits(task).items():
        if not split.examples:
            return f"has no examples in {name}"
        for example in split.examples:
            label = example.label
            is_number = isinstance(label, numbers.Real) and math.isfinite(label)
            if not is_number or (task.classes and label not in range(len(task.classes))):
                return f"has the label {label!r} at example {example.id!r} of {name}; labels are {allowed}"
    return None if task.dev else "has no development set"


def trainable() -> list[str]:
    """GLUE's tasks and SQuAD, those whose whole train and development sets are there, in the paper's order."""
    whole = glue.whole()
    return [*whole, squad.NAME] if {"train", "dev"} <= squad.files().keys() else whole


def identity(name: str) -> dict[str, Any]:
    """What a task's examples depend on: hashes of its files, or versions; cheap."""
    return dict(chosen(sources(), name).identity())


def check(console: Console, skip_bad: bool = False) -> None:
    """Print the counts of all tasks that are there.

    Raises:
        EmbryologyError: a file is malformed, or a known count does not hold.
    """
    say = partial(console.print, highlight=False, soft_wrap=True, markup=False)
    wrong = []
    for name, source in sources().items():
        if source.takes or source in squad.SOURCES:
            continue
        try:
            data = source.find(name, "")
        except EmbryologyError as error:
            say(str(error))
            continue
        task = _read(data, skip_bad)
        splits = _splits(task)
        parts = [
            f"{split_name} {len(split.examples):,}{' (a part)' if split.part else ''}"
            for split_name, split in splits.items()
        ]
        parts += [] if task.train else ["no train set, not run"]
        say(f"{name}: {', '.join(parts)}")
        for split_name, split in splits.items():
            if not split.part and not split.skipped:
                wrong += differences(source, split_name, {"examples": len(split.examples)})
    for part, path in squad.files().items():
        questions = squad.read(path)
        unanswerable = sum(not question.answers for question in questions)
        ours = {"questions": len(questions), "without an answer": unanswerable}
        say(f"{squad.NAME} {part}: {', '.join(f'{count:,} {what}' for what, count in ours.items())}")
        wrong += differences(squad.SOURCES[0], part, ours)
    refuse(wrong)
