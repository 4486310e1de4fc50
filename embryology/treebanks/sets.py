"""What a split of a set of edges is, and where those that people annotated lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.specs.sources import Data
from embryology.storage.files import sha256_of, sha256_of_file
from embryology.treebanks import Reading

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class EdgeSet(Data):
    """A split of a set that is there, not yet read."""

    split: str
    tasks: tuple[str, ...]
    """All that its sentences are annotated with, of ``embryology.treebanks.TASKS``."""

    def read(self, skip_bad: bool = False) -> Reading:
        """The sentences; ``skip_bad`` leaves malformed ones out and counts them.

        Raises:
            EmbryologyError: a file is malformed, or there is no edge of one of the tasks.
        """
        reading: Reading = self.reader(skip_bad)
        edges = reading.edges()
        for task in self.tasks:
            if not edges[task]:
                skipped = f" ({reading.skipped.total()} sentences were skipped)" if reading.skipped else ""
                raise EmbryologyError(
                    f"the set {self.name!r} {self.split!r} holds no edges of the task {task!r}{skipped}"
                )
        return reading


def folder(name: str, place: str, what: str) -> Path:
    """The folder of a set below the data folder.

    Raises:
        EmbryologyError: it is not there; ``what`` says what it holds.
    """
    data = data_folder()
    if data is None or not (data / place).is_dir():
        raise missing(name, place, what)
    return data / place


def missing(name: str, place: str, what: str) -> EmbryologyError:
    """That a set is not there."""
    return EmbryologyError(
        f"the edge set {name!r} is not there: set EMBRYOLOGY_DATA to a folder that holds {place}, with {what}"
    )


def hashes(files: Sequence[Path]) -> dict[str, str]:
    """What a set of these files, in this order, is known by."""
    of_files = [sha256_of_file(file) for file in files]
    return {"files": of_files[0] if len(of_files) == 1 else sha256_of(of_files)}


def counts(names: Sequence[str], by_split: dict[str, tuple[int, ...]]) -> dict[str, dict[str, int]]:
    """Known counts by split and name."""
    return {split: dict(zip(names, row, strict=True)) for split, row in by_split.items()}
