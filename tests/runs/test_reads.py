"""What a process reads of measurements is noted by probe, whichever way it is read; what is not read, is not."""

import ast
from pathlib import Path

import pandas as pd
import pytest

import embryology
from embryology.runs import measurements, properties, reads
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs.properties import FREQUENCY
from tests.stub_project import measured_run
from tests.synthetic import configuration, measure


@pytest.fixture
def series(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    folder = measured_run("tiny")
    measure(folder, "edges", 0, [measurements.row("pos", "NN", "micro_f1", 0.5, n=10)])
    properties.write(folder, configuration("tokens"), FREQUENCY, pd.DataFrame({"item_id": ["a"], "count": [1]}))
    return Series.open("tiny")


WAYS = {
    "rows": (lambda series: measurements.read(series, "tokens"), {"tokens"}),
    "items": (lambda series: measurements.read_items(series, "tokens"), {"tokens"}),
    "properties": (lambda series: properties.read(series, "tokens", FREQUENCY), {"tokens"}),
    "whether they are there": (lambda series: measurements.lacking(series, "edges"), {"edges"}),
    "that they are not": (lambda series: measurements.lacking(series, "grammar"), {"grammar"}),
    "configuration": (lambda series: measurements.standing(series.folder).get("edges"), {"edges"}),
    "name": (lambda series: "grammar" in measurements.standing(series.folder), {"grammar"}),
    "all rows": (lambda series: measurements.read(series), {reads.ALL, "edges", "tokens"}),
    "all names": (lambda series: [*measurements.standing(series.folder)], {reads.ALL}),
    "how many": (lambda series: len(measurements.standing(series.folder)), {reads.ALL}),
    "a copy": (lambda series: dict(measurements.standing(series.folder)), {reads.ALL, "edges", "tokens"}),
    "what does not count": (measurements.set_aside, {reads.ALL, "edges", "tokens"}),
    "losses": (lambda series: series.losses, set()),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_read_is_noted(series, tmp_path, monkeypatch, way):
    read, probes = WAYS[way]
    series = Series.open("tiny")
    monkeypatch.setenv(reads.PLACE, str(tmp_path / "reads"))
    read(series)
    assert reads.noted(tmp_path / "reads") == ({tmp_path / "runs" / "tiny": probes} if probes else {})


def test_a_run_is_one_by_whatever_path_it_is_named(series, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path / "runs" / "tiny")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(reads.PLACE, str(tmp_path / "reads"))
    for name in ("link", "runs/tiny"):
        measurements.lacking(Series.open(RunFolder(Path(name)).root), "tokens")
    assert reads.noted(tmp_path / "reads") == {tmp_path / "runs" / "tiny": {"tokens"}}


def test_without_the_variable_nothing_is_noted(series, tmp_path, monkeypatch):
    monkeypatch.delenv(reads.PLACE, raising=False)
    before = sorted(tmp_path.rglob("*"))
    measurements.read(series)
    assert sorted(tmp_path.rglob("*")) == before


def test_no_other_module_that_pages_use_finds_measurements_by_itself():
    package = Path(embryology.__file__).parent
    sources = [file for room in ("runs", "analysis", "figures") for file in (package / room).rglob("*.py")]
    found = set()
    for file in sources:
        nodes = ast.walk(ast.parse(file.read_text()))
        if any(isinstance(node, ast.Attribute) and node.attr == "measurements" for node in nodes):
            found.add(file.relative_to(package).as_posix())
    # Those that write them, and the paths themselves.
    assert found == {"runs/measurements.py", "runs/paths.py", "runs/plugins.py"}
