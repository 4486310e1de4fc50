"""The page on the exported tables: what it says of them, and its examples, held against the CSV file line by line."""

import ast
import base64
import csv
import json
import math
import re
import shutil
import subprocess
import zlib
from collections import Counter, defaultdict

import duckdb
import nbformat
import pytest

from embryology.figures import exported
from embryology.runs.export import export
from embryology.runs.paths import ROOT
from embryology.runs.series import Series
from tests.figures.reading import cells_of
from tests.synthetic import make_run

NOUNS = ("NN", "NNS", "NNP", "NNPS", "NOUN", "PROPN")
PAGE = nbformat.read(ROOT / "notebooks" / "tables.ipynb", as_version=4).cells


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two trained runs, whose nouns all pass one half, one with fewer checkpoints and one whose nouns never do."""
    folder = tmp_path_factory.mktemp("exported")
    made = make_run(folder / "runs" / "made up", sentences=20, tags={"VB": "NNS"})
    frozen = [ROOT / "results" / name for name in ("tiny-seed0", "tiny-bert-seed0")]
    for ending in ("parquet", "csv", "duckdb"):
        export([*Series.open_all(*frozen), made], folder / f"tables.{ending}")
    return folder


@pytest.fixture(scope="module")
def lines(folder):
    """Those of the CSV file, as text by column."""
    with open(folder / "tables.csv", newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def passes(lines):
    """By series and part of speech the first step with more than half of the nouns right; infinite where none has."""
    first = defaultdict(lambda: math.inf)
    for line in lines:
        asked = (line["task"], line["metric"], line["baseline"])
        if asked == ("reconstruction", "accuracy", "") and line["group"] in NOUNS:
            at = int(line["step"]) if float(line["value"]) > 0.5 else math.inf
            first[line["series"], line["group"]] = min(at, first[line["series"], line["group"]])
    assert 0 < sum(map(math.isinf, first.values())) < len(first)
    return dict(first)


def answer(package, folder):
    """What the cell of the page that imports a package shows."""
    (cell,) = (cell for cell in PAGE if cell.source.startswith(f"import {package}"))
    assert cell.metadata.tags == ["example"]
    *before, last = ast.parse(cell.source).body
    names = {"folder": folder}
    exec(compile(ast.Module(before, []), "the page", "exec"), names)
    return eval(compile(ast.Expression(last.value), "the page", "eval"), names)


def test_the_example_in_pandas_finds_the_first_step_of_each_series(folder, lines, passes):
    rows = answer("pandas", folder).set_index(["series", "group"])
    found = rows["passes"].astype(float).fillna(math.inf).to_dict()
    assert found == passes
    words = {
        (line["series"], line["group"]): int(line["n"])
        for line in lines
        if (line["task"], line["metric"]) == ("reconstruction", "accuracy") and line["group"] in NOUNS
    }
    assert rows["words"].to_dict() == words


def test_the_example_in_duckdb_compares_the_last_checkpoint_with_the_best_baseline(folder, lines):
    values = defaultdict(lambda: defaultdict(list))
    for line in lines:
        if (line["metric"], line["group"], line["layer"]) == ("accuracy", "", ""):
            of = values[line["series"], line["probe"], line["task"]]
            of[int(line["step"])].append((line["baseline"], float(line["value"])))
    expected = {}
    for of, by_step in values.items():
        ours = [value for baseline, value in by_step[max(by_step)] if not baseline]
        if not ours:  # a baseline alone
            continue
        best = max((value for baseline, value in by_step[max(by_step)] if baseline), default=math.nan)
        mean = sum(ours) / len(ours)
        expected[of] = (max(by_step), *(round(number, 3) for number in (mean, best, mean - best)))
    rows = answer("duckdb", folder)
    found = {tuple(row[:3]): tuple(row[3:]) for row in rows.itertuples(index=False)}
    assert found.keys() == expected.keys()
    assert len({row[0] for row in found.values()}) > 1
    for of, row in found.items():
        assert row == pytest.approx(expected[of], abs=0.00101, nan_ok=True), of


@pytest.mark.long
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="there is no Rscript; Debian's r-base-core has it")
def test_the_example_in_r_gives_what_pandas_gives(folder, passes):
    """The text of the page itself, by R without any package."""
    (program,) = re.findall(r"```r\n(.*?)```", "\n".join(cell.source for cell in PAGE), re.DOTALL)
    command = ["Rscript", "--vanilla", "-e", program]
    printed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    header, *rows = printed.splitlines()
    assert header.split() == ["group", "series", "passes"]
    found = [re.fullmatch(r"\d+ +(\S+) +(\S.*?) +(\S+)", row).groups() for row in rows]
    assert {(series, group): float(at) for group, series, at in found} == passes
    assert len(found) == len(passes)


@pytest.fixture(scope="module")
def of_two(runs):
    return exported.make([runs[0], runs[1]])


def test_the_tables_are_listed_with_their_files_and_rows(of_two):
    rows = cells_of(exported.written(of_two).data)
    assert [row[0] for row in rows] == [
        "measurements", "configurations", "dictionary", "items_attention", "items_completions",
        "items_divergence", "items_edges", "items_finetune", "items_grammar", "items_knowledge", "items_similarity",
        "items_tokens",
    ]  # fmt: skip
    assert {row[1] for row in rows} == {file.name for file in of_two.glob("*.parquet")}
    with duckdb.connect(of_two / "tables.duckdb", read_only=True) as connection:
        for table, _, count, columns, _ in rows[:2]:
            there = connection.sql(f"SELECT * FROM {table}")
            assert (int(count.replace(",", "")), int(columns)) == (len(there.fetchall()), len(there.columns))
        assert connection.sql("SHOW TABLES").fetchall() == [("configurations",), ("dictionary",), ("measurements",)]
    assert rows[-1][-1] == "an item that tokens asked about, at a checkpoint"


def test_rows_are_counted_by_series_and_probe_at_the_chosen_steps(runs, of_two, tmp_path):
    one, other, _ = runs
    export([one, other], tmp_path / "tables.csv")
    with open(tmp_path / "tables.csv", newline="", encoding="utf-8") as stream:
        lines = [
            line for line in csv.DictReader(stream) if line["series"] == other.name or line["step"] in ("0", "160")
        ]
    counts = Counter((line["series"], line["probe"]) for line in lines)
    of_baselines = Counter((line["series"], line["probe"]) for line in lines if line["baseline"])
    steps = {of: len({line["step"] for line in lines if (line["series"], line["probe"]) == of}) for of in counts}
    rows = {(row[0], row[1]): row[2:] for row in cells_of(exported.measured(of_two, one, "0,160").data)}
    assert rows.keys() == counts.keys()
    for of, (checkpoints, all_rows, baselines, tasks, metrics) in rows.items():
        assert (checkpoints, all_rows) == (str(steps[of]), f"{counts[of]:,}")
        assert baselines == f"{of_baselines[of]:,}"
        for column, listed in (("task", tasks), ("metric", metrics)):
            named = sorted({line[column] for line in lines if (line["series"], line["probe"]) == of})
            shown = named if len(named) < 5 else [*named[:2], f"{len(named) - 2} others"]
            assert re.split(", | and ", listed) == shown


def test_the_dictionary_is_shown_whole_columns_apart_from_names(series, tmp_path):
    export([series], tmp_path / "tables.csv", items=True)
    with open(tmp_path / "tables-dictionary.csv", newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    folder = exported.make([series])
    columns, names = (cells_of(shown(folder).data) for shown in (exported.columns, exported.names))
    of_columns = [
        [line[name] for name in ("table", "column", "type", "meaning", "unit")] for line in lines if not line["value"]
    ]
    of_names = [
        [line[name] for name in ("probe", "column", "value", "meaning", "unit")] for line in lines if line["value"]
    ]
    assert columns == of_columns
    assert names == of_names
    assert ["measurements", "n", "int64", "items behind the value", ""] in columns
    assert ["knowledge", "metric", "gain"] in [row[:3] for row in names]


def test_the_table_to_filter_has_every_measurement(runs, tmp_path):
    series = runs[0]
    html = exported.all_of_them([series]).data
    packed = re.search(r'embryology-rows">([^<]*)<', html)[1]
    content = json.loads(zlib.decompress(base64.b64decode(packed)))
    names, values = content["names"], content["values"]
    columns = [[values[name][code] for code in content["codes"][name]] for name in names]
    told = sorted(zip(*(map(str, column) for column in columns), content["numbers"]["value"], strict=True))
    export([series], tmp_path / "to-filter.csv")
    with (tmp_path / "to-filter.csv").open(newline="") as file:
        kept = [row for row in csv.DictReader(file) if row["value"]]
    assert [row[:-1] for row in told] == sorted(tuple(row[name] for name in names) for row in kept)
    assert sorted(row[-1] for row in told) == pytest.approx(sorted(float(row["value"]) for row in kept), rel=1e-4)
