"""The line beside a figure is what papermill would have to be told, and it comes into the book alone."""

import shlex

import nbformat
import pytest
from papermill.cli import papermill as command

from embryology.figures import origin
from embryology.report import again
from embryology.report.pages import pages
from tests.stub_project import make_project, write_notebook


@pytest.fixture
def by_name(tmp_path):
    root = make_project(tmp_path / "project")
    parameters = 'run: str = "tiny"\nsteps: str = "all"\ncompare: list[str] = []\nmost: int = 3'
    write_notebook(root / "notebooks" / "tokens.ipynb", "1", parameters=parameters)
    return {page.name: page for page in pages(root)}


@pytest.mark.parametrize(
    "values",
    [
        {"run": "tiny", "steps": "100", "compare": ["results/a b", "it's"], "most": 5},
        {"run": "my run", "steps": "all", "compare": [], "most": 3},
    ],
)
def test_papermill_reads_the_parameters_that_the_report_gave(by_name, values, monkeypatch):
    given = {}
    monkeypatch.setattr("papermill.cli.execute_notebook", lambda **kwargs: given.update(kwargs))
    words = shlex.split(again.line(by_name["tokens"], values))
    assert words[0] == "papermill"
    command(words[1:], standalone_mode=False)
    assert given["input_path"] == "notebooks/tokens.ipynb"
    assert by_name["tokens"].parameters() | given["parameters"] == values


def test_what_has_its_default_is_left_out_but_for_the_run(by_name):
    line = again.line(by_name["tokens"], {"run": "tiny", "steps": "all", "compare": [], "most": 3})
    assert line == "papermill notebooks/tokens.ipynb tokens.ipynb -r run tiny"


def test_a_plug_ins_page_names_no_folder_of_this_machine(by_name, tmp_path):
    page = by_name["tokens"]
    elsewhere = type(page)(tmp_path / "mine" / "own.ipynb", page.metadata)
    write_notebook(elsewhere.template, "1", kind="probe", part="The report", order=1)
    assert again.line(elsewhere, {"run": "tiny"}) == "papermill own.ipynb own.ipynb -r run tiny"


def test_it_stands_in_the_folds_of_figures_with_a_link_to_the_notebook(by_name, tmp_path):
    output = {"data": {"text/html": f"<figure>{origin.COMMAND}</figure>", "text/plain": origin.COMMAND}}
    cell = nbformat.from_dict({"outputs": [output, {"data": {"text/plain": "1"}}, {"name": "stdout"}]})
    place = tmp_path / "book" / "executed" / "tiny" / "tokens.ipynb"
    again.tell(cell, by_name["tokens"], {"run": "<b>"}, place)
    text = cell["outputs"][0]["data"]["text/html"]
    assert "<pre>papermill notebooks/tokens.ipynb tokens.ipynb -r run &#x27;&lt;b&gt;&#x27;</pre>" in text
    assert 'href="../../../_sources/book/executed/tiny/tokens.ipynb"' in text
    assert cell["outputs"][0]["data"]["text/plain"] == origin.COMMAND
