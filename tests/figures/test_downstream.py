"""Figures of downstream ability, of known scores."""

import pytest

from embryology.analysis import downstream, tables
from embryology.figures import downstream as drawn
from embryology.specs.downstream import FINETUNE
from tests.figures.reading import answer_of
from tests.synthetic import STEPS


@pytest.fixture(scope="module")
def frame(series):
    return downstream.with_mean(tables.read([series], FINETUNE))


def test_the_prose_tells_what_known_scores_do(frame, series):
    values = drawn.numbers(frame, downstream.frozen(series))
    assert values["tasks"] == "acceptability (CoLA) and inference (RTE)"
    assert values["n_seeds"] == "3"
    assert values["above_words"] == "acceptability (CoLA)"
    assert values["above_scratch"] == "acceptability (CoLA)"
    assert values["collapsed"] == f"1 of {2 * 3 * len(STEPS)}"
    assert values["sibling"] == f"1.00 over {len(STEPS)} checkpoints"
    assert values["reached"].startswith("95% of it is there at step ")


def test_every_figure_has_its_answer(frame, series):
    assert "the mean score is" in answer_of(drawn.scores(frame, "made-up tasks").data)
    assert "published ALBERT 96%" in answer_of(drawn.beside_published(frame).data)
    assert answer_of(drawn.siblings(frame, downstream.frozen(series)).data).endswith("acceptability (CoLA) 1.00")
    assert drawn.table(frame).data.count("<tr") == 4


def test_frozen_models_that_were_not_measured_are_said(frame):
    assert "were not measured" in drawn.siblings(frame, None).data
