"""A run that is killed, wherever, and resumed ends bit for bit where an uninterrupted one does."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from benchmarks.kills import differences
from embryology.runs import losses, manifest
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.runs.verify import check
from embryology.storage.files import PART, read_json
from tests.processes import exit_status
from tests.training import SHORT, small_preset, train

COVERS = ("embryology/pretraining/state.py",)


def preset(home: Path):
    """Little text, so that it is read more than once; with dropout, so that the random state matters."""
    model = small_preset(home).outcome.model.model_dump() | {"dropout": 0.1}
    return small_preset(home, 75, model=model, **SHORT)


def in_a_process(home: Path, name: str, point: str | None = None, resume: bool = False) -> int:
    return exit_status(_train, home, name, point, resume)


def _train(home: Path, name: str, point: str | None, resume: bool) -> None:
    os.environ["EMBRYOLOGY_RUNS"] = str(home / "runs")
    if point:
        POINTS[point]()
    train(preset(home), home / "runs" / name, resume=resume)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(owner: object, name: str, count: int, half_way: Callable | None = None) -> None:
    """Die at call number ``count`` of ``owner.name``: before it, or after it and what ``half_way`` does to its work."""
    real, calls = getattr(owner, name), []

    def called(*arguments, **settings):
        calls.append(arguments)
        if len(calls) < count:
            return real(*arguments, **settings)
        if half_way:
            real(*arguments, **settings)
            half_way(*arguments)
        die()

    setattr(owner, name, called)


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


# Checkpoints are at steps 0, 5, 20 and 60; states at 5, 20, 30, 40, 50 and 60.
POINTS = {
    "in the middle of writing run.yaml": lambda: die_at(Path, "write_text", 1, lambda path, *_: halve(path)),
    "before the first step": lambda: die_at(torch.optim.AdamW, "step", 1),
    "in the middle of a checkpoint": lambda: die_at(
        PreTrainedTokenizerBase, "save_pretrained", 3, lambda _, folder: halve(folder / "model.safetensors")
    ),
    "between checkpoint and losses": lambda: die_at(losses, "write", 2),
    "between losses and state": lambda: die_at(torch, "save", 2),
    "in the middle of a state": lambda: die_at(
        torch, "save", 3, lambda _, stream: os.truncate(stream.fileno(), stream.tell() // 2)
    ),
    "between steps": lambda: die_at(torch.optim.AdamW, "step", 27),
    "past the first epoch": lambda: die_at(torch.optim.AdamW, "step", 58),
    "between the last checkpoint and the losses": lambda: die_at(losses, "write", 6),
    "between the last losses and the state": lambda: die_at(torch, "save", 6),
    "while a resume removes a checkpoint": lambda: die_at(shutil, "rmtree", 1),
}
STATE_AFTER = dict(zip(POINTS, [0, 0, 5, 5, 5, 20, 20, 50, 50, 50], strict=False))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def uninterrupted(home):
    assert in_a_process(home, "uninterrupted") == 0
    folder = RunFolder(home / "runs" / "uninterrupted")
    assert len({checkpoint.sha256 for checkpoint in Series.open(folder.root).checkpoints}) == 4
    assert read_json(folder.checkpoint(60) / "checkpoint.json")["epoch"] * 50 / 60 > 1  # at the last kills
    return folder


def sound_but_for_what_is_hidden(folder: RunFolder) -> bool:
    return not folder.checkpoint(0).exists() or all(PART in finding for finding in check(folder)[0])


def resumed_is_the_same(home: Path, folder: RunFolder, uninterrupted: RunFolder) -> None:
    assert in_a_process(home, folder.name, resume=True) == 0
    assert differences(folder, uninterrupted) == []
    assert check(folder) == check(uninterrupted)
    assert check(folder)[0] == []


@pytest.mark.parametrize("point", STATE_AFTER)
def test_a_killed_run_is_resumed_to_the_same_end(home, uninterrupted, point):
    folder = RunFolder(home / "runs" / point.replace(" ", "-"))
    assert in_a_process(home, folder.name, point) == -signal.SIGKILL
    assert manifest.steps_done(folder) == STATE_AFTER[point]
    assert not manifest.is_complete(folder, preset(home))
    assert sound_but_for_what_is_hidden(folder)
    resumed_is_the_same(home, folder, uninterrupted)


def test_a_resume_that_is_killed_while_it_clears_away_leaves_no_half_removed_checkpoint(home, uninterrupted):
    folder = RunFolder(home / "runs" / "twice")
    assert in_a_process(home, folder.name, "between losses and state") == -signal.SIGKILL
    assert folder.checkpoint(20).exists()
    assert in_a_process(home, folder.name, "while a resume removes a checkpoint", resume=True) == -signal.SIGKILL
    assert not folder.checkpoint(20).exists()
    assert sound_but_for_what_is_hidden(folder)
    resumed_is_the_same(home, folder, uninterrupted)


def test_a_difference_of_one_bit_is_seen(home, uninterrupted, tmp_path):
    """The comparison itself: else two ends could be called the same because nothing was compared."""
    shutil.copytree(uninterrupted.root, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    assert differences(folder, uninterrupted) == []
    state = torch.load(folder.state / "step-00000060.pt", weights_only=True)
    state["optimizer"]["state"][3]["exp_avg"].view(torch.uint8)[0] ^= 1
    torch.save(state, folder.state / "step-00000060.pt")
    (folder.checkpoint(5) / "config.json").write_text("{}")
    logged = losses.read(folder)
    losses.write(folder, logged.assign(masked_loss=logged["masked_loss"] + 1e-15).to_dict("records"))
    (folder.checkpoint(0) / "tokenizer.json").unlink()
    assert differences(folder, uninterrupted) == [
        "checkpoints/step-00000000/tokenizer.json",
        "checkpoints/step-00000005/config.json",
        "losses.parquet",
        "the newest state",
    ]
