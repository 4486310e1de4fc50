"""What is drawn and said of phases, of numbers that are made by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from embryology.analysis.phases import (
    BOTH,
    FROM_THE_FIRST,
    HANDED_OVER,
    LEFT,
    NOT_YET,
    PAIRS,
    PREDICTORS,
    RIGHT,
    UNIGRAM,
    UNTOLD,
    Phases,
)
from embryology.figures import phases as figures
from tests.figures.reading import bands, cells_of, line, seen

STEPS = np.array([0, 10, 100, 1000])


def told(values, down=0.05, up=0.02):
    values = np.asarray(values, float)
    return np.stack([values, values - down, values + up])


@pytest.fixture
def made():
    alone = [[0.0, 0.6, 0.5, 0.3], [0.01, 0.2, 0.4, 0.55], [0.02, 0.3, 0.2, 0.1], [0.03, 0.1, 0.1, 0.2]]
    states = [HANDED_OVER, NOT_YET, FROM_THE_FIRST, UNTOLD, UNTOLD]
    handovers = pd.DataFrame(PAIRS, columns=["from", "to"]).assign(state=states, step=np.nan, low=np.nan, high=np.nan)
    handovers.loc[0, ["step", "low", "high"]] = [345.0, 100.0, 1000.0]
    passed = pd.DataFrame({"predictor": PREDICTORS, "state": [HANDED_OVER, UNTOLD, NOT_YET, NOT_YET]})
    passed = passed.assign(step=[50.0, *[np.nan] * 3], low=[10.0, *[np.nan] * 3], high=[np.inf, *[np.nan] * 3])
    itself = [[0, 0, 0, 0.2], [0, 0, 0, 0.04], [0, 0, 0, -0.01], [0, 0, 0, 0.06]]
    added = [[0, 0.1, 0.2, 0.25], [0, 0, 0, 0.01], [0, 0, 0.3, 0.35]]
    likely = told([-9, -7, -6, -5], 0.5, 0.25)
    levels = np.array([-6.5, -5.5, -5.25, -4.0])
    return Phases(
        STEPS, 3000, 800, told(alone), told(itself), told(added), told([0, 0.7, 0.7, 0.6]), likely, levels, handovers,
        passed,
    )  # fmt: skip


def test_shares_are_drawn_with_their_intervals(made):
    shown = seen(figures.shares, made, "baby")
    alone, added = shown.panel("alone"), shown.panel("added to frequency")
    for at, predictor in enumerate(PREDICTORS):
        assert line(alone, figures.NAMES[predictor])[:, 1].tolist() == made.alone[0, at].tolist()
        assert bands(alone)[at][:, 1:].tolist() == made.alone[1:, at].T.tolist()
    for at, predictor in enumerate(PREDICTORS[1:]):
        assert line(added, figures.NAMES[predictor])[:, 1].tolist() == made.added[0, at].tolist()
        assert bands(added)[at][:, 1:].tolist() == made.added[1:, at].T.tolist()
    assert line(alone, "all together")[:, 1].tolist() == [0, 0.7, 0.7, 0.6]
    assert line(added, "a predictor of nothing")[:, 1].tolist() == [0, 0]
    assert shown.answer == (
        "Most is explained by frequency from step 10 and the word before from step 1,000; up to 0.60 of the variance, "
        "at step 10, and 0.55 at the end"
    )
    assert "3,000 masked words of one piece (800 types)" in shown.caption
    assert set(shown.data["explains"]) == {"alone", "added to frequency", "together"}


def test_one_that_explains_most_throughout_is_named(made):
    alone = made.alone.copy()
    alone[0, 1] = 0
    shown = seen(figures.shares, replace(made, alone=alone), "baby")
    assert shown.answer.startswith("Frequency explains most at every checkpoint; up to 0.60")


def test_levels_are_those_of_the_n_grams(made):
    shown = seen(figures.likely, made, "baby")
    (axis,) = shown.figure.axes
    assert line(axis, "the model").tolist() == [[0, -9], [10, -7], [100, -6], [1000, -5]]
    assert bands(axis)[0][:, 1:].tolist() == made.likely[1:].T.tolist()
    for predictor, level in zip(PREDICTORS, made.levels, strict=True):
        assert line(axis, figures.NAMES[predictor])[:, 1].tolist() == [level, level]
    assert shown.answer == "Words are likelier than by frequency from step 50 (10 or later) on"
    none = replace(made, passed=made.passed.assign(state=UNTOLD))
    assert seen(figures.likely, none, "baby").answer.startswith("Words are not shown to become likelier than any")


def test_each_state_of_a_handover_has_its_words(made):
    rows = cells_of(figures.table(made).data)
    assert rows[0] == ["frequency", "the word before", "345 (100 to 1,000)"]
    assert [row[2] for row in rows[1:4]] == [
        "not by the end: the first still explains more",
        "the second explains more at the end, the first is not shown to have done before",
        "cannot be told",
    ]
    assert [tuple(row[:2]) for row in rows] == [(figures.NAMES[by], figures.NAMES[to]) for by, to in PAIRS]


def test_sentences_say_what_is_shown_and_what_is_not(made):
    said = figures.numbers(made)
    assert said["phases_verdict"] == (
        "The model hands over from frequency to the word before at step 345 (100 to 1,000)."
    )
    assert said["phases_added"] == (
        "At the last checkpoint these add to what frequency explains: the word before 0.250 (0.200 to 0.270) and the "
        "words on both sides 0.350 (0.300 to 0.370) of the variance."
    )
    assert said["phases_itself"] == (
        "At the last checkpoint these explain something that no other does: frequency 0.200 (0.150 to 0.220) and the "
        "words on both sides 0.060 (0.010 to 0.080)."
    )
    nothing = replace(
        made,
        itself=told(np.zeros((4, 4))),
        added=told(np.zeros((3, 4))),
        handovers=made.handovers.assign(state=[NOT_YET, UNTOLD, UNTOLD, NOT_YET, NOT_YET]),
    )
    said = figures.numbers(nothing)
    assert said["phases_verdict"] == (
        "Of 5 pairs of predictors none is shown to hand over to the other within the run; of 2 it cannot be told which "
        "explains more at the end."
    )
    assert "not shown" in said["phases_added"]
    assert "no predictor is shown" in said["phases_itself"]
    assert not {LEFT, RIGHT, BOTH, UNIGRAM} - set(figures.NAMES)


def test_what_cannot_be_told_is_said_with_the_reason():
    for draw in (figures.shares, figures.likely):
        assert "Not told for baby: it takes two checkpoints." in draw("it takes two checkpoints", "baby").data
    assert "it takes two checkpoints" in figures.table("it takes two checkpoints").data
    said = figures.numbers("it takes two checkpoints")
    assert set(said) == {"phases_verdict", "phases_itself", "phases_added", "phases_passed"}
    assert said["phases_verdict"] == "Not told for this run: it takes two checkpoints."
