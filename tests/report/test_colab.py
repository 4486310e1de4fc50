"""The cell that brings a notebook's repository to Google Colab, on a machine that stands for Colab's."""

import io
import json
import os
import subprocess
import sys
import types
import urllib.request
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from embryology.report import colab
from embryology.runs.paths import ROOT
from embryology.specs.imports import imported
from tests.test_project import imports

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OPENED = "fileId=https%3A//github.com/somebody/fork/blob/trunk/notebooks/tokens.ipynb"
CLONE = ["git", "clone", "--quiet"]


def cell_of(notebook):
    """The first code cell, which has to be Colab's."""
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    marked = [cell for cell in cells if "colab" in cell.metadata.get("tags", [])]
    assert marked == cells[:1]
    assert "remove-cell" in marked[0].metadata.tags
    return marked[0].source


@pytest.fixture
def commands(monkeypatch):
    """Commands that were given and not run."""
    given = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: given.append(list(map(str, command))))
    return given


@pytest.fixture
def machine(tmp_path, monkeypatch, commands):
    """Runs the cell as Colab does; ``machine.path`` is what Colab says of where the notebook is from."""
    monkeypatch.delenv("EMBRYOLOGY_REPOSITORY", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    machine = types.SimpleNamespace(path=OPENED, asked=[], content=tmp_path)

    def urlopen(url):
        machine.asked.append(url)
        return io.StringIO(json.dumps([{"path": machine.path, "name": "tokens.ipynb"}]))

    def run(command, check):
        commands.append(list(map(str, command)))
        assert check
        if command[:2] == ["git", "clone"]:
            Path(command[-1]).symlink_to(ROOT)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.setattr(subprocess, "run", run)
    machine.execute = lambda: exec(cell_of(NOTEBOOKS[0]).replace("/content", str(tmp_path)), {})
    return machine


def test_all_notebooks_have_the_same_cell():
    assert len({cell_of(notebook) for notebook in NOTEBOOKS}) == 1


def test_elsewhere_nothing_is_done(commands, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    names = {}
    exec(cell_of(NOTEBOOKS[0]), names)
    assert names.keys() - {"__builtins__"} == {"sys"}
    assert (Path.cwd(), commands) == (tmp_path, [])


def test_on_colab_the_repository_is_fetched_that_the_notebook_was_opened_from(machine, commands):
    machine.execute()
    clone, *pip = commands
    assert clone == [*CLONE, "--branch", "trunk", "https://github.com/somebody/fork", f"{machine.content}/embryology"]
    assert [command[:4] for command in pip] == [[sys.executable, "-m", "pip", "install"]] * 2
    assert pip[1][-2:] == ["--no-deps", str(ROOT)]
    assert Path.cwd() == ROOT
    machine.execute()  # again, as after a restart
    assert commands[3:] == pip
    assert len(machine.asked) == 1


def test_a_repository_that_was_named_is_taken(machine, commands, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_REPOSITORY", "https://github.com/other/copy")
    machine.execute()
    assert commands[0] == [*CLONE, "https://github.com/other/copy", f"{machine.content}/embryology"]
    assert machine.asked == []


def test_a_copy_that_does_not_say_where_it_is_from_is_refused(machine, commands):
    machine.path = "fileId=1AbCdEf"
    with pytest.raises(SystemExit, match=r"^say where this notebook is from: %env EMBRYOLOGY_REPOSITORY="):
        machine.execute()
    assert commands == []
    assert os.listdir(machine.content) == []


def test_all_packages_that_notebooks_import_are_installed_and_no_others():
    sources = [
        cell.source
        for notebook in NOTEBOOKS
        for cell in nbformat.read(notebook, 4).cells[2:]
        if cell.cell_type == "code"
    ]
    files = {file for notebook in NOTEBOOKS for file in imported(json.loads(notebook.read_text())["cells"])}
    used = {
        name.split(".")[0] for source in [*sources, *(file.read_text() for file in files)] for name in imports(source)
    }
    distributions = metadata.packages_distributions()
    packages = {name for module in used for name in distributions.get(module, [])}
    asked = list(map(Requirement, colab.wanted(ROOT)))
    assert {each.name for each in asked} == packages - {"embryology", "ipython"}
    assert all(each.specifier for each in asked)


def test_a_kernel_that_has_another_version_has_to_be_started_again(commands, monkeypatch):
    colab.install(ROOT)
    monkeypatch.setattr(sys.modules["numpy"], "__version__", "2.0.2")
    with pytest.raises(SystemExit, match=r"^numpy came in another version: Runtime > Restart session"):
        colab.install(ROOT)
