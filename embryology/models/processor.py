"""What a process that computes sets once, for all of torch: its threads, and what becomes of memory that is freed."""

import ctypes
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's ``malloc.h``."""
LARGE = 2**25
"""Bytes from which on a block comes from the system and goes back to it: large arrays would leave holes in the heap.
The most that all versions of glibc allow."""
KEPT = 2**30
"""Bytes of freed memory that stay with the process."""


def prepare(threads: int | None = None) -> None:
    """Set torch's threads, where a number is given, and keep freed memory."""
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let glibc keep what tensors leave free, up to 1 GB; elsewhere nothing is changed.

    Every step frees its activations and the next one takes as much again. glibc gives them back to the system in
    between, which then clears each page anew: a sixth of a training step of ``tiny`` (``benchmarks/README.md``). Blocks
    up to the first threshold come from the heap, whose free end is given back beyond the second (``mallopt(3)``);
    setting one alone would end their adapting to use.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None and mallopt(M_MMAP_THRESHOLD, LARGE):
        mallopt(M_TRIM_THRESHOLD, KEPT)
