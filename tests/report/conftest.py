"""A project of two notebooks and a measured run, whose book is not built."""

import pytest

from embryology.report import book
from tests.stub_project import make_project, measured_run


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(book, "build", lambda root, runs, console: root / "_build" / "html" / "index.html")
    measured_run("tiny")
    return make_project(tmp_path / "project")
