"""Kernels that begin with all imported that pages import: forked from a process that imported it once.

A kernel of its own takes seconds of a core to import what every page imports, which is most of the time of many pages.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
IMPORTED_FIRST = ("matplotlib.pyplot", "pandas", "IPython", "ipykernel.kernelapp", "ipykernel.ipkernel")
ROOMS = ("analysis", "figures")
SERVE = f"import sys; sys.path[:] = filter(None, sys.path); from {__name__} import serve; serve()"
"""Not from where somebody happens to be: a folder called embryology there is not this package."""


def possible() -> bool:
    """Whether this system can tell of a process that is no child when it has ended: Linux, from 5.3 on."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


class Forked:
    """A process, with that part of :class:`subprocess.Popen` that Jupyter uses of one."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def __del__(self) -> None:
        os.close(self._handle)

    def poll(self, seconds: float | None = 0) -> int | None:
        """None while it runs, for so many seconds; how it ended is not known, which counts as 0."""
        ended = select.poll()  # and not `select`, which fails where a process has many files open
        ended.register(self._handle, select.POLLIN)
        return 0 if ended.poll(None if seconds is None else 1000 * seconds) else None

    def wait(self, timeout: float | None = None) -> int | None:
        """As :meth:`poll`, until it has ended."""
        return self.poll(timeout)

    def send_signal(self, number: int) -> None:
        """Nothing happens to one that has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Server:
    """Begins the process that others are forked from when the first is asked for. Of any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._path: str | None = None
        """What ``PYTHONPATH`` was: modules are looked for where that said."""

    def start(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], folder: str) -> Forked:
        """A new process that runs a module, as ``python -m`` does.

        Raises:
            RuntimeError: the process that it is forked from has died.
        """
        request = {"module": module, "arguments": [*arguments], "environment": {**environment}, "folder": folder}
        with self._lock:
            if self._process is None or self._process.poll() is not None or self._path != environment.get("PYTHONPATH"):
                self._begin(environment)
            assert self._process
            assert self._process.stdin
            assert self._process.stdout
            print(json.dumps(request), file=self._process.stdin, flush=True)
            if not (pid := self._process.stdout.readline()):
                raise RuntimeError("the process that kernels are forked from has died")
            return Forked(int(pid))  # which is there, ended or not, until the next line

    def _begin(self, environment: Mapping[str, str]) -> None:
        # A thread for each, as they run side by side: linear algebra makes its threads when it is imported.
        own = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        self._path = environment.get("PYTHONPATH")
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, **own},
            start_new_session=True,  # Ctrl-C is the affair of this process, which ends all of them
        )
        atexit.register(self._process.communicate)  # which closes its input, so that it ends


def serve() -> None:
    """Fork a process for every line of standard input, and say its number; until that is closed."""
    _import_all()
    for line in iter(sys.stdin.readline, ""):
        _reap()
        if not (pid := os.fork()):
            _become(**json.loads(line))
            return
        print(pid, flush=True)


def _reap() -> None:
    """Let go of those that have ended and were asked for by earlier lines."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _become(module: str, arguments: list[str], environment: dict[str, str], folder: str) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # the other end of standard output reads numbers
    os.environ.clear()
    os.environ.update(environment, JPY_PARENT_PID=str(os.getppid()))
    os.chdir(folder)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _import_all() -> None:
    for name in [*IMPORTED_FIRST, *_modules()]:
        try:
            importlib.import_module(name)
        except Exception:  # the page that imports it says what is wrong with it
            continue
    gc.freeze()  # what is there now is shared, as nobody counts it again


def _modules() -> Iterator[str]:
    for room in ROOMS:
        for file in sorted((PACKAGE / room).rglob("*.py")):
            yield ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


SERVER = Server()
