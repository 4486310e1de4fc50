"""Figures of the knowledge probe and of facts through time, of known curves."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import knowledge, tables
from embryology.analysis.permuted import Chance
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
def followed(series):
    return knowledge.trajectories(series, "trex")


@pytest.fixture(scope="module")
def told(series):
    return knowledge.by_relation(series, "trex")


@pytest.fixture(scope="module")
def histories(followed):
    return trajectories.numbers(followed)


def known_as(followed, known):
    return replace(followed, paths=replace(followed.paths, known=known))


def test_the_prose_tells_what_known_curves_do(frame, series, told):
    values = drawn.numbers(frame, knowledge.source(series, "trex"), told)
    assert values["source"] == "made-up facts"
    assert values["relations_beyond"] == "Of 3 relations 1 clears them, by chance alone 0.1 would: P140 religion."
    assert values["relations_change"] == "none of 3 relations rises or falls"
    assert values["beyond"] == "does not lie above all of them"
    assert values["others"] == "; beside it were measured: ParaRel"
    assert "does not say which article" in values["held_out"]
    consistent = consistency.numbers(frame)
    assert consistent["consistency"].startswith("75.0% (")
    assert "asked about different subjects in 50.0%" in consistent["consistency"]


def test_what_was_not_measured_is_said(frame, told):
    kept = frame[(frame["baseline"] != TEMPLATE) & (frame["metric"] != "gain")]
    values = drawn.numbers(kept[kept["task"] != "trex/not named"], "made-up facts", told)
    assert values["template"] == values["gain"] == values["not_named"] == "not measured"
    assert answer_of(drawn.measures(kept, "made-up facts").data).startswith(
        "How much likelier an object is with its own subject than with others: not measured"
    )


def test_histories_tell_what_known_trajectories_do(histories, followed):
    assert histories["facts"] == "162"
    assert histories["facts_all"] == "180"
    assert histories["criterion"] == "the likeliest of all pieces"
    assert "not more than chance" in histories["histories"]  # a tenth of the answers slip, nothing is forgotten
    assert float(histories["frequency"].split()[0]) > 0.5
    assert answer_of(trajectories.flow(followed, histories).data).startswith(
        f"{histories['ever']} of 162 facts are known"
    )


def test_every_figure_has_its_answer(frame, series, followed, told, histories):
    source = knowledge.source(series, "trex")
    answer = answer_of(drawn.scores(frame, source, told).data)
    assert answer.endswith("Of the relations, without such names, 1 clear all blind answers")
    assert "with others: 0.61 nats" in answer_of(drawn.measures(frame, source).data)
    assert answer_of(drawn.beside_published(frame).data) == "21 of the 25 released curves are zero at every step"
    none = frame[~frame["group"].isin(KNOWLEDGE)]
    assert "asked for none of these relations" in drawn.beside_published(none).data
    assert "Two templates get the same answer in 75.0%" in answer_of(consistency.consistency(frame).data)
    assert "rank correlation 0." in answer_of(trajectories.frequency(followed, histories).data)
    assert drawn.relations_table(frame).data.count("<tr") == 4


def test_runs_are_drawn_side_by_side(series, told, tmp_path):
    both = tables.read([series, make_run(tmp_path / "other", sentences=20)], "knowledge")
    assert set(csv_of(drawn.scores(both, "made-up facts", told).data)["series"]) == {"synthetic", "other"}


def test_the_table_of_facts_has_names_and_searches_without_a_network(followed, histories):
    page = trajectories.histories(followed, histories).data
    assert "Subject 7" in page
    assert "All facts." in page
    assert not re.search(r'src="https?:|href="https?:[^"]*\.(?:js|css)|from "https?:', page)
    assert page == trajectories.histories(followed, histories).data


def test_a_frozen_run_has_facts_without_names(histories, tmp_path):
    frozen = make_run(tmp_path / "frozen", sentences=20)
    for file in (configuration("knowledge").folder(frozen.folder) / "items").glob("*.parquet"):
        table = pd.read_parquet(file)
        write_table(file, table[[column for column in SPECIFICATION.kept_items if column in table]])
    without_names = knowledge.trajectories(frozen, "trex")
    assert without_names.chance is not None
    assert "Subject 7" not in trajectories.histories(without_names, histories).data


def test_text_that_was_not_at_hand_is_said(followed):
    facts = followed.paths.facts.assign(together=np.nan)
    uncounted = replace(followed, paths=replace(followed.paths, facts=facts))
    values = trajectories.numbers(uncounted)
    assert "not at hand" in values["frequency"]
    assert "not at hand" in trajectories.frequency(uncounted, values).data


def test_where_too_little_is_known_one_sentence_says_so_and_nothing_is_drawn(followed):
    never, known = np.zeros_like(followed.paths.known), np.zeros_like(followed.paths.known)
    known[:, :4] = followed.paths.known[:, -1:]  # one of them untrained
    for of_few, checkpoints in ((known_as(followed, never), 0), (known_as(followed, known), 3)):
        values = trajectories.numbers(of_few)
        assert [draw(of_few, values).data for draw in (trajectories.flow, trajectories.frequency)] == ["", ""]
        assert trajectories.histories(of_few, values).data == "<p>Not listed, as no facts are followed.</p>"
        assert values["histories"].startswith(f"Facts are known at {checkpoints} checkpoints")
        assert values["frequency"] == "not told, as no facts are followed"


def test_what_is_no_more_than_permuted_subjects_is_not_drawn(followed):
    by_chance = replace(followed, chance=Chance(100.0, 99.0, 0.03))
    values = trajectories.numbers(by_chance)
    assert "may be answers alone: 100 known" in values["histories"]
    assert trajectories.flow(by_chance, values).data == ""
    frozen = replace(followed, chance=None)
    values = trajectories.numbers(frozen)
    assert "cannot be told" in values["histories"]
    assert trajectories.flow(frozen, values).data == ""
    assert "frozen without its answers" in values["left_out"]


def test_of_no_relation_and_of_none_that_can_be_told_there_is_no_list():
    told = pd.DataFrame({"above": [False, False], "told": [True, False]}, index=["P1", "P2"])
    assert drawn.above_all(told) == "Of 1 relations none clears them; 1 have too few objects to tell."
