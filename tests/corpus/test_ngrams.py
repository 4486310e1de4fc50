"""N-grams of the training text against plain counting of strings, and as distributions."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from embryology.corpus import frequency, ngrams
from tests.corpus.test_frequency import stored

COVERS = ("embryology/corpus/frequency.py",)
TEXT = (
    "the old king is the king of the north there",
    "the king is old and the sea is old",
    "king of the sea and the sea of the king there",
    "the north sea is the old king there",
)
SHOWN = ("the old sea is of the north and king there", "north of the king and zebra there")


def plain(text, shown):
    """By sentence and place of every word shown its four probabilities; words are what stands between spaces."""
    lines = [["^", *line.split(), "$"] for line in text]
    words = Counter(word for line in lines for word in line[1:-1])

    def one(word):
        return (words[word] + 1) / (sum(words.values()) + len(words) + 1)

    def beside(pairs, word, lower):
        if not pairs:
            return lower
        return (pairs.count(word) + len(set(pairs)) * lower) / (len(pairs) + len(set(pairs)))

    def triples():
        for line in lines:
            yield from zip(line, line[1:], line[2:], strict=False)

    for sentence, line in enumerate(shown):
        shown_words = ["^", *line.split(), "$"]
        for place, (left, word, right) in enumerate(zip(shown_words, shown_words[1:], shown_words[2:], strict=False)):
            by_left = beside([middle for before, middle, _ in triples() if before == left], word, one(word))
            by_right = beside([middle for _, middle, after in triples() if after == right], word, one(word))
            both = [middle for before, middle, after in triples() if (before, after) == (left, right)]
            yield sentence, place, [one(word), by_left, by_right, beside(both, word, (by_left + by_right) / 2)]


@pytest.fixture
def table(tokenizer):
    """Of every word shown, whatever pieces it has."""
    rows = []
    for sentence, line in enumerate(SHOWN):
        cut = [tuple(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in line.split()]
        context, at = tuple(itertools.chain(*cut)), 0
        assert context == tuple(tokenizer(line, add_special_tokens=False)["input_ids"])
        for place, pieces in enumerate(cut):
            rows.append({"item_id": f"{sentence}:{place}", "pieces": pieces, "context": context, "place": at})
            at += len(pieces)
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


@pytest.mark.parametrize("sentences", [1, 3, 1000])
def test_probabilities_are_those_of_plain_counts(tokenizer, table, sentences, monkeypatch):
    store, _ = stored(tokenizer, TEXT)
    monkeypatch.setattr(frequency, "SENTENCES_A_CHUNK", sentences)
    told = ngrams.properties({"tokens": table}, store, tokenizer)["tokens"]
    assert told["item_id"].tolist() == table["item_id"].tolist()
    told = np.exp(told.set_index("item_id"))
    expected = {f"{sentence}:{place}": shares for sentence, place, shares in plain(TEXT, SHOWN)}
    assert len(expected) == len(told) == 17
    for item, shares in expected.items():
        assert told.loc[item, ["unigram", "left", "right", "both"]].tolist() == pytest.approx(shares)
    assert told.nunique().min() > 5


def test_each_is_a_distribution_over_the_words_of_the_text_and_all_others_together(tokenizer):
    store, _ = stored(tokenizer, TEXT)
    words = np.unique(np.concatenate([one.word for one in ngrams.places(store, tokenizer)]))
    words = np.append(words, np.uint64(7))  # which stands for the rest
    text = next(ngrams.places(store, tokenizer))
    for left, right in {(text.left[at], text.right[at]) for at in range(len(text.word))} | {(9, text.right[0])}:
        beside = (np.full(len(words), side, np.uint64) for side in (left, right))
        told = ngrams.log_probabilities(store, tokenizer, ngrams.Places(words, *beside))
        assert np.exp(told).sum().to_numpy() == pytest.approx(np.ones(4))


def test_a_word_whose_pieces_are_not_its_own_is_not_told(tokenizer):
    store, _ = stored(tokenizer, TEXT)
    context = tuple(tokenizer("theology of the king", add_special_tokens=False)["input_ids"])
    names = tokenizer.convert_ids_to_tokens(list(context))
    assert names[1].startswith("▁") is False
    items = pd.DataFrame({"item_id": ["part", "king"], "pieces": [context[:1], context[-1:]]})
    items = items.assign(context=[context, context], place=[0, len(context) - 1])
    told = ngrams.properties({"tokens": items}, store, tokenizer)["tokens"].set_index("item_id")
    assert told.loc["part"].isna().all()
    assert np.isfinite(told.loc["king"]).all()
