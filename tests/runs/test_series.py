"""Which checkpoints a series has, in which order, and which runs are seeds of one recipe."""

import shutil
from dataclasses import replace

import pytest
import torch
from transformers import AlbertConfig, AlbertForMaskedLM

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.runs.manifest import Manifest
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series, seed_pairs, thinned
from embryology.storage.files import read_json, read_yaml, sha256_of_file, write_json, write_yaml
from tests.synthetic import write_manifest

SHAPE = {
    "vocab_size": 50, "embedding_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
    "intermediate_size": 8,
}  # fmt: skip
OUTCOME = presets.load("smoke").outcome


def of(name="run", version=1, preset="smoke", probes=None, **outcome):
    """A run with no checkpoints, in memory; ``outcome`` changes that of ``smoke``."""
    values = OUTCOME.model_dump(mode="json") | outcome
    manifest = Manifest(
        preset=preset, outcome=values, outcome_sha256="0", version=version, probes=probes or {}, sessions=()
    )
    return Series(name, RunFolder(None), (), manifest)


@pytest.fixture
def saved(tmp_path):
    """A folder of save_pretrained folders, as another project may have left it."""
    config = AlbertConfig(**SHAPE)
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


def test_what_a_record_leaves_out_is_none_of_the_series(saved):
    (saved / "series.yaml").write_text("leave_out: ['*-5?', other]")
    assert [checkpoint.step for checkpoint in Series.open(saved).checkpoints] == [0, 1000]
    (saved / "series.yaml").write_text("leave_out: ['*']")
    with pytest.raises(EmbryologyError, match="holds no checkpoints"):
        Series.open(saved)


def test_weights_in_shards_or_pickled_make_a_series_too(tmp_path):
    model = AlbertForMaskedLM(AlbertConfig(**SHAPE))
    model.save_pretrained(tmp_path / "checkpoint-1", max_shard_size="5KB")
    model.save_pretrained(tmp_path / "checkpoint-2")
    (tmp_path / "checkpoint-2" / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "checkpoint-2" / "pytorch_model.bin")
    (tmp_path / "checkpoint-3").mkdir()
    (tmp_path / "checkpoint-3" / "tf_model.h5").touch()
    assert not (tmp_path / "checkpoint-1" / "model.safetensors").exists()
    assert [checkpoint.step for checkpoint in Series.open(tmp_path).checkpoints] == [1, 2]


def test_equal_weights_are_refused_where_they_are_known_to_be_equal(saved):
    series = Series.open(saved)
    series.refuse_repeated(series.checkpoints)
    shutil.copyfile(saved / "checkpoint-0" / "model.safetensors", saved / "checkpoint-50" / "model.safetensors")
    series = Series.open(saved)
    series.refuse_repeated(series.checkpoints[1:])  # others' are not read for this
    said = r"the same weights more than once.*checkpoint-0 and .*checkpoint-50; say `leave_out: \[checkpoint-0, …\]` in"
    with pytest.raises(EmbryologyError, match=said):
        series.refuse_repeated(series.checkpoints)
    recorded = tuple(replace(each, recorded=each.sha256) for each in series.checkpoints)
    with pytest.raises(EmbryologyError, match=said):
        replace(series, checkpoints=recorded).refuse_repeated(recorded[-1:])


def test_phases_are_not_joined_by_their_numbers(saved):
    (saved / "checkpoint-50").rename(saved / "decay50")
    with pytest.raises(EmbryologyError, match=r"several phases of training \(decay\).*`phases: \{decay: …\}`"):
        Series.open(saved)
    (saved / "series.yaml").write_text("phases: {decay: 1000}")
    assert [checkpoint.step for checkpoint in Series.open(saved).checkpoints] == [0, 1000, 1050]


def test_a_tokenizer_from_elsewhere_lies_beside_the_checkpoints(saved, tmp_path):
    words = tmp_path / "words"
    words.mkdir()
    (words / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na")
    (words / "other.txt").write_text("b")
    with pytest.raises(EmbryologyError, match="words has no tokenizer that transformers can load"):
        Series.open(saved, tokenizer=str(words))
    assert not (saved / "tokenizer").exists()
    (words / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(EmbryologyError, match=r"there is no tokenizer at .*theirs; it would have one of"):
        Series.open(saved, tokenizer=str(saved))
    assert not (saved / "series.yaml").exists()
    series = Series.open(saved, tokenizer=str(words))
    assert sorted(path.name for path in series.folder.tokenizer.iterdir()) == ["config.json", "vocab.txt"]
    shutil.rmtree(words)
    assert Series.open(saved, tokenizer=str(words)) == Series.open(saved)  # it was copied
    with pytest.raises(EmbryologyError, match=r"has the tokenizer .* already"):
        Series.open(saved, tokenizer=str(tmp_path))
    (saved / "series.yaml").unlink()
    with pytest.raises(EmbryologyError, match=r"has a tokenizer of its own, in .*tokenizer; leave --tokenizer out"):
        Series.open(saved, tokenizer=str(words))


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


def test_a_run_is_opened_with_its_manifest_and_losses(run):
    write_manifest(run.folder, run.manifest.outcome.model_copy(update={"seed": 3}))
    series = Series.open(run.folder.root)
    assert series.manifest.outcome.checkpoints == [checkpoint.step for checkpoint in series.checkpoints]
    assert series.seed == 3
    assert [checkpoint.tokens for checkpoint in series.checkpoints[:2]] == [0, 40960]
    assert series.losses["step"].max() == 2000


def test_a_manifest_of_another_form_is_refused_in_one_line(run):
    recorded = read_yaml(run.folder.manifest)
    recorded["outcome"]["model"]["width"] = recorded["outcome"]["model"].pop("hidden_size")
    write_yaml(run.folder.manifest, recorded)
    with pytest.raises(EmbryologyError, match=r"run\.yaml is damaged, or of another version of this project") as error:
        Series.open(run.folder.root)
    assert "\n" not in str(error.value)


def test_series_of_one_name_are_told_apart_and_each_is_opened_once(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "a"))
    for folder in ("a/tiny", "b/tiny", "a/c/tiny", "b/other"):
        record = {"step": 0, "tokens": 0, "sha256": "0" * 64}
        write_json(tmp_path / folder / "checkpoints" / "step-00000000" / "checkpoint.json", record)
    paths = [str(tmp_path / folder) for folder in ("b/tiny", "b/other", "a/tiny", "a/c/tiny")]
    opened = Series.open_all(["tiny", *paths])
    assert [series.name for series in opened] == ["a/tiny", "b/tiny", "other", "c/tiny"]
    assert [series.name for series in Series.open_all(["tiny", paths[1]])] == ["tiny", "other"]
    # A single name is a place too, and not one place a letter.
    assert [series.name for series in Series.open_all("tiny", paths[1])] == ["tiny", "other"]


def test_runs_of_one_recipe_are_paired_in_the_order_given():
    one, other, third = (of(name, seed=seed) for seed, name in enumerate(("one", "other", "third")))
    longer, again = of("longer", steps=99, checkpoints=[0, 99]), of("again")
    foreign = Series("foreign", RunFolder(None), (), None)
    assert seed_pairs([one, longer, other]) == [(one, other)]
    assert seed_pairs([other, longer, third, one]) == [(other, third), (other, one), (third, one)]
    assert seed_pairs([one, again, foreign, foreign]) == []


CHANGES = {
    "corpus": {"source": "text", "path": "other.txt"},
    "tokenizer": {"vocab_size": 1001},
    "model": OUTCOME.model.model_dump() | {"num_hidden_layers": 3},
    "objective": OUTCOME.objective.model_dump() | {"pair_weight": 0.2},
    "optimizer": OUTCOME.optimizer.model_dump() | {"warmup_steps": 6},
    "steps": {"steps": 60, "checkpoints": [0, 60]},
    "batch_size": 17,
    "sequence_length": 65,
    "phases": [{"steps": 10}, {"steps": 40, "sequence_length": 128, "batch_size": 8}],
    "held_out_sequences": 65,
    "checkpoints": [0, 50],
    "evaluate_every": 25,
    "replaced": {3: 4},
    "grown_from": {"run": "other-seed{seed}", "step": 20},
    "order": {"by": "length"},
}


def test_a_recipe_is_all_that_the_weights_depend_on_but_the_seed():
    assert {*CHANGES, "seed"} == set(type(OUTCOME).model_fields)
    changes = [value if name == "steps" else {name: value} for name, value in CHANGES.items()]
    recipes = [of().recipe, of(version=2).recipe, *(of(**change).recipe for change in changes)]
    assert len(set(recipes)) == len(recipes)
    assert {of("other").recipe, of(seed=7).recipe, of(preset="other").recipe, of(probes={"edges": {}}).recipe} == {
        of().recipe
    }


def test_thinned_checkpoints_have_the_first_and_the_last():
    assert thinned([0, 1, 2, 3, 4, 5], 2) == [0, 2, 4, 5]
    assert thinned([0, 1, 2, 3, 4], 2) == [0, 2, 4]
    assert thinned([7], 3) == [7]
