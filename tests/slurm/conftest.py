"""What the study measures on this machine without Snakemake, once for all that is held against it."""

import pytest
from rich.console import Console

from embryology.study import description, running
from tests.slurm import going


@pytest.fixture(scope="session")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBRYOLOGY_RUNS", str(folder / "runs"))
        described = description.load(going.write_study(folder))
        running.run(described, Console(), jobs=2, until="freeze")
        return going.measured(described)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a study and its runs lie."""
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    return tmp_path
