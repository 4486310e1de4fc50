"""A measured run of made-up numbers, and series that were trained: made once for all files of this folder."""

import shutil

import pytest

from embryology.runs.series import Series
from tests.audited import make_trained
from tests.synthetic import GOLD, make_run


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Shared, so tests that write take :func:`run`."""
    return make_run(tmp_path_factory.mktemp("made") / "runs" / "baby", sentences=30, source=GOLD)


@pytest.fixture
def run(made, tmp_path):
    """A copy that may be damaged."""
    return Series.open(shutil.copytree(made.folder.root, tmp_path / "runs" / "baby"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Series of checkpoints to be copied, see :mod:`tests.audited`."""
    return make_trained(tmp_path_factory.mktemp("trained"))
