"""Which piece of a vocabulary the training text has at a place: by frequency alone, and beside one neighbour.

With ``N`` pieces of a vocabulary of ``V``, a piece that the text has ``c(w)`` times has the probability

    p(w) = (c(w) + 1) / (N + V).

Beside a neighbour ``h`` counts are interpolated as by Witten and Bell (1991, their method C), ``k(h)`` being how many
kinds of pieces stand beside it:

    p(w | h) = (c(h, w) + k(h) p(w)) / (c(h) + k(h)).

The border of a sentence is a neighbour too. :mod:`embryology.corpus.ngrams` has the same of words, one at a place.
"""

from collections.abc import Iterator

import numpy as np

from embryology.corpus.store import TokenStore

SENTENCES_AT_ONCE = 50_000


def unigram(store: TokenStore, vocabulary: int) -> np.ndarray:
    """(vocabulary,) float64 probabilities of pieces."""
    counts = np.ones(vocabulary)
    for pieces, _ in _portions(store):
        counts += np.bincount(pieces, minlength=vocabulary)
    shares: np.ndarray = counts / counts.sum()
    return shares


def beside(store: TokenStore, frequencies: np.ndarray, neighbours: np.ndarray, before: bool) -> np.ndarray:
    """Probabilities of pieces beside each neighbour.

    Args:
        store: the training text.
        frequencies: (vocabulary,) of :func:`unigram`.
        neighbours: (n,) ids, the number of pieces in the vocabulary where it is the border of a sentence.
        before: whether a neighbour stands before the piece, else after it.

    Returns:
        (n, vocabulary) float32.
    """
    border = size = len(frequencies)
    kinds, places = np.unique(neighbours, return_inverse=True)
    row_of = np.full(size + 1, -1)
    row_of[kinds] = np.arange(len(kinds))
    counts = np.zeros(len(kinds) * size)
    for pieces, starts in _portions(store):
        others = np.roll(pieces, 1 if before else -1)
        others[starts if before else np.append(starts[1:], len(pieces)) - 1] = border
        rows = row_of[others]
        asked = rows >= 0
        counts += np.bincount(rows[asked] * size + pieces[asked], minlength=len(counts))
    table = counts.reshape(len(kinds), size)
    varied = (table > 0).sum(axis=1, keepdims=True)
    total = table.sum(axis=1, keepdims=True) + varied
    # What the text never has beside anything says nothing but how frequent pieces are.
    shares = np.where(total > 0, (table + varied * frequencies) / np.maximum(total, 1), frequencies)
    return shares.astype(np.float32)[places]


def _portions(store: TokenStore) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Some sentences at a time: their pieces as int64, and where each begins that has any."""
    for first in range(0, len(store.sentences) - 1, SENTENCES_AT_ONCE):
        bounds = np.asarray(store.sentences[first : first + SENTENCES_AT_ONCE + 1])
        yield store.pieces[bounds[0] : bounds[-1]].astype(np.int64), np.unique(bounds[:-1] - bounds[0])
