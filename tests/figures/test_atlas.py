"""The page of all checkpoints: its table, its figure, and its script in a real browser."""

import json
import re

import numpy as np
import pytest

from embryology.analysis import tables
from embryology.figures import atlas
from tests import browser
from tests.figures.reading import seen
from tests.synthetic import STEPS

COVERS = ("embryology/figures/atlas_script.py",)
SHELL = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title>'
    '<meta name="viewport" content="width=device-width">'
)


def data_of(page):
    return json.loads(re.search(r'id="atlas-data">(.*?)</script>', page)[1])


@pytest.fixture(scope="module")
def page(series):
    return atlas.slider(series, atlas.read(series)).data


def test_all_steps_are_told_and_text_cannot_end_the_script(page):
    told = data_of(page)
    assert told["names"] == [f"step {step:,}" for step in STEPS]
    assert told["counts"][2] == "4 of 9 words given back, 0 of 2 masked words found"
    assert told["counts"][-1] == "8 of 9 words given back, 2 of 2 masked words found"
    assert told["names"][told["first"]] == "step 40"
    assert f'max="{len(STEPS) - 1}" step="1" value="2"' in page
    assert "<i>" not in re.search(r'id="atlas-data">(.*?)</script>', page)[1]


def test_without_a_script_a_table_of_some_steps_stands_open(page):
    table = re.search(r'<details class="atlas-table" open>.*?</details>', page, re.DOTALL)[0]
    heads = re.findall(r'<th scope="col">(.*?)</th>', table)
    assert heads == ["sentence", *(f"step {step:,}" for step in (0, 40, 80, 320, 640, 2000))]
    first, second = re.findall(r"<tr>(<th scope=\"row\">.*?)</tr>", table)
    assert first.startswith('<th scope="row">A dog sleeps.</th>')
    cells = re.findall(r"<td>(.*?)</td>", first)
    assert cells[0] == "[the] [the] [the] [the]<br><i>dog: the</i>"
    assert cells[1] == "A [the] [the] .<br><i>dog: the</i>"
    assert cells[-1] == "A dog sleeps .<br><i>dog: dog</i>"
    assert "He lives in a &lt;b&gt;." in second
    assert '<div class="atlas-live" hidden>' in page


def test_chosen_steps_alone_are_shown(series):
    told = data_of(atlas.slider(series, atlas.read(series, "0,80")).data)
    assert told["steps"] == [0, 80]


def test_the_answer_tells_the_first_and_the_last_checkpoint(series):
    told = atlas.answer(series, atlas.read(series)).data
    assert (
        "Of 9 words it gives back 0 at the first checkpoint and 8 at the last, and of 2 masked words it finds 0 at the "
        "first checkpoint and 2 at the last."
    ) in told


def test_shares_are_drawn_beside_blind_answers(series):
    shown = seen(atlas.shares, tables.read([series], "completions"))
    assert [axis.get_title(loc="left") for axis in shown.figure.axes] == [
        "words given back · n = 9", "masked words · n = 2", "better sentence preferred · n = 2"
    ]  # fmt: skip
    own = shown.data[(shown.data["task"] == "reconstruction") & shown.data["baseline"].isna()]
    assert own["step"].tolist() == [*STEPS]
    assert np.allclose(own["value"] * 9, [0, 1, 4, 5, 6, 6, 7, 7, 8])
    assert set(shown.data["baseline"].dropna()) == {"most-frequent-word", "chance", "untrained"}
    assert shown.answer == "At the end: words given back 0.89, masked words 1.00, better sentence preferred 0.50"


@pytest.mark.skipif(browser.CHROMIUM is None, reason="there is no Chromium")
def test_the_slider_shows_each_checkpoint(page, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(f"{SHELL}<body>{page}</body></html>", encoding="utf-8")
    with browser.chromium() as tab:
        tab.open(file, width=390)
        words = "[...document.querySelectorAll('#atlas-sentences .said-word')]"
        assert tab.evaluate("document.getElementById('atlas-said').textContent").startswith("step 40: 4 of 9 words")
        assert (
            tab.evaluate("document.querySelector('.atlas-live').hidden || document.querySelector('details').open")
            is False
        )
        slider = "document.getElementById('atlas-step')"
        assert tab.evaluate(f"{slider}.labels[0].textContent") == "Checkpoint"
        tab.evaluate(f"{slider}.focus()")
        for _ in range(1):  # by the keyboard
            for kind in ("keyDown", "keyUp"):
                tab.send(
                    "Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39
                )
        assert tab.evaluate(f"{slider}.getAttribute('aria-valuetext')") == "step 80"
        told = tab.evaluate(f"{words}.map((each) => [each.className, each.textContent])")
        assert told[:3] == [
            ["said-word said-right", "A"],
            ["said-word said-wrong", "the instead of dog"],
            ["said-word said-wrong", "the instead of sleeps"],
        ]
        assert [name for name, _ in told].count("said-word said-right") == 5
        tab.evaluate(f"{slider}.value = {len(STEPS) - 1}; {slider}.dispatchEvent(new Event('input'))")
        chips = tab.evaluate("[...document.querySelectorAll('.said-answers')].map((each) => each.textContent)")
        assert chips[0].startswith("dog 50% ✓ right")
        # A sentence's tags are text.
        assert "<b>" in tab.evaluate("document.getElementById('atlas-sentences').textContent")
        assert tab.evaluate("document.documentElement.scrollWidth") == 390
        assert tab.console == []
        assert [url for url in tab.requests if not url.startswith("file:")] == []
