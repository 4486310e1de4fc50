"""Pickles of torch, read without torch: their tensors are where torch finds them, and nothing is run."""

import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from embryology.runs.audit import tensors
from embryology.runs.audit.observed import Entry
from embryology.runs.audit.result import examine
from embryology.runs.audit.tensors import DamagedError, Stretch
from embryology.runs.contents import Counted, Folder
from tests.audited import EVENLY, copied, kinds

COVERS = ("embryology/runs/audit/pickles.py",)
NAME = "pytorch_model.bin"


def saved(folder, state, **how):
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / NAME, **how)
    return Counted(Folder(folder))


def test_numbers_are_those_that_torch_loads(tmp_path):
    generator = torch.Generator().manual_seed(0)
    long = torch.randn(40, 5, generator=generator)
    state = {
        "float": long,
        "its end": long[30:],
        "half": torch.randn(3, 4, generator=generator).half(),
        "bfloat": torch.nn.Parameter(torch.randn(3, 4, generator=generator).bfloat16()),
        "double": torch.randn(2, 2, generator=generator).double(),
        "turned": long.T,
        "whole numbers": torch.arange(4)[None],
        "no tensor": 3,
    }
    model = torch.nn.Linear(2, 3)
    contents = saved(tmp_path, model.state_dict() | state)
    listed = tensors.listed(contents, NAME)
    assert set(listed) == {"weight", "bias", *state} - {"turned", "no tensor"}
    assert listed["whole numbers"].dtype == "LongStorage"
    for name, tensor in (torch.load(tmp_path / NAME)).items():
        if name in listed and tensor.ndim == 2 and tensor.is_floating_point():
            assert listed[name].shape == tuple(tensor.shape)
            stretch = Stretch(name, 1, tensor.shape[0] - 1, tensor.shape[1])
            found = tensors.numbers(tensors.read(contents, listed[name], stretch), listed[name].dtype)
            np.testing.assert_array_equal(found, tensor[1:].detach().float().numpy().ravel())


def test_little_is_read(tmp_path):
    contents = saved(tmp_path, {f"layer.{n}": torch.zeros(300, 300) for n in range(20)})
    assert len(tensors.listed(contents, NAME)) == 20
    assert contents.bytes_read < 0.01 * contents.size


class Evil:
    def __reduce__(self):
        return os.mkdir, ("was here",)


@pytest.mark.parametrize("state", [{"a": Evil()}, [torch.zeros(2)], {"a": torch.nn.Linear(2, 2)}, Evil()])
def test_what_is_no_weights_is_refused_and_not_run(tmp_path, monkeypatch, state):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DamagedError, match=f"{NAME} is truncated or damaged"):
        tensors.listed(saved(tmp_path, state), NAME)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_truncated_one_is_told(tmp_path):
    size = saved(tmp_path, {"a": torch.zeros(100, 100)}).size
    for left in (3, 100, size // 2, size - 1):
        saved(tmp_path, {"a": torch.zeros(100, 100)})
        os.truncate(tmp_path / NAME, left)
        with pytest.raises(DamagedError):
            tensors.listed(Counted(Folder(tmp_path)), NAME)


def test_another_archive_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / NAME, "w") as archive:
        archive.writestr("archive/other", b"")
    with pytest.raises(DamagedError):
        tensors.listed(Counted(Folder(tmp_path)), NAME)


def test_one_of_the_older_form_is_left_to_its_hash(tmp_path):
    contents = saved(tmp_path, {"a": torch.zeros(2)}, _use_new_zipfile_serialization=False)
    assert tensors.listed(contents, NAME) is None
    assert contents.bytes_read < 20


@pytest.mark.parametrize("content", [pickle.dumps(Evil()), b"no weights at all", b"", pickle.dumps({"a": 1}, 2)])
def test_what_torch_did_not_write_is_told(tmp_path, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(DamagedError, match="torch did not write it"):
        tensors.listed(Counted(Folder(tmp_path)), NAME)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_series_of_pickles_is_audited_as_others_are(trained, tmp_path):
    from safetensors.torch import load_file

    folder = copied(trained["albert"], tmp_path / "albert", EVENLY)
    for file in folder.glob("*/model.safetensors"):
        saved(file.parent, load_file(file))
        file.unlink()
    made = [Entry(step, str(step), Folder(folder / f"step-{step}")) for step in EVENLY]
    (audit,) = examine({"bin": made})
    assert audit.findings == ()
    assert {row.dtype for row in audit.checkpoints} == {"F32"}
    assert audit.checkpoints[1].from_first < 1
    made[3], made[7] = (Entry(made[one].step, "", made[other].contents) for one, other in ((3, 7), (7, 3)))
    (audit,) = examine({"bin": made})
    assert kinds(audit) == {"out of order": {EVENLY[3], EVENLY[7]}}
