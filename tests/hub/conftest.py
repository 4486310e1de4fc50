"""For the ``online_*`` files: an empty mirror, runs folder and cache, and no waiting between attempts."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    beside = sys.modules["tests.hub.beside"]
    beside.MIRROR.reset()
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    yield beside.MIRROR
    beside.MIRROR.reset()
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


@pytest.fixture
def home():
    """What is on this machine of the Hub."""
    return Path(os.environ["HF_HOME"])


@pytest.fixture
def offline(monkeypatch):
    """Call it, and there is no network from then on."""
    from huggingface_hub import constants

    return lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
