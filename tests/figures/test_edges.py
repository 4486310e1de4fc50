"""The figures of the edge probe say what known curves do."""

import re

import pytest

from embryology.analysis import edges, plateau
from embryology.figures import edges as drawn
from embryology.figures import layers
from tests.synthetic import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=20).root


@pytest.fixture(scope="module")
def frame(run):
    return edges.read(run)


@pytest.fixture(scope="module")
def facts(frame, run):
    return drawn.facts(frame, edges.sources(run), 2)


def answer(figure):
    return re.search(r"<strong>(.*?)</strong>", figure.data)[1]


def test_facts_tell_what_is_beyond_the_baselines_and_in_which_order(facts):
    assert facts["beyond"] == "part of speech (made-up) and semantic role (made-up)"
    assert facts["not_beyond"] == ("entity (made-up): the majority, the untrained model and the static embeddings")
    assert re.fullmatch(
        r"part of speech \(made-up\) at step \d+ and semantic role \(made-up\) at step \d+", facts["order"]
    )
    assert facts["flat"] == "entity (made-up)"
    assert facts["unread"] == "2.0%"
    assert facts["selectivity"] == "0.14 to 0.60"


def test_scores_have_the_loss_and_all_baselines_with_them(frame, run):
    figure = drawn.scores(frame, plateau.read(run), edges.sources(run), 2)
    assert answer(figure) == "At step 2,000, layer 2 tells more than every baseline in 2 of 3 tasks"
    assert "held-out vital articles" in figure.data  # silver labels are said on the figure
    assert "2.0% lie beyond the model&#x27;s input" in figure.data


def test_two_runs_are_drawn_each_at_its_best_layer(run, tmp_path):
    other = make_run(tmp_path / "other", sentences=20).root
    frame = edges.read(run, [other])
    figure = drawn.scores(frame, plateau.read(run, [other]), edges.sources(run), 1)
    assert "over tokens read" in figure.data


def test_controls_compression_and_published_curves_have_their_answers(frame):
    assert "part of speech (made-up) 0.60" in answer(drawn.by_layer(frame))
    assert "semantic role (made-up) 1.7" in answer(drawn.compression(frame, 2))
    assert answer(drawn.beside_published(frame, 2)).startswith("Mean half-width of an interval: 1.0 points")


def test_tasks_that_were_not_published_are_not_laid_beside_anything(frame):
    figure = drawn.beside_published(frame[frame["task"] == "made-up/entity"], 2)
    assert "No curve of one of this run's tasks was published" in figure.data


def test_a_run_without_description_lengths_says_so(frame):
    figure = drawn.compression(frame[frame["metric"] != "compression"], 2)
    assert "not measured" in figure.data


def test_the_table_has_a_row_a_task(frame):
    table = drawn.table(frame, 2).data
    assert table.count("<tr") == 4
    assert table.count("no gain shown") == 1


def test_layers_are_told_by_maps_and_centres(frame):
    said = layers.facts(frame)
    assert "layer 2 for part of speech (made-up)" in said["best"]
    assert said["no_centre"] == "entity (made-up)"
    assert answer(layers.heat(frame)).endswith("best one in 2 of 3 tasks")
    assert "no layer above the embeddings" not in layers.centres(frame).data  # text is drawn as paths
    assert "not for: entity (made-up)" in layers.centres(frame).data
