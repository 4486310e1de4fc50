"""What is drawn and said of one clock, of times that are made by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from embryology.analysis.learning_order import NEVER_BEYOND, REACHED
from embryology.figures import clock as figures
from embryology.figures.clock import Clock
from tests.figures.reading import cells_of, line, seen

NO_RISE = (np.nan, np.nan, np.nan)
NEVER = ("facts", "facts (made up)", NEVER_BEYOND, np.nan, np.nan, np.nan, *NO_RISE)
ROWS = [
    ("words", "determiners (DT)", REACHED, 30.0, 20.0, 40.0, 0.5, 0.0, 0.9),
    ("frequency", "the loss falls below frequency alone", REACHED, 60.0, 40.0, 80.0, *NO_RISE),
    ("words", "nouns (NN)", REACHED, 900.0, 640.0, np.inf, 1.5, 1.1, 2.0),
    NEVER,
]


def made(series, rows=ROWS):
    columns = ["kind", "what", "state", "step", "low", "high", "doublings", "fewest", "most"]
    times = pd.DataFrame(rows, columns=columns).assign(where="")
    return [Clock(times, series, series.losses.assign(series=series.name))]


def test_each_time_stands_at_its_tokens_with_its_interval(series):
    shown = seen(figures.by_training, made(series))
    axis = shown.figure.axes[-1]
    assert [label.get_text() for label in axis.get_yticklabels()] == [row[1] for row in ROWS[:3]]
    assert line(axis, "words").tolist() == [[30 * 2048, 0], [900 * 2048, 2]]
    assert line(axis, "frequency").tolist() == [[60 * 2048, 1]]
    bars = {segment[0, 1]: segment[:, 0].tolist() for each in axis.collections for segment in each.get_segments()}
    assert bars == {0: [20 * 2048, 40 * 2048], 1: [40 * 2048, 80 * 2048], 2: [640 * 2048, 2000 * 2048]}
    losses = series.losses.dropna(subset=["held_out_masked_loss"])
    above, below = shown.figure.axes[:2]
    assert above.lines[0].get_ydata().tolist() == losses["held_out_masked_loss"].tolist()
    assert above.lines[1].get_ydata().tolist() == losses["unigram_loss"].tolist()
    assert below.lines[0].get_ydata().tolist() == series.losses["gradient_norm"].dropna().tolist()


def test_by_the_loss_no_losses_are_drawn_along(series):
    shown = seen(figures.by_loss, made(series))
    assert len(shown.figure.axes) == 1
    assert "nats below" in shown.figure.axes[0].get_xlabel()


def test_the_answer_names_the_first_and_the_last_and_whether_they_are_told_apart(series):
    first, last = "determiners (DT), step 30 (20 to 40)", "nouns (NN), step 900 (640 or later)"
    said = figures.answer(made(series)).data
    assert f"First comes: {first}; last: {last}. No kind comes as a whole before another" in said
    assert figures.numbers(made(series))["clock_never"].startswith("1 of 4 things")
    wide = [(*ROWS[0][:5], 700.0, *NO_RISE), ROWS[2]]
    assert "(640 or later); their intervals overlap. " in figures.answer(made(series, wide)).data
    apart = [ROWS[0], ("facts", "facts (made up)", REACHED, 100.0, 40.0, 160.0, 0.9, 0.0, 1.4)]
    assert "come words before facts.\n" in figures.answer(made(series, apart)).data


def test_over_all_runs_an_order_of_kinds_is_counted_in_those_that_have_both(series):
    facts = ("facts", "facts (made up)", REACHED, 100.0, 50.0, 160.0, *NO_RISE)
    late = ("words", "nouns (NN)", REACHED, 900.0, 640.0, 1000.0, *NO_RISE)
    of_runs = [*made(series, [ROWS[0], facts]), *made(series, [facts, late]), *made(series, [ROWS[0], NEVER])]
    said = figures.answer_of_runs(of_runs[:1] + of_runs[2:]).data
    assert "As a whole come words before facts (in 1 of 1 runs that have both)." in said
    assert "No kind comes as a whole before another in most runs" in figures.answer_of_runs(of_runs[:2]).data
    assert "annot be told: nothing that was measured has a time" in figures.answer_of_runs(made(series, [NEVER])).data
    rows = cells_of(figures.of_runs(of_runs[:1] + of_runs[2:]).data)
    assert rows[0][1:] == ["words", "1 of 1", "determiners (DT), 30 (20 to 40)", "determiners (DT), 30 (20 to 40)"]
    assert rows[-1][1:] == ["facts", "0 of 1", "none", "none"]
    both = cells_of(figures.of_runs(made(series, [ROWS[2], ROWS[0]])).data)[0]
    assert [cell.split(",")[0] for cell in both[3:]] == ["determiners (DT)", "nouns (NN)"]


def test_what_is_sudden_and_what_comes_after_frequency_is_said_by_whole_intervals(series):
    unclear = ("facts", "facts (made up)", REACHED, 70.0, 40.0, 160.0, 0.9, 0.0, 1.4)
    said = figures.numbers(made(series, [*ROWS[:3], unclear]))
    assert said["clock_sudden"] == (
        "Suddenly: determiners (DT); gradually: nouns (NN); of 1 of 3 it cannot be told. Doublings that they take, "
        "without their intervals: words 0.5 to 1.5, facts 0.9."
    )
    assert said["clock_frequency"] == (
        "The loss falls below that at step 60 (40 to 80). Before it: determiners (DT); after it: nouns (NN); cannot be "
        "told apart from it: facts (made up)."
    )
    cells = cells_of(figures.table(made(series)).data)
    assert [row[-1] for row in cells[-4:]] == [
        *("0.5 doublings of the steps (0.0 to 0.9)", "", "1.5 doublings of the steps (1.1 to 2.0)", "")
    ]
    alone = figures.numbers(made(series, [ROWS[1]]))
    assert alone["clock_sudden"] == "Of nothing can it be told."
    assert alone["clock_frequency"].endswith("Nothing else has a time.")
    late = ("frequency", "the loss falls below frequency alone", "why not", np.nan, np.nan, np.nan, *NO_RISE)
    assert figures.numbers(made(series, [ROWS[0], late]))["clock_frequency"] == "That cannot be told: why not."


def test_nothing_with_a_time_is_said_and_not_drawn(series):
    told = made(series, [NEVER])
    assert "Nothing that was measured has a time. " in figures.answer(told).data
    assert "nothing that was measured has a time" in figures.by_training(told).data
    assert cells_of(figures.table(told).data)[-1][-2] == NEVER_BEYOND


def test_other_runs_stand_hollow_in_the_rows_of_the_same_things(series):
    other = [ROWS[2], ("grammar", "word order", REACHED, 100.0, 80.0, 160.0, *NO_RISE), NEVER]
    beside = made(replace(series, name="b"), other)
    shown = seen(figures.by_training, [*made(series), *beside])
    assert line(shown.figure.axes[-1], "b").tolist() == [[900 * 2048, pytest.approx(2.2)]]
    assert shown.data["series"].dropna().tolist() == [series.name] * 3 + ["b"] * 2
    assert "Hollow: the same of b." in shown.caption
