"""Sentences in HTML, read by a parser of the standard library."""

from html.parser import HTMLParser

import pytest

from embryology.figures import plain_sentences
from tests.synthetic_completions import completions


class Read(HTMLParser):
    """Texts with the classes of the elements that they stand in."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.open.append((tag, dict(attributes).get("class") or ""))

    def handle_endtag(self, tag):
        while self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if data.strip():
            self.texts.append((" ".join(name for _, name in self.open if name), data.strip()))


def items(step, task, sentence):
    table = completions(step, "made up")[1]
    return table[(table["task"] == task) & (table["sentence"] == sentence)]


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.4312, "43%"), (0.0996, "10%"), (0.0994, "9.9%"), (0.0431, "4.3%"), (0.00996, "1.0%"), (0.00431, "0.43%"),
        (0.0001, "0.01%"), (0.00009, "below 0.01%"), (0.0, "below 0.01%"), (1.0, "100%"),
    ],
)  # fmt: skip
def test_a_probability_has_as_many_digits_as_tell_it(share, said):
    assert plain_sentences.percent(share) == said


def test_words_are_told_right_or_wrong_by_more_than_colour():
    # Items come in any order.
    told = Read(plain_sentences.given_back(items(100, "reconstruction", "s02").sample(frac=1, random_state=1)))
    assert told.texts == [
        ("said-sentence said-word said-wrong", "the"),
        ("said-sentence said-word said-wrong said-heard", "instead of"),
        ("said-sentence said-word said-wrong", "He"),
        ("said-sentence said-word said-wrong", "the"),
        ("said-sentence said-word said-wrong said-heard", "instead of"),
        ("said-sentence said-word said-wrong", "lives"),
        ("said-sentence said-word said-right", "in"),
        ("said-sentence said-word said-right", "a"),
        ("said-sentence", "<b>"),  # no word that was asked for; text all the same
        ("said-sentence said-word said-right", "."),
    ]
    style = plain_sentences.STYLE
    assert "2px solid var(--said-right)" in style
    assert "2px dashed var(--said-wrong)" in style


def test_a_gap_shows_the_likeliest_words_and_how_likely_its_own_is():
    gap = plain_sentences.gap(items(100, "gap", "s01").iloc[0], items(100, "answer", "s01").sample(frac=1))
    told = Read(gap)
    assert told.texts == [
        ("said-gap", "A"), ("said-gap", "dog"), ("said-gap", "sleeps."),
        *[("said-gap said-answers", text) for answer in (("the", "50%"), ("of", "25%"), (",", "17%"), ("and", "12%"),
                                                         ("<i>", "10%")) for text in answer],
        ("said-gap said-answers said-true", "dog: below 0.01%"),
    ]  # fmt: skip
    assert "A <u>dog</u> sleeps." in gap
    assert 'style="--p: 0.250"' in gap


def test_a_gap_that_is_filled_rightly_says_so():
    told = Read(plain_sentences.gap(items(2000, "gap", "s01").iloc[0], items(2000, "answer", "s01")))
    assert told.texts[3:7] == [
        ("said-gap said-answers said-it", "dog"),
        ("said-gap said-answers said-it", "50%"),
        ("said-gap said-answers said-it", "✓"),
        ("said-gap said-answers said-it said-heard", "right"),
    ]
    assert not [text for names, text in told.texts if "said-true" in names]


def test_pieces_are_told_where_a_word_has_several():
    item = items(0, "gap", "s01").iloc[0].copy()
    item["pieces"] = 3.0
    assert "dog, 3 pieces: below 0.01%" in plain_sentences.gap(item, items(0, "answer", "s01"))


def test_sentences_stand_in_one_element_with_their_style():
    told = plain_sentences.in_one(["<p>a</p>", "<p>b</p>"])
    assert told == f'{plain_sentences.STYLE}<div class="said"><p>a</p><p>b</p></div>'
