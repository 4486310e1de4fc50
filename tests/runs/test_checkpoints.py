import shutil

import pytest
from transformers import AlbertConfig, AlbertForMaskedLM

from embryology.errors import EmbryologyError
from embryology.runs.checkpoints import Series
from embryology.storage.files import read_json, write_json


@pytest.fixture
def saved(tmp_path):
    """A folder of save_pretrained folders, as another project may have left it."""
    config = AlbertConfig(
        vocab_size=50, embedding_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    root = tmp_path / "theirs"
    for step in (1000, 0, 50):
        AlbertForMaskedLM(config).save_pretrained(root / f"checkpoint-{step}")
    (root / "logs").mkdir()
    return root


def test_any_folder_of_checkpoints_is_a_series(saved):
    series = Series.open(str(saved))
    assert series.name == "theirs"
    assert [checkpoint.step for checkpoint in series.checkpoints] == [0, 50, 1000]
    assert all(checkpoint.tokens is None for checkpoint in series.checkpoints)
    for checkpoint in series.checkpoints:
        checkpoint.verify()


def test_steps_are_chosen_by_name(saved):
    series = Series.open(str(saved))
    assert series.select("all") == series.checkpoints
    assert series.select("last") == series.checkpoints[-1:]
    assert [checkpoint.step for checkpoint in series.select("1000, 0")] == [0, 1000]
    for steps in ("7", "0,x", "", "-1"):
        with pytest.raises(EmbryologyError, match=r"theirs has no checkpoint at step .*; it has 0, 50, 1000"):
            series.select(steps)


def test_changed_or_missing_weights_are_refused(saved):
    first, second, _ = Series.open(str(saved)).checkpoints
    weights = first.location / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(EmbryologyError, match="was changed after it was written"):
        first.verify()
    (second.location / "model.safetensors").unlink()
    with pytest.raises(EmbryologyError, match=r"has no model\.safetensors"):
        second.verify()


def test_what_is_no_series_is_named(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path))
    with pytest.raises(EmbryologyError, match=r"there is no run at .*nowhere"):
        Series.open("nowhere")
    with pytest.raises(EmbryologyError, match="holds no checkpoints"):
        Series.open(saved / "logs")
    shutil.copytree(saved / "checkpoint-50", saved / "again-50")
    with pytest.raises(EmbryologyError, match="are both step 50"):
        Series.open("theirs")
    shutil.rmtree(saved / "again-50")
    (saved / "checkpoint-50").rename(saved / "best")
    with pytest.raises(EmbryologyError, match="best does not end in a step"):
        Series.open("theirs")


def test_a_damaged_manifest_is_named(tmp_path):
    folder = tmp_path / "run" / "checkpoints" / "step-00000001"
    folder.mkdir(parents=True)
    with pytest.raises(EmbryologyError, match=r"checkpoint\.json is missing"):
        Series.open(tmp_path / "run")
    write_json(folder / "checkpoint.json", {"step": 1})
    with pytest.raises(EmbryologyError, match=r"checkpoint\.json lacks 'tokens'"):
        Series.open(tmp_path / "run")
    assert read_json(folder / "checkpoint.json") == {"step": 1}
