"""Run a function in a process of its own: what kills it, or what it may write, is its own affair.

Forked from a server that has loaded the trainer but computed nothing, so that a process starts at once.
"""

import ctypes
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embryology import cli

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["embryology.pretraining.loop", "embryology.cli"])
CAPABILITIES_VERSION_3 = 0x20080522


def exit_status(function: Callable, *arguments) -> int:
    """Of a process that calls ``function``; negative where a signal ended it."""
    process = CONTEXT.Process(target=function, args=arguments)
    process.start()
    process.join(120)
    return process.exitcode


def command(said: Path, prepare: Callable[[], None], *arguments: str) -> tuple[int, list[str]]:
    """``embryology`` with ``arguments`` in a process of its own, after ``prepare``: status and lines on standard error.

    Args:
        said: a file that takes what the command says.
    """
    status = exit_status(run_command, said, os.environ["EMBRYOLOGY_RUNS"], prepare, arguments)
    return status, said.read_text().splitlines()


def run_command(said: Path, runs: str, prepare: Callable[[], None], arguments: tuple[str, ...]) -> None:
    """What the process of a :func:`command` does; what it says on standard output is in ``said`` with ``.out``."""
    os.environ["EMBRYOLOGY_RUNS"] = runs
    for descriptor, file in ((1, f"{said}.out"), (2, said)):
        with open(file, "w") as stream:
            os.dup2(stream.fileno(), descriptor)
    prepare()
    sys.argv = ["embryology", *arguments]
    cli.main()


@contextmanager
def disk_of(size: str, place: Path) -> Iterator[Path]:
    """A file system of ``size``, as ``mount`` has it, at ``place``; the test is skipped where none may be mounted."""
    place.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def hold_to_permissions() -> None:
    """Root may write anywhere by a capability; without it, it is held to permissions as everyone is."""
    if os.geteuid() == 0:
        header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION_3, 0)
        assert ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()) == 0
