"""What becomes of a run that never reads one thing, as it was measured: a table a thing, in the run's own folder.

``counterfactuals/from-<step>/`` of a run holds for each thing ``<thing>-<key>.parquet``, the effects on all items, and
``<thing>-<key>.json``, what was read instead. The key is of all that the numbers depend on.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from embryology.errors import EmbryologyError
from embryology.runs.series import Series
from embryology.storage.files import read_json, read_table, write_json, write_table

WITHOUT, FLOOR = "without", "floor"
"""The two runs of a thing: its sequences are replaced, or as many others of the same batches."""
COLUMNS = {
    "query": "string",
    "run": "string",
    "probe": "string",
    "task": "string",
    "item_id": "string",
    "step": "int64",
    "reference": "float64",
    "value": "float64",
    "asked": "bool",
}
"""Which thing; which of the two runs; the item; the checkpoint; how likely the item is to the run itself and to that
one (nats; of a minimal pair how much likelier the grammatical sentence is); whether the item asks for the thing."""


def folder(series: Series, start: int) -> Path:
    """Where the tables of things are that are not read after step ``start``."""
    return series.folder.root / "counterfactuals" / f"from-{start:08d}"


def write(file: Path, effects: pd.DataFrame, record: dict[str, Any]) -> None:
    """Write a thing's table, after its record."""
    write_json(file.with_suffix(".json"), record)
    write_table(file, effects[list(COLUMNS)].astype(COLUMNS))


def read(series: Series, start: int | None = None) -> pd.DataFrame:
    """All tables of a step, or of the only one: :data:`COLUMNS`, ``effect`` (value - reference), and of the thing's
    record ``sequences``, ``masked`` and ``first``, the step of the first sequence.

    Raises:
        EmbryologyError: there are none, or tables of several steps and none was named.
    """
    root = series.folder.root / "counterfactuals"
    folders = [folder(series, start)] if start is not None else sorted(root.glob("from-*"))
    files = [file for each in folders for file in sorted(each.glob("*.parquet"))]
    if not files:
        raise EmbryologyError(
            f"{series.name} has no counterfactuals{'' if start is None else f' from step {start}'}; `embryology "
            "counterfactual RUN --without QUERY --from STEP` makes some"
        )
    if len({file.parent for file in files}) > 1:
        steps = ", ".join(str(int(each.name.removeprefix("from-"))) for each in folders)
        raise EmbryologyError(f"{series.name} has counterfactuals from steps {steps}; name one of them")
    tables = []
    for file in files:
        table, record = read_table(file).to_pandas(), read_json(file.with_suffix(".json"))
        table = table.assign(**{name: record[name] for name in ("sequences", "masked", "first")})
        tables.append(table.assign(effect=table["value"] - table["reference"]))
    return pd.concat(tables, ignore_index=True)
