"""How often the training text has a word: against a plain walk over its pieces."""

import numpy as np
import pandas as pd
import pytest

from embryology.corpus import frequency
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


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_words_are_counted_as_a_plain_walk_counts_them(tokenizer, monkeypatch, chunk):
    monkeypatch.setattr(frequency, "SENTENCES_A_CHUNK", chunk)
    store, ids = stored(tokenizer, SENTENCES)
    words = {tuple(s[i:j]) for s in ids for i in range(len(s)) for j in range(i + 1, min(i + 6, len(s)) + 1)}
    words = [*sorted(words), (999, 998, 997)]
    table = frequency.count_words(store, tokenizer, words)
    expected = pd.DataFrame([plain(tokenizer, ids, word) for word in words], columns=["count", "before", "after"])
    np.testing.assert_array_equal(table.to_numpy(), expected.to_numpy())
    assert table.iloc[-1].tolist() == [0, 0, 0]


def test_a_word_is_whole_beside_punctuation_and_not_within_another(tokenizer):
    store, _ = stored(tokenizer, SENTENCES)
    the = tuple(tokenizer("the", add_special_tokens=False)["input_ids"])
    bare = tokenizer("(the", add_special_tokens=False)["input_ids"][-1:]
    counts = frequency.count_words(store, tokenizer, [the, tuple(bare)])["count"]
    assert counts.sum() == 8  # all but that of "theology", with a space before it or not


def test_types_and_pieces_of_items_are_told_and_words_of_the_same_pieces_are_one(tokenizer):
    store, _ = stored(tokenizer, SENTENCES)
    words = [tuple(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in ("king", "King", "sea")]
    texts = pd.DataFrame({"item_id": ["a", "b", "c"], "text": "", "word": "", "pieces": words})
    table = frequency.properties({"tokens": texts}, store, tokenizer)["tokens"]
    assert table["type"].tolist() == [0, 0, 1]
    assert table["pieces"].tolist() == [len(word) for word in words]
    assert table["count"].tolist()[0] == table["count"].tolist()[1] >= 3
