"""The measurements that count, as files that other programs read: Parquet, CSV or DuckDB.

Tables: ``measurements``; ``configurations``, under which each probe measured; ``dictionary``, what columns and names
mean; and, where asked for, ``items_<probe>``. A DuckDB file holds all of them. Of the other formats the file is that of
the measurements, and each further table has one beside it: ``tables.csv``, ``tables-dictionary.csv``.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.dictionary import CONFIGURATIONS, DICTIONARY, ITEMS, MEASUREMENTS, dictionary
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.storage.files import written_whole

PARQUET, CSV, DUCKDB = FORMATS = (".parquet", ".csv", ".duckdb")
SCHEMA_OF_CONFIGURATIONS = pa.schema(
    [
        *((name, pa.string()) for name in ("series", "counts", "recipe")),
        ("seed", pa.int64()),
        *((name, pa.string()) for name in ("probe", "version", "settings", "data", "tokenizer", "configuration")),
    ]
)


def export(series: Sequence[Series], to: str | Path, items: bool = False, replace: bool = False) -> list[str]:
    """Write the measurements that count, and what they mean; what was set aside is not among them.

    Args:
        series: whose; their rows follow each other in this order.
        to: the file, in the format of its ending, one of :data:`FORMATS`.
        items: whether the items behind the measurements are written too, a table a probe.
        replace: whether an export that is there already gives way, with all of its tables.

    Returns:
        A line for every table: its name, where it is, and how many rows it has.

    Raises:
        EmbryologyError: a file is there already, the ending is another one, a series was not measured, or a table
            cannot be written; nothing was replaced then.
    """
    file = Path(to).expanduser().resolve()
    if file.suffix not in FORMATS:
        raise EmbryologyError(f"{file.name}: the ending has to say the format: {', '.join(FORMATS)}")
    if file.suffix == DUCKDB and find_spec("duckdb") is None:
        raise EmbryologyError("DuckDB is not installed; pip install duckdb, or export to .parquet or .csv")
    names = (MEASUREMENTS, CONFIGURATIONS, DICTIONARY, *(f"{ITEMS}{probe}" for probe in registry.specifications()))
    there = [place for place in dict.fromkeys(_place(file, name) for name in names) if place.exists()]
    for place in there:
        if place.is_dir() or not replace:
            hint = "it is a folder, give another --to" if place.is_dir() else "--replace takes its place"
            raise EmbryologyError(f"{place} is there already; {hint}")
    tables = _tables(series, items)
    with ExitStack() as whole:
        # They get their names last to first: where the measurements are there, so are all other tables.
        for place in dict.fromkeys(_place(file, name) for name in tables):
            temporary = whole.enter_context(written_whole(place))
            _write({name: table for name, table in tables.items() if _place(file, name) == place}, temporary, file)
        for place in there:
            place.unlink()
    return [f"{name}: {table.num_rows:,} rows in {_place(file, name)}" for name, table in tables.items()]


def _place(file: Path, table: str) -> Path:
    """The file that a table is in."""
    return file if table == MEASUREMENTS or file.suffix == DUCKDB else file.with_stem(f"{file.stem}-{table}")


def _tables(series: Sequence[Series], items: bool) -> dict[str, pa.Table]:
    """By name, the measurements first."""
    rows = [pa.Table.from_pandas(measurements.read(each), measurements.SCHEMA, preserve_index=False) for each in series]
    tables = {
        MEASUREMENTS: pa.concat_tables(rows),
        CONFIGURATIONS: pa.Table.from_pylist(list(_configurations(series)), SCHEMA_OF_CONFIGURATIONS),
    }
    if items:
        by_probe: dict[str, list[pa.Table]] = {}
        for each in series:
            for probe in measurements.standing(each.folder):
                table = measurements.item_table(each, probe)
                if table is not None:
                    named = table.add_column(0, "series", pa.repeat(each.name, table.num_rows))
                    by_probe.setdefault(probe, []).append(named)
        tables |= {f"{ITEMS}{probe}": _joined(probe, some) for probe, some in sorted(by_probe.items())}
    return tables | {DICTIONARY: dictionary(tables)}


def _configurations(series: Sequence[Series]) -> Iterator[dict[str, str | int | None]]:
    for each in series:
        for probe, configuration in measurements.standing(each.folder).items():
            yield {
                "series": each.name,
                "counts": each.unit,
                "recipe": each.recipe,
                "seed": each.seed,
                "probe": probe,
                "version": str(configuration.version),
                "settings": json.dumps(configuration.settings),
                "data": None if configuration.data is None else json.dumps(configuration.data),
                "tokenizer": configuration.tokenizer,
                "configuration": configuration.sha256,
            }


def _joined(probe: str, items: list[pa.Table]) -> pa.Table:
    """Those of several series; a column that a series lacks, as frozen ones lack text, is null."""
    try:
        return pa.concat_tables(items, promote_options="permissive")
    except pa.ArrowException as error:
        raise EmbryologyError(
            f"the items of probe {probe} do not fit together ({error}); export the series apart"
        ) from error


def _write(tables: dict[str, pa.Table], file: Path, final: Path) -> None:
    """Write tables into a file, in the format of the ending of ``final``."""
    if final.suffix == DUCKDB:
        import duckdb  # late: only this needs it

        try:
            with duckdb.connect(str(file)) as connection:
                for name, table in tables.items():
                    connection.register("exported", table)
                    connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM exported')
        except duckdb.Error as error:
            raise EmbryologyError(f"cannot write {final}: {' '.join(str(error).split())}") from error
        finally:
            file.with_name(f"{file.name}.wal").unlink(missing_ok=True)  # its log, of what was not finished
        return
    (table,) = tables.values()
    if final.suffix == PARQUET:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)
        return
    try:
        pyarrow.csv.write_csv(table, file)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        names = ", ".join(tables)
        raise EmbryologyError(f"CSV cannot hold {names} ({error}); export to .parquet or .duckdb") from error
