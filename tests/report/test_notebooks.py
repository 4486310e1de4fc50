"""Templates are plain, parametrized and free of typed numbers, and each runs and draws."""

import ast
import re
import subprocess

import nbformat
import papermill
import pytest
from matplotlib.figure import Figure

from embryology.figures import prose
from embryology.report.pages import pages
from embryology.runs.freeze import freeze
from embryology.runs.paths import ROOT
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.specs.properties import VERSIONS
from tests.cells import EXAMPLE, one_shell, run
from tests.figures.reading import csv_of
from tests.pages import FIGURES
from tests.synthetic import make_run
from tests.test_project import imports

NAMES = tuple(FIGURES)
OF = prose.of
STUDIES = ("recipes", "variants", "published_probing")
TYPES = {"run": "str", "steps": "str", "compare": "list[str]"}
OF_A_CHECKPOINT = {"run": "str", "step": "int"}
KINDS = {
    *("front", "losses", "probe", "checkpoint", "comparison", "seeds", "factors", "runs", "study", "build"),
}
ALLOWED = ("embryology.runs", "embryology.analysis", "embryology.figures")


def template(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def code(notebook):
    """The code of a page; the cell that Google Colab needs is none, see ``test_colab``."""
    return [
        cell for cell in notebook.cells if cell.cell_type == "code" and "colab" not in cell.metadata.get("tags", [])
    ]


def says(cell):
    """The paragraphs that a cell displays with numbers, and nothing beside them; none of another cell."""
    if "say(" not in cell.source:
        return None
    (call,) = ast.parse(cell.source).body
    assert (call.value.func.id, len(call.value.args)) == ("say", 1)
    return ast.literal_eval(call.value.args[0])


def text(notebook):
    return "\n".join(cell.source if cell.cell_type == "markdown" else says(cell) or "" for cell in notebook.cells)


def drawn(notebook, cell):
    """The statements of a cell that call a module of figures and show what it gives."""
    imports = [node for each in code(notebook) for node in ast.walk(ast.parse(each.source))]
    modules = {
        name.asname or name.name
        for node in imports
        if isinstance(node, ast.ImportFrom) and node.module == "embryology.figures"
        for name in node.names
    }
    calls = [node.value for node in ast.parse(cell.source).body if isinstance(node, ast.Expr)]
    functions = [call.func for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)]
    return [each for each in functions if isinstance(each.value, ast.Name) and each.value.id in modules]


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


def test_parameters_come_first_and_each_is_explained_and_a_study_has_none(notebook):
    first = code(notebook)[0]
    marked = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if notebook.metadata.embryology.kind == "study":
        assert not marked
        return
    assert marked == [first]
    lines = first.source.splitlines()
    names = list(OF_A_CHECKPOINT if notebook.metadata.embryology.kind == "checkpoint" else TYPES)
    assert [re.fullmatch(r"(\w+): .+ = .+  # .+", line)[1] for line in lines] == names
    # Seeds are drawn beside each other, so that page alone names some where it is opened by hand.
    *shared, compare = code(template("index"))[0].source.splitlines()
    if notebook.metadata.embryology.kind == "checkpoint":
        return
    assert lines[:-1] == shared
    if notebook.metadata.embryology.kind in ("seeds", "factors"):
        assert re.fullmatch(r'compare: list\[str\] = \["results/\S+", "results/\S+"\]  # .+', lines[-1])
    else:
        assert lines[-1] == compare


ABOUT_A_SERIES = pytest.mark.parametrize(
    "page", [page for page in pages(ROOT) if page.name in NAMES and not page.is_study], ids=lambda page: page.name
)


@ABOUT_A_SERIES
def test_papermill_tells_the_type_the_default_and_the_meaning_of_each_parameter(page):
    told = papermill.inspect_notebook(page.template)
    assert {key: ast.literal_eval(each["default"]) for key, each in told.items()} == page.parameters()
    types = OF_A_CHECKPOINT if page.metadata.kind == "checkpoint" else TYPES
    assert {key: each["inferred_type_name"] for key, each in told.items()} == types
    assert all(len(each["help"].split()) > 3 for each in told.values())


@ABOUT_A_SERIES
def test_opened_by_itself_a_notebook_finds_its_default_run_in_a_clean_clone(page, tmp_path, monkeypatch):
    default = page.parameters()
    listed = subprocess.run(
        ["git", "ls-files", default["run"]], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert f"{default['run']}/run.yaml" in listed
    there = {file.relative_to(ROOT).as_posix() for file in (ROOT / default["run"]).rglob("*") if file.is_file()}
    assert there == set(listed)
    monkeypatch.chdir(tmp_path)
    series = Series.open(default["run"])
    assert page.lacks(series) == []
    if page.metadata.kind == "checkpoint":
        assert len(series.select(str(default["step"]))) == 1
    else:
        assert series.select(default["steps"]) == series.checkpoints


def test_every_parameter_is_used(notebook):
    names = {
        node.id
        for cell in code(notebook)[1:]
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Name)
    }
    if notebook.metadata.embryology.kind == "checkpoint":
        assert names >= {*OF_A_CHECKPOINT}
    elif notebook.metadata.embryology.kind != "study":
        assert names >= {*TYPES}


def test_names_are_resolved_in_the_first_cell_after_the_parameters_alone(notebook):
    if notebook.metadata.embryology.kind == "study":
        return
    _, reads, *others = code(notebook)
    opens = "Series.open(run)" if notebook.metadata.embryology.kind == "checkpoint" else "Series.open_all(run, compare)"
    assert reads.source.count(opens) == 1
    names = {node.id for cell in others for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
    assert not names & {"run", "compare", "Series"}


def test_metadata_say_what_a_notebook_is_and_needs(notebook):
    about = notebook.metadata.embryology
    assert set(about) == {"kind", "needs", "part", "order", "about"}
    assert about.kind in KINDS
    counted = {f"{name}:{kind}" for name, each in registry.specifications().items() for kind in each.properties}
    assert set(about.needs) <= {"losses", *registry.specifications(), *VERSIONS, *counted}
    assert about.about


def test_the_front_page_has_a_place_for_the_links_to_all_others():
    places = [cell for cell in template("index").cells if "pages" in cell.metadata.get("tags", [])]
    assert [cell.source for cell in places] == ["The other pages stand in the table of contents."]


def test_a_notebook_imports_runs_analysis_and_figures_alone_and_its_examples_what_readers_have(notebook):
    examples = [cell for cell in code(notebook) if EXAMPLE in cell.metadata.tags]
    assert {name for cell in examples for name in imports(cell.source)} <= {"pandas", "duckdb"}
    for node in ast.walk(ast.parse("\n".join(cell.source for cell in code(notebook) if cell not in examples))):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name.name}" for name in node.names]
        else:
            continue
        assert all(name.startswith(ALLOWED) for name in names)


def test_every_code_cell_can_be_hidden_and_draws_at_most_one_figure(notebook):
    for cell in code(notebook):
        assert {"hide-input", "remove-input", EXAMPLE} & set(cell.metadata.tags)
        assert len(drawn(notebook, cell)) <= 1


def test_every_figure_and_table_is_drawn_by_a_module_of_figures(notebook):
    assert sum(len(drawn(notebook, cell)) for cell in code(notebook)) >= 2


def test_no_measurement_is_typed_into_prose(notebook):
    words = re.sub(r"```.*?```|\{[\w:]+\}`[^`]*`", "", text(notebook), flags=re.DOTALL)  # without code
    assert not re.findall(r"\d*\.\d+|\d+%", words)


@pytest.fixture(scope="module")
def shell():
    """Without pictures; ``test_end_to_end`` has those, papermill, kernels and what readers see."""
    with pytest.MonkeyPatch.context() as patch, one_shell() as shell:
        patch.setattr(Figure, "savefig", lambda figure, buffer, **_: buffer.write(b"<svg/>"))
        yield shell


def execute(shell, series, name, steps="all"):
    """The displayed values of each code cell, run on a series from a folder that is not the project's."""
    shell.reset(new_session=False)
    outputs = []
    for cell in code(template(name)):
        outputs.append(run(shell, cell))
        if "parameters" in cell.metadata.tags:
            shell.push({"run": str(series.folder.root), "steps": steps, "step": 40})
    return outputs


def figures_in(outputs):
    return sum("<figure" in data.get("text/html", "") for cell in outputs for data, _ in cell)


@pytest.fixture(scope="module")
def numbers():
    """What each page that was executed has sentences of."""
    return {}


@pytest.fixture(scope="module")
def executed(shell, tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("book")
    made = make_run(folder / "runs" / "synthetic", sentences=40, total=False)
    series = Series.open(freeze(made, folder / "results" / "synthetic"))  # with the columns that are kept
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        outputs = {}
        for name in NAMES:
            patch.setattr(prose, "of", lambda given, name=name, of=OF: of(numbers.setdefault(name, given)))
            outputs[name] = execute(shell, series, name, "0,20,40,80,160,640,2000")
        return outputs


def test_every_notebook_runs_and_draws(executed):
    assert {name: figures_in(outputs) for name, outputs in executed.items()} == FIGURES


@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_with_its_question_and_the_answer(name, executed):
    page = template(name)
    heading, *cells = [cell for cell in page.cells if {"colab", "parameters"}.isdisjoint(cell.metadata.get("tags", []))]
    assert re.fullmatch("# .+", heading.source)  # background comes after it
    assert "answer" in cells[0].metadata.tags
    assert cells[0].source.splitlines()[-1].partition("(")[0].rpartition(".")[2] in ("answer", "answer_of_runs")
    *_, (data, _) = executed[name][code(page).index(cells[0])]
    assert re.match(r"\*\*[A-Z][^*]+\?\*\*\s", data["text/markdown"])
    assert re.search(r"\n\n\*[A-Z0-9][^*]+\.\*$", data["text/markdown"])


def test_every_column_of_a_figures_data_is_in_the_key_beside_it(executed):
    shown = [str(data.get("text/html", "")) for outputs in executed.values() for cell in outputs for data, _ in cell]
    drawn = [figure for text in shown for figure in re.findall(r"<figure.*?</figure>", text, re.DOTALL)]
    assert len(drawn) >= sum(FIGURES.values())  # a page of seeds displays several at once
    without = {
        re.search(r'id="([^"]*)"', figure)[1]: columns
        for figure in drawn
        if (columns := {*csv_of(figure)} ^ {*re.findall(r"<tr><td>([^<]*)</td><td>[^<]+</td></tr>", figure)})
    }
    assert without == {}, without


def test_a_series_made_by_others_has_every_page_whose_needs_are_met(shell, tmp_path, monkeypatch):
    series = make_run(tmp_path / "bert", sentences=40)
    for file in (series.folder.manifest, series.folder.losses, series.folder.corpus):
        file.unlink()
    monkeypatch.chdir(tmp_path)
    about = {name: template(name).metadata.embryology for name in NAMES}
    names = [name for name in NAMES if about[name].kind != "study" and "losses" not in about[name].needs]
    assert Series.open(series.folder.root).losses is None
    known = FIGURES | {"clock": 1}  # none by a loss that is not known
    assert {name: figures_in(execute(shell, series, name)) for name in names} == {name: known[name] for name in names}


@pytest.mark.parametrize("name", NAMES)
def test_sentences_with_numbers_are_displayed_by_cells_that_hide_their_code(name):
    page = template(name)
    assert "glue" not in "".join(cell.source for cell in page.cells)
    for cell in page.cells:
        if says(cell):
            assert "{" in says(cell)  # else it is a cell of Markdown
            assert cell.metadata == {"jupyter": {"source_hidden": True}, "tags": ["remove-input"]}


@pytest.mark.parametrize("name", [name for name in NAMES if any(map(says, code(template(name))))])
def test_a_page_displays_its_sentences_with_its_numbers_and_has_none_that_nobody_reads(name, executed, numbers):
    unsaid = {number for number in numbers[name] if not read_elsewhere(name, number)}
    for cell, displayed in zip(code(template(name)), executed[name], strict=True):
        if expected := says(cell):
            for number, value in numbers[name].items():
                if f"{{{number}}}" in expected:
                    unsaid.discard(number)
                    expected = expected.replace(f"{{{number}}}", value)
            ((data, _),) = displayed
            assert re.sub(r"\\(?=[^\w\s])", "", data["text/markdown"]) == expected.strip()
    assert unsaid == set()


def read_elsewhere(page, number):
    """Whether a figure reads it, or the table of headlines."""
    figures = "".join(file.read_text() for file in (ROOT / "embryology" / "figures").glob("*.py"))
    headlines = (ROOT / "benchmarks" / "headlines.py").read_text()
    return re.search(rf"(values|numbers\([^()]*\))\[['\"]{number}['\"]\]", figures) or f'"{page}.{number}"' in headlines
