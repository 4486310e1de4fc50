import itertools

import pytest
import yaml

from embryology import presets
from embryology.errors import EmbryologyError

COVERS = ("embryology/errors.py",)


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_that_comes_with_the_package_is_valid(name):
    preset = presets.load(name)
    assert preset.name == name
    assert preset.outcome.checkpoints[-1] == preset.outcome.steps


def test_tiny_saves_densely_at_the_start():
    grid = presets.load("tiny").outcome.checkpoints
    assert len(grid) >= 20
    gaps = [later - earlier for earlier, later in itertools.pairwise(grid)]
    assert sum(step <= grid[-1] / 10 for step in grid) >= 6
    assert gaps == sorted(gaps)


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


def test_speed_is_no_part_of_the_outcome_but_the_seed_is(tmp_path):
    smoke = presets.load("smoke")
    faster = presets.load(changed(tmp_path, lambda v: v["speed"].update(threads=7)))
    assert faster.outcome_sha256 == smoke.outcome_sha256
    assert smoke.with_seed(1).outcome_sha256 != smoke.outcome_sha256


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
