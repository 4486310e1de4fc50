"""How often a fact's subject and object stand in one sentence of the training text.

Names are looked for as the pieces that the model reads, in the token store it was trained from. A name counts where it
stands whole, that is, where the next piece begins a new word or with no letter or digit; one that the tokenizer cuts
otherwise in running text (after an opening bracket, say) is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from embryology.corpus.occurrences import occurrences
from embryology.corpus.store import TokenStore

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAIRS_A_CHUNK = 1000


def together(store: TokenStore, tokenizer: PreTrainedTokenizerFast, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """(pairs,) int64: how many sentences of ``store`` hold both names of a pair.

    Args:
        store: text as pieces.
        tokenizer: whose pieces those are.
        pairs: of names; nothing is found of an empty one, or of one with an unknown piece.
    """
    names, subjects, objects = names_of(tokenizer, pairs)
    holds = _sentences(store, names, ends_words(tokenizer))
    counts = np.zeros(len(pairs), np.int64)
    for first in range(0, len(pairs), PAIRS_A_CHUNK):
        part = slice(first, first + PAIRS_A_CHUNK)
        counts[part] = holds[subjects[part]].multiply(holds[objects[part]]).sum(axis=1)
    return counts


def names_of(
    tokenizer: PreTrainedTokenizerFast, pairs: Sequence[tuple[str, str]]
) -> tuple[list[tuple[int, ...]], np.ndarray, np.ndarray]:
    """The different names of pairs as pieces, empty of one with an unknown piece; and two (pairs,) int: which of them
    each one's first and second are."""
    names = sorted({name for pair in pairs for name in pair})
    cut = tokenizer(names, add_special_tokens=False)["input_ids"] if names else []
    distinct: dict[tuple[int, ...], int] = {}  # two spellings may have the same pieces
    rows = [distinct.setdefault(() if tokenizer.unk_token_id in ids else tuple(ids), len(distinct)) for ids in cut]
    row_of = dict(zip(names, rows, strict=True))
    subjects, objects = (np.array([row_of[pair[side]] for pair in pairs], int) for side in (0, 1))
    return list(distinct), subjects, objects


def ends_words(tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    """(vocabulary,) bool: whether the word before that piece is over."""
    from embryology.corpus.tokenizer import word_starts  # late: it loads torch

    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return np.array(word_starts(tokenizer)) | np.array([not piece[:1].isalnum() for piece in pieces])


def _sentences(store: TokenStore, names: list[tuple[int, ...]], ends_words: np.ndarray) -> sparse.csr_array:
    """(names, sentences) int64, 1 where a sentence holds a name."""
    rows, columns = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for found in occurrences(store, names, len(ends_words)):
        last = found.after == store.sentences[found.sentence + 1]
        whole = last | ends_words[store.pieces[np.where(last, 0, found.after)]]
        rows.append(found.sequence[whole])
        columns.append(found.sentence[whole])
    coordinates = np.concatenate(rows), np.concatenate(columns)
    shape = (len(names), len(store.sentences) - 1)
    holds = sparse.csr_array((np.ones(len(coordinates[0]), np.int64), coordinates), shape=shape)
    holds.data[:] = 1  # a sentence that holds a name twice is one sentence
    return holds
