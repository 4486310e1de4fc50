"""The one table that every probe writes and every figure reads."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from embryology.errors import EmbryologyError
from embryology.runs import losses
from embryology.runs.paths import RunFolder
from embryology.storage.files import write_table

SCHEMA = pa.schema(
    [
        pa.field("series", pa.string(), nullable=False),
        pa.field("step", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64()),
        pa.field("model", pa.string(), nullable=False),
        pa.field("objective", pa.string(), nullable=False),
        pa.field("probe", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("layer", pa.int16()),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("seed", pa.int32()),
        pa.field("baseline", pa.string()),
        pa.field("key", pa.string(), nullable=False),
    ]
)
"""One row a value: which checkpoint, what was measured, its 95% interval, from how many items.

``item`` is empty for a total. ``baseline`` is null for the model itself, else the name of the
baseline the row holds. ``key`` is the provenance hash of the measurement.
"""


def write(path: Path, rows: Iterable[dict] | pd.DataFrame) -> None:
    """Check ``rows`` against :data:`SCHEMA` and write them as one Parquet file, whole or not at all.

    Raises:
        ValueError: a column is missing, unknown, of another type, or holds nulls it may not hold, or
            an interval does not contain its value: a defect of the probe that wrote it.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    if set(frame.columns) != set(SCHEMA.names):
        wrong = sorted(set(frame.columns) ^ set(SCHEMA.names))
        raise ValueError(f"columns missing or unknown in a table of measurements: {', '.join(wrong)}")
    table = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)
    outside = (frame["low"].astype(float) > frame["value"] + 1e-12) | (
        frame["high"].astype(float) < frame["value"] - 1e-12
    )
    if outside.any():
        raise ValueError(f"an interval does not contain its value: {frame[outside].iloc[0].to_dict()}")
    write_table(path, table)


def read(*runs: str | Path, probe: str | None = None) -> pd.DataFrame:
    """The measurements of one or more runs as one table with the columns of :data:`SCHEMA`.

    Args:
        runs: names under the runs folder, or paths.
        probe: only this probe's.

    Where a checkpoint was measured more than once under different settings, the newest stands.

    Raises:
        EmbryologyError: a run or its measurements are missing.
    """
    tables = [pq.read_table(file, schema=SCHEMA) for run in runs for file in _newest(run, probe)]
    frame = pa.concat_tables(tables).to_pandas()
    return frame.sort_values(["series", "probe", "task", "item", "metric", "step"], kind="stable", ignore_index=True)


def read_items(run: str | Path, probe: str, columns: list[str] | None = None) -> pd.DataFrame:
    """The item table of one probe over all checkpoints of a run: ``item_id``, ``step`` and the probe's columns.

    ``columns`` chooses some of them; None takes all.
    """
    return pa.concat_tables([pq.read_table(file, columns=columns) for file in _items(run, probe)]).to_pandas()


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
    return sources[0]


def files_read(run: str | Path, probe: str | None = None) -> list[Path]:
    """The files that :func:`read` and :func:`read_items` would read now; what a figure depends on."""
    return _newest(run, probe) + (_items(run, probe) if probe else [])


def read_losses(run: str | Path) -> pd.DataFrame:
    """The losses of a run, with the columns of :data:`embryology.runs.losses.COLUMNS`."""
    return losses.read(RunFolder.named(run))


def _newest(run: str | Path, probe: str | None) -> list[Path]:
    folder = RunFolder.named(run)
    if not folder.root.is_dir():
        raise EmbryologyError(f"there is no run at {folder.root}; `embryology pretrain` makes one")
    newest: dict[tuple[str, str], Path] = {}
    for file in sorted(folder.measurements.glob(f"{probe or '*'}/*.parquet")):
        place = (file.parent.name, file.name.split("-")[0])
        if place not in newest or file.stat().st_mtime_ns > newest[place].stat().st_mtime_ns:
            newest[place] = file
    if not newest:
        what, choice = (f"probe {probe}", f" --probe {probe}") if probe else ("any probe", "")
        raise EmbryologyError(
            f"run {folder.name} has no measurements of {what}; make them: embryology probe {run}{choice}"
        )
    return [newest[place] for place in sorted(newest)]


def _items(run: str | Path, probe: str) -> list[Path]:
    """The item tables that were written with the measurements that :func:`read` gives."""
    details = RunFolder.named(run).measurements / "details" / probe
    return [details / file.name for file in _newest(run, probe) if (details / file.name).exists()]
