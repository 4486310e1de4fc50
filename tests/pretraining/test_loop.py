"""Runs from beginning to end: resumed, refused, interrupted, of all families."""

import os
import shutil
import signal
import time
from functools import partial

import filelock
import pytest
import torch
import yaml
from transformers import AutoModelForMaskedLM, AutoModelForPreTraining, AutoTokenizer

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.pretraining import loop
from embryology.runs.losses import COLUMNS, read
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.storage.files import read_json, read_yaml
from tests.processes import CONTEXT, command, run_command
from tests.training import small_preset, train

COVERS = ("embryology/__main__.py", "embryology/pretraining/interrupt.py")


@pytest.fixture(scope="module")
def finished(home):
    return train(small_preset(home), home / "runs" / "finished")


def hashes(folder):
    return {checkpoint.step: checkpoint.sha256 for checkpoint in Series.open(folder.root).checkpoints}


def test_a_run_is_what_the_contract_says(finished):
    series = Series.open(finished.root)
    assert [checkpoint.step for checkpoint in series.checkpoints] == [0, 5, 20, 60]
    assert len(set(hashes(finished).values())) == 4
    for checkpoint in series.checkpoints:
        checkpoint.verify()
        record = read_json(checkpoint.location / "checkpoint.json")
        assert set(record) == {"step", "tokens", "epoch", "held_out", "sha256"}
        assert record["held_out"]["unigram_loss"] > 0
    losses = read(finished)
    assert losses.columns.tolist() == list(COLUMNS)
    assert losses["step"].tolist() == [0, 5, 10, 20, 30, 40, 50, 60]
    assert losses.loc[losses["held_out_masked_loss"].notna(), "step"].tolist() == [0, 5, 20, 60]
    assert losses["tokens"].is_monotonic_increasing
    assert read_yaml(finished.manifest)["sessions"][0]["precision"] == "float32"
    assert read_json(finished.corpus)["train"]["documents"] > read_json(finished.corpus)["held-out"]["documents"] > 0


def test_it_learns(finished):
    losses = read(finished)
    held_out = losses["held_out_masked_loss"].dropna()
    assert held_out.iloc[-1] < held_out.iloc[0] - 0.3


def test_evaluations_between_checkpoints_change_neither_weights_nor_what_they_evaluate(home, finished, tmp_path):
    folder = train(small_preset(home, evaluate_every=12), tmp_path / "often")
    assert hashes(folder) == hashes(finished)
    often, seldom = (read(each).dropna(subset=["held_out_masked_loss"]).fillna(-1) for each in (folder, finished))
    assert often["step"].tolist() == [0, 5, 12, 20, 24, 36, 48, 60]
    held_out = [name for name in often if name.startswith("held_out")]
    assert often[often["step"].isin(seldom["step"])][held_out].values.tolist() == seldom[held_out].values.tolist()
    assert often["held_out_masked_loss"].nunique() == 8


def test_transformers_loads_a_checkpoint_with_the_logits_it_was_trained_with(finished):
    location = Series.open(finished.root).checkpoints[-1].location
    tokenizer = AutoTokenizer.from_pretrained(location)
    inputs = tokenizer("The cat sat.", "It slept.", return_tensors="pt")
    whole = AutoModelForPreTraining.from_pretrained(location).eval()
    masked = AutoModelForMaskedLM.from_pretrained(location).eval()
    with torch.inference_mode():
        logits = whole(**inputs).prediction_logits
        assert torch.allclose(logits, masked(**inputs).logits, atol=1e-5)
    assert logits.shape[-1] == 600


def test_an_interrupted_run_is_resumed_to_the_same_weights(home, finished, monkeypatch):
    real, seen = loop.Run._step, []

    def interrupt_once(self, index, *arguments):
        seen.append(index)
        if index == 31 and seen.count(31) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, index, *arguments)

    monkeypatch.setattr(loop.Run, "_step", interrupt_once)
    with pytest.raises(
        EmbryologyError, match=r"interrupted at step 40 of 60, everything is saved; resume it with .* --resume"
    ):
        train(small_preset(home), home / "runs" / "interrupted")
    folder = train(small_preset(home), home / "runs" / "interrupted", resume=True)
    assert seen == list(range(60))
    assert hashes(folder) == hashes(finished)
    resumed, whole = read(folder), read(finished)
    assert resumed.drop(columns="tokens_per_second").equals(whole.drop(columns="tokens_per_second"))
    assert len(read_yaml(folder.manifest)["sessions"]) == 2


def test_a_run_that_died_loses_only_what_came_after_its_resume_point(home, finished, monkeypatch):
    real = loop.Run._step

    def die(self, index, *arguments):
        if index == 27:
            raise MemoryError("died")
        return real(self, index, *arguments)

    monkeypatch.setattr(loop.Run, "_step", die)
    with pytest.raises(MemoryError):
        train(small_preset(home), home / "runs" / "died")
    monkeypatch.setattr(loop.Run, "_step", real)
    with pytest.raises(EmbryologyError, match="unfinished run at step 20 of 60; resume it with --resume"):
        train(small_preset(home), home / "runs" / "died")
    newest = max((home / "runs" / "died" / "state").glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:100])  # the disk lost it: the one before serves
    assert hashes(train(small_preset(home), home / "runs" / "died", resume=True)) == hashes(finished)


def test_a_finished_run_is_left_as_it_is(home, finished):
    before = finished.manifest.read_bytes()
    for resume in (False, True):
        train(small_preset(home), finished.root, resume=resume)
    assert finished.manifest.read_bytes() == before


def test_a_killed_process_leaves_no_half_written_checkpoint(home, finished, tmp_path):
    preset = tmp_path / "small.yaml"
    values = small_preset(home).model_dump(mode="json")
    preset.write_text(yaml.safe_dump({key: values[key] for key in ("outcome", "speed")}))
    folder = RunFolder(home / "runs" / "killed")
    arguments = ("pretrain", str(preset), "--run", str(folder.root), "--resume")
    nothing, runs = partial(int), os.environ["EMBRYOLOGY_RUNS"]
    process = CONTEXT.Process(target=run_command, args=(tmp_path / "stderr", runs, nothing, arguments))
    process.start()
    deadline = time.monotonic() + 60
    while not folder.checkpoint(20).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    for checkpoint in Series.open(folder.root).checkpoints:
        checkpoint.verify()
    assert command(tmp_path / "stderr", nothing, *arguments) == (0, [])
    assert hashes(folder) == hashes(finished)


def test_another_outcome_is_refused_and_nothing_is_touched(home, finished):
    before = hashes(finished)
    rate = small_preset(home).outcome.optimizer.model_dump() | {"learning_rate": 1e-5}
    other = small_preset(home, seed=3, optimizer=rate)
    with pytest.raises(EmbryologyError, match=r"differs in optimizer\.learning_rate, seed; give another --run"):
        train(other, finished.root)
    assert hashes(finished) == before


def test_a_folder_that_is_no_run_is_refused(home, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(EmbryologyError, match="is not empty and holds no run"):
        train(small_preset(home), tmp_path, resume=True)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_changed_corpus_is_refused(home, tmp_path):
    preset = small_preset(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Run, "_step", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            train(preset, tmp_path / "run")
    with open(preset.outcome.corpus.path, "a") as stream:
        stream.write("\n\nA new article.")
    with pytest.raises(EmbryologyError, match=r"corpus of .* has changed since the run began"):
        train(preset, tmp_path / "run", resume=True)


def test_two_trainers_do_not_share_a_run(home, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    with filelock.FileLock(folder.lock), pytest.raises(EmbryologyError, match="another process is training"):
        train(small_preset(home), folder.root)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_what_was_saved(home, tmp_path, monkeypatch):
    real = loop.Run._step

    def diverge(self, index, *arguments):
        means, norm = real(self, index, *arguments)
        return means * (float("nan") if index > 25 else 1), norm

    monkeypatch.setattr(loop.Run, "_step", diverge)
    with pytest.raises(EmbryologyError, match="not finite at step 30; the last good checkpoint is that of step 20"):
        train(small_preset(home), tmp_path / "run")
    assert list(hashes(RunFolder(tmp_path / "run"))) == [0, 5, 20]


def test_bfloat16_follows_float32(home, finished):
    low = small_preset(home)
    low = low.model_copy(update={"speed": low.speed.model_copy(update={"precision": "bfloat16"})})
    folder = train(low, home / "runs" / "low")
    difference = read(folder)["masked_loss"] - read(finished)["masked_loss"]
    assert difference.abs().max() < 0.05
    shutil.rmtree(folder.root)


def test_parts_that_do_not_divide_a_step_are_refused_before_anything_is_written(home):
    whole = small_preset(home)
    uneven = whole.model_copy(update={"speed": whole.speed.model_copy(update={"gradient_accumulation_steps": 5})})
    with pytest.raises(
        EmbryologyError, match="batch_size 16 cannot be divided among 1 processes with gradient_accumulation_steps 5"
    ):
        train(uneven, home / "runs" / "uneven")
    assert not (home / "runs" / "uneven").exists()


def test_compiling_without_a_compiler_is_refused_before_anything_is_written(home, monkeypatch):
    preset = small_preset(home)
    compiled = preset.model_copy(update={"speed": preset.speed.model_copy(update={"compile": True})})
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(EmbryologyError, match=r"speed\.compile needs a C\+\+ compiler"):
        train(compiled, home / "runs" / "compiled")
    assert not (home / "runs" / "compiled").exists()


@pytest.mark.parametrize("family", ["bert", "electra"])
def test_other_families_train_and_resume_too(home, family):
    name = f"tiny-{family}"
    model = presets.load(name).outcome.model.model_dump() | {
        "num_hidden_layers": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "embedding_size": 32,
        "generator_size": 0.5 if family == "electra" else None,
        "dropout": 0.1,
    }
    objective = presets.load(name).outcome.objective.model_dump()
    changes = {"model": model, "objective": objective, "steps": 30, "checkpoints": [0, 20, 30]}
    if family == "bert":  # LAMB's state goes into a resume as well
        changes["optimizer"] = small_preset(home).outcome.optimizer.model_dump() | {
            "name": "lamb",
            "learning_rate": 0.01,
        }
    preset = small_preset(home, **changes)
    folder = train(preset, home / "runs" / family)
    losses = read(folder)
    assert losses["pair_loss"].isna().all() == (family == "electra")
    assert losses["replaced_loss"].isna().all() == (family == "bert")
    assert losses["masked_loss"].iloc[-1] < losses["masked_loss"].iloc[1]
    again = RunFolder(home / "runs" / f"{family}-again")
    shutil.copytree(folder.root, again.root)
    shutil.rmtree(again.checkpoint(30))
    (again.state / "step-00000030.pt").unlink()
    train(preset, again.root, resume=True)  # from step 20
    assert hashes(again) == hashes(folder)
