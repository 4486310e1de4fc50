import pytest

from tests.synthetic import make_run


@pytest.fixture(scope="session")
def series(tmp_path_factory):
    """A synthetic series that no test may change."""
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=20)
