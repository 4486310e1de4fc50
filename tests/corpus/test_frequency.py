"""How often the training text has a word: against a plain walk over its pieces."""

import itertools

import numpy as np
import pandas as pd
import pytest
from transformers import AlbertTokenizer

from embryology.corpus import frequency, occurrences
from embryology.corpus.store import TokenStore

COVERS = ("embryology/corpus/occurrences.py",)
SENTENCES = (
    "The king (the old one) of Norway's north, and the sea.",
    "It's the king's; he said: \"The sea\" – the-sea, theology.",
    "North of the sea the king is king.",
)


def stored(tokenizer, texts):
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    offsets = np.cumsum([0, *map(len, ids)])
    return TokenStore(np.concatenate(ids).astype(np.uint16), offsets, np.array([0, len(ids)])), ids


def plain(tokenizer, ids, word):
    """Count, words before and words after, piece by piece."""
    names = tokenizer.convert_ids_to_tokens

    def border(sentence, at):
        if at in (0, len(sentence)):
            return True
        before, after = names([sentence[at - 1], sentence[at]])
        bare = before.removeprefix("▁")
        return after.startswith("▁") or not after[0].isalnum() or (bare != "" and not any(map(str.isalnum, bare)))

    count, left, right = 0, set(), set()
    for sentence in ids:
        for start in range(len(sentence) - len(word) + 1):
            end = start + len(word)
            if tuple(sentence[start:end]) == word and border(sentence, start) and border(sentence, end):
                count += 1
                first = next((at for at in range(start - 1, -1, -1) if border(sentence, at)), 0)
                last = next((at for at in range(end + 1, len(sentence) + 1) if border(sentence, at)), end)
                left.add(tuple(sentence[first:start]))
                right.add(tuple(sentence[end:last]))
    return count, len(left), len(right)


PIECES = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "▁", "▁a", "a", "b", "▁(", ",", "'s"]


@pytest.mark.parametrize(("sentences", "pieces"), [(1, 1), (4, 7), (1000, 2**22)])
def test_words_are_counted_as_a_plain_walk_counts_them(monkeypatch, sentences, pieces):
    """Sentences of pieces in any order, which begin and end with any; whatever the size of a chunk."""
    monkeypatch.setattr(frequency, "SENTENCES_A_CHUNK", sentences)
    monkeypatch.setattr(occurrences, "PIECES_A_CHUNK", pieces)
    tokenizer = AlbertTokenizer(vocab=[(piece, -1.0) for piece in PIECES])
    assert tokenizer.convert_ids_to_tokens(list(range(len(PIECES)))) == PIECES
    rng = np.random.default_rng(0)
    ids = [rng.integers(4, len(PIECES), length).tolist() for length in rng.integers(1, 8, 40)]
    ids += [[6, 7, 8, 6], [6, 8, 7, 6]]  # neighbours of the same pieces in another order
    store = TokenStore(np.concatenate(ids).astype(np.uint16), np.cumsum([0, *map(len, ids)]), np.array([0, len(ids)]))
    words = [*itertools.product(range(5, len(PIECES)), repeat=1), *itertools.product(range(5, 9), repeat=2), (7, 8, 8)]
    table = frequency.count_words(store, tokenizer, [*words, (2, 3, 2)])
    expected = [plain(tokenizer, ids, word) for word in words]
    assert table.to_numpy().tolist() == [*map(list, expected), [0, 0, 0]]
    assert max(expected)[0] > 10


def test_a_word_is_whole_beside_punctuation_and_not_within_another(tokenizer):
    store, _ = stored(tokenizer, SENTENCES)
    the = tuple(tokenizer("the", add_special_tokens=False)["input_ids"])
    bare = tokenizer("(the", add_special_tokens=False)["input_ids"][-1:]
    counts = frequency.count_words(store, tokenizer, [the, tuple(bare)])["count"]
    assert counts.sum() == 8  # all but that of "theology", with a space before it or not


def test_types_and_pieces_of_items_are_told_and_words_of_the_same_pieces_are_one(tokenizer):
    """Of several probes, whose items come in an order of their own and share words."""
    store, ids = stored(tokenizer, SENTENCES)
    words = {word: tuple(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in ("sea", "king", "King")}
    items = {"tokens": ["king", "King", "sea"], "other": ["sea", "king"]}
    texts = {
        probe: pd.DataFrame({"item_id": [f"{probe}-{word}" for word in some], "pieces": [words[word] for word in some]})
        for probe, some in items.items()
    }
    tables = frequency.properties(texts, store, tokenizer)
    assert {probe: table["type"].tolist() for probe, table in tables.items()} == {"tokens": [0, 0, 1], "other": [1, 0]}
    for probe, some in items.items():
        assert tables[probe]["item_id"].tolist() == texts[probe]["item_id"].tolist()
        assert tables[probe]["pieces"].tolist() == [len(words[word]) for word in some]
        expected = [list(plain(tokenizer, ids, words[word])) for word in some]
        assert tables[probe][["count", "before", "after"]].to_numpy().tolist() == expected
    assert tables["tokens"]["count"].nunique() == 2


def test_sequences_are_found_at_every_place_in_one_sentence_as_a_plain_walk_finds_them(monkeypatch):
    """One within another, overlapping itself, at both ends of a sentence; not over its end."""
    monkeypatch.setattr(occurrences, "PIECES_A_CHUNK", 5)
    sentences = [[1, 1, 1], [2], [1, 2, 1, 2, 1], [3, 1], [2, 3]]
    sequences = [(1, 2), (1,), (2, 1, 2), (), (1, 1), (3, 3), (2, 3)]
    offsets = np.cumsum([0, *map(len, sentences)])
    store = TokenStore(np.concatenate(sentences).astype(np.uint16), offsets, np.array([0, len(sentences)]))
    found = {
        tuple(map(int, place))
        for some in occurrences.occurrences(store, sequences, 4)
        for place in zip(*some, strict=True)
    }
    assert found == {
        (number, offsets[which] + at, offsets[which] + at + len(sequence), which)
        for which, sentence in enumerate(sentences)
        for number, sequence in enumerate(sequences)
        for at in range(len(sentence))
        if sequence and tuple(sentence[at : at + len(sequence)]) == sequence
    }
    assert not list(occurrences.occurrences(store, [()], 4))
