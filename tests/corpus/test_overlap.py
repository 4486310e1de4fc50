"""Test text in training text, held against plain sets of tuples of words."""

import itertools
import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embryology.corpus import overlap
from embryology.corpus.articles import Article, is_held_out
from embryology.corpus.sentences import split
from embryology.corpus.store import TokenStore

LINE = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi"
SPACELESS = "山川草木花鳥風月春夏秋冬雪"
OTHER = "nothing of this was ever seen by anybody who reads so many long and dull test texts as we do"


@pytest.fixture(scope="module", autouse=True)
def _small_tables():
    """Quickly made, and with more to look up behind them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "TABLE_BITS", 6)
        yield


def plain_words(text):
    """For ASCII: punctuation becomes a space."""
    return text.lower().translate(str.maketrans(dict.fromkeys(string.punctuation, " "))).split()


def plain_ngrams(words, n):
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def found(texts, documents):
    return overlap.found(overlap.Index(texts), documents)


def stands(text, document):
    """By definition: a whole line of 8 words or more, and any 13 words of a line."""
    read = plain_words(document)
    lines = [plain_words(line) for line in text.splitlines()]
    sentence = any(len(line) >= 8 and tuple(line) in plain_ngrams(read, len(line)) for line in lines)
    return [sentence, any(plain_ngrams(line, 13) & plain_ngrams(read, 13) for line in lines)]


def test_a_planted_sentence_is_found_whatever_its_case_accents_and_stops():
    text = "Café owners, we are told, often open very early!"
    document = f"{OTHER}. “CAFE owners we are told (often) open very early” — {OTHER}"
    assert found([text], [document]).tolist() == [[True, False]]
    assert not found([text], [document.replace("very", "quite")]).any()


def test_seven_words_are_no_sentence_and_twelve_no_n_gram():
    words = LINE.split()
    for length, expected in ((7, [False, False]), (8, [True, False]), (12, [True, False]), (13, [True, True])):
        text = " ".join(words[:length])
        assert found([text], [f"{OTHER} {text} {OTHER}"]).tolist() == [expected]


def test_a_part_of_a_sentence_is_an_n_gram_and_no_sentence():
    words = LINE.split()
    document = " ".join(words[2:15])
    assert found([LINE], [document]).tolist() == [[False, True]]
    assert found([LINE], [" ".join(words[2:14])]).tolist() == [[False, False]]


def test_no_n_gram_goes_over_a_line_of_the_test_text_or_from_one_document_to_the_next():
    words = LINE.split()
    pair = " ".join(words[:7]) + "\n" + " ".join(words[7:])
    assert found([pair], [LINE]).tolist() == [[True, False]]  # its second line has nine words
    assert not found([LINE], [" ".join(words[:8]), " ".join(words[8:])]).any()


def test_an_n_gram_goes_over_the_end_of_a_sentence():
    words = LINE.split()
    text = f"{' '.join(words[:7]).capitalize()}. {' '.join(words[7:13]).capitalize()}."
    assert len(split(text)) == 2
    assert found([text], [LINE]).tolist() == [[False, True]]


WORDS = st.lists(st.sampled_from("ab"), max_size=40).map(" ".join)


@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, max_size=4))
def test_it_is_what_sets_of_tuples_say(texts, documents):
    expected = np.zeros((len(texts), 2), bool)
    for number, document in itertools.product(range(len(texts)), documents):
        expected[number] |= stands(texts[number], document)
    assert found(texts, documents).tolist() == expected.tolist()


def test_of_texts_that_share_n_grams_each_is_found():
    texts = [LINE, f"{LINE} rho sigma", OTHER, LINE]
    assert found(texts, [LINE])[:, 1].tolist() == [True, True, False, True]
    assert found(texts, [LINE])[:, 0].tolist() == [True, False, False, True]


def test_a_character_of_a_script_without_spaces_is_a_word():
    assert found([SPACELESS], [f"我們說{SPACELESS}了"]).tolist() == [[True, True]]
    assert overlap.words_of("हिन्दी भाषा।") == ["हिन्दी", "भाषा"]
    assert overlap.words_of("がぎ, 한국 Éte") == ["が", "ぎ", "한국", "ete"]


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_items_are_compared_as_the_model_reads_them(tokenizer, monkeypatch, at_once):
    """Both sides go through the tokenizer, which has no accents; an unknown character is one on both."""
    monkeypatch.setattr(overlap, "DOCUMENTS_AT_ONCE", at_once)
    unknown = "Über ☃ snowmen there is nothing at all to be said here."
    ids = [
        tokenizer(document, add_special_tokens=False).input_ids for document in ("Nothing in it.", f"{OTHER}.", unknown)
    ]
    ends = np.cumsum([0, *map(len, ids)])
    store = TokenStore(np.concatenate(ids).astype(np.uint16), ends, np.arange(4))
    tokens = pd.DataFrame({"item_id": ["a", "b", "c"], "text": [OTHER.upper(), LINE, "Nothing in it."], "word": "x"})
    other_unknown = unknown.replace("Über", "Uber").replace("☃", "☂")
    pairs = pd.DataFrame(
        {
            "item_id": ["d", "e", "f"],
            "task": "t",
            "text": [
                f"{LINE}\nzzz is short, and late in the alphabet",
                f"Short.\n{other_unknown}",
                f"{LINE}\nUber ☃ snowmen there is nothing at all to be",
            ],
        }
    )
    tables = overlap.properties({"tokens": tokens, "finetune": pairs}, store, tokenizer)
    assert tables["tokens"].to_dict("list") == {
        "item_id": ["a", "b", "c"],
        "has_sentence": [True, True, False],
        "has_ngram": [True, True, False],
        "sentence": [True, False, False],
        "ngram": [True, False, False],
        "passage": [0, 1, 2],
    }
    assert tables["finetune"].to_dict("list") == {
        "item_id": ["d", "e", "f"],
        "task": ["t"] * 3,
        "has_sentence": [True] * 3,
        "has_ngram": [True, False, True],
        "sentence": [False, True, True],
        "ngram": [False] * 3,
        "passage": [1, 3, 1],  # of the longest line: with b's, whatever stands before or after it
    }


def titles(held_out, count):
    return list(itertools.islice((t for t in map(str, itertools.count()) if is_held_out(t) == held_out), count))


@pytest.fixture
def corpus():
    """Five training articles, all but the first and the fourth with test text, and a held-out one with it too."""
    first, second, third, fourth, fifth = titles(False, 5)
    (out,) = titles(True, 1)
    return [
        Article("0", first, OTHER),
        Article("1", second, f"{OTHER}\n{LINE}"),
        Article("2", out, LINE),
        Article("3", third, f"Seven: {LINE}. We all of us walk home every single night."),
        Article("4", fourth, "We walk home."),
        Article("5", fifth, f"我們說{SPACELESS}了。 The end."),
    ]


def test_articles_of_the_training_side_that_hold_test_text_are_left_out_and_counted_by_set(corpus):
    sets = {
        "one": [LINE],
        "two": ["We all of us walk home every single night"],
        "three": ["We walk home.", SPACELESS],
        "none": ["We walk home."],
    }
    numbers, record = overlap.left_out(iter(corpus), sets)
    assert numbers == {1, 3, 5}
    words = {1: len(corpus[1].text.split()), 3: len(corpus[3].text.split()), 5: 3 + 13 + 1 + 1 + 2}
    assert record == {
        "articles": 3,
        "words": sum(words.values()),
        "by_set": {
            "one": {"articles": 2, "words": words[1] + words[3]},
            "two": {"articles": 1, "words": words[3]},
            "three": {"articles": 1, "words": words[5]},
            "none": {"articles": 0, "words": 0},
        },
    }
