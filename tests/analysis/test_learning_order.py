import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embryology.analysis import curves, learning_order, plateau, published
from embryology.analysis.learning_order import BEFORE_FIRST, NOT_REACHED, REACHED, agreement, first_crossing, half_steps
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from tests.synthetic import KNOWN, STEPS, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic")


@pytest.fixture(scope="module")
def tables(run):
    return curves.read(run.root), measurements.read_items(run.root, "tokens")


def times_of(steps, spacing=0.0):
    """Learning times as given: numbers, or a state."""
    numbers = [np.nan if isinstance(step, str) else step for step in steps]
    states = [step if isinstance(step, str) else REACHED for step in steps]
    index = [f"T{i}" for i in range(len(steps))]
    return pd.DataFrame({"state": states, "step": numbers, "spacing": spacing}, index=index)


@pytest.mark.parametrize(
    ("curve", "half"),
    [
        ([0.0, 0.2, 0.6, 0.8], 20 + 0.5 * 20),  # 0.4 lies half-way between 0.2 and 0.6
        ([0.0, 0.4, 0.6, 0.8], 20),  # a checkpoint exactly at half
        ([0.0, 0.5, 0.1, 0.8], 16),  # the first of two crossings
        ([0.0, 0.0, 0.0, 1.0], 40 + 0.5 * 40),
        ([0.5, 0.6, 0.7, 0.8], -np.inf),  # there before training
        ([0.0, 0.9, 0.5, 0.0], np.inf),  # forgotten: half of nothing
        ([0.0, 0.0, 0.0, 0.0], np.inf),
    ],
)
def test_half_steps_by_hand(curve, half):
    assert half_steps([0, 20, 40, 80], curve) == half


def test_half_steps_of_many_curves_and_of_one_checkpoint():
    many = np.broadcast_to([0.0, 0.2, 0.6, 0.8], (5, 3, 4))
    assert (half_steps([0, 20, 40, 80], many) == 30).all()
    assert np.isnan(half_steps([0, 20], [np.nan, 1.0]))
    assert half_steps([100], [0.7]) == -np.inf
    assert half_steps([100], [0.0]) == np.inf
    assert first_crossing([0, 10], [5.0, 1.0], 6) == np.inf


PUBLISHED = {
    "DT": 872.5, "CC": 1637.3, "IN": 1840.3, "PRP": 8344.8, "RB": 9718.5, "VB": 10927.6, "JJ": 12625.9,
    "NN": 13429.7, "NNP": 14462.1,
}  # fmt: skip


def test_the_published_curves_give_the_published_order():
    times = published.learning_times("ALBERT")
    assert times["step"].round(1).to_dict() == PUBLISHED
    assert learning_order.in_order(times) == list(PUBLISHED) == list(curves.GROUPS)
    assert set(times["state"]) == {REACHED}
    assert set(times["spacing"]) == {1000.0}


def test_published_bert_has_the_same_order_but_many_groups_too_close_to_tell():
    albert, bert = published.learning_times("ALBERT"), published.learning_times("BERT")
    plain = agreement(albert, bert, spaced=False)
    assert (plain.tau, plain.same, plain.reversed, plain.tied) == (1.0, 36, 0, 0)
    assert plain.p == pytest.approx(2 / 362_880)
    tied = agreement(albert, bert)
    assert tied.reversed == 0
    assert tied.tied > 0
    assert tied.tau < 1
    with pytest.raises(ValueError, match="'GPT'"):
        published.reconstruction("GPT")


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(7)))
def test_without_ties_tau_and_p_are_scipys(order):
    found = agreement(times_of(range(7)), times_of(order))
    theirs = stats.kendalltau(range(7), order, method="exact")
    assert found.tau == pytest.approx(theirs.statistic)
    assert found.p == pytest.approx(theirs.pvalue)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=5, max_size=5), st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_with_ties_tau_is_tau_b_and_p_is_brute_force(a, b):
    found = agreement(times_of(a), times_of(b))
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found.tau is None
        assert found.p is None
        return
    assert found.tau == pytest.approx(stats.kendalltau(a, b).statistic)
    every = [abs(stats.kendalltau(a, other).statistic) for other in itertools.permutations(b)]
    assert found.p == pytest.approx(np.mean(np.array(every) >= abs(found.tau) - 1e-12))


def test_gaps_below_the_wider_spacing_are_ties():
    found = agreement(times_of([0, 5, 20], spacing=10.0), times_of([1, 2, 3]))
    assert (found.same, found.reversed, found.tied) == (2, 0, 1)
    assert found.tau == pytest.approx(2 / np.sqrt(2 * 3))
    wider = times_of([0, 5, 20])
    wider.loc["T1", "spacing"] = 16
    assert agreement(wider, times_of([1, 2, 3])).tied == 2


def test_states_without_a_number_have_their_place_in_an_order():
    ours = times_of([NOT_REACHED, 40, BEFORE_FIRST, 30, NOT_REACHED], spacing=5.0)
    assert learning_order.in_order(ours) == ["T2", "T3", "T1", "T0", "T4"]
    found = agreement(ours, times_of([5, 3, 1, 2, 6]))
    assert (found.same, found.reversed, found.tied) == (9, 0, 1)
    assert agreement(times_of([NOT_REACHED] * 3), times_of([1, 2, 3])).tau is None


def test_too_many_groups_for_all_permutations_are_refused():
    with pytest.raises(ValueError, match="at most 9"):
        agreement(times_of(range(10)), times_of(range(10)))


def test_groups_in_only_one_table_are_left_out():
    assert agreement(times_of([1, 2, 3, 4]), times_of([1, 2, 3])).groups == 3


def test_the_order_of_a_run_is_found_with_intervals_around_its_times(tables):
    times = learning_order.learning_times(*tables, "reconstruction")
    learnt = times[times["learnt"]]
    assert learning_order.in_order(times) == list(curves.GROUPS)
    known = pd.Series({tag: KNOWN[tag][0] for tag in learnt.index})
    assert (learnt["step"] / known - 1).abs().max() < 0.25  # linear between coarse checkpoints
    assert (learnt["low"] <= learnt["step"]).all()
    assert (learnt["step"] <= learnt["high"]).all()
    for tag, row in times.iterrows():
        assert row["final"] == curves.curve(tables[0], "reconstruction", tag)["value"].iloc[-1]
    found = agreement(times, published.learning_times())
    assert found.reversed == 0
    assert found.p < 0.01


def test_the_bootstrap_interval_is_that_of_sentences_drawn_one_by_one(tables):
    frame, items = tables
    times = learning_order.learning_times(frame, items, "reconstruction", ["RB"])
    words = items[(items["task"] == "reconstruction") & (items["tag"] == "RB")]
    by_sentence = words.groupby(["sentence", "step"], sort=False)["correct"].mean().unstack()
    rng = np.random.default_rng(5)  # every sentence has as many adverbs
    draws = [
        float(half_steps(STEPS, by_sentence.to_numpy()[rng.integers(len(by_sentence), size=len(by_sentence))].mean(0)))
        for _ in range(1000)
    ]
    expected = np.percentile(draws, [2.5, 97.5])
    assert times.loc["RB", ["low", "high"]].to_numpy(float) == pytest.approx(expected, abs=0.15 * np.ptp(expected))


def test_a_curve_that_never_clears_its_baselines_has_no_time(tables):
    frame, items = tables
    times = learning_order.learning_times(frame, items, "reconstruction")
    assert not times.loc["NNP", "learnt"]
    assert times.loc["NNP", "final"] > 0
    assert times.loc["NNP", "state"] == NOT_REACHED
    assert times.loc["NNP", ["step", "low", "high", "spacing"]].isna().all()


def test_baselines_count_by_the_upper_end_of_their_intervals(tables):
    frame = tables[0]
    lines = curves.baselines(frame, "reconstruction", "JJ")
    assert list(lines) == list(curves.BASELINES)
    assert lines[curves.UNTRAINED]["value"] == 0
    assert curves.clears_baselines(frame, "reconstruction", "JJ")
    assert curves.clears_group(frame, "reconstruction", "JJ")
    chance = frame[frame["baseline"] != curves.FREQUENT_WORD].copy()
    own = chance["baseline"].isna() & (chance["item"] == "JJ")
    chance.loc[own, "low"] = lines[curves.UNTRAINED]["high"] - 1e-6
    assert not curves.clears_baselines(chance, "reconstruction", "JJ")
    assert not curves.clears_baselines(frame[frame["baseline"].isna()], "reconstruction", "JJ")


def test_one_checkpoint_is_before_nothing_was_seen(run, tables):
    frame = curves.read(run.root, steps="last")
    times = learning_order.learning_times(frame, tables[1], "reconstruction")
    assert times.loc["DT", "state"] == BEFORE_FIRST
    assert times.loc["NNP", "state"] == NOT_REACHED


def test_one_sentence_has_no_interval(tmp_path):
    folder = make_run(tmp_path / "one", sentences=1)
    times = learning_order.learning_times(
        curves.read(folder.root), measurements.read_items(folder.root, "tokens"), "reconstruction", [".", "VBZ"]
    )
    assert times["low"].isna().all()


def test_steps_select_checkpoints_and_keep_the_untrained_baseline(run):
    assert curves.read(run.root, steps="last")["step"].unique().tolist() == [2000]
    chosen = curves.read(run.root, steps="20, 640")
    assert chosen["step"].unique().tolist() == [20, 640]
    assert curves.UNTRAINED in curves.baselines(chosen, "reconstruction", "DT")
    assert curves.read(run.root, steps=640)["step"].unique().tolist() == [640]
    with pytest.raises(EmbryologyError, match=r"no checkpoint at step 7; choose all, last or some of 0,20,"):
        curves.read(run.root, steps="0,7")


def test_compared_runs_come_after_the_run_and_only_once(run, tmp_path):
    other = make_run(tmp_path / "another", steps=(0, 50))
    frame = curves.read(run.root, [other.root, run.root], steps="last")
    assert frame["series"].unique().tolist() == ["synthetic", "another"]
    assert curves.curve(frame, "reconstruction", "DT", "another")["step"].tolist() == [0, 50]


def test_a_model_without_a_masked_word_head_is_refused(run, tmp_path):
    frame = measurements.read(run.root).head(1).assign(metric="applicable", series="electra")
    measurements.write(tmp_path / "electra" / "measurements" / "tokens" / "00000000-a.parquet", frame)
    with pytest.raises(EmbryologyError, match="no masked-word head"):
        curves.read(tmp_path / "electra")


def test_developmental_age_finds_the_published_checkpoint_itself(tables):
    theirs = published.reconstruction("ALBERT")
    rows = theirs[[3000, 12000]].stack().rename("value").reset_index()
    frame = rows.rename(columns={"tag": "item"}).assign(series="s", task="reconstruction", baseline=None)
    frame = frame.assign(tokens=None, low=frame["value"], high=frame["value"], n=1)
    age = published.developmental_age(frame)
    assert age["published_step"].tolist() == [3000, 12000]
    assert age["difference"].tolist() == [0, 0]
    assert age["rank_correlation"].tolist() == pytest.approx([1, 1])
    assert np.isnan(published.developmental_age(tables[0])["rank_correlation"].iloc[0])  # untrained: all 0


@pytest.mark.parametrize(
    ("loss", "entered", "left"),
    [
        ([9.0, 7.2, 7.0, 6.8], 10 + 10 * (0.1 / 0.2), 20 + 10 * (0.1 / 0.2)),
        ([9.0, 8.0, 7.5, 7.2], None, None),
        ([9.0, 7.0, 6.95, 6.95], 19 / 2, None),
        ([7.0, 7.0, 7.0, 6.9], 0, 30),
    ],
)
def test_the_plateau_by_hand(loss, entered, left):
    table = pd.DataFrame({"step": [0, 10, 20, 30], "held_out_masked_loss": loss, "unigram_loss": 7.0})
    found = plateau.plateau(table)
    assert found.entered == (None if entered is None else pytest.approx(entered))
    assert found.left == (None if left is None else pytest.approx(left))
    assert (found.unigram, found.final) == (7.0, loss[-1])


def test_steps_select_evaluations_of_the_losses(run):
    table = plateau.read(run.root, [run.root], steps="0,640")
    assert table.dropna(subset=["held_out_masked_loss"])["step"].tolist() == [0, 640]
    assert table["step"].max() == 640
    assert len(table) > 5
    assert set(table["series"]) == {"synthetic"}
