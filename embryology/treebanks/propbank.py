"""UD English-EWT joined with PropBank's skeletons: tags, constituents and semantic roles.

A skeleton holds constituents and roles of a sentence without its words, those are UD's. Sentences pair by their
position in the document, as ``treebanks/README.md`` of the data describes it; the tags are UD's, which are later
corrections of the skeletons'.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

from embryology.specs.sources import Source
from embryology.storage.lines import MalformedError, blocks, tolerated
from embryology.treebanks import CONSTITUENT, POS, ROLE, Edge, Reading, Sentence
from embryology.treebanks.conllu_reader import documents, ewt_file
from embryology.treebanks.sets import SPLITS, EdgeSet, counts, folder, hashes, missing
from embryology.treebanks.spans import constituents, roles, tags

TAG, BRACKETS, ROLESET, ROLES = 4, 5, 7, 8  # columns; a column of roles for each predicate follows
Skeleton = list[tuple[int, list[str]]]
"""Lines and columns of a sentence."""

NO_SKELETON = "document without a skeleton"
UNJOINED = "words split otherwise than in the skeleton"


def read(conllu: Path, skeletons: Sequence[Path], skip_bad: bool = False) -> Reading:
    """The sentences of a CoNLL-U file of UD English-EWT that have a skeleton of as many words.

    Args:
        conllu: ``en_ewt-ud-SPLIT.conllu``.
        skeletons: the ``*.gold_skel`` files of propbank-release, in any number.
        skip_bad: leave malformed sentences out and count them.

    Returns:
        ``skipped`` holds the sentences that do not join, ``counts`` the documents and predicates.

    Raises:
        EmbryologyError: a file is missing or malformed; file and line are named.
    """
    reading = Reading()
    groups = [
        (name, [sentence for _, sentence in group])
        for name, group in groupby(documents(conllu, reading.skipped, skip_bad, edges=False), key=lambda pair: pair[0])
    ]
    places = _skeletons(skeletons, {name for name, _ in groups})
    for name, sentences in groups:
        reading.counts["documents"] += 1
        if name not in places:
            reading.skipped[NO_SKELETON] += sum(sentence is not None for sentence in sentences)
            continue
        path, of_document = places[name]
        for sentence, position in zip(sentences, _partners(sentences, of_document), strict=True):
            if sentence is None:
                continue
            if position is None or len(of_document[position]) != len(sentence.words):
                reading.skipped[UNJOINED] += 1
                continue
            with tolerated(path, reading.skipped, skip_bad):
                edges = (*tags(sentence.words), *_edges(of_document[position], position, reading))
                reading.sentences.append(replace(sentence, edges=edges))
    return reading


def _skeletons(paths: Sequence[Path], wanted: set[str]) -> dict[str, tuple[Path, list[Skeleton]]]:
    """File and sentences of documents by UD's names for them: ``GENRE-NAME`` of ``google/ewt/GENRE/00/NAME.xml``."""
    places: dict[str, tuple[Path, list[Skeleton]]] = {}
    for path in paths:
        for block in blocks(path):
            rows = [(number, line.split()) for number, line in block if not line.startswith("#")]
            parts = rows[0][1][0].removesuffix(".xml").split("/") if rows else []
            name = f"{parts[2]}-{parts[-1]}" if len(parts) > 2 else ""
            if name in wanted:
                places.setdefault(name, (path, []))[1].append(rows)
    return places


def _partners(sentences: Sequence[Sentence | None], skeletons: Sequence[Skeleton]) -> list[int | None]:
    """For every sentence of a document the position of its skeleton.

    As many on both sides pair by position, else monotonely so that the most tags agree: shares of equal tags summed
    over the sentences, where a pair of other lengths has nothing in common.
    """
    if len(sentences) == len(skeletons):
        return list(range(len(skeletons)))
    ud_tags = [[word.tag for word in sentence.words] if sentence else [] for sentence in sentences]
    skeleton_tags = [[fields[TAG] if len(fields) > TAG else "" for _, fields in rows] for rows in skeletons]

    def agreement(one: list[str], other: list[str]) -> float:
        return sum(map(str.__eq__, one, other)) / len(one) if len(one) == len(other) else 0.0

    best: list[list[tuple[float, tuple]]] = [[(0.0, ())] * (len(skeleton_tags) + 1) for _ in range(len(ud_tags) + 1)]
    for i, one in enumerate(ud_tags):
        for j, other in enumerate(skeleton_tags):
            share, (score, pairs) = agreement(one, other), best[i][j]
            paired = [(score + share, ((i, j), pairs))] if share else []
            best[i + 1][j + 1] = max([*paired, best[i + 1][j], best[i][j + 1]], key=lambda way: way[0])
    partners: list[int | None] = [None] * len(ud_tags)
    pairs = best[-1][-1][1]
    while pairs:
        (i, j), pairs = pairs
        partners[i] = j
    return partners


def _edges(rows: Skeleton, position: int, reading: Reading) -> list[Edge]:
    source = rows[0][1][0]
    for place, (line, fields) in enumerate(rows):
        if len(fields) != len(rows[0][1]) or len(fields) < ROLES:
            raise MalformedError("ragged columns", line, f"{max(len(rows[0][1]), ROLES)} expected, found {len(fields)}")
        if fields[:3] != [source, str(position), str(place)]:
            raise MalformedError("rows out of order", line, f"{source} {position} {place} expected, found {fields[:3]}")
    heads = [place for place, (_, fields) in enumerate(rows) if fields[ROLESET] != "-"]
    columns = len(rows[0][1]) - ROLES
    if len(heads) != columns:
        raise MalformedError("ragged columns", rows[0][0], f"{len(heads)} predicates have {columns} columns of roles")
    left_out: Counter[str] = Counter()
    edges = constituents([(line, fields[BRACKETS]) for line, fields in rows], left_out)
    for column, head in enumerate(heads, start=ROLES):
        edges += roles([(line, fields[column]) for line, fields in rows], left_out, head)
    reading.left_out.update(left_out)
    reading.counts["predicates"] += len(heads)
    return edges


PLACE = "treebanks/propbank-release/data/google/ewt"


def _find(name: str, split: str) -> EdgeSet:
    words, place = ewt_file(split), folder(name, PLACE, "propbank-release from github.com/propbank")
    skeletons = sorted(file for pattern in ("*.gold_skel", "*.gold_skel.gz") for file in place.rglob(pattern))
    if not skeletons:
        raise missing(name, PLACE, "its *.gold_skel files")
    return EdgeSet(
        name,
        f"gold, English Web Treebank with PropBank {split}",
        (words, *skeletons),
        partial(hashes, [words, *skeletons]),
        partial(read, words, skeletons),
        split,
        (POS, CONSTITUENT, ROLE),
    )


SOURCE = Source(
    "edges",
    "ewt-propbank",
    _find,
    parts=SPLITS,
    known=counts(
        ("documents", "sentences", "pos", "constituent", "role", "predicates"),
        {
            "train": (540, 12_526, 204_225, 137_988, 81_261, 40_429),
            "dev": (318, 1_968, 24_892, 16_508, 9_563, 4_963),
            "test": (316, 2_058, 24_944, 16_283, 9_321, 4_795),
        },
    ),
)
"""Counts of propbank-release at commit 4abade0b."""
