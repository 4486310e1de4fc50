"""Every path of a run folder, and where runs and data are looked for."""

import os
from dataclasses import dataclass
from pathlib import Path

from embryology.errors import EmbryologyError

ROOT = Path(__file__).resolve().parent.parent.parent
"""The project's folder: notebooks, book and published results stand beside the package."""

PARTS = "parts"
"""The folder of a probe's parts of measurements."""


def runs_folder() -> Path:
    """Where runs live: ``EMBRYOLOGY_RUNS``, else ``runs/`` in the project's folder."""
    return Path(os.environ.get("EMBRYOLOGY_RUNS") or ROOT / "runs")


def data_folder() -> Path | None:
    """The optional folder of gold data that ``EMBRYOLOGY_DATA`` names, or None where it is not set.

    Raises:
        EmbryologyError: the variable names something that is no folder.
    """
    value = os.environ.get("EMBRYOLOGY_DATA")
    if not value:
        return None
    folder = Path(value).expanduser().resolve()
    if not folder.is_dir():
        raise EmbryologyError(f"EMBRYOLOGY_DATA is {value}, which is not a folder; fix it or unset it")
    return folder


@dataclass(frozen=True)
class RunFolder:
    """The layout of one run; every other module asks here rather than joining names itself."""

    root: Path

    @classmethod
    def named(cls, name: str | Path) -> "RunFolder":
        """A run by its name under the runs folder, or by a path (anything with a separator in it).

        A path that is not there from the current folder may be meant from the project's:
        ``results/baby-cut-seed0`` is one run wherever it is asked for, in a notebook too.
        """
        text = os.fspath(name)
        if not text or text in {".", ".."}:
            raise EmbryologyError(f"{text!r} is no name for a run")
        if not (os.sep in text or isinstance(name, Path)):
            return cls(runs_folder().resolve() / text)
        path = Path(text).expanduser().resolve()
        return cls(ROOT / text if not path.exists() and (ROOT / text).is_dir() else path)

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def manifest(self) -> Path:
        return self.root / "run.yaml"

    @property
    def corpus(self) -> Path:
        return self.root / "corpus.json"

    @property
    def tokenizer(self) -> Path:
        return self.root / "tokenizer"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step-{step:08d}"

    @property
    def losses(self) -> Path:
        return self.root / "losses.parquet"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def lock(self) -> Path:
        return self.root / ".lock"

    @property
    def measurements(self) -> Path:
        return self.root / "measurements"

    @property
    def standing(self) -> Path:
        """The record of which measurements count, see :mod:`embryology.runs.measurements`."""
        return self.measurements / "standing.json"

    def failure(self, probe: str, step: int) -> Path:
        """What Python said where a probe could not measure a checkpoint."""
        return self.measurements / "failures" / f"{probe}-step-{step:08d}.log"

    def part(self, probe: str, key: str, table: str) -> Path:
        """A part of a measurement, ``rows`` or ``items``: kept, so that it is never made again."""
        return self.measurements / probe / PARTS / f"{key[:16]}.{table}.parquet"

    @property
    def frozen(self) -> Path:
        """There where only measurements are kept of a run: how it was frozen, and what was left out."""
        return self.root / "frozen.yaml"
