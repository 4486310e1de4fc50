"""Times of all probes on one clock, of runs whose curves are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import clock, training
from embryology.analysis.knowledge import Followed
from embryology.analysis.learning_order import NEVER_BEYOND, REACHED
from embryology.analysis.permuted import Chance
from embryology.analysis.trajectories import Trajectories
from embryology.errors import EmbryologyError
from tests.synthetic import KNOWN, STEPS, make_run

COVERS = ("embryology/analysis/training.py",)

TOKENS_A_STEP = 2048


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic")


@pytest.fixture(scope="module")
def times(series):
    return clock.read(series)


def of(times, kind):
    return times[times["kind"] == kind].set_index("what")


def test_words_come_in_the_order_that_they_were_made_in_each_within_its_interval(times):
    words = of(times, clock.WORDS)
    tags = words.index.str.extract(r"\((\w+)\)")[0]
    half = pd.Series([KNOWN[tag][0] for tag in tags], words.index)
    reached = words["state"] == REACHED
    assert {tag for tag, ok in zip(tags, reached, strict=True) if not ok} == {"NNP"}
    assert words.loc["proper nouns (NNP)", "state"] == NEVER_BEYOND
    barely = reached & np.array([KNOWN[tag][2] < 0.2 for tag in tags])  # whom blind answers make hardly later
    assert barely.sum() == 5
    assert half[barely].is_monotonic_increasing
    # Halfway above blind answers is later than half of the final value, and no more than twice as late here.
    assert (words.loc[reached, "high"] >= half[reached]).all()
    assert (words.loc[reached, "low"] <= 2 * half[reached]).all()


def test_what_has_a_time_comes_by_it_and_what_has_none_comes_last(times):
    reached = times["state"] == REACHED
    assert reached.sum() >= 10
    assert times.loc[reached, "step"].is_monotonic_increasing
    assert not reached.iloc[reached.sum() :].any()
    assert times.loc[~reached, ["step", "low", "high"]].isna().all(axis=None)
    assert set(times["kind"]) >= {clock.WORDS, clock.VECTORS, clock.ATTENTION}


def test_facts_come_halfway_between_the_checkpoints_where_they_were_made_to(series, monkeypatch):
    facts = pd.DataFrame(
        {"item_id": [f"f{i}" for i in range(200)], "group": "P1", "object_number": np.arange(200) // 2}
    )
    known = np.zeros((200, len(STEPS)), bool)
    known[:160, STEPS.index(160) :] = True
    paths = Trajectories(facts, np.array(STEPS), known, facts["object_number"].to_numpy())
    told = Followed(paths, "correct", Chance(900.0, 100.0, 0.001), 200)
    monkeypatch.setattr(clock.knowledge, "trajectories", lambda *_: told)
    _, _, state, step, low, high, *_ = next(clock._facts(series, "all"))
    assert state == REACHED
    assert low <= 80 < 160 <= high
    assert step == pytest.approx(120)
    by_chance = replace(told, chance=Chance(100.0, 100.0, 0.5))
    monkeypatch.setattr(clock.knowledge, "trajectories", lambda *_: by_chance)
    assert next(clock._facts(series, "all"))[2] == NEVER_BEYOND


def test_times_in_tokens_and_in_nats_are_those_of_the_checkpoints_around(series):
    table = pd.DataFrame({"step": [30.0, 640.0], "low": [20.0, -np.inf], "high": [np.inf, 1280.0]})
    tokens = training.on_axis(series, table, "tokens")
    assert tokens["step"].tolist() == [30 * TOKENS_A_STEP, 640 * TOKENS_A_STEP]
    assert tokens["low"].tolist() == [20 * TOKENS_A_STEP, -np.inf]
    assert tokens["high"].tolist() == [np.inf, 1280 * TOKENS_A_STEP]
    losses = series.losses.dropna(subset=["held_out_masked_loss"]).set_index("step")
    best, at = -np.inf, {}
    for step, row in losses.iterrows():  # the lowest loss so far
        best = max(best, row["unigram_loss"] - row["held_out_masked_loss"])
        at[step] = best
    nats = training.on_axis(series, table, "nats")
    assert nats["step"].tolist() == pytest.approx([(at[20] + at[40]) / 2, at[640]])
    assert training.on_axis(series, table, "step") is table


def test_an_axis_that_is_not_known_is_refused(series):
    bare = replace(series, checkpoints=tuple(replace(each, tokens=None) for each in series.checkpoints))
    with pytest.raises(EmbryologyError, match="how many tokens"):
        training.on_axis(bare, pd.DataFrame({"step": [], "low": [], "high": []}), "tokens")
