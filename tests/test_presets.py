"""What a preset says, what it leaves to defaults, and what names an outcome."""

import itertools

import pytest
import yaml

from embryology import presets
from embryology.errors import EmbryologyError

COVERS = (
    "embryology/errors.py",
    "embryology/presets/sections.py",
    "embryology/presets/files.py",
)


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_that_comes_with_the_package_is_valid(name):
    preset = presets.load(name)
    assert preset.name == name
    assert presets.validated(preset.model_dump(), "mine.yaml") == preset


def test_tiny_saves_densely_at_the_start():
    grid = presets.load("tiny").outcome.checkpoints
    assert len(grid) >= 20
    gaps = [later - earlier for earlier, later in itertools.pairwise(grid)]
    assert sum(step <= grid[-1] / 10 for step in grid) >= 6
    assert gaps == sorted(gaps)


def test_a_preset_may_say_only_what_differs_from_another(tmp_path):
    base, tiny = tmp_path / "base.yaml", presets.load("tiny")
    base.write_text("extends: tiny\nname: other\noutcome: {model: {hidden_size: 128}, checkpoints: [0, 3600]}\n")
    end = tmp_path / "end.yaml"
    end.write_text("extends: base.yaml\noutcome: {steps: 40, checkpoints: [0, 40]}\nprobes: {edges: null}\n")
    loaded = presets.load(str(end))
    assert (loaded.name, loaded.outcome.steps, loaded.outcome.checkpoints) == ("end", 40, [0, 40])
    model = tiny.outcome.model.model_copy(update={"hidden_size": 128})
    assert loaded.outcome.model == model
    outcome = tiny.outcome.model_copy(update={"model": model, "steps": 40, "checkpoints": [0, 40]})
    assert loaded.outcome == outcome
    assert loaded.probes == {name: settings for name, settings in tiny.probes.items() if name != "edges"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: mine.yaml", r"mine\.yaml: extends leads back to .*mine\.yaml, so that neither says all"),
        ("extends: other.yaml", r"other\.yaml: extends leads back to .*mine\.yaml"),
        ("extends: [tiny]", "extends names one preset, by its name"),
        ("extends: tinny", "there is no preset 'tinny'; choose one of"),
        ("extends: tiny\noutcome: {stepps: 3}", r"mine\.yaml: outcome\.stepps: there is no such key"),
    ],
)
def test_a_preset_that_extends_none_is_refused(tmp_path, text, message):
    (tmp_path / "other.yaml").write_text("extends: mine.yaml")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(EmbryologyError, match=message) as caught:
        presets.load(str(tmp_path / "mine.yaml"))
    assert "\n" not in str(caught.value)


def changed(tmp_path, change):
    values = yaml.safe_load((presets.resources.files("embryology") / "presets" / "smoke.yaml").read_text())
    change(values)
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    return str(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["outcome"]["model"].update(hiden_size=3), r"outcome\.model\.hiden_size: there is no such key"),
        (lambda v: v["outcome"].pop("steps"), r"outcome\.steps: it is missing"),
        (lambda v: v["outcome"].update(steps=49), "checkpoints must rise from 0 to steps"),
        (lambda v: v["outcome"].update(steps=51), "checkpoints must rise from 0 to steps"),
        (lambda v: v["outcome"].update(checkpoints=[5, 50]), "checkpoints must rise from 0 to steps"),
        (lambda v: v["outcome"].update(checkpoints=[0, 20, 10, 50]), "checkpoints must rise from 0 to steps"),
        (lambda v: v["outcome"]["objective"].update(mlm_probability=1.5), r"mlm_probability: .*less than 1"),
        (lambda v: v["outcome"]["model"].update(num_attention_heads=5), "not a multiple of num_attention_heads"),
        (lambda v: v["speed"].update(precision="float8"), r"speed\.precision"),
        (lambda v: v["probes"]["tokens"].update(sentenses=3), r"probe tokens\.sentenses: there is no such key"),
        (lambda v: v["probes"]["finetune"].update(epochs=0), r"probe finetune\.epochs: input should be greater than 0"),
        (lambda v: v["probes"].update(tokns={}), "there is no probe 'tokns'; choose one of"),
    ],
)
def test_a_wrong_key_or_value_is_named_in_one_line(tmp_path, change, message):
    with pytest.raises(EmbryologyError, match=message) as caught:
        presets.load(changed(tmp_path, change))
    assert "\n" not in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(EmbryologyError, match=r"no preset 'tyni'; choose one of .*tiny"):
        presets.load("tyni")


def test_a_preset_may_have_a_name_of_its_own(tmp_path):
    assert presets.load(changed(tmp_path, lambda v: None)).name == "mine"
    assert presets.load(changed(tmp_path, lambda v: v.update(name="ours"))).name == "ours"


# Steps, sequences a step, pieces a sequence; peak rate, warm-up; dropout; how much is masked, and how.
PAPERS = {
    # Lan et al. 2020, sections 3.1, 4.1 and A.4.
    "albert-base": ((125_000, 4096, 512), (1.76e-3, 3125), 0.0, (0.15, 3, True, 0.8, 0.1)),
    # Devlin et al. 2019, appendices A.1 and A.2.
    "bert-base": ((1_000_000, 256, 128), (1e-4, 10_000), 0.1, (0.15, 1, False, 0.8, 0.1)),
    # Clark et al. 2020, table 6.
    "electra-base": ((766_000, 256, 512), (2e-4, 10_000), 0.1, (0.15, 1, False, 0.85, 0.0)),
}
BASE = {"num_hidden_layers": 12, "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}


@pytest.mark.parametrize("name", PAPERS)
def test_base_models_have_the_recipes_of_their_papers(name):
    outcome = presets.load(name).outcome
    sizes, (rate, warmup), dropout, masks = PAPERS[name]
    assert (outcome.steps, outcome.batch_size, outcome.sequence_length) == sizes
    optimizer, objective, model = outcome.optimizer, outcome.objective, outcome.model
    assert (optimizer.learning_rate, optimizer.warmup_steps) == (rate, warmup)
    assert (optimizer.weight_decay, optimizer.betas, optimizer.epsilon) == (0.01, (0.9, 0.999), 1e-6)
    assert optimizer.max_grad_norm == 1
    assert model.model_dump().items() >= BASE.items()
    assert (model.dropout, model.initializer_range, outcome.tokenizer.vocab_size) == (dropout, 0.02, 30_000)
    shares = (objective.mlm_probability, objective.max_ngram, objective.whole_word_mask)
    assert (*shares, objective.mask_replace_prob, objective.random_replace_prob) == masks


def test_what_the_base_models_do_not_share():
    albert, bert, electra = (presets.load(name).outcome for name in PAPERS)
    assert [outcome.model.family for outcome in (albert, bert, electra)] == ["albert", "bert", "electra"]
    assert [outcome.model.embedding_size for outcome in (albert, bert, electra)] == [128, 768, 768]
    assert [outcome.optimizer.name for outcome in (albert, bert, electra)] == ["lamb", "adamw", "adamw"]
    assert [outcome.objective.pair for outcome in (albert, bert, electra)] == ["sop", "nsp", "none"]
    assert [outcome.objective.pair_weight for outcome in (albert, bert, electra)] == [1, 1, 0]
    assert (electra.objective.rtd_weight, electra.model.generator_size) == (50, pytest.approx(1 / 3, abs=1e-4))
    assert [(stage.first, stage.after, stage.batch_size, stage.sequence_length) for stage in bert.course] == [
        (0, 900_000, 256, 128),
        (900_000, 1_000_000, 256, 512),
    ]


def test_a_preset_that_leaves_nothing_out_keeps_the_name_of_its_outcome(tmp_path):
    known = "f26a1b6e9d66e0ac039ff90400d66d9ffe297d0ff7d61bf73e74695dd05b633d"  # without such a key
    assert presets.load("tiny").outcome_sha256 == known
    smoke = presets.load("smoke").outcome_sha256
    hashes = {
        names: presets.load(
            changed(tmp_path, lambda v, names=names: v["outcome"]["corpus"].update(leave_out=list(names)))
        ).outcome_sha256
        for names in ((), ("ewt",), ("ewt", "gum"))
    }
    assert hashes[()] == smoke
    assert len(set(hashes.values())) == 3


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("tiny", {"mask_replace_prob": 0.85, "random_replace_prob": 0.5}, "together more than 1"),
        ("tiny", {"pair_weight": 0}, "pair sop has a pair_weight above 0"),
        ("tiny", {"pair": "none"}, "pair none has a pair_weight of 0"),
        ("tiny", {"rtd_weight": 50}, "rtd_weight is of electra alone"),
        ("tiny-electra", {"pair": "sop", "pair_weight": 1}, "an electra is trained with pair: none"),
        ("tiny-electra", {"rtd_weight": 0}, "an rtd_weight above 0"),
    ],
)
def test_objectives_that_cannot_mean_what_they_say_are_refused(preset, changes, message):
    values = presets.load(preset).model_dump(mode="json")
    values["outcome"]["objective"] |= changes
    with pytest.raises(EmbryologyError, match=message):
        presets.validated(values, "mine.yaml")
