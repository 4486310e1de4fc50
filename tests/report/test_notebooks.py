import ast
import itertools
import re

import nbformat
import papermill
import pytest

from embryology.runs.paths import ROOT
from tests.pages import FIGURES
from tests.synthetic import make_run

NAMES = tuple(FIGURES)
ALLOWED = ("embryology.runs", "embryology.analysis", "embryology.figures", "myst_nb")


def template(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@pytest.fixture(params=NAMES)
def notebook(request):
    return template(request.param)


def test_all_notebooks_are_tested():
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == set(NAMES)


def test_a_notebook_is_kept_without_outputs(notebook):
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code(notebook))
    assert notebook.metadata.kernelspec.name == "python3"
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_parameters_come_first_and_each_is_explained(notebook):
    first = code(notebook)[0]
    assert "parameters" in first.metadata.tags
    lines = first.source.splitlines()
    assert [re.fullmatch(r"(\w+) = .+  # .+", line)[1] for line in lines] == ["run", "steps", "compare"]
    assert first.source == code(template("index"))[0].source


def test_a_notebook_imports_runs_analysis_and_figures_alone(notebook):
    for node in ast.walk(ast.parse("\n".join(cell.source for cell in code(notebook)))):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name.name}" for name in node.names]
        else:
            continue
        assert all(name.startswith(ALLOWED) for name in names)


def test_every_code_cell_can_be_hidden_and_draws_at_most_one_figure(notebook):
    for cell in code(notebook):
        assert {"hide-input", "remove-input"} & set(cell.metadata.tags)
        assert (
            len(
                re.findall(
                    r"^(?:tokens|pretraining|learning_order|provenance|edges|layers|knowledge|trajectories|downstream|recipes|published_probing)\.",
                    cell.source,
                    re.MULTILINE,
                )
            )
            <= 1
        )


def test_no_measurement_is_typed_into_prose(notebook):
    assert not re.findall(r"\d*\.\d+|\d+%", re.sub(r"\{[\w:]+\}`[^`]*`", "", prose(notebook)))


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """All notebooks, run by papermill on a synthetic run from a folder that is not the project's."""
    folder = tmp_path_factory.mktemp("book")
    run = make_run(folder / "runs" / "synthetic", sentences=40, total=False)
    for name in NAMES:
        papermill.execute_notebook(
            ROOT / "notebooks" / f"{name}.ipynb",
            folder / f"{name}.ipynb",
            parameters={"run": str(run.root), "steps": "0,20,40,80,160,640,2000"},
            cwd=folder,
            progress_bar=False,
            kernel_name="python3",
        )
    return {name: nbformat.read(folder / f"{name}.ipynb", as_version=4) for name in NAMES}


def test_every_notebook_runs_and_draws(executed):
    figures = {}
    for name, notebook in executed.items():
        outputs = list(itertools.chain.from_iterable(cell.outputs for cell in code(notebook)))
        assert {output.output_type for output in outputs} <= {"execute_result", "display_data"}  # no text, no warning
        figures[name] = sum("<figure" in output.data.get("text/html", "") for output in outputs)
    assert figures == FIGURES


def test_every_number_that_prose_asks_for_is_glued_before_it(executed):
    for notebook in executed.values():
        glued = set()
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                asked = set(re.findall(r"\{glue:text\}`([^`]*)`", cell.source))
                assert asked <= glued
            else:
                glued |= {output.metadata.get("scrapbook", {}).get("name") for output in cell.outputs}
