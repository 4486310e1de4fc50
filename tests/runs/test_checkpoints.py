"""A checkpoint's record holds the hashes of what was written, and each model is held against its own."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from embryology.errors import EmbryologyError
from embryology.runs import checkpoints
from embryology.runs.checkpoints import GENERATOR, RECORD, Checkpoint, of_folder, of_run, weight_files_in
from embryology.runs.steps import Record
from embryology.storage.files import read_json, sha256_of_file


@dataclass
class Saved:
    """What saves bytes under a name."""

    content: bytes
    name: str = "model.safetensors"

    def save_pretrained(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True, parents=True)
        (folder / self.name).write_bytes(self.content)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def flipped(content):
    return bytes([*content[:-1], content[-1] ^ 1])


@pytest.fixture
def electra(tmp_path):
    """The checkpoint of a discriminator and its generator at step 20."""
    models = {"model": Saved(b"discriminator"), GENERATOR: Saved(b"generator")}
    record = {"step": 20, "tokens": 4000, "held_out": {"held_out_masked_loss": 6.5}}
    checkpoints.write(tmp_path / "step-00000020", models, Saved(b"pieces", "tokenizer.json"), record)
    return of_run(tmp_path / "step-00000020")


def test_a_record_has_the_hash_of_each_model_and_what_it_was_given(electra):
    assert read_json(electra.location / RECORD) == {
        "step": 20,
        "tokens": 4000,
        "held_out": {"held_out_masked_loss": 6.5},
        "sha256": sha256(b"discriminator"),
        "generator_sha256": sha256(b"generator"),
    }
    for place in (electra.location, electra.location / GENERATOR):
        assert (place / "tokenizer.json").read_bytes() == b"pieces"


def test_a_generator_is_a_checkpoint_of_its_own(electra):
    generator = electra.generator
    assert (electra.step, electra.tokens, electra.sha256) == (20, 4000, sha256(b"discriminator"))
    assert (generator.step, generator.tokens, generator.sha256) == (20, 4000, sha256(b"generator"))
    assert (generator.location / "model.safetensors").read_bytes() == b"generator"
    assert generator.generator is None


@pytest.mark.parametrize("which", [".", GENERATOR])
def test_each_is_held_against_its_own_hash(electra, which):
    changed, sound = (electra, electra.generator) if which == "." else (electra.generator, electra)
    weights = electra.location / which / "model.safetensors"
    weights.write_bytes(flipped(weights.read_bytes()))
    sound.verify()
    with pytest.raises(EmbryologyError, match=r"was changed after it was written \(its sha256 is not the one in"):
        changed.verify()
    assert changed.sha256 != sha256_of_file(weights)  # what was recorded counts, not what is there now


def test_what_others_saved_counts_what_its_name_says(tmp_path):
    for name, expected in (
        ("chck_10M", (10_000_000, None, "words")),
        ("step7-tokens2B", (7, 2 * 10**9, "step")),
    ):
        Saved(name.encode()).save_pretrained(tmp_path / name)
        checkpoint = of_folder(tmp_path / name, Record())
        assert (checkpoint.step, checkpoint.tokens, checkpoint.unit) == expected
        assert (checkpoint.sha256, checkpoint.recorded, checkpoint.generator) == (sha256(name.encode()), None, None)


def test_a_checkpoint_without_a_record_is_read_once(tmp_path):
    Saved(b"a").save_pretrained(tmp_path)
    checkpoint = Checkpoint(1, None, tmp_path)
    assert checkpoint.sha256 == sha256(b"a")
    (tmp_path / "model.safetensors").write_bytes(b"b")
    assert checkpoint.sha256 == sha256(b"a")


INDEX = json.dumps({"weight_map": {"a": "x-2.safetensors", "b": "x-1.safetensors", "c": "x-2.safetensors"}})


@pytest.mark.parametrize(
    ("there", "weights"),
    [
        ({"model.safetensors"}, ["model.safetensors"]),
        ({"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"}, ["model.safetensors"]),
        ({"model.safetensors.index.json", "pytorch_model.bin"}, ["x-1.safetensors", "x-2.safetensors"]),
        ({"pytorch_model.bin", "tf_model.h5"}, ["pytorch_model.bin"]),
        ({"config.json", "tf_model.h5", "pytorch_model.bin.index.json", "model.bin"}, []),
    ],
)
def test_weights_are_taken_as_transformers_takes_them(there, weights, tmp_path):
    for name in there:
        (tmp_path / name).write_text(INDEX if "index" in name else name)
    assert weight_files_in(tmp_path) == weights


def test_shards_are_hashed_together_and_each_counts(tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text(INDEX)
    shards = [tmp_path / "x-1.safetensors", tmp_path / "x-2.safetensors"]
    for shard in shards:
        shard.write_bytes(shard.name.encode())
    before = Checkpoint(1, None, tmp_path)
    before.verify()
    hashes = {before.sha256}
    for shard in shards:
        content = shard.read_bytes()
        shard.write_bytes(flipped(content))
        hashes.add(Checkpoint(1, None, tmp_path).sha256)
        with pytest.raises(EmbryologyError, match="was changed after it was written"):
            before.verify()
        shard.write_bytes(content)
    assert len(hashes) == 3
    shards[0].unlink()
    with pytest.raises(EmbryologyError, match=r"x-1\.safetensors is missing; the checkpoint is damaged"):
        Checkpoint(1, None, tmp_path).verify()
    for index in ("{", "[]", '{"weight_map": 3}', "{}"):
        (tmp_path / "model.safetensors.index.json").write_text(index)
        with pytest.raises(EmbryologyError, match=r"index\.json is damaged"):
            Checkpoint(1, None, tmp_path).verify()
