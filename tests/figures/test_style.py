"""How numbers stand on axes and in prose, and what a curve, a band and a level are drawn of."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from embryology.figures import looks, style
from embryology.specs import UNTRAINED
from tests.figures.reading import bands, line, rows

ROW = pd.Series({"value": 0.5, "low": 0.375, "high": 0.75})


@pytest.fixture
def axis():
    _, (axis,) = style.panels(1, 1, 3, 3)
    return axis


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (500, "500"),
        (999, "999"),
        (1000, "1k"),
        (1500, "1.5k"),
        (2_048_000, "2.05M"),
        (3e9, "3G"),
        (-2e3, "-2k"),
    ],
)
def test_short_counts(number, said):
    assert style.short(number) == said


def test_names_in_prose():
    assert [style.listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "none",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_a_value_in_prose_has_its_lower_end_first_and_its_unit_once():
    assert style.ranged(ROW, ".2f", " nats") == "0.50 nats (0.38 to 0.75)"
    assert style.ranged(ROW, ".1f", "%", 100) == "50.0% (37.5 to 75.0)"
    assert style.ranged(ROW.where(ROW.index == "value"), ".2f", " nats") == "0.50 nats"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1000, 2000, "1,653 (1,000 to 2,000)"),
        (1000, np.inf, "1,653 (1,000 or later)"),
        (-np.inf, 2000, "1,653 (the first or earlier to 2,000)"),
    ],
)
def test_a_step_in_prose_has_ends_that_may_be_open(low, high, said):
    assert style.stepped(pd.Series({"step": 1653.2, "low": low, "high": high})) == said


def test_steps_may_be_written_as_short_counts():
    assert style.stepped(pd.Series({"step": 1653.2, "low": 1e3, "high": 2e6}), style.short) == "1.65k (1k to 2M)"


def test_a_curve_has_its_values_and_both_ends_of_its_intervals_in_its_own_unit(axis):
    table = rows("a", "b", [0.25, 0.5, 0.375], [0, 10, 30])
    style.curve(axis, table, style.LINES[0], "mine", "tokens", scale=100)
    assert line(axis, "mine").tolist() == [[0, 25], [20480, 50], [61440, 37.5]]
    (band,) = bands(axis)
    assert band == pytest.approx(np.array([[0, 15, 27], [20480, 40, 52], [61440, 27.5, 39.5]]))


def test_a_curve_of_which_a_value_has_no_interval_has_no_band(axis):
    table = rows("a", "b", [0.25, 0.5, 0.375], [0, 10, 30])
    style.curve(axis, table.assign(low=table["low"].where(table["step"] > 0)), style.LINES[0], "mine")
    style.curve(axis, table, style.LINES[0], "asked for none", band=False)
    assert bands(axis) == []
    assert line(axis, "mine").tolist() == [[0, 0.25], [10, 0.5], [30, 0.375]]


def test_a_baseline_is_a_curve_and_a_level_one_number(axis):
    style.baseline(axis, rows("a", "b", [0.25, 0.5], [0, 10]), UNTRAINED, "before", "tokens")
    style.baseline(axis, rows("a", "b", [], []), UNTRAINED, "not measured")
    style.level(axis, 0.125, UNTRAINED, "one number")
    assert line(axis, "before").tolist() == [[0, 0.25], [20480, 0.5]]
    assert line(axis, "one number")[:, 1].tolist() == [0.125, 0.125]
    assert len(axis.get_lines()) == 2


def test_a_legend_has_every_label_once(axis):
    style.level(axis, 0.125, UNTRAINED, "one")
    style.level(axis, 0.25, UNTRAINED, "two")
    style.level(axis, 0.5, UNTRAINED, "one")
    style.legend(axis.figure, [axis, axis], 2)
    assert [text.get_text() for text in axis.figure.legends[0].get_texts()] == ["one", "two"]


@pytest.mark.parametrize("lacking", [False, True])
def test_runs_are_compared_at_equal_tokens_where_all_are_known_and_a_run_alone_is_shown_by_steps(lacking):
    one = rows("a", "b", [0.25, 0.5], [0, 10])
    other = one.assign(series="other", tokens=[0, np.nan] if lacking else [0, 5])
    by_steps, by_tokens = ("step", "training step"), ("tokens", "tokens read")
    assert style.training_x(one) == by_steps
    assert style.training_x(pd.concat([one, other])) == (by_steps if lacking else by_tokens)


@pytest.mark.parametrize(
    ("values", "ticks", "labels"),
    [
        ([0, 20, 2000, 20], [0, 20, 100, 1000], ["0", "20", "100", "1k"]),
        ([20, 2000], [20, 100, 1000], ["20", "100", "1k"]),
        ([0, 500, 800], [0, 500, 800], ["0", "500", "800"]),
        ([0, 100], [0, 100], ["0", "100"]),
    ],
)
def test_an_axis_of_training_has_its_first_checkpoint_and_decades(axis, values, ticks, labels):
    style.training_axis(axis, values, "training step")
    assert axis.get_xticks().tolist() == ticks
    assert [axis.xaxis.get_major_formatter()(tick, 0) for tick in ticks] == labels
    left, right = axis.get_xlim()
    assert left < min(values)
    assert right > max(values)
    assert axis.get_xlabel() == "training step"


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize(
    "values", [[0, 50, 100, 400, 78_000], [0, 407_000, 5e6, 326e6], [0, 20, 3600], [1, 30_000], [0, 1e9, 318e9]]
)
def test_numbers_on_an_axis_of_training_do_not_touch(columns, values):
    with looks.theme():
        figure, axes = style.panels(1, columns, 9, 2.6)
        for each in axes:
            style.training_axis(each, values, "tokens read")
        FigureCanvasAgg(figure).draw()
        for each in axes:
            ticks = each.get_xticks().tolist()
            assert ticks[0] == values[0]
            assert len(ticks) >= 3
            places = [label.get_window_extent() for label in each.get_xticklabels()]
            assert all(one.x1 < other.x0 for one, other in itertools.pairwise(places))


@pytest.mark.parametrize(
    ("unit", "label", "said", "at"),
    [
        ("step", "training step", "over training steps", "step 1,200"),
        ("tokens", "tokens read", "over tokens read", "1,200 tokens"),
        ("words", "words read", "over words read", "1,200 words"),
        ("epochs", "epoch", "over epochs", "epoch 1,200"),
        ("order", "checkpoint, in order", "over checkpoints in order", "checkpoint 1,200"),
    ],
)
def test_training_steps_are_called_what_the_series_counts(axis, unit, label, said, at):
    try:
        style.counts(unit)
        of_a_run = style.training_x(rows("a", "b", [0.5], [1]))
        style.training_axis(axis, [1, 2, 3, 9], "training step")
        shown = style.show(
            axis.figure,
            "a",
            "At step 1,200.",
            rows("a", "b", [0.5], [1]),
            "Caption over training steps.",
            "Alt: step 1,200.",
        ).data
    finally:
        style.counts("step")
    assert axis.get_xlabel() == label
    assert of_a_run == ("step", label)
    assert (axis.get_xscale() == "linear") == (unit == "order"), "of an order no distance is known"
    assert f"Caption {said}." in shown
    assert f"<strong>At {at}.</strong>" in shown
    assert f'alt="Alt: {at}."' in shown


@pytest.mark.parametrize(("unit", "right"), [("step", 36), ("order", 9 + 0.35 * 8.5)])
def test_room_beyond_the_last_checkpoint_is_a_part_of_the_axis(axis, unit, right):
    try:
        style.counts(unit)
        style.training_axis(axis, [1, 2, 3, 9], "training step")
    finally:
        style.counts("step")
    style.room(axis, 9)
    assert axis.get_xlim()[1] == pytest.approx(right)


def test_a_grid_shows_as_many_panels_as_are_asked_for():
    figure, axes = style.grid(3, 2, 2.5)
    assert len(axes) == 3
    assert [axis.axison for axis in figure.axes] == [True, True, True, False]
    assert figure.get_size_inches().tolist() == [9, 6.1]
