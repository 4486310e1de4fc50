"""Figures of the knowledge probe and of facts through time, of known curves."""

import base64
import re

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import knowledge, tables
from embryology.figures import knowledge as drawn
from embryology.figures import trajectories
from embryology.specs.knowledge import SPECIFICATION, TEMPLATE
from embryology.storage.files import write_table
from tests.synthetic import KNOWLEDGE, configuration, make_run


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=20)


@pytest.fixture(scope="module")
def frame(series):
    return tables.read([series], "knowledge")


@pytest.fixture(scope="module")
def told(series):
    return knowledge.trajectories(series, "trex")


@pytest.fixture(scope="module")
def said(told):
    return trajectories.facts(*told)


def answer(figure):
    return re.search(r"<strong>(.*?)</strong>", figure.data)[1]


def test_the_prose_tells_what_known_curves_do(frame, series):
    facts = drawn.facts(frame, knowledge.source(series, "trex"))
    assert facts["source"] == "made-up facts"
    assert facts["relations_beyond"] == "P140 religion"
    assert facts["beyond"] == "does not lie above all of them"
    assert facts["others"] == "ParaRel"
    assert "does not say which article" in facts["held_out"]
    consistent = drawn.consistency_facts(frame)
    assert consistent["consistency"].startswith("75.0% (")
    assert "asked about different subjects in 50.0%" in consistent["consistency"]


def test_what_was_not_measured_is_said(frame, series):
    kept = frame[(frame["baseline"] != TEMPLATE) & (frame["metric"] != "gain")]
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


def test_every_figure_has_its_answer(frame, series, told, said):
    source = knowledge.source(series, "trex")
    assert "above all baselines: 1 of 3 relations" in answer(drawn.scores(frame, source))
    assert "with others: 0.61 nats" in answer(drawn.measures(frame, source))
    assert answer(drawn.beside_published(frame)) == "21 of the 25 released curves are zero at every step"
    none = frame[~frame["group"].isin(KNOWLEDGE)]
    assert "asked for none of these relations" in drawn.beside_published(none).data
    assert "Two templates get the same answer in 75.0%" in answer(drawn.consistency(frame))
    assert "rank correlation 0." in answer(trajectories.frequency(told[0], said))
    assert drawn.relations_table(frame).data.count("<tr") == 4


def test_runs_are_drawn_side_by_side(series, tmp_path):
    both = tables.read([series, make_run(tmp_path / "other", sentences=20)], "knowledge")
    table = base64.b64decode(re.search('text/csv;base64,([^"]*)', drawn.scores(both, "made-up facts").data)[1]).decode()
    assert {line.split(",")[0] for line in table.splitlines()[1:]} == {"synthetic", "other"}


def test_the_table_of_facts_has_names_and_searches_without_a_network(told, said):
    page = trajectories.histories(told[0], said).data
    assert "Subject 7" in page
    assert "All facts." in page
    assert not re.search(r'src="https?:|href="https?:[^"]*\.(?:js|css)|from "https?:', page)
    assert page == trajectories.histories(told[0], said).data


def test_a_frozen_run_has_facts_without_names(told, said, tmp_path):
    frozen = make_run(tmp_path / "frozen", sentences=20)
    for file in (configuration("knowledge").folder(frozen.folder) / "items").glob("*.parquet"):
        table = pd.read_parquet(file)
        write_table(file, table[[column for column in SPECIFICATION.kept_items if column in table]])
    paths, _ = knowledge.trajectories(frozen, "trex")
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
