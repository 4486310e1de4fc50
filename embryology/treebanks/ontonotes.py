"""OntoNotes 5 as ``*gold_conll`` files: the columns of the CoNLL-2012 shared task, split at blanks."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from embryology.specs.sources import Source
from embryology.storage.lines import Lines, MalformedError, blocks, tolerated
from embryology.treebanks import CONSTITUENT, COREFERENCE, ENTITY, POS, ROLE, Edge, Reading, Sentence, Span, Word
from embryology.treebanks.sets import EdgeSet, folder, hashes, missing
from embryology.treebanks.spans import Column, bracketed, constituents, coreference, mentions, roles, tags

DOCUMENT, PART, NUMBER, FORM, TAG, PARSE, ENTITIES, ROLES = 0, 1, 2, 3, 4, 5, 10, 11  # the last column holds chains
FEWEST_COLUMNS = 12
NO_PARSE = "XX"
"""As a tag or a word: the sentence was not parsed, and has neither tags nor constituents."""
FOLDERS = {"train": "train", "dev": "development", "test": "test", "conll-2012-test": "conll-2012-test"}
MARK = re.compile(r"\(\d+\)?|\d+\)")
OTHER_LANGUAGES = ("arabic", "chinese")


def files(below: Path, split: str) -> list[Path]:
    """The English ``*gold_conll`` files below a folder that lie in one named as the split is."""
    return sorted(
        file
        for pattern in ("*gold_conll", "*gold_conll.gz")
        for file in below.rglob(pattern)
        if FOLDERS[split] in (parts := file.relative_to(below).parts[:-1]) and not set(parts) & set(OTHER_LANGUAGES)
    )


def read(paths: Sequence[Path], skip_bad: bool = False) -> Reading:
    """The sentences of files, with edges of all tasks but ``dependency``.

    Text is the words with blanks between, as the format does not hold how they were set. A predicate's span is that
    of its first ``V``.

    Raises:
        EmbryologyError: a file is missing or malformed; file and line are named.
    """
    reading = Reading()
    names: set[str] = set()
    for path in paths:
        for number, block in enumerate(blocks(path)):
            rows = [(line, row) for line, row in block if not row.startswith("#")]
            if not rows:
                continue
            with tolerated(path, reading.skipped, skip_bad):
                sentence, left_out, counts = _sentence(rows, number)
                reading.sentences.append(sentence)
                reading.left_out.update(left_out)
                reading.counts.update(counts)
                names.add(rows[0][1].split()[DOCUMENT])
    reading.counts["documents"] = len(names)
    return reading


def _sentence(lines: Lines, number: int) -> tuple[Sentence, Counter[str], Counter[str]]:
    """A sentence, what of it makes no edge, and counts; ``number`` is its block's in the file."""
    rows = [(line, row.split()) for line, row in lines]
    width = len(rows[0][1])
    for place, (line, fields) in enumerate(rows):
        if len(fields) != width or width < FEWEST_COLUMNS:
            raise MalformedError("ragged columns", line, f"{max(width, FEWEST_COLUMNS)} expected, found {len(fields)}")
        if fields[NUMBER] != str(place):
            raise MalformedError("rows out of order", line, f"word {place} expected, found {fields[NUMBER]}")

    words, text = [], ""
    for _, fields in rows:
        start = len(text) + bool(text)
        text = f"{text} {fields[FORM]}" if text else fields[FORM]
        words.append(Word(fields[FORM], start, len(text), fields[TAG]))

    def column(place: int) -> Column:
        return [(line, fields[place]) for line, fields in rows]

    left_out: Counter[str] = Counter()
    edges: list[Edge] = []
    if any(NO_PARSE in (word.form, word.tag) for word in words):
        left_out["tags and constituents of a sentence without a parse"] += 1
    else:
        edges += [*tags(words), *constituents(column(PARSE), left_out)]
    edges += [Edge(ENTITY, label, span) for label, span in bracketed(column(ENTITIES), nested=False)]
    for place in range(ROLES, width - 1):
        edges += roles(column(place), left_out)
    chained = _chained(column(width - 1))
    edges += coreference(chained)
    counts = Counter({"predicates": width - 1 - ROLES, "mentions": len(chained)})
    document, part = rows[0][1][DOCUMENT], rows[0][1][PART]
    return Sentence(f"{document}-{part}-{number}", text, tuple(words), tuple(edges)), left_out, counts


def _chained(column: Column) -> list[tuple[str, Span]]:
    marks = []
    for place, (line, cell) in enumerate(column):
        of_cell = cell.split("|") if cell != "-" else []
        if not all(map(MARK.fullmatch, of_cell)):
            raise MalformedError("malformed brackets", line, f"{cell!r} is not of the form (1|2)|(3)")
        marks += [(place, line, mark) for mark in of_cell]
    spans, broken = mentions(marks)
    if broken:
        raise broken[0]
    return spans


PLACE = "treebanks/ontonotes"


def _find(name: str, split: str) -> EdgeSet:
    there = files(folder(name, PLACE, "your own OntoNotes 5 (LDC2013T19) as CoNLL-2012"), split)
    if not there:
        raise missing(name, PLACE, f"*gold_conll files in a folder {FOLDERS[split]!r}")
    return EdgeSet(
        name,
        f"gold, OntoNotes 5 {split}",
        tuple(there),
        partial(hashes, there),
        partial(read, there),
        split,
        (POS, CONSTITUENT, ENTITY, COREFERENCE, ROLE),
    )


SOURCE = Source("edges", "ontonotes", _find, parts=tuple(FOLDERS))
