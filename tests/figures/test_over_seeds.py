"""Seeds as thin lines, and their median."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis.over_seeds import OverSeeds
from embryology.figures import over_seeds as drawn
from tests.figures.reading import bands, line, seen


def made(intervals=True, remarks=()):
    """Three seeds of two measures; at step 20 one has no value, so that there is no median."""
    values = {"a": [0.0, 0.25, 0.5], "b": [0.125, 0.5, 0.875], "c": [0.0625, None, 0.75]}
    rows = [
        (measure, name, number, step, value / scale)
        for measure, scale in (("words", 1), ("tasks", 2))
        for number, (name, of_seed) in enumerate(values.items())
        for step, value in zip((0, 20, 80), of_seed, strict=True)
        if value is not None
    ]
    curves = pd.DataFrame(rows, columns=["measure", "series", "seed", "step", "value"])
    medians = pd.DataFrame(
        {"measure": ["words", "words", "tasks", "tasks"], "step": [0, 80] * 2, "value": [0.0625, 0.75, 0.03125, 0.375]}
    )
    ends = (
        {"low": medians["value"] - 0.03, "high": medians["value"] + 0.2}
        if intervals
        else {"low": np.nan, "high": np.nan}
    )
    levels = {"words": {"most-frequent-word": 0.1}, "tasks": {"majority": 0.3, "tf-idf": np.nan}}
    return OverSeeds(curves, medians.assign(**ends, seeds=3), levels, remarks)


def test_every_seed_is_a_thin_line_and_the_median_has_its_interval():
    shown = seen(drawn.curves, made(), "seeds", "What changes?")
    axis = shown.panel("words")
    thin = [each for each in axis.get_lines() if each.get_label() == "one seed"]
    assert [each.get_xdata().tolist() for each in thin] == [[0, 20, 80], [0, 20, 80], [0, 80]]
    assert [each.get_ydata().tolist() for each in thin] == [[0, 25, 50], [12.5, 50, 87.5], [6.25, 75]]
    (median,) = [each for each in axis.get_lines() if each.get_label() == "median over seeds"]
    assert all(each.get_linewidth() < 0.6 * median.get_linewidth() for each in thin)
    assert len({each.get_color() for each in thin}) == 3
    assert line(axis, "median over seeds").tolist() == [[0, 6.25], [80, 75]]
    (band,) = bands(axis)
    assert band[:, 1:] == pytest.approx(np.array([[3.25, 26.25], [72, 95]]))
    assert line(axis, "most frequent word of the set")[:, 1].tolist() == [10, 10]
    assert line(shown.panel("tasks"), "most frequent answer")[:, 1].tolist() == [30, 30]
    assert shown.answer == (
        "3 seeds at the end, their median (the lowest to the highest), farthest apart: words 75.0% (50.0 to 87.5)"
    )
    assert "a line a seed (a, b and c)" in shown.caption
    assert "band: 95% t interval of their mean, over seeds" in shown.caption
    assert shown.data.query("measure == 'tasks' and step == 80")["value_median"].tolist() == [0.375] * 3


def test_without_an_interval_that_is_said_and_no_band_is_drawn():
    shown = seen(drawn.curves, made(intervals=False), "seeds", "What changes?")
    assert bands(shown.panel("words")) == []
    assert "no interval, which takes three seeds that differ" in shown.caption


def test_what_is_missing_stands_below():
    over = made(remarks=("b is <not> drawn.",))
    assert drawn.with_remarks(over, "seeds", "What?").data.endswith("<p>b is &lt;not&gt; drawn.</p>")
    nothing = OverSeeds(over.curves[:0], over.medians[:0], {}, ("Why.",))
    assert drawn.with_remarks(nothing, "seeds", "What?").data == "<p>Not drawn: nothing was measured.</p><p>Why.</p>"
    ends = over.curves["step"] == 80
    alike = OverSeeds(over.curves.assign(value=over.curves["value"].mask(ends, 0.5)), over.medians, over.levels, ())
    assert seen(drawn.curves, alike, "seeds", "What?").answer == "All of 3 seeds end alike"
    without = OverSeeds(over.curves, over.medians[:0], over.levels, ())
    assert seen(drawn.curves, without, "seeds", "What?").answer == "No median of these seeds can be taken"


def test_series_that_are_no_seeds_are_a_sentence(series):
    assert "no two of these series differ by their seed alone" in drawn.headlines([]).data
    assert drawn.groups([]).data == ""
