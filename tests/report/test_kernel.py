"""Notebooks run side by side, and none goes on where one fails or the report is interrupted."""

import io
import threading

import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.report import build as reports
from embryology.report.kernel import OwnKernel
from tests.stub_project import write_notebook


@pytest.mark.parametrize("jobs", [1, 2])
def test_as_many_notebooks_as_asked_are_executed_at_a_time(jobs, project, monkeypatch):
    met = []
    barrier = threading.Barrier(2)

    def execute(execution):
        try:
            barrier.wait(5 if jobs == 2 else 0.1)
            met.append(execution.label)
        except threading.BrokenBarrierError:
            pass

    monkeypatch.setattr(reports, "_execute", execute)
    reports.report(["tiny"], root=project, jobs=jobs)
    assert sorted(met) == (["index.ipynb", "tokens.ipynb"] if jobs == 2 else [])


def test_where_a_page_fails_no_other_is_begun_and_those_that_run_are_stopped(project, tmp_path):
    slow = f"import time\ntime.sleep(20)\nopen({str(tmp_path / 'slept')!r}, 'w').close()"
    begun = f"import os\nopen({str(tmp_path / 'begun')!r}, 'w').write(os.environ['OMP_NUM_THREADS'])\n"
    write_notebook(project / "notebooks" / "index.ipynb", begun + slow, kind="front")
    fails = (
        "import pathlib, time\nfrom embryology.errors import EmbryologyError\n"
        f"while not pathlib.Path({str(tmp_path / 'begun')!r}).exists():\n    time.sleep(0.1)\n"
        "raise EmbryologyError('there is no step 7')"
    )
    write_notebook(project / "notebooks" / "tokens.ipynb", fails)
    write_notebook(
        project / "notebooks" / "words.ipynb",
        f"open({str(tmp_path / 'third')!r}, 'w').close()",
        kind="probe",
        part="Your run",
        order=11,
    )
    with pytest.raises(EmbryologyError, match="there is no step 7"):
        reports.report(["tiny"], root=project, jobs=2)
    assert (tmp_path / "begun").read_text() == "1"  # a thread a kernel
    assert not (tmp_path / "slept").exists()
    assert not (tmp_path / "third").exists()
    assert not (project / "book" / "executed" / "tiny" / "index.ipynb").exists()


def test_an_interrupt_stops_what_runs_and_begins_no_more(project, monkeypatch):
    write_notebook(project / "notebooks" / "words.ipynb", kind="probe", part="Your run", order=11)
    begun, second, stopped = [], threading.Event(), threading.Event()

    def execute(execution):
        begun.append(execution.label)
        if len(begun) == 2:
            second.set()
            assert stopped.wait(20)

    class Interrupted(Console):
        def print(self, *objects, **options):
            if "ask.md" in objects[0]:
                return
            assert second.wait(20)
            raise KeyboardInterrupt

    monkeypatch.setattr(reports, "_execute", execute)
    monkeypatch.setattr(OwnKernel, "kill_all", stopped.set)
    with pytest.raises(KeyboardInterrupt):
        reports.report(["tiny"], console=Interrupted(file=io.StringIO()), root=project, jobs=1)
    assert len(begun) == 2
