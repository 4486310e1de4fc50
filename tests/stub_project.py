"""A small project in a folder of its own: three notebooks, one page, and runs with one measurement."""

import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from embryology.runs import measurements
from embryology.runs.paths import ROOT, RunFolder
from embryology.storage.files import write_yaml

PARAMETERS = 'run = "tiny"  # which run\nsteps = "all"  # which checkpoints\ncompare = []  # other runs'
CONTENTS = """
format: jb-book
root: book/executed/tiny/index
parts:
  - caption: The report
    chapters: [{file: book/executed/tiny/tokens}]
  - caption: Reference runs
    chapters: [{file: book/executed/tiny/reference_runs}]
  - caption: Reference
    chapters: [{file: book/about}]
"""


def write_notebook(path: Path, *cells: str, parameters: str = PARAMETERS) -> None:
    """A template: a title, its parameters, and ``cells``."""
    notebook = new_notebook(
        cells=[
            new_markdown_cell(f"# {path.stem}", id="title"),
            new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]}),
            *(new_code_cell(cell, id=f"cell-{number}") for number, cell in enumerate(cells)),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def make_project(root: Path) -> Path:
    """The project's own settings, style and references with the stub's pages."""
    for name in ("index", "tokens", "reference_runs"):
        write_notebook(root / "notebooks" / f"{name}.ipynb", "import sys\nprint(run, steps, compare, sys.executable)")
    (root / "_toc.yml").write_text(CONTENTS)
    (root / "book").mkdir()
    (root / "book" / "about.md").write_text("# About\n\nSee {cite:t}`chiang-etal-2020-pretrained`.\n")
    with open(root / "book" / "about.md", "a") as page:
        page.write("\n```{bibliography}\n```\n")
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copy(ROOT / "book" / "references.bib", root / "book")
    shutil.copytree(ROOT / "book" / "_static", root / "book" / "_static")
    return root


def measured_run(name: str | Path, value: float = 0.5) -> RunFolder:
    """A run, by name or by path, with one measurement, its items, losses and a manifest."""
    folder = RunFolder.named(name)
    row = dict.fromkeys(measurements.SCHEMA.names) | {
        "series": folder.name,
        "step": 0,
        "model": "albert",
        "objective": "masked",
        "probe": "tokens",
        "task": "reconstruction",
        "item": "DT",
        "metric": "accuracy",
        "value": value,
        "n": 10,
        "key": "k" * 64,
    }
    measurements.write(folder.measurement("tokens", 0, row["key"]), [row])
    folder.details("tokens", 0, row["key"]).parent.mkdir(parents=True, exist_ok=True)
    folder.details("tokens", 0, row["key"]).write_bytes(b"items")
    folder.losses.write_bytes(b"losses")
    write_yaml(folder.manifest, {"preset": folder.name})
    return folder
