"""Is anything lost when a training dies? Runs that are killed at random moments and resumed.

    python benchmarks/kills.py [--kills 20] [--preset smoke] [--seed 0]

Trains the preset once without interruption. Then trains it anew for every kill: SIGKILL at a random moment of that
time, the start-up included, then a resume to the end. Every end is compared with the uninterrupted one bit for bit.
Prints a table in Markdown; exits with status 1 where anything differs. Runs go to a temporary folder.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import typer

from embryology.errors import EmbryologyError
from embryology.runs import losses, manifest, verify
from embryology.runs.paths import RunFolder
from embryology.storage.files import PART

OF_THE_SESSION = ("run.yaml", ".lock")
"""Files that tell how a run was trained, not what it became."""


def differences(run: RunFolder, reference: RunFolder) -> list[str]:
    """What of a finished run is not the reference's, bit for bit: every file of it, but for times and speeds."""
    names, expected = _files(run), _files(reference)
    different = sorted(names ^ expected) + [
        name
        for name in sorted(names & expected)
        if (run.root / name).read_bytes() != (reference.root / name).read_bytes()
    ]
    tables = [losses.read(folder).drop(columns="tokens_per_second") for folder in (run, reference)]
    if not tables[0].equals(tables[1]):
        different.append(run.losses.name)
    states = [max(folder.state.glob("*.pt"), default=None) for folder in (run, reference)]
    if None in states or not _same(*(torch.load(file, weights_only=True) for file in states)):
        different.append("the newest state")
    return different


def _files(folder: RunFolder) -> set[str]:
    """But for states and losses, which are compared by what they hold."""
    files = {path.relative_to(folder.root) for path in folder.root.rglob("*") if path.is_file()}
    apart = (*OF_THE_SESSION, folder.losses.name, folder.state.name)
    return {str(file) for file in files if file.parts[0] not in apart}


def _same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor):
        bits = [tensor.reshape(-1).view(torch.uint8) for tensor in (one, other)]
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(*bits)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def train(preset: str, folder: RunFolder, kill_after: float | None = None) -> float:
    """Train to the end, or kill the process after so many seconds. Returns how many it took."""
    command = [sys.executable, "-m", "embryology", "pretrain", preset, "--run", str(folder.root), "--resume"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.returncode > 0:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.perf_counter() - began


def on_disk(folder: RunFolder) -> tuple[str, int, int]:
    """What a kill left, in words; how many half-written files under hidden names; how much that does not hold."""
    checkpoints = len(list(folder.checkpoints.glob("step-*")))
    hidden = len(list(folder.root.rglob(f".*{PART}")))
    try:
        findings = [line for line in verify.check(folder)[0] if PART not in line]
    except EmbryologyError:  # no checkpoints yet
        findings = []
    begun = "run.yaml" if folder.manifest.exists() else "nothing"
    return f"checkpoints: {checkpoints}" if checkpoints else begun, hidden, len(findings)


def main(kills: int = 20, preset: str = "smoke", seed: int = 0) -> None:
    moments, bad = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as home:
        os.environ["EMBRYOLOGY_RUNS"] = home
        train(preset, RunFolder(Path(home) / "first"))  # prepares the corpus, which all the others share
        reference = RunFolder(Path(home) / "uninterrupted")
        duration = train(preset, reference)
        print(f"Uninterrupted: {duration:.1f} s.\n")
        print("| kill | after (s) | state at step | on disk | half-written | partial or lost | differs at the end in |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for number in range(1, kills + 1):
            folder = RunFolder(Path(home) / f"killed-{number}")
            moment = moments.random() * duration
            train(preset, folder, kill_after=moment)
            step, (left, hidden, partial) = manifest.steps_done(folder), on_disk(folder)
            train(preset, folder)
            different = differences(folder, reference) + verify.check(folder)[0]
            bad += bool(partial or different)
            ends = ", ".join(different) or "nothing"
            print(f"| {number} | {moment:.2f} | {step} | {left} | {hidden} | {partial} | {ends} |", flush=True)
    print(f"\n{kills} kills; runs with a partial, lost or different file: {bad}")
    raise typer.Exit(bool(bad))


if __name__ == "__main__":
    typer.run(main)
