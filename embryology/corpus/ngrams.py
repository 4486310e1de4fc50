"""How likely the training text alone makes a word at its place: by how often it has the word, and it beside the word
before, the word after, and both.

Words are those of :mod:`embryology.corpus.frequency`; the border of a sentence is a word to their left or right. With
``N`` words of ``V`` kinds in the text, a word that it has ``c(w)`` times has the probability

    p(w) = (c(w) + 1) / (N + V + 1),

where all words that it does not have share one count. Beside a neighbour ``h`` counts are interpolated as by Witten and
Bell (1991, their method C), ``k(h)`` being how many kinds of words stand beside it:

    p(w | h) = (c(h, w) + k(h) p(w)) / (c(h) + k(h)).

Between two neighbours it is the same, interpolated with the mean of what each of them gives alone. All four are
distributions over words, without a parameter that is fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from embryology.corpus.frequency import FACTOR, text_words
from embryology.corpus.store import TokenStore

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BORDER = np.uint64(0)
"""Name of the border of a sentence; no word has it, but one in 2**64."""


class Places(NamedTuple):
    """Words at their places; arrays of uint64, the names of the word and of what stands beside it."""

    word: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @property
    def both(self) -> np.ndarray:
        """One name for the two neighbours, in their order."""
        pair: np.ndarray = self.left * FACTOR + self.right
        return pair


def places(store: TokenStore, tokenizer: PreTrainedTokenizerFast) -> Iterator[Places]:
    """Every word of a text, some sentences at a time."""
    for text in text_words(store, tokenizer):
        left, right = np.roll(text.names, 1), np.roll(text.names, -1)
        edges = text.numbers[text.sentences.sentences]
        left[edges[:-1]] = BORDER
        right[edges[1:] - 1] = BORDER
        yield Places(text.names, left, right)


def log_probabilities(store: TokenStore, tokenizer: PreTrainedTokenizerFast, items: Places) -> pd.DataFrame:
    """Of every item ``unigram``, ``left``, ``right`` and ``both``, nats: of the word, and of it beside its neighbours.

    Args:
        store, tokenizer: the training text.
        items: whose names are those of the same tokenizer.
    """
    wanted = {side: np.unique(getattr(items, side)) for side in ("left", "right", "both")}
    counted: dict[str, list[pd.DataFrame]] = {side: [] for side in wanted}
    kinds, counts = [], []
    for text in places(store, tokenizer):
        names, count = np.unique(text.word, return_counts=True)
        kinds.append(names)
        counts.append(count)
        for side, contexts in wanted.items():
            beside = getattr(text, side)
            chosen = np.isin(beside, contexts)
            table = pd.DataFrame({"context": beside[chosen], "word": text.word[chosen]})
            counted[side].append(table.groupby(["context", "word"], as_index=False).size())
    of_word = pd.Series(np.concatenate(counts), np.concatenate(kinds)).groupby(level=0).sum()
    unigram = (of_word.reindex(items.word).fillna(0).to_numpy() + 1) / (of_word.sum() + len(of_word) + 1)
    left, right = (
        _interpolated(counted[side], getattr(items, side), items.word, unigram) for side in ("left", "right")
    )
    both = _interpolated(counted["both"], items.both, items.word, (left + right) / 2)
    return pd.DataFrame({"unigram": unigram, "left": left, "right": right, "both": both}).apply(np.log)


def _interpolated(
    counted: list[pd.DataFrame], contexts: np.ndarray, words: np.ndarray, lower: np.ndarray
) -> np.ndarray:
    """(n,): the probability of each word in its context; ``lower`` where the text does not have the context."""
    pairs = pd.concat(counted).groupby(["context", "word"])["size"].sum()
    of_context = pairs.groupby(level="context").agg(["sum", "size"]).reindex(contexts).fillna(0)
    total, kinds = of_context["sum"].to_numpy(), of_context["size"].to_numpy()
    together = pairs.reindex(pd.MultiIndex.from_arrays([contexts, words])).fillna(0).to_numpy()
    share: np.ndarray = np.divide(together + kinds * lower, total + kinds, out=lower.copy(), where=total > 0)
    return share


def properties(
    texts: dict[str, pd.DataFrame], store: TokenStore, tokenizer: PreTrainedTokenizerFast
) -> dict[str, pd.DataFrame]:
    """By probe of each item :func:`log_probabilities`; nan where its pieces are not a word of their own in its text.

    Args:
        texts: by probe, with ``item_id``, ``pieces``, ``context`` (the pieces of its text) and ``place`` (in these).
        store, tokenizer: the training text.
    """
    tables = {}
    for probe, table in texts.items():
        contexts = {context: number for number, context in enumerate(dict.fromkeys(table["context"]))}
        bounds = np.cumsum([0, *map(len, contexts)])
        shown = TokenStore(np.concatenate([*map(np.array, contexts)]), bounds, np.empty(0))
        first = bounds[[contexts[context] for context in table["context"]]] + table["place"].to_numpy()
        after = first + table["pieces"].map(len).to_numpy()
        rows = [pd.DataFrame(one._asdict()) for one in places(shown, tokenizer)]
        starts, past = [], 0
        for one in text_words(shown, tokenizer):
            starts.append(one.starts[:-1] + past)
            past += one.starts[-1]
        begins = np.concatenate([*starts, [past]])
        word = np.searchsorted(begins, first).clip(max=len(begins) - 2)
        whole = (begins[word] == first) & (begins[word + 1] == after)
        items = pd.concat(rows).iloc[word[whole]]
        told = log_probabilities(store, tokenizer, Places(*(items[name].to_numpy() for name in Places._fields)))
        told.index = np.flatnonzero(whole)
        tables[probe] = pd.concat([table[["item_id"]].reset_index(drop=True), told], axis=1)
    return tables
