"""What else could make the claims' numbers, of made-up runs."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks import confounds as script
from embryology.analysis.claims import confounds
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.storage.files import read_json, read_yaml, write_json, write_yaml
from tests.analysis.claim_runs import copy, said, seed

OWN = confounds.FILE
COVERS = ("embryology/analysis/claims/confounds.py",)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    home = tmp_path_factory.mktemp("confounds")
    return [seed(home, number) for number in range(3)]


@pytest.fixture(autouse=True)
def made_once(tmp_path, monkeypatch):
    """Where pairs are written that were made once; there are none."""
    monkeypatch.setattr(confounds, "FILE", tmp_path / "pairs.yaml")
    return confounds.FILE


@pytest.fixture
def copies(seeds, tmp_path):
    return [copy(each, tmp_path) for each in seeds]


def test_confounds_are_those_of_the_files(seeds, copies):
    found = {each.name: each for each in confounds.read(seeds)}
    unmeasured = {name: each.why_not for name, each in found.items() if each.effect is None}
    assert list(unmeasured) == ["decay of the rate", "vocabulary and tokenizer", "repetition of the text"]
    assert all(reason.startswith("not measured: it takes two runs of the same seed") for reason in unmeasured.values())
    rows = [measurements.read(each, "tokens") for each in seeds]
    last = [
        frame[(frame["step"] == 2000) & (frame["task"] == "reconstruction") & (frame["metric"] == "accuracy")]
        for frame in rows
    ]
    words = [frame[frame["baseline"].isna() & (frame["group"] == "")].iloc[0] for frame in last]
    items = found["size of the test set"].effect
    assert (items.value, items.low, items.high) == pytest.approx([100 * words[0][n] for n in ("value", "low", "high")])
    values = [100 * each["value"] for each in words]
    of_seeds = found["choice of the seed"].effect
    assert of_seeds.of == "synthetic"
    assert of_seeds.value == pytest.approx(np.mean(values))
    assert (of_seeds.low, of_seeds.high) == pytest.approx(stats.t.interval(0.95, 2, np.mean(values), stats.sem(values)))
    # Of three tasks entities, of which nothing is learnt, in layer 2: micro F1 less 0.3.
    assert found["capacity of the probe"].effect.value == pytest.approx(100 * (0.44 - 0.3), abs=1)
    assert found["word frequency"].effect.low < found["word frequency"].effect.value
    assert found["test text in the training text"].effect.of == "seed0"
    for each in copies:
        standing = read_json(each.folder.standing)
        write_json(each.folder.standing, {"attention": standing["attention"]})
    lacking = {each.name: each for each in confounds.read([Series.open(each.folder.root) for each in copies])}
    assert all(each.effect is None for each in lacking.values())
    assert "has not measured it" in lacking["capacity of the probe"].why_not
    assert "three seeds" in lacking["choice of the seed"].why_not


PAIRS = {
    "decay of the rate": (
        {"phases": [{"steps": 2000, "rate": "constant"}]},
        {"phases": [{"steps": 1500, "rate": "constant"}, {"steps": 500, "rate": "decay"}]},
    ),
    "vocabulary and tokenizer": ({"tokenizer": {"vocab_size": 500}}, {"tokenizer": {"vocab_size": 900}}),
    "repetition of the text": ({}, {"corpus": {"source": "bundled", "every": 9}}),
}


def without_words(series):
    """As a frozen run has its items."""
    for file in (series.folder.measurements / "tokens").glob("*/items/*.parquet"):
        pd.read_parquet(file).drop(columns="word", errors="ignore").to_parquet(file)


def better(series, words):
    """So many more sentences of it have all their words right at the end."""
    for file in (series.folder.measurements / "tokens").glob("*/items/00002000-*.parquet"):
        items = pd.read_parquet(file)
        chosen = items["sentence"].isin(sorted(items["sentence"].unique())[:words])
        items.assign(correct=items["correct"] | chosen).to_parquet(file)


@pytest.mark.parametrize("name", PAIRS)
def test_what_one_setting_does_is_told_by_two_runs_that_differ_in_it_alone(name, seeds, tmp_path):
    one, other = (said(copy(seeds[0], tmp_path, str(n)), **PAIRS[name][n]) for n in range(2))
    better(other, 7)
    without_words(one)
    series = [other, seeds[1], one]
    of_both = [each for each in confounds.read(series) if each.name == name]
    frames = [measurements.read_items(each, "tokens") for each in (one, other)]
    tasks = "reconstruction", "mask-prediction"
    for confound, task in zip(of_both, tasks, strict=True):
        first, second = (f[(f["task"] == task) & (f["step"] == 2000)].sort_values("item_id") for f in frames)
        more = second["correct"].to_numpy(float) - first["correct"].to_numpy(float)
        assert confound.why_not == ""
        assert confound.effect.of == "1, 0"
        assert confound.effect.value == pytest.approx(100 * more.mean())
        assert confound.effect.low < 100 * more.mean() < confound.effect.high
        assert more.mean() > 0
    assert "words reconstructed at the end" in of_both[0].number
    assert "masked words predicted at the end" in of_both[1].number
    otherwise = said(one, objective=one.manifest.outcome.objective.model_dump() | {"mlm_probability": 0.3})
    assert [e.effect for e in confounds.read([otherwise, other]) if e.name == name] == [None]


def test_a_pair_that_was_made_once_stands_in_until_two_runs_are_at_hand(seeds, tmp_path, made_once, capsys):
    name, other = "repetition of the text", "vocabulary and tokenizer"
    runs = [said(copy(seeds[0], tmp_path, str(n)), **PAIRS[name][n]) for n in range(2)]
    better(runs[1], 7)
    at_hand = [each.effect for each in confounds.read(runs) if each.name == name]
    said_before = {"confound": name, "task": "reconstruction", "of": "a, b", "value": -1.0, "low": -2.0, "high": 0.5}
    write_yaml(made_once, {"pairs": [said_before, said_before | {"confound": other}]})
    told = {each.name: each for each in confounds.read(seeds)}
    assert told[name].number.startswith("words reconstructed at the end, of fewer articles")
    assert told[name].effect == confounds.Effect("a, b (made once)", -1.0, -2.0, 0.5, " points")
    assert [each.effect for each in confounds.read(runs) if each.name == name] == at_hand
    script.main([str(each.folder.root) for each in runs])
    assert "decay of the rate: not measured: it takes two runs" in capsys.readouterr().out
    kept = read_yaml(made_once)["pairs"]
    assert [(each["confound"], each["task"]) for each in kept] == [
        (other, "reconstruction"), (name, "reconstruction"), (name, "mask-prediction")
    ]  # fmt: skip
    for each, effect in zip(kept[1:], at_hand, strict=True):
        assert (each["value"], each["low"], each["high"]) == pytest.approx(
            (effect.value, effect.low, effect.high), abs=1e-4
        )
        assert each["of"] == effect.of == "1, 0"
    again = [each for each in confounds.read(seeds) if each.name == name]
    assert [each.effect.value for each in again] == [each["value"] for each in kept[1:]]


def test_what_was_made_once_is_of_both_tasks_with_intervals_and_commands():
    pairs = read_yaml(OWN)["pairs"]
    assert {each["confound"] for each in pairs} <= {each.name for each in confounds.SETTINGS}
    for confound in {each["confound"] for each in pairs}:
        assert [each["task"] for each in pairs if each["confound"] == confound] == [*confounds.ASKED]
    for each in pairs:
        assert each["low"] <= each["value"] <= each["high"]
        assert len(each["trained by"]) == 2
        assert all(command.startswith("embryology pretrain ") for command in each["trained by"])


def test_two_runs_that_were_asked_otherwise_tell_no_effect(seeds, tmp_path):
    name = "repetition of the text"
    one, other = (said(copy(seeds[0], tmp_path, str(n)), **PAIRS[name][n]) for n in range(2))
    assert "no word in common that one" in {e.name: e for e in confounds.read([one, other])}[name].why_not
    standing = read_json(other.folder.standing)
    standing["tokens"]["settings"]["sentences"] = 7
    before = measurements.standing(other.folder)["tokens"].folder(other.folder)
    write_json(other.folder.standing, standing)
    before.rename(measurements.standing(other.folder)["tokens"].folder(other.folder))
    again = [one, Series.open(other.folder.root)]
    assert "other settings or on other data" in {e.name: e for e in confounds.read(again)}[name].why_not


@pytest.mark.parametrize("other", [{"corpus": {"source": "bundled", "path": "es"}}, {"learning_rate": 1e-6}])
def test_a_decay_on_another_text_or_from_another_rate_is_no_effect_of_the_decay(other, seeds, tmp_path):
    constant, (first, last) = (each["phases"] for each in PAIRS["decay of the rate"])
    one = said(copy(seeds[0], tmp_path, "0"), phases=constant)
    changed = said(copy(seeds[0], tmp_path, "1"), phases=[first, last | other])
    better(changed, 7)
    found = {each.name: each for each in confounds.read([one, changed])}["decay of the rate"]
    assert found.effect is None
    assert found.why_not.startswith("not measured")
