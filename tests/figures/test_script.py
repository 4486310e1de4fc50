"""The book's script in a real Chromium: what it says of what is pointed at, and what it draws of the figures' data."""

import numpy as np
import pandas as pd
import pytest

from embryology.figures import chart, style
from embryology.runs.paths import ROOT
from tests import browser

COVERS = ("embryology/figures/chart.py",)

pytestmark = pytest.mark.skipif(browser.CHROMIUM is None, reason="there is no Chromium to open the page in")
STEPS, TOKENS, NATS = [0, 20, 200, 2000], [0, 2048, 20480, 204800], [-2.0, -1.0, 0.0, 0.5]
VALUES = [0.1, 0.2, 0.6, 0.9]
SAID = "document.querySelector('output').value"
SHOWN = "document.querySelector('figure svg.embryology-drawn')"
REGION = "document.querySelector('figure [role=region]')"
RIGHT = f"{REGION}.dispatchEvent(new KeyboardEvent('keydown', {{key: 'ArrowRight'}}))"
CHOOSE = (
    "{{ const field = document.querySelector('{}'); field.value = '{}'; field.dispatchEvent(new Event('change')); }}"
)
LEGEND = "[...document.querySelectorAll('figure .embryology-legend li')].map((each) => each.textContent.trim())"
ROWS = "[...document.querySelectorAll('.embryology-rows-shown tbody tr')]"
CELLS = "(row) => [...row.cells].map((cell) => cell.textContent).join('|')"
PRESS = "document.querySelector('[data-axis={}]').click()"


@style.styled
def figure():
    """A curve over training, a level, and a map beside it; two items can be chosen."""
    drawn, (left, right) = style.panels(1, 2, 8, 4)
    rows = pd.DataFrame({"step": STEPS, "value": VALUES, "n": 50})
    rows = rows.assign(low=rows["value"] - 0.05, high=rows["value"] + 0.07)
    style.curve(left, rows, style.LINES[0], "all")
    style.level(left, 0.5, "majority", "a level")
    style.training_axis(left, STEPS, "training step")
    style.heat(right, pd.DataFrame([[1.0, 2.0], [3.0, 4.5]], ["top", "bottom"], ["early", "late"]))
    offered = {"of": "word", "labels": ["one", "two"], "x": STEPS, "y": [VALUES, [0.3, 0.3, 0.4, 0.5]], "first": []}
    chart.offer(drawn, offered | {"colours": ["#0072B2", "#D55E00"]})
    html = style.show(drawn, "made-up", "An answer", rows, "A question? Bands: made up.", "alt").data
    at = left.transData.transform(np.column_stack([STEPS, VALUES])) / drawn.dpi / drawn.get_size_inches()
    return html, at


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    patch = {"run": {"step": STEPS, "tokens": TOKENS, "nats": NATS}}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chart, "_series", patch)
        html, at = figure()
    table = chart.packed(
        {
            "names": ["metric", "group", "step"],
            "values": {"metric": ["accuracy"], "group": ["", "NN"], "step": [0, 20]},
            "codes": {"metric": [0, 0, 0, 0], "group": [0, 0, 1, 1], "step": [0, 1, 0, 1]},
            "numbers": {"value": [0.1, 0.2, 0.3, 0.4], "low": [None] * 4, "high": [None] * 4, "n": [5, 5, 3, 3]},
        },
        "embryology-rows",
    )
    scripts = "".join(
        f'<script src="{ROOT / "book/_static" / name}"></script>' for name in ("embryology.js", "measurements.js")
    )
    (folder / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{html}<div>{table}</div>{scripts}")
    with browser.chromium() as tab:
        tab.open(folder / "page.html", 1000)
        tab.until("document.querySelector('[data-axis=nats]') && document.querySelector('.embryology-rows-shown')")
        yield tab, at
        assert tab.console == []
        assert all(url.startswith(("file:", "data:")) for url in tab.requests)


def point(tab, x, y):
    """Say what stands at a place of the picture, as shares of its width and height from the lower left corner."""
    place = "document.querySelector('figure img').getBoundingClientRect()"
    left, top, width, height = (tab.evaluate(f"{place}.{side}") for side in ("left", "top", "width", "height"))
    event = f"{{clientX: {left + width * x}, clientY: {top + height * (1 - y)}, bubbles: true}}"
    tab.evaluate(f"document.querySelector('figure img').dispatchEvent(new PointerEvent('pointermove', {event}))")
    return tab.evaluate(SAID)


def test_points_are_said_where_matplotlib_drew_them(page):
    tab, at = page
    for (x, y), step, value in zip(at, STEPS, VALUES, strict=True):
        said = point(tab, x, y)
        interval = f"95% interval {value - 0.05:.4g} to {value + 0.07:.4g}"
        assert said == f"all, training step {step:,}: {value} ({interval}), n = 50"


def test_a_level_is_said_along_its_whole_length_and_nothing_far_from_all(page):
    tab, at = page
    between = at[0, 1] + (at[1, 1] - at[0, 1]) * (0.5 - 0.1) / 0.1
    assert point(tab, at[0, 0], between) == "a level: 0.5"
    assert point(tab, at[0, 0], at[3, 1]) == ""


def test_a_map_says_row_column_and_value(page):
    tab, _ = page
    found = {point(tab, x, y) for x in np.linspace(0.55, 0.85, 13) for y in np.linspace(0.2, 0.9, 13)} - {""}
    assert {said.rpartition(": ")[2] for said in found} == {"1", "2", "3", "4.5"}
    (late_top,) = [said for said in found if said.endswith(": 2")]
    assert "top" in late_top
    assert "late" in late_top


@pytest.mark.parametrize(("axis", "values"), [("tokens", TOKENS), ("nats", NATS)])
def test_the_figure_is_drawn_over_another_axis_from_the_same_values(page, axis, values):
    tab, _ = page
    tab.evaluate(PRESS.format(axis))
    assert tab.evaluate("document.querySelector('figure img').hidden")
    assert tab.evaluate(f"{SHOWN}.querySelectorAll('circle').length") == 4
    places = tab.evaluate(f"[...{SHOWN}.querySelectorAll('circle')].map((each) => Number(each.getAttribute('cx')))")
    heights = tab.evaluate(f"[...{SHOWN}.querySelectorAll('circle')].map((each) => Number(each.getAttribute('cy')))")
    assert np.diff(heights) / np.diff(heights)[0] == pytest.approx(np.diff(VALUES) / np.diff(VALUES)[0])
    if axis == "nats":  # linear
        assert np.diff(places) / np.diff(places)[0] == pytest.approx(np.diff(values) / np.diff(values)[0])
    else:  # decades are equal beyond the first checkpoint
        assert places[3] - places[2] == pytest.approx(places[2] - places[1])
    tab.evaluate(RIGHT)
    assert f" {values[0]:g}: 0.1" in tab.evaluate(SAID).replace("−", "-")
    tab.evaluate(PRESS.format("step"))
    assert not tab.evaluate("document.querySelector('figure img').hidden")


def test_another_item_is_chosen_and_taken_away_again(page):
    tab, _ = page
    tab.evaluate(CHOOSE.format("input", "two"))
    assert tab.evaluate(f"{SHOWN}.querySelectorAll('circle').length") == 8
    assert tab.evaluate(LEGEND) == ["all", "a level", "two"]
    tab.evaluate("[...document.querySelectorAll('button')].find((each) => each.textContent === 'two ×').click()")
    assert tab.evaluate(f"{SHOWN} === null")
    assert not tab.evaluate("document.querySelector('figure img').hidden")


def test_measurements_are_filtered_counted_and_drawn(page):
    tab, _ = page
    count = "document.querySelector('p[role=status]').textContent"
    assert tab.evaluate(count) == "4 of 4 measurements."
    assert tab.evaluate("document.querySelectorAll('div:not(figure div) > .embryology-drawn').length") == 1
    tab.evaluate(CHOOSE.format("label:nth-of-type(2) select", 1))
    assert tab.evaluate(count) == "2 of 4 measurements."
    assert tab.evaluate(f"{ROWS}.map(({CELLS}))") == ["accuracy|NN|0|0.3|||3", "accuracy|NN|20|0.4|||3"]


def test_without_the_script_the_picture_stands_alone(page):
    html, _ = figure()
    assert html.count("<img") == 1
    assert "hidden" not in html
    assert "embryology-controls" not in html
