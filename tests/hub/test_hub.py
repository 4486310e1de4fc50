"""The tests against a mirror of the Hub, in a process of their own, whose environment is read as it starts."""

import os
import subprocess
import sys
from pathlib import Path

from embryology.runs.paths import ROOT

FILES = sorted(Path(__file__).parent.glob("online_*.py"))


def test_against_a_mirror(tmp_path):
    options = ["-q", "-p", "no:cacheprovider", "-p", "tests.hub.beside", "--basetemp", str(tmp_path / "base")]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, FILES)],
        cwd=ROOT,
        env=os.environ | {"EMBRYOLOGY_RUNS": str(tmp_path / "runs"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
