"""The synthetic series of the figures' tests, and runs with more words than theirs."""

import pytest

from tests.figures.conftest import series  # noqa: F401
from tests.synthetic import STEPS, make_run


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two runs of one recipe with different seeds, and a longer one between them; no test may change them."""
    home = tmp_path_factory.mktemp("runs")
    return (
        make_run(home / "one", sentences=20),
        make_run(home / "longer", sentences=20, steps=(*STEPS, 4000)),
        make_run(home / "other", sentences=20, outcome={"seed": 1}, factor=4.0),
    )
