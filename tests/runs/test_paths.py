"""Where runs are looked for, and how what they hold is called."""

from pathlib import Path

import pytest

from embryology.errors import EmbryologyError
from embryology.runs import paths
from embryology.runs.paths import ROOT, RunFolder


def test_a_run_is_found_by_name_or_by_path(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path))
    assert RunFolder.named("tiny").root == tmp_path / "tiny"
    assert RunFolder.named(str(tmp_path / "else" / "mine")).root == tmp_path / "else" / "mine"
    monkeypatch.chdir(tmp_path)
    assert RunFolder.named("./mine").root == RunFolder.named(Path("mine")).root == tmp_path / "mine"
    assert RunFolder.named("./mine").name == "mine"
    for name in ("", ".", ".."):
        with pytest.raises(EmbryologyError, match="is no name for a run"):
            RunFolder.named(name)


def test_a_path_that_is_not_there_may_be_meant_from_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunFolder.named("results/tiny-seed0").root == ROOT / "results" / "tiny-seed0"
    assert RunFolder.named("results/nothing").root == tmp_path / "results" / "nothing"
    (tmp_path / "results" / "tiny-seed0").mkdir(parents=True)
    assert RunFolder.named("results/tiny-seed0").root == tmp_path / "results" / "tiny-seed0"


def test_without_the_project_the_current_folder_takes_its_place(tmp_path, monkeypatch):
    assert paths.home() == paths.project_folder() == ROOT
    monkeypatch.delenv("EMBRYOLOGY_RUNS", raising=False)
    monkeypatch.setattr(paths, "ROOT", None)
    monkeypatch.chdir(tmp_path)
    assert paths.home() == tmp_path
    assert RunFolder.named("tiny").root == tmp_path / "runs" / "tiny"
    assert RunFolder.named("results/tiny-seed0").root == tmp_path / "results" / "tiny-seed0"
    with pytest.raises(EmbryologyError, match="this needs the project's folder"):
        paths.project_folder()


def test_folders_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("EMBRYOLOGY_RUNS", raising=False)
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    assert paths.runs_folder() == ROOT / "runs"
    assert paths.data_folder() is None
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    assert paths.data_folder() == tmp_path
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path / "no"))
    with pytest.raises(EmbryologyError, match="which is not a folder; fix it or unset it"):
        paths.data_folder()


def test_checkpoints_sort_by_name_as_by_step(tmp_path):
    folder = RunFolder(tmp_path)
    steps = [0, 20, 100, 3_000, 1_000_000]
    assert sorted(folder.checkpoint(step).name for step in steps) == [folder.checkpoint(step).name for step in steps]


def test_every_part_of_a_measurement_has_a_file_of_its_own():
    folder = RunFolder(Path("run"))
    one, other = "0123456789abcdef" + "0" * 48, "0123456789abcde0" + "0" * 48
    parts = [folder.part(probe, key, table) for probe in ("edges", "finetune") for key in (one, other)
             for table in ("rows", "items")]  # fmt: skip
    assert len(set(parts)) == 8
    assert parts[0] == Path("run/measurements/edges/parts/0123456789abcdef.rows.parquet")
    failures = {folder.failure(probe, step) for probe in ("edges", "finetune") for step in (1, 10)}
    assert len(failures) == 4
