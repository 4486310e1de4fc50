"""Test text in training text: which sentences, and which runs of 13 words, stand in both.

Words are compared in small letters, without accents and punctuation, as is customary (Brown et al. 2020, appendix C).
A *sentence* is one of at least 8 words, and stands in a document where its words do, one after the other; of an
*n-gram*, 13 words, all have to stand in one line of the test text.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from embryology.corpus.articles import Article, is_held_out
from embryology.corpus.sentences import split
from embryology.corpus.words import SPACELESS
from embryology.corpus.words import count as count_words
from embryology.storage.files import sha256_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend
    from transformers import PreTrainedTokenizerFast

    from embryology.corpus.store import TokenStore

SENTENCE, NGRAM = 8, 13
"""Words: the least of a sentence, as shorter ones stand anywhere; and those of an n-gram."""
ACCENTS = re.compile("[\u0300-\u036f]+")
WORD = re.compile(r"[^\s!-/:-@\[-`{-~\u00a1-\u00bf\u0964\u0965\u2010-\u206f\u3000-\u303f]+")
"""Neither spaces nor punctuation; the vowel signs of Indic scripts, say, are in."""
RULE = 1
"""Raised whenever other articles would be left out for the same test text."""
TABLE_BITS = 24
"""Of the table that most places of a document are done with: 16 MB."""
DOCUMENTS_AT_ONCE = 100
KEPT = ["has_sentence", "has_ngram", "sentence", "ngram"]
"""Columns of an item: whether it is long enough to have one, and whether the training text has one of them."""
PASSAGE = "passage"
"""A number for its longest line, the same for items that share it: words of a sentence, questions on a paragraph."""


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared; a character of a script without spaces is one."""
    if not text.isascii():
        bare = ACCENTS.sub("", unicodedata.normalize("NFKD", text))
        text = SPACELESS.sub(r" \g<0> ", unicodedata.normalize("NFC", bare))  # whole syllables of kana and Hangul
    return WORD.findall(text.lower())


class Index:
    """Test texts, of which any number of documents are then searched, one at a time.

    N-grams are compared by hashes of 64 bits: of a million in the tests and a billion words of training, one is found
    wrongly with a probability below one in ten thousand. Sentences are compared word by word.
    """

    def __init__(self, texts: Sequence[str], read: Callable[[str], str] = str):
        """Number the words, and hash all n-grams and the beginnings of sentences.

        Args:
            texts: each one line or several; an n-gram lies within a line, a sentence is found by the splitter.
            read: what becomes of a line or a sentence before it is compared.
        """
        self.vocabulary: dict[str, int] = {}
        self.sentences: dict[int, list[tuple[np.ndarray, int]]] = defaultdict(list)
        """By the hash of its first words, the word numbers of a sentence and the text that has it."""
        numbered = {
            name: [
                (np.array([self.vocabulary.setdefault(word, 1 + len(self.vocabulary)) for word in words]), number)
                for number, text in enumerate(texts)
                for part in parts(text)
                if len(words := words_of(read(part))) >= least
            ]
            for name, parts, least in (("lines", str.splitlines, NGRAM), ("sentences", split, SENTENCE))
        }
        self.has = np.zeros((len(texts), 2), bool)
        """Whether a text has a sentence, and an n-gram."""
        for kind, name in enumerate(("sentences", "lines")):
            self.has[[number for _, number in numbered[name]], kind] = True
        rng = np.random.default_rng(0)
        self.values = rng.integers(0, 2**64, 1 + len(self.vocabulary), np.uint64)
        hashes = [self._hashes(words, NGRAM) for words, _ in numbered["lines"]]
        owners = [np.full(len(some), number) for some, (_, number) in zip(hashes, numbered["lines"], strict=True)]
        pairs = np.unique(np.stack([_joined(hashes), _joined(owners).astype(np.uint64)]), axis=1)
        self.ngrams, self.owners = pairs[0], pairs[1].astype(np.int64)
        for sentence, number in numbered["sentences"]:
            self.sentences[int(self._hashes(sentence[:SENTENCE], SENTENCE)[0])].append((sentence, number))
        self.beginnings = np.array(sorted(self.sentences), np.uint64)
        self.tables = tuple(map(_table, (self.ngrams, self.beginnings)))

    def _hashes(self, words: np.ndarray, length: int) -> np.ndarray:
        """Of all runs of ``length`` words, by their numbers: (words - length + 1,) uint64."""
        values = self.values[words]
        runs = np.zeros(max(0, len(words) - length + 1), np.uint64)
        for place in range(length):
            runs = runs * np.uint64(0x9E3779B97F4A7C15) + values[place : place + len(runs)]
        return runs

    def search(self, document: str) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the texts of which a sentence stands in ``document``, and of those of which an n-gram does."""
        words = np.fromiter(map(self.vocabulary.get, words_of(document), itertools.repeat(0)), np.int64)
        hashes = self._hashes(words, SENTENCE)
        with_sentence = {
            number
            for place in np.flatnonzero(_looked_up(self.tables[1], hashes))
            for sentence, number in self.sentences.get(int(hashes[place]), ())
            if np.array_equal(words[place : place + len(sentence)], sentence)
        }
        hashes = self._hashes(words, NGRAM)
        hashes = hashes[_looked_up(self.tables[0], hashes)]
        first, past = (np.searchsorted(self.ngrams, hashes, side) for side in ("left", "right"))
        with_ngram = [self.owners[a:b] for a, b in zip(first, past, strict=True) if b > a]
        return np.array(sorted(with_sentence), np.int64), np.unique(_joined(with_ngram)).astype(np.int64)


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.uint64), *arrays]) if arrays else np.empty(0, np.uint64)


def _table(hashes: np.ndarray) -> np.ndarray:
    table = np.zeros(2**TABLE_BITS, bool)
    table[hashes >> np.uint64(64 - TABLE_BITS)] = True
    return table


def _looked_up(table: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    found: np.ndarray = table[hashes >> np.uint64(64 - TABLE_BITS)]
    return found


def found(index: Index, documents: Iterable[str]) -> np.ndarray:
    """(texts, 2) bool: whether a sentence of each text stands in any of the documents, and whether an n-gram does."""
    stands = np.zeros_like(index.has)
    for document in documents:
        for kind, numbers in enumerate(index.search(document)):
            stands[numbers, kind] = True
    return stands


def properties(
    texts: Mapping[str, pd.DataFrame], train: TokenStore, tokenizer: PreTrainedTokenizerFast
) -> dict[str, pd.DataFrame]:
    """Of every item whether text of it stands in the training text, both as the tokenizer reads them.

    Args:
        texts: by probe ``item_id``, ``task`` where there is one, and ``text``.
        train: the training text.
        tokenizer: whose pieces that is.

    Returns:
        By probe those columns without ``text``, :data:`KEPT`, which are bool, and :data:`PASSAGE`.
    """
    backend = tokenizer.backend_tokenizer

    def read(text: str) -> str:
        ids = backend.encode(text, add_special_tokens=False).ids
        decoded: str = backend.decode(ids, skip_special_tokens=False)
        return decoded

    every = pd.unique(pd.concat([table["text"] for table in texts.values()]))
    index = Index(every.tolist(), read)
    rows = pd.DataFrame(np.hstack([index.has, found(index, _documents(train, backend))]), every, KEPT)
    rows[PASSAGE] = pd.factorize(np.array([max(text.splitlines() or [""], key=len) for text in every]))[0]
    return {
        probe: pd.concat(
            [
                table[[name for name in ("item_id", "task") if name in table]].reset_index(drop=True),
                rows.loc[table["text"]].reset_index(drop=True),
            ],
            axis=1,
        )
        for probe, table in texts.items()
    }


def _documents(store: TokenStore, tokenizer: Backend) -> Iterator[str]:
    bounds = store.sentences[store.documents]
    for first in range(0, len(bounds) - 1, DOCUMENTS_AT_ONCE):
        some = itertools.pairwise(bounds[first : first + DOCUMENTS_AT_ONCE + 1])
        ids = [store.pieces[begin:end].tolist() for begin, end in some]
        yield from tokenizer.decode_batch(ids, skip_special_tokens=False)


def left_out(articles: Iterable[Article], sets: Mapping[str, Sequence[str]]) -> tuple[set[int], dict]:
    """The articles of the training side that share a sentence or an n-gram with test text; one is held at a time.

    Args:
        articles: of a corpus; those that are held out stay.
        sets: texts by the name of a set.

    Returns:
        Their numbers among the articles, from 0, and for ``corpus.json`` how many articles and words they are, in all
        and by set; one that shares text with two sets counts for both.
    """
    names = [name for name, texts in sets.items() for _ in texts]
    index, numbers = Index([text for texts in sets.values() for text in texts]), set()
    total, by_set = {"articles": 0, "words": 0}, {name: {"articles": 0, "words": 0} for name in sets}
    for number, article in enumerate(articles):
        if is_held_out(article.title):
            continue
        sharing = {names[text] for texts in index.search(article.text) for text in texts}
        if sharing:
            numbers.add(number)
            size = count_words(article.text)
            for counts in (total, *(by_set[name] for name in sharing)):
                counts["articles"] += 1
                counts["words"] += size
    return numbers, total | {"by_set": by_set}


def told(record: Mapping) -> str:
    """What was left out, of the counts of :func:`left_out`, in words."""
    by_set = ", ".join(f"{name} {counts['articles']:,}" for name, counts in record["by_set"].items())
    return f"articles with test text, left out: {record['articles']:,}, of {record['words']:,} words ({by_set})"


def identity(sets: Mapping[str, Sequence[str]]) -> dict:
    """What the articles that are left out depend on, beside the corpus."""
    return {"rule": RULE, "sets": {name: sha256_of(sorted(texts)) for name, texts in sorted(sets.items())}}
