"""Names, hashes, small files and headers: each fault is told, and what is no fault is not."""

import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save
from safetensors.torch import save as save_torch

from embryology.errors import EmbryologyError
from embryology.runs.audit import files, reading, tensors
from embryology.runs.audit.observed import Entry, listed, odd
from embryology.runs.audit.tensors import DamagedError, Tensor
from embryology.runs.contents import Counted, Folder, Stored

COVERS = (
    "embryology/runs/audit/files.py",
    "embryology/runs/audit/observed.py",
    "embryology/runs/audit/reading.py",
    "embryology/runs/audit/tensors.py",
)
WEIGHTS = save({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float16)}, {"format": "pt"})


class Memory:
    """Contents in memory, with the hashes that a hub gives."""

    def __init__(self, held, identities=None):
        self.held, self.identities, self.asked = held, identities or {}, []

    def files(self):
        return {name: Stored(len(content), self.identities.get(name)) for name, content in self.held.items()}

    def read(self, name, start=0, end=None):
        self.asked.append(name)
        return self.held[name][start:end]


def observe(entry):
    """A checkpoint, and what is wrong with it alone."""
    ((observed,), findings, unlisted) = reading.observe([entry], whole=False)
    assert unlisted == []
    return observed, findings


def checkpoints(*held, identities=()):
    """Observed checkpoints at steps 0, 10, …, and what was wrong with each."""
    contents = [
        Memory(each, dict(zip(each, identities[n], strict=True)) if identities else None) for n, each in enumerate(held)
    ]
    return [observe(Entry(10 * number, f"step-{10 * number}", each)) for number, each in enumerate(contents)]


def said(findings):
    return [f"{each.kind}: {each.says}" for each in findings]


def test_weights_are_safetensors_before_pickles_and_whole_before_shards():
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    pickles = ["pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"]
    others = ["optimizer.bin", "adapter_model.safetensors", "model.safetensors.index.json", "config.json"]
    assert tensors.weights_files([*others, *pickles, *reversed(shards)]) == shards
    assert tensors.weights_files([*shards, "model.safetensors"]) == ["model.safetensors"]
    assert tensors.weights_files([*others, *pickles]) == pickles[:1]
    assert tensors.weights_files([*pickles, "pytorch_model.bin"]) == ["pytorch_model.bin"]
    assert tensors.weights_files(others) == []
    assert tensors.missing_shards(["model-00002-of-00003.safetensors"]) == [
        "model-00001-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
    ]
    assert tensors.missing_shards(shards) == tensors.missing_shards(["model.safetensors"]) == []


def test_a_header_says_where_numbers_are(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(WEIGHTS)
    found = tensors.listed(Counted(Folder(tmp_path)), "model.safetensors")
    assert {name: (each.dtype, each.shape) for name, each in found.items()} == {
        "a": ("F32", (2, 3)),
        "b": ("F16", (2,)),
    }
    assert WEIGHTS[found["a"].start :][:24] == np.arange(6, dtype=np.float32).tobytes()
    assert WEIGHTS[found["b"].start :][:4] == np.ones(2, np.float16).tobytes()


def headed(header, body=b"\0" * 8):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (WEIGHTS[:-1], "is truncated: it has"),
        (WEIGHTS + b"\0", "is too long"),
        (WEIGHTS[:40], "truncated within its header"),
        (WEIGHTS[:5], "truncated within its header"),
        (b"", "truncated within its header"),
        (struct.pack("<Q", 10**12) + WEIGHTS[8:], "truncated within its header"),
        (WEIGHTS[:8] + b"[" + WEIGHTS[9:], "damaged header"),
        (headed([1]), "damaged header"),
        (headed({"a": {"dtype": "F32", "shape": [2]}}), "damaged header"),
        (headed({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}), "damaged header"),
        (headed({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}), "damaged header"),
    ],
)
def test_a_damaged_file_is_told(content, reason):
    ((observed, findings),) = checkpoints({"model.safetensors": content})
    assert observed.tensors is None
    assert [each.kind for each in findings] == ["damaged"]
    assert reason in findings[0].says
    assert findings[0].steps == (0,)


def test_shards_are_read_together_and_missing_ones_told():
    parts = {f"model-0000{n}-of-00002.safetensors": save({name: np.ones(2)}) for n, name in ((1, "a"), (2, "b"))}
    (whole, nothing), (broken, findings) = checkpoints(parts, dict([*parts.items()][:1]))
    assert nothing == []
    assert {name: each.file for name, each in whole.tensors.items()} == dict(zip("ab", parts, strict=True))
    assert broken.tensors is None
    assert said(findings) == ["missing shard: step 10: lacks model-00002-of-00002.safetensors"]
    ((_, findings),) = checkpoints({"config.json": b"{}"})
    assert said(findings) == ["no weights: step 0: holds neither safetensors nor pickles of torch"]


def test_what_cannot_be_read_is_told_and_not_called_damaged():
    class Down(Memory):
        def read(self, name, start=0, end=None):
            raise EmbryologyError("the hub is down")

    observed, findings = observe(Entry(7, "seven", Down({"model.safetensors": WEIGHTS})))
    assert (findings, observed.unread, observed.tensors) == ([], "the hub is down", None)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_numbers_are_those_of_torch(dtype):
    values = torch.randn(8, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    contents = Counted(Memory({"m.safetensors": save_torch({"x": values})}))
    tensor = tensors.listed(contents, "m.safetensors")["x"]
    stretch = tensors.Stretch("x", 2, 3, 5)
    found = tensors.numbers(tensors.read(contents, tensor, stretch), tensor.dtype)
    np.testing.assert_array_equal(found, values[2:5].to(torch.float32).numpy().ravel())


@pytest.mark.parametrize(("dtype", "name"), [(torch.float16, "F16"), (torch.bfloat16, "BF16"), (torch.float32, "F32")])
def test_numbers_that_were_narrow_are_known(dtype, name):
    values = torch.randn(500, generator=torch.Generator().manual_seed(0)) * 0.02
    assert tensors.precision(values.to(dtype).float().numpy()) == name
    assert tensors.precision((values * 1e7).numpy()) == "F32"  # beyond what half precision holds


def test_a_cut_answer_is_an_error():
    contents = Counted(Memory({"m": b"\0" * 20}))
    with pytest.raises(DamagedError, match="gave 20 bytes where 40 were asked for"):
        tensors.read(contents, Tensor("m", "F32", (2, 5), 0), tensors.Stretch("m", 0, 2, 5))


LAYERED = {
    **{f"bert.encoder.layer.{n}.attention.self.query.weight": ("F32", (8, 8)) for n in range(5)},
    **{f"bert.encoder.layer.{n}.attention.output.dense.weight": ("F32", (8, 9)) for n in range(5)},
    **{f"bert.encoder.layer.{n}.attention.self.query.bias": ("F32", (800,)) for n in range(5)},
    **{f"bert.encoder.layer.{n}.output.dense.weight": ("F32", (8, 32)) for n in range(5)},
    **{f"bert.encoder.layer.{n}.attention.mask": ("U8", (99, 99)) for n in range(5)},
    "bert.embeddings.word_embeddings.weight": ("BF16", (30_000, 768)),
    "cls.predictions.transform.dense.weight": ("F32", (8, 8)),
    "cls.predictions.bias": ("F32", (30_000,)),
    "bert.embeddings.position_ids": ("I64", (1, 512)),
    "wide": ("F32", (3, 20_000)),
    "empty": ("F32", (0, 4)),
    "experts": ("F32", (4, 6, 8)),
    "narrow": ("F32", (9000, 2)),
}


def test_a_few_matrices_of_every_kind_stand_for_a_model():
    listed_ = {name: Tensor("m", dtype, shape, 0) for name, (dtype, shape) in LAYERED.items()}
    stretches = {each.name: each for each in tensors.chosen(listed_)}
    kinds = ("attention.output.dense", "output.dense")
    expected = [f"bert.encoder.layer.{n}.{kind}.weight" for n in (0, 2, 4) for kind in kinds]
    outside = [
        "bert.embeddings.word_embeddings.weight",
        "cls.predictions.transform.dense.weight",
        "wide",
        "experts",
        "narrow",
    ]
    assert sorted(stretches) == sorted([*expected, *outside])
    for name, stretch in stretches.items():
        shape = LAYERED[name][1]
        assert stretch.columns == shape[-1]
        assert 0 <= stretch.first <= math.prod(shape[:-1]) - stretch.rows
        assert stretch.rows * stretch.columns <= 2**14 or stretch.rows == 1
    assert stretches["bert.embeddings.word_embeddings.weight"].rows == 21
    assert stretches["bert.embeddings.word_embeddings.weight"].first > 1000  # not where reserved pieces are
    assert stretches["experts"].rows == 24
    assert stretches["narrow"].rows == 128
    assert list(stretches.values()) == tensors.chosen(dict(reversed(listed_.items())))


def test_other_tensors_and_dtypes_are_told_by_headers():
    usual, half = {"a": np.ones((2, 3), np.float32), "b": np.ones(2, np.float32)}, np.ones((2, 3), np.float16)
    series = [
        each
        for each, _ in checkpoints(
            *({"model.safetensors": save(one)} for one in (usual, usual, usual)),
            {"model.safetensors": save({"a": np.ones((2, 4), np.float32), "c": usual["b"]})},
            {"model.safetensors": save({"a": half, "b": usual["b"]})},
            {"model.safetensors": save({"a": half, "b": half})},
        )
    ]
    assert said(files.of_tensors(series[:3])) == []
    assert said(files.of_tensors(series[:4])) == [
        "other tensors: step 30: lacks a [2, 3], b [2] and has a [2, 4], c [2], unlike the others"
    ]
    assert said(files.of_tensors([*series[:3], series[4]])) == [
        "another dtype: step 40: weights are F16 and F32 where others are F32"
    ]


def named(step, name, held, sha256=None):
    observed, _ = observe(Entry(step, name, Memory(held, {"pytorch_model.bin": sha256})))
    return observed


def test_names_and_sizes_tell_repeats_gaps_and_cut_pickles():
    series = [named(step, f"step-{step}", {"pytorch_model.bin": b"x" * 1000}) for step in (0, 10, 20, 40, 50)]
    assert said(files.of_names(series, [0, 10, 20, 40, 50])) == [
        "missing step: step 30: missing, as the spacing of the others tells"
    ]
    series = [
        named(0, "step-0", {"pytorch_model.bin": b"x" * 1000}),
        named(10, "checkpoint-10", {"pytorch_model.bin": b"x" * 1019}),
        named(10, "step-10", {"pytorch_model.bin": b"x" * 1000}),
        named(20, "step-20", {"pytorch_model.bin": b"x" * 500}),
    ]
    assert said(files.of_names(series, [0, 10, 20])) == [
        "repeated step: step 10: is there 2 times: checkpoint-10, step-10",
        "another size: step 20: weights of 500 bytes, where others have 1,000: truncated, or of another dtype or shape",
    ]


CONFIG = {"hidden_size": 8, "hidden_act": "gelu", "transformers_version": "4.1", "torch_dtype": "float32"}
VOCABULARY = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}, "truncation": None}


def small(config=CONFIG, tokenizer=VOCABULARY, **others):
    held = {"config.json": config, "tokenizer.json": tokenizer} | others
    return {name: json.dumps(value).encode() for name, value in held.items() if value is not None}


def judged(*held, identities=()):
    series = [observed for observed, _ in checkpoints(*held, identities=identities)]
    return said(files.of_small_files(series)), series


def test_how_a_file_was_saved_is_no_other_file():
    again = VOCABULARY | {"truncation": {"max_length": 9}, "model": VOCABULARY["model"] | {"merges": [["a", "b"]]}}
    found, _ = judged(
        small(),
        small(CONFIG | {"transformers_version": "5", "torch_dtype": "float16", "_name": 1, "pruned": None}),
        small(tokenizer=again),
    )
    assert found == []
    spelt = [{"unk_token": "[UNK]", "model_max_length": 4}, {"unk_token": {"content": "[UNK]", "lstrip": False}}]
    found, _ = judged(*(small(**{"tokenizer_config.json": each}) for each in spelt), small())
    assert found == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"config": CONFIG | {"hidden_act": "relu"}},
            ['another configuration: step 20: config.json: hidden_act is "relu", where others have "gelu"'],
        ),
        (
            {"tokenizer": VOCABULARY | {"model": VOCABULARY["model"] | {"vocab": {"a": 0, "b": 2, "ab": 1}}}},
            ["another tokenizer: step 20: tokenizer.json: is another one"],
        ),
        (
            {"tokenizer": VOCABULARY | {"normalizer": {"type": "Lowercase"}}},
            ["another tokenizer: step 20: tokenizer.json: is another one"],
        ),
        ({"tokenizer": None}, ["no tokenizer: step 20: has no tokenizer.json or spiece.model"]),
        ({"config": None}, ["no configuration: step 20: has no config.json, which most others have"]),
        ({"config": [1]}, ["damaged: step 20: config.json is not what its name says"]),
    ],
)
def test_another_configuration_or_tokenizer_is_told(changed, told):
    found, _ = judged(small(), small(), small(**changed))
    assert len(found) == len(told)
    assert all(each.startswith(start) for each, start in zip(found, told, strict=True))


def test_another_spelling_of_text_is_another_tokenizer():
    lower, kept = ({"tokenizer_config.json": {"do_lower_case": value}} for value in (True, False))
    found, _ = judged(small(**lower), small(**lower), small(**kept))
    assert found == [
        "another tokenizer: step 20: tokenizer_config.json: do_lower_case is false, where others have true"
    ]
    found, _ = judged(*({"vocab.txt": text} for text in (b"a\nb", b"a\nb", b"b\na")))
    assert found == ["another tokenizer: step 20: vocab.txt: is another one"]


def test_of_files_whose_hashes_are_known_each_is_read_once():
    same, other = small(), small(CONFIG | {"hidden_act": "relu"})
    found, series = judged(same, same, same, identities=[("c", "t")] * 3)
    assert found == []
    assert [each.contents.bytes_read for each in series] == [0, 0, 0]
    found, series = judged(same, same, other, identities=[("c", "t"), ("c", "t"), ("d", "t")])
    assert len(found) == 1
    assert [each.contents._contents.asked for each in series] == [["config.json"], [], ["config.json"]]


def test_steps_are_listed_and_odd_ones_found():
    assert listed([5]) == "step 5"
    assert listed([5, 1000]) == "steps 5, 1,000"
    assert listed(range(7)) == "steps 0, 1, 2, … 6 (7 in all)"
    assert odd({1: "a", 2: "b", 3: "b", 4: "c", 5: "c"}) == ("b", {"a": [1], "c": [4, 5]})
    assert odd({}) == (None, {})


def test_a_folder_of_this_disk_is_observed(tmp_path):
    Path(tmp_path / "model.safetensors").write_bytes(WEIGHTS)
    observed, findings = observe(Entry(3, "three", Folder(tmp_path)))
    assert findings == []
    assert observed.identity is None
    observed.sha256["model.safetensors"] = "0"
    assert observed.identity == ("0",)
