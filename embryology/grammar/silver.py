"""Minimal pairs from short held-out sentences of the bundled articles, for a machine without BLiMP.

:mod:`embryology.grammar.rules` changes a sentence by the tags that a tagger gives it, so that not every changed one is
ungrammatical: silver. ``benchmarks/silver_pairs.py`` counts on gold morphology how many are.
"""

import re
from collections.abc import Iterable

from embryology.corpus import articles
from embryology.grammar import Pair, Reading
from embryology.grammar.rules import changes
from embryology.specs.grammar import SPECIFICATION
from embryology.specs.sources import Data, Source
from embryology.storage.files import sha256_of
from embryology.treebanks import Sentence, silver

VERSION = 1
"""Raised whenever other pairs would be made of the same tagged sentences: to make them for a key takes too long."""
SHORTEST, LONGEST, MOST = 5, 20, 24
"""Words of a sentence, and pairs of a paradigm, those of the shortest sentences: a masked copy a piece is read, so that
time grows with the square of the length."""
PLAIN = re.compile(r"[A-Z][A-Za-z0-9 ,'-]+\.")
"""Sentences in plain letters, with their full stop."""
TWO_WAYS = re.compile(r"-(?:singular|plural)$")


def read() -> Reading:
    """The pairs, in the order of their sentences; both directions of a rule have as many.

    Raises:
        EmbryologyError: the articles, spaCy or its model are not installed.
    """
    return Reading(balanced(pairs(silver.read(is_short))))


def is_short(sentence: str) -> bool:
    """Whether pairs are made of a sentence, before it is tagged."""
    return SHORTEST <= len(sentence.split()) <= LONGEST and bool(PLAIN.fullmatch(sentence))


def pairs(sentences: Iterable[Sentence]) -> list[Pair]:
    """A pair for each change of each sentence, at most one of a paradigm."""
    made: dict[str, Pair] = {}
    for sentence in sentences:
        for phenomenon, paradigm, (start, end), text, places in changes(sentence):
            bad = sentence.text[:start] + text + sentence.text[end:]
            critical = ((start, end), (start, start + len(text))) if len(places) == 1 else None
            pair = Pair(f"{paradigm}:{sentence.id}", phenomenon, paradigm, sentence.text, bad, sentence.id, critical)
            made.setdefault(pair.id, pair)
    return list(made.values())


def balanced(made: list[Pair]) -> list[Pair]:
    """Of two directions of a rule as many pairs, those of the shortest sentences, at most :data:`MOST` a paradigm."""
    by_paradigm: dict[str, list[Pair]] = {}
    for pair in sorted(made, key=lambda pair: (len(pair.good.split()), sha256_of(pair.id))):
        by_paradigm.setdefault(pair.paradigm, []).append(pair)
    kept = set()
    for paradigm, own in by_paradigm.items():
        rule = TWO_WAYS.sub("", paradigm)
        ways = [paradigm] if rule == paradigm else [f"{rule}-singular", f"{rule}-plural"]
        kept |= {pair.id for pair in own[: min(MOST, *(len(by_paradigm.get(way, [])) for way in ways))]}
    return [pair for pair in made if pair.id in kept]


def _identity() -> dict[str, str | int]:
    return {**silver.versions(), "rules": VERSION}


def _find(name: str, part: str) -> Data:
    return Data(name, SPECIFICATION.tasks[name], (articles.bundled_file(),), _identity, lambda _: read())


SOURCE = Source("pairs", "silver", _find)
