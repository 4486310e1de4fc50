"""All tests of one run: which words, checkpoints and orders they are of, and what their tables say."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import acquisition, beyond_frequency, frequency, published, tables
from embryology.analysis.beyond_frequency import TYPE, WORD
from embryology.analysis.frequency import BOTH, FREQUENCY, NEITHER, PART_OF_SPEECH
from embryology.runs import measurements, properties
from tests.synthetic import frame_of

COVERS = ("embryology/analysis/acquisition.py",)
STEPS = [0, 10, 20, 40, 80, 160]
GROUPS = {"NN": (40, 3), "VB": (30, 2), "DT": (12, 6), "VBD": (36, 2), "VBZ": (11, 3), "RB": (6, 2)}
"""By tag how many words, and the log2 of how frequent."""


@pytest.fixture(scope="module")
def made():
    """Items and their properties; every third type has several pieces, and of those all words are right at once."""
    rng, items, counted = np.random.default_rng(0), [], []
    for number, (group, (words, often)) in enumerate(GROUPS.items()):
        for word in range(words):
            kind = 1 if word % 7 == 6 else word // 2  # types have one word to eight
            name, pieces = f"{group}:{word}", 1 + (kind % 3 == 0)
            counted.append((name, 1000 * number + kind, pieces, int(2 ** (often + kind % 5))))
            at = 0 if pieces > 1 else rng.choice([20, 40, 80, 160, 999])
            for task in ("reconstruction", "mask-prediction"):
                for step in STEPS:
                    items.append((name, f"s{word}", group, task, step, step >= at, -2.0, False, False))
    names = ["item_id", "sentence", "group", "task", "step", "correct", "log_probability"]
    table = pd.DataFrame(items, columns=[*names, "most-frequent-word", "most-frequent-in-group"])
    return table, pd.DataFrame(counted, columns=["item_id", "type", "pieces", "count"])


@pytest.fixture
def run(made, monkeypatch):
    """What is read of a run is what was made up; ``steps`` choose checkpoints as they do of a run."""
    items, counted = made

    def rows(series, probe, steps="all"):
        return frame_of(items if steps == "all" else items[items["step"].isin(map(int, steps.split(",")))])

    monkeypatch.setattr(tables, "read", rows)
    monkeypatch.setattr(measurements, "read_items", lambda *_: items)
    monkeypatch.setattr(properties, "read", lambda *_: counted)
    monkeypatch.setattr(properties, "lacking", lambda *_: None)
    return SimpleNamespace(name="made up", manifest=None)


def test_all_tests_are_of_words_of_one_piece_and_curves_are_means_over_words(run, made):
    items, counted = made
    found = beyond_frequency.read(run)
    whole = items.merge(counted, on="item_id").query("pieces == 1 and task == 'reconstruction'")
    nine = whole[whole["group"].isin(["NN", "VB", "DT", "RB"])]
    for number, group in enumerate(found.accuracy.groups):
        shares = nine[nine["group"] == group].groupby("step")["correct"].mean()
        assert found.accuracy.own[0, number] == pytest.approx(shares.to_numpy())
    words = nine["item_id"].nunique()
    assert found.tests[WORD].units.events.sum() == words
    assert found.tests[TYPE].units.events.sum() == nine["item_id"].map(counted.set_index("item_id")["type"]).nunique()
    assert found.types["words"].sum() == 40 + 30 + 12 + 6  # words of several pieces among them
    assert sorted(found.small) == ["DT", "RB"]  # groups without a word are none
    forms = whole[whole["group"].isin(["VB", "VBD", "VBZ"])]
    assert found.forms.units.types["type"].nunique() == forms.merge(counted)["type"].nunique()
    assert found.forms.units.steps.tolist() == STEPS[:-1]
    assert found.surprisal == "the size of its vocabulary is not recorded"


def test_checkpoints_that_are_not_chosen_tell_nothing(run, made):
    items, _ = made
    some = "0,20,40,80"
    before, found = beyond_frequency.brief(run, some, [TYPE]), beyond_frequency.read(run, some)
    assert found.tests[TYPE].units.steps.tolist() == [0, 20, 40]
    of_all = beyond_frequency.brief(run, kinds=[TYPE])
    assert not of_all.gains[TYPE].equals(before.gains[TYPE])
    items.loc[items["step"].isin([10, 160]), "correct"] ^= True
    try:
        after = beyond_frequency.brief(run, some, [TYPE])
    finally:
        items.loc[items["step"].isin([10, 160]), "correct"] ^= True
    pd.testing.assert_frame_equal(before.gains[TYPE], after.gains[TYPE])


def test_each_pair_of_orders_has_its_own_tau(monkeypatch):
    tags = list("abcdef")
    run, other = [1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5]
    often = {"a": 1.0, "b": 3.0, "c": 2.0, "d": 6.0, "e": 5.0, "f": 4.0}

    def times(steps):
        return pd.DataFrame({"state": "reached", "step": np.array(steps, float), "spacing": 0.0}, index=tags)

    monkeypatch.setattr(beyond_frequency, "learning_times", lambda *_: times(run))
    monkeypatch.setattr(published, "learning_times", lambda: times(other))
    words = pd.DataFrame({"group": tags, "frequency": [often[tag] for tag in tags]})
    orders = beyond_frequency.orders(None, None, words)
    rare = [-often[tag] for tag in tags]
    for agreed, pair in (
        (orders.run_and_published, (run, other)),
        (orders.run_and_frequency, (run, rare)),
        (orders.published_and_frequency, (other, rare)),
    ):
        expected = stats.kendalltau(*pair, method="exact")
        assert (agreed.tau, agreed.p) == pytest.approx((expected.statistic, expected.pvalue))


def told_by(gains, factors):
    columns = ["unmatched", "unmatched_low", "unmatched_high", "value", "low", "high"]
    table = pd.DataFrame.from_dict(factors, orient="index", columns=columns)
    return beyond_frequency.Tests(None, {}, pd.DataFrame(gains, index=["value", "low", "high"]).T, {}, table)


def test_part_of_speech_adds_where_the_interval_lies_above_nothing():
    assert not told_by({PART_OF_SPEECH: [0.1, -0.01, 0.2]}, {}).adds
    assert told_by({PART_OF_SPEECH: [0.1, 0.01, 0.2], FREQUENCY: [0.0, -1, 1]}, {}).adds


def test_groups_are_apart_by_the_interval_beside_as_frequent_words_and_spreads_are_of_those_that_have_one():
    told = told_by(
        {},
        {
            "late": [0.5, 0.4, 0.6, 2.0, 1.1, 3.0],
            "early": [1.0, 0.5, 2.0, 0.5, 0.4, 0.9],
            "neither": [5.0, 4.0, 6.0, 1.5, 0.9, 2.0],
            "few": [90.0, np.nan, np.nan, 40.0, np.nan, np.nan],
        },
    )
    assert list(told.apart.index) == ["late", "early"]
    assert told.spreads == (5.0 / 0.5, 2.0 / 0.5)


def test_nats_are_those_of_a_word(made):
    items, counted = made
    words = acquisition.of_one_piece(acquisition.tokens(items, counted, "reconstruction", ["NN", "VB"]))
    assert set(words["pieces"]) == {1}
    units = frequency.units(words.assign(group=np.where(words["type"] % 2, "A", "B")), by_type=False)
    told = beyond_frequency.tests_of(units)
    per_type = frequency.held_out(units)
    assert units.sizes.max() > 1
    for name in (NEITHER, BOTH):
        assert told.nats[name] == pytest.approx(per_type[name].sum() / units.events.sum())


def test_a_type_is_right_where_more_than_half_of_its_words_are():
    words = pd.DataFrame(
        {"item_id": list("abcde"), "group": "NN", "type": [1, 1, 2, 2, 2], "frequency": 1.0, "count": 1, "pieces": 1,
         "words": 1, 0: [0.0] * 5, 10: [1.0, 0, 1, 1, 0], 20: [1.0, 1, 1, 1, 1], 40: [1.0, 1, 1, 1, 1]}
    )  # fmt: skip
    types = acquisition.types(words)
    assert types[10].tolist() == [0.5, pytest.approx(2 / 3)]
    assert acquisition.acquired(types).tolist() == [2, 1]
