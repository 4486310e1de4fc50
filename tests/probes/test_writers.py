"""A probe that is killed, run several times at once, or out of room: the same bytes in the end, or one clear line."""

import os
import resource
import shutil
import signal
from functools import partial

import pytest

from benchmarks.probe_kills import files
from embryology.runs.freeze import freeze
from embryology.storage.files import PART
from tests.foreign import save_bert
from tests.processes import CONTEXT, command, disk_of, run_command
from tests.synthetic import make_run
from tests.treebank_files import less_silver

ARGUMENTS = ("--probe", "tokens")
PRESET = "probes:\n  tokens: {sentences: 20, mask_words_per_tag: 3}\n"


def few():
    """Sentences to be tagged."""
    less_silver(pytest.MonkeyPatch(), 100)


def dies_at_rename(number):
    """Die when a file is about to get its final name for the ``number``-th time."""
    few()
    real, calls = os.rename, []

    def rename(*arguments):
        calls.append(arguments)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    os.rename = rename


def limited(size):
    few()
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.fixture(scope="module")
def preset(home):
    from embryology import presets

    outcome = presets.load("smoke").outcome.model_dump_json()
    file = home / "asked.yaml"
    file.write_text(f"outcome: {outcome}\n{PRESET}")
    return str(file)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("made") / "bert")


@pytest.fixture(scope="module")
def measured(home, preset, made, tmp_path_factory):
    """What an uninterrupted probe leaves."""
    place = tmp_path_factory.mktemp("whole")
    folder = shutil.copytree(made, place / "bert")
    assert command(place / "stderr", few, "probe", str(folder), "--preset", preset, *ARGUMENTS) == (0, [])
    return files(folder / "measurements")


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "bert")


def test_a_probe_that_may_not_write_and_is_killed_twice_ends_with_the_same_bytes(measured, preset, folder, tmp_path):
    arguments = ("probe", str(folder), "--preset", preset, *ARGUMENTS)
    status, lines = command(tmp_path / "stderr", partial(limited, 3_000), *arguments)
    assert (status, len(lines)) == (1, 1)
    assert "File too large; raise the limit" in lines[0]
    assert not list(folder.rglob(f".*{PART}"))
    for number in (1, 3):
        status, _ = command(tmp_path / "stderr", partial(dies_at_rename, number), *arguments)
        assert status == -signal.SIGKILL
        left = {
            name: content
            for name, content in files(folder / "measurements").items()
            if not name.endswith("standing.json")
        }
        assert left.items() <= measured.items()
        assert (len(left) > 0) == (number == 3)
    assert command(tmp_path / "stderr", few, *arguments) == (0, [])
    assert files(folder / "measurements") == measured


def test_several_at_once_end_with_the_same_bytes(measured, preset, folder, tmp_path):
    arguments = ("probe", str(folder), "--preset", preset, *ARGUMENTS)
    runs = os.environ["EMBRYOLOGY_RUNS"]
    processes = [
        CONTEXT.Process(target=run_command, args=(tmp_path / f"stderr-{number}", runs, few, arguments))
        for number in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert files(folder / "measurements") == measured


def test_a_disk_that_is_full_while_probing_is_one_line_and_nothing_is_lost(measured, preset, made, tmp_path):
    with disk_of("8m", tmp_path / "disk") as disk:
        folder, ballast = shutil.copytree(made, disk / "bert"), disk / "ballast"
        arguments = ("probe", str(folder), "--preset", preset, *ARGUMENTS)
        ballast.write_bytes(b"\0" * (shutil.disk_usage(disk).free - 20_000))  # enough for the first checkpoint
        status, lines = command(tmp_path / "stderr", few, *arguments)
        assert (status, len(lines)) == (1, 1)
        assert "No space left on device; free some space" in lines[0]
        left = files(folder / "measurements")
        assert left
        assert {name for name in left if left[name] != measured[name]} <= {
            name for name in left if name.endswith("standing.json")
        }
        assert not list(folder.rglob(f".*{PART}"))
        ballast.unlink()
        assert command(tmp_path / "stderr", few, *arguments) == (0, [])
        assert files(folder / "measurements") == measured


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    with disk_of("1m", tmp_path / "disk") as disk:
        yield disk


def test_a_full_disk_freezes_nothing(small_disk, home, tmp_path):
    run = make_run(tmp_path / "run", steps=(0, 20), sentences=200)
    target = small_disk / "frozen"
    (small_disk / "ballast").write_bytes(b"\0" * 960_000)
    status, lines = command(tmp_path / "stderr", few, "freeze", str(run.folder.root), "--to", str(target))
    assert (status, len(lines)) == (1, 1)
    assert "No space left on device; free some space" in lines[0]
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]
    (small_disk / "ballast").unlink()
    assert freeze(run, target) == target
