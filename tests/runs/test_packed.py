"""Weights in eight bits: what comes back, what is refused, and what a folder of them holds."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from embryology.errors import EmbryologyError
from embryology.runs.checkpoints import RECORD, WEIGHTS
from embryology.runs.packed import quantised
from embryology.runs.packed import series as packed_series
from embryology.storage.files import read_json, sha256_of_file, write_json
from tests.ask import models

COVERS = (
    "embryology/runs/packed/quantised.py",
    "embryology/runs/packed/roles.py",
    "embryology/runs/packed/series.py",
)


@pytest.fixture(scope="module")
def albert(tmp_path_factory):
    return models.series(tmp_path_factory.mktemp("albert") / "run", "albert", models.unigram_tokenizer())


@pytest.fixture(scope="module")
def electra(tmp_path_factory):
    return models.series(tmp_path_factory.mktemp("electra") / "run", "electra", models.unigram_tokenizer())


def changed(checkpoint, name, change):
    """Rewrite one tensor of a checkpoint, and its recorded hash."""
    file = checkpoint.location / WEIGHTS
    tensors = load_file(file)
    tensors[name] = change(tensors[name])
    save_file(tensors, file, {"format": "pt"})
    record = read_json(checkpoint.location / RECORD)
    write_json(checkpoint.location / RECORD, record | {"sha256": sha256_of_file(file)})


def test_a_weight_is_off_by_half_a_step_of_its_row_at_most(albert):
    packed = packed_series.of_series(albert)
    true = [load_file(checkpoint.location / WEIGHTS) for checkpoint in albert.checkpoints]
    for checkpoint, tensors in zip(albert.checkpoints, true, strict=True):
        weights = packed.weights(checkpoint.step)["words"]
        assert len(weights) > 20
        for name, tensor in weights.items():
            error = np.abs(tensor - tensors[name])
            if tensor.ndim == 2:
                largest = np.max([np.abs(each[name]).max(axis=1) for each in true], axis=0)
                assert (error <= largest[:, None] / 254 * 1.001).all(), name
            else:
                assert (error <= np.abs(tensors[name]) / 2000 + 1e-7).all(), name


def test_all_that_computes_words_is_kept_and_nothing_else(albert):
    packed = packed_series.of_series(albert)
    kept = set(packed.weights(0)["words"])
    left_out = {name for name in load_file(albert.checkpoints[0].location / WEIGHTS) if name not in kept}
    assert all("pooler" in name or "sop_classifier" in name for name in left_out)


def test_neighbours_that_change_little_take_less_than_checkpoints_of_their_own(albert):
    packed = packed_series.of_series(albert)
    whole, *differences = (len(packed.blocks[step]) for step in reversed(packed.steps))
    assert all(each < 0.9 * whole for each in differences)


def test_a_generator_and_its_discriminator_share_what_is_the_same(electra):
    packed = packed_series.of_series(electra)
    assert packed.same == {
        f"words/{part}.weight": f"replaced/{part}.weight" for part in ("word", "position", "segment")
    }
    weights = packed.weights(10)
    np.testing.assert_array_equal(
        weights["words"]["electra.embeddings.word_embeddings.weight"],
        weights["replaced"]["electra.embeddings.word_embeddings.weight"],
    )
    assert weights["words"]["electra.encoder.layer.1.output.dense.weight"].shape == (16, 40)
    assert weights["replaced"]["electra.encoder.layer.1.output.dense.weight"].shape == (24, 40)


def test_thinning_leaves_the_weights_of_the_others_as_they_were(albert):
    packed = packed_series.of_series(albert)
    thinned = packed.thinned(2)
    assert thinned.steps == (0, 200)
    for step in thinned.steps:
        for name, tensor in thinned.weights(step)["words"].items():
            np.testing.assert_array_equal(tensor, packed.weights(step)["words"][name])


def test_a_folder_gives_back_what_was_written(electra, tmp_path):
    packed = packed_series.of_series(electra)
    packed_series.write(packed, tmp_path / "weights")
    again = packed_series.read(tmp_path / "weights")
    assert (again.steps, again.models, again.same, again.made_of) == (
        packed.steps,
        packed.models,
        packed.same,
        packed.made_of,
    )
    for model, tensors in packed.weights(0).items():
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(again.weights(0)[model][name], tensor)


@pytest.mark.parametrize("name", ["packed.json", "scales.bin", "step-00000010.gz"])
def test_a_damaged_folder_is_refused_by_name(albert, tmp_path, name):
    packed_series.write(packed_series.of_series(albert), tmp_path / "weights")
    file = tmp_path / "weights" / name
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(EmbryologyError, match=r"damaged|not valid|cannot be read|no JSON"):
        packed_series.read(tmp_path / "weights").weights(0)
    file.unlink()
    with pytest.raises(EmbryologyError, match=name):
        packed_series.read(tmp_path / "weights")


def test_a_row_of_zeros_stays_zero():
    tensors = {"a": np.zeros((2, 3), np.float32), "b": np.ones(2, np.float32)}
    scale = quantised.scales([tensors])
    packed = quantised.quantise(tensors, scale)
    assert not quantised.dequantise(packed, scale)["a"].any()


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    series = models.series(tmp_path / "run", "albert", models.unigram_tokenizer())
    changed(series.checkpoints[1], "predictions.bias", lambda bias: bias * np.nan)
    series = models.Series(series.name, series.folder, tuple(map(models.again, series.checkpoints)), None)
    with pytest.raises(EmbryologyError, match=r"no numbers, in predictions.bias"):
        packed_series.of_series(series)


def test_weights_that_were_changed_are_refused(tmp_path):
    series = models.series(tmp_path / "run", "albert", models.unigram_tokenizer())
    file = series.checkpoints[1].location / WEIGHTS
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(EmbryologyError, match="changed after it was written"):
        packed_series.of_series(series)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("hidden_act", "relu", "only GELU"),
        ("model_type", "roberta", "kind roberta"),
        ("num_hidden_groups", 2, "several groups"),
        ("position_embedding_type", "relative_key", "relative positions"),
    ],
)
def test_what_would_be_computed_otherwise_is_refused(tmp_path, key, value, reason):
    series = models.series(tmp_path / "run", "albert", models.unigram_tokenizer())
    for checkpoint in series.checkpoints:
        config = checkpoint.location / "config.json"
        config.write_text(json.dumps(read_json(config) | {key: value}))
    with pytest.raises(EmbryologyError, match=reason):
        packed_series.of_series(series)
