"""A probe with its page, from two files outside the package: found, measured, drawn and frozen, with nothing edited."""

import io
import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.probes.runner import run_probes
from embryology.report import book, imports
from embryology.report.build import report
from embryology.runs import losses, measurements
from embryology.runs.freeze import freeze
from embryology.runs.series import Series
from embryology.specs import registry
from tests.stub_project import make_project, measured_run
from tests.synthetic import write_manifest

COVERS = ("embryology/specs/registry.py",)
FILES = Path(__file__).with_name("plugin")


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The two files and what installing a package with such an entry point leaves beside them."""
    folder = shutil.copytree(FILES, tmp_path / "plugin", ignore=shutil.ignore_patterns("__pycache__"))
    assert sorted(file.name for file in folder.iterdir()) == ["letters.ipynb", "letters.py"]
    information = folder / "letters-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: letters\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[embryology.probes]\nletters = letters:SPECIFICATION\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")  # for the kernels of notebooks
    forget()
    yield folder
    forget()


def forget():
    """What is installed is looked up once a process, and a module of another test's folder may be loaded."""
    sys.modules.pop("letters", None)
    for function in (registry.specifications, imports._top_level, imports._imports_of):
        function.cache_clear()


@pytest.fixture
def series(plugin, make_series):
    """A measured series, with what a finished run has."""
    series = make_series(steps=(0, 10))
    assert run_probes(series, registry.asked_for(["letters"], {}), device="cpu") == 2
    outcome = presets.load("smoke").outcome.model_copy(update={"steps": 10, "checkpoints": [0, 10]})
    write_manifest(series.folder, outcome, {"letters": {"words": 3}})
    rows = [{"step": step, "tokens": step, "held_out_masked_loss": 1.0} for step in (0, 10)]
    losses.write(series.folder, rows)
    series.folder.corpus.write_text("{}")
    return Series.open(series.folder.root)


def test_it_is_measured_and_its_settings_are_checked_in_a_preset(series):
    assert measurements.read(series, "letters")["step"].tolist() == [0, 10]
    assert measurements.read_items(series, "letters", ["letters"]).to_numpy().min() >= 0
    values = {"name": "mine", "outcome": presets.load("smoke").outcome.model_dump(mode="json")}
    with pytest.raises(EmbryologyError, match=r"mine: settings of probe letters\.wrods: there is no such key"):
        presets.validated(values | {"probes": {"letters": {"wrods": 1}}}, "mine")


def test_its_page_is_in_the_book_and_stale_where_its_code_changes(series, plugin, tmp_path, monkeypatch):
    project = make_project(tmp_path / "project")
    monkeypatch.setattr(book, "build", lambda root, toc, console: console.print(json.dumps(toc), soft_wrap=True))
    run = str(series.folder.root)

    def shown():
        screen = io.StringIO()
        report([run], console=Console(file=screen, width=300), root=project)
        return screen.getvalue()

    first = shown()
    assert "letters.ipynb: executed" in first
    assert f"book/executed/{series.name}/letters" in first
    page = project / "book" / "executed" / series.name
    assert "Letters of the likeliest piece [" in (page / "letters.ipynb").read_text()
    assert (
        "[How long its words are](letters.ipynb): how many letters the likeliest piece has."
        in (page / "index.ipynb").read_text()
    )
    assert shown().count("unchanged, skipped") == 2  # the front and its own
    code = plugin / "letters.py"
    code.write_text(code.read_text().replace("Letters of the likeliest piece", "Letters"))
    third = shown()
    assert "letters.ipynb: executed" in third
    assert "index.ipynb: unchanged, skipped" in third


def test_it_is_frozen_with_the_columns_that_it_names(series, tmp_path):
    frozen = Series.open(freeze(series, tmp_path / "results" / "mine"))
    pd.testing.assert_series_equal(
        measurements.read(frozen, "letters")["value"], measurements.read(series, "letters")["value"]
    )
    assert measurements.read_items(frozen, "letters").columns.tolist() == list(registry.get("letters").kept_items)


def test_a_plugin_that_cannot_be_loaded_or_has_a_name_that_is_taken_is_named(plugin, tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    measured_run("tiny")
    points = plugin / "letters-1.0.dist-info" / "entry_points.txt"
    for text, message in (
        ("letters = lettres:SPECIFICATION", "the probe 'letters' .* cannot be loaded: ModuleNotFoundError"),
        ("letters = letters:HEADING", "the entry point 'letters' .* is no specification of that name"),
        ("words = letters:SPECIFICATION", "the entry point 'words' .* is no specification of that name"),
        ("tokens = tokens_again:SPECIFICATION", "two installed probes are called 'tokens'"),
    ):
        points.write_text(f"[embryology.probes]\n{text}\n")
        (plugin / "tokens_again.py").write_text(
            "from dataclasses import replace\nfrom embryology.specs import tokens\n"
            "SPECIFICATION = replace(tokens.SPECIFICATION, version=2)\n"
        )
        forget()
        with pytest.raises(EmbryologyError, match=message):
            registry.specifications()
