"""Tasks from the Hub, through ``datasets``."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from embryology.errors import EmbryologyError

PREFIX = "hub:"
"""Of the name of a task that is read from there."""
T = TypeVar("T")


def had(name: str, part: str | None, read: Callable[[Mapping], T]) -> T:
    """What ``read`` makes of the splits of a dataset of the Hub.

    Args:
        name: of the dataset.
        part: of it; None where it has none.
        read: takes rows, which are fetched as they are read, by split.

    Raises:
        EmbryologyError: ``datasets`` is not installed, or the Hub cannot be reached.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise EmbryologyError("tasks from the Hub need the package 'datasets'; pip install datasets") from error
    try:
        return read(load_dataset(name, part))
    except Exception as error:  # of whichever network library lies below
        reason = " ".join(str(error).split())[:200]
        raise EmbryologyError(
            f"{name} cannot be had from the Hub ({type(error).__name__}: {reason}); check the network and "
            "HF_HUB_OFFLINE, or put its files into EMBRYOLOGY_DATA"
        ) from error
