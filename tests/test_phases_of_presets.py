"""Phases of a preset: what is refused, and what keeps its name."""

import pytest

from embryology import presets
from embryology.errors import EmbryologyError
from tests.test_presets import changed

LONG = {"from_step": 40, "batch_size": 8, "sequence_length": 96}
CONSTANT, DECAY = {"steps": 40, "rate": "constant"}, {"steps": 10, "rate": "decay"}


def in_phases(*phases):
    return lambda v: v["outcome"].update(phases=list(phases))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["outcome"].update(long=LONG | {"from_step": 50}), r"outcome\.phases\.1\.steps: .*greater than 0"),
        (lambda v: v["outcome"].update(long={"sequence_length": 96}), r"outcome\.phases\.0\.steps: .*greater than 0"),
        (lambda v: v["outcome"].update(long=LONG | {"words": 5}), r"outcome\.phases\.1\.words: there is no such key"),
        (in_phases(CONSTANT, DECAY | {"lenght": 5}), r"outcome\.phases\.1\.lenght: there is no such key"),
        (in_phases(CONSTANT, {"rate": "decay"}), r"outcome\.phases\.1\.steps: it is missing"),
        (in_phases(CONSTANT, DECAY | {"steps": 0}), r"outcome\.phases\.1\.steps: .*greater than 0"),
        (in_phases(CONSTANT, DECAY | {"steps": 9}), "phases have 49 steps together, and the run has 50"),
        (in_phases(CONSTANT, {"steps": 10}), "each phase has a rate of its own, constant or decay, or none has"),
        (in_phases(CONSTANT, DECAY | {"rate": "cosine"}), r"outcome\.phases\.1\.rate: .*'constant' or 'decay'"),
        (
            in_phases(CONSTANT, DECAY | {"objective": {"mlm_probability": 0.2, "max_ngram": 1, "pair_weight": 0}}),
            r"outcome\.phases\.1\.objective: .*pair sop has a pair_weight of 0|pair sop has a pair_weight above 0",
        ),
        (
            in_phases({"steps": 50, "learning_rate": 0.1}),
            "phase 1 has a learning_rate or warmup_steps, which are of a rate",
        ),
        (in_phases({"steps": 40}, {"steps": 10, "warmup_steps": 2}), "phase 2 has a learning_rate or warmup_steps"),
        (in_phases(CONSTANT | {"warmup_steps": 3}, DECAY), "phase 1 has the optimizer's warmup_steps"),
        (
            in_phases(CONSTANT | {"steps": 4}, DECAY | {"steps": 46}),
            "phase 1 has 4 steps, and its warm-up of 5 does not end",
        ),
        (in_phases(CONSTANT, DECAY | {"warmup_steps": 11}), "phase 2 has 10 steps, and its warm-up of 11 does not end"),
        (lambda v: v["speed"].update(keep_states=[20, 21, 22]), r"speed\.keep_states \[21, 22\] are no checkpoints"),
        (
            lambda v: v.update(starts_from={"run": "one", "step": 50}),
            r"starts_from\.step 50 is no checkpoint before the",
        ),
        (
            lambda v: v.update(starts_from={"run": "one", "step": 11}),
            r"starts_from\.step 11 is no checkpoint before the",
        ),
        (lambda v: v.update(starts_from={"run": "one", "step": 0}), r"starts_from\.step: .*greater than 0"),
        (lambda v: v.update(starts_from={"run": "one"}), r"starts_from\.step: it is missing"),
    ],
)
def test_phases_that_cannot_be_are_refused_in_one_line(tmp_path, change, message):
    with pytest.raises(EmbryologyError, match=message) as caught:
        presets.load(changed(tmp_path, change))
    assert "\n" not in str(caught.value)


NAMES = {
    "albert-base": "a917c602105dc18e4aa5ed8ea80962600e9c4517022c3545d568006b58b92c11",
    "baby": "0d9ef9c95be2bb12f5c2049b3f99337514c91555f971d37f90c479f895119ff7",
    "electra-base": "fa711f180535a1c2e6b1f1c90428b07d9731caffd3c9182875928bd5a4c97f7c",
    "small": "2c8f7e573ed4d717136df89582ae1ea9d9c12486109edc0b4d717cbf4111fd56",
    "smoke": "ba40881881942d8743fdc67c695423014eaf183d7d6c3c7ab096415f66adff5d",
    "tiny": "f26a1b6e9d66e0ac039ff90400d66d9ffe297d0ff7d61bf73e74695dd05b633d",
    "tiny-bert": "4e80c0eee89bae760b3243ddf5dec0001fa02f417e43e855bf91be5e2d12a9e5",
    "tiny-electra": "d795ed9dac9e46d51e335367906aaff70b3b580e818197f6fc8461e12368e1c3",
}
"""As they were before there were phases."""


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_without_phases_keeps_the_name_of_its_outcome(name):
    assert presets.load(name).outcome_sha256 == NAMES[name]


def test_longer_sequences_from_a_step_on_are_two_phases(tmp_path):
    phases = [{"steps": 40}, {"steps": 10, "batch_size": 8, "sequence_length": 96}]
    two = presets.load(changed(tmp_path, in_phases(*phases)))
    assert presets.load(changed(tmp_path, lambda v: v["outcome"].update(long=LONG))) == two
    assert presets.load(changed(tmp_path, lambda v: v["outcome"].update(long=None))).outcome.phases == ()
    assert two.outcome_sha256 != presets.load("smoke").outcome_sha256
