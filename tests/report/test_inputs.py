"""What a page depends on: of the probes that it looked up everything, of the others nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from embryology.report import inputs
from embryology.report.pages import pages
from embryology.runs.reads import ALL
from tests.stub_project import make_project, write_notebook

FILES = inputs.Files(
    Path("/runs/tiny"),
    {"edges": [("edges/a", "1")], "tokens": [("tokens/a", "2")]},
    {"edges": "3", "tokens": "4"},
    [("standing.json", "5")],
    [("losses.parquet", "6")],
)
CHANGES = {
    "a value of another probe": ({"measured": FILES.measured | {"edges": [("edges/a", "x")]}}, {"edges", ALL}),
    "a value": ({"measured": FILES.measured | {"tokens": [("tokens/a", "x")]}}, {"tokens", ALL}),
    "another checkpoint": ({"measured": FILES.measured | {"tokens": [("tokens/b", "2")]}}, {"tokens", ALL}),
    "settings": ({"standing": FILES.standing | {"tokens": "x"}}, {"tokens"}),
    "a new probe": (
        {"measured": FILES.measured | {"grammar": []}, "standing": FILES.standing | {"grammar": "x"}},
        {"grammar", ALL},
    ),
    "what counts": ({"records": [("standing.json", "x")]}, {ALL}),
    "losses": ({"others": [("losses.parquet", "x")]}, {"edges", "tokens", "grammar", ALL, None}),
    "its place": ({"run": Path("/runs/other")}, set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_one_for_those_who_read_it(change):
    values, readers = CHANGES[change]
    for probes in ({"edges"}, {"tokens"}, {"grammar"}, {ALL}, set()):
        changed = replace(FILES, **values).read(probes) != FILES.read(probes)
        assert changed == bool((probes or {None}) & readers), probes


def test_what_was_read_is_told_by_series_and_of_a_page_that_may_read_by_itself_nothing(tmp_path):
    root = make_project(tmp_path / "project")
    write_notebook(root / "notebooks" / "index.ipynb", "import embryology.runs\nfrom embryology.analysis import clock")
    write_notebook(root / "notebooks" / "tokens.ipynb", "def read():\n    from pandas import read_parquet")
    by_name = {page.name: page for page in pages(root)}
    files = [FILES, replace(FILES, run=Path("/runs/other"))]
    found = {Path("/runs/other"): {"tokens", "edges"}, Path("/runs/third"): {"tokens"}}
    assert inputs.reads(by_name["index"], files, found) == [[], ["edges", "tokens"]]
    assert inputs.reads(by_name["tokens"], files, found) is None
