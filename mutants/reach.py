"""Which lines of the package a file of tests reaches, test by test, and how long each test takes."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

SHARED = "*"
"""Instead of a test's name: lines reached while modules are read or fixtures of several tests are made."""
PRELOADED = ["torch", "transformers", "pandas", "scipy.stats", "sklearn.linear_model", "statsmodels.api", "seaborn"]

OPTIONS = ["-q", "-m", "not long", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
"""Of pytest; modules that are loaded already are none of the tests', so that it need not rewrite their asserts."""

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload([*PRELOADED, "matplotlib.pyplot", "spacy", "pytest"])


class Meter:
    """A plugin of pytest that tells coverage.py which test runs, and keeps the seconds of each."""

    def __init__(self, coverage: Any):
        self.coverage, self.seconds, self.failed = coverage, {}, []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        if report.failed:
            self.failed.append(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Iterator[None]:
        if fixturedef.scope == "function":
            return (yield)
        self.coverage.switch_context(SHARED)
        try:
            return (yield)
        finally:
            self.coverage.switch_context(request.node.nodeid if "::" in request.node.nodeid else SHARED)


def measure(tree: Path, test_file: str, to: Path) -> None:
    """Run a file of tests in this process; writes its lines by test, seconds, and what failed, as JSON."""
    import coverage

    cover = coverage.Coverage(data_file=None, source=[str(tree / "embryology")], config_file=False)
    cover.start()
    cover.switch_context(SHARED)
    meter = Meter(cover)
    pytest.main([*OPTIONS, test_file], plugins=[meter])
    cover.stop()
    data = cover.get_data()
    lines: dict[str, dict[str, list[int]]] = {}
    for file in data.measured_files():
        by_test = lines.setdefault(Path(file).relative_to(tree).as_posix(), {})
        for line, tests in data.contexts_by_lineno(file).items():
            for test in {test or SHARED for test in tests}:
                by_test.setdefault(test, []).append(line)
    to.write_text(json.dumps({"lines": lines, "seconds": meter.seconds, "failed": meter.failed}))


def some(tree: Path, tests: list[str], to: Path) -> None:
    """Run some tests in this process until one fails, which is written with its error."""

    class First:
        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.failed and not to.exists():
                to.write_text(f"{report.nodeid}\n{str(report.longrepr)[-2000:]}")

    status = pytest.main([*OPTIONS, "-x", *tests], plugins=[First()])
    if status not in (0, 1) and not to.exists():
        to.write_text(f"pytest ended with {status!r}, before any test")


def in_process(tree: Path, work: Callable[..., None], *arguments: Any, log: Path, limit: float) -> bool:
    """``work(tree, *arguments)`` in a process of its own, with the tree's package; whether it took too long."""
    process = FORKS.Process(target=_begin, args=(tree, work, arguments, log))
    process.start()
    process.join(limit)
    late = process.is_alive()
    if late:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    return late


def _begin(tree: Path, work: Callable[..., None], arguments: tuple[Any, ...], log: Path) -> None:
    os.setsid()
    with log.open("w") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    os.chdir(tree)
    os.environ.update(PYTHONPATH=str(tree), TMPDIR=str(log.parent), PYTHONDONTWRITEBYTECODE="1")
    sys.path[:] = [str(tree), *(place for place in sys.path if Path(place) != Path(__file__).parent.parent)]
    sys.dont_write_bytecode = True
    started = time.perf_counter()
    work(tree, *arguments)
    print(f"{time.perf_counter() - started:.1f} s")
    sys.stdout.flush()
    os._exit(0)
