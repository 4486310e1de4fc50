"""What is drawn and said of frequency, of word types and tests that are made by hand."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import beyond_frequency
from embryology.analysis.beyond_frequency import Beyond, Orders
from embryology.analysis.frequency import Units
from embryology.analysis.learning_order import Agreement
from embryology.analysis.matched import Beside
from embryology.analysis.surprisal import Surprisal
from embryology.figures import frequency
from tests.figures.reading import bands, bars, cells_of, line, seen

STEPS = [0, 10, 100, 1000]
GROUPS = {"DT": "determiner", "JJ": "adjective", "NN": "noun"}


def table(**columns):
    return pd.DataFrame(columns, index=pd.Index(["DT", "JJ", "NN"], name="group"))


FACTORS = table(
    types=[40, 30, 9],
    matched=[30, 20, 8],
    value=[0.5, 1.25, 1.0],
    low=[0.4, 0.8, np.nan],
    high=[0.7, 1.5, np.nan],
    unmatched=[0.125, 2.0, 3.0],
    unmatched_low=[0.1, 1.5, np.nan],
    unmatched_high=[0.25, 2.75, np.nan],
)
GAINS = pd.DataFrame(
    {"value": [0.05, 0.5], "low": [0.02, 0.4], "high": [0.06, 0.7]}, index=["part of speech", "frequency"]
)


def made_tests(factors=FACTORS, gains=GAINS, types=79):
    units = Units(pd.DataFrame({"type": range(types)}), np.array(STEPS[:-1]), np.ones((types, 4)))
    nats = {"neither": -2.0, "frequency": -1.5, "part of speech": -1.75, "both": -1.25}
    shares = {"frequency": 0.5, "part of speech": 0.25, "both": 0.625}
    return beyond_frequency.Tests(units, nats, gains, shares, factors)


@pytest.fixture(scope="module")
def types():
    """Word types; more of those of several pieces are late, and theirs is another order than that of the others."""
    rng, n = np.random.default_rng(0), 60
    count = rng.integers(0, 1000, n)
    pieces = np.repeat([1, 2], [40, 20])
    acquired = np.where(pieces == 1, np.argsort(np.argsort(-count)) // 20, rng.integers(1, 4, n))
    table = pd.DataFrame({"group": np.resize([*GROUPS], n), "pieces": pieces, "count": count, "acquired": acquired})
    return table.assign(frequency=np.log2(count + 1), **{str(step): 0.0 for step in STEPS}).rename(
        columns={str(step): step for step in STEPS}
    )


@pytest.fixture(scope="module")
def beyond(types):
    """Of 200 words the training text has 50 not at all."""
    words = pd.DataFrame({"count": np.repeat([0, 3], [50, 150])} | dict.fromkeys(STEPS, 0.0))
    rng = np.random.default_rng(1)
    # Sorted as analysis sorts them, with a group in front that is none of the nine.
    groups, shape = ["CD", "DT", "JJ", "NN"], (1 + 200, 4, 4)
    own, others = rng.random(shape), rng.random(shape)
    accuracy = Beside(groups, np.array([5, 40, 30, 9]), np.array([5, 30, 20, 8]), own, others, own**2, others**2)
    orders = Orders(*(Agreement(tau, 0.1, 9, 1, 1, 1) for tau in (0.25, 0.5, -0.75)))
    by_word = made_tests(
        FACTORS.assign(value=[0.8, 4.0, 1.0]), GAINS.assign(value=[0.0625, 0.75], low=[-0.1, 0.65], high=[0.2, 0.8])
    )
    return Beyond(
        GROUPS,
        words,
        types,
        orders,
        {"word type": made_tests(), "word": by_word},
        accuracy,
        ["NN"],
        "none was learnt",
        "not kept",
    )


@pytest.fixture(scope="module")
def dots(beyond):
    return seen(frequency.dots, beyond, "made up")


def test_a_dot_lies_at_its_count_plus_one_in_the_row_of_its_checkpoint(dots, types):
    axis = dots.panel("JJ adjective · 20 types")
    by_label = {each.get_label(): np.asarray(each.get_offsets()) for each in axis.collections}
    for label, chosen in (
        ("words of other groups", types["group"] != "JJ"),
        ("words of several pieces", (types["group"] == "JJ") & (types["pieces"] > 1)),
        ("words of one piece", (types["group"] == "JJ") & (types["pieces"] == 1)),
    ):
        assert by_label[label][:, 0] == pytest.approx(types.loc[chosen, "count"].to_numpy() + 1)
        assert np.round(by_label[label][:, 1]).tolist() == types.loc[chosen, "acquired"].tolist()
    labels = [label.get_text() for label in dots.panel("DT").get_yticklabels()]
    assert labels == ["0", "10", "100", "not by\nthe end"]


def test_correlations_are_scipys_of_words_of_one_and_of_several_pieces(dots, types, beyond):
    one, several = (types[chosen] for chosen in (types["pieces"] == 1, types["pieces"] > 1))
    rhos = [stats.spearmanr(some["count"], some["acquired"]).statistic for some in (one, several)]
    never = (types["acquired"] == 3).mean()
    assert dots.answer == (
        f"Frequency and the step of acquisition have Spearman's ρ = {rhos[0]:.2f} for words of one piece; "
        f"{rhos[1]:.2f} for words of several; {never:.0%} of word types are not acquired"
    )
    assert never < (types["acquired"] >= 2).mean()
    alone = seen(frequency.dots, replace(beyond, types=types.assign(pieces=1)), "made up")
    assert "for words of several" not in alone.answer
    assert dots.data["step"].tolist() == [["0", "10", "100", "not by the end"][at] for at in types["acquired"]]


def test_factors_are_drawn_with_their_own_intervals(beyond):
    shown = seen(frequency.factors, beyond, "made up")
    axis, by_word = shown.figure.axes
    all_words, as_frequent = bars(axis)
    assert all_words[:2] == pytest.approx(np.array([[-0.16, 0.1, 0.25], [0.84, 1.5, 2.75]]))
    assert as_frequent[:2] == pytest.approx(np.array([[0.16, 0.4, 0.7], [1.16, 0.8, 1.5]]))
    assert line(axis, "beside all words of other groups")[:, 0].tolist() == [0.125, 2, 3]
    assert line(axis, "beside words as frequent")[:, 0].tolist() == [0.5, 1.25, 1]
    assert line(by_word, "beside words as frequent")[:, 0].tolist() == [0.8, 4, 1]
    assert (axis.get_title(loc="left"), by_word.get_title(loc="left")) == ("by word type", "by word")
    assert [label.get_text() for label in axis.get_yticklabels()] == ["determiner DT", "adjective JJ", "noun NN"]
    assert shown.answer == (
        "Groups lie up to 16.0-fold apart beside all other words, 2.5-fold beside words as frequent; by word type"
    )
    assert "none for fewer than 10 types (NN). Types left when matched: DT 30 of 40, JJ 20 of 30, NN 8 of 9." in (
        shown.caption
    )


def test_curves_are_of_their_own_group_with_bands_of_the_resamples(beyond):
    shown = seen(frequency.predicted, beyond, "made up")
    axis = shown.panel("JJ adjective · 20 types")
    for band, label, draws in zip(
        bands(axis),
        ("the group's own words", "words of other groups, as frequent"),
        (beyond.accuracy.own_matched, beyond.accuracy.others_matched),
        strict=True,
    ):
        assert line(axis, label) == pytest.approx(np.column_stack([STEPS, draws[0, 2]]))
        assert band[:, 1:] == pytest.approx(np.sort(draws[1:, 2], axis=0)[[4, 194]].T)  # 2.5% and 97.5% of 200
    assert bands(shown.panel("NN noun")) == []  # too few types
    assert {each.get_ylim() for each in shown.figure.axes if each.axison} == {(-0.03, 1.03)}
    gaps = np.abs(beyond.accuracy.own_matched[0] - beyond.accuracy.others_matched[0]).mean(axis=1)
    named = dict(zip(("CD", "determiners", "adjectives", "nouns"), gaps, strict=True))
    del named["CD"]
    furthest = max(named, key=named.get)
    assert shown.answer == (
        f"Words of other groups that are as frequent miss a group's accuracy by {gaps.mean():.2f} on average; most for "
        f"{furthest} ({named[furthest]:.2f})"
    )
    of_group = shown.data[(shown.data["group"] == "DT") & (shown.data["curve"] == "the group's own words")]
    assert of_group["value"].tolist() == pytest.approx(beyond.accuracy.own_matched[0, 1].tolist())


def test_the_table_has_a_row_a_unit_and_model(beyond):
    rows = cells_of(frequency.table(beyond).data)
    assert rows[:4] == [
        ["word type", "neither", "-2.000", ""],
        ["word type", "frequency", "-1.500", "0.50"],
        ["word type", "part of speech", "-1.750", "0.25"],
        ["word type", "both", "-1.250", "0.62"],
    ]
    assert [row[0] for row in rows] == ["word type"] * 4 + ["word"] * 4


def test_the_page_says_each_number_of_its_own_units(beyond):
    values = frequency.numbers(beyond)
    assert set(values) == set(frequency.NUMBERS)
    assert (
        values
        | {
            "types": "60",
            "words": "200",
            "of_one_piece": "79",
            "never": "25%",
            "small": " Groups of fewer than 10 types, told without interval: NN.",
            "apart_by_type": (
                "of 2 groups these are earlier or later than words as frequent: determiners (0.50 times, 0.40 to 0.70)"
            ),
            "spread_by_type": "up to 16.0-fold apart beside all other words, 2.5-fold beside words as frequent",
            "spread_by_word": "up to 16.0-fold apart beside all other words, 5.0-fold beside words as frequent",
            "forms": "Of the forms of verbs it cannot be told: none was learnt.",
            "surprisal": "When masked words become likely cannot be told: not kept.",
        }
        == values
    )
    taus = [values[name] for name in ("run_and_published", "run_and_frequency", "published_and_frequency")]
    assert [re.search(r"τ = (\S+)", tau)[1] for tau in taus] == ["0.25", "0.50", "-0.75"]
    assert values["adds_by_type"].startswith(
        "part of speech tells more than frequency alone: 0.050 nats (0.020 to 0.060)"
    )
    assert values["adds_by_word"].startswith("that part of speech tells more than frequency alone is not shown: 0.062")


def test_groups_are_apart_where_their_interval_leaves_out_1():
    none = made_tests(FACTORS.assign(low=[0.4, 0.8, np.nan], high=[1.1, 1.5, np.nan]))
    assert frequency._apart(none) == (
        "none of 2 groups is earlier or later than words of other groups that are as frequent"
    )
    assert frequency._apart(made_tests(FACTORS.assign(low=np.nan, high=np.nan))) == (
        "no group has enough types to tell"
    )


@pytest.mark.parametrize(
    ("held_out", "apart", "said"),
    [
        (
            (False, False),
            (False, False),
            "All four tests agree: beyond frequency, part of speech is not shown to matter",
        ),
        (
            (True, True),
            (True, True),
            "All four tests agree: part of speech matters beyond frequency. Of words that were held out it adds 0.010 "
            "nats a word type where frequency adds 0.500 and 0.010 nats a word where frequency adds 0.500",
        ),
        (
            (False, True),
            (False, False),
            "The tests disagree: part of speech matters beyond frequency for words that were held out (by word); it is "
            "not shown to matter for words that were held out (by word type) and among words as frequent (by word type "
            "and by word). Of words that were held out it adds 0.010 nats a word where frequency adds 0.500",
        ),
        (
            (False, False),
            (True, False),
            "The tests disagree: part of speech matters beyond frequency among words as frequent (by word type); it is "
            "not shown to matter for words that were held out (by word type and by word) and among words as frequent "
            "(by word)",
        ),
    ],
)
def test_the_verdict_names_the_tests_that_disagree(held_out, apart, said):
    gains = pd.DataFrame({"value": [0.01, 0.5]}, index=["part of speech", "frequency"])
    tests = {
        kind: SimpleNamespace(adds=adds, apart=pd.DataFrame({"value": [2.0] if differs else []}), gains=gains)
        for kind, adds, differs in zip(("word type", "word"), held_out, apart, strict=True)
    }
    assert frequency.verdict(SimpleNamespace(tests=tests)) == said


def test_verb_forms_are_told_by_type():
    assert frequency._forms(made_tests()) == (
        "The same of the forms of verbs, by word type: they lie up to 16.0-fold apart beside all other words, 2.5-fold "
        "beside words as frequent; of 2 groups these are earlier or later than words as frequent: determiners (0.50 "
        "times, 0.40 to 0.70). Of types that were held out, the form tells more than frequency alone: 0.050 nats "
        "(0.020 to 0.060) a word type; to the form frequency adds 0.500 nats (0.400 to 0.700)."
    )


def test_surprisal_is_told_or_why_it_is_not():
    types = pd.DataFrame({"group": ["NN", "VB", "VB"], "step": [10.0, float("nan"), float("nan")]})
    shares = {"frequency": 0.5, "part of speech": 0.25, "both": 0.75}
    assert frequency._likely(Surprisal(types, shares)) == (
        "Of 3 types of masked words of one piece 1 become likely within the run. Of the variance of the ranks of when, "
        "frequency alone tells 0.50, part of speech alone 0.25 (any groups 0.50), both 0.75."
    )
    assert frequency._likely(Surprisal(types.assign(step=np.nan), shares)) == (
        "Of 3 types of masked words of one piece 0 become likely within the run."
    )


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.1, 0.3, "part of speech tells more than frequency alone: 0.200 nats (0.100 to 0.300) a word"),
        (-0.1, 0.3, "that part of speech tells more than frequency alone is not shown: 0.200 nats"),
        (-0.3, -0.1, "what is told by frequency is told worse with part of speech: 0.200 nats"),
    ],
)
def test_a_sentence_follows_the_interval_and_not_the_value(low, high, said):
    rows = {"part of speech": (0.2, low, high), "frequency": (0.5, 0.4, 0.6)}
    gains = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])
    assert frequency.adds(gains, "word").startswith(said)
    assert frequency.adds(gains, "word").endswith("frequency adds 0.500 nats (0.400 to 0.600)")
    gains.loc["frequency", "low"] = -0.1
    assert "that frequency adds anything is not shown: 0.500 nats" in frequency.adds(gains, "word")


def test_words_of_several_pieces_are_drawn_and_not_tested(series, monkeypatch):
    read = beyond_frequency.properties.read

    def some_of_several(*where):
        table = read(*where)
        return table.assign(pieces=1 + (table["type"] % 4 == 0))

    monkeypatch.setattr(beyond_frequency.properties, "read", some_of_several)
    beyond = beyond_frequency.read(series)
    several = beyond.types[beyond.types["pieces"] > 1]
    assert len(several)
    for tests in beyond.tests.values():
        assert not set(tests.units.types["type"]) & set(several["type"])
    assert len(beyond.tests["word type"].units.types) == len(beyond.types) - len(several)
    assert set(beyond.forms.units.types["group"]) <= {"VB", "VBD", "VBG", "VBN", "VBZ"}
    assert set(frequency.numbers(beyond)) == set(frequency.NUMBERS)
    assert "for words of several; " in seen(frequency.dots, beyond, "synthetic").answer


def test_too_few_checkpoints_are_one_sentence_and_no_figure(series):
    reason = beyond_frequency.read(series, "last")
    assert reason == ("Not told for synthetic: when words are acquired cannot be told from 1 checkpoints; it takes 4.")
    for draw in (frequency.dots, frequency.factors, frequency.predicted):
        assert draw(reason, "synthetic").data == f"<p>{reason}</p>"
    assert set(frequency.numbers(reason)) == set(frequency.NUMBERS)
