"""The complete state of training, written whole or not at all: the latest, the one before, and those to be kept."""

import zipfile
from collections.abc import Collection
from pathlib import Path

import torch
from torch import nn

from embryology.errors import EmbryologyError
from embryology.storage.files import written_whole

KEPT = 2


def file(folder: Path, step: int) -> Path:
    """Of the state after ``step`` steps."""
    return folder / f"step-{step:08d}.pt"


def save(
    folder: Path,
    step: int,
    tokens: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    kept: Collection[int] = (),
) -> None:
    """Save what a resume needs after ``step`` steps and ``tokens`` tokens.

    Of earlier states the last stays, and those of the steps in ``kept``.

    The position in the data is ``step`` itself, and every step seeds its own random numbers.
    """
    state = {
        "step": step,
        "tokens": tokens,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    # Through a stream of ours: given a path, torch does not say why a write failed.
    with written_whole(file(folder, step)) as temporary, open(temporary, "wb") as stream:
        torch.save(state, stream)
    for old in {*_newest_first(folder)[KEPT:]} - {file(folder, step) for step in kept}:
        old.unlink()


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> tuple[int, int]:
    """Restore the newest readable state into ``model`` and ``optimizer``.

    Returns:
        Steps done and tokens seen; zeros, with nothing restored, where there is no state.

    Raises:
        EmbryologyError: no saved state can be read.
    """
    unreadable = None
    for saved in _newest_first(folder):
        if not is_whole(saved):
            unreadable = saved
            continue
        state = torch.load(saved, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return state["step"], state["tokens"]
    if unreadable:
        raise EmbryologyError(f"{unreadable} is damaged and there is no earlier state; remove {folder} to start over")
    return 0, 0


def is_whole(saved: Path) -> bool:
    """Whether every byte is there, by the checksums of the archive that torch writes; other failures are no damage."""
    try:
        with zipfile.ZipFile(saved) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, EOFError):
        return False


def steps(folder: Path) -> list[int]:
    """Those that have a state, rising; nothing is read."""
    return sorted(int(saved.stem.removeprefix("step-")) for saved in folder.glob("step-*.pt"))


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.pt"), reverse=True)
