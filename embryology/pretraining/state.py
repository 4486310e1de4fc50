"""The complete state of training, written whole or not at all: the latest and the one before."""

import zipfile
from pathlib import Path

import torch
from torch import nn

from embryology.errors import EmbryologyError
from embryology.storage.files import written_whole

KEPT = 2


def save(folder: Path, step: int, tokens: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Save what a resume needs after ``step`` steps and ``tokens`` tokens.

    The position in the data is ``step`` itself, and every step seeds its own random numbers.
    """
    state = {
        "step": step,
        "tokens": tokens,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    # Through a stream of ours: given a path, torch does not say why a write failed.
    with written_whole(folder / f"step-{step:08d}.pt") as temporary, open(temporary, "wb") as stream:
        torch.save(state, stream)
    for old in _newest_first(folder)[KEPT:]:
        old.unlink()


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> tuple[int, int]:
    """Restore the newest readable state into ``model`` and ``optimizer``.

    Returns:
        Steps done and tokens seen; zeros, with nothing restored, where there is no state.

    Raises:
        EmbryologyError: no saved state can be read.
    """
    unreadable = None
    for file in _newest_first(folder):
        if not _is_whole(file):
            unreadable = file
            continue
        state = torch.load(file, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return state["step"], state["tokens"]
    if unreadable:
        raise EmbryologyError(f"{unreadable} is damaged and there is no earlier state; remove {folder} to start over")
    return 0, 0


def _is_whole(file: Path) -> bool:
    """Whether every byte is there, by the checksums of the archive that torch writes; other failures are no damage."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, EOFError):
        return False


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.pt"), reverse=True)
