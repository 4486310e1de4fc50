"""Sentences that hold two names, against a plain search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embryology.corpus import occurrences
from embryology.corpus import store as stores
from embryology.corpus.store import TokenStore
from embryology.facts import together as module
from embryology.facts.together import together
from embryology.storage.files import write_json

SENTENCES = (
    "Paris is a city in France .",
    "Paris, the city of Paris, lies in France.",
    "The Parisian is not in France .",
    "In Paris .",
    "France has cities .",  # the name before ends a sentence, and this begins one
    "New York City is in New York .",
)


def stored(tokenizer, sentences):
    ids = tokenizer(list(sentences), add_special_tokens=False)["input_ids"]
    offsets = np.cumsum([0, *map(len, ids)])
    return TokenStore(
        np.array([i for of_sentence in ids for i in of_sentence], np.uint16), offsets, np.array([0, len(ids)])
    )


@pytest.mark.parametrize(
    ("pair", "count"),
    [
        (("Paris", "France"), 2),  # not "Parisian"
        (("France", "Paris"), 2),
        (("city", "Paris"), 2),  # twice in one sentence is one sentence
        (("New York", "New York City"), 1),
        (("Berlin", "France"), 0),
        (("", "France"), 0),
        (("☃", "France"), 0),
    ],
)
def test_sentences_are_counted_that_hold_both_names_whole(tokenizer, pair, count):
    assert together(stored(tokenizer, SENTENCES), tokenizer, [pair]).tolist() == [count]


def test_no_pair_and_no_text_count_nothing(tokenizer):
    assert together(stored(tokenizer, SENTENCES), tokenizer, []).tolist() == []
    assert together(stored(tokenizer, ["."]), tokenizer, [("Paris", "France")] * 2).tolist() == [0, 0]


WORDS = st.lists(st.sampled_from(["a", "b", "c", "ab", "bc"]), max_size=6)


@given(
    sentences=st.lists(WORDS, min_size=1, max_size=5),
    names=st.lists(WORDS, min_size=2, max_size=6),
    chunk=st.integers(1, 7),
)
def test_any_names_are_found_where_a_plain_search_finds_them(sentences, names, chunk):
    """Words are pieces here, each of which begins a word."""
    number = {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4}
    offsets = np.cumsum([0, *map(len, sentences)])
    text = np.array([number[word] for sentence in sentences for word in sentence], np.uint16)
    store = TokenStore(text, offsets, np.array([0, len(sentences)]))
    distinct = list(dict.fromkeys(tuple(number[word] for word in name) for name in names))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrences, "PIECES_A_CHUNK", chunk)
        holds = module._sentences(store, distinct, np.ones(5, bool)).toarray()
    for row, name in zip(holds, distinct, strict=True):
        for column, sentence in enumerate(sentences):
            pieces = [number[word] for word in sentence]
            inside = any(tuple(pieces[i : i + len(name)]) == name for i in range(len(pieces) - len(name) + 1))
            assert row[column] == (inside and bool(name))


def test_a_prepared_corpus_is_found_by_its_record(home):
    folder = home / "runs" / ".corpora" / "made"
    folder.mkdir(parents=True)
    write_json(folder / "corpus.json", {"text_sha256": "a"})
    assert stores.prepared({"text_sha256": "a"}).folder == folder
    assert stores.prepared({"text_sha256": "b"}) is None
