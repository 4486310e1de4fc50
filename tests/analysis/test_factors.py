"""Presets × seeds against runs that are made up: what is there, what is missing, what must not be compared."""

import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology import presets
from embryology.analysis import factors
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.storage.files import write_json
from tests.synthetic import make_run, write_manifest

STEPS = (0, 20, 2000)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of preset a, with another course each; seed 1 of preset b, which has no measurement at step 20."""
    folder = tmp_path_factory.mktemp("runs")

    def made(name, rate, seed, factor, numbers):
        optimizer = presets.load("smoke").outcome.optimizer.model_copy(update={"learning_rate": rate})
        outcome = {"seed": seed, "optimizer": optimizer}
        return make_run(folder / name, steps=STEPS, sentences=20, factor=factor, outcome=outcome, only=("tokens",),
                        weights=lambda step: step + numbers)  # fmt: skip

    one, other = made("a-seed0", 1e-3, 0, 1.0, 0), made("a-seed1", 1e-3, 1, 40.0, 10_000)
    third = made("b-seed1", 2e-3, 1, 5.0, 20_000)
    (gone,) = third.folder.measurements.glob("tokens/*/00000020-*.parquet")
    gone.unlink()
    return one, other, third


def last(series):
    frame = measurements.read(series, "tokens")
    rows = frame[(frame["task"] == "reconstruction") & (frame["group"] == "") & frame["baseline"].isna()]
    return float(rows[(rows["step"] == 2000) & (rows["metric"] == "accuracy")]["value"].iloc[0])


def test_runs_are_crossed_by_recipe_and_seed(runs):
    found = factors.crossed(runs)
    assert {preset: sorted(seeds) for preset, seeds in found.items()} == {"a": [0, 1], "b": [1]}
    assert factors.are_crossed(runs)
    assert not factors.are_crossed(runs[:2])  # seeds alone
    assert not factors.are_crossed(runs[1:])  # presets alone


def test_what_is_not_there_is_missing_and_what_is_not_measured_is_counted(runs):
    cells = factors.read(runs).cells.set_index(["preset", "seed", "probe"])
    assert cells["wanted"].tolist() == [3, 3, 2, 2]
    assert cells["measured"].to_dict() == {
        ("a", 0, "tokens"): 3, ("a", 1, "tokens"): 3, ("b", 0, "tokens"): 0, ("b", 1, "tokens"): 2,
    }  # fmt: skip


def test_where_a_run_says_what_it_asks_for_that_is_what_is_wanted(runs, tmp_path):
    series = make_run(tmp_path / "c-seed0", steps=STEPS, sentences=5, only=("tokens",), outcome={"batch_size": 32})
    write_manifest(series.folder, series.manifest.outcome, {"tokens": {"every": 2}})
    cells = factors.read([*runs, Series.open(series.folder.root)]).cells.set_index(["preset", "seed"])
    grid = series.manifest.outcome.checkpoints
    assert cells.loc[("c", 0), "wanted"] == len({*grid[::2], grid[-1]})


def test_ends_are_the_last_values_and_a_seed_that_is_missing_has_none(runs):
    ends = factors.read(runs).ends
    values = {(row.preset, row.seed): row.value for row in ends.itertuples()}
    assert set(ends["measure"]) == {"words reconstructed"}
    assert values[("a", 0)] == last(runs[0]) != values[("a", 1)] == last(runs[1])
    assert values[("b", 1)] == last(runs[2])
    assert np.isnan(values[("b", 0)])


def test_presets_that_were_asked_otherwise_are_not_held_against_each_other(runs, tmp_path):
    other = shutil.copytree(runs[2].folder.root, tmp_path / "b-seed1")
    changed = Series.open(other)
    (configuration,) = measurements.standing(changed.folder).values()
    of_gold = configuration.model_copy(update={"data": {"made": "gold"}})
    configuration.folder(changed.folder).rename(of_gold.folder(changed.folder))
    write_json(changed.folder.standing, {"tokens": of_gold.model_dump(mode="json")})
    read = factors.read([*runs[:2], changed])
    assert read.ends.empty
    assert read.remarks == (
        "b is not held against others for probe tokens: b-seed1 was measured with other settings or data than a.",
        "Of one preset alone, and so not drawn: words reconstructed.",
    )


def test_the_spread_of_seeds_is_their_mean_with_the_t_interval_that_scipy_has():
    values = {("a", 0): 0.5, ("a", 1): 0.6, ("a", 2): 0.4, ("b", 0): 0.7, ("b", 1): 0.9, ("b", 2): np.nan}
    ends = pd.DataFrame([("words", *key, 20, value) for key, value in values.items()],
                        columns=["measure", "preset", "seed", "step", "value"])  # fmt: skip
    a, b = factors.spread(ends).to_dict("records")
    low, high = stats.t.interval(0.95, 2, 0.5, stats.sem([0.5, 0.6, 0.4]))
    assert (a["seeds"], a["mean"], a["range"]) == (3, pytest.approx(0.5), pytest.approx(0.2))
    assert (a["low"], a["high"]) == (pytest.approx(low), pytest.approx(high))
    assert (b["seeds"], b["mean"], b["range"]) == (2, pytest.approx(0.8), pytest.approx(0.2))
    assert np.isnan(b["low"])


def test_presets_are_apart_where_no_seed_of_one_is_among_those_of_another():
    rows = [
        *(("apart", "a", 0, 0.1), ("apart", "a", 1, 0.2), ("apart", "b", 0, 0.3), ("apart", "b", 1, 0.4)),
        *(("among", "a", 0, 0.1), ("among", "a", 1, 0.35), ("among", "b", 0, 0.3), ("among", "b", 1, 0.4)),
        *(("alone", "a", 0, 0.1), ("alone", "a", 1, 0.2), ("alone", "b", 0, 0.9), ("alone", "b", 1, np.nan)),
    ]
    ends = pd.DataFrame(rows, columns=["measure", "preset", "seed", "value"])
    assert factors.apart(factors.Factors(("a", "b"), (0, 1), pd.DataFrame(), ends, {}, ())) == (1, 2)
