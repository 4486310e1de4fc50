"""What a run's manifest says of the code that made it, and which runs may go on."""

import subprocess
import sys

import pytest

from embryology import __version__, presets
from embryology.errors import EmbryologyError
from embryology.runs import manifest
from embryology.runs.checkpoints import RECORD
from embryology.runs.manifest import Manifest, is_complete, open_session, refuse_another, steps_done
from embryology.runs.paths import RunFolder
from embryology.storage.files import write_json
from tests.synthetic import write_manifest


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def changed(preset, **outcome):
    return preset.model_copy(update={"outcome": preset.outcome.model_copy(update=outcome)})


def state(folder, *steps):
    folder.state.mkdir(parents=True, exist_ok=True)
    for step in steps:
        (folder.state / f"step-{step:08d}.pt").touch()


def test_the_commit_is_git_s_or_what_it_is_said_to_be(monkeypatch, tmp_path):
    monkeypatch.delenv("EMBRYOLOGY_COMMIT", raising=False)
    monkeypatch.setattr(manifest, "ROOT", tmp_path)  # no checkout
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert manifest.commit() is None

    def git(*arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    (tmp_path / "code").write_text("1")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "code"]):
        git(*arguments)
    head = git("rev-parse", "HEAD")
    assert manifest.commit() == head
    (tmp_path / "code").write_text("2")
    assert manifest.commit() == f"{head}-dirty"
    monkeypatch.setenv("EMBRYOLOGY_COMMIT", "abc123")
    assert manifest.commit() == "abc123"


def test_every_session_is_recorded_beside_those_before(folder, monkeypatch):
    preset = presets.load("smoke")
    monkeypatch.setenv("EMBRYOLOGY_COMMIT", "abc123")
    monkeypatch.setattr(sys, "argv", ["embryology", "pretrain", "smoke", "--run", "my run"])
    open_session(folder, preset, "float32", "a processor", 1)
    half = folder.checkpoints / ".step-00000020.1.part"
    half.mkdir(parents=True)
    slower = preset.model_copy(
        update={"speed": preset.speed.model_copy(update={"threads": 7}), "probes": {"edges": {}}}
    )
    open_session(folder, slower, "bfloat16", "a card", 4)
    assert not half.exists()
    read = Manifest.read(folder)
    assert (read.preset, read.outcome, read.outcome_sha256) == ("smoke", preset.outcome, preset.outcome_sha256)
    assert (read.version, read.probes) == (presets.VERSION, preset.probes)
    said = [(each.precision, each.device, each.processes, each.speed.threads) for each in read.sessions]
    assert said == [("float32", "a processor", 1, preset.speed.threads), ("bfloat16", "a card", 4, 7)]
    assert {each.command for each in read.sessions} == {"embryology pretrain smoke --run 'my run'"}
    assert {each.commit for each in read.sessions} == {"abc123"}
    assert {each.versions["embryology"] for each in read.sessions} == {__version__}


def test_the_newest_state_says_how_far_a_run_is(folder):
    assert steps_done(folder) == 0
    state(folder, 9, 100, 20)
    assert steps_done(folder) == 100


@pytest.mark.parametrize(
    ("missing", "expected"),
    [((), True), (("record",), False), (("state",), True), (("last state",), False), (("state", "losses"), False)],
)
def test_a_run_is_complete_where_all_that_belongs_to_its_last_step_is_saved(folder, missing, expected):
    preset = presets.load("smoke")
    assert not is_complete(folder, preset)
    write_manifest(folder, preset.outcome)
    folder.manifest.write_text(folder.manifest.read_text().replace("0" * 64, preset.outcome_sha256))
    last = preset.outcome.steps
    if "record" not in missing:
        write_json(folder.checkpoint(last) / RECORD, {})
    if "losses" not in missing:
        folder.losses.touch()
    if "state" not in missing:
        state(folder, last - 10, *([] if "last state" in missing else [last]))
    assert is_complete(folder, preset) == expected


def test_a_run_of_another_outcome_is_not_resumed_whatever_it_is_called(folder):
    preset = presets.load("smoke")
    open_session(folder, preset, "float32", "a processor", 1)
    assert refuse_another(folder, preset).outcome == preset.outcome
    assert refuse_another(folder, preset.model_copy(update={"name": "other", "probes": {}})) is not None
    with pytest.raises(EmbryologyError, match=r"holds a run of preset 'smoke' that differs in batch_size, seed; give"):
        refuse_another(folder, changed(preset, seed=1, batch_size=3))
    folder.manifest.unlink()
    (folder.root / "notes.txt").touch()
    with pytest.raises(EmbryologyError, match="is not empty and holds no run; give another --run"):
        refuse_another(folder, preset)


def test_a_run_of_another_version_of_training_is_not_resumed(folder):
    preset = presets.load("smoke")
    write_manifest(folder, preset.outcome, version=1)
    with pytest.raises(
        EmbryologyError, match=rf"run was begun by another version of training \(1, and this is {presets.VERSION}\)"
    ):
        is_complete(folder, preset)


def test_the_version_of_training_is_part_of_what_names_the_experiment(monkeypatch):
    before = presets.load("smoke").outcome_sha256
    monkeypatch.setattr(presets, "VERSION", presets.VERSION + 1)
    assert presets.load("smoke").outcome_sha256 != before
