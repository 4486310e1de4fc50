"""How often the training text has a word, and beside which others: in pieces, as the model reads it.

A word counts where its pieces stand between two borders of words: where a sentence begins or ends, before a piece that
begins a word or with no letter or digit, and after one without any. So "it" and "'s" are in "it's", and "the" is in
"(the" as well, with another piece than after a space, as in the words that are tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from embryology.corpus.occurrences import occurrences
from embryology.corpus.store import TokenStore

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SENTENCES_A_CHUNK = 100_000
"""Of the text; some 300 MB while they are looked through."""
FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Odd, as 2**64 over the golden ratio: words of different pieces have the same sum of powers of it once in 2**64."""


def count_words(
    store: TokenStore, tokenizer: PreTrainedTokenizerFast, words: Sequence[tuple[int, ...]]
) -> pd.DataFrame:
    """A row a word, in their order: ``count``, and how many different words stand before it and after it.

    Args:
        store: text as pieces.
        tokenizer: whose pieces those are.
        words: as pieces, all different.

    Returns:
        ``count``, ``before`` and ``after``, int64. The border of a sentence counts as a word there.
    """
    counts = np.zeros(len(words), np.int64)
    beside: dict[str, list[pd.DataFrame]] = {"before": [], "after": []}
    for chunk, border, _, names, numbers in text_words(store, tokenizer):
        for found in occurrences(chunk, words, len(tokenizer)):
            whole = border[found.first] & border[found.after]
            word, first, after = found.sequence[whole], found.first[whole], found.after[whole]
            counts += np.bincount(word, minlength=len(words))
            edges = chunk.sentences[found.sentence[whole]], chunk.sentences[found.sentence[whole] + 1]
            left = np.where(first == edges[0], 0, names[numbers[first] - 1])
            right = np.where(after == edges[1], 0, names[np.where(after == edges[1], 0, numbers[after])])
            for side, name in (("before", left), ("after", right)):
                beside[side].append(pd.DataFrame({"word": word, "name": name}).drop_duplicates())
    table = pd.DataFrame({"count": counts})
    for side, pairs in beside.items():
        distinct = pd.concat(pairs).drop_duplicates() if pairs else pd.DataFrame({"word": []})
        table[side] = np.bincount(distinct["word"].astype(np.int64), minlength=len(words))
    return table


class TextWords(NamedTuple):
    """The words of some sentences of a text."""

    sentences: TokenStore
    border: np.ndarray
    """(pieces + 1,) bool: whether a word begins or ends before each piece."""
    starts: np.ndarray
    """(words + 1,) where each begins in the pieces, and the end of all."""
    names: np.ndarray
    """(words,) uint64: words of the same pieces have the same name."""
    numbers: np.ndarray
    """(pieces + 1,) the number of the word that each piece belongs to."""


def text_words(store: TokenStore, tokenizer: PreTrainedTokenizerFast) -> Iterator[TextWords]:
    """The words of a text, some sentences at a time."""
    begins, ends = borders(tokenizer)
    longest = int(np.diff(store.sentences).max(initial=0))
    powers = np.cumprod(np.full(longest + 1, FACTOR), dtype=np.uint64)
    for sentence in range(0, len(store.sentences) - 1, SENTENCES_A_CHUNK):
        bounds = np.asarray(store.sentences[sentence : sentence + SENTENCES_A_CHUNK + 1])
        pieces = np.asarray(store.pieces[bounds[0] : bounds[-1]])
        chunk = TokenStore(pieces, bounds - bounds[0], np.empty(0))
        border = np.concatenate([[True], ends[pieces[:-1]] | begins[pieces[1:]], [True]])
        border[chunk.sentences] = True
        starts = np.flatnonzero(border)
        numbers = np.cumsum(border) - 1
        within = np.arange(len(pieces)) - starts[numbers[:-1]]
        names = np.add.reduceat(
            (pieces.astype(np.uint64) + np.uint64(1)) * powers[within], starts[:-1], dtype=np.uint64
        )
        yield TextWords(chunk, border, starts, names, numbers)


def borders(tokenizer: PreTrainedTokenizerFast) -> tuple[np.ndarray, np.ndarray]:
    """Two (vocabulary,) bool: whether the border of a word lies before that piece, and whether after it."""
    from embryology.corpus.tokenizer import WORD_START, word_starts  # late: it loads torch

    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    bare = [piece.removeprefix(WORD_START) for piece in pieces]
    begins = np.array(word_starts(tokenizer)) | np.array([not piece[:1].isalnum() for piece in pieces])
    return begins, np.array([piece != "" and not any(map(str.isalnum, piece)) for piece in bare])


def properties(
    texts: dict[str, pd.DataFrame], store: TokenStore, tokenizer: PreTrainedTokenizerFast
) -> dict[str, pd.DataFrame]:
    """By probe of each item's word: ``type`` (words of the same pieces have the same number), how many ``pieces`` it
    has, and :func:`count_words`.

    Args:
        texts: by probe, with ``item_id`` and ``pieces``.
        store, tokenizer: as in :func:`count_words`.
    """
    distinct = {
        pieces: number
        for number, pieces in enumerate(dict.fromkeys(pieces for table in texts.values() for pieces in table["pieces"]))
    }
    counted = count_words(store, tokenizer, list(distinct))
    tables = {}
    for probe, table in texts.items():
        types = table["pieces"].map(distinct)
        tables[probe] = pd.DataFrame(
            {"item_id": table["item_id"], "type": types, "pieces": table["pieces"].map(len)}
        ).join(counted, on="type")
    return tables
