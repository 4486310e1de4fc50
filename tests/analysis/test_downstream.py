"""Downstream ability over checkpoints: what is read, compared and drawn of known scores."""

import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.isotonic import isotonic_regression

from embryology.analysis import downstream, tables
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import NOT_APPLICABLE, UNTRAINED
from embryology.specs.downstream import FINETUNE, TF_IDF
from tests.synthetic import STEPS, known_score, make_run, measure


@pytest.fixture(scope="module")
def frame(series):
    return downstream.with_mean(tables.read([series], FINETUNE))


def test_the_median_over_seeds_has_an_interval_that_reaches_over_all(frame):
    rows = downstream.curve(frame, "CoLA")
    assert rows["value"].tolist() == pytest.approx([known_score("CoLA", 1, step) for step in STEPS])
    assert rows["high"].tolist() == pytest.approx([known_score("CoLA", 0, step) + 0.02 for step in STEPS])
    assert rows["low"].tolist() == pytest.approx([known_score("CoLA", 2, step) - 0.02 for step in STEPS])


def test_the_mean_is_over_the_tasks_that_were_run_seed_by_seed(frame):
    means = downstream.seeds(frame, downstream.MEAN)
    assert means.shape == (len(STEPS), 3)
    assert means.loc[2000, 2] == pytest.approx((known_score("CoLA", 2, 2000) + 0.5) / 2)
    assert downstream.baseline(frame, downstream.MEAN, TF_IDF) == pytest.approx(0.6)
    assert downstream.tasks(frame) == ["CoLA", "RTE"]


def test_wnli_is_in_no_mean(series):
    rows = measurements.read(series, FINETUNE)
    worse = rows[rows["task"] == "RTE"].assign(task="WNLI", value=0.0)
    means = [downstream.with_mean(frame) for frame in (pd.concat([rows, worse]), rows)]
    means = [frame[frame["task"] == downstream.MEAN].reset_index(drop=True) for frame in means]
    assert len(means[1]) == len(STEPS) * (3 + 2)
    pd.testing.assert_frame_equal(*means)


def test_single_development_sets_and_the_untrained_model_are_in_no_mean(series):
    rows = tables.read([series], FINETUNE)
    assert UNTRAINED in set(rows["baseline"])
    matched = rows[rows["metric"] == "score"].assign(group="matched", value=0.0)
    pd.testing.assert_frame_equal(
        downstream.with_mean(pd.concat([rows, matched])),
        downstream.with_mean(rows[rows["baseline"] != UNTRAINED]),
    )


def test_means_are_those_of_each_series(series, tmp_path):
    other = make_run(tmp_path / "other", sentences=20, steps=(0, 100))
    frame = downstream.with_mean(tables.read([series, other], FINETUNE, steps="640"))
    assert downstream.seeds(frame, downstream.MEAN).index.tolist() == [640]
    assert downstream.seeds(frame, downstream.MEAN, series="other").index.tolist() == [0, 100]
    assert frame["series"].drop_duplicates().tolist() == ["synthetic", "other"]


def test_most_of_the_gain_is_reached_where_the_curve_says(frame):
    values = np.array([known_score("CoLA", 1, step) for step in STEPS])  # the mean of three seeds is the second one's
    wanted = values[0] + 0.95 * (values[-3:].mean() - values[0])
    step, low, high = downstream.reached(frame, "CoLA")
    assert step == pytest.approx(np.interp(wanted, values, STEPS))
    assert low < step < high
    assert np.isnan(downstream.reached(frame, "RTE")).all()  # nothing is gained
    assert np.isnan(downstream.reached(frame[frame["step"] < 60], "CoLA")).all()  # three checkpoints


TRUE_STEPS = np.array([0, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 16000, 20000])


def noisy(rng, noise=0.008, seeds=3):
    """The scores of three seeds, 95% of whose true gain is there at step 2,650; all vary with items and seeds."""
    truth = 0.5 + 0.2 * np.minimum(TRUE_STEPS / 2650 * 0.95, 1)
    values = (
        truth + noise * rng.standard_normal(len(TRUE_STEPS)) + noise * rng.standard_normal((seeds, len(TRUE_STEPS)))
    )
    rows = [
        {"series": "s", "task": "t", "metric": "score", "baseline": None, "seed": seed, "step": step, "value": value,
         "low": value - 1.96 * noise, "high": value + 1.96 * noise}
        for seed, scores in enumerate(values) for step, value in zip(TRUE_STEPS, scores, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def scores_of(values, steps=None, half=0.0, **columns):
    """The scores (steps, seeds) of a task, each with an interval that reaches so far to either side."""
    values = np.asarray(values, float).reshape(len(values), -1)
    steps = np.arange(len(values)) if steps is None else np.asarray(steps)
    table = pd.DataFrame(
        {
            "series": "s", "task": "t", "metric": "score", "baseline": None, "group": "", "n": 300,
            "step": np.repeat(steps, values.shape[1]), "tokens": 100 * np.repeat(steps, values.shape[1]),
            "seed": np.tile(np.arange(values.shape[1]), len(values)), "value": values.ravel(),
        }
    )  # fmt: skip
    return table.assign(low=table["value"] - half, high=table["value"] + half, **columns)


def test_the_median_of_seeds_is_not_their_mean():
    rows = downstream.curve(scores_of([[0.1, 0.2, 0.9], [0.3, 0.5, 0.4]], half=0.01), "t")
    assert rows["value"].tolist() == [0.2, 0.4]
    assert rows[["low", "high"]].to_numpy() == pytest.approx(np.array([[0.09, 0.91], [0.29, 0.51]]))
    assert rows["tokens"].tolist() == [0, 100]


@pytest.mark.parametrize(("margin", "told"), [(0.9, False), (1.1, True)])
@pytest.mark.parametrize(("half", "spread"), [(0.02, 0.0), (0.0, 0.02), (0.01, 0.01)])
def test_a_gain_is_told_where_it_is_beyond_the_noise_of_items_and_seeds(half, spread, margin, told):
    """Of three seeds whose scores are ``spread`` apart, the variance of their mean is a third of ``spread`` squared.

    The mean of the last three checkpoints less the first one varies by four thirds of one checkpoint's variance.
    """
    variance = (half / stats.norm.ppf(0.975)) ** 2 + spread**2 / 3
    gain = margin * stats.norm.ppf(0.975) * np.sqrt(4 / 3 * variance)
    curve = 0.5 + gain * np.array([0, 0.2, 0.5, 0.8, 1, 1, 1])
    frame = scores_of(curve[:, None] + spread * np.array([-1, 0, 1]), half=half)
    assert np.isfinite(downstream.reached(frame, "t")[0]) == told


def test_the_step_of_a_gain_is_where_scikit_learns_rising_fit_has_it():
    """Over resamples by plain loops too, whose interval is moved out to checkpoints; one dip and one blip."""
    values = np.array([0.3, 0.5, 0.6, 0.58, 0.7, 0.66, 0.73, 0.76, 0.8, 0.78])
    steps = np.array([0, 10, 20, 40, 60, 80, 100, 150, 200, 300])
    half = 0.05

    def step_of(curve):
        level = curve[0] + 0.95 * (curve[-3:].mean() - curve[0])
        return np.interp(level, isotonic_regression(curve) + 1e-12 * np.arange(10), steps)

    step, low, high = downstream.reached(scores_of(values, steps, half), "t")
    assert step == pytest.approx(step_of(values))
    rng = np.random.default_rng(7)
    drawn = [step_of(values + rng.normal(0, half / 1.96, 10)) for _ in range(500)]
    ends = np.percentile(drawn, [2.5, 97.5])
    assert low == steps[steps <= ends[0]][-1]
    assert high == steps[steps >= ends[1]][0]
    assert low < steps[steps < step][-1]  # it is not the checkpoints around the step


def test_a_late_best_does_not_make_a_gain_late():
    """The best checkpoint of a plateau is any of it: of the gain to that one 95% may be there at any step, too."""
    frames = [noisy(np.random.default_rng(number)) for number in range(40)]
    found = np.array([downstream.reached(frame, "t") for frame in frames])
    to_the_best = []
    for frame in frames:
        means = frame.groupby("step")["value"].mean().to_numpy()
        level = means[0] + 0.95 * (means.max() - means[0])
        to_the_best.append(TRUE_STEPS[(means >= level).argmax()])
    assert np.median(found[:, 0]) == pytest.approx(2650, rel=0.15)
    assert (found[:, 0] > 4000).mean() < 0.6 * (np.array(to_the_best) > 4000).mean()
    assert set(found[:, 1:].ravel()) <= {*TRUE_STEPS, np.inf}  # what is between two checkpoints is not seen


@pytest.mark.long
def test_the_interval_of_a_step_covers_it():
    found = [downstream.reached(noisy(np.random.default_rng(number)), "t") for number in range(300)]
    covered = np.mean([low <= 2650 <= high for _, low, high in found])
    assert covered >= 0.92


def test_no_gain_is_told_of_noise():
    flat = [noisy(np.random.default_rng(number)) for number in range(40)]
    for frame in flat:
        frame[["value", "low", "high"]] -= 0.2 * np.minimum(frame["step"] / 2650 * 0.95, 1).to_numpy()[:, None]
    assert sum(np.isfinite(downstream.reached(frame, "t")[0]) for frame in flat) <= 4


def test_the_trend_is_that_of_late_checkpoints(frame):
    rho, n = downstream.trend(frame[frame["step"] != 2000], "CoLA")  # steps 320, 640, 1280
    assert (np.isnan(rho), n) == (True, 3)
    later = frame.assign(step=frame["step"] + 2000)
    rho, n = downstream.trend(later, "CoLA")
    assert n == len(STEPS)
    assert rho == pytest.approx(1)
    assert np.isnan(downstream.trend(later, "RTE")[0])


def test_a_trend_is_spearmans_after_a_quarter_of_the_steps():
    values = np.array([0.9, 0.1, 0.3, 0.2, 0.9, 0.25, 0.35])
    rho, n = downstream.trend(scores_of(values, [10, 24, 25, 40, 60, 80, 100]), "t")
    assert n == 5  # 25 is a quarter of 100
    assert rho == pytest.approx(stats.spearmanr([25, 40, 60, 80, 100], values[2:]).statistic)


def test_frozen_models_are_laid_beside(series, frame):
    frozen = downstream.frozen(series)
    both, rho = downstream.siblings(frame, frozen, "CoLA")
    assert both["step"].tolist() == list(STEPS)
    assert rho == pytest.approx(1)
    assert np.isnan(downstream.siblings(frame, frozen, "RTE")[1])
    assert set(downstream.frozen(series, "0,20")["step"]) == {0, 20}


def test_siblings_are_compared_by_rank_where_both_were_measured():
    tuned, beside = scores_of([0.1, 0.2, 0.9, 0.3, 0.4]), scores_of([0.5, 0.3, 0.6, 0.7, 0.8], [1, 2, 3, 4, 5])
    both, rho = downstream.siblings(tuned, beside, "t")
    assert both[["step", "tuned", "frozen"]].to_numpy().tolist() == [[1, 0.2, 0.5], [2, 0.9, 0.3], [3, 0.3, 0.6],
                                                                    [4, 0.4, 0.7]]  # fmt: skip
    assert rho == pytest.approx(stats.spearmanr(both["tuned"], both["frozen"]).statistic)


def test_collapses_and_baselines_are_those_of_the_first_series_and_of_the_task():
    collapsed = scores_of([0, 1, 0], metric="collapsed"), scores_of([1, 1, 1], metric="collapsed", series="other")
    frame = pd.concat([scores_of([0.1, 0.2, 0.3]), *collapsed, collapsed[0].assign(group="matched")])
    assert downstream.collapsed(frame).to_numpy().tolist() == [["t", 1, 0]]
    lines = [scores_of([score] * 3, task=task, baseline="majority") for task, score in (("t", 0.3), ("mean", 0.6))]
    assert downstream.baseline(pd.concat([frame, *lines]), "t", "majority") == 0.3
    assert np.isnan(downstream.baseline(frame, "t", "majority"))


def test_the_mean_of_a_seed_is_over_its_tasks_alone_and_tasks_that_stand_apart_have_one_of_their_own():
    tasks = {"CoLA": [[0.1, 0.2]], "RTE": [[0.5, 0.8]], "WNLI": [[0.9, 0.9]], "SQuAD": [[1.0, 0.0]]}
    frame = pd.concat([scores_of(values, half=0.05, task=task) for task, values in tasks.items()])
    means = downstream.with_mean(frame).query("task == 'mean'").set_index("seed")
    assert means["value"].to_dict() == pytest.approx({0: 0.3, 1: 0.5})
    assert (means["high"] - means["low"]).tolist() == pytest.approx([0.1, 0.1])
    assert means["n"].tolist() == [600, 600]
    apart = downstream.with_mean(frame[frame["task"].isin(["WNLI", "SQuAD"])])
    assert downstream.seeds(apart, "mean").to_numpy().tolist() == [pytest.approx([0.95, 0.45])]


def test_frozen_models_that_were_not_measured_are_none(series, tmp_path):
    series = Series.open(shutil.copytree(series.folder.root, tmp_path / "other"))
    series.folder.standing.unlink()
    for step in STEPS:
        measure(
            series.folder, FINETUNE, step, [measurements.row("", "", NOT_APPLICABLE, None, reason="it has no vectors")]
        )
    assert downstream.frozen(series) is None
    with pytest.raises(EmbryologyError, match="other: probe finetune does not apply: it has no vectors"):
        tables.read([series], FINETUNE)


def test_the_source_names_tasks_in_their_order(series):
    assert downstream.source(series) == "made-up tasks"


def test_released_averages_are_those_of_the_papers_three_models():
    assert set(downstream.published("glue_all").index) == {"ALBERT", "BERT", "ELECTRA"}
    assert downstream.published("glue_all").loc["ALBERT", 1_000_000] == pytest.approx(81.50, abs=0.01)
    assert "SQuAD2.0" in downstream.published("bert_finetune").index
    points = pd.read_csv(downstream.FOLDER / "electra_finetune.csv").to_dict("records")
    table = downstream.published("electra_finetune")
    assert {(row["series"], row["step"]): row["value"] for row in points[::-1]} == table.stack().dropna().to_dict()
