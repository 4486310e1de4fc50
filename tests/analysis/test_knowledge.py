"""The knowledge probe over checkpoints: what is read and compared of known curves."""

import shutil

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import knowledge, tables
from embryology.errors import EmbryologyError
from embryology.runs.series import Series
from embryology.storage.files import write_table
from tests.synthetic import KNOWLEDGE, STEPS, configuration, make_run


@pytest.fixture(scope="module")
def frame(series):
    return tables.read([series], "knowledge")


def test_sets_and_relations_come_in_the_order_of_the_paper(frame):
    assert knowledge.sets(frame) == ["trex", "pararel"]
    assert knowledge.relations(frame, "trex") == ["P140", "P103", "P999"]
    assert knowledge.label("P140") == "P140 religion"
    assert knowledge.label("place_of_birth") == "place of birth"


def test_only_what_lies_above_every_blind_answer_is_above(frame, series):
    assert not knowledge.above_blind(frame, "trex")
    assert knowledge.above_blind(frame[frame["baseline"] != "most-common-object"], "trex")
    told = knowledge.by_relation(series, "trex")
    assert told["above"].to_dict() == {"P140": True, "P103": False, "P999": False}  # below the most common object


def test_what_was_asked_and_excluded_adds_up(frame):
    table = knowledge.asked(frame, "trex").set_index("relation")
    counts = {"facts": 73, "one piece": 60, "several pieces": 10, "object has an unknown piece": 3}
    assert table.loc["P999"].to_dict() == counts
    assert table.loc["P140", "facts"] == 70


def test_a_step_that_is_none_is_refused(series):
    with pytest.raises(EmbryologyError, match="synthetic has no checkpoint at step 7"):
        knowledge.trajectories(series, "trex", "7")


@pytest.fixture(scope="module")
def followed(series):
    return knowledge.trajectories(series, "trex")


def test_facts_are_followed_by_the_papers_criterion_unless_it_is_hardly_met(series, followed, tmp_path):
    assert followed.criterion == "correct"
    assert followed.paths.known.shape == (54 * len(KNOWLEDGE), len(STEPS))  # a tenth is named
    assert followed.everything == 60 * len(KNOWLEDGE)
    assert followed.why_not is None
    small = Series.open(shutil.copytree(series.folder.root, tmp_path / "small"))
    for file in (configuration("knowledge").folder(small.folder) / "items").glob("*.parquet"):
        write_table(file, pd.read_parquet(file).assign(correct=False))
    of_small = knowledge.trajectories(small, "trex", "20,40")
    assert of_small.criterion == "chosen"
    shares = [final / 0.9 for _, final, _ in KNOWLEDGE.values()]  # a tenth is named, and not chosen
    assert of_small.paths.known[:, 0].mean() == pytest.approx(np.mean(shares), abs=0.02)


def test_facts_by_frequency_are_all_facts(followed):
    table = knowledge.by_frequency(followed.paths)
    assert table["n"].sum() == len(followed.paths.known)
    table = table.dropna()
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
    others = table[table["objects"] == "other objects"].set_index("together")["value"]
    assert others["2 to 4"] < others["5 to 16"]


def test_the_source_is_that_of_the_set(series):
    assert knowledge.source(series, "trex") == "made-up facts"


def test_two_series_are_kept_apart(series, tmp_path):
    other = make_run(tmp_path / "other", sentences=20, steps=(0, 100))
    both = tables.read([series, other], "knowledge", "last")
    assert tables.main_series(both) == "synthetic"
    assert knowledge.curve(both, "trex")["step"].tolist() == [2000]
    assert knowledge.curve(both, "trex", series="other")["step"].tolist() == [0, 100]
