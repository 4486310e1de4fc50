"""Sentences that hold two names, against a plain search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embryology.corpus import occurrences, several
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
    "A ☃ fell in France .",
)


def stored(tokenizer, sentences):
    ids = tokenizer(list(sentences), add_special_tokens=False)["input_ids"]
    offsets = np.cumsum([0, *map(len, ids)])
    return TokenStore(
        np.array([i for of_sentence in ids for i in of_sentence], np.uint16), offsets, np.array([0, len(ids)])
    )


COUNTS = {
    ("Paris", "France"): 2,  # not "Parisian"
    ("France", "Paris"): 2,
    ("city", "Paris"): 2,  # twice in one sentence is one sentence
    ("New York", "New York City"): 1,
    ("Berlin", "France"): 0,
    ("", "France"): 0,
    ("☃", "France"): 0,  # an unknown piece may be any
    ("fell", "France"): 1,
}


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_sentences_are_counted_that_hold_both_names_whole(tokenizer, monkeypatch, chunk):
    monkeypatch.setattr(module, "PAIRS_A_CHUNK", chunk)
    assert together(stored(tokenizer, SENTENCES), tokenizer, [*COUNTS]).tolist() == [*COUNTS.values()]


def test_a_word_ends_before_a_piece_that_begins_one_or_with_no_letter_or_digit():
    class Pieces:
        all_special_ids = (0,)

        def __len__(self):
            return 7

        def convert_ids_to_tokens(self, ids):
            return ["<unk>", "▁city", "ian", ".", "n-", "'s", "7"]

    assert module.ends_words(Pieces()).tolist() == [True, True, False, True, False, True, False]


def test_no_pair_and_no_text_count_nothing(tokenizer):
    assert together(stored(tokenizer, SENTENCES), tokenizer, []).tolist() == []
    assert together(stored(tokenizer, ["."]), tokenizer, [("Paris", "France")] * 2).tolist() == [0, 0]


WORDS = st.lists(st.sampled_from(["a", "b", "c", "ab", "bc"]), max_size=6)


@settings(max_examples=60)
@given(
    sentences=st.lists(WORDS, min_size=1, max_size=5),
    names=st.lists(WORDS, min_size=2, max_size=6),
    chunk=st.integers(1, 7),
    begins=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_any_names_are_found_where_a_plain_search_finds_them(sentences, names, chunk, begins):
    """Words are pieces here, some of which begin a word."""
    number = {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4}
    offsets = np.cumsum([0, *map(len, sentences)])
    text = np.array([number[word] for sentence in sentences for word in sentence], np.uint16)
    store = TokenStore(text, offsets, np.array([0, len(sentences)]))
    distinct = list(dict.fromkeys(tuple(number[word] for word in name) for name in names))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrences, "PIECES_A_CHUNK", chunk)
        holds = module._sentences(store, distinct, np.array(begins)).toarray()
    for row, name in zip(holds, distinct, strict=True):
        for column, sentence in enumerate(sentences):
            pieces = [number[word] for word in sentence]
            ends = [i + len(name) for i in range(len(pieces)) if tuple(pieces[i : i + len(name)]) == name]
            inside = any(end == len(pieces) or begins[pieces[end]] for end in ends)
            assert row[column] == (inside and bool(name))


def test_a_prepared_corpus_is_found_by_its_record(home):
    folder = home / "runs" / ".corpora" / "made"
    folder.mkdir(parents=True)
    write_json(folder / "corpus.json", {"text_sha256": "a"})
    assert several.prepared({"text_sha256": "a"}).own.folder == folder
    assert several.prepared({"text_sha256": "b"}) is None
