"""Names that a shell completes."""

import os
import subprocess
import sys

import pytest

from embryology import presets
from embryology.runs import names, paths
from embryology.specs import registry


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A runs folder with two runs, and a project with a frozen one."""
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for folder in ("runs/tiny-b", "runs/tiny-a", "runs/.corpora", "results/tiny-seed0", "results/published"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "runs" / "a file").touch()
    (tmp_path / "results" / "tiny-seed0" / "frozen.yaml").touch()
    monkeypatch.chdir(tmp_path)


def test_runs_are_those_in_the_runs_folder_and_frozen_ones(places):
    assert names.runs() == ["tiny-a", "tiny-b", "results/tiny-seed0"]


def test_without_a_runs_folder_there_are_none(places, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", "nowhere")
    assert names.runs() == ["results/tiny-seed0"]


def test_presets_and_probes_are_those_that_can_be_loaded():
    assert names.presets() == presets.names()
    assert names.probes() == sorted(registry.specifications())


@pytest.mark.parametrize(
    ("incomplete", "found"),
    [
        ("ti", ["tiny-a", "tiny-b"]),
        ("", ["tiny-a", "tiny-b", "results/tiny-seed0"]),
        ("res", ["results/tiny-seed0"]),
        ("results/", ["results/tiny-seed0", "results/published"]),
        ("./ru", ["./runs"]),
        ("[t]iny/", []),
        ("x", []),
    ],
)
def test_a_word_is_completed_by_names_and_once_it_is_a_path_by_folders(places, incomplete, found):
    assert names.completed(names.runs, incomplete) == found


COMMAND = """
import sys
sys.argv = ["embryology"]
from embryology.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def complete(words):
    """What bash is told for the last of ``words``, and which modules were loaded for it."""
    asked = {"_EMBRYOLOGY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    finished = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, text=True, env=os.environ | asked)
    return finished.stdout.split(), finished.stderr.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("embryology show results/tiny-seed", {f"results/tiny-seed{seed}" for seed in (0, 3, 4, 5)}),
        ("embryology report results/tiny-seed0 results/tiny-b", {"results/tiny-bert-seed0"}),
        ("embryology pretrain tiny-e", {"tiny-electra", "tiny-epochs"}),
        ("embryology probe x --probe t", {"tokens"}),
        ("embryology probe x --preset sm", {"small", "smoke"}),
        ("embryology exp", {"export"}),
    ],
)
def test_a_shell_is_answered_without_loading_anything_heavy(words, found):
    said, loaded = complete(words)
    assert set(said) == found
    assert "embryology.cli" in loaded
    assert not {"torch", "pandas", "pyarrow", "numpy", "transformers"} & set(loaded)
