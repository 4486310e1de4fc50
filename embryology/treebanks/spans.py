"""Spans written as brackets in columns, and the edges they make."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

from embryology.storage.lines import MalformedError
from embryology.treebanks import CONSTITUENT, COREFERENCE, POS, ROLE, Edge, Span, Word

Column = Sequence[tuple[int, str]]
"""The cells of a column, a word each, with their lines."""
CELL = re.compile(r"((?:\([^()*\s]+)*)\*(\)*)")  # (S(NP*)) : opened before the word, closed after it
PREDICATE = ("V", "C-V")


def tags(words: Iterable[Word]) -> list[Edge]:
    return [Edge(POS, word.tag, (place, place + 1)) for place, word in enumerate(words)]


def bracketed(column: Column, nested: bool) -> list[tuple[str, Span]]:
    """Labels and spans of a column such as ``(S(NP*)``, ``*``, ``*)``; inner ones come before outer ones.

    Raises:
        MalformedError: a cell is none, brackets do not balance, or spans overlap where they may not nest.
    """
    spans: list[tuple[str, Span]] = []
    opened: list[tuple[str, int, int]] = []  # label, place, line
    for place, (line, cell) in enumerate(column):
        if cell == "*":
            continue
        match = CELL.fullmatch(cell)
        if match is None:
            raise MalformedError("malformed brackets", line, f"{cell!r} is not of the form (LABEL*)")
        for label in match[1].split("(")[1:]:
            if opened and not nested:
                raise MalformedError("overlapping spans", line, f"{label} opens within {opened[-1][0]}")
            opened.append((label, place, line))
        for _ in match[2]:
            if not opened:
                raise MalformedError("unbalanced brackets", line, f"{cell!r} closes more than was opened")
            label, start, _ = opened.pop()
            spans.append((label, (start, place + 1)))
    if opened:
        raise MalformedError("unbalanced brackets", opened[-1][2], f"({opened[-1][0]} is never closed")
    return spans


def constituents(column: Column, left_out: Counter[str]) -> list[Edge]:
    edges = []
    for label, span in bracketed(column, nested=True):
        if label == "TOP" or span[1] - span[0] < 2:
            left_out["constituent TOP" if label == "TOP" else "constituent of one word"] += 1
        else:
            edges.append(Edge(CONSTITUENT, label, span))
    return edges


def roles(column: Column, left_out: Counter[str], row: int | None = None) -> list[Edge]:
    """The arguments of the predicate that ``column`` belongs to.

    Its span is that of ``V``, which may hold a particle; where ``V`` does not cover ``row``, the predicate's own, it
    is that word alone. Without a ``row`` the first ``V`` counts.
    """
    spans = bracketed(column, nested=False)
    word_alone = None if row is None else (row, row + 1)
    verbs = (span for label, span in spans if label == "V" and (row is None or span[0] <= row < span[1]))
    predicate = next(verbs, word_alone)
    edges = []
    for label, span in spans:
        if label in PREDICATE or predicate is None:
            left_out[f"role {label}" if label in PREDICATE else "role of no predicate"] += 1
        else:
            edges.append(Edge(ROLE, label, predicate, span))
    return edges


def mentions(marks: Iterable[tuple[int, int, str]]) -> tuple[list[tuple[str, Span]], list[MalformedError]]:
    """Names and spans of mentions, which may nest, cross, and be open twice under one name (the last closes first).

    Args:
        marks: word, line, and ``(NAME``, ``NAME)`` or ``(NAME)``, in order.

    Returns:
        The mentions, and what is wrong with each bracket without its partner, which makes none.
    """
    spans, broken, opened = [], [], defaultdict(list)
    for place, line, mark in marks:
        name = mark.strip("()")
        if mark.startswith("("):
            opened[name].append((place, line))
        if mark.endswith(")"):
            if opened[name]:
                spans.append((name, (opened[name].pop()[0], place + 1)))
            else:
                broken.append(MalformedError("unbalanced brackets", line, f"{name} is closed and was not opened"))
    for name, places in opened.items():
        broken += [MalformedError("unbalanced brackets", line, f"{name} is never closed") for _, line in places]
    return spans, broken


def coreference(chained: Iterable[tuple[str, Span]]) -> list[Edge]:
    """All pairs of the mentions of a sentence, given with their chains; see ``TASKS``."""
    ordered = sorted(set(chained), key=lambda mention: (mention[1], mention[0]))
    return [
        Edge(COREFERENCE, str(int(one == other)), first, second)
        for (one, first), (other, second) in combinations(ordered, 2)
    ]
