"""Blind answers by draws of whole sentences, one by one, and learning times that rest on the same draws."""

import numpy as np
import pandas as pd
import pytest

from embryology import intervals
from embryology.analysis import blind_answers, crossings, learning_order
from embryology.analysis.learning_order import NEVER_BEYOND, REACHED, UNTOLD
from embryology.specs.tokens import FREQUENT_IN_GROUP, FREQUENT_WORD, RECONSTRUCTION
from tests.synthetic import frame_of

TAGS = ["DT", "NN", "VB"]


def items_of(steps=(0, 10, 20), seed=0):
    """Words of three tags in nine sentences of different lengths; of the untrained model verbs alone are any good."""
    rng, rows = np.random.default_rng(seed), []
    for sentence in range(9):
        for word in range(rng.integers(2, 8)):
            tag, often, own = TAGS[rng.integers(3)], rng.random(), rng.random()
            frequent = {FREQUENT_WORD: often < (0.6 if tag == "DT" else 0.2), FREQUENT_IN_GROUP: own < 0.4}
            for step in steps:
                right = rng.random() < (0.9 if step else 0.7 * (tag == "VB"))
                names = {"item_id": f"{sentence}:{word}", "sentence": f"s{sentence}", "group": tag}
                rows.append(names | {"task": RECONSTRUCTION, "step": step, "correct": right} | frequent)
    return pd.DataFrame(rows)


@pytest.mark.parametrize("steps", [(0, 10, 20), (10, 20)])
def test_the_better_of_the_frequent_word_and_the_untrained_model_sentence_by_sentence(steps):
    items = items_of(steps)
    weights = np.vstack([np.ones(9), intervals.resamples(9, 12)])
    everywhere, own = blind_answers.resampled(frame_of(items), items, TAGS, weights, 0)
    for row, weight in enumerate(weights):
        drawn = pd.concat(items[items["sentence"] == f"s{s}"] for s in range(9) for _ in range(int(weight[s])))
        for column, tag in enumerate(TAGS):
            words = drawn[drawn["group"] == tag]
            untrained = words.loc[words["step"] == 0, "correct"].mean()
            assert everywhere[row, column] == pytest.approx(np.nanmax([words[FREQUENT_WORD].mean(), untrained]))
            assert own[row, column] == pytest.approx(words[FREQUENT_IN_GROUP].mean())


def test_what_was_not_kept_is_drawn_as_wide_as_its_own_words_make_it():
    items = items_of((10, 20)).drop(columns=[FREQUENT_WORD, FREQUENT_IN_GROUP])
    shares, counts = {"DT": 0.5, "NN": 0.2, "VB": np.nan}, {"DT": 25, "NN": 400}
    rows = [
        {"series": "s", "task": RECONSTRUCTION, "metric": "accuracy", "group": tag, "baseline": name, "step": 10,
         "value": shares[tag], "low": 0.0, "high": 1.0, "n": n}
        for tag, n in counts.items() for name in (FREQUENT_WORD, FREQUENT_IN_GROUP)
    ]  # fmt: skip
    weights = np.ones((4001, 9))
    drawn = blind_answers.resampled(pd.DataFrame(rows), items, TAGS, weights, 1)
    for table in drawn:
        assert table[0] == pytest.approx([*shares.values()], nan_ok=True)
        assert np.isnan(table[:, 2]).all()
        for column, (tag, n) in enumerate(counts.items()):
            assert table[1:, column].mean() == pytest.approx(shares[tag], abs=0.005)
            assert table[1:, column].std() == pytest.approx(np.sqrt(shares[tag] * (1 - shares[tag]) / n), rel=0.05)
    other = blind_answers.resampled(pd.DataFrame(rows), items, TAGS, weights, 2)
    assert (drawn[0][1:, 0] != other[0][1:, 0]).any()


STEPS = [0, 10, 20, 30, 40, 50, 60, 70, 80]


def scaled(final, frequent, good=50, sentences=100, tag="NN"):
    """Words of sentences of which some are as good as the curve says, and all others are never right.

    Whatever sentences are drawn, the curve, its end and the frequent word are multiples of what they are of all: the
    curve rises evenly to step 60 and stays. Ten words a sentence.
    """
    shares = np.minimum(np.array(STEPS) / 60, 1) * final
    place = (np.arange(10) + 0.5) / 10
    rows = [
        (f"s{s}:{w}", f"s{s}", tag, RECONSTRUCTION, step, s < good and place[w] < share, False,
         s < good and place[w] < frequent)
        for s in range(sentences) for step, share in zip(STEPS, shares, strict=True) for w in range(10)
    ]  # fmt: skip
    names = ["item_id", "sentence", "group", "task", "step", "correct", FREQUENT_WORD, FREQUENT_IN_GROUP]
    return pd.DataFrame(rows, columns=names)


def times_of(items, draws=400):
    return learning_order.learning_times(
        frame_of(items), items, RECONSTRUCTION, list(items["group"].unique()), draws=draws
    )


def test_level_and_curve_are_of_the_same_sentences():
    """All scale alike, so that no draw of sentences moves the step: draws of checkpoints alone do."""
    items = scaled(final=1.0, frequent=0.2)
    row = times_of(items).loc["NN"]
    curve = items.groupby("step")["correct"].mean().to_numpy()
    level = (0.1 + curve[-3:].mean()) / 2
    assert row["step"] == pytest.approx(np.interp(level, curve + 1e-12 * np.arange(9), STEPS))
    assert row["blind"] == pytest.approx(0.1)
    assert row["n"] == 1000
    drawn = crossings.resampled(np.array(STEPS), np.tile(curve, (400, 1, 1)), np.full((400, 1), level))
    assert row["resampled"] == pytest.approx(drawn[:, 0])


def test_a_difference_is_that_of_the_same_sentences():
    """A tenth more is always more, though both vary by more than that from draw to draw: 40 sentences of 100 count."""
    row = times_of(scaled(final=1.0, frequent=0.9, good=40)).loc["NN"]
    assert row[["state", "learnt", "blind", "final"]].tolist() == [
        REACHED,
        True,
        pytest.approx(0.36),
        pytest.approx(0.4),
    ]


def test_what_is_more_by_chance_is_not_learnt():
    """Of a hundred sentences eight have a word more than blind answers, and then four of others one less."""
    items = scaled(final=0.5, frequent=0.5, good=100)
    more = items["item_id"].isin([f"s{s}:7" for s in range(8)]) & (items["step"] > 50)
    row = times_of(items.assign(correct=items["correct"] | more)).loc["NN"]
    assert row["final"] > row["blind"]
    assert row["state"] == REACHED  # in no draw it is less
    less = items["item_id"].isin([f"s{s}:1" for s in range(8, 12)]) & (items["step"] > 50)
    row = times_of(items.assign(correct=(items["correct"] | more) & ~less)).loc["NN"]
    assert row["final"] > row["blind"]
    assert row["state"] == NEVER_BEYOND


def test_groups_that_cannot_be_told_of_either_are_in_no_order():
    index = ["A", "B", "C", "D"]
    times = pd.DataFrame({"state": REACHED, "step": [1.0, 2, 3, 4], "spacing": 0.0, "resampled": None}, index=index)
    untold = times.assign(state=[REACHED, UNTOLD, REACHED, REACHED], step=[1, np.nan, 3, 4])
    for one, other in ((times, untold), (untold, times)):
        agreed = learning_order.agreement(one, other)
        assert (agreed.groups, agreed.same, agreed.tau) == (3, 3, 1.0)


@pytest.mark.parametrize(("share", "apart"), [(0.97, False), (0.98, True)])
def test_groups_are_told_apart_where_975_of_1000_resamples_agree(share, apart):
    draws = np.zeros(1000), np.where(np.arange(1000) < 1000 * share, 1.0, -1.0)
    times = pd.DataFrame({"state": REACHED, "step": [1.0, 2.0], "spacing": 0.0}, index=["A", "B"])
    times["resampled"] = list(draws)
    assert learning_order.ranks(times) == ([["A"], ["B"]] if apart else [["A", "B"]])


def test_a_rank_ends_where_all_before_are_apart_from_all_after():
    """The first group's checkpoints are wide, so that it is tied with the third, though the second is not."""
    times = pd.DataFrame(
        {"state": REACHED, "step": [10.0, 12, 20], "spacing": [16.0, 1, 1], "resampled": None}, index=["A", "B", "C"]
    )
    assert learning_order.ranks(times) == [["A", "B", "C"]]
    assert learning_order.ranks(times.assign(spacing=1.0)) == [["A"], ["B"], ["C"]]
