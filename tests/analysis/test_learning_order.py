"""Learning times of curves that are known, orders of them, and what is told apart."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import isotonic_regression

from embryology.analysis import curves, learning_order, published, tables
from embryology.analysis.learning_order import (
    BEFORE_FIRST,
    BLIND_REACH_IT,
    NEVER_BEYOND,
    NOT_REACHED,
    REACHED,
    UNTOLD,
    agreement,
    learning_times,
    published_definition,
    ranks,
)
from embryology.runs import measurements
from embryology.specs import UNTRAINED
from embryology.specs.tokens import FREQUENT_IN_GROUP, FREQUENT_WORD, RECONSTRUCTION, SPECIFICATION
from tests.synthetic import KNOWN, STEPS, frame_of, make_run


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", only=("tokens",))


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
    return pd.DataFrame({"state": states, "step": numbers, "spacing": spacing, "resampled": None}, index=index)


GRID = [0, 20, 40, 80, 160, 320, 640, 1280, 2560]


def items_of(groups, words=200, sentences=100, steps=GRID):
    """Items of known curves: by group the accuracy at each of ``steps``, and that of its most frequent word.

    A word is right where the accuracy is above its own place among the words, those of the frequent word first.
    """
    place = (np.arange(words) + 0.5) / words
    return pd.concat(
        pd.DataFrame(
            {
                "item_id": np.arange(words), "sentence": np.random.default_rng(0).permutation(words) % sentences,
                "group": group, "task": RECONSTRUCTION, "step": step, "correct": place < accuracy,
                FREQUENT_WORD: (place < frequent) & (group == "DT"), FREQUENT_IN_GROUP: place < frequent,
            }
        )
        for group, (accuracies, frequent) in groups.items()
        for step, accuracy in zip(steps, accuracies, strict=True)
    )  # fmt: skip


def times_in(groups, **how):
    items = items_of(groups, **how)
    return learning_times(frame_of(items), items, RECONSTRUCTION, list(groups), draws=400)


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
    plain = agreement(albert, bert, ties=False)
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
    assert agreement(wider, times_of([1, 2, 3]), ties=False).tau == 1


def test_groups_that_resamples_do_not_tell_apart_are_ties():
    times = times_of([10, 20, 30])
    shift = np.linspace(-8, 8, 1000)
    times["resampled"] = [10 + shift, 20 + shift[::-1], 30 + shift]
    # The first is before the second in all draws but those where the shifts, which run against each other, meet.
    share = np.mean(10 + shift < 20 + shift[::-1])
    assert 0.7 < share < 0.975
    agreed = agreement(times, times_of([1, 2, 3]))
    assert (agreed.same, agreed.tied) == (1, 2)  # 10 and 30 move alike and never meet
    assert ranks(times) == [["T0", "T1", "T2"]]  # an order of the ends alone is no order of three ranks


def test_ranks_are_told_apart_wherever_they_meet():
    times = times_of([50, 10, 12, NEVER_BEYOND, BEFORE_FIRST], spacing=5.0)
    assert ranks(times) == [["T4"], ["T1", "T2"], ["T0"]]
    assert ranks(times_of([NEVER_BEYOND, UNTOLD])) == []
    chain = times_of([10, 14, 18, 30], spacing=5.0)
    assert ranks(chain) == [["T0", "T1", "T2"], ["T3"]]  # 10 and 18 are apart, but 14 is not from either


def test_groups_that_cannot_be_told_are_in_no_order():
    assert agreement(times_of([1, UNTOLD, 2, 3]), times_of([1, 2, 3, 4])).groups == 3


def test_states_without_a_number_have_their_place_in_an_order():
    times = times_of([NOT_REACHED, 40, BEFORE_FIRST, 30, NEVER_BEYOND], spacing=5.0)
    assert learning_order.in_order(times) == ["T2", "T3", "T1", "T0", "T4"]
    agreed = agreement(times, times_of([5, 3, 1, 2, 6]))
    assert (agreed.same, agreed.reversed, agreed.tied) == (9, 0, 1)
    assert agreement(times_of([NOT_REACHED] * 3), times_of([1, 2, 3])).tau is None


def test_too_many_groups_for_all_permutations_are_refused():
    with pytest.raises(ValueError, match="at most 9"):
        agreement(times_of(range(10)), times_of(range(10)))


def test_groups_in_only_one_table_are_left_out():
    assert agreement(times_of([1, 2, 3, 4]), times_of([1, 2, 3])).groups == 3


def known_time(tag):
    """Of the synthetic run: halfway from the group's own word to the mean of the last three values, by its formula."""
    half, final, frequent = KNOWN[tag]
    last = np.mean([final * step**3 / (step**3 + half**3) for step in STEPS[-3:]])
    share = (frequent + last) / 2 / final
    return half * (share / (1 - share)) ** (1 / 3)


def test_the_order_of_a_run_is_found_with_intervals_around_its_times(frame, items):
    times = learning_times(frame, items, "reconstruction")
    learnt = times[times["learnt"]]
    assert set(curves.GROUPS) - set(learnt.index) == {"NNP"}
    known = pd.Series({tag: known_time(tag) for tag in learnt.index})
    assert (learnt["step"] / known - 1).abs().max() < 0.25  # linear between coarse checkpoints
    assert ((learnt["low"] <= known) & (known <= learnt["high"])).all()
    assert learnt["low"].isin(STEPS).all()
    assert learnt["high"].isin(STEPS).all()
    for tag, row in times.iterrows():
        curve = curves.curve(frame, "reconstruction", tag)["value"]
        lines = curves.baselines(frame, "reconstruction", tag)
        assert row["final"] == pytest.approx(curve.tail(3).mean())
        assert row["blind"] == pytest.approx(max(line["value"] for line in lines.values()))
    agreed = agreement(times, published.learning_times())
    assert agreed.reversed == 0
    assert agreed.p < 0.01


def test_resamples_are_sentences_drawn_one_by_one(frame, items):
    """Blind answer, final value and curve of one and the same draw, by plain loops and SciPy's isotonic regression."""
    times = learning_times(frame, items, "reconstruction", ["RB"])
    words = items[(items["task"] == "reconstruction") & (items["group"] == "RB")]
    by_sentence = words.groupby(["sentence", "step"], sort=False)["correct"].mean().unstack().to_numpy()
    own = words[words["step"] == 0].groupby("sentence", sort=False)[FREQUENT_IN_GROUP].mean().to_numpy()
    rng = np.random.default_rng(5)  # every sentence has as many adverbs
    draws = []
    for _ in range(1000):
        sentences = rng.integers(len(by_sentence), size=len(by_sentence))
        curve, blind = by_sentence[sentences].mean(0), own[sentences].mean()
        level = (max(blind, curve[0]) + curve[-3:].mean()) / 2
        drawn = np.bincount(rng.integers(len(STEPS), size=len(STEPS)), minlength=len(STEPS))
        drawn[[0, -3, -2, -1]] = np.maximum(drawn[[0, -3, -2, -1]], 1)
        there = drawn > 0
        fit = isotonic_regression(curve[there], weights=drawn[there].astype(float)).x
        draws.append(np.interp(level, fit + 1e-9 * np.arange(len(fit)), np.array(STEPS)[there]))
    found = np.percentile(times.loc["RB", "resampled"], [2.5, 25, 50, 75, 97.5])
    expected = np.percentile(draws, [2.5, 25, 50, 75, 97.5])
    assert found == pytest.approx(expected, abs=0.15 * np.ptp(expected))


def rising(at, final, steps=GRID):
    """Zero before ``at`` and ``final`` from it on."""
    return [final if step >= at else 0.0 for step in steps]


def test_a_model_that_says_one_word_everywhere_has_learnt_no_determiner():
    says_the = [0.0, *[0.6] * 8]
    times = times_in({"DT": (says_the, 0.6), "NN": (rising(640, 0.8), 0.05)})
    assert times["state"].to_dict() == {"DT": NEVER_BEYOND, "NN": REACHED}
    assert not times.loc["DT", ["learnt", "beyond_everywhere"]].any()
    assert times.loc["DT", ["step", "low", "high", "spacing"]].isna().all()
    items = items_of({"DT": (says_the, 0.6)})
    assert published_definition(frame_of(items), RECONSTRUCTION, ["DT"]).loc["DT", "step"] == 10  # half of it


def test_beyond_one_word_everywhere_but_not_beyond_the_groups_own():
    times = times_in({"CC": (rising(80, 0.4), 0.7)})
    assert times.loc["CC", ["state", "learnt", "beyond_everywhere"]].tolist() == [NEVER_BEYOND, False, True]


def test_the_untrained_model_is_a_blind_answer():
    times = times_in({"IN": ([0.5] * 9, 0.2)})
    assert times.loc["IN", ["state", "blind", "beyond_everywhere"]].tolist() == [NEVER_BEYOND, 0.5, False]


def test_a_blip_is_no_learning_time():
    blip = [0.0, 0.0, 0.45, 0.0, 0.0, 0.0, 0.0, 0.8, 0.8]
    row = times_in({"PRP": (blip, 0.1)}).loc["PRP"]
    assert 640 < row["step"] <= 1280
    assert np.median(row["resampled"]) > 640
    assert published_definition(frame_of(items_of({"PRP": (blip, 0.1)})), RECONSTRUCTION, ["PRP"])["step"].item() < 40


def test_two_groups_within_one_spacing_are_tied():
    early = [0.0, 0.0, 0.0, 0.0, 0.1, 0.75, 0.8, 0.8, 0.8]
    later = [0.0, 0.0, 0.0, 0.0, 0.1, 0.55, 0.8, 0.8, 0.8]
    times = times_in({"NN": (later, 0.05), "JJ": (early, 0.05), "IN": (rising(40, 0.8), 0.05)})
    assert times.loc["JJ", "step"] < times.loc["NN", "step"]
    assert ranks(times) == [["IN"], ["JJ", "NN"]]


def test_a_fixed_level_is_told_where_blind_answers_do_not_reach_it(frame, items):
    low, high = (learning_times(frame, items, "reconstruction", level=level) for level in (0.25, 0.75))
    assert low.loc["DT", "state"] == BLIND_REACH_IT  # "the" gets 0.55 right
    assert low.loc["NNP", "state"] == NEVER_BEYOND
    within = learning_times(frame, items, "reconstruction", level=low.loc["DT", "blind"] + 0.001)
    assert within.loc["DT", "state"] == BLIND_REACH_IT  # by chance they may
    assert high.loc["DT", "state"] == REACHED
    half, final, _ = KNOWN["DT"]
    assert high.loc["DT", "step"] == pytest.approx(half * (0.75 / (final - 0.75)) ** (1 / 3), rel=0.15)
    assert high.loc["JJ", "state"] == NOT_REACHED
    half, final, _ = KNOWN["VB"]
    assert low.loc["VB", "step"] == pytest.approx(half * (0.25 / (final - 0.25)) ** (1 / 3), rel=0.15)


def test_frozen_items_without_the_answers_of_frequent_words_have_them_drawn(frame, items):
    kept = learning_times(frame, items, "reconstruction")
    drawn = learning_times(frame, items.drop(columns=[FREQUENT_WORD, FREQUENT_IN_GROUP]), "reconstruction")
    exact = ["state", "step", "blind", "final", "learnt", "n"]
    pd.testing.assert_frame_equal(kept[exact], drawn[exact])
    of_determiners = np.std(drawn.loc["DT", "resampled"]), np.std(kept.loc["DT", "resampled"])
    assert of_determiners[0] == pytest.approx(of_determiners[1], rel=0.5)
    assert (kept.loc["DT", "resampled"] != drawn.loc["DT", "resampled"]).any()


def test_a_group_that_is_never_beyond_blind_answers_has_no_time(frame, items):
    times = learning_times(frame, items, "reconstruction")
    assert times.loc["NNP", "final"] > 0
    assert times.loc["NNP", ["state", "learnt"]].tolist() == [NEVER_BEYOND, False]
    assert times.loc["NNP", ["step", "low", "high", "spacing"]].isna().all()


def test_baselines_are_those_of_the_specification(frame):
    lines = curves.baselines(frame, "reconstruction", "JJ")
    assert list(lines) == list(SPECIFICATION.baselines)
    assert lines[UNTRAINED]["value"] == 0


@pytest.mark.parametrize("steps", ["last", "0,20,40,80"])
def test_few_checkpoints_tell_nothing(series, items, steps):
    frame = tables.read([series], "tokens", steps)
    times = learning_times(frame, items, "reconstruction")
    assert set(times["state"]) == {UNTOLD}
    assert not times["learnt"].any()
    assert times["step"].isna().all()
    trained = "1" if steps == "last" else "3"
    assert learning_order.untellable(frame) == f"learning times take 4 checkpoints after step 0, and here are {trained}"


def test_a_series_that_begins_late_may_be_there_before_its_first_checkpoint(series, items):
    frame = tables.read([series], "tokens", "320,640,1280,2000")
    later = items[items["step"] > 0]
    times = learning_times(frame, later, "reconstruction")
    assert times.loc["DT", "state"] == BEFORE_FIRST
    assert times.loc["DT", ["step", "low", "high"]].isna().all()
    assert times.loc["JJ", "state"] == REACHED


def test_few_sentences_tell_nothing():
    curve = rising(160, 0.9)
    few, enough = (times_in({"RB": (curve, 0.1)}, words=90, sentences=count) for count in (29, 30))
    assert few["state"].tolist() == [UNTOLD]
    assert not few["learnt"].any()
    assert enough["state"].tolist() == [REACHED]


def test_developmental_age_finds_the_published_checkpoint_itself(frame):
    rows = published.reconstruction("ALBERT")[[3000, 12000]].stack().rename("value").reset_index()
    known = rows.rename(columns={"tag": "group"}).assign(series="s", task="reconstruction", metric="accuracy")
    known = known.assign(baseline=None, tokens=None, low=known["value"], high=known["value"], n=1)
    age = published.developmental_age(known)
    assert age["published_step"].tolist() == [3000, 12000]
    assert age["difference"].tolist() == [0, 0]
    assert age["rank_correlation"].tolist() == pytest.approx([1, 1])
    assert np.isnan(published.developmental_age(frame)["rank_correlation"].iloc[0])  # untrained: all 0
