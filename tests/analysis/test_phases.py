"""Which n-grams explain a model: against scikit-learn and plain loops, and where it is known when one hands over."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from embryology import intervals
from embryology.analysis.phases import (
    BOTH,
    FROM_THE_FIRST,
    HANDED_OVER,
    LEFT,
    NOT_YET,
    PREDICTORS,
    UNIGRAM,
    UNTOLD,
    of_words,
    read,
)
from embryology.errors import EmbryologyError
from embryology.runs import measurements, properties
from embryology.runs.series import Series
from embryology.specs.properties import NGRAMS
from embryology.storage.files import read_table, write_table
from tests.synthetic import configuration

STEPS = np.array([0, 10, 20, 40, 80, 160, 320, 640])


def made(by_step, noise=0.5, words=600, kinds=200, seed=0):
    """Words of types, whose predictors are the same for a type but for the neighbours; ``by_step``: of the predictors
    (words, 4), what the model says at each step."""
    rng = np.random.default_rng(seed)
    types = rng.integers(0, kinds, words)
    predictors = rng.normal(-8, 1, (words, 4))
    predictors[:, 0] = rng.normal(-8, 1, kinds)[types]
    values = np.stack([by_step(step, predictors) + rng.normal(0, noise, words) for step in STEPS], axis=1)
    return predictors, values, types


def followed(change, first=0, second=1):
    """A model that says what one predictor does up to a step, and from it on another."""
    return lambda step, predictors: predictors[:, first if step < change else second]


def pair(told, by, to):
    table = told.handovers
    return table[(table["from"] == by) & (table["to"] == to)].iloc[0]


def test_a_handover_is_found_between_the_checkpoints_where_it_is():
    told = of_words(STEPS, *made(followed(80)))
    row = pair(told, UNIGRAM, LEFT)
    assert row["state"] == HANDED_OVER
    assert 20 <= row["low"] <= 40 <= row["step"] <= 80 <= row["high"] <= 160  # checkpoints are resampled too
    assert told.best[1:] == [UNIGRAM] * 3 + [LEFT] * 4
    assert pair(told, LEFT, BOTH)["state"] == NOT_YET
    assert told.added[1, 0, -1] > 0.5
    assert told.itself[1, 1, -1] > 0.5


def test_what_never_hands_over_is_said_not_to():
    told = of_words(STEPS, *made(followed(10_000)))
    assert pair(told, UNIGRAM, LEFT)["state"] == NOT_YET
    told = of_words(STEPS, *made(followed(0)))
    row = pair(told, UNIGRAM, LEFT)
    assert row["state"] == FROM_THE_FIRST
    assert np.isnan(row[["step", "low", "high"]].astype(float)).all()


def test_of_noise_nothing_can_be_told():
    """Over seeds, as an interval errs now and then."""
    told = [of_words(STEPS, *made(lambda step, predictors: -8.0, seed=seed)) for seed in range(8)]
    states = [state for each in told for state in each.handovers["state"]]
    assert states.count(UNTOLD) > 0.9 * len(states)
    assert HANDED_OVER not in states
    assert np.mean([each.alone[0] for each in told]) < 0
    shown = [(each.added[1] > 0).mean() for each in told]
    assert np.mean(shown) < 0.05


def test_shares_are_those_of_scikit_learn():
    """Of regressions that have not learnt from a word's type, the folds as they are drawn."""
    predictors, values, types = made(followed(80))
    told = of_words(STEPS, predictors, values, types)
    kinds, numbers = np.unique(types, return_inverse=True)
    folds = PredefinedSplit((np.random.default_rng(intervals.SEED).permutation(len(kinds)) % 5)[numbers])

    def explained(*columns):
        model = cross_val_predict(LinearRegression(), predictors[:, columns], values, cv=folds)
        return r2_score(values, model, multioutput="raw_values")

    for at in range(4):
        np.testing.assert_allclose(told.alone[0, at], explained(at), atol=1e-9)
        others = [each for each in range(4) if each != at]
        np.testing.assert_allclose(told.itself[0, at], explained(0, 1, 2, 3) - explained(*others), atol=1e-9)
    for at in range(1, 4):
        np.testing.assert_allclose(told.added[0, at - 1], explained(0, at) - explained(0), atol=1e-9)
    np.testing.assert_allclose(told.together[0], explained(0, 1, 2, 3), atol=1e-9)
    np.testing.assert_allclose(told.likely[0], values.mean(axis=0))
    np.testing.assert_allclose(told.levels, predictors.mean(axis=0))
    assert (told.words, told.types) == (600, len(kinds))


def test_intervals_are_a_bootstrap_over_types():
    predictors, values, types = made(followed(80), kinds=40)
    draws = 40
    told = of_words(STEPS, predictors, values, types, draws=draws)
    kinds, numbers = np.unique(types, return_inverse=True)
    folds = PredefinedSplit((np.random.default_rng(intervals.SEED).permutation(len(kinds)) % 5)[numbers])
    model = cross_val_predict(LinearRegression(), predictors[:, [1]], values, cv=folds)
    drawn, means = [], []
    for often in intervals.resamples(len(kinds), draws, intervals.SEED).astype(int):
        rows = np.repeat(np.arange(len(types)), often[numbers])
        drawn.append(r2_score(values[rows], model[rows], multioutput="raw_values"))
        means.append(values[rows].mean(axis=0))
    for curve, samples in ((told.alone[:, 1], drawn), (told.likely, means)):
        ends = np.quantile(samples, [0.025, 0.975], axis=0, method="inverted_cdf")
        np.testing.assert_allclose(curve[1:], ends, atol=1e-9)


def test_words_become_likelier_than_a_predictor_makes_them_at_a_step():
    rising = [-10.0, -9.5, -9, -8.5, -7.5, -7, -6.5, -6]
    told = of_words(STEPS, *made(lambda step, predictors: rising[STEPS.tolist().index(step)], noise=0.1))
    assert set(told.passed["state"]) == {HANDED_OVER}
    for _, row in told.passed.iterrows():
        assert 20 <= row["low"] <= 40 <= row["step"] <= 80 <= row["high"] <= 160
    level = told.levels[0]
    means = told.likely[0]
    crossing = 40 + 40 * (level - means[3]) / (means[4] - means[3])
    assert told.passed["step"][0] == pytest.approx(crossing)


@pytest.mark.parametrize(("kinds", "steps", "why"), [(20, 8, "20 word types .* takes 30"), (100, 1, "two checkpoints")])
def test_too_few_tell_nothing(kinds, steps, why):
    predictors, values, types = made(followed(80), kinds=kinds)
    told = of_words(STEPS[:steps], predictors, values[:, :steps], types)
    assert re.search(why, told)


@pytest.fixture
def run(series, tmp_path):
    """A copy that may be changed."""
    return Series.open(shutil.copytree(series.folder.root, tmp_path / "run"))


def write(run, change):
    """The words of a run, whose log-probabilities are their left neighbours' from a step on."""
    ngrams = properties.read(run, "tokens", NGRAMS).set_index("item_id")
    folder = configuration("tokens").folder(run.folder)
    rng = np.random.default_rng(0)
    for file in sorted((folder / "items").glob("*.parquet")):
        items = read_table(file).to_pandas()
        step = int(items["step"].iloc[0])
        column = "unigram" if step < change else "left"
        values = items["item_id"].map(ngrams[column]) + rng.normal(0, 0.3, len(items))
        write_table(file, items.assign(log_probability=values.astype("float32")))


def test_a_run_is_read(run):
    write(run, 320)
    told = read(run)
    row = pair(told, UNIGRAM, LEFT)
    assert (row["state"], 160 <= row["step"] <= 320) == (HANDED_OVER, True)
    items = measurements.read_items(run, "tokens")
    assert told.words == items[items["task"] == "mask-prediction"]["item_id"].nunique()
    chosen = read(run, "0,20,320,640")
    assert chosen.steps.tolist() == [0, 20, 320, 640]
    assert chosen.alone[0, 1, -1] == told.alone[0, 1, told.steps.tolist().index(640)]


def test_words_of_several_pieces_and_those_without_neighbours_are_left_out(run):
    write(run, 320)
    whole = read(run).words
    file = properties.file_of(run.folder, configuration("tokens"), "frequency")
    table = read_table(file).to_pandas()
    several = table["item_id"].str.endswith(":0")
    write_table(file, table.assign(pieces=np.where(several, 2, 1)))
    file = properties.file_of(run.folder, configuration("tokens"), NGRAMS)
    table = read_table(file).to_pandas()
    alone = table["item_id"].str.endswith(":1")
    write_table(file, table.assign(left=table["left"].where(~alone)))
    assert read(run).words == whole - several.sum() - alone.sum()


def test_what_lacks_is_said(run, monkeypatch):
    monkeypatch.setattr(measurements, "read_items", lambda *_: pd.DataFrame({"task": [], "step": []}))
    assert read(run) == "log-probabilities were not kept when it was frozen"
    properties.file_of(run.folder, configuration("tokens"), NGRAMS).unlink()
    assert "ngrams" in read(run)


def test_checkpoints_of_different_words_are_refused(run):
    folder = configuration("tokens").folder(run.folder)
    file = sorted((folder / "items").glob("*.parquet"))[0]
    write_table(file, read_table(file).to_pandas().iloc[: -len(PREDICTORS)])
    with pytest.raises(EmbryologyError, match="measured on different words"):
        read(run)
