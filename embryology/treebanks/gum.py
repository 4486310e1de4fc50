"""GUM and GENTLE: tags and dependencies of ``dep/``, entities of ``coref/gum/``, chains of ``coref/ontogum/``.

Word k of a document in the ``coref`` layers is word k of it in ``dep/``: they have no sentence breaks. ``const/`` is
a parser's output and is not read. The 18 Reddit documents are not there, as their words are not.
"""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, groupby
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.specs.sources import Source
from embryology.storage.lines import Lines, MalformedError, found, numbered, tolerated
from embryology.treebanks import COREFERENCE, DEPENDENCY, ENTITY, POS, Edge, Reading, Sentence, Span
from embryology.treebanks.conllu_reader import documents
from embryology.treebanks.sets import SPLITS, EdgeSet, counts, folder, hashes, missing
from embryology.treebanks.spans import coreference, mentions

BEGIN = "# begin document "
MARKS = re.compile(r"\([^()]+\)?|[^()]+\)")
ENTITY_NAME = re.compile(r"([a-z]+)-\d+(-.*)?")
CHAIN_NAME = re.compile(r"\d+")
MIXED_UP = ("GENTLE_poetry_road",)
"""Documents with brackets that have no partner in the source; their mentions are dropped and counted."""

IN_DOCUMENT = "in a document with a malformed sentence"
ACROSS = "mention over a sentence boundary"
NO_PARTNER = "bracket of a mention without its partner"
NO_WORDS = "document without words in dep/"

Mention = tuple[str, Span]


def read(dep: Path, entities: Path, chains: Path, skip_bad: bool = False) -> Reading:
    """The sentences of a split.

    Args:
        dep: ``dep/SPLIT.conllu``.
        entities: ``coref/gum/conll/SPLIT.conll``, every mention with its type.
        chains: ``coref/ontogum/conll/SPLIT.conll``, mentions in the scheme of OntoNotes.
        skip_bad: leave malformed sentences out and count them. As words are numbered by document, a malformed one
            takes the other sentences of its document with it.

    Returns:
        ``counts`` holds documents, mentions that corefer and their chains.

    Raises:
        EmbryologyError: a file is missing or malformed, or the layers differ; file and line are named.
    """
    reading = Reading()
    layers = ((entities, _layer(entities), ENTITY_NAME), (chains, _layer(chains), CHAIN_NAME))
    names = set()
    for name, group in groupby(documents(dep, reading.skipped, skip_bad), key=lambda pair: pair[0]):
        names.add(name)
        sentences = [sentence for _, sentence in group]
        whole = [sentence for sentence in sentences if sentence is not None]
        if len(whole) < len(sentences):
            reading.skipped[IN_DOCUMENT] += len(whole)
            continue
        mentions_of_layers: list[list[Mention]] = []
        left_out: Counter[str] = Counter()
        for path, layer, pattern in layers:
            with tolerated(path, reading.skipped, skip_bad, sentences=len(whole)):
                mentions_of_layers.append(_mentions(name, layer.get(name, []), whole, pattern, left_out))
                continue
            break  # one layer is enough to skip the document
        else:
            of_entities, of_chains = mentions_of_layers
            reading.sentences.extend(_with_edges(whole, of_entities, of_chains, left_out))
            reading.left_out.update(left_out)
            reading.counts.update(_counts(of_chains))
    for path, layer, _ in layers:
        for name in (name for name in layer if name not in names):
            if not skip_bad:
                raise EmbryologyError(f"{path}, line {layer[name][0][0]}: document {name!r} is not in {dep}")
            reading.left_out[NO_WORDS] += 1
    return reading


def _layer(path: Path) -> dict[str, Lines]:
    """Document -> its rows."""
    rows: defaultdict[str, Lines] = defaultdict(list)
    name = ""
    for number, line in numbered(path):
        if line.startswith(BEGIN):
            name = line.removeprefix(BEGIN)
        elif line.strip() and not line.startswith("# end document"):
            rows[name].append((number, line))
    return rows


def _mentions(
    name: str, rows: Lines, sentences: Sequence[Sentence], pattern: re.Pattern, left_out: Counter[str]
) -> list[Mention]:
    """The mentions of a document, in words of the document, after its rows are held against its words."""
    words = [word for sentence in sentences for word in sentence.words]
    last = rows[-1][0] if rows else 1
    if len(rows) != len(words):
        raise MalformedError("layers differ", last, f"{name} has {len(rows)} rows here and {len(words)} words in dep/")
    marks = []
    for place, ((line, row), word) in enumerate(zip(rows, words, strict=True)):
        fields = row.split("\t")
        if len(fields) != 3:
            raise MalformedError("ragged columns", line, f"3 expected, found {len(fields)}")
        number, form, cell = fields
        if number != str(place):
            raise MalformedError("rows out of order", line, f"word {place} of {name} expected, found {number}")
        if form not in (word.form, ""):  # a form is empty in GUM_news_iodine, where dep/ has |
            raise MalformedError("layers differ", line, f"{form!r} is {word.form!r} in dep/")
        if cell == "_":
            continue
        of_cell = MARKS.findall(cell)
        if "".join(of_cell) != cell or not all(pattern.fullmatch(mark.strip("()")) for mark in of_cell):
            raise MalformedError("malformed brackets", line, f"{cell!r}")
        marks += [(place, line, mark) for mark in of_cell]
    spans, broken = mentions(marks)
    if broken and name not in MIXED_UP:
        raise broken[0]
    if broken:
        left_out[NO_PARTNER] += len(broken)
    return spans


def _with_edges(
    sentences: Sequence[Sentence], entities: list[Mention], chained: list[Mention], left_out: Counter[str]
) -> list[Sentence]:
    starts = list(accumulate((len(sentence.words) for sentence in sentences), initial=0))
    edges: list[list[Edge]] = [list(sentence.edges) for sentence in sentences]
    for index, name, span in _in_sentences(entities, starts, left_out):
        edges[index].append(Edge(ENTITY, name.split("-")[0], span))
    chained_by_sentence = defaultdict(list)
    for index, name, span in _in_sentences(chained, starts, left_out):
        chained_by_sentence[index].append((name, span))
    for index, chained_in_sentence in chained_by_sentence.items():
        edges[index] += coreference(chained_in_sentence)
    return [replace(sentence, edges=tuple(of_sentence)) for sentence, of_sentence in zip(sentences, edges, strict=True)]


def _in_sentences(
    of_document: list[Mention], starts: list[int], left_out: Counter[str]
) -> Iterator[tuple[int, str, Span]]:
    """Sentence, name and span in words of the sentence."""
    for name, (first, last) in of_document:
        index = bisect_right(starts, first) - 1
        if last > starts[index + 1]:
            left_out[ACROSS] += 1
        else:
            yield index, name, (first - starts[index], last - starts[index])


def _counts(chained: list[Mention]) -> Counter[str]:
    sizes = Counter(name for name, _ in chained).values()
    return Counter(
        {
            "documents": 1,
            "mentions": len(chained),
            "chains": sum(size > 1 for size in sizes),
            "chains of one": sum(size == 1 for size in sizes),
        }
    )


PLACE = "treebanks/gum"
COUNTED = ("documents", "sentences", "pos", "dependency", "entity", "mentions", "chains", "chains of one")


def _find(name: str, split: str) -> EdgeSet:
    place = folder(name, PLACE, "GUM from github.com/amir-zeldes/gum, a file for each layer and split")
    stem = "test2" if name == "gentle" else split
    files = []
    for layer in (f"dep/{stem}.conllu", f"coref/gum/conll/{stem}.conll", f"coref/ontogum/conll/{stem}.conll"):
        file = found(place / layer)
        if file is None:
            raise missing(name, f"{PLACE}/{layer}", "that file (or .gz)")
        files.append(file)
    dep, entities, chains = files
    return EdgeSet(
        name,
        f"gold, {name.upper()} {split}",
        tuple(files),
        partial(hashes, files),
        partial(read, dep, entities, chains),
        split,
        (POS, DEPENDENCY, ENTITY, COREFERENCE),
    )


SOURCES = (
    Source(
        "edges",
        "gum",
        _find,
        parts=SPLITS,
        known=counts(
            COUNTED,
            {
                "train": (177, 10_224, 177_410, 167_186, 49_649, 23_320, 5_304, 7),
                "dev": (30, 1_575, 28_119, 26_544, 7_897, 3_818, 855, 2),
                "test": (30, 1_464, 28_397, 26_933, 7_927, 3_581, 857, 1),
            },
        ),
    ),
    Source(
        "edges",
        "gentle",
        _find,
        parts=("test",),
        known=counts(COUNTED, {"test": (26, 1_334, 17_799, 16_465, 5_680, 1_909, 455, 2)}),
    ),
)
"""Counts of GUM 11.1 without its Reddit documents."""
