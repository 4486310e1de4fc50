"""What a study's file may say, and the line that one gets for what it may not."""

import re

import pytest
import yaml

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.study import description


def load(folder, **values):
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(values))
    return description.load(file)


def test_runs_are_presets_by_overrides_by_seeds_each_with_what_was_overridden(tmp_path):
    faster = {"outcome.optimizer.learning_rate": 0.01, "probes.tokens.sentences": 7}
    described = load(
        tmp_path, presets=["smoke", "tiny"], seeds=[3, 5], overrides={"as-is": {}, "faster": faster}, name="mine"
    )
    assert described.study.name == "mine"
    assert [member.name for member in described.members] == [
        f"{preset}-{label}-seed{seed}"
        for preset in ("smoke", "tiny")
        for label in ("as-is", "faster")
        for seed in (3, 5)
    ]
    by_name = {member.name: member.preset for member in described.members}
    plain, fast = by_name["smoke-as-is-seed5"], by_name["smoke-faster-seed5"]
    assert (plain.outcome.seed, fast.outcome.seed) == (5, 5)
    assert plain.outcome_sha256 == presets.load("smoke").with_seed(5).outcome_sha256
    assert (plain.outcome.optimizer.learning_rate, fast.outcome.optimizer.learning_rate) == (0.002, 0.01)
    assert fast.outcome.optimizer.warmup_steps == plain.outcome.optimizer.warmup_steps
    assert (plain.probes["tokens"]["sentences"], fast.probes["tokens"]["sentences"]) == (40, 7)
    assert by_name["tiny-faster-seed3"].outcome.optimizer.learning_rate == 0.01
    assert by_name["tiny-as-is-seed3"].outcome.steps == 3600


def test_without_overrides_a_run_is_called_as_pretrain_calls_it_and_is_the_same(tmp_path):
    (member,) = load(tmp_path, presets=["smoke"], seeds=[1]).members
    assert member.name == "smoke-seed1"
    assert member.preset == presets.load("smoke").with_seed(1)


def test_paths_count_from_the_folder_of_the_study(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text(f"outcome: {presets.load('smoke').outcome.model_dump_json()}\n")
    (tmp_path / "others").mkdir()
    monkeypatch.chdir("/")
    own, others = load(tmp_path, presets=["mine.yaml"], series=["others"]).members
    assert own.name == "mine-seed0"
    assert (others.name, others.folder.root) == ("others", tmp_path / "others")


def test_the_probes_of_the_study_take_the_place_of_the_presets_and_groups_divide_them(tmp_path):
    probes = {"edges": {"steps": 3}, "tokens": {}, "grammar": {}}
    described = load(tmp_path, presets=["smoke"], probes=probes, groups=[["edges"]])
    (member,) = described.members
    assert described.groups_of(member) == {"probes": ("grammar", "tokens"), "edges": ("edges",)}
    assert described.probes_of(member)["edges"].steps == 3
    assert member.preset.probes == probes


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"presets": ["smok"]}, "there is no preset 'smok'; choose one of albert-base, "),
        ({"presets": ["gone.yaml"]}, r"gone\.yaml is missing"),
        ({"overrides": {"a": {"outcome.optimizer.lerning_rate": 1}}},
         r"smoke with overrides\.a: outcome\.optimizer\.lerning_rate: there is no such key"),
        ({"overrides": {"a": {"outcome.optimizer.learning_rate": -1}}}, r"learning_rate: .*greater than 0"),
        ({"overrides": {"a": {"outcome.steps.more": 1}}}, r"outcome\.steps\.more is no setting, as steps has no keys"),
        ({"overrides": {"a": {"learning_rate": 1}}}, "learning_rate is no setting; one begins with outcome, speed or"),
        ({"overrides": {"a": {"probes.tokens.sentence": 1}}}, r"probe tokens\.sentence: there is no such key"),
        ({"overrides": {"a b": {}}}, r"overrides\.a b"),
        ({"seeds": [0, 0]}, "preset smoke seed 0 and preset smoke seed 0 are both called 'smoke-seed0'; rename one"),
        ({"presets": ["smoke", "smoke"]}, "are both called 'smoke-seed0'"),
        ({"series": ["a/smoke-seed0"]}, "preset smoke seed 0 and series a/smoke-seed0 are both called 'smoke-seed0'"),
        ({"seeds": [-1]}, r"seeds\.0"),
        ({"presets": []}, "there are neither presets nor series, and so nothing to do"),
        ({"probes": {"tokenz": {}}}, r"study\.yaml: there is no probe 'tokenz'; choose one of"),
        ({"probes": {"tokens": {"sentences": "many"}}}, r"study\.yaml: settings of probe tokens\.sentences"),
        ({"groups": [["tokenz"]]}, r"study\.yaml: there is no probe 'tokenz'"),
        ({"groups": [["tokens"], ["edges", "tokens"]]}, "groups have tokens twice"),
        ({"checkpoints": [0, 7]}, "checkpoints 7 are none of preset smoke seed 0, which has 0, 5, 10, 20, 50"),
        ({"chunk": 0}, "chunk: "),
        ({"sead": 1}, "sead: there is no such key"),
        ({"resources": {"measuring": {}}}, r"resources\.measuring"),
        ({"resources": {"measure": {"memory": 1}}}, r"resources\.measure\.memory: there is no such key"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line_before_anything_is_done(tmp_path, values, message):
    with pytest.raises(EmbryologyError, match=message) as error:
        load(tmp_path, **({"presets": ["smoke"]} | values))
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study.yaml"]


@pytest.mark.parametrize("text", ["- smoke\n", "smoke\n"])
def test_a_file_that_is_no_study(tmp_path, text):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(EmbryologyError, match=re.escape(f"{tmp_path / 'study.yaml'} holds no study")):
        description.load(tmp_path / "study.yaml")
