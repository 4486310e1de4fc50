"""What doing two things at a time brings: checkpoints that are measured, and kernels that are forked with imports done.

    python benchmarks/side_by_side.py RUN [--steps 0,400,1600,3600] [--page pretraining] [--times 3]

RUN is a trained run whose weights are there; copies of it are measured, with one process that has all threads and with
two that share them, and what they say is compared. The page is executed in kernels that are forked and in kernels of
their own, in turn. Prints Markdown, for benchmarks/README.md.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import papermill
from rich.console import Console

from embryology.probes.runner import chosen_settings, run_probes
from embryology.report import forks
from embryology.report.kernel import OwnKernel
from embryology.runs import measurements
from embryology.runs.paths import ROOT
from embryology.runs.series import Series


def measured(run: Path, jobs: int, steps: str, to: Path) -> tuple[float, Series]:
    """Seconds that all probes of a copy take, counting apart, and the copy."""
    shutil.copytree(run, to, ignore=shutil.ignore_patterns("measurements", "state"))
    series = Series.open(to)
    began = time.perf_counter()
    run_probes(series, chosen_settings(series), steps, Console(), jobs=jobs)
    return time.perf_counter() - began, series


def executed(page: str, run: str, forked: bool, reads: Path) -> float:
    """Seconds that a page takes."""
    real, began = forks.possible, time.perf_counter()
    forks.possible = lambda: forked
    try:
        papermill.execute_notebook(
            ROOT / "notebooks" / f"{page}.ipynb", None, {"run": run}, kernel_name="python3", language="python",
            kernel_manager_class=OwnKernel.noting(reads), progress_bar=False, record_timing=False,
        )  # fmt: skip
    finally:
        forks.possible = real
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--steps", default="0,400,1600,3600")
    parser.add_argument("--page", default="pretraining")
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    run = Series.open(asked.run).folder.root
    with tempfile.TemporaryDirectory() as folder:
        taken, tables = {}, {}
        for jobs in (1, 2):
            taken[jobs], series = measured(run, jobs, asked.steps, Path(folder) / str(jobs) / run.name)
            tables[jobs] = measurements.read(series).set_index(["probe", "task", "group", "metric", "step"])["value"]
        apart = (tables[1] - tables[2]).abs()
        pages: dict[bool, list[float]] = {True: [], False: []}
        executed(asked.page, str(run), True, Path(folder) / "reads")  # after which there is one to fork from
        for _ in range(asked.times):
            for forked in pages:
                pages[forked].append(executed(asked.page, str(run), forked, Path(folder) / "reads"))
    print(f"\n| all probes of steps {asked.steps} | seconds |\n|---|---|")
    print(f"| one process | {taken[1]:.0f} |\n| two processes | {taken[2]:.0f} ({taken[1] / taken[2]:.2f} times) |")
    print(f"\n{len(apart):,} values, {(apart > 1e-5).sum():,} of them more than 1e-5 apart, by probe:")
    print(apart[apart > 1e-5].groupby("probe").agg(["size", "max"]).to_markdown())
    print(f"\n| `{asked.page}` in a kernel | median seconds of {asked.times} |\n|---|---|")
    print(f"| of its own | {statistics.median(pages[False]):.1f} |")
    print(f"| that is forked | {statistics.median(pages[True]):.1f} |")


if __name__ == "__main__":
    main()
