"""Every chosen checkpoint × every chosen probe, measured once."""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from embryology.errors import EmbryologyError
from embryology.probes import Probe, ProbeSettings, registry
from embryology.runs import measurements
from embryology.runs.checkpoints import Checkpoint, Series, thinned
from embryology.storage.files import sha256_of, sha256_of_file, write_table

if TYPE_CHECKING:
    from embryology.models.encoder import Encoder

TOKENIZER_FILES = ("tokenizer.json", "spiece.model", "vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json")

# A probe that does not apply to a model says so; it measures nothing.
NOT_APPLICABLE = {
    **dict.fromkeys(("layer", "low", "high", "seed", "baseline")),
    "task": "",
    "item": "",
    "metric": "applicable",
    "value": 0.0,
    "n": 0,
}


@dataclass(frozen=True)
class Cell:
    """One measurement to be taken or skipped."""

    probe: Probe
    settings: ProbeSettings
    checkpoint: Checkpoint
    tokenizer: Path
    tokenizer_sha256: str
    key: str

    def files(self, series: Series) -> tuple[Path, Path]:
        """Where the items and the measurements go, in the order of their writing."""
        place = (self.probe.name, self.checkpoint.step, self.key)
        return series.folder.details(*place), series.folder.measurement(*place)


def run_probes(
    series: Series,
    probes: dict[str, dict],
    steps: str = "all",
    console: Console | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> int:
    """Measure checkpoints; what was measured before is skipped. Interrupted, it goes on where it was.

    A measurement is known by the hash of the weights, the tokenizer, the data, the settings, and the
    probe's name and version. Nothing heavy is loaded where all of them are there.

    Args:
        series: whose checkpoints.
        probes: settings by the name of the probe.
        steps: which checkpoints, as in :meth:`Series.select`.
        console: where progress is shown; None shows none.
        device: a torch device name, or ``auto``.
        threads: of the processor; None leaves torch's own number.

    Returns:
        How many measurements were taken.

    Raises:
        EmbryologyError: a probe, setting or step is unknown, data are missing, or the run is frozen; or,
            after all others were measured, the list of checkpoints that could not be.
    """
    console = console or Console(quiet=True)
    if series.folder.frozen.exists():
        raise EmbryologyError(
            f"{series.name} is frozen: its measurements are kept and its checkpoints are not, so that nothing more can "
            f"be measured; {series.folder.manifest} has the command that trains it again"
        )
    cells = _cells(series, probes, steps)
    done, todo = [], []
    for cell in cells:
        (done if cell.files(series)[1].exists() else todo).append(cell)
    failed = _changed({cell.checkpoint for cell in done})
    if done:
        for cell in done:
            _make_newest(cell.files(series))
        console.print(
            f"{series.name}: {len(done)} of {len(cells)} measured before (same weights, tokenizer, data, settings), "
            "skipped",
            highlight=False,
            soft_wrap=True,
        )
    if todo:
        failed += _measure_all(series, todo, console, device, threads)
    if failed:
        checkpoints = "1 checkpoint" if len(failed) == 1 else f"{len(failed)} checkpoints"
        raise EmbryologyError(f"{series.name}: {checkpoints} could not be measured: {'; '.join(failed)}")
    return len(todo)


def _changed(checkpoints: set[Checkpoint]) -> list[str]:
    """What is wrong with checkpoints that were measured: their measurements are of other bytes than those there now."""
    wrong = []
    for checkpoint in sorted(checkpoints, key=lambda checkpoint: checkpoint.step):
        try:
            checkpoint.verify()
        except EmbryologyError as error:
            wrong.append(f"step {checkpoint.step}: {error}")
    return wrong


def _cells(series: Series, probes: dict[str, dict], steps: str) -> list[Cell]:
    chosen = [(registry.get(name), settings) for name, settings in probes.items()]
    prepared = [(probe, settings := _validated(probe, raw), probe.inputs(settings, series)) for probe, raw in chosen]
    cells = []
    for checkpoint in series.select(steps):
        tokenizer, tokenizer_sha256 = _tokenizer(series, checkpoint)
        for probe, settings, data in prepared:
            if steps == "all" and checkpoint not in thinned(series.checkpoints, settings.every):
                continue
            key = sha256_of(
                {
                    "weights": checkpoint.sha256,
                    "tokenizer": tokenizer_sha256,
                    "data": data,
                    "settings": settings.model_dump(mode="json", exclude={"every"}),
                    "probe": probe.name,
                    "version": probe.version,
                }
            )
            cells.append(Cell(probe, settings, checkpoint, tokenizer, tokenizer_sha256, key))
    return cells


def _validated(probe: Probe, settings: dict) -> ProbeSettings:
    try:
        return probe.Settings.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in (probe.name, *first["loc"]))
        reason = "there is no such setting" if first["type"] == "extra_forbidden" else first["msg"].lower()
        raise EmbryologyError(f"settings of probe {place}: {reason}") from error


def _tokenizer(series: Series, checkpoint: Checkpoint) -> tuple[Path, str]:
    """The folder of a checkpoint's tokenizer, its own or the run's, and the hash of its files."""
    for folder in (checkpoint.location, series.folder.tokenizer):
        files = {name: sha256_of_file(folder / name) for name in TOKENIZER_FILES if (folder / name).is_file()}
        if files:
            return folder, sha256_of(files)
    raise EmbryologyError(f"neither {checkpoint.location} nor {series.folder.tokenizer} holds a tokenizer")


def _make_newest(files: tuple[Path, Path]) -> None:
    """Let measurements that were asked for again stand before later ones under other settings.

    Readers take the newest of a step.
    """
    for file in files:
        rivals = file.parent.glob(f"{file.name.split('-')[0]}-*.parquet")
        if file.exists() and any(other.stat().st_mtime_ns > file.stat().st_mtime_ns for other in rivals):
            os.utime(file)


def _measure_all(series: Series, cells: list[Cell], console: Console, device: str, threads: int | None) -> list[str]:
    """Returns what was wrong with the checkpoints that could not be measured."""
    # Late: these load torch.
    from embryology.corpus import tokenizer as tokenizers
    from embryology.models.encoder import Encoder

    examples: dict[tuple[str, str], Any] = {}  # by probe and tokenizer
    failed: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(series.name, total=len(cells))
        for checkpoint, own in itertools.groupby(cells, key=lambda cell: cell.checkpoint):
            try:
                encoder = Encoder.load(checkpoint, device=device, threads=threads)
                for cell in own:
                    progress.update(task, description=f"{series.name} step {checkpoint.step} {cell.probe.name}")
                    rows, items = pd.DataFrame([NOT_APPLICABLE]), None
                    if cell.probe.needs <= encoder.has:
                        prepared = (cell.probe.name, cell.tokenizer_sha256)
                        if prepared not in examples:
                            tokenizer = tokenizers.load(cell.tokenizer)
                            examples[prepared] = cell.probe.prepare(cell.settings, tokenizer, series)
                        rows, items = _measured(series, cell, encoder, examples[prepared])
                    _write(series, cell, encoder, rows, items)
                    progress.advance(task)
            except EmbryologyError as error:
                failed.append(f"step {checkpoint.step}: {error}")
    return failed


def _measured(
    series: Series, cell: Cell, encoder: "Encoder", examples: Any
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """What a probe says of a checkpoint; one with parts is measured part by part, each kept as soon as it is there."""
    if not hasattr(cell.probe, "parts"):
        return cell.probe.measure(encoder, examples)
    tables = []
    for part, depends_on in cell.probe.parts(cell.settings, series).items():
        key = sha256_of(
            {
                "weights": cell.checkpoint.sha256,
                "tokenizer": cell.tokenizer_sha256,
                "part": depends_on,
                "probe": cell.probe.name,
                "version": cell.probe.version,
            }
        )
        files = [series.folder.part(cell.probe.name, cell.checkpoint.step, key, what) for what in ("rows", "items")]
        if not all(file.exists() for file in files):
            for file, table in zip(files, cell.probe.measure_part(encoder, examples, part), strict=True):
                write_table(file, table)
        tables.append([pd.read_parquet(file) for file in files])
    rows, items = (pd.concat(own, ignore_index=True) for own in zip(*tables, strict=True))
    return rows.assign(layer=None), items


def _write(series: Series, cell: Cell, encoder: "Encoder", rows: pd.DataFrame, items: pd.DataFrame | None) -> None:
    details, measurement = cell.files(series)
    # Items first, so that a measurement that is there implies them.
    if items is not None:
        write_table(details, items.assign(step=cell.checkpoint.step))
    columns = {
        "series": series.name,
        "step": cell.checkpoint.step,
        "tokens": cell.checkpoint.tokens,
        "model": encoder.model_type,
        "objective": encoder.objective,
        "probe": cell.probe.name,
        "key": cell.key,
    }
    measurements.write(measurement, rows.assign(**columns))
