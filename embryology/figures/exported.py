"""What `embryology export` writes, told from an export that a page makes for itself."""

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from IPython.display import HTML, Markdown

from embryology.analysis import tables
from embryology.figures import answers, chart, style
from embryology.runs import export, measurements
from embryology.runs.dictionary import CONFIGURATIONS, DICTIONARY, ITEMS, MEASUREMENTS
from embryology.runs.series import Series

NAME = "tables"
ROWS_ARE = {
    MEASUREMENTS: "a value: which checkpoint, what was measured, its interval, from how many items",
    CONFIGURATIONS: "a series and a probe: under which settings and on which data it measured",
    DICTIONARY: "a column, or a name that stands in one: what it means",
}


def answer(folder: Path) -> Markdown:
    """Where the numbers are; ``folder`` is that of :func:`make`."""
    rows = pq.ParquetFile(folder / f"{NAME}{export.PARQUET}").metadata.num_rows
    return answers.said(
        "Where are the numbers behind the figures?",
        f"In one table of {rows:,} measurements, which `embryology export` writes; below each figure is a link to "
        "its own as CSV",
        "Holds for every series of the table below",
    )


def make(series: Sequence[Series]) -> Path:
    """Export ``series`` to a folder that is gone with this process: Parquet with all items, and DuckDB without.

    Returns:
        The folder; its files are called :data:`NAME`.
    """
    folder = Path(tempfile.mkdtemp(prefix="embryology-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    export.export(series, folder / f"{NAME}{export.PARQUET}", items=True)
    export.export(series, folder / f"{NAME}{export.DUCKDB}")
    return folder


def written(folder: Path) -> HTML:
    """The tables of an export, of :func:`make`: their files, how many rows they have, what a row is."""
    listed = []
    for file in folder.glob(f"*{export.PARQUET}"):
        table = file.stem.removeprefix(NAME).removeprefix("-") or MEASUREMENTS
        probe = table.removeprefix(ITEMS)
        about = pq.read_metadata(file)
        listed.append(
            {
                "table": table,
                "file of Parquet": file.name,
                "rows": f"{about.num_rows:,}",
                "columns": about.num_columns,
                "a row is": ROWS_ARE.get(table, f"an item that {probe} asked about, at a checkpoint"),
            }
        )
    order = [*ROWS_ARE, *sorted(row["table"] for row in listed if row["table"] not in ROWS_ARE)]
    return style.table(pd.DataFrame(sorted(listed, key=lambda row: order.index(row["table"]))))


def measured(folder: Path, series: Series, steps: str = "all") -> HTML:
    """What the measurements of an export hold by series and probe: how many rows at how many checkpoints.

    Args:
        folder: of :func:`make`.
        series: the one whose ``steps`` are chosen; of others all are counted.
        steps: ``all``, ``last``, or a list such as ``0,100,200``.
    """
    frame = pd.read_parquet(folder / f"{NAME}{export.PARQUET}")
    first = frame["series"] == series.name
    frame = pd.concat([tables.select(frame[first], series, steps), frame[~first]])
    by_probe = frame.groupby(["series", "probe"], sort=False)
    counted = by_probe.agg(checkpoints=("step", "nunique"), rows=("step", "size"), of_baselines=("baseline", "count"))
    for column in ("task", "metric"):
        counted[f"{column}s"] = by_probe[column].agg(lambda names: style.some(sorted(set(names))))
    for column in ("rows", "of_baselines"):
        counted[column] = counted[column].map("{:,}".format)
    return style.table(counted.reset_index().rename(columns={"of_baselines": "of them of baselines"}))


def columns(folder: Path) -> HTML:
    """What the columns of an export, of :func:`make`, hold: the data dictionary's rows about columns."""
    listed = _dictionary(folder)
    return style.table(listed.loc[listed["value"] == "", ["table", "column", "type", "meaning", "unit"]])


def names(folder: Path) -> HTML:
    """What the names in an export's measurements mean: the data dictionary's rows about names."""
    listed = _dictionary(folder)
    named = listed.loc[listed["value"] != "", ["probe", "column", "value", "meaning", "unit"]]
    return style.table(named.rename(columns={"value": "name"}))


def _dictionary(folder: Path) -> pd.DataFrame:
    """Its rows, with empty text for what is null."""
    return pd.read_parquet(folder / f"{NAME}-{DICTIONARY}{export.PARQUET}").fillna("")


NUMBERS = ["step", "layer", "seed", "value", "low", "high", "n"]
"""Columns of the table to filter that are numbers; those before ``value`` are filtered by too."""
NAMES = ["series", "probe", "task", "metric", "group", "baseline"]


def all_of_them(series: Sequence[Series], steps: str = "all") -> HTML:
    """A table of all measurements that the page's script lets a reader filter, draw and save; a sentence without it.

    Args:
        series: whose.
        steps: which checkpoints of the first.
    """
    frames = [
        tables.select(measurements.read(each), each, "all" if number else steps) for number, each in enumerate(series)
    ]
    table = pd.concat(frames, ignore_index=True)
    table = table[table["value"].notna()]
    names, values, codes = [*NAMES, "layer", "seed", "step"], {}, {}
    for name in names:
        column = table[name].astype("Int64").astype(object) if name in NUMBERS else table[name]
        places, found = pd.factorize(column.where(column.notna(), ""), sort=name in NUMBERS and column.notna().all())
        codes[name], values[name] = places.tolist(), [each if each == "" else _plain(each) for each in found]
    content = {
        "names": names,
        "values": values,
        "codes": codes,
        "numbers": {name: table[name].astype(float).tolist() for name in ("value", "low", "high", "n")},
    }
    said = (
        f"{len(table):,} measurements of {style.listed([each.name for each in series])}, to filter, draw and save. "
        "They are listed here where the page runs scripts; “embryology export” writes all of them."
    )
    return HTML(
        f'<div class="embryology-filter">{style.paragraph(said).data}{chart.packed(content, "embryology-rows")}</div>'
    )


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, int | np.integer) else str(value)
