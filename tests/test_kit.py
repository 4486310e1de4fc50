"""The kit for bare machines: its clock, its archives, and what it does where the time is over or nothing is there."""

import subprocess
import sys
import tarfile
import time

import pytest

from benchmarks import kit as kits
from benchmarks.kit import Kit, pack, unite, unpack

SLEEPER = """
import signal, sys, time
def stop(*_):
    print("saved", flush=True)
    sys.exit(1)
signal.signal(signal.SIGINT, {answer})
print("begun", flush=True)
time.sleep(60)
"""


@pytest.fixture
def kit(tmp_path):
    return Kit(tmp_path, 60.0)


def test_a_command_that_ends_in_time_gives_its_status_and_its_output(kit, tmp_path):
    assert kit.run(sys.executable, "-c", "print('done so'); raise SystemExit(3)", until=30) == 3
    log = (tmp_path / "kit.log").read_text()
    assert "done so" in log
    assert "$ " in log.splitlines()[0]


@pytest.mark.parametrize(("answer", "saved"), [("stop", True), ("signal.SIG_IGN", False)])
def test_a_command_whose_time_is_over_is_interrupted_and_one_that_is_deaf_is_killed(
    kit, tmp_path, monkeypatch, answer, saved
):
    monkeypatch.setattr(kits, "GRACE", 5.0 if saved else 0.3)
    begun = time.monotonic()
    assert kit.run(sys.executable, "-c", SLEEPER.replace("{answer}", answer), until=2) is None
    assert time.monotonic() - begun < 10
    log = (tmp_path / "kit.log").read_text()
    assert ("saved" in log.splitlines(), "killed, as it had not ended" in log) == (saved, not saved)


def test_a_command_after_the_time_is_over_is_stopped_at_once(kit):
    begun = time.monotonic()
    assert kit.run(sys.executable, "-c", "import time; time.sleep(60)", until=-5) is None
    assert time.monotonic() - begun < 5


def run_folder(root, name="one"):
    (root / name / "state").mkdir(parents=True)
    for step in (10, 20):
        (root / name / "state" / f"step-{step:08d}.pt").write_bytes(bytes([step]) * 1000)
    noise = bytes(value * value % 251 for value in range(5000))
    (root / name / "run.yaml").write_bytes(noise)
    return root / name


def test_parts_are_below_their_size_and_together_one_archive(tmp_path):
    folder = run_folder(tmp_path / "runs")
    (tmp_path / "to").mkdir()
    parts = pack(folder, tmp_path / "to", ["state/step-00000010.pt"], size=200)
    assert len(parts) > 1
    assert [part.stat().st_size for part in parts[:-1]] == [200] * (len(parts) - 1)
    assert 0 < parts[-1].stat().st_size <= 200
    assert sorted((tmp_path / "to").iterdir()) == parts  # by their names in this order, and nothing else
    joined = b"".join(part.read_bytes() for part in parts)
    unpacked = subprocess.run(["tar", "xz", "-C", tmp_path / "to"], input=joined, check=False)
    assert unpacked.returncode == 0
    assert (tmp_path / "to" / "one" / "run.yaml").read_bytes() == (folder / "run.yaml").read_bytes()
    assert [file.name for file in (tmp_path / "to" / "one" / "state").iterdir()] == ["step-00000020.pt"]
    assert kits.PART < 2_000_000


def test_an_unfinished_run_is_packed_with_its_last_state_and_united_elsewhere(tmp_path):
    kit = Kit(tmp_path, 60.0, left=["30 steps of training"])
    run = run_folder(kit.work / "runs")
    frozen = run_folder(tmp_path / "frozen")
    kits.pack_all(kit, run, frozen)
    assert kit.done[-1].startswith("packed into 2 files")
    assert run.exists()
    unite(tmp_path, tmp_path / "elsewhere" / "one")
    assert [file.name for file in (tmp_path / "elsewhere" / "one" / "state").iterdir()] == ["step-00000020.pt"]
    assert (tmp_path / "elsewhere" / "one" / "run.yaml").read_bytes() == (run / "run.yaml").read_bytes()
    finished = Kit(tmp_path / "finished", 60.0)
    finished.folder.mkdir()
    kits.pack_all(finished, run, frozen)
    assert sorted(file.name for file in finished.folder.iterdir()) == ["kit.log", "one.tar.gz.000"]


def test_text_is_unpacked_to_where_it_is_looked_for_or_refused(kit, tmp_path):
    (tmp_path / "wikipedia").mkdir()
    (tmp_path / "wikipedia" / "a.parquet").write_bytes(b"x" * 2_000_000)
    with tarfile.open(tmp_path / "text.tar", "w") as archive:
        archive.add(tmp_path / "wikipedia", "wikipedia")
    unpack(kit, tmp_path / "text.tar")
    assert kit.done == ["1 files of text unpacked, 2.0 MB"]
    assert (kit.work / "data" / "wikipedia" / "a.parquet").exists()
    assert kit.environment["EMBRYOLOGY_DATA"] == str(kit.work / "data")
    with tarfile.open(tmp_path / "other.tar", "w") as archive:
        archive.add(tmp_path / "text.tar", "text.tar")
    other = Kit(tmp_path / "other", 60.0)
    with pytest.raises(SystemExit, match=r"has no wikipedia/\*\.parquet; pack the folder: tar cf"):
        unpack(other, tmp_path / "other.tar")
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        archive.add(tmp_path / "text.tar", "../outside")
    with pytest.raises(tarfile.TarError):
        unpack(other, tmp_path / "evil.tar")
