"""The figures of the edge probe say what known curves do."""

import re

import numpy as np
import pytest

from embryology.analysis import edge_documents, edges, plateau, tables
from embryology.figures import edges as drawn
from embryology.figures import layers, style
from tests.figures.reading import answer_of, svg_of
from tests.synthetic import STEPS, known_edge, make_run

COVERS = ("embryology/figures/layers.py",)


@pytest.fixture(scope="module")
def frame(series):
    return tables.read([series], "edges")


@pytest.fixture(scope="module")
def values(frame, series):
    return drawn.numbers(frame, edges.sources(series), 2)


def test_numbers_tell_what_is_beyond_the_baselines_and_in_which_order(values):
    assert values["beyond"] == (
        "Beyond all three lines, interval against interval: part of speech (made-up) and semantic role (made-up). Not "
        "beyond: entity (made-up): the majority, the untrained model and the static embeddings."
    )
    assert re.fullmatch(
        r"Half of the gain is there for part of speech \(made-up\) at step \d+ \(\d+ to \d+\), then semantic role "
        r"\(made-up\) at step \d+ \(\d+ to \d+\)\. No gain is shown for entity \(made-up\)\.",
        values["halves"],
    )
    assert values["unread"] == "2.0%"
    assert values["selectivity"] == "0.24 to 0.70"  # of edges whose words recur
    assert values["no_shorter"] == "No more than a code by label frequencies alone gives: entity (made-up)."


def test_few_checkpoints_tell_no_order_of_gains(series):
    few = tables.read([series], "edges", "0,160,2000")
    told = drawn.numbers(few, edges.sources(series), 2)["halves"]
    assert told.startswith(
        "When the gains came cannot be told: learning times take 4 checkpoints after step 0, and here"
    )
    assert "cannot be told" in drawn.table(few, 2).data


def test_scores_have_the_loss_and_all_baselines_with_them(frame, series):
    figure = drawn.scores(frame, plateau.read([series]), edges.sources(series), 2)
    assert answer_of(figure.data) == "At step 2,000, layer 2 tells more than every baseline in 2 of 3 tasks"
    assert "held-out vital articles" in figure.data  # silver labels are said on the figure
    assert "2.0% lie beyond the model&#x27;s input" in figure.data


def test_two_runs_are_drawn_each_at_its_best_layer(series, tmp_path):
    both = [series, make_run(tmp_path / "other", sentences=20)]
    figure = drawn.scores(tables.read(both, "edges"), plateau.read(both), edges.sources(series), 1)
    assert "over tokens read" in figure.data


def test_a_loss_has_the_line_of_its_series_and_no_panel_where_none_is_known(series, tmp_path):
    other = make_run(tmp_path / "other", sentences=20)
    losses = plateau.read([series, other])
    both = tables.read([series, other], "edges")
    figures = [
        drawn.scores(both, table, edges.sources(series), 2).data
        for table in (losses, losses[losses["series"] == "other"], losses[:0])
    ]
    second = style.LINES[1][0].lower()
    loss_panels = [svg_of(figure).decode().split('id="axes_4"')[-1].split('id="legend_1"')[0] for figure in figures]
    assert [second in panel for panel in loss_panels[:2]] == [True, True]
    assert style.LINES[0][0].lower() not in loss_panels[1]
    assert ["one of the masked loss" in figure for figure in figures] == [True, True, False]
    assert second not in loss_panels[2]


def test_controls_compression_and_published_curves_have_their_answers(frame):
    assert "part of speech (made-up) 0.70" in answer_of(drawn.by_layer(frame).data)
    assert "semantic role (made-up) 1.7" in answer_of(drawn.compression(frame, 2).data)
    assert answer_of(drawn.beside_published(frame, 2).data).startswith("Mean half-width of an interval: 1.0 points")


def test_tasks_that_were_not_published_are_not_laid_beside_anything(frame):
    figure = drawn.beside_published(frame[frame["task"] == "made-up/entity"], 2)
    assert "No curve of one of this run's tasks was published" in figure.data


def test_a_run_without_description_lengths_says_so(frame):
    figure = drawn.compression(frame[frame["metric"] != "compression"], 2)
    assert "not measured" in figure.data


def test_runs_that_were_measured_without_a_line_say_so(frame):
    older = frame[(frame["baseline"] != "label-frequencies") & (frame["group"] != "recurring")]
    values = drawn.numbers(older, {}, 2)
    assert values["no_shorter"] == "A code by label frequencies alone was not measured beside it."
    assert values["selectivity"] == "not measured"
    assert answer_of(drawn.by_layer(older).data) == "Selectivity of edges whose words recur was not measured"


def test_steps_and_centres_have_intervals_over_documents(frame):
    rng = np.random.default_rng(0)
    rates = np.array([[known_edge("made-up/pos", layer, step) for layer in range(4)] for step in STEPS])
    documents = {
        task: edge_documents.Documents(np.array(STEPS), rng.binomial(50, rates, (60, *rates.shape)), np.full(60, 50))
        for task in edges.tasks(frame)
    }
    halves = drawn.numbers(frame, {}, 2, documents)["halves"]
    assert re.search(r"part of speech \(made-up\) at step \d+ \(\d+ to \d+\)", halves)
    assert re.search(r"\d+ \(\d+ to \d+\)", drawn.table(frame, 2, documents).data)
    assert re.search(
        r"part of speech \(made-up\) \d\.\d\d \(\d\.\d\d to \d\.\d\d\)", layers.numbers(frame, documents)["centres"]
    )
    assert layers.chosen(documents).data.count("<tr") == 4
    assert "cannot be told" in layers.chosen({}).data


def test_the_table_has_a_row_a_task(frame):
    table = drawn.table(frame, 2).data
    assert table.count("<tr") == 4
    assert table.count("no gain shown") == 1


def test_layers_are_told_by_maps_and_centres(frame):
    values = layers.numbers(frame)
    assert "layer 2 for part of speech (made-up)" in values["best"]
    assert values["centres"].endswith("There is nothing to weigh at the end for entity (made-up).")
    assert answer_of(layers.heat(frame).data).endswith("above that of the embeddings in 2 of 3 tasks")
    assert "no layer above the embeddings" not in layers.centres(frame).data  # text is drawn as paths
    assert "entity" not in answer_of(layers.centres(frame).data)
