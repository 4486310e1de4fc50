"""``run.yaml``: what is needed to repeat a run, and the guard against resuming another one."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from embryology import __version__, presets
from embryology.errors import EmbryologyError, problems
from embryology.runs import plugins
from embryology.runs.checkpoints import RECORD
from embryology.runs.paths import ROOT, RunFolder
from embryology.storage.files import leftovers, read_yaml, remove_leftovers, write_yaml

RECORDED = ("torch", "accelerate", "transformers", "tokenizers", "sentencepiece", "sentencex", "numpy")


class Session(BaseModel):
    """How some steps of a run were trained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    started: str
    """ISO 8601, UTC."""
    command: str
    speed: presets.Speed
    precision: str
    """As resolved, ``bfloat16`` or ``float32``."""
    device: str
    """The name of the processor or accelerator."""
    processes: int = 1
    """How many trained together."""
    system: str
    python: str
    versions: dict[str, str]
    commit: str | None


class Origin(BaseModel):
    """The state of another run that a run began with, or the weights that it was grown from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    """As the preset named it."""
    step: int
    outcome_sha256: str
    """Of the other run."""
    checkpoint_sha256: str
    """Of its weights at that step."""
    state_sha256: str | None = None
    """Of the file with its complete state there; None where weights alone were taken."""


class Manifest(BaseModel):
    """What ``run.yaml`` holds: once what the run is, and for every session how it was run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: str
    outcome: presets.Outcome
    outcome_sha256: str
    version: int = 1
    """:data:`embryology.presets.VERSION` when it was begun; 1 where that was not recorded."""
    probes: dict[str, dict[str, Any]]
    """Settings by probe, as the preset had them."""
    origin: Origin | None = None
    """None where the run began with random parameters."""
    sessions: tuple[Session, ...]

    @classmethod
    def read(cls, folder: RunFolder) -> "Manifest | None":
        """The manifest of a run; None where there is none.

        Raises:
            EmbryologyError: it is damaged, or of another form than this version's.
        """
        if not folder.manifest.exists():
            return None
        try:
            return cls.model_validate(read_yaml(folder.manifest))
        except ValidationError as error:
            raise EmbryologyError(
                f"{folder.manifest} is damaged, or of another version of this project ({problems(error)}); "
                "restore it, or train the run again"
            ) from error


def refuse_another(folder: RunFolder, preset: presets.Preset) -> Manifest | None:
    """The manifest in ``folder``, or None where the folder is free for a new run.

    Raises:
        EmbryologyError: the folder holds a run with another outcome (the error names what differs), or
            things that are no run.
    """
    recorded = Manifest.read(folder)
    if recorded is None:
        known = {folder.lock, *leftovers(folder.root)}  # of a run killed before it had a manifest
        if folder.root.is_dir() and not known.issuperset(folder.root.iterdir()):
            raise EmbryologyError(f"{folder.root} is not empty and holds no run; give another --run")
        return None
    if recorded.version != presets.VERSION:
        raise EmbryologyError(
            f"{folder.root} was begun by another version of training ({recorded.version}, and this is "
            f"{presets.VERSION}), which trains or asks otherwise; give another --run, or remove that folder"
        )
    # Outcomes too, as one of before there were phases has another hash where sequences became longer.
    if recorded.outcome_sha256 != preset.outcome_sha256 and recorded.outcome != preset.outcome:
        before, asked = (_flat(outcome.model_dump(mode="json")) for outcome in (recorded.outcome, preset.outcome))
        different = sorted(key for key in before.keys() | asked.keys() if before.get(key) != asked.get(key))
        raise EmbryologyError(
            f"{folder.root} holds a run of preset {recorded.preset!r} that differs in "
            f"{', '.join(different[:4])}; give another --run, or remove that folder"
        )
    began, begins = (
        f"step {start.step} of {start.run}" if start else "random parameters"
        for start in (recorded.origin, preset.origin)
    )
    if began != begins:
        raise EmbryologyError(
            f"{folder.root} holds a run that began with {began}, and not with {begins}; give another --run, or remove "
            "that folder"
        )
    return recorded


def is_complete(folder: RunFolder, preset: presets.Preset) -> bool:
    """Whether the run in ``folder`` has reached the last step of ``preset`` and saved all that belongs to it.

    Losses and state are written after the checkpoint, in this order. States may have been removed since.

    Raises:
        EmbryologyError: as :func:`refuse_another`.
    """
    recorded = refuse_another(folder, preset)
    if recorded is None or not (folder.checkpoint(preset.outcome.steps) / RECORD).exists():
        return False
    done = steps_done(folder)
    return done == preset.outcome.steps if done else folder.losses.exists()


def steps_done(folder: RunFolder) -> int:
    """The step of the newest state, 0 where there is none; nothing is read."""
    return max((int(file.stem.removeprefix("step-")) for file in folder.state.glob("step-*.pt")), default=0)


def open_session(
    folder: RunFolder,
    preset: presets.Preset,
    precision: str,
    device: str,
    processes: int,
    origin: Origin | None = None,
) -> None:
    """Record that training begins or is resumed: once what the run is, and for every session how it was run.

    The preset may have settings of plug-ins that are not installed, which are recorded too.

    What an earlier session left half-written is removed, so the caller holds the lock of the run.

    Args:
        precision: as resolved, ``bfloat16`` or ``float32``.
        device: the name of the processor or accelerator.
        processes: how many train together.
        origin: what it begins with.
    """
    remove_leftovers(folder.root, folder.checkpoints, folder.state)
    recorded = Manifest.read(folder) or Manifest(
        preset=preset.name,
        outcome=preset.outcome,
        outcome_sha256=preset.outcome_sha256,
        version=presets.VERSION,
        probes=preset.probes,
        origin=origin,
        sessions=(),
    )
    session = Session(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join(["embryology", *sys.argv[1:]]),
        speed=preset.speed,
        precision=precision,
        device=device,
        processes=processes,
        system=platform.platform(),
        python=platform.python_version(),
        versions={"embryology": __version__} | {name: metadata.version(name) for name in RECORDED},
        commit=commit(),
    )
    opened = recorded.model_copy(update={"sessions": (*recorded.sessions, session)})
    write_yaml(folder.manifest, opened.model_dump(mode="json"))
    plugins.keep(folder)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def commit() -> str | None:
    """The project's commit, marked where files were changed since; None where it is no checkout.

    Where the code was copied without its history, as into a container, ``EMBRYOLOGY_COMMIT`` says it.
    """
    if said := os.environ.get("EMBRYOLOGY_COMMIT"):
        return said
    if ROOT is None:  # installed, perhaps within another project's checkout, whose commit says nothing
        return None
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


def processor() -> str:
    """The processor's name as the kernel gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            return next(line.split(":", 1)[1].strip() for line in stream if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
