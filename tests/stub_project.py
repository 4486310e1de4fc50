"""A small project in a folder of its own: three notebooks, one written page, and runs with one measurement."""

import io
import shutil
from pathlib import Path

import nbformat
import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from rich.console import Console

from embryology import presets
from embryology.report import build as reports
from embryology.runs import losses, measurements
from embryology.runs.checkpoints import RECORD
from embryology.runs.paths import ROOT, RunFolder
from embryology.storage.files import write_json
from tests.synthetic import measure, write_manifest

PARAMETERS = 'run = "tiny"  # which run\nsteps = "all"  # which checkpoints\ncompare = []  # other runs'
CONTENTS = """
parts:
  - caption: Your run
  - caption: Reference runs
  - caption: Every run
    others: true
  - caption: Reference
    written: {book/about: 90}
"""
PAGES = {
    "index": {"kind": "front", "part": None, "order": 0},
    "tokens": {"kind": "probe", "needs": ["tokens"], "part": "Your run", "order": 10},
    "reference_runs": {"kind": "comparison", "needs": ["tokens"], "part": "Reference runs", "order": 20},
}


def write_notebook(path: Path, *cells: str, parameters: str | None = PARAMETERS, **metadata) -> None:
    """A template: a title, its parameters, a place for the list of pages, and ``cells``.

    ``metadata`` changes what :data:`PAGES` says of a page of that name.
    """
    about = {"needs": [], "about": f"what {path.stem} shows"} | PAGES.get(path.stem, {}) | metadata
    declared = [] if parameters is None else [parameters]
    notebook = new_notebook(
        cells=[
            new_markdown_cell(f"# The {path.stem}", id="title"),
            *(new_code_cell(cell, id="parameters", metadata={"tags": ["parameters"]}) for cell in declared),
            new_markdown_cell("In the table of contents.", id="pages", metadata={"tags": ["pages"]}),
            *(new_code_cell(cell, id=f"cell-{number}") for number, cell in enumerate(cells)),
        ],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "embryology": about,
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def make_project(root: Path) -> Path:
    """The project's own settings, style and references with the stub's pages."""
    for name in PAGES:
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


def measured_run(name: str | Path, value: float = 0.5, seed: int = 0, steps: int = 100) -> RunFolder:
    """A run, by name or by path, with one checkpoint, one measurement, its items, losses and a manifest."""
    folder = RunFolder.named(name)
    record = {"step": 0, "tokens": 0, "sha256": f"{seed}" * 64}
    write_json(folder.checkpoint(0) / RECORD, record)
    row = measurements.row("reconstruction", "DT", "accuracy", value, n=10)
    measure(folder, "tokens", 0, [row], pd.DataFrame({"item_id": ["a"], "source": ["text"]}))
    losses.write(folder, [{"step": 0, "tokens": 0, "tokens_per_second": 1.0}])
    outcome = presets.load("smoke").outcome
    write_manifest(folder, outcome.model_copy(update={"seed": seed, "steps": steps, "checkpoints": [0, steps]}))
    return folder


def freeze_stub(folder: RunFolder) -> None:
    """Let a run stand as one that was frozen."""
    folder.frozen.write_text("command: embryology freeze\n")


def said(project: Path, *runs: str, parameters: tuple[str, ...] = ()) -> str:
    """What a report of ``tiny``, or of the runs, says."""
    stream = io.StringIO()
    reports.report(runs or ("tiny",), parameters, Console(file=stream, width=200), project)
    return stream.getvalue()
