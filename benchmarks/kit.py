"""A run from text to frozen measurements on a bare machine, within a given number of minutes.

    python benchmarks/kit.py PRESET --minutes 12 [--text wikipedia.tar] [--wheels FOLDER] [--to FOLDER] [--seed N] …

Unpacks the text, trains, measures, freezes and packs, one after the other. What is over when the minutes are is stopped
in order: training saves where it is, measurements stay that are done, and what there is is packed; the last lines say
what was done and what is left. ``--text`` is an archive of the folder ``wikipedia`` of EMBRYOLOGY_DATA; ``--wheels`` a
folder of wheels for a machine without a package registry, on which nothing but Python is there.

The result lies in the folder of ``--to``, ``kit`` if left out: ``kit.log``, and archives in parts that are smaller than
2 MB each (``cat NAME.tar.gz.* | tar xz`` puts them together): the frozen run; and where something is left, the run
itself with its last state, so that it is resumed elsewhere with the same command and ``--resume-from``.

Only the standard library is imported before the packages are there, so options are read without Typer.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PART = 1_900_000
"""Bytes of a part of an archive at most."""
PACKING, LEAST = 0.04, 20.0
"""Share of the time that is kept for packing, and seconds at least."""
GRACE = 45.0
"""Seconds in which what is interrupted may save and end, of the time that is kept for what comes after it. Training
notices an interrupt every ten steps, and has half of the time for measurements if that is more."""


@dataclass
class Kit:
    """What is done, with its clock and its log."""

    folder: Path
    seconds: float
    probing: float = 0.35
    """Share of the time that is kept for measurements: training has the rest at most, and they all that it leaves."""
    begun: float = field(default_factory=time.monotonic)
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def work(self) -> Path:
        """Text, packages and the run, none of which is brought back."""
        return self.folder / "work"

    @property
    def packing(self) -> float:
        return max(LEAST, PACKING * self.seconds)

    def say(self, line: str) -> None:
        line = f"[{time.monotonic() - self.begun:7.1f} s] {line}"
        print(line, flush=True)
        with open(self.folder / "kit.log", "a", encoding="utf-8") as log:
            log.write(line + "\n")

    def note(self, line: str) -> None:
        """Of what was done."""
        self.done.append(line)
        self.say(line)

    def run(self, *command: str, until: float, grace: float | None = None) -> int | None:
        """Run a command until so many seconds after the beginning, its output in the log.

        Returns:
            Its exit status; None where it was stopped: by an interrupt, after which it has ``grace`` seconds,
            :data:`GRACE` if left out.
        """
        grace = GRACE if grace is None else grace
        self.say(" ".join(["$", *command]))
        with open(self.folder / "kit.log", "ab") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self.environment, cwd=ROOT, preexec_fn=_hear_interrupts
            )
            try:
                return process.wait(max(0.0, until - (time.monotonic() - self.begun)))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.say(f"killed, as it had not ended {grace:.0f} s after an interrupt")
        return None

    def embryology(self, *arguments: str, until: float, grace: float | None = None) -> int | None:
        return self.run(sys.executable, "-m", "embryology", *arguments, until=until, grace=grace)


def _hear_interrupts() -> None:
    """A shell starts what runs in its background deaf to interrupts, and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def install(kit: Kit, wheels: Path | None) -> None:
    """Make the package and its probes importable for the processes that follow.

    Raises:
        SystemExit: packages are missing, and there are no wheels of them.
    """
    packages = kit.work / "packages"
    if wheels:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
        subprocess.run([*command, str(packages), *map(str, sorted(wheels.glob("*.whl")))], check=True)
    packages.mkdir(parents=True, exist_ok=True)
    kit.environment["PYTHONPATH"] = os.pathsep.join([str(packages), str(ROOT)])
    kit.environment.setdefault("HF_HUB_OFFLINE", "1")
    register = [sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "egg_info", "--egg-base"]
    subprocess.run([*register, str(packages)], check=True, cwd=ROOT, env=kit.environment)
    listed = subprocess.run(
        [sys.executable, "-m", "embryology", "list"], capture_output=True, text=True, env=kit.environment, cwd=ROOT
    )
    if listed.returncode:
        raise SystemExit(f"error: {listed.stderr.strip()}; give wheels of what is missing, or run make install first")
    kit.note("packages from wheels" if wheels else "packages that were there")


def unpack(kit: Kit, text: Path | None) -> None:
    """Put the text where the project looks for it."""
    if text is None:
        kit.note("text that was there")
        return
    data = kit.work / "data"
    with tarfile.open(text) as archive:
        archive.extractall(data, filter="data")
    files = sorted((data / "wikipedia").glob("*.parquet"))
    if not files:
        raise SystemExit(f"error: {text} has no wikipedia/*.parquet; pack the folder: tar cf {text} wikipedia")
    kit.environment["EMBRYOLOGY_DATA"] = str(data)
    size = sum(file.stat().st_size for file in files) / 1e6
    kit.note(f"{len(files)} files of text unpacked, {size:.1f} MB")


def train(kit: Kit, preset: str, run: Path, seed: int | None) -> bool:
    """Whether it reached the last step."""
    sys.path[:0] = kit.environment["PYTHONPATH"].split(os.pathsep)
    from embryology.errors import EmbryologyError
    from embryology.runs import losses
    from embryology.runs.manifest import Manifest
    from embryology.runs.paths import RunFolder

    folder = RunFolder(run)
    earlier = losses.read(folder)["tokens"].max() if folder.losses.exists() else 0
    chosen = [] if seed is None else ["--seed", str(seed)]
    until = kit.seconds * (1 - kit.probing) - kit.packing
    begun = time.monotonic()
    kept = kit.probing * kit.seconds
    grace = min(max(GRACE, kept / 2), kept)
    status = kit.embryology("pretrain", preset, *chosen, "--run", str(run), "--resume", until=until, grace=grace)
    seconds = time.monotonic() - begun
    try:
        manifest, table = Manifest.read(folder), losses.read(folder)
    except EmbryologyError:
        why = "the time was over before its first row of losses" if status is None else f"it ended with status {status}"
        kit.left.append(f"all of the training ({why})")
        return False
    assert manifest is not None  # as there are losses
    last, steps = table.iloc[-1], manifest.outcome.steps
    rates, evaluated = table["tokens_per_second"].dropna(), table.dropna(subset=["held_out_masked_loss"]).iloc[-1]
    kit.note(
        f"{last['step']:,.0f} of {steps:,} steps trained, {last['tokens']:,.0f} tokens, {rates.median():,.0f} tokens/s "
        f"(median of {len(rates)} rows, evaluations apart), {(last['tokens'] - earlier) / seconds:,.0f} over the whole "
        f"command of {seconds:.0f} s; held-out loss {evaluated['held_out_masked_loss']:.3f} nats at step "
        f"{evaluated['step']:,.0f}"
    )
    if last["step"] < steps:
        why = "the time was over" if status is None else f"it ended with status {status}"
        kit.left.append(f"{steps - last['step']:,.0f} steps of training ({why})")
    return bool(last["step"] == steps and not status)


def probe(kit: Kit, run: Path) -> None:
    begun = time.monotonic()
    status = kit.embryology("probe", str(run), until=kit.seconds - kit.packing - GRACE)
    counts = {}
    for folder in sorted((run / "measurements").glob("*/*")):
        if count := len(list(folder.glob("*.parquet"))):
            counts[folder.parent.name] = count
    said = ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"
    kit.note(f"checkpoints measured in {time.monotonic() - begun:.0f} s: {said}")
    if status != 0:
        why = "the time was over" if status is None else f"status {status}; the log says what failed"
        kit.left.append(f"measurements ({why})")


def freeze(kit: Kit, run: Path) -> Path | None:
    """The frozen folder, without the probes that have not measured all that they are to; None where there is none."""
    from embryology.errors import EmbryologyError
    from embryology.runs import freeze as freezing
    from embryology.runs.series import Series

    without: list[str] = []
    while True:
        try:
            frozen = freezing.freeze(Series.open(run), kit.work / "frozen" / run.name, True, without)
            break
        except EmbryologyError as error:
            unmeasured = re.search(r"probe (\w+) has not measured", str(error))
            if unmeasured is None:
                kit.left.append(f"freezing: {error}")
                return None
            without.append(unmeasured[1])
    files = [file for file in frozen.rglob("*") if file.is_file()]
    total, largest = sum(file.stat().st_size for file in files), max(file.stat().st_size for file in files)
    kit.note(f"frozen, {len(files)} files of {total / 1e6:.1f} MB, the largest {largest / 1e6:.2f} MB")
    if without:
        kit.left.append(f"frozen without {', '.join(without)}")
    return frozen


def pack(folder: Path, to: Path, leave_out: Sequence[str] = (), size: int = PART) -> list[Path]:
    """Pack a folder into files of ``size`` bytes at most, which are one archive after the other.

    Args:
        folder: what to pack, under its own name.
        to: where to put them.
        leave_out: files and folders in it, by their paths from it.
        size: bytes a file.
    """
    whole = to / f"{folder.name}.tar.gz"
    skipped = {f"{folder.name}/{name}" for name in leave_out}
    with tarfile.open(whole, "w:gz") as archive:
        archive.add(folder, folder.name, filter=lambda member: None if member.name in skipped else member)
    parts = []
    with open(whole, "rb") as stream:
        while content := stream.read(size):
            parts.append(to / f"{whole.name}.{len(parts):03d}")
            parts[-1].write_bytes(content)
    whole.unlink()
    return parts


def pack_all(kit: Kit, run: Path, frozen: Path | None) -> None:
    parts = pack(frozen, kit.folder) if frozen else []
    if kit.left and run.exists():
        states = sorted(str(file.relative_to(run)) for file in (run / "state").glob("step-*.pt"))
        whole = run.rename(run.with_name(f"{run.name}-unfinished"))
        parts += pack(whole, kit.folder, [*states[:-1], ".lock"])
        whole.rename(run)
    total = sum(part.stat().st_size for part in parts)
    kit.note(f"packed into {len(parts)} files, {total / 1e6:.1f} MB")


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("preset", help="by name, or a YAML file")
    options.add_argument("--minutes", type=float, required=True, help="in all")
    options.add_argument(
        "--text", type=Path, help="an archive of the folder wikipedia; else text that is there is read"
    )
    options.add_argument("--wheels", type=Path, help="a folder of wheels to install, without a registry")
    options.add_argument("--to", type=Path, default=Path("kit"), help="where the result lies")
    options.add_argument("--probing", type=float, default=0.35, help="share of the time that is kept for measurements")
    options.add_argument("--seed", type=int, help="instead of the preset's")
    options.add_argument(
        "--resume-from", type=Path, help="a folder of parts that an earlier kit packed of an unfinished run"
    )
    given = options.parse_args(arguments)
    folder = given.to.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    kit = Kit(folder, 60 * given.minutes, given.probing)
    name = Path(given.preset).stem if given.seed is None else f"{Path(given.preset).stem}-seed{given.seed}"
    run = kit.work / "runs" / name
    kit.environment["EMBRYOLOGY_RUNS"] = str(run.parent)
    kit.say(f"{name}: {given.minutes:g} minutes")
    install(kit, given.wheels)
    unpack(kit, given.text)
    if given.resume_from:
        unite(given.resume_from, run)
        kit.note("an unfinished run unpacked")
    trained = train(kit, given.preset, run, given.seed)
    if (run / "checkpoints").exists():
        probe(kit, run)
    pack_all(kit, run, freeze(kit, run) if trained else None)
    for line in kit.done:
        kit.say(f"done: {line}")
    for line in kit.left or ["nothing"]:
        kit.say(f"left: {line}")
    raise SystemExit(any("status" in line for line in kit.left))


def unite(parts: Path, run: Path) -> None:
    """Put an unfinished run back from the parts that :func:`pack` made of it."""
    run.parent.mkdir(parents=True, exist_ok=True)
    whole = run.parent / "parts.tar.gz"
    with open(whole, "wb") as stream:
        for part in sorted(parts.glob(f"{run.name}-unfinished.tar.gz.*")):
            stream.write(part.read_bytes())
    with tarfile.open(whole) as archive:
        archive.extractall(run.parent, filter="data")
    whole.unlink()
    shutil.rmtree(run, ignore_errors=True)
    (run.parent / f"{run.name}-unfinished").rename(run)


if __name__ == "__main__":
    main()
