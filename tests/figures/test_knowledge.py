"""Figures of the knowledge probe and of facts through time, of known curves."""

import re

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import knowledge, tables
from embryology.figures import consistency, trajectories
from embryology.figures import knowledge as drawn
from embryology.specs.knowledge import SPECIFICATION, TEMPLATE
from embryology.storage.files import write_table
from tests.figures.reading import answer_of, csv_of
from tests.synthetic import KNOWLEDGE, configuration, make_run

COVERS = ("embryology/figures/consistency.py", "embryology/figures/trajectories.py")


@pytest.fixture(scope="module")
def frame(series):
    return tables.read([series], "knowledge")


@pytest.fixture(scope="module")
def paths(series):
    return knowledge.trajectories(series, "trex")[0]


@pytest.fixture(scope="module")
def histories(paths):
    return trajectories.numbers(paths, "correct")


def test_the_prose_tells_what_known_curves_do(frame, series):
    values = drawn.numbers(frame, knowledge.source(series, "trex"))
    assert values["source"] == "made-up facts"
    assert values["relations_beyond"] == "P140 religion"
    assert values["beyond"] == "does not lie above all of them"
    assert values["others"] == "ParaRel"
    assert "does not say which article" in values["held_out"]
    consistent = consistency.numbers(frame)
    assert consistent["consistency"].startswith("75.0% (")
    assert "asked about different subjects in 50.0%" in consistent["consistency"]


def test_what_was_not_measured_is_said(frame, series):
    kept = frame[(frame["baseline"] != TEMPLATE) & (frame["metric"] != "gain")]
    values = drawn.numbers(kept[kept["task"] != "trex/not named"], "made-up facts")
    assert values["template"] == values["gain"] == values["not_named"] == "not measured"
    assert answer_of(drawn.measures(kept, "made-up facts").data).startswith(
        "How much likelier an object is with its own subject than with others: not measured"
    )


def test_histories_tell_what_known_trajectories_do(histories, paths):
    assert histories["facts"] == "180"
    assert histories["criterion"] == "the likeliest of all pieces"
    assert histories["forgetting"].endswith("not more than chance")  # a tenth of the answers slip, nothing is forgotten
    assert float(histories["frequency"].split()[0]) > 0.5
    assert int(histories["forgotten"]) < int(histories["random_order"])
    assert answer_of(trajectories.flow(paths, histories).data).startswith(f"{histories['ever']} of 180 facts are right")


def test_every_figure_has_its_answer(frame, series, paths, histories):
    source = knowledge.source(series, "trex")
    assert "above all baselines: 1 of 3 relations" in answer_of(drawn.scores(frame, source).data)
    assert "with others: 0.61 nats" in answer_of(drawn.measures(frame, source).data)
    assert answer_of(drawn.beside_published(frame).data) == "21 of the 25 released curves are zero at every step"
    none = frame[~frame["group"].isin(KNOWLEDGE)]
    assert "asked for none of these relations" in drawn.beside_published(none).data
    assert "Two templates get the same answer in 75.0%" in answer_of(consistency.consistency(frame).data)
    assert "rank correlation 0." in answer_of(trajectories.frequency(paths, histories).data)
    assert drawn.relations_table(frame).data.count("<tr") == 4


def test_runs_are_drawn_side_by_side(series, tmp_path):
    both = tables.read([series, make_run(tmp_path / "other", sentences=20)], "knowledge")
    assert set(csv_of(drawn.scores(both, "made-up facts").data)["series"]) == {"synthetic", "other"}


def test_the_table_of_facts_has_names_and_searches_without_a_network(paths, histories):
    page = trajectories.histories(paths, histories).data
    assert "Subject 7" in page
    assert "All facts." in page
    assert not re.search(r'src="https?:|href="https?:[^"]*\.(?:js|css)|from "https?:', page)
    assert page == trajectories.histories(paths, histories).data


def test_a_frozen_run_has_facts_without_names(histories, tmp_path):
    frozen = make_run(tmp_path / "frozen", sentences=20)
    for file in (configuration("knowledge").folder(frozen.folder) / "items").glob("*.parquet"):
        table = pd.read_parquet(file)
        write_table(file, table[[column for column in SPECIFICATION.kept_items if column in table]])
    without_names, _ = knowledge.trajectories(frozen, "trex")
    assert "Subject 7" not in trajectories.histories(without_names, histories).data


def test_text_that_was_not_at_hand_is_said(paths):
    uncounted = paths.where(np.ones(len(paths.known), bool))
    uncounted.facts["together"] = np.nan
    values = trajectories.numbers(uncounted, "correct")
    assert "not at hand" in values["frequency"]
    assert "not at hand" in trajectories.frequency(uncounted, values).data


def test_where_nothing_is_ever_right_that_is_what_is_said(paths):
    nothing = paths.where(~paths.known.any(axis=1))
    values = trajectories.numbers(nothing, "correct")
    assert values["ever"] == "0"
    assert values["forgetting"].startswith("no fact is ever right")
    assert "No fact is ever right." in trajectories.flow(nothing, values).data
    assert "not to be told" in values["frequency"]
