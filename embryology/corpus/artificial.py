"""Text in no human language, in the shape of the bundled articles: as many articles, sentences and words of each.

After Chiang and Lee 2020 (2012.11995), who pretrain on such text, and Papadimitriou and Jurafsky 2020, whose brackets
they are. Words are taken from English, since a run's tokenizer has pieces for these, but how frequent each is has been
drawn by chance: what a model can carry over to English is not which words are frequent there. ``shuffled`` alone is
English, of which the order within sentences is lost.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from embryology.corpus.sentences import split

VERSION = 1
"""Raised whenever the same articles would become another text."""
VOCABULARY = 2000
"""Different words, the most frequent of the articles."""
OPEN = 0.5
"""With which probability a word opens a bracket where it may do both."""
WORD = re.compile("[a-z]+")
ENDS = re.compile(r"[.!?]+(?=\W|$)")


class Words:
    """Words whose frequency falls with their rank (Zipf 1949), and which has which rank is chance."""

    def __init__(self, texts: Iterable[str], rng: np.random.Generator):
        counts = Counter(word for text in texts for word in WORD.findall(text.lower()))
        frequent = sorted(sorted(counts), key=counts.__getitem__, reverse=True)[:VOCABULARY]
        self.words = rng.permutation(np.array(frequent, dtype=object))
        self.cumulated = np.cumsum(1 / np.arange(1, len(self.words) + 1))

    def drawn(self, count: int, rng: np.random.Generator) -> list[str]:
        """``count`` words, each independent of all others."""
        return list(self.words[np.searchsorted(self.cumulated, rng.random(count) * self.cumulated[-1], side="right")])


def shuffled(sentence: Sequence[str], words: Words, rng: np.random.Generator) -> list[str]:
    """The sentence's own words in random order; full stops are at its end alone, as they tell where sentences end."""
    bare = [ENDS.sub("", word) for word in sentence]
    return [*(bare[i] for i in rng.permutation(len(bare)) if bare[i]), "."]


def zipf(sentence: Sequence[str], words: Words, rng: np.random.Generator) -> list[str]:
    """As many words, none of which tells anything of another."""
    return words.drawn(len(sentence), rng)


def nested(sentence: Sequence[str], words: Words, rng: np.random.Generator) -> list[str]:
    """Every word stands twice, and closes what the last word opened that is not closed yet. Pairs of words, at least
    one: a sentence of an odd number of words is a word shorter."""
    left = max(1, len(sentence) // 2)
    opened: list[str] = []
    made = []
    for word in words.drawn(left, rng):
        while opened and rng.random() >= OPEN:
            made.append(opened.pop())
        opened.append(word)
        made.append(word)
    return made + opened[::-1]


def flat(sentence: Sequence[str], words: Words, rng: np.random.Generator) -> list[str]:
    """Every word stands twice, at places that are drawn evenly, so that pairs may cross."""
    pairs = words.drawn(max(1, len(sentence) // 2), rng) * 2
    return [pairs[i] for i in rng.permutation(len(pairs))]


LANGUAGES: dict[str, Callable[[Sequence[str], Words, np.random.Generator], list[str]]] = {
    "nested": nested,
    "flat": flat,
    "zipf": zipf,
    "shuffled": shuffled,
}


def texts(language: str, of: Callable[[], Iterable[str]]) -> Iterator[str]:
    """Every text ``of`` articles in an artificial language, a sentence a line.

    The same text gives the same; articles are read twice.
    """
    words = Words(of(), np.random.default_rng(0))
    for number, text in enumerate(of()):
        rng = np.random.default_rng([1, number])
        sentences = (LANGUAGES[language](sentence.split(), words, rng) for sentence in split(text))
        yield "\n".join(" ".join(sentence) for sentence in sentences)
