"""What is drawn and said of exposures, beside the statistics of the same series."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import exposure
from embryology.analysis.exposure import ASKED, SHOWN, Effect, Until
from embryology.figures import exposure as figures
from tests.analysis.test_exposure import made
from tests.figures.reading import bands, cells_of, line, seen


@pytest.fixture(scope="module")
def told():
    return made(), "log-probabilities were not kept when it was frozen"


def test_before_and_after_a_reading_is_drawn(told):
    shown = seen(figures.around, told, "baby")
    axis = shown.panel("word types")
    for at, reading in enumerate((ASKED, SHOWN)):
        rows = exposure.around(told[0], reading)
        rows = rows[rows["low"].notna()]
        assert line(axis, reading).tolist() == rows[["checkpoint", "value"]].to_numpy().tolist()
        assert bands(axis)[at].tolist() == rows[["checkpoint", "low", "high"]].to_numpy().tolist()
    assert line(axis, "not read, as frequent")[:, 1].tolist() == [0, 0]
    (shaded,) = [patch for patch in axis.patches if patch.get_label() == "the interval with the reading"]
    assert (shaded.get_x(), shaded.get_width()) == (0, 1)
    found = exposure.of_reading(told[0], ASKED)
    asked = f"asked for in an interval they gain +{found.value:.2f} nats (+{found.low:.2f} to +{found.high:.2f})"
    assert shown.answer.startswith(f"Word types: {asked}, only shown ")
    assert "300 resamples" in shown.caption


def test_the_effect_of_each_interval_is_drawn_at_the_step_that_ends_it(told):
    shown = seen(figures.over_training, told, "baby")
    rows = exposure.over_training(told[0])
    axis = shown.panel("word types")
    assert line(axis, "read, less not read").tolist() == rows[["step", "value"]].to_numpy().tolist()
    assert bands(axis)[0].tolist() == rows[["step", "low", "high"]].to_numpy().tolist()
    most = rows.loc[rows["value"].idxmax()]
    assert f"at step {most['step']:,.0f} (+{most['value']:.2f} nats" in shown.answer


def test_own_exposures_are_drawn_by_octave_and_band(told):
    shown = seen(figures.own, told, "baby")
    axis = shown.panel("word types")
    rows = exposure.by_own(told[0])
    rows = rows[rows["band"] == 1]
    assert line(axis, "1 to 9 in the run").tolist() == [
        [0 if own == 0 else np.log2(own) + 1, value] for own, value in zip(rows["own"], rows["value"], strict=True)
    ]
    assert bands(axis)[0][:, 1:].tolist() == rows[["low", "high"]].to_numpy().tolist()
    assert line(axis, "untrained model")[0, 1] == pytest.approx(told[0].log_probability[:, 0].mean())
    assert [axis.xaxis.get_major_formatter()(at, None) for at in (0, 1, 2, 11)] == ["0", "1", "2", "1.02k"]


def test_sentences_say_yes_no_and_what_cannot_be_told(told):
    said = figures.numbers(*told)
    assert said["exposure_facts"] == f"Of facts nothing can be told: {told[1]}."
    assert said["exposure_words"].startswith("600 word types, of which ")
    assert f"of which {(told[0].total == 0).mean():.0%} are never read" in said["exposure_words"]
    assert "those that are asked for change by +0." in said["exposure_asking_words"]
    nothing = figures.numbers(made(gain=0), "")
    assert "that being asked for changes anything is not shown" in nothing["exposure_words"]
    assert "is not shown" in nothing["exposure_asking_words"]
    few = figures.numbers(made(units=20), "")
    assert "what a reading does cannot be told" in few["exposure_words"]
    assert "cannot be told whether being asked for adds" in few["exposure_asking_words"]
    assert "How long right answers last without a reading cannot be told of word types" in few["exposure_lost_words"]


def test_rarity_has_words_for_each_outcome(told, monkeypatch):
    effects = [Effect(0.5, 0.25, 0.75, 99), Effect(-0.5, -0.75, -0.25, 99), Effect(0.1, -0.2, 0.3, 99)]
    monkeypatch.setattr(exposure, "of_rarity", lambda each: effects)
    assert figures._rarity(told[0]) == (
        "those of 1 to 9 in the run are likelier than those of 10 to 99 in the run (+0.50 nats (+0.25 to +0.75)) and "
        "those of 10 to 99 in the run are less likely than those of 100 to 999 in the run (-0.50 nats (-0.75 to -0.25))"
    )
    del effects[:2]
    assert figures._rarity(told[0]) == "that rarer ones differ from more frequent ones is not shown"
    effects[:] = [Effect(0.1, np.nan, np.nan, 9)]
    assert figures._rarity(told[0]) == "whether rarer ones differ cannot be told"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.02, 0.4, "They differed by +0.10 nats (+0.02 to +0.40) from one checkpoint before it on"),
        (-0.02, 0.4, "That they differed before the interval is not shown (+0.10 nats"),
        (np.nan, np.nan, "Whether they differed before the interval cannot be told."),
    ],
)
def test_a_difference_before_the_reading_is_said(told, monkeypatch, low, high, words):
    row = {"checkpoint": [-1], "value": [0.1], "low": [low], "high": [high], "units": [9]}
    monkeypatch.setattr(exposure, "around", lambda *_: pd.DataFrame(row))
    assert figures._before(told[0]).startswith(words)


@pytest.mark.parametrize(
    ("until", "words"),
    [
        (Until(1234, 1000, 2000, 50, 40), "1,234 steps (1,000 to 2,000)"),
        (Until(1234, 1000, np.inf, 50, 40), "1,234 steps (1,000 or more)"),
        (Until(np.inf, 1000, np.inf, 50, 1), "not reached (1,000 or more)"),
        (Until(np.inf, np.inf, np.inf, 50, 0), "not reached"),
        (Until(12, np.nan, np.nan, 5, 4), "12 steps (too few for an interval)"),
        (Until(np.nan, np.nan, np.nan, 0, 0), "cannot be told"),
    ],
)
def test_how_long_is_said(until, words):
    assert figures._until(until, "steps") == words


def test_the_table_has_a_row_a_band(told):
    rows = cells_of(figures.table(told, "baby").data)
    assert [row[1] for row in rows] == ["1 to 9 in the run", "10 to 99 in the run"]
    band = exposure.until_known(told[0], 0)
    assert rows[0][2:] == [f"{band.reached} of {band.units}", figures._until(band, "sequences")]


def test_where_nothing_can_be_told_the_reasons_stand():
    for draw in (figures.around, figures.over_training, figures.own, figures.table):
        assert "Not told for baby: no words; no facts." in draw(("no words", "no facts"), "baby").data
