"""What the columns, metrics and names of exported tables mean: a data dictionary, itself a table."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from embryology import __version__
from embryology.specs import ITEM_COLUMNS, NOT_APPLICABLE, UNITS, Meaning, Specification, registry

MEASUREMENTS, CONFIGURATIONS, DICTIONARY, ITEMS = "measurements", "configurations", "dictionary", "items_"
"""Names of exported tables; the last begins that of each probe's items."""
COLUMNS = {
    "series": Meaning("the run, or folder of checkpoints"),
    "step": Meaning("of the checkpoint; what it counts is in the configurations"),
    "tokens": Meaning("read in training up to the checkpoint; null: not known", "tokens of the model's tokenizer"),
    "model": Meaning("architecture, as transformers names it"),
    "objective": Meaning("what the measured model was trained to do"),
    "probe": Meaning("what measured"),
    "task": Meaning("what was asked, in parts from the whole to the particular"),
    "group": Meaning(
        "the part of the task's items that the row is about, such as a part of speech, a relation, a label or a "
        "development set; empty: all of them"
    ),
    "layer": Meaning("whose vectors were read, 0 for the embeddings; null: the model as a whole"),
    "metric": Meaning("what the value is"),
    "value": Meaning("the measurement; null: the probe does not apply", "of the metric"),
    "low": Meaning("lower end of the 95% interval; null: there is none", "of the metric"),
    "high": Meaning("upper end of the 95% interval; null: there is none", "of the metric"),
    "n": Meaning("items behind the value"),
    "seed": Meaning("of the probe's draws and trainings"),
    "baseline": Meaning("which baseline the row holds; null: the model itself"),
    "reason": Meaning("why items were excluded, or why the probe does not apply"),
    "key": Meaning("hash of all that the measurement depends on: weights, tokenizer, data, settings, version of probe"),
    "device": Meaning("processor or accelerator that measured; null: not recorded"),
    "precision": Meaning("of the model's body; null: not recorded"),
    "torch": Meaning("version of torch that measured; null: not recorded"),
    "threads": Meaning("of torch; null: not recorded"),
    "unit": Meaning("what the interval resamples or counts; null: no interval, or not recorded"),
}
"""What each column of :data:`embryology.runs.measurements.SCHEMA` holds."""
OF_CONFIGURATIONS = {
    "series": COLUMNS["series"],
    "counts": Meaning("what the steps of its checkpoints count"),
    "recipe": Meaning("hash of all that weights depend on but the seed, or what is said in its place; null: not known"),
    "seed": Meaning("of training; null: not known"),
    "probe": COLUMNS["probe"],
    "version": Meaning("of the probe: other numbers, another version; of a plug-in's file with the hash of that"),
    "settings": Meaning("of the probe, as JSON"),
    "data": Meaning("what identifies the data that were asked about, as JSON; null: not recorded"),
    "tokenizer": Meaning("sha256 of the tokenizer's files; null: not recorded"),
    "configuration": Meaning("hash of the last five; measurements of two are not for one curve"),
}
OF_DICTIONARY = {
    "table": Meaning("an exported table"),
    "probe": Meaning("whose table, metric or name it is; null: of all"),
    "column": Meaning("of the table"),
    "type": Meaning("of the column, as Arrow names it; null of values"),
    "value": Meaning("that the column may have; null: the row is about the column itself"),
    "meaning": Meaning("of the column or value; null: its probe does not say"),
    "unit": Meaning("of the column, or of what the value names"),
    "source": Meaning("who says so"),
}
OF_TABLES = {MEASUREMENTS: COLUMNS, CONFIGURATIONS: OF_CONFIGURATIONS, DICTIONARY: OF_DICTIONARY}
SCHEMA_OF_DICTIONARY = pa.schema([(name, pa.string()) for name in OF_DICTIONARY])

Row = dict[str, str | None]


def dictionary(tables: Mapping[str, pa.Table]) -> pa.Table:
    """A row for every column of exported tables, its own too, and for every name that their measurements have.

    Args:
        tables: by name, :data:`MEASUREMENTS` among them.
    """
    schemas = {name: table.schema for name, table in tables.items()} | {DICTIONARY: SCHEMA_OF_DICTIONARY}
    rows = [row for name, schema in schemas.items() for row in _columns(name, schema)]
    return pa.Table.from_pylist([*rows, *_names(tables[MEASUREMENTS])], SCHEMA_OF_DICTIONARY)


def _columns(table: str, schema: pa.Schema) -> Iterator[Row]:
    probe = table.removeprefix(ITEMS) if table.startswith(ITEMS) else None
    specification = registry.specifications().get(probe or "")
    of_items = {"series": COLUMNS["series"], **ITEM_COLUMNS, **(specification.columns if specification else {})}
    meanings = of_items if probe else OF_TABLES[table]
    for column in schema:
        known = {"table": table, "probe": probe, "column": column.name, "type": str(column.type)}
        yield known | _said(meanings.get(column.name), specification)


def _names(measured: pa.Table) -> Iterator[Row]:
    """Of tasks, metrics, baselines and units, probe by probe."""
    for probe in measured["probe"].unique().to_pylist():
        rows, specification = measured.filter(pc.field("probe") == probe), registry.specifications().get(probe)
        for column in ("task", "metric", "baseline", "unit"):
            for name in sorted({*rows[column].drop_null().to_pylist()} - {""}):
                known = {"table": MEASUREMENTS, "probe": probe, "column": column, "value": name}
                yield known | _said(_meaning(column, name, specification), specification)


def _meaning(column: str, name: str, specification: Specification | None) -> Meaning | None:
    """Of a name in a column of measurements; None where the probe is not installed, or does not say."""
    if column == "unit":
        return Meaning(UNITS[name])
    if name == NOT_APPLICABLE:
        return Meaning("the probe has nothing to measure of this model, for the reason given")
    if specification is None:
        return None
    if column == "metric":
        return specification.metrics.get(name)
    if column == "baseline":
        return Meaning(specification.baselines.get(name, name))
    return Meaning(", ".join(specification.tasks.get(part, part) for part in name.split("/")))


def _said(meaning: Meaning | None, specification: Specification | None) -> Row:
    text, unit = meaning or (None, None)
    source = (
        f"probe {specification.name}, version {specification.version}" if specification else f"embryology {__version__}"
    )
    return {"meaning": text, "unit": unit, "source": source}
