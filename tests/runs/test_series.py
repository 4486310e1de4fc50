import shutil
from dataclasses import replace

import pytest
from transformers import AlbertConfig, AlbertForMaskedLM

from embryology.errors import EmbryologyError
from embryology.runs.series import Series, seed_pairs, thinned
from embryology.storage.files import read_json, read_yaml, sha256_of_file, write_json, write_yaml
from tests.synthetic import make_run

COVERS = ("embryology/runs/checkpoints.py",)


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
    first, second, third = Series.open(str(saved)).checkpoints
    assert first.sha256 == sha256_of_file(first.location / "model.safetensors")
    weights = first.location / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(EmbryologyError, match="was changed after it was written"):
        first.verify()
    for checkpoint in (second, third):
        (checkpoint.location / "model.safetensors").unlink()
        with pytest.raises(EmbryologyError, match=r"has no model\.safetensors"):
            checkpoint.verify()


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
    with pytest.raises(EmbryologyError, match="best does not say its step"):
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


def test_what_was_not_trained_here_has_no_manifest_and_no_losses(saved):
    series = Series.open(saved)
    assert (series.manifest, series.losses, series.seed, series.recipe) == (None, None, None, None)
    assert not series.is_frozen


def test_a_run_is_opened_with_its_manifest_and_losses(tmp_path):
    series = make_run(tmp_path / "run", steps=(0, 20), sentences=5, seed=3)
    assert series.manifest.outcome.checkpoints == [0, 20]
    assert series.seed == 3
    assert [checkpoint.tokens for checkpoint in series.checkpoints] == [0, 40960]
    assert series.losses["step"].max() == 20


def test_a_manifest_of_another_form_is_refused_in_one_line(tmp_path):
    series = make_run(tmp_path / "run", steps=(0, 20), sentences=5)
    recorded = read_yaml(series.folder.manifest)
    recorded["outcome"]["model"]["width"] = recorded["outcome"]["model"].pop("hidden_size")
    write_yaml(series.folder.manifest, recorded)
    with pytest.raises(EmbryologyError, match=r"run\.yaml is damaged, or of another version of this project") as error:
        Series.open(series.folder.root)
    assert "\n" not in str(error.value)


def test_series_of_one_name_are_told_apart_and_each_is_opened_once(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "a"))
    for folder in ("a/tiny", "b/tiny", "a/c/tiny", "b/other"):
        make_run(tmp_path / folder, steps=(0, 20), sentences=5)
    paths = [str(tmp_path / folder) for folder in ("b/tiny", "b/other", "a/tiny", "a/c/tiny")]
    opened = Series.open_all(["tiny", *paths])
    assert [series.name for series in opened] == ["a/tiny", "b/tiny", "other", "c/tiny"]
    assert [series.name for series in Series.open_all(["tiny", paths[1]])] == ["tiny", "other"]
    # A single name is a place too, and not one place a letter.
    assert [series.name for series in Series.open_all("tiny", paths[1])] == ["tiny", "other"]


def test_runs_of_one_recipe_are_paired_in_the_order_given(tmp_path):
    def made(name, seed, steps=(0, 20)):
        return make_run(tmp_path / name, steps=steps, sentences=5, seed=seed)

    one, longer, other, third, again = (
        made("one", 0), made("longer", 0, (0, 20, 40)), made("other", 1), made("third", 2), made("again", 0)
    )  # fmt: skip
    foreign = replace(one, manifest=None)
    assert seed_pairs([one, longer, other]) == [(one, other)]
    assert seed_pairs([other, longer, third, one]) == [(other, third), (other, one), (third, one)]
    assert seed_pairs([one, again, foreign]) == []


def test_thinned_checkpoints_have_the_first_and_the_last():
    assert thinned([0, 1, 2, 3, 4, 5], 2) == [0, 2, 4, 5]
    assert thinned([0, 1, 2, 3, 4], 2) == [0, 2, 4]
    assert thinned([7], 3) == [7]
