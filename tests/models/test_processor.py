"""Threads, and memory that is kept: told by glibc's own account of its heap, as times vary and not all systems count
page faults."""

import ctypes
import subprocess
import sys

import pytest
import torch

from embryology.models import processor

FREE = """
import ctypes, torch
from embryology.models import processor
class Heap(ctypes.Structure):  # struct mallinfo2 of malloc.h
    _fields_ = [(name, ctypes.c_size_t) for name in
        "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]
mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Heap
def held():
    heap = mallinfo2()
    return heap.arena + heap.hblkhd
for prepare in (None, processor.prepare):
    if prepare:
        prepare()
    for number, size in (4, 2**24), (1, 2**26):
        tensors = [torch.ones(size, dtype=torch.uint8) for _ in range(number)]
        before = held()
        del tensors
        print(round((before - held()) / 2**20))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="the setting is glibc's"
)
def test_memory_that_is_freed_stays_with_the_process_unless_the_block_is_large():
    """Megabytes that go back to the system when 4 tensors of 16 MB are freed, and when one of 64 is; first as it is."""
    run = subprocess.run([sys.executable, "-c", FREE], capture_output=True, text=True, check=True, timeout=120)
    assert [int(number) for number in run.stdout.split()] == [64, 64, 0, 64]


def test_threads_are_left_alone_unless_a_number_is_given(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    processor.prepare()
    processor.prepare(3)
    assert asked == [3]


def test_elsewhere_nothing_is_changed(monkeypatch):
    monkeypatch.setattr(processor.sys, "platform", "darwin")
    monkeypatch.setattr(processor.ctypes, "CDLL", lambda name: pytest.fail("asked for a library"))
    processor.keep_freed_memory()
