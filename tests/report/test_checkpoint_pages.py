"""Pages of single checkpoints: which a book has, where they stand, how they are linked; and ``embryology atlas``."""

import io
import json

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from embryology import cli
from embryology.errors import EmbryologyError
from embryology.report import atlas, book, checkpoint_pages
from embryology.report import build as reports
from embryology.report.checkpoint_pages import spread
from embryology.runs import measurements
from embryology.runs.checkpoints import RECORD
from embryology.storage.files import write_json
from tests.cells import without_kernels
from tests.stub_project import freeze_stub, measured_run, said, write_notebook
from tests.synthetic import measure

COVERS = ("embryology/report/atlas.py",)
PARAMETERS = 'run: str = "tiny"  # which run\nstep: int = 0  # which checkpoint'
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 500)


def more_checkpoints(folder, steps, probe="tokens"):
    for step in steps:
        write_json(folder.checkpoint(step) / RECORD, {"step": step, "tokens": step, "sha256": f"{step + 5:064x}"})
        row = measurements.row("reconstruction", "DT", "accuracy", 0.5, n=10)
        measure(folder, probe, step, [row], pd.DataFrame({"item_id": ["a"], "source": ["text"]}))


@pytest.fixture
def tiny(project):
    """A run of eleven checkpoints, in a project with a page of a checkpoint and one of all."""
    notebooks = project / "notebooks"
    page = {"needs": ["tokens"], "part": "Your run"}
    write_notebook(notebooks / "atlas.ipynb", kind="probe", order=11, **page)
    cells = "assert step not in (4, 64), 'it fails'\nstep"
    write_notebook(notebooks / "checkpoint.ipynb", cells, kind="checkpoint", order=12, parameters=PARAMETERS, **page)
    folder = measured_run("tiny")
    more_checkpoints(folder, STEPS)
    return folder


def made(executed):
    return [page.page.step for page in executed if page.page.step is not None]


@pytest.mark.parametrize(
    ("steps", "most", "chosen"),
    [
        ([*STEPS], 8, [0, 1, 2, 8, 16, 64, 128, 500]),
        ([0, 20, 40, 60, 80, 100, 150, 200, 400, 800, 1600, 3600], 8, [0, 20, 40, 100, 200, 800, 1600, 3600]),
        ([0, 5, 10], 8, [0, 5, 10]),
        ([7], 8, [7]),
        ([1000, 2000, 3000, 4000, 5000, 100_000], 3, [1000, 5000, 100_000]),
        ([*range(100)], 2, [0, 99]),
    ],
)
def test_steps_are_spread_over_training_by_their_logarithm(steps, most, chosen):
    assert spread(steps, most) == chosen
    assert {steps[0], steps[-1]} <= set(spread(steps, most))


def test_a_book_has_some_checkpoints_of_what_is_reported_and_of_frozen_runs_none(project, tiny, executed, monkeypatch):
    monkeypatch.chdir(project)
    frozen = measured_run(project / "results" / "baby", steps=7)
    more_checkpoints(frozen, STEPS)
    freeze_stub(frozen)
    assert "checkpoint.ipynb" not in said(project)
    assert sorted(made(executed)) == [0, 1, 2, 8, 16, 64, 128, 500]
    assert {page.label for page in executed if page.page.step == 8} == {"checkpoint-8.ipynb"}
    assert {page.parameters["step"] for page in executed if page.page.step is not None} == set(made(executed))
    executed.clear()
    said(project, parameters=["steps=0,4,32"])
    assert sorted(made(executed)) == [4, 32]


def test_without_what_it_needs_the_page_is_left_out_once(project, tiny, executed):
    write_notebook(
        project / "notebooks" / "checkpoint.ipynb", kind="checkpoint", needs=["edges"], part="Your run", order=12,
        parameters=PARAMETERS,
    )  # fmt: skip
    shown = said(project)
    assert shown.count("checkpoint.ipynb: left out: probe edges has not measured it") == 1
    assert made(executed) == []


def test_checkpoints_that_more_probes_measured_are_taken_first(project, tiny, executed):
    more_checkpoints(tiny, (0, 1, 2, 4, 32, 64, 256, 500), "edges")
    said(project)
    assert sorted(made(executed)) == [0, 1, 2, 4, 32, 64, 256, 500]


def contents_of(project, monkeypatch, *runs):
    given = []
    monkeypatch.setattr(book, "build", lambda root, toc, console: given.append(toc) or root / "index.html")
    said(project, *runs)
    return given[0]["parts"]


def test_they_stand_below_the_page_of_all_and_not_on_the_front_page(project, tiny, executed, monkeypatch):
    report, *_ = contents_of(project, monkeypatch)
    tokens, front = report["chapters"]
    assert tokens["file"].endswith("tiny/tokens")
    assert front["file"].endswith("tiny/atlas")
    assert [each["file"].rpartition("-")[2] for each in front["sections"]] == [
        "0",
        "1",
        "2",
        "8",
        "16",
        "64",
        "128",
        "500",
    ]
    (index,) = (page for page in executed if page.page.name == "index")
    assert "[The atlas](atlas.ipynb)" in index.list
    assert "checkpoint-" not in index.list


def test_of_several_runs_each_has_its_own_below_its_page_of_all(project, tiny, executed, monkeypatch):
    other = measured_run("other")
    more_checkpoints(other, (0, 10))
    parts = contents_of(project, monkeypatch, "tiny", "other")
    (own,) = {part["caption"]: part["chapters"] for part in parts}["Every run"]
    (front,) = (chapter for chapter in own["sections"] if chapter["file"].endswith("other/atlas"))
    assert [each["title"] for each in front["sections"]] == ["The checkpoint 0", "The checkpoint 10"]
    assert [each["file"].rpartition("/")[2] for each in front["sections"]] == ["checkpoint-0", "checkpoint-10"]


def links(executed, name):
    (page,) = (page for page in executed if page.page.name == name)
    return page.list


def test_each_is_linked_with_the_one_before_and_after_and_with_the_page_of_all(project, tiny, executed):
    said(project)
    assert links(executed, "checkpoint-0") == "[all checkpoints](atlas.ipynb) · [checkpoint 1 →](checkpoint-1.ipynb)"
    assert links(executed, "checkpoint-128") == (
        "[← checkpoint 64](checkpoint-64.ipynb) · [all checkpoints](atlas.ipynb) · "
        "[checkpoint 500 →](checkpoint-500.ipynb)"
    )
    assert links(executed, "checkpoint-500").endswith("[all checkpoints](atlas.ipynb)")
    assert links(executed, "atlas").startswith(
        "Checkpoints with a page of their own: [0](checkpoint-0.ipynb), [1](checkpoint-1.ipynb), "
    )
    assert links(executed, "tokens") is None


def test_those_that_were_made_are_in_the_book_as_long_as_they_are_current(project, tiny, executed, monkeypatch):
    console = Console(file=(stream := io.StringIO()), width=200)
    assert atlas.atlas("tiny", "4,32", console, project) == 2
    assert "2 pages in" in stream.getvalue()
    assert "`embryology report tiny` puts them in the book" in stream.getvalue()
    assert atlas.atlas("tiny", "0,4,32", console, project) == 1, "two of three are there"
    assert "2 of 3 pages are there (same template, measurements, code), skipped" in stream.getvalue()
    executed.clear()
    report, *_ = contents_of(project, monkeypatch)
    assert [each["file"].rpartition("-")[2] for each in report["chapters"][1]["sections"]] == (
        ["0", "1", "2", "4", "8", "16", "32", "64", "128", "500"]
    )
    assert sorted(made(executed)) == [1, 2, 8, 16, 64, 128, 500]
    # Its links are those of the book, and nothing was executed for that.
    more_checkpoints(tiny, [1024])
    executed.clear()
    report, *_ = contents_of(project, monkeypatch)
    assert [each["file"].rpartition("-")[2] for each in report["chapters"][1]["sections"]] == (
        [str(step) for step in spread([*STEPS, 1024])]
    ), "of other measurements"


def test_links_are_mended_where_a_page_was_executed_before(project, tiny, monkeypatch):
    without_kernels(monkeypatch)
    atlas.atlas("tiny", "32", None, project)
    place = project / "book" / "executed" / "tiny" / "checkpoint-32.ipynb"

    def cell():
        return next(
            "".join(cell["source"])
            for cell in json.loads(place.read_text())["cells"]
            if "pages" in cell["metadata"].get("tags", [])
        )

    assert cell() == "In the table of contents."
    with monkeypatch.context() as patch:
        patch.setattr(reports, "_execute", lambda execution: None)  # of the other
        atlas.atlas("tiny", "16,32", None, project)
    assert cell() == "[← checkpoint 16](checkpoint-16.ipynb)"
    (output,) = json.loads(place.read_text())["cells"][-1]["outputs"]
    assert output["data"]["text/plain"] == ["32"]


def test_where_one_fails_the_others_are_made_and_it_is_named_at_the_end(project, tiny, monkeypatch):
    monkeypatch.setattr(atlas, "project_folder", lambda: project)
    result = CliRunner().invoke(cli.app, ["atlas", "tiny", "--steps", "2,4,8"])
    assert isinstance(result.exception, EmbryologyError)
    assert str(result.exception) == (
        "1 of 3 pages could not be made, the others are: checkpoint-4.ipynb: AssertionError: it fails"
    )
    there = {file.name for file in (project / "book" / "executed" / "tiny").iterdir()}
    assert there == {"checkpoint-2.ipynb", "checkpoint-8.ipynb"}
    stream = io.StringIO()
    with pytest.raises(EmbryologyError, match="1 of 3 pages could not be made"):  # and is tried again, alone
        atlas.atlas("tiny", "2,4,8", Console(file=stream, width=200), project)
    assert "2 of 3 pages are there" in stream.getvalue()


def test_two_are_made_at_a_time(project, tiny, executed, monkeypatch):
    jobs = []
    execute = reports.execute_all
    monkeypatch.setattr(reports, "execute_all", lambda *a, **k: jobs.append((a[2], k)) or execute(*a, **k))
    monkeypatch.setattr(atlas, "project_folder", lambda: project)
    assert CliRunner().invoke(cli.app, ["atlas", "tiny"]).exit_code == 0
    assert jobs == [(2, {"keep_going": True})]
    assert sorted(made(executed)) == [*STEPS]
    assert CliRunner().invoke(cli.app, ["atlas", "tiny", "--steps", "last"]).exit_code == 0
    assert len(jobs) == 1, "nothing is left to do"


@pytest.mark.parametrize(
    ("run", "steps", "message"),
    [
        ("tiny", "5", "tiny has no checkpoint at step 5"),
        ("nothing", "all", "there is no run at"),
        ("bare", "all", "bare: probe tokens has not measured it"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_executed(run, steps, message, project, tiny, executed):
    bare = measured_run("bare")
    measurements.write_standing(bare, [])
    with pytest.raises(EmbryologyError, match=message):
        atlas.atlas(run, steps, None, project)
    assert executed == []


def test_a_project_without_such_a_page_has_none(project, executed):
    assert checkpoint_pages.template(project) is None
    said(project)
    assert made(executed) == []
    with pytest.raises(EmbryologyError, match="has no notebook of the kind 'checkpoint'"):
        atlas.atlas("tiny", "all", None, project)
