"""The tests against a mirror of the Hub, each file in a process of its own that knows no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from embryology.runs.paths import ROOT

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", sorted(HERE.glob("online_*.py")), ids=lambda file: file.stem)
def test_against_a_mirror(file, tmp_path):
    options = ["-q", "-p", "no:cacheprovider", "-p", "tests.hub.beside", "--basetemp", str(tmp_path / "base")]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(file)],
        cwd=ROOT,
        env=os.environ | {"EMBRYOLOGY_RUNS": str(tmp_path / "runs"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
