"""Which pages there are for which runs, executed with checked parameters by this interpreter."""

import json
import shutil
import sys

import papermill
import pytest

from embryology import progress
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.paths import RunFolder
from tests.stub_project import freeze_stub, measured_run, said, write_notebook
from tests.synthetic import measure


def page_of(project, run, name):
    return project / "book" / "executed" / run / f"{name}.ipynb"


def cells_by_tag(path, tag):
    return [cell for cell in json.loads(path.read_text())["cells"] if tag in cell["metadata"].get("tags", [])]


def test_executes_every_notebook_of_the_contents(project):
    shown = said(project, parameters=["steps=0,100", "compare=[tiny]"])
    for name in ("index", "tokens"):
        assert f"{name}.ipynb: executed in" in shown
        page = page_of(project, "tiny", name)
        cell = json.loads(page.read_text())["cells"][-1]
        assert cell["outputs"][0]["text"] == [f"tiny 0,100 ['tiny'] {sys.executable}\n"]
    assert shown.splitlines()[-1] == f"open {project / '_build' / 'html' / 'index.html'}"


def test_executing_notebooks_fills_a_log(project, executed, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0)
    shown = said(project).splitlines()
    assert [line.partition(" of 2")[0] for line in shown if line.startswith("executing")] == [
        "executing notebooks: 1",
        "executing notebooks: 2",
    ]


def test_this_interpreter_runs_the_notebooks_whatever_kernel_is_installed(project, tmp_path, monkeypatch, capfd):
    kernel = tmp_path / "share" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "another", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    said(project)
    assert sys.executable in page_of(project, "tiny", "tokens").read_text()
    assert capfd.readouterr().err == ""


def test_parameters_are_kept_out_of_the_book_and_the_same_inputs_give_the_same_bytes(project):
    said(project)
    page = page_of(project, "tiny", "tokens")
    for tag in ("parameters", "injected-parameters"):
        (cell,) = cells_by_tag(page, tag)
        assert "remove-cell" in cell["metadata"]["tags"]
    first = page.read_bytes()
    assert str(project).encode() not in first
    page.unlink()
    said(project)
    assert page.read_bytes() == first


def test_several_runs_get_pages_of_their_own(project, executed):
    measured_run("other")
    assert "other/tokens.ipynb: executed" in said(project, "tiny", "other")
    assert sorted((page.page.name, page.place.parent.name, page.parameters["run"]) for page in executed) == [
        ("index", "tiny", "tiny"),
        ("reference_runs", "tiny", "tiny"),  # of all that were asked for
        ("tokens", "other", "other"),
        ("tokens", "tiny", "tiny"),
    ]


def test_a_page_about_one_series_is_headed_by_it_and_one_about_several_is_not(project):
    def headings():
        return {
            page.relative_to(project / "book" / "executed").as_posix(): json.loads(page.read_text())["cells"][0][
                "source"
            ]
            for page in (project / "book" / "executed").rglob("*.ipynb")
        }

    said(project)
    alone = headings()
    assert alone == {"tiny/index.ipynb": ["# The index"], "tiny/tokens.ipynb": ["# The tokens (tiny)"]}
    bytes_alone = page_of(project, "tiny", "tokens").read_bytes()
    measured_run("other")
    shown = said(project, "tiny", "other")
    assert "tiny/tokens.ipynb: unchanged, skipped" in shown
    assert headings() == alone | {
        "other/tokens.ipynb": ["# The tokens (other)"],
        "tiny/reference_runs.ipynb": ["# The reference_runs"],
    }
    said(project)
    assert headings() | alone == headings()
    assert page_of(project, "tiny", "tokens").read_bytes() == bytes_alone


def test_runs_of_one_name_get_pages_apart(project, executed, tmp_path):
    for folder in ("a/tiny", "b/tiny"):
        measured_run(tmp_path / folder)
    said(project, str(tmp_path / "a" / "tiny"), str(tmp_path / "b" / "tiny"))
    assert {page.place.parent.name for page in executed} == {"a-tiny", "b-tiny"}


def test_frozen_runs_stand_beside_the_run_and_have_pages_of_their_own(project, executed, monkeypatch):
    monkeypatch.chdir(project)
    frozen = [measured_run(project / "results" / name, steps=steps) for name, steps in (("baby", 10), ("child", 20))]
    for folder in frozen:
        freeze_stub(folder)
    said(project, parameters=["steps=0,100"])
    assert sorted((page.label, page.parameters["run"], page.parameters["steps"]) for page in executed) == [
        ("baby/tokens.ipynb", "results/baby", "all"),
        ("child/tokens.ipynb", "results/child", "all"),
        ("index.ipynb", "tiny", "0,100"),
        ("reference_runs.ipynb", "tiny", "0,100"),
        ("tokens.ipynb", "tiny", "0,100"),
    ]
    (comparison,) = (page for page in executed if page.page.name == "reference_runs")
    assert comparison.parameters["compare"] == ["results/baby", "results/child"]
    executed.clear()
    measured_run(frozen[0].root, value=0.6, steps=10)
    frozen[1].frozen.write_text("command: another\n")
    said(project, parameters=["steps=0,100"])
    assert sorted(page.label for page in executed) == [
        "baby/tokens.ipynb",
        "child/tokens.ipynb",
        "index.ipynb",
        "reference_runs.ipynb",
    ]
    executed.clear()
    said(project, "results/baby")
    compared = {page.label: page.parameters["compare"] for page in executed}
    others = ["results/child"]
    assert compared == {"index.ipynb": others, "reference_runs.ipynb": others}  # it had its page of tokens
    shutil.rmtree(frozen[1].root)
    executed.clear()
    said(project, "results/baby", parameters=["steps=100"])
    assert sorted((page.label, page.parameters["steps"]) for page in executed) == [
        ("index.ipynb", "100"),
        ("tokens.ipynb", "100"),  # and no comparison with itself
    ]


def test_a_comparison_is_with_what_was_asked_for_and_with_frozen_runs_that_have_what_it_needs(
    project, executed, monkeypatch
):
    monkeypatch.chdir(project)
    measured_run("other")
    for name in ("baby", "unmeasured"):
        freeze_stub(folder := measured_run(project / "results" / name, steps=50))
    shutil.rmtree(folder.measurements)
    measure(folder, "edges", 0, [measurements.row("pos", "", "f1_micro", 0.5, n=10)])
    said(project, parameters=["compare=[other]"])
    compared = {page.label: page.parameters["compare"] for page in executed}
    assert compared == {
        "index.ipynb": ["other", "results/baby", "results/unmeasured"],
        "tokens.ipynb": ["other"],
        "reference_runs.ipynb": ["other", "results/baby"],
        "baby/tokens.ipynb": [],
    }


def test_what_another_seed_changes_is_told_beside_it_and_not_on_a_second_page(project, executed, monkeypatch):
    monkeypatch.chdir(project)
    for seed, name in enumerate(("baby-seed0", "baby-seed1")):
        freeze_stub(folder := measured_run(project / "results" / name, seed=seed, steps=50))
    said(project)
    assert sorted(page.label for page in executed if page.label.startswith("baby")) == ["baby-seed0/tokens.ipynb"]
    measured_run(folder.root, seed=1, steps=200)
    executed.clear()
    said(project)
    assert sorted(page.label for page in executed) == [
        "baby-seed1/tokens.ipynb",
        "index.ipynb",
        "reference_runs.ipynb",
    ]


def test_a_seed_has_the_page_where_the_first_of_its_recipe_has_none(project, executed, monkeypatch):
    monkeypatch.chdir(project)
    folders = [measured_run(project / "results" / f"baby-seed{seed}", seed=seed, steps=50) for seed in (0, 1)]
    for folder in folders:
        freeze_stub(folder)
    shutil.rmtree(folders[0].measurements)
    measure(folders[0], "edges", 0, [measurements.row("pos", "", "f1_micro", 0.5, n=10)])
    said(project)
    assert [page.label for page in executed if page.label.startswith("baby")] == ["baby-seed1/tokens.ipynb"]


def test_frozen_seeds_of_the_recipe_that_is_reported_have_no_pages(project, executed, monkeypatch):
    monkeypatch.chdir(project)
    measured_run(RunFolder.named("tiny").root, seed=0)
    for seed in (0, 1):
        freeze_stub(measured_run(project / "results" / f"tiny-seed{seed}", seed=seed))
    said(project)
    assert sorted(page.label for page in executed) == ["index.ipynb", "reference_runs.ipynb", "tokens.ipynb"]
    (comparison,) = (page for page in executed if page.page.name == "reference_runs")
    assert comparison.parameters["compare"] == ["results/tiny-seed1"]  # the other is this run


def test_seeds_of_one_recipe_have_a_page_together_beside_the_first_that_is_reported(project, executed, monkeypatch):
    monkeypatch.chdir(project)
    declared = 'run = "tiny"\nsteps = "all"\ncompare = ["results/elsewhere"]  # in a notebook that is opened by hand'
    seeds = project / "notebooks" / "seeds.ipynb"
    write_notebook(seeds, kind="seeds", part="Your run", order=15, parameters=declared)
    for seed, name in enumerate(("tiny", "second", "third")):
        measured_run(name, seed=seed)
    measured_run("longer", seed=1, steps=200)
    freeze_stub(measured_run(project / "results" / "fourth", seed=3))
    freeze_stub(measured_run(project / "results" / "tiny-seed0", seed=0))
    said(project, "longer", "second", "tiny")
    pages = {page.label: page.parameters["compare"] for page in executed if page.page.name == "seeds"}
    assert pages == {"second/seeds.ipynb": ["tiny", "results/fourth"]}
    executed.clear()
    said(project, "longer")
    assert not [page for page in executed if page.page.name == "seeds"]


def test_a_page_of_all_runs_is_made_once_of_those_that_are_asked_for_and_those_that_are_frozen(
    project, executed, monkeypatch
):
    monkeypatch.chdir(project)
    write_notebook(project / "notebooks" / "claims.ipynb", kind="runs", needs=[], part="Reference runs", order=15)
    for name in ("tiny", "second"):
        measured_run(name, seed=len(name))
    freeze_stub(measured_run(project / "results" / "fourth", seed=9))
    said(project, "second", "tiny")
    pages = {page.label: page.parameters["compare"] for page in executed if page.page.name == "claims"}
    assert pages == {"second/claims.ipynb": ["tiny", "results/fourth"]}
    executed.clear()
    freeze_stub(measured_run(project / "results" / "fifth", seed=10))
    said(project, "second", "tiny")
    pages = {page.label: page.parameters["compare"] for page in executed if page.page.name == "claims"}
    assert pages == {"second/claims.ipynb": ["tiny", "results/fifth", "results/fourth"]}, "another run is at hand"


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_page_whose_needs_are_not_met_is_left_out_and_named(is_frozen, project, executed, monkeypatch):
    monkeypatch.chdir(project)
    needs = ["tokens", "edges"]
    write_notebook(project / "notebooks" / "tokens.ipynb", needs=needs)
    if is_frozen:
        freeze_stub(measured_run(project / "results" / "baby"))
    shown = said(project)
    assert "tokens.ipynb: left out: probe edges has not measured it" in shown
    assert "tiny/ask.md: left out: a checkpoint has no weights" in shown
    assert shown.count("left out") == 2  # both of the run that was asked for
    assert "tokens" not in {page.page.name for page in executed}
    (front,) = (page for page in executed if page.page.name == "index")
    assert "*The tokens*: probe edges has not measured it" in front.list
    assert "(tokens.ipynb)" not in front.list


@pytest.mark.parametrize("has_manifest", [False, True])
def test_what_has_no_losses_has_no_page_of_them(has_manifest, project, executed):
    folder = RunFolder.named("tiny")
    if not has_manifest:
        folder.manifest.unlink()
    folder.losses.unlink()
    write_notebook(project / "notebooks" / "tokens.ipynb", kind="losses", needs=["losses"])
    assert "tiny/tokens.ipynb: left out: it has no losses, as it was not trained here" in said(project)
    assert [page.label for page in executed] == ["index.ipynb"]


def test_the_front_page_lists_the_others_by_what_they_say_of_themselves(project):
    write_notebook(project / "notebooks" / "study.ipynb", kind="study", part="Reference", order=30, parameters=None)
    said(project)
    (cell,) = cells_by_tag(page_of(project, "tiny", "index"), "pages")
    assert "".join(cell["source"]).splitlines() == [
        "**Your run**",
        "",
        "- [The tokens](tokens.ipynb): what tokens shows",
        "",
        "**Reference**",
        "",
        "- [The study](../study.ipynb): what study shows",
        "- [About](../../../book/about.md)",
        "",
        "**Left out of this report**",
        "",
        "- *Ask it*: a checkpoint has no weights.",
    ]
    (cell,) = cells_by_tag(page_of(project, "tiny", "tokens"), "pages")
    assert cell["source"] == ["In the table of contents."]


def test_a_study_is_executed_once_and_has_no_run(project, executed):
    study = project / "notebooks" / "study.ipynb"
    write_notebook(study, kind="study", part="Reference", order=30, parameters=None)
    measured_run("other")
    said(project, "tiny", "other", parameters=["steps=last"])
    (page,) = (page for page in executed if page.page.name == "study")
    assert (page.label, page.parameters) == ("study.ipynb", {})
    assert page.place == project / "book" / "executed" / "study.ipynb"
    write_notebook(study, kind="study", part="Reference", order=30)
    with pytest.raises(EmbryologyError, match=r"study\.ipynb is of no run, but has parameter run"):
        said(project)


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
        ("steps = 'all'", "tokens.ipynb has no parameter run"),
        ("run = input()", "tokens.ipynb: the cell tagged parameters may hold only lines like name: type = value"),
        ("import os", "tokens.ipynb: the cell tagged parameters may hold only lines like name: type = value"),
    ],
)
def test_a_template_needs_plain_parameters(parameters, message, project, executed):
    write_notebook(project / "notebooks" / "tokens.ipynb", parameters=parameters)
    with pytest.raises(EmbryologyError) as error:
        said(project)
    assert str(error.value) == message


def test_parameters_may_say_their_type(project, executed):
    typed = 'run: str = "tiny"  # which\nsteps: str = "all"\ncompare: list[str] = []'
    write_notebook(project / "notebooks" / "tokens.ipynb", parameters=typed)
    said(project, parameters=["steps=last"])
    given = next(page.parameters for page in executed if page.label == "tokens.ipynb")
    assert given == {"run": "tiny", "steps": "last", "compare": []}
    with pytest.raises(EmbryologyError, match="parameter compare is a list such as"):
        said(project, parameters=["compare=tiny"])


def test_an_error_that_a_person_can_mend_is_one_line(project):
    cell = "from embryology.errors import EmbryologyError\nraise EmbryologyError('there is no step 7; choose 0')"
    write_notebook(project / "notebooks" / "tokens.ipynb", cell)
    with pytest.raises(EmbryologyError) as error:
        said(project)
    assert str(error.value) == "tokens.ipynb: there is no step 7; choose 0"
    assert not page_of(project, "tiny", "tokens").exists()


def test_a_defect_of_a_notebook_keeps_its_traceback_and_the_page_before(project):
    said(project)
    before = page_of(project, "tiny", "tokens").read_bytes()
    write_notebook(project / "notebooks" / "tokens.ipynb", "def deep():\n    return {}['missing']\n\ndeep()")
    with pytest.raises(papermill.PapermillExecutionError, match="in deep") as error:
        said(project)
    assert "KeyError: 'missing'" in str(error.value)
    assert error.value.__notes__ == [f"in {project / 'notebooks' / 'tokens.ipynb'}"]
    folder = page_of(project, "tiny", "tokens").parent
    assert sorted(file.name for file in folder.iterdir()) == ["index.ipynb", "tokens.ipynb"]
    assert page_of(project, "tiny", "tokens").read_bytes() == before


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nowhere"], "there is no run at"),
        (["empty"], "empty holds no checkpoints"),
        (["unmeasured"], "run unmeasured has no measurements of any probe"),
    ],
)
def test_runs_that_cannot_be_reported_are_refused(names, message, project, executed, tmp_path):
    (tmp_path / "runs" / "empty").mkdir()
    shutil.rmtree(measured_run("unmeasured").measurements)
    with pytest.raises(EmbryologyError, match=message):
        said(project, *names)
    assert not executed
