"""What is told of one checkpoint, against tables of known content."""

import pandas as pd
import pytest

from embryology.analysis import at_step
from embryology.analysis.at_step import AtStep
from embryology.errors import EmbryologyError
from tests.synthetic import STEPS, make_run


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs") / "run"
    return make_run(root, only=("completions", "grammar", "knowledge"))


def test_a_probe_is_read_at_one_step_or_the_reason_is_told(series):
    told = at_step.read(series, "completions", 40)
    assert set(told.rows["step"]) == set(told.items["step"]) == {40}
    assert told.items["item_id"].is_unique
    assert at_step.read(series, "attention", 40).startswith("probe attention has not measured it")
    with pytest.raises(EmbryologyError, match="no checkpoint at step 41"):
        at_step.read(series, "completions", 41)


def test_a_step_that_a_probe_left_out_is_told_with_the_nearest_that_it_did_not(tmp_path):
    series = make_run(tmp_path / "run", only=("completions",))
    for place in series.folder.measurements.rglob("00000160-*.parquet"):
        place.unlink()
    why = at_step.read(series, "completions", 160)
    assert why.endswith("and this is none of them; the nearest is 80")
    assert isinstance(at_step.read(series, "completions", STEPS[-1]), AtStep)


def test_the_favourite_answer_is_the_commonest_and_of_several_the_first():
    def items(*answers):
        return pd.DataFrame({"task": ["gap"] * len(answers) + ["answer"], "answer": [*answers, "zebra"]})

    assert at_step.favourite(items("the", "of", "the", "a")) == ("the", 2)
    assert at_step.favourite(items("of", "the", "a")) == ("a", 1)


def table(task="bundled", text=True):
    facts = [
        # relation, id, object's number, right, nats, answer
        ("capital", "x", 0, True, -1.0, 0),
        ("capital", "y", 1, True, -0.5, 1),
        ("kind", "z", 0, True, -2.0, 0),
        ("kind", "w", 1, False, -0.1, 0),
        ("capital", "v", 2, False, -3.0, -1),
    ]
    columns = ["group", "id", "object_number", "correct", "log_probability", "answer"]
    items = pd.DataFrame(facts, columns=columns).assign(task=task, pieces=1, step=5)
    items["item_id"] = items["group"] + ":" + items.pop("id")
    if text:
        items["subject"] = "subject " + items["item_id"].str[-1]
        items["object"] = items["group"].str[0] + items["object_number"].astype(str)
    long = items.head(1).assign(item_id="capital:long", pieces=2)
    return AtStep(pd.DataFrame({"series": "a", "task": [task]}), pd.concat([items, long], ignore_index=True))


def test_facts_that_are_right_come_first_one_of_each_relation_the_most_certain():
    name, named, facts = at_step.facts(table(), 4)
    assert (name, named) == ("bundled", True)
    assert facts["item_id"].tolist() == ["capital:y", "kind:z", "capital:x", "kind:w"]
    assert facts["fact"].tolist() == ["subject y", "subject z", "subject x", "subject w"]
    assert facts["right"].tolist() == ["c1", "k0", "c0", "k1"]
    assert facts["said"].tolist() == ["c1", "k0", "c0", "k0"]
    assert at_step.facts(table(), 9)[2]["said"].tolist()[-1] == ""


@pytest.mark.parametrize("told", [table(text=False), table("trex")])
def test_text_that_is_not_ours_to_publish_is_told_by_numbers(told):
    _, named, facts = at_step.facts(told, 2)
    assert not named
    assert facts["fact"].tolist() == ["y", "z"]
    assert facts["right"].tolist() == ["object 1", "object 0"]
    assert facts["said"].tolist() == ["object 1", "object 0"]


def test_phenomena_are_those_of_the_sample(series):
    told = at_step.read(series, "grammar", STEPS[-1])
    rows = at_step.phenomena(told).set_index("group")
    items = told.items
    assert set(rows.index) == {"", *items["group"]}
    assert rows.loc["", "value"] == pytest.approx(items["correct"].mean())
    for group, own in items.groupby("group"):
        assert (rows.loc[group, "value"], rows.loc[group, "n"]) == (pytest.approx(own["correct"].mean()), len(own))


def test_a_value_is_the_models_and_not_a_baselines(series):
    rows = at_step.read(series, "completions", 640).rows
    assert at_step.value(rows, "reconstruction", "accuracy")["value"] == pytest.approx(7 / 9)
    assert at_step.value(rows, "reconstruction", "accuracy", "most-frequent-word")["value"] == pytest.approx(2 / 9)
    assert pd.isna(at_step.value(rows, "reconstruction", "no such")["value"])
