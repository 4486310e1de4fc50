"""A series of checkpoints, opened once: all that others know of where models come from."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pandas as pd

from embryology.errors import EmbryologyError
from embryology.runs import checkpoints, losses, plugins, steps
from embryology.runs.checkpoints import WEIGHTS, Checkpoint
from embryology.runs.manifest import Manifest
from embryology.runs.paths import RunFolder
from embryology.storage.files import sha256_of

Element = TypeVar("Element")


@dataclass(frozen=True)
class Series:
    """A run, a frozen run, or a folder of checkpoints that somebody else made. :meth:`open` makes it."""

    name: str
    """What tables and figures call it: the folder's name, longer where two series share that."""
    folder: RunFolder
    """Where it lies, and where its measurements go."""
    checkpoints: tuple[Checkpoint, ...]
    """By rising step."""
    manifest: Manifest | None
    """None of checkpoints made by others."""

    @classmethod
    def open(cls, place: str | Path) -> "Series":
        """A run by its name or path, or a folder of ``save_pretrained`` folders whose names say a step.

        The plug-ins that it is measured with are added to the registry.

        Raises:
            EmbryologyError: nothing is there, there are no checkpoints or two of one step, the manifest is damaged
                or of an earlier form, or a plug-in cannot be had (:func:`embryology.runs.plugins.restore`).
        """
        folder = RunFolder.named(place)
        if not folder.root.is_dir():
            raise EmbryologyError(f"there is no run at {folder.root}; `embryology pretrain` makes one")
        plugins.restore(folder)
        if folder.checkpoints.is_dir():
            made = [checkpoints.of_run(path) for path in folder.checkpoints.glob("step-*") if path.is_dir()]
        else:
            record, saved = steps.read(folder.root), [path.parent for path in folder.root.glob(f"*/{WEIGHTS}")]
            made = [checkpoints.of_folder(path, record) for path in saved]
        if not made:
            raise EmbryologyError(f"{folder.root} holds no checkpoints")
        made.sort(key=lambda checkpoint: checkpoint.step)
        for earlier, later in itertools.pairwise(made):
            if earlier.step == later.step:
                raise EmbryologyError(f"{earlier.location} and {later.location} are both {later.unit} {later.step}")
            if earlier.unit != later.unit:
                raise EmbryologyError(
                    f"{earlier.location} says {earlier.unit} and {later.location} says {later.unit}; say the step of "
                    f"each in a file {steps.RECORD} beside them"
                )
        return cls(folder.name, folder, tuple(made), Manifest.read(folder))

    @classmethod
    def open_all(cls, *places: str | Path | Iterable[str | Path]) -> tuple["Series", ...]:
        """Several series in the order given, each folder once; those of one name are told apart by their folders.

        Args:
            places: each one place, or several.

        Raises:
            EmbryologyError: as :meth:`open`.
        """
        one_by_one = [place for some in places for place in ([some] if isinstance(some, str | Path) else some)]
        opened = [cls.open(root) for root in dict.fromkeys(RunFolder.named(place).root for place in one_by_one)]
        names = distinct([series.folder.root for series in opened])
        return tuple(replace(series, name=name) for series, name in zip(opened, names, strict=True))

    @cached_property
    def losses(self) -> pd.DataFrame | None:
        """How training went, with the columns of :data:`embryology.runs.losses.COLUMNS`; None of others' checkpoints.

        Raises:
            EmbryologyError: the file is damaged.
        """
        return losses.read(self.folder) if self.folder.losses.exists() else None

    @property
    def unit(self) -> steps.Unit:
        """What the steps of its checkpoints count; words or tokens read where others' folders say nothing else."""
        return self.checkpoints[0].unit

    @property
    def is_frozen(self) -> bool:
        """Whether its measurements are kept and its checkpoints are not."""
        return self.folder.frozen.exists()

    @property
    def version(self) -> int | None:
        """Of what a batch and a step are (:data:`embryology.presets.VERSION`); None of checkpoints made by others."""
        return self.manifest.version if self.manifest else None

    @property
    def seed(self) -> int | None:
        return self.manifest.outcome.seed if self.manifest else None

    @property
    def recipe(self) -> str | None:
        """A hash of all that its weights depend on but the seed; None where that is not known."""
        if self.manifest is None:
            return None
        outcome = self.manifest.outcome.model_dump(mode="json", exclude={"seed"}, exclude_defaults=True)
        return sha256_of({"version": self.manifest.version} | outcome)

    def select(self, steps: str) -> tuple[Checkpoint, ...]:
        """The checkpoints that ``steps`` names: ``all``, ``last``, or a list such as ``0,100,200``.

        Raises:
            EmbryologyError: a step that is no number or that this series does not have.
        """
        if steps == "all":
            return self.checkpoints
        if steps == "last":
            return self.checkpoints[-1:]
        by_step = {str(checkpoint.step): checkpoint for checkpoint in self.checkpoints}
        wanted = [part.strip() for part in steps.split(",")]
        unknown = [step for step in wanted if step not in by_step]
        if unknown:
            raise EmbryologyError(
                f"{self.name} has no checkpoint at step {', '.join(unknown)}; it has {', '.join(by_step)}"
            )
        return tuple(sorted({by_step[step] for step in wanted}, key=lambda checkpoint: checkpoint.step))


def seed_pairs(series: Sequence[Series]) -> list[tuple[Series, Series]]:
    """Every two that differ by their seed alone, in the order given."""
    return [
        (one, other)
        for one, other in itertools.combinations(series, 2)
        if one.recipe is not None and one.recipe == other.recipe and one.seed != other.seed
    ]


def thinned(elements: Sequence[Element], every: int) -> list[Element]:
    """Every so-many-th, from the first on, and the last."""
    last = len(elements) - 1
    return [element for number, element in enumerate(elements) if number % every == 0 or number == last]


def distinct(folders: Sequence[Path]) -> list[str]:
    """The names of folders, with as many of their parents as tell all apart that share a name."""
    names = [folder.name for folder in folders]
    for depth in range(2, max((len(folder.parts) for folder in folders), default=0) + 1):
        shared = {name for name in names if names.count(name) > 1}
        names = [
            "/".join(folder.parts[-depth:]) if name in shared else name
            for folder, name in zip(folders, names, strict=True)
        ]
    return names
