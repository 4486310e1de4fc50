"""What a page depends on: found in the source, and held against what Python loads."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from embryology.report import imports
from embryology.runs.paths import ROOT
from embryology.storage.files import sha256_of_file

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells_of(notebook):
    return json.loads(notebook.read_text())["cells"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that may be changed."""
    copy = shutil.copytree(ROOT / "embryology", tmp_path / "embryology")
    monkeypatch.setattr(imports, "PACKAGE", copy)
    clear()
    yield copy
    clear()


def clear():
    imports._top_level.cache_clear()
    imports._imports_of.cache_clear()


def stale(package, change):
    """The notebooks whose code changes where ``change`` does something to a file of the package."""

    def hashes():
        clear()
        return {notebook.stem: [sha256_of_file(file) for file in imports.imported(cells_of(notebook))]
                for notebook in NOTEBOOKS}  # fmt: skip

    before = hashes()
    change(package)
    after = hashes()
    return {name for name in before if before[name] != after[name]}


def append(file, line):
    def change(package):
        with open(package / file, "a") as stream:
            stream.write(f"\n{line}\n")

    return change


LOADED = """
import json, os, sys
import IPython, matplotlib.pyplot, pandas, pyarrow.parquet, pydantic, scipy.stats  # once for all children
for name, code in json.loads(sys.argv[1]).items():
    if os.fork() == 0:
        exec(code)
        files = [module.__file__ for key, module in sys.modules.items() if key.startswith("embryology")]
        print(json.dumps([name, files]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""
"""What Python loads for the imports of each notebook, a line each."""


def test_all_that_python_loads_is_found():
    code = {}
    for notebook in NOTEBOOKS:
        cells = ["".join(cell["source"]) for cell in cells_of(notebook) if cell["cell_type"] == "code"]
        lines = [line for cell in cells for line in cell.splitlines()]
        code[notebook.stem] = "\n".join(line for line in lines if re.match("(from|import) embryology", line))
    run = [sys.executable, "-c", LOADED, json.dumps(code)]
    lines = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout.splitlines()
    loaded = dict(map(json.loads, lines))
    assert loaded.keys() == code.keys()
    for notebook in NOTEBOOKS:
        assert len(loaded[notebook.stem]) > 5
        assert set(loaded[notebook.stem]) <= {str(file) for file in imports.imported(cells_of(notebook))}


@pytest.mark.parametrize(
    ("file", "pages"),
    [
        ("figures/layers.py", {"layers"}),
        ("figures/edges.py", {"edges", "layers"}),
        ("analysis/recipes.py", {"recipes"}),
        ("analysis/published_probing.py", {"edges", "layers", "published_probing"}),
        ("pretraining/loop.py", set()),
        ("probes/tokens.py", set()),
    ],
)
def test_a_changed_constant_makes_the_pages_that_import_it_stale_and_no_others(package, file, pages):
    assert stale(package, append(file, "ANOTHER = 1")) == pages


@pytest.mark.parametrize("file", ["runs/paths.py", "storage/files.py", "intervals.py", "figures/style.py"])
def test_what_all_pages_import_makes_all_of_them_stale(package, file):
    assert {"tokens", "edges", "layers", "knowledge", "downstream", "pretraining"} <= stale(
        package, append(file, "ANOTHER = 1")
    )


def test_imports_within_functions_count(package):
    append("figures/layers.py", "def late():\n    from embryology.pretraining import loop")(package)
    assert "layers" in stale(package, append("pretraining/loop.py", "ANOTHER = 1"))
