"""Every path of a run folder, and where runs and data are looked for."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from embryology.errors import EmbryologyError

PACKAGE = Path(__file__).resolve().parents[1]
STUDIES = PACKAGE / "studies"
"""Numbers that come with the package: curves read off the paper's figures, and studies that were made once."""

ROOT = PACKAGE.parent if (PACKAGE.parent / "notebooks" / "index.ipynb").is_file() else None
"""The project's folder: notebooks, book and frozen runs stand beside the package. None where the package is installed
without them, as from a wheel."""

HUB = "hub:"
"""What the description of a series on the Hub begins with, see :mod:`embryology.runs.hub.descriptions`."""
PARTS = "parts"
"""The folder of a probe's parts of measurements."""


def project_folder() -> Path:
    """The project's folder, for what cannot be done without it.

    Raises:
        EmbryologyError: the package is installed without it.
    """
    if ROOT is None:
        raise EmbryologyError(
            "this needs the project's folder with its notebooks and its book, and embryology is installed without it; "
            "get the repository, and run `pip install -e .` in it"
        )
    return ROOT


def home() -> Path:
    """The folder with ``runs/`` and ``results/``: the project's, wherever one is; else the current one."""
    return ROOT or Path.cwd()


def runs_folder() -> Path:
    """Where runs live: ``EMBRYOLOGY_RUNS``, else ``runs/`` in :func:`home`."""
    return Path(os.environ.get("EMBRYOLOGY_RUNS") or home() / "runs")


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

        A description of a series on the Hub names a folder under the runs folder, which holds what is measured of it:
        ``hub:OWNER/NAME@step*`` that of ``OWNER-NAME-step``.

        A path that is not there from the current folder may be meant from the project's:
        ``results/baby-cut-seed0`` is one run wherever it is asked for, in a notebook too.
        """
        text = os.fspath(name)
        if not text or text in {".", ".."}:
            raise EmbryologyError(f"{text!r} is no name for a run")
        if text.startswith(HUB):
            words = re.sub(r"(\{\w+\}|[^\w.])+", "-", text.removeprefix(HUB)).replace("_-", "_")
            return cls(runs_folder().resolve() / (words.strip("-._") or "hub"))
        if not (os.sep in text or isinstance(name, Path)):
            return cls(runs_folder().resolve() / text)
        path = Path(text).expanduser().resolve()
        return cls(home() / text if not path.exists() and (home() / text).is_dir() else path)

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

    def standing_of(self, probe: str) -> Path:
        """The same of one probe, which counts for more: many jobs write to a run, and none waits for another."""
        return self.measurements / probe / self.standing.name

    @property
    def plugins(self) -> Path:
        """Where the plug-ins lie that it is measured with, see :mod:`embryology.runs.plugins`."""
        return self.measurements / "plugins.json"

    @property
    def audit(self) -> Path:
        """What :mod:`embryology.runs.audit` found."""
        return self.measurements / "audit.json"

    def failure(self, probe: str, step: int) -> Path:
        """What Python said where a probe could not measure a checkpoint."""
        return self.measurements / "failures" / f"{probe}-step-{step:08d}.log"

    def part(self, probe: str, key: str, table: str) -> Path:
        """A part of a measurement, ``rows`` or ``items``: kept, so that it is never made again."""
        return self.measurements / probe / PARTS / f"{key[:16]}.{table}.parquet"

    @property
    def packed(self) -> Path:
        """The weights that are kept of a frozen run, see :mod:`embryology.runs.packed`."""
        return self.root / "weights"

    @property
    def frozen(self) -> Path:
        """There where only measurements are kept of a run: how it was frozen, and what was left out."""
        return self.root / "frozen.yaml"
