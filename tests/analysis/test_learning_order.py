import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embryology.analysis import curves, learning_order, published, tables
from embryology.analysis.learning_order import BEFORE_FIRST, NOT_REACHED, REACHED, agreement, first_crossing, half_steps
from embryology.runs import measurements
from embryology.specs import UNTRAINED
from embryology.specs.tokens import FREQUENT_WORD, SPECIFICATION
from tests.synthetic import KNOWN, STEPS, make_run

COVERS = ("embryology/analysis/curves.py", "embryology/analysis/published.py")


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic")


@pytest.fixture(scope="module")
def frame(series):
    return tables.read([series], "tokens")


@pytest.fixture(scope="module")
def items(series):
    return measurements.read_items(series, "tokens")


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
    "DT": 872.5,
    "CC": 1637.3,
    "IN": 1840.3,
    "PRP": 8344.8,
    "RB": 9718.5,
    "VB": 10927.6,
    "JJ": 12625.9,
    "NN": 13429.7,
    "NNP": 14462.1,
}


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
    agreed = agreement(times_of(range(7)), times_of(order))
    expected = stats.kendalltau(range(7), order, method="exact")
    assert agreed.tau == pytest.approx(expected.statistic)
    assert agreed.p == pytest.approx(expected.pvalue)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=5, max_size=5), st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_with_ties_tau_is_tau_b_and_p_is_brute_force(a, b):
    agreed = agreement(times_of(a), times_of(b))
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert agreed.tau is None
        assert agreed.p is None
        return
    assert agreed.tau == pytest.approx(stats.kendalltau(a, b).statistic)
    taus = [abs(stats.kendalltau(a, other).statistic) for other in itertools.permutations(b)]
    assert agreed.p == pytest.approx(np.mean(np.array(taus) >= abs(agreed.tau) - 1e-12))


def test_gaps_below_the_wider_spacing_are_ties():
    agreed = agreement(times_of([0, 5, 20], spacing=10.0), times_of([1, 2, 3]))
    assert (agreed.same, agreed.reversed, agreed.tied) == (2, 0, 1)
    assert agreed.tau == pytest.approx(2 / np.sqrt(2 * 3))
    wider = times_of([0, 5, 20])
    wider.loc["T1", "spacing"] = 16
    assert agreement(wider, times_of([1, 2, 3])).tied == 2


def test_states_without_a_number_have_their_place_in_an_order():
    times = times_of([NOT_REACHED, 40, BEFORE_FIRST, 30, NOT_REACHED], spacing=5.0)
    assert learning_order.in_order(times) == ["T2", "T3", "T1", "T0", "T4"]
    agreed = agreement(times, times_of([5, 3, 1, 2, 6]))
    assert (agreed.same, agreed.reversed, agreed.tied) == (9, 0, 1)
    assert agreement(times_of([NOT_REACHED] * 3), times_of([1, 2, 3])).tau is None


def test_too_many_groups_for_all_permutations_are_refused():
    with pytest.raises(ValueError, match="at most 9"):
        agreement(times_of(range(10)), times_of(range(10)))


def test_groups_in_only_one_table_are_left_out():
    assert agreement(times_of([1, 2, 3, 4]), times_of([1, 2, 3])).groups == 3


def test_the_order_of_a_run_is_found_with_intervals_around_its_times(frame, items):
    times = learning_order.learning_times(frame, items, "reconstruction")
    learnt = times[times["learnt"]]
    assert learning_order.in_order(times) == list(curves.GROUPS)
    known = pd.Series({tag: KNOWN[tag][0] for tag in learnt.index})
    assert (learnt["step"] / known - 1).abs().max() < 0.25  # linear between coarse checkpoints
    assert (learnt["low"] <= learnt["step"]).all()
    assert (learnt["step"] <= learnt["high"]).all()
    for tag, row in times.iterrows():
        assert row["final"] == curves.curve(frame, "reconstruction", tag)["value"].iloc[-1]
    agreed = agreement(times, published.learning_times())
    assert agreed.reversed == 0
    assert agreed.p < 0.01


def test_the_bootstrap_interval_is_that_of_sentences_drawn_one_by_one(frame, items):
    times = learning_order.learning_times(frame, items, "reconstruction", ["RB"])
    words = items[(items["task"] == "reconstruction") & (items["group"] == "RB")]
    by_sentence = words.groupby(["sentence", "step"], sort=False)["correct"].mean().unstack()
    rng = np.random.default_rng(5)  # every sentence has as many adverbs
    draws = [
        float(half_steps(STEPS, by_sentence.to_numpy()[rng.integers(len(by_sentence), size=len(by_sentence))].mean(0)))
        for _ in range(1000)
    ]
    expected = np.percentile(draws, [2.5, 97.5])
    assert times.loc["RB", ["low", "high"]].to_numpy(float) == pytest.approx(expected, abs=0.15 * np.ptp(expected))


def test_a_curve_that_never_clears_its_baselines_has_no_time(frame, items):
    times = learning_order.learning_times(frame, items, "reconstruction")
    assert not times.loc["NNP", "learnt"]
    assert times.loc["NNP", "final"] > 0
    assert times.loc["NNP", "state"] == NOT_REACHED
    assert times.loc["NNP", ["step", "low", "high", "spacing"]].isna().all()


def test_baselines_count_by_the_upper_end_of_their_intervals(frame):
    lines = curves.baselines(frame, "reconstruction", "JJ")
    assert list(lines) == list(SPECIFICATION.baselines)
    assert lines[UNTRAINED]["value"] == 0
    assert curves.clears_baselines(frame, "reconstruction", "JJ")
    assert curves.clears_group(frame, "reconstruction", "JJ")
    chance = frame[frame["baseline"] != FREQUENT_WORD].copy()
    of_model = chance["baseline"].isna() & (chance["group"] == "JJ")
    chance.loc[of_model, "low"] = lines[UNTRAINED]["high"] - 1e-6
    assert not curves.clears_baselines(chance, "reconstruction", "JJ")
    assert not curves.clears_baselines(frame[frame["baseline"].isna()], "reconstruction", "JJ")


def test_one_checkpoint_is_before_nothing_was_seen(series, items):
    frame = tables.read([series], "tokens", "last")
    times = learning_order.learning_times(frame, items, "reconstruction")
    assert times.loc["DT", "state"] == BEFORE_FIRST
    assert times.loc["NNP", "state"] == NOT_REACHED


def test_one_sentence_has_no_interval(tmp_path):
    series = make_run(tmp_path / "one", sentences=1)
    frame, items = tables.read([series], "tokens"), measurements.read_items(series, "tokens")
    times = learning_order.learning_times(frame, items, "reconstruction", [".", "VBZ"])
    assert times["low"].isna().all()


def test_developmental_age_finds_the_published_checkpoint_itself(frame):
    rows = published.reconstruction("ALBERT")[[3000, 12000]].stack().rename("value").reset_index()
    known = rows.rename(columns={"tag": "group"}).assign(series="s", task="reconstruction", metric="accuracy")
    known = known.assign(baseline=None, tokens=None, low=known["value"], high=known["value"], n=1)
    age = published.developmental_age(known)
    assert age["published_step"].tolist() == [3000, 12000]
    assert age["difference"].tolist() == [0, 0]
    assert age["rank_correlation"].tolist() == pytest.approx([1, 1])
    assert np.isnan(published.developmental_age(frame)["rank_correlation"].iloc[0])  # untrained: all 0
