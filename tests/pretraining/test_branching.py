"""Branches: several ends of one beginning."""

import shutil

import pytest
import torch
import yaml

from benchmarks.kills import differences
from embryology import presets
from embryology.errors import EmbryologyError
from embryology.pretraining import branching, loop
from embryology.runs import losses
from embryology.runs.manifest import Manifest
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.runs.verify import check
from tests.training import SHORT, small_preset, train

CONSTANT = {"steps": 40, "rate": "constant"}
TWO = [{"steps": 20, "rate": "constant"}, {"steps": 10, "rate": "decay"}]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("branches")
        patch.setenv("EMBRYOLOGY_RUNS", str(folder))
        yield folder


def preset_of(home, phases, kept=(), start=None, **changes):
    """With dropout, so that the random state matters; little text, so that it is read more than once."""
    model = small_preset(home).outcome.model.model_dump() | {"dropout": 0.1}
    steps = sum(phase["steps"] for phase in phases)
    grid = [step for step in (0, 5, 20, 30, 40) if step <= steps]
    settings = {"steps": steps, "checkpoints": grid, "phases": phases, "model": model} | SHORT | changes
    preset = small_preset(home, 75, **settings)
    speed = preset.speed.model_dump() | {"keep_states": kept}
    values = preset.model_dump() | {"speed": speed, "starts_from": start}
    return presets.validated(values, "branch")


@pytest.fixture(scope="module")
def origin(home):
    return train(preset_of(home, [CONSTANT], kept=[20]), home / "constant-seed0")


START = {"run": "constant-seed{seed}", "step": 20}


def test_a_state_that_is_asked_for_is_kept(origin):
    assert [int(file.stem[5:]) for file in sorted(origin.state.iterdir())] == [20, 30, 40]


def test_a_branch_is_the_run_that_was_trained_as_a_whole(home, origin, monkeypatch):
    whole = train(preset_of(home, TWO), home / "whole")
    real, steps = loop.Run._step, []
    monkeypatch.setattr(
        loop.Run, "_step", lambda self, index, *rest: (steps.append(index), real(self, index, *rest))[1]
    )
    preset = preset_of(home, TWO, start=START)
    branch = train(preset, home / "branch")
    assert steps == list(range(20, 30))
    assert differences(branch, whole) == []
    assert check(branch)[0] == []
    assert preset.outcome_sha256 == preset_of(home, TWO).outcome_sha256 == Manifest.read(whole).outcome_sha256
    recorded = Manifest.read(branch).origin
    before = Series.open(origin.root).checkpoints[2]
    assert (recorded.run, recorded.step) == ("constant-seed0", 20)
    assert recorded.outcome_sha256 == Manifest.read(origin).outcome_sha256 != preset.outcome_sha256
    assert recorded.checkpoint_sha256 == before.sha256
    assert Manifest.read(whole).origin is None
    assert losses.read(branch)["phase"].tolist() == [1] * 4 + [2]


def test_a_branch_whose_settings_are_the_same_goes_on_as_its_origin_did(home, origin):
    same = train(preset_of(home, [CONSTANT], start=START), home / "same")
    assert differences(same, origin) == []
    first = [losses.read(folder).set_index("step")["masked_loss"][30] for folder in (same, origin)]
    assert first[0] == first[1]


def test_a_branch_may_be_evaluated_more_often(home, origin):
    seldom, often = (
        train(preset_of(home, TWO, start=START, evaluate_every=every), home / f"every-{every}") for every in (None, 4)
    )
    hashes = [[each.sha256 for each in Series.open(folder.root).checkpoints] for folder in (seldom, often)]
    assert hashes[0] == hashes[1]
    evaluated = losses.read(often).dropna(subset=["held_out_masked_loss"])
    assert evaluated["step"].tolist() == [0, 5, 20, 24, 28, 30]


def test_a_branch_may_keep_fewer_checkpoints(home, origin):
    all_, fewer = (
        train(preset_of(home, TWO, start=START, checkpoints=grid), home / f"keeps-{len(grid)}")
        for grid in ([0, 5, 20, 30], [0, 20, 30])
    )
    kept = [{each.step: each.sha256 for each in Series.open(folder.root).checkpoints} for folder in (all_, fewer)]
    assert kept[1] == {step: kept[0][step] for step in (0, 20, 30)}
    assert check(fewer)[0] == []


def test_several_decays_branch_off_one_run(home, origin):
    ends = {}
    for steps in (5, 10):
        phases = [{"steps": 20, "rate": "constant"}, {"steps": steps, "rate": "decay"}]
        grid = [0, 5, 20, 20 + steps]
        folder = train(preset_of(home, phases, start=START, checkpoints=grid), home / f"decay-{steps}")
        rows = losses.read(folder)
        assert rows["learning_rate"].iloc[-1] == pytest.approx(0.002 / steps)
        ends[steps] = Series.open(folder.root).checkpoints
    assert ends[5][2].sha256 == ends[10][2].sha256
    assert ends[5][-1].sha256 != ends[10][-1].sha256


@pytest.mark.parametrize("place", ["checkpoint", "losses", "state"])
def test_a_branch_that_dies_while_it_begins_is_begun_again(home, origin, place, monkeypatch):
    whole = train(preset_of(home, TWO), home / "whole")
    folder, preset = home / f"died-{place}", preset_of(home, TWO, start=START)

    def die(*_, **__):
        raise MemoryError

    with monkeypatch.context() as patch:
        owner = {"checkpoint": (shutil, "copytree"), "losses": (losses, "write"), "state": (shutil, "copyfile")}[place]
        real, calls = getattr(*owner), []
        # The tokenizer is copied first, in the same way.
        count = 3 if place == "checkpoint" else 1
        patch.setattr(*owner, lambda *a, **s: die() if calls.append(0) or len(calls) == count else real(*a, **s))
        with pytest.raises(MemoryError):
            train(preset, folder)
    assert differences(train(preset, folder, resume=True), whole) == []


def test_a_branch_is_resumed_without_its_origin_but_not_with_another(home, origin, monkeypatch, tmp_path):
    whole = train(preset_of(home, TWO), home / "whole")
    moved, folder = home / "moved-seed0", home / "resumed"
    shutil.copytree(origin.root, moved)
    preset = preset_of(home, TWO, start={"run": "moved-seed0", "step": 20})
    real = loop.Run._step

    def die(self, index, *rest):
        if index == 25:
            raise MemoryError
        return real(self, index, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "_step", die)
        with pytest.raises(MemoryError):
            train(preset, folder)
    values = yaml.safe_load((moved / "run.yaml").read_text())
    changed = values | {"outcome_sha256": "0" * 64}
    (moved / "run.yaml").write_text(yaml.safe_dump(changed))
    with pytest.raises(EmbryologyError, match="began with step 20 of moved-seed0, which has changed since; restore it"):
        train(preset, folder, resume=True)
    (moved / "run.yaml").write_text(yaml.safe_dump(values))
    saved, kept = moved / "state" / "step-00000020.pt", (moved / "state" / "step-00000020.pt").read_bytes()
    saved.write_bytes(kept[:-1])
    with pytest.raises(EmbryologyError, match="has changed since"):
        train(preset, folder, resume=True)
    saved.unlink()  # as the other run went on, and was not asked to keep it
    assert differences(train(preset, folder, resume=True), whole) == []
    recorded = Manifest.read(RunFolder(folder)).origin
    assert recorded.run == "moved-seed0"
    assert branching.origin_of(preset, RunFolder(folder)) == recorded
    shutil.rmtree(moved)
    assert branching.origin_of(preset, RunFolder(folder)) == recorded


def test_a_run_that_began_otherwise_is_refused(home, origin):
    whole = train(preset_of(home, TWO), home / "whole")
    with pytest.raises(EmbryologyError, match="began with random parameters, and not with step 20 of constant-seed0"):
        train(preset_of(home, TWO, start=START), whole.root)
    branch = train(preset_of(home, TWO, start=START), home / "a branch more")
    with pytest.raises(EmbryologyError, match="began with step 20 of constant-seed0, and not with random parameters"):
        train(preset_of(home, TWO), branch.root)


WRONG = {
    "another rate before": (
        {"phases": [TWO[0] | {"learning_rate": 0.003}, TWO[1]]},
        "another rate at step 1, 0.0004 and 0.0006",
    ),
    "a smaller batch before": (
        {"phases": [TWO[0] | {"batch_size": 8}, TWO[1]]},
        "another text, objective, batch_size or sequence_length at step 1",
    ),
    "longer sequences later": (
        {"phases": [TWO[0], TWO[1] | {"sequence_length": 64}]},
        "another longest sequence, 32 and 64 pieces",
    ),
    "another seed": ({"seed": 1, "start": {"run": "constant-seed0", "step": 20}}, "another seed; up to step 20"),
    "another run": ({"seed": 1}, r"there is no run in .*constant-seed1; train it, or name another"),
    "another text": ({"corpus": {}}, "another corpus; up to step 20"),
    "another optimizer": ({"optimizer": {"weight_decay": 0.02}}, r"another optimizer\.weight_decay; up to step 20"),
    "another grid": ({"checkpoints": [0, 10, 20, 30]}, "another grid of checkpoints, without 10; up"),
    "a state that is not kept": (
        {"start": {"run": "constant-seed0", "step": 5}},
        r"keeps no state of step 5 \(it has: 20, 30, 40\); train it with speed: \{keep_states: \[5\]\}",
    ),
    "no run": ({"start": {"run": "nowhere", "step": 20}}, r"there is no run in .*nowhere"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_branch_of_a_run_is_refused_in_one_line(home, origin, wrong):
    changes, message = WRONG[wrong]
    changes = dict(changes)
    phases, start = changes.pop("phases", TWO), changes.pop("start", START)
    if "optimizer" in changes:
        changes["optimizer"] = small_preset(home).outcome.optimizer.model_dump() | changes["optimizer"]
    preset = preset_of(home, phases, start=start, **changes)
    with pytest.raises(EmbryologyError, match=message) as caught:
        train(preset, home / "refused")
    assert "\n" not in str(caught.value)
    assert not (home / "refused").exists()


def test_a_changed_origin_is_refused(home, origin):
    copy = RunFolder(shutil.copytree(origin.root, home / "copy-seed0"))
    preset = preset_of(home, TWO, start={"run": "copy-seed0", "step": 20})
    saved = copy.state / "step-00000020.pt"
    whole = saved.read_bytes()
    saved.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EmbryologyError, match=r"step-00000020\.pt is damaged; restore it, or train copy-seed0 again"):
        train(preset, home / "refused")
    saved.write_bytes(whole)
    weights = copy.checkpoint(20) / "model.safetensors"
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(EmbryologyError, match="was changed after it was written"):
        train(preset, home / "refused")
    weights.write_bytes(sound)
    values = yaml.safe_load(copy.manifest.read_text())
    copy.manifest.write_text(yaml.safe_dump(values | {"version": 2}))
    with pytest.raises(EmbryologyError, match="copy-seed0 was trained by another version of training; train it again"):
        train(preset, home / "refused")
    copy.manifest.write_text(yaml.safe_dump(values))
    record = copy.corpus.read_text()
    copy.corpus.write_text(record.replace('"documents": ', '"documents": 1'))
    with pytest.raises(EmbryologyError, match="was trained on another text, or its text has changed since"):
        train(preset, home / "other-text")
    copy.corpus.write_text(record)


def test_a_state_that_is_replaced_while_a_branch_begins_is_refused(home, origin, monkeypatch):
    copy = RunFolder(shutil.copytree(origin.root, home / "replaced-seed0"))
    real = branching.begin

    def replaced(*arguments):
        state = torch.load(copy.state / "step-00000020.pt", weights_only=True)
        state["optimizer"]["state"][3]["exp_avg"].view(torch.uint8)[0] ^= 1
        torch.save(state, copy.state / "step-00000020.pt")
        real(*arguments)

    monkeypatch.setattr(branching, "begin", replaced)
    with pytest.raises(EmbryologyError, match="has changed while this run began; give the same command again"):
        train(preset_of(home, TWO, start={"run": "replaced-seed0", "step": 20}), home / "late")
    assert not list((home / "late" / "state").glob("step-*"))
