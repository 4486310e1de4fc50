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

from embryology.corpus.store import TokenStore

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PIECES_A_CHUNK = 2**22
"""Of the text; some 200 MB while they are looked through."""
PAIRS_A_CHUNK = 1000


def together(store: TokenStore, tokenizer: PreTrainedTokenizerFast, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """(pairs,) int64: how many sentences of ``store`` hold both names of a pair.

    Args:
        store: text as pieces.
        tokenizer: whose pieces those are.
        pairs: of names; nothing is found of an empty one, or of one with an unknown piece.
    """
    names = sorted({name for pair in pairs for name in pair})
    cut = tokenizer(names, add_special_tokens=False)["input_ids"] if names else []
    distinct: dict[tuple[int, ...], int] = {}  # two spellings may have the same pieces
    rows = [distinct.setdefault(() if tokenizer.unk_token_id in ids else tuple(ids), len(distinct)) for ids in cut]
    row_of = dict(zip(names, rows, strict=True))
    holds = _sentences(store, list(distinct), _ends_words(tokenizer))
    subjects, objects = (np.array([row_of[pair[side]] for pair in pairs], int) for side in (0, 1))
    counts = np.zeros(len(pairs), np.int64)
    for first in range(0, len(pairs), PAIRS_A_CHUNK):
        part = slice(first, first + PAIRS_A_CHUNK)
        counts[part] = holds[subjects[part]].multiply(holds[objects[part]]).sum(axis=1)
    return counts


def _ends_words(tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    """(vocabulary,) bool: whether the word before that piece is over."""
    from embryology.corpus.tokenizer import word_starts  # late: it loads torch

    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return np.array(word_starts(tokenizer)) | np.array([not piece[:1].isalnum() for piece in pieces])


def _sentences(store: TokenStore, names: list[tuple[int, ...]], ends_words: np.ndarray) -> sparse.csr_array:
    """(names, sentences) int64, 1 where a sentence holds a name. All places walk a tree of the names together."""
    edges: dict[tuple[int, int], int] = {}
    name_at = {}
    for number, name in enumerate(names):
        node = 0
        for piece in name:
            node = edges.setdefault((node, piece), len(edges) + 1)
        name_at[node] = number
    name_at.pop(0, None)  # of a name without pieces
    name_of = np.full(len(edges) + 1, -1)
    name_of[list(name_at)] = list(name_at.values())
    vocabulary = len(ends_words)
    keys = np.array([node * vocabulary + piece for node, piece in edges], np.int64)
    order = keys.argsort()
    keys, targets = keys[order], 1 + order
    first_node = np.zeros(vocabulary, np.int64)  # most places end here, so it is a table
    for (node, piece), target in edges.items():
        if node == 0:
            first_node[piece] = target

    rows, columns = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for first in range(0, len(store.pieces) if edges else 0, PIECES_A_CHUNK):
        node = first_node[store.pieces[first : first + PIECES_A_CHUNK]]
        places = np.flatnonzero(node)
        node, places = node[places], first + places
        sentence = np.searchsorted(store.sentences, places, side="right") - 1
        while len(places):
            places = places + 1
            continues = places < store.sentences[sentence + 1]
            whole = ~continues | ends_words[store.pieces[np.where(continues, places, 0)]]
            whole &= name_of[node] >= 0
            rows.append(name_of[node[whole]])
            columns.append(sentence[whole])
            node, places, sentence = node[continues], places[continues], sentence[continues]
            wanted = node * vocabulary + store.pieces[places]
            at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
            kept = keys[at] == wanted
            node, places, sentence = targets[at[kept]], places[kept], sentence[kept]
    coordinates = np.concatenate(rows), np.concatenate(columns)
    shape = (len(names), len(store.sentences) - 1)
    holds = sparse.csr_array((np.ones(len(coordinates[0]), np.int64), coordinates), shape=shape)
    holds.data[:] = 1  # a sentence that holds a name twice is one sentence
    return holds
