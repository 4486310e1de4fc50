"""A series of checkpoints: all that probes, analysis and report know of where models come from."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embryology.errors import EmbryologyError
from embryology.runs.paths import RunFolder
from embryology.storage.files import read_json, sha256_of_file, write_json, written_whole

WEIGHTS = "model.safetensors"
MANIFEST = "checkpoint.json"


@dataclass(frozen=True)
class Checkpoint:
    """One model of a series: a folder in the layout of ``save_pretrained``."""

    step: int
    tokens: int | None
    location: Path
    sha256: str
    """Of ``model.safetensors``, as recorded when the checkpoint was written."""

    def verify(self) -> None:
        """Raise :class:`EmbryologyError` where the weights are not the bytes that were written."""
        weights = self.location / WEIGHTS
        if not weights.is_file():
            raise EmbryologyError(f"{self.location} has no {WEIGHTS}; the checkpoint is damaged, train the run again")
        if sha256_of_file(weights) != self.sha256:
            raise EmbryologyError(
                f"{weights} was changed after it was written (its sha256 is not the one in {MANIFEST}); "
                "restore it or train the run again"
            )


def write(path: Path, models: Mapping[str, Any], tokenizer: Any, facts: dict) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the folder to make.
        models: ``model`` is written into the folder itself, any other (ELECTRA's ``generator``) into a
            folder of its name in there, all in the layout of ``save_pretrained``.
        tokenizer: of the models.
        facts: of the checkpoint; hashes of the weights are added.
    """
    with written_whole(path) as temporary:
        hashes = {}
        for name, model in models.items():
            place = temporary if name == "model" else temporary / name
            model.save_pretrained(place)
            tokenizer.save_pretrained(place)
            hashes["sha256" if name == "model" else f"{name}_sha256"] = sha256_of_file(place / WEIGHTS)
        write_json(temporary / MANIFEST, facts | hashes)


@dataclass(frozen=True)
class Series:
    """A name and its checkpoints, ordered by step. ``folder`` takes the measurements."""

    name: str
    folder: RunFolder
    checkpoints: tuple[Checkpoint, ...]

    @classmethod
    def open(cls, run: str | Path) -> "Series":
        """The checkpoints of a run, or of a folder of ``save_pretrained`` folders whose names end in a step.

        Raises:
            EmbryologyError: nothing there, no checkpoints, or two of one step.
        """
        folder = RunFolder.named(run)
        if folder.checkpoints.is_dir():
            found = [_from_manifest(path) for path in folder.checkpoints.glob("step-*") if path.is_dir()]
        elif folder.root.is_dir():
            found = [_from_name(path) for path in folder.root.iterdir() if (path / WEIGHTS).is_file()]
        else:
            raise EmbryologyError(f"there is no run at {folder.root}; `embryology pretrain` makes one")
        if not found:
            raise EmbryologyError(f"{folder.root} holds no checkpoints")
        found.sort(key=lambda checkpoint: checkpoint.step)
        for earlier, later in itertools.pairwise(found):
            if earlier.step == later.step:
                raise EmbryologyError(f"{earlier.location} and {later.location} are both step {later.step}")
        return cls(folder.name, folder, tuple(found))

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


def thinned(checkpoints: Sequence, every: int) -> list:
    """Every so-many-th, from the first on, and the last."""
    last = len(checkpoints) - 1
    return [one for number, one in enumerate(checkpoints) if number % every == 0 or number == last]


def _from_manifest(path: Path) -> Checkpoint:
    manifest = read_json(path / MANIFEST)
    try:
        return Checkpoint(manifest["step"], manifest["tokens"], path, manifest["sha256"])
    except (KeyError, TypeError) as error:
        raise EmbryologyError(f"{path / MANIFEST} lacks {error}; the checkpoint is damaged") from error


def _from_name(path: Path) -> Checkpoint:
    number = re.search(r"(\d+)\D*$", path.name)
    if number is None:
        raise EmbryologyError(f"{path} does not end in a step, such as checkpoint-1000; rename it")
    return Checkpoint(int(number[1]), None, path, sha256_of_file(path / WEIGHTS))
