"""Sentences of an article: where they end, and what becomes of those that never do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from embryology.corpus.sentences import split


def test_abbreviations_initials_and_numbers_end_no_sentence():
    text = (
        "Dr. Smith went to the U.S. in 1990. He met J. R. R. Tolkien (c. 1892). "
        '"Why?" he asked.\nIt is 3.5 km, e.g. here.'
    )
    assert split(text) == [
        "Dr. Smith went to the U.S. in 1990.",
        "He met J. R. R. Tolkien (c. 1892).",
        '"Why?" he asked.',
        "It is 3.5 km, e.g. here.",
    ]


def test_a_line_break_ends_a_sentence_whatever_its_kind():
    assert split("One line\nand another\r\n\n  and a third \n") == ["One line", "and another", "and a third"]


def test_what_never_ends_is_cut_so_that_the_tokenizer_learns_of_it():
    """Of what has more than 4,192 bytes, which three letters in four are of German and three in one of Chinese."""
    for text in ("word " * 10_000, "語" * 50_000, "öäü " * 600):
        sentences = split(text)
        assert max(len(sentence.encode()) for sentence in sentences) <= 4192
        assert "".join(" ".join(sentences).split()) == "".join(text.split())
    assert " ".join(split("word " * 10_000)) == ("word " * 10_000).strip()
    assert split("a" * 4000) == ["a" * 4000]


@settings(max_examples=settings.default.max_examples // 2)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_nothing_is_lost_and_nothing_is_empty(text):
    sentences = split(text)
    assert all(sentence.strip() == sentence != "" for sentence in sentences)
    assert "".join("".join(sentences).split()) == "".join(text.split())
