"""Sound series that were really trained have no findings; each of ten faults that are planted in them is told."""

import json
import os
import shutil

import numpy as np
import pytest
import torch

from tests.audited import EVENLY, HEADS, LATE, UNEVENLY, audited, changed, copied, kinds, put

COVERS = ("embryology/runs/audit/weights.py",)


SOUND = {"albert": EVENLY, "bert": UNEVENLY, "neox": UNEVENLY[1:]}


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_wrong_with_a_sound_series(trained, tmp_path, name):
    audit = audited(copied(trained[name], tmp_path / name, SOUND[name]))
    assert audit.findings == ()
    uneven = {"albert": None, "bert": "4 and 10", "neox": "2 and 4"}[name]
    spacing = [note for note in audit.notes if "missing" in note]
    assert [note.partition(",")[0] for note in spacing] == [f"whether a step is missing between {uneven}"] * bool(
        uneven
    )
    assert audit.notes[len(spacing) :] == () or name != "albert"
    assert [row.step for row in audit.checkpoints] == list(SOUND[name])
    assert [row.dtype for row in audit.checkpoints] == ["BF16" if name == "neox" else "F32"] * len(SOUND[name])
    assert audit.checkpoints[0].from_first == audit.checkpoints[0].to_previous == 1
    assert audit.size == sum(file.stat().st_size for file in (tmp_path / name).glob("*/*"))
    assert 0 < audit.bytes_read < audit.size


def test_nothing_is_wrong_with_two_seeds(trained, tmp_path):
    pair = [copied(trained[name], tmp_path / name, EVENLY) for name in ("albert", "other")]
    assert [audit.findings for audit in audited(*pair)] == [(), ()]
    assert [audit.beside for audit in audited(*pair)] == [("other",), ("albert",)]


@pytest.fixture(params=[("albert", 0), ("bert", 1), ("neox", 2), ("albert", 3)], ids=lambda param: param[0])
def series(request, trained, tmp_path):
    """A copy to be spoilt, its source, its steps, and where to draw places from."""
    name, seed = request.param
    steps = list(EVENLY) if name != "bert" else UNEVENLY
    return copied(trained[name], tmp_path / name, steps), trained[name], steps, np.random.default_rng(seed)


def test_late_weights_under_early_names(series):
    folder, source, steps, rng = series
    early = [0, *rng.choice(steps[1:3], 1)]
    for step in early:
        put(folder, step, source, int(rng.choice(LATE)))
    assert set(early) <= kinds(audited(folder))["out of order"]


def test_two_equal_branches(series):
    folder, source, steps, rng = series
    one, other = (int(step) for step in rng.choice(steps, 2, replace=False))
    put(folder, other, source, one)
    found = audited(folder)
    assert kinds(found)["same weights"] == {one, other}
    assert "numbers that were read" in next(each.says for each in found.findings if each.kind == "same weights")
    found = audited(folder, whole=True)
    says = next(each.says for each in found.findings if each.kind == "same weights")
    assert says.endswith("hold the same weights (their files are the same, byte for byte)")


def test_a_foreign_step_0(series, trained):
    folder, _, _, _ = series
    if folder.name == "albert":
        put(folder, 0, trained["other"], 0)
    else:
        torch.manual_seed(9)
        changed(folder / "step-0", lambda _, tensor: torch.empty(tensor.shape).normal_(0, 0.02).to(tensor.dtype))
    found = audited(folder)
    assert kinds(found)["foreign weights"] == {0}
    assert set(kinds(found)) == {"foreign weights"}


@pytest.mark.parametrize("apart", [1, 3])
def test_a_swapped_pair(series, apart):
    folder, source, steps, rng = series
    place = int(rng.integers(1, len(steps) - 1 - apart))
    one, other = steps[place], steps[place + apart]
    put(folder, one, source, other)
    put(folder, other, source, one)
    found = kinds(audited(folder))
    assert set(found) == {"out of order"}
    assert found["out of order"] <= {one, other}
    assert len(found["out of order"]) == 2 or apart == 1


def test_a_gap(series):
    folder, _, steps, rng = series
    lost = int(rng.choice(steps[2:-2]))
    shutil.rmtree(folder / f"step-{lost}")
    uneven = steps == UNEVENLY  # where none can be missed
    assert kinds(audited(folder)) == ({} if uneven else {"missing step": {lost}})


def test_another_tokenizer(series):
    folder, _, steps, rng = series
    step = int(rng.choice(steps))
    file = folder / f"step-{step}" / "tokenizer.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(whole))  # as another version would write it
    assert kinds(audited(folder)) == {}
    whole["model"]["vocab"] = whole["model"]["vocab"][::-1] if isinstance(whole["model"]["vocab"], list) else {"b": 0}
    file.write_text(json.dumps(whole))
    assert kinds(audited(folder)) == {"another tokenizer": {step}}


def test_a_head_made_anew(series):
    folder, _, steps, rng = series
    head, step = HEADS[folder.name], int(rng.choice(steps[1:]))
    torch.manual_seed(7)
    new = {head: lambda tensor: torch.empty(tensor.shape).normal_(0, 0.08).to(tensor.dtype)}
    changed(folder / f"step-{step}", lambda name, tensor: new.get(name, lambda same: same)(tensor))
    found = audited(folder)
    assert kinds(found) == {"made anew": {step}}
    assert head in found.findings[0].says


def test_a_shared_seed(trained, tmp_path):
    for steps in (EVENLY, EVENLY[1:]):
        pair = [copied(trained[name], tmp_path / str(len(steps)) / name, steps) for name in ("albert", "alike")]
        found = audited(*pair)
        assert [kinds(audit) for audit in found] == [{"shared seed": set(steps)}] * 2
        assert "of alike" in found[0].findings[0].says
        assert ("1 of them the same weights" in found[0].findings[0].says) == (0 in steps)


@pytest.mark.parametrize("hidden", [False, True])
def test_another_dtype(series, hidden):
    folder, _, steps, rng = series
    step, narrow = int(rng.choice(steps[1:])), torch.float16
    changed(folder / f"step-{step}", lambda _, tensor: tensor.to(narrow).to(torch.float32 if hidden else narrow))
    found = audited(folder)
    assert kinds(found) == {"another dtype": {step}}
    assert ("fit into F16" in found.findings[0].says) == (hidden and folder.name != "neox")


def test_a_truncated_shard(series):
    folder, _, steps, rng = series
    step = int(rng.choice(steps))
    file = rng.choice(sorted((folder / f"step-{step}").glob("*.safetensors")))
    os.truncate(file, int(rng.integers(file.stat().st_size)))
    assert kinds(audited(folder)) == {"damaged": {step}}
    if folder.name == "neox":
        file.unlink()
        assert kinds(audited(folder)) == {"missing shard": {step}}


def test_weights_of_zeros_hide_nothing_else(series):
    folder, source, steps, _ = series
    changed(folder / f"step-{steps[2]}", lambda _, tensor: torch.zeros_like(tensor))
    put(folder, steps[5], source, steps[6])
    put(folder, steps[6], source, steps[5])
    found = kinds(audited(folder))
    assert found.pop("foreign weights") == {steps[2]}
    assert set(found) == {"out of order"}


def test_a_matrix_that_begins_at_zero_is_no_fault(series):
    folder = series[0]
    head = {HEADS[folder.name]: torch.zeros_like}
    changed(folder / "step-0", lambda name, tensor: head.get(name, lambda same: same)(tensor))
    assert kinds(audited(folder)) == {}


def test_numbers_that_are_none_are_told(series):
    folder, _, steps, rng = series
    step = int(rng.choice(steps))
    changed(folder / f"step-{step}", lambda _, tensor: torch.full_like(tensor, float("nan")))
    found = audited(folder)
    assert kinds(found) == {"damaged": {step}}
    assert "holds what is no finite number" in found.findings[0].says
