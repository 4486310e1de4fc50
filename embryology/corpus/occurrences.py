"""Where the training text has given sequences of pieces, however many: all places walk a tree of them together."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from embryology.corpus.store import TokenStore

PIECES_A_CHUNK = 2**22
"""Of the text; some 200 MB while they are looked through."""


class Found(NamedTuple):
    """Places where sequences stand; an array each, of the same length."""

    sequence: np.ndarray
    """Which one."""
    first: np.ndarray
    """Its first piece's place in the text."""
    after: np.ndarray
    """The place after its last piece."""
    sentence: np.ndarray


def occurrences(store: TokenStore, sequences: Sequence[tuple[int, ...]], vocabulary: int) -> Iterator[Found]:
    """Every place of every sequence that lies in one sentence, part of a longer one or not.

    Args:
        store: text as pieces.
        sequences: of ids, all different; nothing is found of an empty one.
        vocabulary: more than any id.
    """
    edges: dict[tuple[int, int], int] = {}
    sequence_at = {}
    for number, sequence in enumerate(sequences):
        node = 0
        for piece in sequence:
            node = edges.setdefault((node, piece), len(edges) + 1)
        sequence_at[node] = number
    sequence_at.pop(0, None)  # an empty one
    sequence_of = np.full(len(edges) + 1, -1)
    sequence_of[list(sequence_at)] = list(sequence_at.values())
    keys = np.array([node * vocabulary + piece for node, piece in edges], np.int64)
    order = keys.argsort()
    keys, targets = keys[order], 1 + order
    first_node = np.zeros(vocabulary, np.int64)  # most places end here, so it is a table
    for (node, piece), target in edges.items():
        if node == 0:
            first_node[piece] = target

    for begin in range(0, len(store.pieces) if edges else 0, PIECES_A_CHUNK):
        nodes = first_node[store.pieces[begin : begin + PIECES_A_CHUNK]]
        first = np.flatnonzero(nodes)
        nodes, first = nodes[first], begin + first
        places, sentence = first, np.searchsorted(store.sentences, first, side="right") - 1
        while len(places):
            places = places + 1
            whole = sequence_of[nodes] >= 0
            yield Found(sequence_of[nodes[whole]], first[whole], places[whole], sentence[whole])
            continues = places < store.sentences[sentence + 1]
            nodes, first, places, sentence = (each[continues] for each in (nodes, first, places, sentence))
            wanted = nodes * vocabulary + store.pieces[places]
            at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
            kept = keys[at] == wanted
            nodes, first, places, sentence = targets[at[kept]], first[kept], places[kept], sentence[kept]
