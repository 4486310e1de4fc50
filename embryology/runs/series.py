"""A series of checkpoints, opened once: all that others know of where models come from."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pandas as pd

from embryology.errors import EmbryologyError
from embryology.runs import checkpoints, losses, plugins, steps
from embryology.runs.checkpoints import Checkpoint
from embryology.runs.hub import groups, revisions, tokenizers
from embryology.runs.hub.descriptions import Description
from embryology.runs.manifest import Manifest
from embryology.runs.paths import HUB, RunFolder
from embryology.storage.files import sha256_of

Element = TypeVar("Element")


@dataclass(frozen=True)
class Series:
    """A run, a frozen run, or checkpoints that somebody else made, here or on the Hub. :meth:`open` makes it."""

    name: str
    """What tables and figures call it: the folder's name, longer where two series share that."""
    folder: RunFolder
    """Where it lies, and where its measurements go."""
    checkpoints: tuple[Checkpoint, ...]
    """By rising step."""
    manifest: Manifest | None
    """None of checkpoints made by others."""
    record: steps.Record = field(default_factory=steps.Record)
    """What was said of checkpoints made by others; empty for a run."""

    @classmethod
    def open(
        cls,
        place: str | Path,
        step_pattern: str | None = None,
        tokenizer: str | None = None,
        recipe: str | None = None,
        seed: int | None = None,
    ) -> "Series":
        """A run by its name or path, a folder of ``save_pretrained`` folders whose names say a step, or a description.

        Of a description, in a line or in the ``series.yaml`` of a folder, it is written down what it was resolved to,
        so that it is the same from then on, and needs no network.

        Args:
            place: see :mod:`embryology.runs.hub.descriptions` for descriptions; those of several seeds are for
                :meth:`open_all`.
            step_pattern, tokenizer, recipe, seed: of checkpoints made by others, as in
                :class:`embryology.runs.steps.Record`, which is where they are kept for all commands to come.

        The plug-ins that it is measured with are added to the registry.

        Raises:
            EmbryologyError: nothing is there, there are no checkpoints or two of one step, what is said of it is
                something else than before, the manifest is damaged or of an earlier form, or a plug-in cannot be had
                (:func:`embryology.runs.plugins.restore`).
        """
        folder, description = RunFolder.named(place), str(place) if str(place).startswith(HUB) else None
        if not folder.root.is_dir() and description is None:
            raise EmbryologyError(f"there is no run at {folder.root}; `embryology pretrain` makes one")
        plugins.restore(folder)
        if folder.checkpoints.is_dir():
            if step_pattern or tokenizer:
                raise EmbryologyError(f"{folder.root} is a run, whose own records say its steps and its tokenizer")
            made = [checkpoints.of_run(path) for path in folder.checkpoints.glob("step-*") if path.is_dir()]
            return cls(folder.name, folder, _ordered(made, folder), Manifest.read(folder))
        said = {"step_pattern": step_pattern, "tokenizer": tokenizer, "recipe": recipe, "seed": seed}
        record = steps.joined(folder.root, source=description, **said)
        resolved = None
        if record.source is None:
            saved = [path for path in folder.root.glob("*/") if checkpoints.weight_files_in(path)]
            made = [checkpoints.of_folder(path, record) for path in saved if not steps.is_left_out(path.name, record)]
        else:
            resolved = revisions.read_or_resolve(folder, Description.parse(record.source))
            made = [*revisions.checkpoints_of(folder, resolved, record)]
        ordered = _ordered(made, folder)
        if resolved is not None:
            revisions.keep(folder, resolved)
        tokenizers.keep(folder, ordered, record.tokenizer)
        steps.keep(folder.root, record)
        return cls(folder.name, folder, ordered, Manifest.read(folder), record)

    @classmethod
    def open_all(cls, *places: str | Path | Iterable[str | Path], **said: str | None) -> tuple["Series", ...]:
        """Several series in the order given, each folder once; those of one name are told apart by their folders.

        Args:
            places: each one place, or several; a description of several seeds is a series a seed.
            said: of all of them, as in :meth:`open`.

        Raises:
            EmbryologyError: as :meth:`open`.
        """
        given = [place for some in places for place in ([some] if isinstance(some, str | Path) else some)]
        members = {RunFolder.named(each.place).root: each for place in given for each in groups.members(place)}
        opened = [cls.open(each.place, **said, recipe=each.recipe, seed=each.seed) for each in members.values()]
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
    def leaves_out(self) -> bool:
        """Whether some that were found are none of it, so that what was measured of them counts no more."""
        return bool(self.record.leave_out)

    @property
    def seed(self) -> int | None:
        """Of its training; None where nobody says it."""
        return self.manifest.outcome.seed if self.manifest else self.record.seed

    @property
    def recipe(self) -> str | None:
        """A hash of all that its weights depend on but the seed, or what was said in its place; None if not known."""
        if self.manifest is None:
            return self.record.recipe if self.seed is not None else None
        outcome = self.manifest.outcome.model_dump(mode="json", exclude={"seed"}, exclude_defaults=True)
        return sha256_of({"version": self.manifest.version} | outcome)

    def refuse_repeated(self, chosen: Sequence[Checkpoint]) -> None:
        """Refuse to take two checkpoints of equal weights for two: the name of one is wrong.

        Args:
            chosen: are compared with each other, and with all whose hash is known without reading the weights.

        Raises:
            EmbryologyError: there are such two.
        """
        by_sha256: dict[str, list[Checkpoint]] = {}
        for checkpoint in self.checkpoints:
            if checkpoint.recorded or checkpoint in chosen:
                by_sha256.setdefault(checkpoint.sha256, []).append(checkpoint)
        repeated = [same for same in by_sha256.values() if len(same) > 1]
        if repeated:
            listed = "; ".join(" and ".join(checkpoint.name for checkpoint in same) for same in repeated[:3])
            raise EmbryologyError(
                f"{self.name} has the same weights more than once, so that a step is wrong: {listed}"
                f"{' …' if len(repeated) > 3 else ''}; say `leave_out: [{repeated[0][0].label}, …]` in "
                f"{self.folder.root / steps.RECORD} of those that are wrong"
            )

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


def of_one_recipe(series: Sequence[Series]) -> list[list[Series]]:
    """Those that differ by their seed alone, of each seed the first, in the order given; no series that is alone."""
    groups: dict[str, dict[int | None, Series]] = {}
    for each in series:
        if each.recipe is not None:
            groups.setdefault(each.recipe, {}).setdefault(each.seed, each)
    return [list(group.values()) for group in groups.values() if len(group) > 1]


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


def _ordered(made: list[Checkpoint], folder: RunFolder) -> tuple[Checkpoint, ...]:
    """By rising step.

    Raises:
        EmbryologyError: there are none, or their steps cannot be compared.
    """
    if not made:
        raise EmbryologyError(f"{folder.root} holds no checkpoints")
    made.sort(key=lambda checkpoint: checkpoint.step)
    refuse_other_counts(folder, [(checkpoint.name, checkpoint.unit, checkpoint.phase) for checkpoint in made])
    for earlier, later in itertools.pairwise(made):
        if earlier.step == later.step:
            raise EmbryologyError(f"{earlier.name} and {later.name} are both {later.unit} {later.step}")
    return tuple(made)


def refuse_other_counts(folder: RunFolder, counted: Sequence[tuple[str, steps.Unit, str]]) -> None:
    """Refuse checkpoints whose steps cannot be compared.

    Args:
        folder: of their series.
        counted: of each its name, what its step counts, and the phase from whose beginning.

    Raises:
        EmbryologyError: they count different things, or from different beginnings.
    """
    if len(phases := sorted({phase for _, _, phase in counted})) > 1:
        begin = ", ".join(f"{phase}: …" for phase in phases if phase)
        raise EmbryologyError(
            f"{folder.name} has checkpoints of several phases of training ({', '.join(phases).removeprefix(', ')}), "
            "which may count their steps from the beginning of the phase; name those of one phase, or say in "
            f"{folder.root / steps.RECORD} at which step each begins: `phases: {{{begin}}}`"
        )
    for (earlier, unit, _), (later, other, _) in itertools.pairwise(counted):
        if unit != other:
            raise EmbryologyError(
                f"{earlier} says {unit} and {later} says {other}; say the step of each in a file {steps.RECORD} beside "
                "them"
            )


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
