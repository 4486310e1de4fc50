"""The one table that every probe writes and every figure reads, and the record of which measurements count.

``measurements/`` of a run::

    standing.json                          by probe: under which configuration its measurements count
    <probe>/standing.json                  the same of one probe, which counts for more than the line above
    <probe>/<configuration>/               measurements of one configuration, which a curve may join
        <step>-<weights>.parquet           of one checkpoint; ``all.parquet`` of all, where a run is frozen
        items/<step>-<weights>.parquet     the items behind them
        properties/<kind>-<version>.parquet  what is true of the items at every checkpoint (runs/properties.py)
        compared/<source>-<step>-<weights> there where a later source of the probe gave the same (study/comparing.py)
    <probe>/parts/                         parts of measurements, which no reader sees

Configurations and weights are named by the first digits of their hashes. Nothing depends on a file's time. Processes of
several machines may write at once: a file is of one measurement or one probe, has its name from what that depends on,
and is renamed into place when it is whole, for which no lock is needed.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from embryology.errors import EmbryologyError, problems
from embryology.runs import reads
from embryology.runs.checkpoints import Checkpoint
from embryology.runs.paths import PARTS, RunFolder
from embryology.runs.series import Series
from embryology.specs import NOT_APPLICABLE, registry
from embryology.storage.files import read_json, read_table, sha256_of, write_json, write_table

SCHEMA = pa.schema(
    [
        pa.field("series", pa.string(), nullable=False),
        pa.field("step", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64()),
        pa.field("model", pa.string(), nullable=False),
        pa.field("objective", pa.string(), nullable=False),
        pa.field("probe", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("layer", pa.int16()),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("seed", pa.int32()),
        pa.field("baseline", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("key", pa.string(), nullable=False),
        pa.field("device", pa.string()),
        pa.field("precision", pa.string()),
        pa.field("torch", pa.string()),
        pa.field("threads", pa.int16()),
        pa.field("unit", pa.string()),
    ]
)
"""One row a value: which checkpoint, what was measured, its 95% interval, from how many items; what each column holds
says :data:`embryology.runs.dictionary.COLUMNS`."""
MACHINE = ("device", "precision", "torch", "threads")
ALL = "all.parquet"
SOURCE = b"source"  # in the metadata of a file of rows: the hash of the code that measured them


class Configuration(BaseModel):
    """All that a probe's number depends on beside the weights. A curve joins measurements of one alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    probe: str
    version: int | str
    """Its number; of a plug-in that is not installed with the hash of its file."""
    settings: dict[str, Any]
    data: dict[str, Any] | None
    """What identifies the data; None of a run that was frozen before that was recorded."""
    tokenizer: str | None
    """The sha256 of the tokenizer's files; None as of ``data``."""

    @property
    def sha256(self) -> str:
        return sha256_of(self.model_dump(mode="json"))

    def key(self, checkpoint: Checkpoint, **part: Any) -> str:
        """The provenance hash of a measurement, or of a ``part`` of it, which depends on that and on no settings."""
        common = {"probe": self.probe, "version": self.version, "tokenizer": self.tokenizer}
        return sha256_of(
            common | {"weights": checkpoint.sha256} | (part or {"settings": self.settings, "data": self.data})
        )

    def folder(self, run: RunFolder) -> Path:
        return run.measurements / self.probe / self.sha256[:16]

    def properties(self, run: RunFolder) -> Path:
        return self.folder(run) / "properties"

    def files(self, run: RunFolder, checkpoint: Checkpoint) -> tuple[Path, Path]:
        """Where the rows of a checkpoint are, and its items."""
        folder, name = self.folder(run), f"{checkpoint.step:08d}-{checkpoint.sha256[:12]}.parquet"
        return folder / name, folder / "items" / name


def documents(sentences: pd.Series) -> pd.Series:
    """The document of each sentence: its name without the number behind the last hyphen, as treebanks name them."""
    return sentences.str.replace(r"-[^-]*$", "", regex=True)


def row(
    task: str,
    group: str,
    metric: str,
    value: float | None,
    interval: tuple[float | np.ndarray | None, float | np.ndarray | None] = (None, None),
    n: int = 0,
    *,
    layer: int | None = None,
    seed: int | None = None,
    baseline: str | None = None,
    reason: str | None = None,
    unit: str | None = None,
) -> dict[str, Any]:
    """What a probe says of a row; the runner adds the columns of the checkpoint.

    Args:
        value: in the unit of the metric.
        interval: its 95% interval, of numbers or of arrays that hold one. Ends that leave out the value, by rounding
            or as the percentiles of a few skewed clusters do, are moved to it.
        n: items behind it.
        unit: what the interval resamples or counts; needed where the probe's specification declares several.
    """
    low, high = (None if end is None or np.isnan(end) else end for end in interval)
    if low is not None and high is not None and value is not None:
        low, high = float(np.fmin(low, value)), float(np.fmax(high, value))
    return {
        "task": task,
        "group": group,
        "layer": layer,
        "metric": metric,
        "value": None if value is None else float(value),
        "low": low,
        "high": high,
        "n": int(n),
        "seed": seed,
        "baseline": baseline,
        "reason": reason,
        "unit": unit,
    }


def write(path: Path, rows: Iterable[dict[str, Any]] | pd.DataFrame, source: str | None = None) -> None:
    """Check ``rows`` against :data:`SCHEMA` and write them as one Parquet file, whole or not at all.

    ``source`` is the hash of the code that measured them (:func:`embryology.specs.imports.source_of`).

    Raises:
        ValueError: a column is missing, unknown, of another type, or holds nulls it may not hold, or
            an interval does not contain its value: a defect of the probe that wrote it.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    frame = frame.assign(**{name: None for name in (*MACHINE, "unit") if name not in frame})
    if set(frame.columns) != set(SCHEMA.names):
        wrong = sorted(set(frame.columns) ^ set(SCHEMA.names))
        raise ValueError(f"columns missing or unknown in a table of measurements: {', '.join(wrong)}")
    table = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)
    values = frame["value"].astype(float)
    if (values.isna() != (frame["metric"] == NOT_APPLICABLE)).any():
        raise ValueError("value: it is missing, or there although the probe does not apply")
    outside = (frame["low"].astype(float) > values + 1e-12) | (frame["high"].astype(float) < values - 1e-12)
    if outside.any():
        raise ValueError(f"an interval does not contain its value: {frame[outside].iloc[0].to_dict()}")
    write_table(path, table.replace_schema_metadata({SOURCE: source} if source else None))


def source(path: Path) -> str | None:
    """The hash of the code that measured a file of rows; None where that was not recorded.

    Raises:
        EmbryologyError: the file is missing or damaged.
    """
    try:
        recorded = (pq.read_schema(path).metadata or {}).get(SOURCE)
    except (OSError, pa.ArrowException) as error:
        raise EmbryologyError(f"{path} cannot be read ({error}); restore it, or remove it and measure again") from error
    return recorded.decode() if recorded else None


def with_units(rows: pd.DataFrame, probe: str) -> pd.DataFrame:
    """The rows of a probe, each with an interval naming the unit that it is over.

    Raises:
        ValueError: it does not, and the specification declares several, or it is none of them: a defect of the probe.
    """
    declared = registry.get(probe).resampled
    units = rows["unit"] if "unit" in rows else pd.Series(None, rows.index, dtype=object)
    units = units.where(rows["low"].notna(), None)
    if len(declared) == 1:
        units = units.mask(rows["low"].notna() & units.isna(), declared[0])
    if wrong := set(units[rows["low"].notna()]) - set(declared):
        raise ValueError(f"probe {probe} has intervals over {wrong}, and declares {', '.join(declared)}")
    return rows.assign(unit=units)


def standing(run: RunFolder) -> Mapping[str, Configuration]:
    """By probe, in alphabetical order, the configuration that counts; look-ups are noted (:mod:`.reads`).

    Raises:
        EmbryologyError: the record is damaged.
    """
    recorded: dict[str, Configuration] = {}
    for file in standing_files(run):
        try:
            said = read_json(file) if file == run.standing else {file.parent.name: read_json(file)}
            recorded |= TypeAdapter(dict[str, Configuration]).validate_python(said)
        except ValidationError as error:
            raise EmbryologyError(
                f"{file} is damaged ({problems(error)}); remove it and give `embryology probe` again, which "
                "measures nothing twice"
            ) from error
    return reads.Noted(run.root, dict(sorted(recorded.items())))


def standing_files(run: RunFolder) -> list[Path]:
    """The records that :func:`standing` reads, of which a later one counts for more."""
    of_probes = sorted(run.measurements.glob(f"*/{run.standing.name}"))
    return [run.standing, *of_probes] if run.standing.exists() else of_probes


def let_stand(run: RunFolder, configuration: Configuration) -> None:
    """Record that the measurements of ``configuration`` count for its probe from now on."""
    if standing(run).get(configuration.probe) != configuration:
        write_json(run.standing_of(configuration.probe), configuration.model_dump(mode="json"))


def write_standing(run: RunFolder, configurations: Iterable[Configuration]) -> None:
    """Record what counts, one configuration a probe, in one file, in place of what was recorded before; no other
    process may be measuring the run.
    """
    recorded = {configuration.probe: configuration.model_dump(mode="json") for configuration in configurations}
    write_json(run.standing, dict(sorted(recorded.items())))
    for file in run.measurements.glob(f"*/{run.standing.name}"):
        file.unlink()


def read(series: Series, probe: str | None = None) -> pd.DataFrame:
    """The measurements that count, as one table with the columns of :data:`SCHEMA`, those of one probe or of all.

    Raises:
        EmbryologyError: there are none, or some are of other weights than those that are there now.
    """
    rows, _ = _tables(series, probe)
    frame = pa.concat_tables([read_table(file, schema=SCHEMA) for file in rows]).to_pandas()
    frame = frame.assign(series=series.name)  # the folder may have been copied or renamed
    return frame.sort_values(["probe", "task", "group", "metric", "step"], kind="stable", ignore_index=True)


def read_items(series: Series, probe: str, columns: list[str] | None = None) -> pd.DataFrame:
    """The items behind :func:`read`, over all checkpoints: ``item_id``, ``step`` and the probe's columns.

    ``columns`` chooses some of them; None takes all.

    Raises:
        EmbryologyError: as :func:`read`, or the probe has no items.
    """
    table = item_table(series, probe, columns)
    if table is None:
        raise EmbryologyError(f"run {series.name} has no items of probe {probe}; measure it again, or restore them")
    return table.to_pandas()


def item_table(series: Series, probe: str, columns: list[str] | None = None) -> pa.Table | None:
    """As :func:`read_items`, with the types in which they are kept; None where the probe has none."""
    _, items = _tables(series, probe)
    return pa.concat_tables([read_table(file, columns) for file in items]) if items else None


def files(series: Series) -> list[Path]:
    """The files that :func:`read` and :func:`read_items` read, and the properties of items; what a page depends on.

    Raises:
        EmbryologyError: as :func:`read`.
    """
    rows, items = _tables(series, None)
    folders = [configuration.properties(series.folder) for configuration in standing(series.folder).values()]
    counted = [file for folder in folders for file in sorted(folder.glob("*.parquet"))]
    return [*standing_files(series.folder), *rows, *items, *counted]


def lacking(series: Series, probe: str) -> str | None:
    """Why there is nothing to show of a probe, as a clause; None where there is.

    Raises:
        EmbryologyError: some measurements are of other weights than those that are there now.
    """
    if probe not in standing(series.folder):
        return f"probe {probe} has not measured it (embryology probe RUN --probe {probe})"
    rows, _ = _tables(series, probe)
    table = read_table(rows[0], ["metric", "reason"]).to_pandas()
    return f"probe {probe} does not apply: {table['reason'].iloc[0]}" if is_not_applicable(table) else None


def set_aside(series: Series) -> dict[str, list[int]]:
    """By probe the steps of measurements that do not count: other settings, data or version, or other weights.

    Raises:
        EmbryologyError: as :func:`read`.
    """
    aside: dict[str, list[int]] = {}
    reads.note(series.folder.root, reads.ALL)
    for folder in sorted(series.folder.measurements.glob("*/*/")):
        if folder.parent.name in registry.specifications() and folder.name != PARTS:
            there = set(folder.glob("*.parquet"))
            recorded = standing(series.folder).get(folder.parent.name)
            if recorded is not None and recorded.folder(series.folder) == folder:
                there -= set(_tables(series, folder.parent.name)[0])
            aside.setdefault(folder.parent.name, []).extend(int(file.stem.partition("-")[0]) for file in there)
    return {probe: sorted(set(steps)) for probe, steps in aside.items() if steps}


def machines(frame: pd.DataFrame) -> list[str]:
    """In what the measurements of a probe's checkpoints differ, of where they were taken: ``precision``, say, as
    ``precision bfloat16 and float32``; empty where all were taken alike."""
    differ = []
    for name in MACHINE:
        values = sorted({str(value) for value in frame[name].dropna()})
        if len(values) > 1:
            differ.append(f"{name} {' and '.join(values)}")
    return differ


def is_not_applicable(rows: pd.DataFrame) -> bool:
    """Whether a probe's rows say nothing but that it does not apply."""
    return bool((rows["metric"] == NOT_APPLICABLE).all())


def source_of(items: pd.DataFrame) -> str:
    """Whose tags on which text were scored, as the probe recorded it.

    Raises:
        EmbryologyError: checkpoints were scored on different text, so that no curve can join them.
    """
    sources = sorted(items["source"].unique())
    if len(sources) > 1:
        raise EmbryologyError(
            f"the checkpoints of this run were measured on different text ({' and '.join(sources)}); measure all of "
            "them alike: embryology probe RUN"
        )
    return str(sources[0])


def _tables(series: Series, probe: str | None) -> tuple[list[Path], list[Path]]:
    """The files of rows and those of items, by probe and step."""
    recorded = standing(series.folder)
    rows, items = [], []
    for name in [probe] if probe else sorted(recorded):
        if name in recorded:
            folder = recorded[name].folder(series.folder)
            chosen = _of_these_weights(series, sorted(folder.glob("*.parquet")))
            rows += chosen
            items += [folder / "items" / file.name for file in chosen if (folder / "items" / file.name).exists()]
    if not rows:
        what, choice = (f"probe {probe}", f" --probe {probe}") if probe else ("any probe", "")
        make = f"make them: embryology probe {series.folder.name}{choice}"
        if series.is_frozen:
            make = f"it is frozen without them, and {series.folder.manifest} has the command that trains it again"
        raise EmbryologyError(f"run {series.name} has no measurements of {what}; {make}")
    return rows, items


def _of_these_weights(series: Series, measured: list[Path]) -> list[Path]:
    """Of files of measurements those of the weights that the series has now.

    The weights of others' checkpoints, which may be large, are read only where there is a choice.
    """
    by_step: dict[int, dict[str, Path]] = {}
    for file in measured:
        if file.name == ALL:  # of a frozen run
            return [file]
        number, _, weights = file.stem.partition("-")
        by_step.setdefault(int(number), {})[weights] = file
    checkpoints = {checkpoint.step: checkpoint for checkpoint in series.checkpoints}
    chosen: list[Path] = []
    for step, by_weights in sorted(by_step.items()):
        checkpoint = checkpoints.get(step)
        if checkpoint is None and series.leaves_out:
            continue
        if checkpoint is None or (checkpoint.recorded is None and len(by_weights) == 1):
            chosen += by_weights.values()
        elif checkpoint.sha256[:12] in by_weights:
            chosen.append(by_weights[checkpoint.sha256[:12]])
        else:
            raise EmbryologyError(
                f"{series.name}: step {step} was measured on other weights than those that are there now; measure it "
                f"again: embryology probe {series.folder.name}"
            )
    return chosen
