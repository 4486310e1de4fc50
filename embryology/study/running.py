"""A study on this machine: the jobs of its plan, each in a process of its own as on a cluster."""

import os
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.study import plan as plans
from embryology.study.description import BOOK, KINDS, Described, Kind
from embryology.study.estimate import estimate
from embryology.study.plan import Job, Plan


def run(described: Described, console: Console, jobs: int = 1, until: Kind = BOOK) -> None:
    """Do all that is left to do up to jobs of a kind, so many at a time; after one that fails all go on that do not
    need it.

    Raises:
        EmbryologyError: something that can be known to go wrong, before anything is run; or the jobs that failed.
    """
    plan = plans.make(described)
    plans.refuse_impossible(plan, estimate(plan).gigabytes)
    asked = KINDS[: KINDS.index(until) + 1]
    waiting = {job.name: job for job in plan.todo if job.kind in asked}
    total = len(waiting)
    console.print(f"{described.study.name}: {total} of {len(plan.jobs)} jobs to do", highlight=False)
    failed: dict[str, str] = {}
    running: dict[Future[str | None], Job] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or running:
            left = {*waiting, *(job.name for job in running.values()), *failed}
            for job in [job for job in waiting.values() if not left & {*job.needs}][: jobs - len(running)]:
                running[pool.submit(_run, plan, job)] = waiting.pop(job.name)
            if not running:
                break  # what is left needs what failed
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                if reason := future.result():
                    failed[job.name] = reason
                console.print(f"{job.name}: {'failed' if reason else 'done'}", highlight=False, soft_wrap=True)
    if failed:
        listed = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        left_out = f"; not begun, as they need these: {', '.join(waiting)}" if waiting else ""
        raise EmbryologyError(f"{len(failed)} of {total} jobs failed: {listed}{left_out}")


def log_of(described: Described, name: str) -> Path:
    return described.folder / "logs" / f"{name}.log"


def _run(plan: Plan, job: Job) -> str | None:
    """Why a job failed, the last line that it said; None where it did not."""
    log = log_of(plan.described, job.name)
    log.parent.mkdir(parents=True, exist_ok=True)
    threads = str(plans.threads(plan, job))
    command = [sys.executable, "-m", "embryology", "study", "job", str(plan.described.file), job.name]
    with open(log, "w", encoding="utf-8") as stream:
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        status = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, env=environment).returncode
    if status == 0:
        return None
    said = log.read_text(encoding="utf-8", errors="replace").split("\n")
    last = next((line for line in reversed(said) if line.strip()), f"it ended with status {status}")
    return f"{last.removeprefix('error: ')} (all of it in {log})"
