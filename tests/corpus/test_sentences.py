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


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_nothing_is_lost_and_nothing_is_empty(text):
    sentences = split(text)
    assert all(sentence.strip() == sentence != "" for sentence in sentences)
    assert "".join("".join(sentences).split()) == "".join(text.split())
