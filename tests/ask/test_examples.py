import re

from embryology.ask.examples import EXAMPLES, PAIRS


def test_a_dozen_sentences_have_the_word_that_is_masked():
    assert len(EXAMPLES) >= 12
    for sentence, word in EXAMPLES:
        assert re.search(rf"\b{word}\b", sentence), sentence


def test_pairs_differ_in_one_word():
    for pair in PAIRS:
        one, other = (sentence.split() for sentence in pair)
        assert sum(a != b for a, b in zip(one, other, strict=True)) == 1
