from hypothesis import given
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


def test_what_never_ends_is_cut_so_that_the_tokenizer_learns_of_it():
    words = ("word " * 1_000_000).strip()
    sentences = split(words)
    assert max(len(sentence.encode()) for sentence in sentences) <= 4192
    assert " ".join(sentences) == words
    assert "".join(split("語" * 50_000)) == "語" * 50_000
    assert max(len(sentence.encode()) for sentence in split("語" * 50_000)) <= 4192
    assert split("a" * 4000) == ["a" * 4000]


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_nothing_is_lost_and_nothing_is_empty(text):
    sentences = split(text)
    assert all(sentence.strip() == sentence != "" for sentence in sentences)
    assert "".join("".join(sentences).split()) == "".join(text.split())
