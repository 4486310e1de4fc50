"""Is anything lost when a probe or a report dies, or when several measure at once?

    python benchmarks/probe_kills.py [--kills 30] [--reports 10] [--processes 8] [--seed 0]

Makes a series of BERT checkpoints by transformers alone and measures it once without interruption. Then anew for every
kill: SIGKILL at a random moment of that time, the start-up included, then the same command to the end. Then with
several processes at once. The measurements of every end are compared with the uninterrupted ones byte by byte. Reports
are killed in the same way, in a copy of the project, and their pages compared. Prints a table in Markdown; exits with
status 1 where anything differs. Works in a temporary folder.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer

from embryology.runs.paths import ROOT
from embryology.storage.files import PART
from tests.foreign import save_bert

PROBES = ("tokens", "knowledge", "frozen")


def start(*arguments: str, cwd: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "embryology", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen, kill_after: float | None = None) -> float:
    """Wait for its end, or kill it after so many seconds. Returns how many it took."""
    began = time.perf_counter()
    try:
        _, said = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
    if process.returncode > 0:
        raise SystemExit(f"{process.args} failed: {said.decode()}")
    return time.perf_counter() - began


def files(folder: Path) -> dict[str, bytes]:
    """Everything under a final name, by path."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in (PART, ".lock")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if not path.name.startswith(".")}


def different(folder: Path, reference: dict[str, bytes]) -> list[str]:
    here = files(folder)
    return sorted(name for name in here.keys() | reference.keys() if here.get(name) != reference.get(name))


def project(home: Path) -> Path:
    """A copy of the pages, small enough to be built often."""
    root = home / "project"
    for name in ("book", "notebooks"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("executed"))
    shutil.copytree(ROOT / "embryology", root / "embryology", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_config.yml", "_toc.yml", "README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, root / name)
    return root


def main(kills: int = 30, reports: int = 10, processes: int = 8, seed: int = 0) -> None:
    moments, bad = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        os.environ["EMBRYOLOGY_RUNS"] = str(home / "runs")
        os.environ.pop("EMBRYOLOGY_DATA", None)
        made = save_bert(home / "made")

        def series(name: str) -> Path:
            return shutil.copytree(made, home / name / "bert")

        def probe(folder: Path) -> subprocess.Popen:
            chosen = [part for name in PROBES for part in ("--probe", name)]
            return start("probe", str(folder), "--preset", "smoke", *chosen, cwd=home)

        finish(probe(series("first")))  # tags the bundled text, which all the others share
        whole = series("uninterrupted")
        duration = finish(probe(whole))
        expected = files(whole / "measurements")
        print(f"Probing uninterrupted: {duration:.1f} s, {len(expected)} files.\n")
        print("| kill | after (s) | files there | half-written, hidden | differs at the end in |")
        print("|---|---|---|---|---|", flush=True)
        for number in range(1, kills + 1):
            folder, moment = series(f"killed-{number}"), moments.random() * duration
            finish(probe(folder), kill_after=moment)
            left, hidden = len(files(folder / "measurements")), len(list(folder.rglob(f".*{PART}")))
            finish(probe(folder))
            wrong = different(folder / "measurements", expected)
            bad += bool(wrong)
            print(f"| {number} | {moment:.2f} | {left} | {hidden} | {', '.join(wrong) or 'nothing'} |", flush=True)
            shutil.rmtree(folder.parent)
        folder = series("together")
        for process in [probe(folder) for _ in range(processes)]:
            finish(process)
        wrong = different(folder / "measurements", expected)
        bad += bool(wrong)
        print(f"\n{processes} processes at once: differs in {', '.join(wrong) or 'nothing'}.\n", flush=True)

        root = project(home)

        def report() -> subprocess.Popen:
            command = "import sys; from pathlib import Path; from embryology.report.build import report\n"
            command += "report([sys.argv[1]], root=Path(sys.argv[2]))"
            environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
            arguments = [sys.executable, "-c", command, str(whole), str(root)]
            quiet = subprocess.DEVNULL
            return subprocess.Popen(arguments, cwd=home, env=environment, stdout=quiet, stderr=subprocess.PIPE)

        def pages() -> dict[str, bytes]:
            executed, built = root / "book" / "executed", root / "_build" / "html" / "book"
            return {f"executed/{name}": content for name, content in files(executed).items()} | {
                f"built/{name}": content for name, content in files(built).items() if name.endswith(".html")
            }

        def cleared() -> None:
            for name in ("book/executed", "_build"):
                shutil.rmtree(root / name, ignore_errors=True)

        duration = finish(report())
        expected = pages()
        print(f"The report uninterrupted: {duration:.1f} s, {len(expected)} pages.\n")
        print("| kill | after (s) | pages there | differs at the end in |")
        print("|---|---|---|---|", flush=True)
        for number in range(1, reports + 1):
            cleared()
            moment = moments.random() * duration
            finish(report(), kill_after=moment)
            left = len(pages())
            finish(report())
            here = pages()
            wrong = sorted(name for name in here.keys() | expected.keys() if here.get(name) != expected.get(name))
            bad += bool(wrong)
            print(f"| {number} | {moment:.2f} | {left} | {', '.join(wrong) or 'nothing'} |", flush=True)
    print(f"\n{kills} kills of probe, {processes} probes at once, {reports} kills of report; different: {bad}")
    raise typer.Exit(bool(bad))


if __name__ == "__main__":
    typer.run(main)
