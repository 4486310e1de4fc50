"""The study by Snakemake on this machine: killed, and with a checkpoint that cannot be read."""

import os
import signal
import subprocess

import pytest

from embryology.runs.paths import ROOT, RunFolder
from embryology.study import description, plan
from tests.slurm import going

pytestmark = [pytest.mark.skipif(bool(going.lacking()), reason=str(going.lacking()))]
SNAKEFILE = ROOT / "workflow" / "Snakefile"


def test_the_snakefile_is_formatted_and_has_nothing_to_be_said_against(folder):
    beside = os.path.join(os.path.dirname(str(going.SNAKEMAKE)), "snakefmt")
    if os.path.exists(beside):
        subprocess.run([beside, "--check", "--config", ROOT / "pyproject.toml", SNAKEFILE], check=True)
    going.write_study(folder)
    process = going.snakemake(folder, "local", "--lint")
    assert process.wait(300) == 0
    assert "Congratulations, your workflow is in a good condition!" in (folder / "snakemake.log").read_text()


@pytest.mark.long
def test_killed_and_begun_again_nothing_is_repeated_and_a_job_that_fails_is_named_and_runs_alone(folder, here):
    described = description.load(going.write_study(folder))
    broken = "measure/smoke-b-seed1/probes/0-5"
    process = going.snakemake(folder, "local", "--cores", "2", until="freeze")
    going.wait_for(lambda: len(cells(described)) > 2, 1200, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {file: file.stat().st_mtime_ns for file in cells(described)}
    pretrained = [job for job in going.begun(folder) if job.startswith("pretrain") and done(described, job)]
    assert going.snakemake(folder, "local", "--unlock", until="freeze").wait(300) == 0
    going.snakemake(folder, "local", "--cores", "2", until="pretrain").wait(1200)
    weights = RunFolder.named("smoke-b-seed1").checkpoint(5) / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    assert going.snakemake(folder, "local", "--cores", "2", "--retries", "0", until="freeze").wait(1800) != 0
    said = (folder / "snakemake.log").read_text()
    assert f"to do: {broken}" in said
    assert [job.name for job in plan.make(described).todo] == [broken, "freeze/smoke-b-seed1", "book"]
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert all(going.begun(folder).count(job) == 1 for job in pretrained)
    weights.write_bytes(whole)
    jobs = len(going.begun(folder))
    assert going.snakemake(folder, "local", "--cores", "2", until="freeze").wait(900) == 0
    assert going.begun(folder)[jobs:] == [broken, "freeze/smoke-b-seed1"]
    going.assert_same(going.measured(described), here)


def cells(described):
    return [file for member in described.members for file in member.folder.measurements.glob("*/*/0*.parquet")]


def done(described, job):
    return plan.make(described).jobs[job].done
