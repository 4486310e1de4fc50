"""Notebooks are executed once for the same inputs, with checked parameters, by this interpreter."""

import io
import json
import sys

import nbformat
import papermill
import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.report import book
from embryology.report import build as reports
from embryology.storage.files import write_json, write_yaml
from tests.stub_project import make_project, measured_run, write_notebook


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(book, "build", lambda root, runs, console: root / "_build" / "html" / "index.html")


@pytest.fixture
def project(tmp_path):
    measured_run("tiny")
    return make_project(tmp_path / "project")


@pytest.fixture
def executed(monkeypatch):
    """Pages in the order in which they would have been executed; no kernel is started."""
    pages = []

    def note(page):
        pages.append(page)
        page.place.parent.mkdir(parents=True, exist_ok=True)
        page.place.write_text(json.dumps({"metadata": {"embryology": {"sha256": page.sha256}}}))

    monkeypatch.setattr(reports, "_execute", note)
    return pages


def said(project, *runs, parameters=()):
    stream = io.StringIO()
    reports.report(runs or ("tiny",), parameters, Console(file=stream, width=200), project)
    return stream.getvalue()


def cells_by_tag(path, tag):
    return [cell for cell in json.loads(path.read_text())["cells"] if tag in cell["metadata"].get("tags", [])]


def test_executes_every_notebook_of_the_contents(project):
    shown = said(project, parameters=["steps=0,100", "compare=[tiny]"])
    for name in ("index", "tokens"):
        assert f"{name}.ipynb: executed in" in shown
        page = book.executed_page(project, "tiny", name)
        cell = json.loads(page.read_text())["cells"][-1]
        assert cell["outputs"][0]["text"] == [f"tiny 0,100 ['tiny'] {sys.executable}\n"]
    assert shown.splitlines()[-1] == f"open {project / '_build' / 'html' / 'index.html'}"


def test_this_interpreter_runs_the_notebooks_whatever_kernel_is_installed(project, tmp_path, monkeypatch, capfd):
    kernel = tmp_path / "share" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "another", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    said(project)
    assert sys.executable in book.executed_page(project, "tiny", "tokens").read_text()
    assert capfd.readouterr().err == ""


def test_parameters_are_kept_out_of_the_book_and_the_same_inputs_give_the_same_bytes(project):
    said(project)
    page = book.executed_page(project, "tiny", "tokens")
    for tag in ("parameters", "injected-parameters"):
        (cell,) = cells_by_tag(page, tag)
        assert "remove-cell" in cell["metadata"]["tags"]
    first = page.read_bytes()
    assert str(project).encode() not in first
    page.unlink()
    said(project)
    assert page.read_bytes() == first


def test_unchanged_pages_are_skipped(project, executed):
    said(project)
    because = "unchanged, skipped (same template, parameters, measurements, code)"
    assert said(project).splitlines()[:2] == [f"index.ipynb: {because}", f"tokens.ipynb: {because}"]
    assert len(executed) == 2


@pytest.mark.parametrize(
    "change", ["measurement", "items", "checkpoint", "losses", "manifest", "results", "code", "parameter"]
)
def test_whatever_a_page_depends_on_makes_it_stale(change, project, executed, monkeypatch):
    said(project)
    folder = reports.RunFolder.named("tiny")
    parameters = []
    match change:
        case "measurement":
            measured_run("tiny", value=0.6)
        case "items":
            folder.details("tokens", 0, "k" * 64).write_bytes(b"others")
        case "checkpoint":
            write_json(folder.checkpoint(100) / "checkpoint.json", {"step": 100})
        case "losses" | "manifest":
            getattr(folder, change).write_bytes(b"others")
        case "results":
            (project / "results" / "published").mkdir(parents=True)
            (project / "results" / "published" / "albert.csv").write_text("step,value\n")
        case "code":
            monkeypatch.setattr(reports, "_code_sha256", lambda: "other")
        case "parameter":
            parameters = ["steps=last"]
    said(project, parameters=parameters)
    assert len(executed) == 4


def test_a_changed_template_makes_its_own_page_stale_alone(project, executed):
    said(project)
    write_notebook(project / "notebooks" / "tokens.ipynb", "print(1)")
    said(project)
    assert [page.label for page in executed] == ["index.ipynb", "tokens.ipynb", "tokens.ipynb"]


def test_a_run_to_compare_with_is_depended_on(project, executed):
    measured_run("other")
    said(project, parameters=["compare=[other]"])
    measured_run("other", value=0.6)
    said(project, parameters=["compare=[other]"])
    assert len(executed) == 4


def test_several_runs_get_pages_of_their_own(project, executed):
    measured_run("other")
    assert "other/tokens.ipynb: executed" in said(project, "tiny", "other")
    assert [page.place.parent.name for page in executed] == ["tiny", "tiny", "other", "other"]
    assert [page.parameters["run"] for page in executed] == ["tiny", "tiny", "other", "other"]


def test_frozen_runs_stand_beside_the_run_and_have_pages_of_their_own(project, executed, monkeypatch):
    monkeypatch.chdir(project)
    frozen = [measured_run(project / "results" / name) for name in ("baby", "child")]
    for folder in frozen:
        folder.frozen.write_text("command: embryology freeze\n")
    said(project, parameters=["steps=0,100"])
    assert [(page.label, page.parameters) for page in executed[2:]] == [
        ("reference_runs.ipynb", {"run": "tiny", "steps": "0,100", "compare": ["results/baby", "results/child"]}),
        ("baby/tokens.ipynb", {"run": "results/baby", "steps": "all", "compare": []}),
        ("child/tokens.ipynb", {"run": "results/child", "steps": "all", "compare": []}),
    ]
    executed.clear()
    measured_run(frozen[0].root, value=0.6)
    frozen[1].frozen.write_text("command: another\n")
    said(project, parameters=["steps=0,100"])
    assert [page.label for page in executed] == ["reference_runs.ipynb", "baby/tokens.ipynb", "child/tokens.ipynb"]
    executed.clear()
    said(project, "results/baby")
    assert [page.parameters.get("compare") for page in executed] == [[], ["results/child"]]  # tokens, reference: index


def test_what_another_seed_changes_is_told_beside_it_and_not_on_a_second_page(project, executed, monkeypatch):
    monkeypatch.chdir(project)
    for seed, name in enumerate(("baby-seed0", "baby-seed1")):
        folder = measured_run(project / "results" / name)
        folder.frozen.write_text("command: embryology freeze\n")
        write_yaml(folder.manifest, {"outcome": {"steps": 100, "seed": seed}})
    said(project)
    assert [page.label for page in executed[2:]] == ["reference_runs.ipynb", "baby-seed0/tokens.ipynb"]
    executed.clear()
    write_yaml(folder.manifest, {"outcome": {"steps": 200, "seed": 1}})
    said(project)
    assert [page.label for page in executed] == ["reference_runs.ipynb", "baby-seed1/tokens.ipynb"]


def test_a_frozen_run_has_no_page_of_a_probe_that_never_measured_it(project, executed, monkeypatch):
    monkeypatch.chdir(project)
    tokens = project / "notebooks" / "tokens.ipynb"
    notebook = nbformat.read(tokens, as_version=4)
    for needs, pages in ((["tokens"], 1), (["tokens", "later"], 0)):
        notebook.metadata["embryology"] = {"needs": needs}
        nbformat.write(notebook, tokens)
        measured_run(project / "results" / "baby").frozen.write_text("command: embryology freeze\n")
        executed.clear()
        said(project)
        assert [page.label for page in executed].count("baby/tokens.ipynb") == pages


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("stepz=last", "index.ipynb has no parameter 'stepz'; it has steps, compare"),
        ("run=other", "index.ipynb has no parameter 'run'; it has steps, compare"),
        ("steps", "a parameter is given as name=value, not as 'steps'"),
        ("=last", "a parameter is given as name=value, not as '=last'"),
        ("compare=other", "index.ipynb: parameter compare is a list such as [], not 'other'"),
        ("compare=[", "index.ipynb: parameter compare is a list such as [], not '['"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_is_executed(parameter, message, project, executed):
    with pytest.raises(EmbryologyError) as error:
        said(project, parameters=[parameter])
    assert str(error.value) == message
    assert not executed


def test_a_parameter_that_only_a_later_notebook_lacks_is_refused_before_the_first_runs(project, executed):
    write_notebook(project / "notebooks" / "tokens.ipynb", parameters='run = "tiny"\ncompare = []')
    with pytest.raises(EmbryologyError, match=r"tokens\.ipynb has no parameter 'steps'; it has compare"):
        said(project, parameters=["steps=last"])
    assert not executed


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("steps = 'all'", "tokens.ipynb has no parameter run; it has steps"),
        ("run = input()", "tokens.ipynb: the cell tagged parameters may hold only lines like name = value"),
        ("import os", "tokens.ipynb: the cell tagged parameters may hold only lines like name = value"),
    ],
)
def test_a_template_needs_plain_parameters(parameters, message, project, executed):
    write_notebook(project / "notebooks" / "tokens.ipynb", parameters=parameters)
    with pytest.raises(EmbryologyError) as error:
        said(project)
    assert str(error.value) == message


def test_an_error_that_a_person_can_mend_is_one_line(project):
    cell = "from embryology.errors import EmbryologyError\nraise EmbryologyError('there is no step 7; choose 0')"
    write_notebook(project / "notebooks" / "tokens.ipynb", cell)
    with pytest.raises(EmbryologyError) as error:
        said(project)
    assert str(error.value) == "tokens.ipynb: there is no step 7; choose 0"
    assert not book.executed_page(project, "tiny", "tokens").exists()


def test_a_defect_of_a_notebook_keeps_its_traceback_and_the_page_before(project):
    said(project)
    before = book.executed_page(project, "tiny", "tokens").read_bytes()
    write_notebook(project / "notebooks" / "tokens.ipynb", "def deep():\n    return {}['missing']\n\ndeep()")
    with pytest.raises(papermill.PapermillExecutionError, match="in deep") as error:
        said(project)
    assert "KeyError: 'missing'" in str(error.value)
    assert error.value.__notes__ == [f"in {project / 'notebooks' / 'tokens.ipynb'}"]
    folder = book.executed_page(project, "tiny", "tokens").parent
    assert sorted(file.name for file in folder.iterdir()) == ["index.ipynb", "tokens.ipynb"]
    assert book.executed_page(project, "tiny", "tokens").read_bytes() == before


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"metadata": {}}'])
def test_a_damaged_page_is_made_again(damage, project, executed):
    said(project)
    book.executed_page(project, "tiny", "index").write_text(damage)
    said(project)
    assert [page.label for page in executed] == ["index.ipynb", "tokens.ipynb", "index.ipynb"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nowhere"], "there is no run at"),
        (["empty"], "run empty has no measurements of any probe"),
        (["tiny", "tiny"], "a report needs runs of different names, and got: tiny, tiny"),
    ],
)
def test_runs_that_cannot_be_reported_are_refused(names, message, project, executed, tmp_path):
    (tmp_path / "runs" / "empty").mkdir()
    with pytest.raises(EmbryologyError, match=message):
        said(project, *names)
    assert not executed
