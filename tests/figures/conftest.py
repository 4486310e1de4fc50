import pytest

from embryology.figures import chart, looks, origin, style
from tests.synthetic import STEPS, make_run


@pytest.fixture(scope="session")
def series(tmp_path_factory):
    """A synthetic series that no test may change."""
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=20)


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two runs of one recipe with different seeds, and a longer one between them; no test may change them."""
    home = tmp_path_factory.mktemp("runs")
    steps = (0, *STEPS[4:])
    return (
        make_run(home / "one", steps, sentences=2),
        make_run(home / "longer", (*steps, 4000), sentences=2),
        make_run(home / "other", steps, sentences=2, outcome={"seed": 1}, factor=4.0),
    )


@pytest.fixture(scope="module", autouse=True)
def nothing_known():
    """What a page says once for all of its figures is said anew by each module."""
    style.note("")
    style.counts("step")
    chart.know([])
    looks.know([])
    origin.told([])
