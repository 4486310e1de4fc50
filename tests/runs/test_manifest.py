"""What a run's manifest says of the code that made it."""

import pytest

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.runs import manifest
from embryology.runs.paths import RunFolder
from tests.synthetic import write_manifest


def test_the_commit_is_git_s_or_what_it_is_said_to_be(monkeypatch, tmp_path):
    monkeypatch.delenv("EMBRYOLOGY_COMMIT", raising=False)
    monkeypatch.setattr(manifest, "ROOT", tmp_path)  # no checkout
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert manifest.commit() is None
    monkeypatch.setenv("EMBRYOLOGY_COMMIT", "abc123")
    assert manifest.commit() == "abc123"


def test_a_run_of_another_version_of_training_is_not_resumed(tmp_path):
    preset, folder = presets.load("smoke"), RunFolder(tmp_path / "run")
    write_manifest(folder, preset.outcome, version=1)
    with pytest.raises(
        EmbryologyError, match=rf"run was begun by another version of training \(1, and this is {presets.VERSION}\)"
    ):
        manifest.is_complete(folder, preset)


def test_the_version_of_training_is_part_of_what_names_the_experiment(monkeypatch):
    before = presets.load("smoke").outcome_sha256
    monkeypatch.setattr(presets, "VERSION", presets.VERSION + 1)
    assert presets.load("smoke").outcome_sha256 != before
