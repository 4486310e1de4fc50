"""Annotated text: what a sentence is. One reader a format; :mod:`embryology.treebanks.catalogue` names the sets."""

from dataclasses import dataclass
from typing import NamedTuple


class Word(NamedTuple):
    """A word of a sentence: its form, the characters ``text[start:end]`` it stands at, and its Penn tag."""

    form: str
    start: int
    end: int
    tag: str


@dataclass(frozen=True)
class Sentence:
    """Running text and its words in order; ``id`` is unique within its set and stays the same."""

    id: str
    text: str
    words: tuple[Word, ...]
