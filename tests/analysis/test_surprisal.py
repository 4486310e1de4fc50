"""Surprisal's age of acquisition, of curves whose sigmoid is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import acquisition, surprisal
from embryology.analysis.acquisition import CannotBeTold
from embryology.analysis.frequency import BOTH, FREQUENCY, PART_OF_SPEECH

STEPS = np.array([10, 20, 40, 80, 160, 320, 640, 1280, 2560])
CHANCE = np.log(8192)


def falling(middle, least=2.0, slope=6.0, noise=0.0, high=CHANCE):
    at = np.log10(STEPS)
    curve = least + (high - least) / (1 + np.exp(slope * (at - np.log10(middle))))
    return curve + noise * np.random.default_rng(int(middle)).standard_normal(len(STEPS))


def test_a_known_sigmoid_is_crossed_at_its_middle():
    found = surprisal.acquired(STEPS, np.stack([falling(60), falling(300), falling(300, noise=0.1)]), CHANCE)
    assert found[:2] == pytest.approx([60, 300], rel=0.01)
    assert found[2] == pytest.approx(300, rel=0.1)


def test_the_level_is_halfway_from_chance_to_the_least_and_not_from_where_the_curve_begins():
    """A curve that begins halfway below chance already: from where to where it falls does not matter."""
    found = surprisal.acquired(STEPS, falling(100, least=1.0, high=CHANCE + 2)[None], CHANCE)[0]
    values = falling(100, least=1.0, high=CHANCE + 2)
    level = (CHANCE + values.min()) / 2
    after = np.argmax(values < level)
    assert STEPS[after - 1] < found < STEPS[after]
    assert found > 100


def test_what_does_not_fall_or_falls_before_or_after_the_steps_has_no_step():
    rising = falling(100)[::-1]
    early = np.full(len(STEPS), 2.0)
    flat = np.full(len(STEPS), CHANCE)
    before = falling(8)  # a sigmoid that crosses at 7.5
    assert np.isnan(surprisal.acquired(STEPS, np.stack([rising, early, flat, before]), CHANCE)).all()


def test_a_word_has_to_come_a_nat_below_chance_and_to_cross_within_the_steps():
    nearly, enough = falling(100, least=CHANCE - 0.95), falling(100, least=CHANCE - 1.1)
    found = surprisal.acquired(STEPS, np.stack([nearly, enough, falling(4, slope=9)]), CHANCE)
    assert found.tolist() == pytest.approx([np.nan, 100, np.nan], rel=0.02, nan_ok=True)


def types_of(curves, steps, often=None):
    """A word a type of two groups, with log-probabilities."""
    often = range(len(curves)) if often is None else often
    words = pd.DataFrame({"type": range(len(curves)), "frequency": np.array(often, float)})
    words = words.assign(group=["A", "B"] * (len(curves) // 2), pieces=1, count=1, words=1)
    return words.join(pd.DataFrame(-np.asarray(curves), columns=list(steps)))


def test_chance_is_in_nats_and_types_without_a_step_come_last():
    flat = np.full(len(STEPS), CHANCE)
    curves = [falling(60), falling(200), flat, falling(500), falling(100), flat]
    often = [9.0, 4, 6, 3, 5, 1]
    found = surprisal.of_words(types_of(curves, STEPS, often), 8192)
    steps = [60, np.nan, 100, 200, 500, np.nan]  # by group
    assert found.types["step"].tolist() == pytest.approx(steps, rel=0.02, nan_ok=True)
    ranks, often = [1, 5.5, 2, 3, 4, 5.5], [9, 6, 5, 4, 3, 1]
    assert found.shares[FREQUENCY] == pytest.approx(stats.spearmanr(ranks, often).statistic ** 2)
    of_groups = stats.f_oneway(ranks[:3], ranks[3:]).statistic
    assert found.shares[PART_OF_SPEECH] == pytest.approx(of_groups / (of_groups + 4))  # R squared of 2 groups of 3


def test_four_checkpoints_after_step_0_are_enough_whether_it_is_there_or_not():
    for steps in ([10, 20, 40, 80], [0, 10, 20, 40, 80]):
        curve = [CHANCE, 8.9, 5.5, 2.1, 2.0][-len(steps):]  # fmt: skip
        step = surprisal.of_words(types_of([curve] * 2, steps), 8192).types["step"]
        assert step.tolist() == pytest.approx([20, 20], rel=0.05)


def items(delay):
    rng, rows = np.random.default_rng(0), []
    counted = []
    for number in range(120):
        group, often = ("NN", "VB")[number % 2], 12 * rng.random()
        counted.append((f"w{number}", number, 1, int(2**often)))
        curve = falling(20 * 2 ** ((12 - often) / 3 + delay * (group == "VB")))
        for step, value in zip([0, *STEPS], [CHANCE, *curve], strict=True):
            rows.append((f"w{number}", step, group, "mask-prediction", False, -value))
    names = ["item_id", "step", "group", "task", "correct", "log_probability"]
    return pd.DataFrame(rows, columns=names), pd.DataFrame(counted, columns=["item_id", "type", "pieces", "count"])


def words(table, counted):
    return acquisition.tokens(table, counted, "mask-prediction", ["NN", "VB"], "log_probability")


@pytest.mark.parametrize("delay", [0, 3])
def test_words_that_frequency_alone_makes_likely_are_told_by_it_and_late_groups_by_both(delay):
    found = surprisal.of_words(words(*items(delay)), 8192)
    assert found.types["step"].notna().mean() > 0.9
    assert found.shares[PART_OF_SPEECH] < 0.1 if delay == 0 else found.shares[PART_OF_SPEECH] > 0.2
    assert (found.shares[FREQUENCY] > 0.95) == (delay == 0)
    assert found.shares[BOTH] > 0.9


def test_without_log_probabilities_or_checkpoints_it_cannot_be_told():
    table, counted = items(0)
    with pytest.raises(CannotBeTold, match="not kept when it was frozen"):
        words(table.drop(columns="log_probability"), counted)
    with pytest.raises(CannotBeTold, match="4 checkpoints after step 0"):
        surprisal.of_words(words(table[table["step"] < 80], counted), 8192)
