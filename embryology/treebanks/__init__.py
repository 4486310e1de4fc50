"""Annotated text: what a sentence is, and what an edge of it is.

One reader a format. :mod:`embryology.treebanks.catalogue` names the sets of tagged sentences,
:mod:`embryology.treebanks.edge_sets` those with edges.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from embryology.specs.edges import CONSTITUENT, COREFERENCE, DEPENDENCY, ENTITY, POS, ROLE

Span = tuple[int, int]
"""Words ``first`` to before ``last`` of a sentence, from 0: half-open, never empty."""

TASKS = (POS, CONSTITUENT, DEPENDENCY, ENTITY, COREFERENCE, ROLE)
"""What edges there are, and what is counted as one:

- ``pos``: every word, labelled with its tag.
- ``constituent``: every bracket over two or more words but ``TOP``; each link of a unary chain is one.
- ``dependency``: every word but the root, with its head; labelled with the whole relation (``nmod:poss``).
- ``entity``: every mention, labelled with its type; mentions may nest and cross.
- ``coreference``: every two mentions of one sentence that belong to chains, ``1`` where the chain is the same and
  ``0`` where not. So negatives are all other pairs of the sentence, none drawn: this is ``find_links`` in
  ``probing/data/extract_ontonotes_all.py`` of jiant, the code of Tenney et al. (2019).
- ``role``: every argument of a predicate, ``C-`` and ``R-`` spans each on their own, but not ``V`` and ``C-V``.
"""
TWO_SPANS = (DEPENDENCY, COREFERENCE, ROLE)


class Word(NamedTuple):
    """A word of a sentence: its form, the characters ``text[start:end]`` it stands at, and its tag.

    That is Penn's, or the universal one of a treebank that has no Penn tags.
    """

    form: str
    start: int
    end: int
    tag: str


class Edge(NamedTuple):
    """A labelled span, or a labelled pair of spans where the task is one of ``TWO_SPANS``.

    The pairs: a dependent and its head; the mention that starts first and the other; a predicate and its argument.
    """

    task: str
    label: str
    first: Span
    second: Span | None = None


@dataclass(frozen=True)
class Sentence:
    """Running text and its words in order; ``id`` is unique within its set and stays the same."""

    id: str
    text: str
    words: tuple[Word, ...]
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What came of reading a set, and what did not."""

    sentences: list[Sentence] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Sentences that are not among ``sentences``, by reason."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Annotations of ``sentences`` that make no edge, by reason."""
    counts: Counter[str] = field(default_factory=Counter)
    """What edges do not show: documents, predicates, mentions, chains."""

    def edges(self) -> Counter[str]:
        """How many edges there are of each task."""
        return Counter(edge.task for sentence in self.sentences for edge in sentence.edges)
