"""A disk that is full, or a folder that may not be written: one line, nothing lost, and the same end after a resume."""

import os
import resource
import subprocess
from functools import partial

import pytest
import torch
import yaml

from benchmarks.kills import differences
from embryology.runs import manifest
from embryology.runs.paths import RunFolder
from embryology.runs.verify import check
from embryology.storage.files import PART
from tests.processes import command, disk_of, hold_to_permissions
from tests.training import SHORT, small_preset, train

STATE_BYTES, WEIGHTS_BYTES = 350_000, 120_000
"""A little less than a state and the weights of the small preset; all other files are smaller."""
FULL = "No space left on device; free some space, then give the same command again (`embryology pretrain` with"


def shorter(home):
    return small_preset(home, steps=40, checkpoints=[0, 5, 20, 40], **SHORT)


@pytest.fixture(scope="module")
def preset(home):
    values = shorter(home).model_dump(mode="json")
    file = home / "small.yaml"
    file.write_text(yaml.safe_dump({key: values[key] for key in ("outcome", "speed")}))
    return str(file)


@pytest.fixture(scope="module")
def uninterrupted(home):
    return train(shorter(home), home / "runs" / "uninterrupted")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MiB."""
    with disk_of("3m", tmp_path / "disk") as disk:
        yield disk


def nothing():
    pass


def from_step(step, happens):
    """Let ``happens`` happen at the update of number ``step``."""
    real, calls = torch.optim.AdamW.step, []

    def update(self, *arguments, **settings):
        calls.append(None)
        if len(calls) == step:
            happens()
        return real(self, *arguments, **settings)

    torch.optim.AdamW.step = update


def limit_files(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def limit_files_from_step(step, size):
    from_step(step, partial(limit_files, size))


def may_not_write_from_step(step, folder):
    hold_to_permissions()
    from_step(step, partial(os.chmod, folder, 0o500))


def bytes_of(folder):
    files = [path for path in folder.root.rglob("*") if path.is_file() and path != folder.lock]
    return {str(path.relative_to(folder.root)): path.read_bytes() for path in files}


def used(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.root.rglob("*"))


def one_line(status, lines, *words):
    assert status == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: cannot ")
    for word in words:
        assert word in lines[0]


def intact_and_resumed_to_the_same_end(folder, preset, uninterrupted, stderr):
    """What was saved is sound, nothing half-written is left, and a resume ends where it would have."""
    assert check(folder)[0] == []
    assert not list(folder.root.rglob(f".*{PART}"))
    saved = {name: content for name, content in bytes_of(folder).items() if name.startswith("checkpoints")}
    assert command(stderr, nothing, "pretrain", preset, "--run", str(folder.root), "--resume") == (0, [])
    assert differences(folder, uninterrupted) == []
    assert saved.items() <= bytes_of(folder).items()


@pytest.mark.parametrize(
    ("size", "at", "named", "state_at"),
    [
        (STATE_BYTES, 15, "state/step-00000020.pt", 5),
        (WEIGHTS_BYTES, 15, "checkpoints/step-00000020", 5),
        (1_000, 25, "losses.parquet", 20),
    ],
)
def test_a_limit_met_while_training(home, preset, uninterrupted, tmp_path, size, at, named, state_at):
    folder = RunFolder(tmp_path / "run")
    prepare = partial(limit_files_from_step, at, size)
    status, lines = command(tmp_path / "stderr", prepare, "pretrain", preset, "--run", str(folder.root))
    one_line(status, lines, f"cannot write {folder.root}/{named}: File too large; raise the limit", "--resume")
    assert manifest.steps_done(folder) == state_at
    intact_and_resumed_to_the_same_end(folder, preset, uninterrupted, tmp_path / "stderr")


def test_a_disk_that_is_full(home, preset, uninterrupted, small_disk, tmp_path):
    folder, ballast = RunFolder(small_disk / "run"), small_disk / "ballast"
    capacity, reached = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize, set()
    for room in (0, 50_000, 250_000, 500_000, 1_000_000):  # for the whole run, which goes a bit further every time
        ballast.write_bytes(b"\0" * (capacity - room - used(folder)))
        status, lines = command(tmp_path / "stderr", nothing, "pretrain", preset, "--run", str(folder.root), "--resume")
        one_line(status, lines, FULL)
        reached.add(lines[0].partition(": No space")[0])
        ballast.unlink()
        assert not list(folder.root.rglob(f".*{PART}"))
        if folder.checkpoint(0).exists():
            assert check(folder)[0] == []
    assert len(reached) >= 3  # or too little was tried
    intact_and_resumed_to_the_same_end(folder, preset, uninterrupted, tmp_path / "stderr")


def test_a_folder_that_may_no_longer_be_written(home, preset, uninterrupted, tmp_path):
    for name in ("checkpoints", "state", "."):
        folder = RunFolder(tmp_path / f"run-{name}")
        place = folder.root / name
        prepare = partial(may_not_write_from_step, 15, place)
        status, lines = command(tmp_path / "stderr", prepare, "pretrain", preset, "--run", str(folder.root))
        one_line(status, lines, f"cannot write {place}", "Permission denied; see to its permissions")
        status, lines = command(
            tmp_path / "stderr", hold_to_permissions, "pretrain", preset, "--run", str(folder.root), "--resume"
        )
        one_line(status, lines, "Permission denied; see to its permissions")
        place.chmod(0o700)
        intact_and_resumed_to_the_same_end(folder, preset, uninterrupted, tmp_path / "stderr")


@pytest.mark.parametrize("what", ["run", "runs"])
def test_a_place_for_runs_that_may_not_be_written(home, preset, tmp_path, monkeypatch, what):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if what == "runs":
        monkeypatch.setenv("EMBRYOLOGY_RUNS", str(closed))
    run = ["--run", str(closed / "deeper" / "run")] if what == "run" else []
    status, lines = command(tmp_path / "stderr", hold_to_permissions, "pretrain", preset, *run)
    one_line(status, lines, str(closed), "Permission denied; see to its permissions, or choose another folder")
    assert list(closed.iterdir()) == []


def test_a_file_where_the_run_should_be(home, preset, tmp_path):
    (tmp_path / "file").write_text("precious")
    for run in (tmp_path / "file", tmp_path / "file" / "run"):
        status, lines = command(tmp_path / "stderr", nothing, "pretrain", preset, "--run", str(run))
        one_line(status, lines, f"{tmp_path}/file", "; ")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_disk_that_may_only_be_read(home, preset, small_disk, tmp_path):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    status, lines = command(tmp_path / "stderr", nothing, "pretrain", preset, "--run", str(small_disk / "run"))
    one_line(status, lines, str(small_disk), "Read-only file system; choose a folder on a disk that can be written")


@pytest.mark.parametrize(
    ("size", "named"),
    [(600, "run.yaml"), (20_000, "tokenizer"), (WEIGHTS_BYTES, "checkpoints/step-00000000")],
)
def test_a_limit_met_at_the_very_start(home, preset, uninterrupted, tmp_path, size, named):
    folder = RunFolder(tmp_path / "run")
    status, lines = command(
        tmp_path / "stderr", partial(limit_files, size), "pretrain", preset, "--run", str(folder.root)
    )
    one_line(status, lines, f"cannot write {folder.root}/{named}: File too large")
    assert not list(folder.root.rglob(f".*{PART}"))
    assert command(tmp_path / "stderr", nothing, "pretrain", preset, "--run", str(folder.root), "--resume") == (0, [])
    assert differences(folder, uninterrupted) == []
