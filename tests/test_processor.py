"""Threads, and memory that is kept: counted in page faults, as times vary."""

import platform
import subprocess
import sys

import pytest
import torch

from embryology import processor

STEPS = """
import resource, sys, torch
from embryology import processor
if sys.argv[1] == "kept":
    processor.prepare()
for number in range(300):
    if number == 100:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    first = torch.ones(2**21)  # 8 MB
    second = first + 1
    third = second + 1
    del first
    fourth = third + 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way):
    run = subprocess.run([sys.executable, "-c", STEPS, way], capture_output=True, text=True, check=True, timeout=120)
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_memory_that_is_freed_is_not_cleared_anew_at_every_step():
    assert faults("kept") < faults("as it is") / 5


def test_threads_are_left_alone_unless_a_number_is_given():
    before = torch.get_num_threads()
    processor.prepare()
    assert torch.get_num_threads() == before


def test_elsewhere_nothing_is_changed(monkeypatch):
    monkeypatch.setattr(processor.sys, "platform", "darwin")
    monkeypatch.setattr(processor.ctypes, "CDLL", lambda name: pytest.fail("asked for a library"))
    processor.keep_freed_memory()
