"""A project of three notebooks and a measured run, whose book is not built."""

import json

import pytest

from embryology.report import book
from embryology.report import build as reports
from tests.stub_project import make_project, measured_run


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(book, "build", lambda root, runs, console: root / "_build" / "html" / "index.html")
    measured_run("tiny")
    return make_project(tmp_path / "project")


@pytest.fixture
def executed(monkeypatch):
    """Pages in the order in which they would have been executed; no kernel is started."""
    executions = []

    def note(execution):
        executions.append(execution)
        execution.place.parent.mkdir(parents=True, exist_ok=True)
        cells = [{"source": [f"# {execution.page.title}"]}]
        notebook = {"cells": cells, "metadata": {"embryology": {"sha256": execution.sha256(None), "reads": None}}}
        execution.place.write_text(json.dumps(notebook))

    monkeypatch.setattr(reports, "_execute", note)
    return executions
