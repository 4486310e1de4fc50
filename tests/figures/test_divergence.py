"""What is read, drawn and said of divergences, on curves with known truth."""

from dataclasses import replace

import numpy as np
import pytest

from embryology.analysis import divergence
from embryology.figures import divergence as figures
from tests.figures.reading import bands, line, seen
from tests.synthetic import STEPS, make_run
from tests.synthetic_divergence import value

COVERS = ("embryology/analysis/divergence.py",)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return divergence.read(make_run(tmp_path_factory.mktemp("runs") / "made", only=("divergence",)))


def test_steps_are_those_that_are_known(told):
    assert told.closest == {"unigram": 80, "left": 640, "right": 640}
    assert told.own == {"left": 80, "right": None}
    # By the curves frequency is closer up to step 160, and by their intervals it may be at 320.
    first = next(s for s in STEPS if s >= 80 and value("unigram", s) - value("left", s) > 0.1)
    assert told.closer == {"left": first, "right": None}


def test_a_bigram_that_is_lost_at_the_end_is_not_closer_for_good(told):
    rows = told.curves["left"].assign(low=[1, 1, -1, 1, 1, 1, 1, 1, 1])
    assert divergence._above_zero(rows) == STEPS[3]
    assert divergence._above_zero(rows.assign(low=1)) == 0
    assert divergence._above_zero(rows.assign(low=[1] * 8 + [0])) is None
    assert divergence._above_zero(rows.assign(low=[1] * 8 + [float("nan")])) is None


def test_curves_are_drawn_with_intervals_and_other_neighbours(told):
    shown = seen(figures.curves, told, "baby")
    (axis,) = shown.figure.axes
    for at, (name, label) in enumerate(figures.NAMES.items()):
        assert line(axis, label)[:, 1] == pytest.approx([value(name, step) for step in STEPS])
        ends = [[value(name, step) - 0.1, value(name, step) + 0.1] for step in STEPS]
        np.testing.assert_allclose(bands(axis)[at][:, 1:], ends)
    other = line(axis, "the piece before, of another place")[:, 1]
    assert other == pytest.approx([value("left", step) + 0.5 * (step >= 80) for step in STEPS])
    assert line(axis, "the piece after, of another place")[:, 1] == pytest.approx(
        [value("right", step) + 0.05 for step in STEPS]
    )
    assert shown.answer.startswith("Predictions follow the piece before from step 80; closer than frequency: the piece")
    assert "after" not in shown.answer
    assert len(shown.data) == 5 * len(STEPS)


def test_the_sentence_says_where_each_is_closest_and_no_where_none_is(told):
    said = figures.sentence(told)
    assert "the frequency of pieces at step 80 (0.20 nats (0.10 to 0.30))" in said
    assert "the bigram with the piece after at step 640 (2.00 nats (1.90 to 2.10))" in said
    without = replace(told, own=told.own | {"left": None})
    assert figures.sentence(without).endswith("No neighbour is shown to matter at the end.")
    none_closer = replace(told, closer=told.closer | {"left": None})
    assert "none closer than frequency at the end" in figures.sentence(none_closer)
    assert figures.sentence("nothing was measured") == (
        "How far its predictions are from those of n-grams is not told: nothing was measured."
    )
    assert "Not told for baby: nothing" in figures.curves("nothing was measured", "baby").data


def test_of_a_run_that_was_not_measured_nothing_is_told(tmp_path):
    assert isinstance(divergence.read(make_run(tmp_path / "made", only=("frozen",))), str)
