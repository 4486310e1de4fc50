"""What is said of frequency, and that nothing is drawn where it cannot be told."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from embryology.analysis import beyond_frequency
from embryology.analysis.surprisal import Surprisal
from embryology.figures import frequency, frequency_of_runs

COVERS = ("embryology/figures/frequency_of_runs.py",)


@pytest.fixture(scope="module")
def beyond(series):
    return beyond_frequency.read(series)


def test_figures_are_drawn_of_all_groups(beyond):
    for draw in (frequency.dots, frequency.factors, frequency.predicted):
        page = draw(beyond, "synthetic").data
        assert re.search(r'<img[^>]* alt="[^"]{40,}"', page)
    assert set(frequency.numbers(beyond)) == set(frequency.NUMBERS)


def test_runs_stand_below_each_other_and_one_without_counts_says_so(series):
    brief = beyond_frequency.brief(series)
    briefs = {"one": brief, "other": "its words were not counted"}
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in frequency_of_runs.of_runs(briefs).data.split("<tr>")[1:]]
    assert [row[0] for row in rows] == ["one", "other"]
    taus = (brief.orders.run_and_frequency.tau, brief.orders.run_and_published.tau)
    assert rows[0][1:3] == ["undefined" if tau is None else f"{tau:.2f}" for tau in taus]
    added = brief.gains["word"].loc["part of speech"]
    assert rows[0][6] == f"{added['value']:.3f} ({added['low']:.3f} to {added['high']:.3f})"
    assert rows[1][1:] == ["its words were not counted", *[""] * 6]
    counts = [int(brief.gains[kind].loc["part of speech", "low"] > 0) for kind in ("word type", "word")]
    assert frequency_of_runs.in_runs(briefs) == (
        "Of word types that were held out, part of speech is shown to tell more than frequency alone in "
        f"{counts[0]} of 1 runs; of single words in {counts[1]}."
    )
    assert frequency_of_runs.in_runs({"other": "x"}) == "How much of these orders is that of frequency cannot be told."


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


def test_verb_forms_have_tests_of_their_own(beyond):
    assert set(beyond.forms.units.types["group"]) <= {"VB", "VBD", "VBG", "VBN", "VBZ"}
    said = frequency.numbers(beyond)["forms"]
    assert said.startswith("The same of the forms of verbs, by word type: ")
    assert "frequency adds" in said
    assert frequency._forms("no word is acquired") == "Of the forms of verbs it cannot be told: no word is acquired."


def test_surprisal_is_told_or_why_it_is_not(beyond):
    said = frequency.numbers(beyond)["surprisal"]
    assert said.startswith("Of ")  # the fixture's words are all as likely at every step
    assert "types of masked words of one piece 0 become likely within the run." in said
    types = pd.DataFrame({"group": ["NN", "VB", "VB"], "step": [10.0, float("nan"), float("nan")]})
    shares = {"frequency": 0.5, "part of speech": 0.25, "both": 0.75}
    assert frequency._likely(Surprisal(types, shares)) == (
        "Of 3 types of masked words of one piece 1 become likely within the run. Of the variance of the ranks of when, "
        "frequency alone tells 0.50, part of speech alone 0.25 (any groups 0.50), both 0.75."
    )
    assert frequency._likely("not kept").endswith("cannot be told: not kept.")


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
    assert "for words of several; " in frequency.dots(beyond, "synthetic").data
    assert "for words of several" not in frequency.dots(replace(beyond, types=beyond.types.assign(pieces=1)), "x").data


def test_too_few_checkpoints_are_one_sentence_and_no_figure(series):
    reason = beyond_frequency.read(series, "last")
    assert reason == ("Not told for synthetic: when words are acquired cannot be told from 1 checkpoints; it takes 4.")
    for draw in (frequency.dots, frequency.factors, frequency.predicted):
        assert draw(reason, "synthetic").data == f"<p>{reason}</p>"
    assert set(frequency.numbers(reason)) == set(frequency.NUMBERS)


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
