"""The knowledge probe over checkpoints: what is read, compared and drawn of known curves."""

import base64
import re

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import curves, knowledge
from embryology.errors import EmbryologyError
from embryology.figures import knowledge as drawn
from embryology.figures import trajectories
from embryology.runs import measurements
from embryology.runs.freeze import ITEM_COLUMNS
from embryology.runs.paths import RunFolder
from embryology.storage.files import write_table
from tests.synthetic import KNOWLEDGE, STEPS, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=20).root


@pytest.fixture(scope="module")
def frame(run):
    return knowledge.read(run)


@pytest.fixture(scope="module")
def told(run):
    return knowledge.trajectories(run, "trex")


@pytest.fixture(scope="module")
def said(told):
    return trajectories.facts(*told)


def answer(figure):
    return re.search(r"<strong>(.*?)</strong>", figure.data)[1]


def test_sets_and_relations_come_in_the_order_of_the_paper(frame):
    assert knowledge.sets(frame) == ["trex", "pararel"]
    assert knowledge.relations(frame, "trex") == ["P140", "P103", "P999"]
    assert knowledge.label("P140") == "P140 religion"
    assert knowledge.label("place_of_birth") == "place of birth"


def test_only_what_lies_above_all_baselines_is_beyond(frame):
    assert knowledge.beyond(frame, "trex", "P140")
    assert not knowledge.beyond(frame, "trex", "P103")  # below the most common object
    assert not knowledge.beyond(frame, "trex")


def test_what_was_asked_and_excluded_adds_up(frame):
    table = knowledge.asked(frame, "trex").set_index("relation")
    assert table.loc["P999"].to_dict() == {
        "facts": 73, "one piece": 60, "several pieces": 10, "object has an unknown piece": 3,
    }  # fmt: skip
    assert table.loc["P140", "facts"] == 70


def test_a_run_without_answers_and_an_unmeasured_step_are_said(run, tmp_path):
    with pytest.raises(EmbryologyError, match="no checkpoint at step 7"):
        knowledge.read(run, steps="7")
    folder = make_run(tmp_path / "electra", sentences=20)
    for file in (folder.measurements / "knowledge").glob("*.parquet"):
        rows = pd.read_parquet(file)
        measurements.write(file, rows.head(1).assign(task="", item="", metric="applicable", value=0.0, low=0, high=0))
    with pytest.raises(EmbryologyError, match=r"run .*electra answers no questions"):
        knowledge.read(folder.root)


def test_facts_are_followed_by_the_papers_criterion_unless_it_is_hardly_met(run, told, tmp_path):
    paths, criterion = told
    assert criterion == "correct"
    assert paths.known.shape == (60 * len(KNOWLEDGE), len(STEPS))
    folder = make_run(tmp_path / "small", sentences=20)
    for file in (folder.measurements / "details" / "knowledge").glob("*.parquet"):
        write_table(file, pd.read_parquet(file).assign(correct=False))
    paths, criterion = knowledge.trajectories(folder.root, "trex", "20,40")
    assert criterion == "chosen"
    assert paths.known[:, 0].mean() == pytest.approx(np.mean([final for _, final, _ in KNOWLEDGE.values()]), abs=0.02)


def test_facts_by_frequency_are_all_facts(told):
    table = knowledge.by_frequency(told[0])
    assert table["n"].sum() == len(told[0].known)
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
    others = table[table["objects"] == "other objects"].set_index("together")["value"]
    assert others["2 to 4"] < others["5 to 16"]


def test_the_prose_tells_what_known_curves_do(frame, run):
    facts = drawn.facts(frame, knowledge.source(run, "trex"))
    assert facts["source"] == "made-up facts"
    assert facts["relations_beyond"] == "P140 religion"
    assert facts["beyond"] == "does not lie above all of them"
    assert facts["others"] == "ParaRel"
    assert "does not say which article" in facts["held_out"]
    consistent = drawn.consistency_facts(frame)
    assert consistent["consistency"].startswith("75.0% (")
    assert "asked about different subjects in 50.0%" in consistent["consistency"]


def test_what_was_not_measured_is_said(frame, run):
    kept = frame[(frame["baseline"] != knowledge.TEMPLATE) & (frame["metric"] != "gain")]
    facts = drawn.facts(kept[kept["task"] != "trex/not named"], "made-up facts")
    assert facts["template"] == facts["gain"] == facts["not_named"] == "not measured"
    assert answer(drawn.measures(kept, "made-up facts")).startswith(
        "How much likelier an object is with its own subject than with others: not measured"
    )


def test_histories_tell_what_known_trajectories_do(said, told):
    assert said["facts"] == "180"
    assert said["criterion"] == "the likeliest of all pieces"
    assert said["forgetting"].endswith("not more than chance")  # a tenth of the answers slip, nothing is forgotten
    assert float(said["frequency"].split()[0]) > 0.5
    assert int(said["forgotten"]) < int(said["random_order"])
    assert answer(trajectories.flow(told[0], said)).startswith(f"{said['ever']} of 180 facts are right")


def test_every_figure_has_its_answer(frame, run, told, said):
    source = knowledge.source(run, "trex")
    assert "above all baselines: 1 of 3 relations" in answer(drawn.scores(frame, source))
    assert "with others: 0.61 nats" in answer(drawn.measures(frame, source))
    assert answer(drawn.beside_published(frame)) == "21 of the 25 released curves are zero at every step"
    none = frame[~frame["item"].isin(KNOWLEDGE)]
    assert "asked for none of these relations" in drawn.beside_published(none).data
    assert "Two templates get the same answer in 75.0%" in answer(drawn.consistency(frame))
    assert "rank correlation 0." in answer(trajectories.frequency(told[0], said))
    assert drawn.relations_table(frame).data.count("<tr") == 4


def test_runs_are_drawn_side_by_side(run, tmp_path):
    other = make_run(tmp_path / "other", sentences=20).root
    both = knowledge.read(run, [other])
    assert set(both["series"]) == {"synthetic", "other"}
    assert curves.main_series(both) == "synthetic"
    table = base64.b64decode(re.search('text/csv;base64,([^"]*)', drawn.scores(both, "made-up facts").data)[1]).decode()
    assert {line.split(",")[0] for line in table.splitlines()[1:]} == {"synthetic", "other"}


def test_the_table_of_facts_has_names_and_searches_without_a_network(told, said):
    page = trajectories.histories(told[0], said).data
    assert "Subject 7" in page
    assert "All facts." in page
    assert not re.search(r'src="https?:|href="https?:[^"]*\.(?:js|css)|from "https?:', page)
    assert page == trajectories.histories(told[0], said).data


def test_a_frozen_run_has_facts_without_names(told, said, tmp_path):
    folder = make_run(tmp_path / "frozen", sentences=20)
    for file in (folder.measurements / "details" / "knowledge").glob("*.parquet"):
        table = pd.read_parquet(file)
        write_table(file, table[[column for column in ITEM_COLUMNS if column in table]])
    paths, _ = knowledge.trajectories(RunFolder(folder.root).root, "trex")
    assert "Subject 7" not in trajectories.histories(paths, said).data


def test_text_that_was_not_at_hand_is_said(told):
    paths = told[0].where(np.ones(len(told[0].known), bool))
    paths.facts["together"] = np.nan
    facts = trajectories.facts(paths, "correct")
    assert "not at hand" in facts["frequency"]
    assert "not at hand" in trajectories.frequency(paths, facts).data


def test_where_nothing_is_ever_right_that_is_what_is_said(told):
    nothing = told[0].where(~told[0].known.any(axis=1))
    facts = trajectories.facts(nothing, "correct")
    assert facts["ever"] == "0"
    assert facts["forgetting"].startswith("no fact is ever right")
    assert "No fact is ever right." in trajectories.flow(nothing, facts).data
    assert "not to be told" in facts["frequency"]
