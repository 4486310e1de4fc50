"""Figures of downstream ability, of known scores."""

import re

import pytest

from embryology.analysis import downstream, tables
from embryology.figures import downstream as drawn
from embryology.specs.downstream import FINETUNE
from tests.synthetic import STEPS, make_run


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=20)


@pytest.fixture(scope="module")
def frame(series):
    return downstream.with_mean(tables.read([series], FINETUNE))


def answer(figure):
    return re.search(r"<strong>(.*?)</strong>", figure.data)[1]


def test_the_prose_tells_what_known_scores_do(frame, series):
    facts = drawn.facts(frame, downstream.frozen(series))
    assert facts["tasks"] == "acceptability (CoLA) and inference (RTE)"
    assert facts["n_seeds"] == "3"
    assert facts["above_words"] == "acceptability (CoLA)"
    assert facts["above_scratch"] == "acceptability (CoLA)"
    assert facts["collapsed"] == f"1 of {2 * 3 * len(STEPS)}"
    assert facts["sibling"] == f"1.00 over {len(STEPS)} checkpoints"
    assert facts["reached"].startswith("step ")


def test_every_figure_has_its_answer(frame, series):
    assert "the mean score is" in answer(drawn.scores(frame, "made-up tasks"))
    assert "published ALBERT 93%" in answer(drawn.beside_published(frame))
    assert answer(drawn.siblings(frame, downstream.frozen(series))).endswith("acceptability (CoLA) 1.00")
    assert drawn.table(frame).data.count("<tr") == 4


def test_frozen_models_that_were_not_measured_are_said(frame):
    assert "were not measured" in drawn.siblings(frame, None).data
