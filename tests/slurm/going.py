"""A study gone through by Snakemake, as a person does it, with what may happen to it on the way."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from embryology.runs import measurements
from embryology.runs.paths import ROOT
from embryology.runs.series import Series
from embryology.study.plan import frozen
from tests.study.conftest import TREEBANK
from tests.training import SHORT, small_preset

SNAKEMAKE = os.environ.get("SNAKEMAKE") or shutil.which("snakemake")
"""The program; it may be one of an environment of its own."""


def lacking() -> str | None:
    return None if SNAKEMAKE else "no snakemake on PATH, and SNAKEMAKE names none (pip install embryology[workflow])"


def write_study(folder: Path, **changes) -> Path:
    """Two presets × two seeds: ``smoke`` on 300 articles, and the same with another rate; to be measured in 8 jobs."""
    import yaml

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "treebank.conllu").write_text(TREEBANK)
    for name, rate in (("smoke-a", 2e-3), ("smoke-b", 1e-3)):
        values = small_preset(folder, steps=30, checkpoints=[0, 5, 10, 30], **SHORT).model_dump(mode="json")
        values["outcome"]["optimizer"]["learning_rate"] = rate
        probes = {"tokens": {"treebank": str(folder / "treebank.conllu")}, "knowledge": {"facts": 10}}
        chosen = {key: values[key] for key in ("outcome", "speed")} | {"probes": probes}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(chosen))
    values = {"presets": ["smoke-a.yaml", "smoke-b.yaml"], "seeds": [0, 1], "chunk": 2, "threads": 1}
    (folder / "study.yaml").write_text(yaml.safe_dump(values | changes))
    return folder / "study.yaml"


def command_of(folder: Path) -> Path:
    """A program that does as ``embryology``, writes down each job that it begins, and hangs before the first of those
    named in ``hangs``, once."""
    file = folder / "embryology.sh"
    python = f"{shlex.quote(sys.executable)} -m embryology"
    file.write_text(
        f"""#!/bin/sh
export PYTHONPATH={shlex.quote(str(ROOT))}
if [ "$2" = job ]; then
  echo "$4" >> {folder}/begun
  if grep -qxF "$4" {folder}/hangs 2>/dev/null; then
    grep -vxF "$4" {folder}/hangs > {folder}/hangs.new; mv {folder}/hangs.new {folder}/hangs
    exec sleep 600
  fi
fi
exec {python} "$@"
"""
    )
    file.chmod(0o755)
    return file


def begun(folder: Path) -> list[str]:
    """The jobs that :func:`command_of` was called for, in their order."""
    file = folder / "begun"
    return file.read_text().split() if file.exists() else []


def snakemake(
    folder: Path, profile: str, *options: str, until: str = "book", environment: Mapping[str, str] | None = None
) -> subprocess.Popen:
    """Snakemake on the study in ``folder``, with runs in ``folder/runs``; what it says is in ``snakemake.log``."""
    asked = [f"study={folder / 'study.yaml'}", f"embryology={command_of(folder)}", f"until={until}"]
    command = [str(SNAKEMAKE), "--snakefile", str(ROOT / "workflow" / "Snakefile"), "--directory", str(folder)]
    command += ["--workflow-profile", str(ROOT / "workflow" / "profiles" / profile), *options, "--config", *asked]
    with open(folder / "snakemake.log", "ab") as stream:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**(environment or os.environ), "EMBRYOLOGY_RUNS": str(folder / "runs")},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_for(what, seconds: float = 300, process: subprocess.Popen | None = None):
    """Until ``what()`` is true; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := what():
            return value
        assert process is None or process.poll() is None, f"Snakemake ended with {process.returncode}"
        time.sleep(0.3)
    raise AssertionError("it did not come")


def assert_same(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    """To the last bit, in every table."""
    assert found.keys() == expected.keys()
    for name, table in expected.items():
        assert len(table)
        pd.testing.assert_frame_equal(found[name], table, check_exact=True, obj=name)


def measured(described) -> dict[str, pd.DataFrame]:
    """By run and table all that was measured, of the frozen runs."""
    tables = {}
    for member in described.members:
        series = Series.open(frozen(described, member))
        # Without the key, which holds the path of the treebank, in another folder each time.
        tables[member.name] = measurements.read(series).drop(columns="key")
        for probe in measurements.standing(series.folder):
            if (items := measurements.item_table(series, probe)) is not None:
                tables[f"{member.name}/{probe}"] = items.to_pandas()
    return tables
