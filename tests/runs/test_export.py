"""What other programs read of an export, held against the measurements row by row."""

import csv
import json
import shutil

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from embryology.errors import EmbryologyError
from embryology.runs import export as exporting
from embryology.runs import measurements
from embryology.runs.export import export
from embryology.runs.freeze import freeze
from embryology.runs.series import Series
from embryology.specs import registry
from tests.processes import disk_of
from tests.synthetic import measure

COVERS = ("embryology/runs/dictionary.py",)
WITH_ITEMS = (
    *("attention", "completions", "divergence", "edges", "finetune", "grammar", "knowledge", "similarity"),
    "tokens",
)
NEVER_EMPTY = {"series", "model", "objective", "probe", "task", "group", "metric", "key"}
"""Columns of text whose empty fields in CSV are empty text; in all others they are null."""
TYPES = {
    "series": "VARCHAR", "step": "BIGINT", "tokens": "BIGINT", "model": "VARCHAR", "objective": "VARCHAR",
    "probe": "VARCHAR", "task": "VARCHAR", "group": "VARCHAR", "layer": "SMALLINT", "metric": "VARCHAR",
    "value": "DOUBLE", "low": "DOUBLE", "high": "DOUBLE", "n": "BIGINT", "seed": "INTEGER", "baseline": "VARCHAR",
    "reason": "VARCHAR", "key": "VARCHAR", "device": "VARCHAR", "precision": "VARCHAR", "torch": "VARCHAR",
    "threads": "SMALLINT", "unit": "VARCHAR",
}  # fmt: skip
CASTS = {"BIGINT": int, "INTEGER": int, "SMALLINT": int, "DOUBLE": float, "VARCHAR": str}
ASIDE, NOW = 0.123456, 0.654321


@pytest.fixture(scope="module")
def both(made, tmp_path_factory):
    """A run whose settings of the tokens probe were changed, and a frozen one, which lacks columns of items."""
    folder = tmp_path_factory.mktemp("both")
    kept = Series.open(freeze(made, folder / "kept"))
    changed = Series.open(shutil.copytree(made.folder.root, folder / "changed"))
    row = measurements.row("reconstruction", "NA", "accuracy", ASIDE, (0.1, 0.2), n=7)
    measure(changed.folder, "tokens", 20, [row], settings={"sentences": 1})
    taken = {"device": 'a "card", new', "precision": "float32", "torch": "2.13", "threads": 3}
    rows = [
        measurements.row("reconstruction", "NA", "accuracy", NOW, (None, 0.7), n=7, layer=2, unit="word") | taken,
        measurements.row("reconstruction", "", "accuracy", 1 / 3, n=7, reason="a\nreason") | taken,
    ]
    items = pd.DataFrame({"item_id": ["a:1", "a:2"], "task": "reconstruction", "correct": [True, None]})
    items = items.assign(log_probability=np.float32([-0.1, np.nan]), word=["NA", ""], source="")
    measure(changed.folder, "tokens", 40, rows, items, settings={"sentences": 2})
    measure(changed.folder, "frozen", 0, [measurements.row("", "", "not applicable", None, reason="no head")])
    return Series.open_all(changed.folder.root, kept.folder.root)


@pytest.fixture(scope="module")
def expected(both):
    """Rows by table, as readers in this package see them."""
    tables = {"measurements": pd.concat([measurements.read(each) for each in both])}
    for probe in WITH_ITEMS:
        items = [measurements.read_items(each, probe).assign(series=each.name) for each in both]
        tables[f"items_{probe}"] = pd.concat(items)
    return tables


@pytest.fixture(scope="module", params=["parquet", "csv", "duckdb"])
def exported(request, both, tmp_path_factory):
    file = tmp_path_factory.mktemp("exported") / f"tables.{request.param}"
    said = export(both, file, items=True)
    return file, said


def plain(frame):
    """Rows of a frame as tuples, in which what is missing is None."""
    return [tuple(None if pd.isna(value) else value for value in row) for row in frame.itertuples(index=False)]


def read(file, table):
    """The columns of an exported table, and its rows as tuples of plain values; those of CSV are text."""
    beside = file if table == "measurements" else file.with_name(f"tables-{table}{file.suffix}")
    if file.suffix == ".duckdb":
        with duckdb.connect(str(file), read_only=True) as connection:
            found = connection.execute(f'SELECT * FROM "{table}"')
            return [column[0] for column in found.description], found.fetchall()
    if file.suffix == ".parquet":
        whole = pq.ParquetFile(beside).read()
        return whole.column_names, list(zip(*whole.to_pydict().values(), strict=True))
    with open(beside, newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    return header, rows


def cast(value, column):
    """A field of the measurements in CSV as what it stands for."""
    return None if value == "" and column not in NEVER_EMPTY else CASTS[TYPES[column]](value)


def fields(file, text):
    """Rows of CSV as Arrow reads them, which tells empty text, in quotes, from what is missing."""
    convert = pa.csv.ConvertOptions(
        column_types={column: pa.string() for column in text},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    whole = pa.csv.read_csv(file, convert_options=convert, parse_options=pa.csv.ParseOptions(newlines_in_values=True))
    return list(zip(*whole.to_pydict().values(), strict=True))


def test_measurements_are_those_that_count_row_by_row(exported, expected):
    file, _ = exported
    header, rows = read(file, "measurements")
    assert header == [*TYPES] == [*expected["measurements"]]
    if file.suffix == ".csv":
        rows = [tuple(map(cast, row, header)) for row in rows]
    assert rows == plain(expected["measurements"])
    values = [row[header.index("value")] for row in rows]
    assert NOW in values
    assert ASIDE not in values
    assert {row[0] for row in rows} == {"changed", "kept"}


@pytest.mark.parametrize(
    "table", ["items_attention", "items_edges", "items_finetune", "items_knowledge", "items_tokens"]
)
def test_items_are_those_behind_them_and_what_a_series_lacks_is_null(exported, expected, table):
    file, _ = exported
    header, rows = read(file, table)
    assert (header[0], {*header}) == ("series", {*expected[table]})
    wanted = expected[table][header]
    if file.suffix == ".csv":
        text = [column for column in header if wanted[column].map(type).eq(str).any()]
        rows = fields(file.with_name(f"tables-{table}.csv"), text)
    assert rows == plain(wanted)


def test_types_are_those_of_the_measurements_and_items(both, tmp_path):
    export(both[:1], tmp_path / "t.duckdb", items=True)
    with duckdb.connect(str(tmp_path / "t.duckdb"), read_only=True) as connection:
        types = {
            table: {row[0]: row[1] for row in connection.execute(f"DESCRIBE {table}").fetchall()}
            for table in ("measurements", "items_tokens")
        }
    assert types["measurements"] == TYPES
    of_items = {"item_id": "VARCHAR", "task": "VARCHAR", "correct": "BOOLEAN", "log_probability": "FLOAT"}
    assert of_items.items() <= types["items_tokens"].items()
    export(both[:1], tmp_path / "t.parquet")
    names = {"BIGINT": "int64", "SMALLINT": "int16", "INTEGER": "int32", "DOUBLE": "double", "VARCHAR": "string"}
    schema = pq.read_schema(tmp_path / "t.parquet")
    assert {field.name: str(field.type) for field in schema} == {name: names[kind] for name, kind in TYPES.items()}


def test_each_table_is_told_with_its_rows(exported, expected):
    file, said = exported
    beside = "" if file.suffix == ".duckdb" else "-items_edges"
    assert said[0] == f"measurements: {len(expected['measurements']):,} rows in {file}"
    assert f"items_edges: {len(expected['items_edges']):,} rows in {file.with_stem(f'tables{beside}')}" in said
    names = [line.partition(":")[0] for line in said]
    items = [f"items_{probe}" for probe in WITH_ITEMS]
    assert names == ["measurements", "configurations", *items, "dictionary"]


def test_without_items_there_are_none(both, tmp_path):
    export(both, tmp_path / "t.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"t.csv", "t-configurations.csv", "t-dictionary.csv"}
    export(both, tmp_path / "t.duckdb")
    with duckdb.connect(str(tmp_path / "t.duckdb"), read_only=True) as connection:
        tables = connection.execute("SHOW TABLES").fetchall()
    assert {name for (name,) in tables} == {"measurements", "configurations", "dictionary"}


def test_configurations_say_what_each_probe_measured_under(both, tmp_path):
    export(both, tmp_path / "t.parquet")
    listed = pq.read_table(tmp_path / "t-configurations.parquet").to_pylist()
    rows = {(row["series"], row["probe"]): row for row in listed}
    assert len(rows) == len(listed) == 20
    changed, kept = rows["changed", "tokens"], rows["kept", "tokens"]
    assert (json.loads(changed["settings"]), json.loads(kept["settings"])) == ({"sentences": 2}, {})
    (measured,) = both[0].folder.measurements.glob(f"tokens/{changed['configuration'][:16]}/*.parquet")
    assert measured.name.startswith("00000040-")
    assert (json.loads(kept["data"]), kept["tokenizer"]) == ({"made": "up"}, "0" * 64)
    assert (kept["counts"], kept["seed"], kept["version"]) == ("step", 0, "2")
    assert kept["recipe"] == changed["recipe"] == both[0].recipe


def test_the_dictionary_has_every_column_and_every_name(both, expected, tmp_path):
    export(both, tmp_path / "t.parquet", items=True)
    rows = pq.read_table(tmp_path / "t-dictionary.parquet").to_pylist()
    columns = [(row["table"], row["column"], row["type"]) for row in rows if row["value"] is None]
    files = {"measurements": "t.parquet"} | {
        name: f"t-{name}.parquet" for name in (*list(expected)[1:], "configurations", "dictionary")
    }
    there = [
        (table, field.name, str(field.type))
        for table, file in files.items()
        for field in pq.read_schema(tmp_path / file)
    ]
    assert sorted(columns) == sorted(there)
    said = {(row["probe"], row["column"], row["value"]): row for row in rows if row["value"] is not None}
    measured = expected["measurements"]
    for column in ("task", "metric", "baseline", "unit"):
        pairs = measured.loc[measured[column].fillna("") != "", ["probe", column]].drop_duplicates().to_numpy().tolist()
        assert {(probe, name) for probe, name in pairs} == {(probe, name) for probe, of, name in said if of == column}
    assert [name for name, row in said.items() if not row["meaning"]] == []
    gain = said["knowledge", "metric", "gain"]
    assert (gain["unit"], gain["source"]) == ("nats", f"probe knowledge, version {registry.get('knowledge').version}")
    assert said["knowledge", "baseline", "most-common-object"]["meaning"] == "most common object of the relation"
    assert said["knowledge", "task", "trex/not named"]["meaning"] == "LAMA T-REx, not named"
    assert said["tokens", "unit", "word"]["meaning"] == "words"
    assert "nothing to measure" in said["frozen", "metric", "not applicable"]["meaning"]


def test_a_probe_that_is_gone_is_exported_without_meanings(both, tmp_path, monkeypatch):
    known = {name: each for name, each in registry.specifications().items() if name != "edges"}
    monkeypatch.setattr(registry, "specifications", lambda: known)
    export(both, tmp_path / "t.parquet")
    rows = pq.read_table(tmp_path / "t-dictionary.parquet").to_pylist()
    (row,) = (row for row in rows if (row["probe"], row["value"]) == ("edges", "f1_macro"))
    assert (row["meaning"], row["unit"]) == (None, None)
    assert pq.read_table(tmp_path / "t.parquet", filters=[("probe", "=", "edges")]).num_rows


@pytest.mark.parametrize("ending", ["parquet", "csv", "duckdb"])
def test_what_is_there_is_left_alone_until_it_is_to_be_replaced(both, tmp_path, ending):
    file = tmp_path / f"t.{ending}"
    export(both, file, items=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(EmbryologyError, match=rf"t\.{ending} is there already; --replace takes its place"):
        export(both[:1], file)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    export(both[:1], file, replace=True)
    tables = {"t"} if ending == "duckdb" else {"t", "t-configurations", "t-dictionary"}
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{ending}" for name in tables}
    assert file.read_bytes() != before[file.name]


def test_a_table_beside_it_that_is_not_ours_is_not_replaced_without_a_word(both, tmp_path):
    (tmp_path / "t-dictionary.csv").write_text("mine")
    with pytest.raises(EmbryologyError, match=r"t-dictionary\.csv is there already"):
        export(both, tmp_path / "t.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["t-dictionary.csv"]
    (tmp_path / "t-dictionary.csv").unlink()
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(EmbryologyError, match=r"t\.csv is there already; it is a folder, give another --to"):
        export(both, tmp_path / "t.csv", replace=True)
    (tmp_path / "t-others.csv").write_text("mine")
    (tmp_path / "t.csv").rmdir()
    export(both, tmp_path / "t.csv", replace=True)
    assert (tmp_path / "t-others.csv").read_text() == "mine"


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.parquet.gz", "t.CSV"])
def test_another_ending_is_refused(both, tmp_path, name):
    with pytest.raises(EmbryologyError, match=r"the ending has to say the format: \.parquet, \.csv, \.duckdb"):
        export(both, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_without_duckdb_the_other_formats_remain(both, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "find_spec", {"duckdb": None}.__getitem__)
    with pytest.raises(EmbryologyError, match="DuckDB is not installed; pip install duckdb, or export to"):
        export(both, tmp_path / "t.duckdb")
    export(both, tmp_path / "t.csv")


def test_what_is_not_measured_leaves_nothing(both, tmp_path):
    empty = Series.open(shutil.copytree(both[0].folder.root, tmp_path / "empty"))
    shutil.rmtree(empty.folder.measurements)
    with pytest.raises(EmbryologyError, match="run empty has no measurements of any probe"):
        export([both[1], empty], tmp_path / "out" / "t.csv")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def nested(both, tmp_path):
    series = Series.open(shutil.copytree(both[0].folder.root, tmp_path / "run"))
    row = measurements.row("reconstruction", "", "accuracy", NOW, n=7)
    items = pd.DataFrame({"item_id": ["a"], "word": [["a", "list"]]})
    measure(series.folder, "tokens", 0, [row], items, settings={"nested": 1})
    return series


@pytest.mark.parametrize("replace", [False, True])
def test_what_csv_cannot_hold_leaves_what_was_there(nested, tmp_path, replace):
    file = tmp_path / "out" / "t.csv"
    if replace:
        export([nested], file)
    before = {path.name: path.read_bytes() for path in file.parent.glob("*")}
    with pytest.raises(
        EmbryologyError, match=r"CSV cannot hold items_tokens \(.*list.*; export to \.parquet or \.duckdb"
    ):
        export([nested], file, items=True, replace=replace)
    assert {path.name: path.read_bytes() for path in file.parent.glob("*")} == before
    export([nested], file.with_suffix(".parquet"), items=True)
    assert pq.read_table(file.with_name("t-items_tokens.parquet"))["word"].to_pylist() == [["a", "list"]]


def test_items_of_other_types_are_not_joined(nested, both, tmp_path):
    with pytest.raises(EmbryologyError, match="the items of probe tokens do not fit together"):
        export([nested, both[0]], tmp_path / "t.parquet", items=True)


@pytest.mark.parametrize("ending", ["parquet", "csv", "duckdb"])
def test_a_full_disk_is_one_line(both, tmp_path, ending):
    with disk_of("20k", tmp_path / "disk") as disk:
        with pytest.raises(EmbryologyError) as refused:
            export(both, disk / f"t.{ending}", items=True)
        assert str(refused.value).startswith(f"cannot write {disk / 't'}")
        assert len(str(refused.value).splitlines()) == 1
        assert not list(disk.iterdir())
