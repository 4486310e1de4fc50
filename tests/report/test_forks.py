"""Kernels that are forked give what kernels of their own give, begin with what pages import, and end as they do."""

import json
import os
import signal
import textwrap
import time

import papermill
import pytest
from jupyter_core.utils import ensure_event_loop

from embryology.report import forks
from embryology.report.kernel import OwnKernel
from tests.stub_project import write_notebook

pytestmark = pytest.mark.skipif(not forks.possible(), reason="this system cannot tell when another process has ended")


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """``ask(code)``: a forked process that runs it, where a folder has the name of this package."""
    (tmp_path / "embryology").mkdir()
    (tmp_path / "embryology" / "__init__.py").write_text("raise ImportError('another one')")
    (tmp_path / "modules").mkdir()
    monkeypatch.chdir(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "modules"), "ONLY": "here"}
    server = forks.Server()

    def start(code, *arguments, **changes):
        name = f"asked{len(list((tmp_path / 'modules').iterdir()))}"
        (tmp_path / "modules" / f"{name}.py").write_text(textwrap.dedent(code), encoding="utf-8")
        return server.start(name, arguments, environment | changes, str(tmp_path))

    start.server = server
    yield start
    if server._process:
        server._process.kill()
        server._process.communicate()


def said(file, seconds=60):
    """What a process wrote into a file, once it is there."""
    until = time.monotonic() + seconds
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.05)
    return json.loads(file.read_text())


def test_it_begins_with_all_imported_and_otherwise_as_a_process_of_its_own(ask, tmp_path):
    code = """
    import json, os, sys
    loaded = {"pandas", "matplotlib.pyplot", "embryology.figures.tokens", "embryology.analysis.claims.words"}
    say = {
        "lacking": sorted(loaded - set(sys.modules)), "arguments": sys.argv[1:], "name": __name__, "place": os.getcwd(),
        "only": os.environ["ONLY"], "threads": os.environ.get("OMP_NUM_THREADS"), "input": sys.stdin.read(),
        "leads": os.getpgid(0) == os.getpid(), "torch": "torch" in sys.modules, "path": "" in sys.path,
    }
    print("not a number", flush=True)
    with open("partly", "w") as stream:
        json.dump(say, stream)
    os.rename("partly", "said.json")
    """
    process = ask(code, "--one", "two", OMP_NUM_THREADS="7")
    assert said(tmp_path / "said.json") == {
        "lacking": [], "arguments": ["--one", "two"], "name": "__main__", "place": str(tmp_path), "only": "here",
        "threads": "7", "input": "", "leads": True, "torch": False, "path": False,
    }  # fmt: skip
    assert process.wait(60) == 0


def test_how_long_it_runs_is_known_and_it_can_be_ended(ask):
    processes = [ask("import time; time.sleep(600)") for _ in range(3)]
    quick = ask("")
    assert quick.wait(60) == 0
    assert [each.poll() for each in processes] == [None] * 3
    assert processes[0].wait(0.1) is None
    processes[0].kill()
    processes[1].terminate()
    os.killpg(processes[2].pid, signal.SIGKILL)  # Jupyter's way
    assert [each.wait(60) for each in processes] == [0] * 3
    ask("")  # now their numbers may be others'
    processes[0].kill()


def test_where_the_server_died_the_next_has_another(ask):
    ask("").wait(60)
    ask.server._process.kill()
    ask.server._process.wait()
    assert ask("").wait(60) == 0


def test_what_is_imported_from_is_what_the_environment_says(ask, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "beside.py").write_text("", encoding="utf-8")
    code = "import os, beside; os.rename('not', 'said')"
    (tmp_path / "not").write_text("1")
    ask(code).wait(60)
    assert not (tmp_path / "said").exists()
    both = os.pathsep.join(str(tmp_path / name) for name in ("modules", "elsewhere"))
    ask(code, PYTHONPATH=both).wait(60)
    assert (tmp_path / "said").exists()


def test_a_notebook_has_the_same_outputs_in_a_kernel_of_its_own(tmp_path, monkeypatch):
    """Figures that are drawn without being asked for are those that need a kernel's own backend."""
    cells = [
        "import os, sys\nimport matplotlib.pyplot as plt\nimport numpy as np\nfrom embryology.figures import style",
        "_ = plt.plot(np.random.default_rng(0).normal(size=9))",
        "print(os.environ['OMP_NUM_THREADS'], os.getcwd(), __name__, sys.argv[1:2])",
        "float(np.linalg.svd(np.random.default_rng(0).normal(size=(90, 90)))[1].sum())",
        "get_ipython().run_line_magic('who', '')",
    ]
    write_notebook(tmp_path / "one.ipynb", *cells)
    outputs, starts, start = [], [], forks.SERVER.start
    monkeypatch.setattr(forks.SERVER, "start", lambda *given: (starts.append(given), start(*given))[1])
    for forked in (True, False):
        monkeypatch.setattr(forks, "possible", lambda forked=forked: forked)
        kernels = OwnKernel.noting(tmp_path / "reads")
        made = papermill.execute_notebook(
            tmp_path / "one.ipynb", None, kernel_name="python3", language="python", kernel_manager_class=kernels,
            progress_bar=False, record_timing=False,
        )  # fmt: skip
        ensure_event_loop().close()  # nbclient leaves it open
        outputs.append([cell.get("outputs") for cell in made.cells])
        assert len(starts) == 1
    assert outputs[0] == outputs[1]
    assert "image/png" in str(outputs[0])
