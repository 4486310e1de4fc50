"""What a page depends on: found in the source, and held against what Python loads."""

import json
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from embryology.runs.paths import ROOT
from embryology.specs import imports

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells_of(notebook):
    return json.loads(notebook.read_text())["cells"]


LOADED = """
import json, os, sys
import filelock, IPython, matplotlib.pyplot, pandas, patsy, pyarrow.parquet, seaborn  # once for all children
import pydantic.main, rich.console, scipy.stats, yaml
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


@pytest.fixture(scope="module")
def importers():
    """The notebooks that import each file of the package."""
    found = {}
    for notebook in NOTEBOOKS:
        for file in imports.imported(cells_of(notebook)):
            found.setdefault(file.relative_to(imports.PACKAGE).as_posix(), set()).add(notebook.stem)
    return found


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
def test_a_file_belongs_to_the_pages_that_import_it_and_to_no_others(importers, file, pages):
    assert importers.get(file, set()) == pages


@pytest.mark.parametrize("file", ["runs/paths.py", "storage/files.py", "intervals.py", "figures/style.py"])
def test_some_files_belong_to_nearly_all_pages(importers, file):
    assert importers[file] >= {"tokens", "edges", "layers", "knowledge", "downstream", "pretraining"}


FILES = {
    "embryology/__init__.py": "",
    "embryology/one.py": "def late():\n    if True:\n        import embryology.room.two as two, os",
    "embryology/room/__init__.py": "import sys, embryology.three",
    "embryology/room/two.py": "from embryology.room import nothing, four\nfrom embryology import one",  # a ring
    "embryology/room/four.py": "from embryology.five import NAME",
    "embryology/three.py": "",
    "embryology/five.py": "",
    "embryology/six.py": "",
    "plugged/__init__.py": "",
    "plugged/probe.py": "from plugged.other import A",
    "plugged/other.py": "import embryology.six",
    "single.py": "",
}
OWN = [name for name in FILES if name.startswith("embryology")]
INIT = "embryology/__init__.py"


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The files that code of notebooks imports, of a package and two plug-ins that are made for this."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    entries = [EntryPoint("p", "plugged.probe:SPECIFICATION", "g"), EntryPoint("s", "single:SPECIFICATION", "g")]
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(imports, "entry_points", lambda group: entries)
    monkeypatch.setattr(imports, "PACKAGE", tmp_path / "embryology")
    imports._top_level.cache_clear()

    def find(*cells):
        prose = {"cell_type": "markdown", "source": ["import embryology.six"]}
        listed = [prose, *({"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells)]
        return {file.relative_to(tmp_path).as_posix() for file in imports.imported(listed)}

    yield find
    imports._top_level.cache_clear()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([], set()),
        (["import os\nimport pandas as pd"], set()),
        (["import embryology"], {INIT}),
        (["x = 1", "y = 2", "import os, embryology.three"], {INIT, "embryology/three.py"}),
        (
            ["from os import path\nfrom embryology import five, three"],
            {INIT, "embryology/five.py", "embryology/three.py"},
        ),
        (["from embryology import one"], {*OWN} - {"embryology/six.py"}),
        (["import single"], {"single.py"}),
        (["from plugged import probe"], {*FILES} - {*OWN, "single.py"} | {INIT, "embryology/six.py"}),
    ],
)
def test_imports_are_followed_wherever_they_stand(found, cells, expected):
    assert found(*cells) == expected


MINE = {
    "mine/__init__.py": "",
    "mine/probe.py": "from mine.helping import half\n\nclass Probe:\n    def measure(self):\n        return half(3)\n",
    "mine/helping.py": "def half(value):\n    return value / 2\n",
    "mine/other.py": "def third(value):\n    return value / 3\n",
}


@pytest.fixture
def source(tmp_path, monkeypatch):
    """The hash of a probe's source, after some files were written anew."""
    monkeypatch.setattr(imports, "get", lambda name: SimpleNamespace(probe="mine.probe:Probe"))
    monkeypatch.setattr(imports, "_top_level", lambda: {"mine": tmp_path / "mine"})

    def written(**changes):
        for name, text in (MINE | {f"mine/{name}.py": text for name, text in changes.items()}).items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        for kept in (imports.source_of, imports._imports_of, imports._normalised):
            kept.cache_clear()
        return imports.source_of("mine")

    yield written
    imports.source_of.cache_clear()


@pytest.mark.parametrize("name", ["probe", "helping"])
def test_the_source_of_a_measurement_is_the_probe_and_what_it_imports(source, name):
    assert source(**{name: MINE[f"mine/{name}.py"].replace("3", "4").replace("2", "4")}) != source()


def test_neither_other_files_nor_words_about_the_code_are_of_the_source(source):
    before = source()
    assert source(other="third = None\n") == before
    documented = '"""Halves."""\n\n\ndef half(value):\n    """Of a value."""\n    return value / 2  # exact\n'
    assert source(helping=documented) == before
    assert source(helping="def half(value):\n    return 'value / 2'\n") != before
