"""Presets × seeds: the table of what is measured, and what presets and seeds end as."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis.factors import Factors
from embryology.figures import factors as drawn
from tests.figures.reading import seen

VALUES = {("a", 0): 0.5, ("a", 1): 0.6, ("a", 2): 0.55, ("b", 0): 0.7, ("b", 1): 0.72, ("b", 2): np.nan}


def made(**changes):
    """Presets a and b with three seeds, of which one of b is missing, and one of a lacks a checkpoint."""
    measured = dict.fromkeys(VALUES, 5) | {("a", 1): 3, ("b", 2): 0}
    cells = [(*key, "tokens", there, 5) for key, there in measured.items()]
    ends = [("words", *key, 20, value) for key, value in VALUES.items()]
    parts = {
        "presets": ("a", "b"),
        "seeds": (0, 1, 2),
        "cells": pd.DataFrame(cells, columns=["preset", "seed", "probe", "measured", "wanted"]),
        "ends": pd.DataFrame(ends, columns=["measure", "preset", "seed", "step", "value"]),
        "levels": {"words": {"most-frequent-word": 0.1}},
        "remarks": (),
    }
    return Factors(**parts | changes)


def test_a_cell_says_what_is_measured_and_a_missing_one_is_hatched():
    shown = seen(drawn.coverage, made())
    (axis,) = shown.figure.axes
    assert [text.get_text() for text in axis.texts] == ["5 of 5", "3 of 5", "5 of 5", "5 of 5", "5 of 5", "missing"]
    assert [bool(patch.get_hatch()) for patch in axis.patches] == [False, True, False, False, False, True]
    assert [label.get_text() for label in axis.get_yticklabels()][-1] == "b, seed 2"
    assert shown.answer == "7 of 30 measurements of checkpoints are missing"
    assert "Of these runs there is nothing: b, seed 2." in shown.alt
    assert shown.data["measured"].tolist() == [5, 3, 5, 5, 5, 0]
    whole = made().cells.assign(measured=5)
    assert seen(drawn.coverage, made(cells=whole)).answer == "All 30 measurements of checkpoints are there"


def test_each_seed_is_a_point_their_mean_a_line_and_a_missing_one_a_cross_at_the_foot():
    shown = seen(drawn.points, made())
    axis = shown.panel("words")
    by_label = {}
    for line in axis.get_lines():
        by_label.setdefault(line.get_label(), []).append((line.get_xdata(), line.get_ydata()))
    points = by_label["a seed"]
    assert np.allclose(points[0][1], [50, 60, 55])
    assert np.allclose(points[0][0], [-0.25, 0, 0.25])
    assert np.allclose(points[1][1], [70, 72])
    ((x, y),) = by_label["missing seed"]
    assert np.allclose((x, y), ([1.25], [0.02]))
    assert [float(y[0]) for _, y in by_label["mean of seeds"]] == pytest.approx([55, 71])
    ((_, interval),) = by_label["95% t interval of the mean"]  # two seeds have none
    assert np.allclose(interval, [55 - 4.302653 * 5 / 3**0.5, 55 + 4.302653 * 5 / 3**0.5])
    assert [float(y[0]) for _, y in by_label["most frequent word of the set"]] == [10]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["a", "b"]
    assert (
        shown.answer == "In words the means of presets are at most 16.0 points apart, seeds of one preset at most 10.0"
    )


def test_what_cannot_be_said_is_said_so():
    none = made(ends=made().ends.iloc[:0], remarks=("b is not held against others.",))
    assert "no measure was taken of several presets alike" in drawn.ends(none).data
    assert "b is not held against others." in drawn.ends(none).data
    assert "not of several presets" in drawn.coverage(None).data
    assert "not of several presets" in drawn.ends(None).data
    one_each = made().ends.assign(value=[0.5, np.nan, np.nan, 0.7, np.nan, np.nan])
    assert seen(drawn.points, made(ends=one_each)).answer.startswith("Presets cannot be held against seeds")
