"""Minimal pairs: two sentences that differ in little, of which one is grammatical and the other is not."""

from collections import Counter
from dataclasses import dataclass, field

Span = tuple[int, int]
"""Characters from the first to before the last."""


@dataclass(frozen=True)
class Pair:
    """A grammatical sentence and one that is not."""

    id: str
    """Unique within its set, and the same at every reading."""
    phenomenon: str
    paradigm: str
    """The way in which pairs are made: several make a phenomenon."""
    good: str
    bad: str
    unit: str
    """What it was made of; pairs of one unit are not independent."""
    critical: tuple[Span, Span] | None = None
    """Where the word stands that decides, in the good sentence and in the bad one; None where there is no such word."""


@dataclass(frozen=True)
class Published:
    """What somebody else got right of a paradigm."""

    who: str
    """A reference of :data:`embryology.specs.grammar.SPECIFICATION`."""
    paradigm: str
    accuracy: float
    n: int
    """Judgements behind it."""


@dataclass(frozen=True)
class Reading:
    """What came of reading a set, and what did not."""

    pairs: list[Pair] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Malformed lines, by reason."""
    published: list[Published] = field(default_factory=list)
