"""Titles and captions keep their limits whatever a figure says, and lose nothing: the rest stands in the fold."""

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embryology.figures import captions, style

LONG = (
    "First, a clause that is rather long (with a note in it, which is not cut); then another one, and more: a, b and c"
)


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("Short enough", "Short enough"),
        ("x" * 90, "x" * 90),
        (LONG, "First, a clause that is rather long (with a note in it, which is not cut)"),
        ("No clause ends here but some items do, " + "word " * 20 + "end", "No clause ends here but some items do…"),
        ("Only words " * 10 + "end", "Only words " * 8 + "…"),
        ("y" * 120, "y" * 89 + "…"),
    ],
)
def test_a_title_is_cut_where_its_last_clause_ends(answer, title):
    assert captions.title(answer) == title.replace(" …", "…")


@given(st.text(alphabet="ab ;:,.()", max_size=300))
def test_no_title_is_longer_than_ninety_characters_and_each_begins_its_answer(answer):
    title = captions.title(answer)
    assert len(title) <= 90
    assert answer.startswith(title.removesuffix("…"))


def test_a_caption_says_what_bands_and_baselines_are_before_the_rest():
    data = "It is drawn of " + "data " * 50 + "here."
    shown, rest = captions.caption(f"What is asked? {data} Bands: 95% intervals. Short. Baselines: chance.")
    assert shown == "What is asked? Bands: 95% intervals. Short. Baselines: chance."
    assert rest == data


@given(st.lists(st.integers(1, 80), min_size=1, max_size=8))
def test_no_caption_has_more_than_sixty_words_and_none_is_lost(lengths):
    sentences = [
        f"{'Band' if number % 3 else 'Word'}{number}" + " more" * (n - 1) + "." for number, n in enumerate(lengths)
    ]
    shown, rest = captions.caption(" ".join(sentences))
    assert len(shown.split()) <= 60
    assert all(sentence in f"{shown} {rest}" for sentence in sentences)


def test_the_fold_holds_the_whole_answer_what_the_caption_left_and_the_note(monkeypatch):
    monkeypatch.setattr(style, "_note", "Note: a & b.")
    figure, _ = style.panels(1, 1, 2, 2)
    caption = "A question? Word " + "word " * 59 + "end. Bands: made up."
    html = style.show(figure, "a", LONG, pd.DataFrame({"x": [1]}), caption, "alt").data
    fold = re.search(r"<details.*?<summary>(.*?)</summary>(.*?)</details>", html)
    assert fold[1] == "More on this figure, with a note on its data"
    assert fold[2] == f"<p>{LONG}</p><p>Word {'word ' * 59}end.</p><p>Note: a &amp; b.</p>"
    assert re.search(r"<figcaption>(.*?)<details", html)[1] == "A question? Bands: made up."
    monkeypatch.setattr(style, "_note", "")
    assert (
        "embryology-more" not in style.show(figure, "a", "Short", pd.DataFrame({"x": [1]}), "A question?", "alt").data
    )
