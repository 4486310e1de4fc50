"""Downstream ability over checkpoints: what is read, compared and drawn of known scores."""

import re

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import downstream
from embryology.errors import EmbryologyError
from embryology.figures import downstream as drawn
from embryology.runs import measurements
from tests.synthetic import STEPS, known_score, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=20).root


@pytest.fixture(scope="module")
def frame(run):
    return downstream.read(run)


def answer(figure):
    return re.search(r"<strong>(.*?)</strong>", figure.data)[1]


def test_the_median_over_seeds_has_an_interval_that_reaches_over_all(frame):
    rows = downstream.curve(frame, "CoLA")
    assert rows["value"].tolist() == pytest.approx([known_score("CoLA", 1, step) for step in STEPS])
    assert rows["high"].tolist() == pytest.approx([known_score("CoLA", 0, step) + 0.02 for step in STEPS])
    assert rows["low"].tolist() == pytest.approx([known_score("CoLA", 2, step) - 0.02 for step in STEPS])


def test_the_mean_is_over_the_tasks_that_were_run_seed_by_seed(frame):
    means = downstream.seeds(frame, downstream.MEAN)
    assert means.shape == (len(STEPS), 3)
    assert means.loc[2000, 2] == pytest.approx((known_score("CoLA", 2, 2000) + 0.5) / 2)
    assert downstream.baseline(frame, downstream.MEAN, downstream.TF_IDF) == pytest.approx(0.6)
    assert downstream.tasks(frame) == ["CoLA", "RTE"]


def test_wnli_is_in_no_mean(run):
    rows = measurements.read(run, probe="finetune")
    worse = rows[rows["task"] == "RTE"].assign(task="WNLI", value=0.0)
    pd.testing.assert_frame_equal(downstream._means(pd.concat([rows, worse])), downstream._means(rows))


def test_most_of_the_gain_is_reached_where_the_curve_says(frame):
    values = {step: known_score("CoLA", 0, step) for step in STEPS}
    wanted = values[0] + 0.95 * (values[2000] - values[0])
    after = next(step for step in STEPS if values[step] >= wanted)
    step, least, most = downstream.reached(frame, "CoLA")
    assert least <= step <= most <= after
    assert step > STEPS[STEPS.index(after) - 1]
    assert np.isnan(downstream.reached(frame, "RTE")[0])  # nothing is gained


def test_the_trend_is_that_of_late_checkpoints(frame):
    rho, p, n = downstream.trend(frame[frame["step"] != 2000], "CoLA")  # steps 320, 640, 1280
    assert (np.isnan(rho), n) == (True, 3)
    later = frame.assign(step=frame["step"] + 2000)
    rho, p, n = downstream.trend(later, "CoLA")
    assert n == len(STEPS)
    assert rho == pytest.approx(1)
    assert p < 0.01
    assert np.isnan(downstream.trend(later, "RTE")[0])


def test_frozen_models_are_laid_beside(run, frame):
    frozen = downstream.read_frozen(run)
    both, rho = downstream.siblings(frame, frozen, "CoLA")
    assert both["step"].tolist() == list(STEPS)
    assert rho == pytest.approx(1)
    assert np.isnan(downstream.siblings(frame, frozen, "RTE")[1])


def test_a_run_without_vectors_and_one_without_frozen_models_are_said(run, tmp_path):
    folder = make_run(tmp_path / "other", sentences=20)
    for file in (folder.measurements / "frozen").glob("*.parquet"):
        file.unlink()
    assert downstream.read_frozen(folder.root) is None
    assert "were not measured" in drawn.siblings(downstream.read(folder.root), None).data
    for file in (folder.measurements / "finetune").glob("*.parquet"):
        rows = pd.read_parquet(file)
        measurements.write(file, rows.head(1).assign(task="", metric="applicable", value=0.0, low=None, high=None))
    with pytest.raises(EmbryologyError, match=r"run .*other has no vectors"):
        downstream.read(folder.root)


def test_released_averages_are_those_of_the_papers_three_models():
    assert set(downstream.published("glue_all").index) == {"ALBERT", "BERT", "ELECTRA"}
    assert downstream.published("glue_all").loc["ALBERT", 1_000_000] == pytest.approx(81.50, abs=0.01)
    assert "SQuAD2.0" in downstream.published("bert_finetune").index


def test_the_prose_tells_what_known_scores_do(frame, run):
    facts = drawn.facts(frame, downstream.read_frozen(run))
    assert facts["tasks"] == "acceptability (CoLA) and inference (RTE)"
    assert facts["n_seeds"] == "3"
    assert facts["above_words"] == "acceptability (CoLA)"
    assert facts["above_scratch"] == "acceptability (CoLA)"
    assert facts["collapsed"] == f"1 of {2 * 3 * len(STEPS)}"
    assert facts["sibling"] == f"1.00 over {len(STEPS)} checkpoints"
    assert facts["reached"].startswith("step ")


def test_every_figure_has_its_answer(frame, run):
    assert downstream.source(run) == "made-up tasks"
    assert "the mean score is" in answer(drawn.scores(frame, "made-up tasks"))
    assert "published ALBERT 93%" in answer(drawn.beside_published(frame))
    assert answer(drawn.siblings(frame, downstream.read_frozen(run))).endswith("acceptability (CoLA) 1.00")
    assert drawn.table(frame).data.count("<tr") == 4
