"""Universal Dependencies' CoNLL-U: tags, Penn's in the column XPOS or universal ones in UPOS, and dependencies."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import conllu

from embryology.corpus import language
from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.specs.sources import Data, Source
from embryology.specs.tokens import UNIVERSAL_TAGS
from embryology.storage.files import sha256_of_file
from embryology.storage.lines import MalformedError, blocks, found, tolerated
from embryology.treebanks import DEPENDENCY, POS, Edge, Reading, Sentence, Word
from embryology.treebanks.sets import SPLITS, EdgeSet, counts, hashes
from embryology.treebanks.spans import tags

COLUMNS = 10
DOCUMENT = "# newdoc id = "
ENDINGS = (".conllu", ".conllu.gz")
Column = Literal["xpos", "upos"]
PENN_TAGS = (
    "CC CD DT EX FW IN JJ JJR JJS LS MD NN NNP NNPS NNS PDT POS PRP PRP$ RB RBR RBS RP SYM TO UH VB VBD VBG VBN VBP "
    "VBZ WDT WP WP$ WRB . , : `` '' -LRB- -RRB- $ # HYPH NFP ADD AFX GW XX"
)
MOSTLY = 0.99
"""Share of words with a Penn tag from which on XPOS is taken for these; GUM's has a stray one that is none."""


def look(path: Path) -> tuple[Column, str | None]:
    """Which column of a CoNLL-U file has the tags, and the language (ISO 639-1) that most of its sentences are in.

    XPOS where that holds Penn tags, else UPOS, as every language has others in XPOS.

    Raises:
        EmbryologyError: the file is missing, cut, or not UTF-8.
    """
    known = set(PENN_TAGS.split())
    penn, words, sentences = 0, 0, []
    for block in blocks(path):
        fields = [line.split("\t") for _, line in block if not line.startswith("#")]
        xpos = [field[4] for field in fields if len(field) == COLUMNS and field[0].isdecimal()]
        penn += sum(tag in known for tag in xpos)
        words += len(xpos)
        sentences.append(" ".join(field[1] for field in fields if len(field) == COLUMNS))
    languages = language.shares(sentences[: language.TEXTS])
    return "xpos" if penn >= MOSTLY * max(words, 1) else "upos", next(iter(languages), None)


def read(path: Path, column: Column = "xpos") -> list[Sentence]:
    """The sentences of a CoNLL-U file, optionally compressed, without edges.

    Running text is put together again from the forms and ``SpaceAfter=No``. The parts of a multiword
    token ("don't" = "do" + "n't") each get their own characters where they spell its surface form,
    and all of it where they do not ("can't" = "can" + "not"). Empty nodes are left out. ``column`` holds the tags.

    Raises:
        EmbryologyError: the file is missing or malformed, or a word has no tag; the line is named.
    """
    pairs = documents(path, Counter(), skip_bad=False, edges=False, column=column)
    sentences = [sentence for _, sentence in pairs if sentence is not None]  # a malformed one was an error
    if not sentences:
        raise EmbryologyError(f"{path} holds no sentences")
    return sentences


def read_edges(path: Path, skip_bad: bool = False, column: Column = "xpos") -> Reading:
    """Tags, those of ``column``, and dependencies of a CoNLL-U file.

    ``skip_bad`` leaves malformed sentences out and counts them.

    Raises:
        EmbryologyError: as of :func:`read`, and where a head is none of the sentence's words.
    """
    reading = Reading()
    sentences = (sentence for _, sentence in documents(path, reading.skipped, skip_bad, column=column))
    reading.sentences.extend(sentence for sentence in sentences if sentence is not None)
    return reading


def documents(
    path: Path, skipped: Counter[str], skip_bad: bool, edges: bool = True, column: Column = "xpos"
) -> Iterator[tuple[str, Sentence | None]]:
    """The name of the document and the sentence, one after the other; None stands for one that was skipped."""
    document = ""
    for number, block in enumerate(blocks(path), start=1):
        document = next((line.removeprefix(DOCUMENT) for _, line in block if line.startswith(DOCUMENT)), document)
        sentence = None
        with tolerated(path, skipped, skip_bad):
            try:
                (tokens,) = conllu.parse("\n".join(line for _, line in block))
            except (conllu.exceptions.ParseException, ValueError) as error:
                raise MalformedError("malformed sentence", block[-1][0], f"the one that ends here: {error}") from error
            name = tokens.metadata.get("sent_id") or f"{path.name.split('.')[0]}-{number}"
            lines = [line for line, text in block if not text.lstrip().startswith("#")]
            sentence = _sentence(name, tokens, lines, block[-1][0], edges, column)
        yield document, sentence


def _sentence(
    name: str, tokens: conllu.TokenList, lines: list[int], last: int, edges: bool, column: Column
) -> Sentence:
    units: list[tuple[dict, list[dict]]] = []  # what stands between two spaces or SpaceAfter=No, and its words
    number, last_of_multiword = 0, 0
    for token, line in zip(tokens, lines, strict=True):
        if len(token) != COLUMNS:
            raise MalformedError("ragged columns", line, f"{COLUMNS} columns expected, found {len(token)}")
        identifier = token["id"]
        if isinstance(identifier, int):
            number += 1
            if identifier != number:
                raise MalformedError("rows out of order", line, f"word {number} expected, found {identifier}")
            if not token["form"] or not token[column] or token[column] == "_":
                kind = "Penn tag (XPOS)" if column == "xpos" else "universal tag (UPOS)"
                raise MalformedError("word without form or tag", line, f"word {number} has no form or no {kind}")
            if column == "upos" and token[column] not in UNIVERSAL_TAGS.split():
                raise MalformedError("unknown tag", line, f"{token[column]!r} is none of the universal tags (UPOS)")
            if number > last_of_multiword:
                units.append((token, []))
            units[-1][1].append(token)
        elif identifier and "-" in identifier:
            last_of_multiword = identifier[2]
            units.append((token, []))
    if number < max(last_of_multiword, 1):
        raise MalformedError("rows out of order", last, "words are missing")

    text, blank, words = "", "", []
    for unit, parts in units:
        text += blank
        start = len(text)
        text += unit["form"]
        spelt = "".join(part["form"] for part in parts) == unit["form"]
        for part in parts:
            end = start + len(part["form"]) if spelt else len(text)
            words.append(Word(part["form"], start, end, part[column]))
            start = end if spelt else start
        blank = "" if (unit["misc"] or {}).get("SpaceAfter") == "No" else " "
    of_sentence = (*tags(words), *_dependencies(tokens, lines, number)) if edges else ()
    return Sentence(name, text, tuple(words), of_sentence)


def _dependencies(tokens: conllu.TokenList, lines: list[int], words: int) -> Iterator[Edge]:
    for token, line in zip(tokens, lines, strict=True):
        place, head, relation = token["id"], token["head"], token["deprel"]
        if not isinstance(place, int):
            continue
        if relation in ("", "_"):
            raise MalformedError("word without a relation", line, f"word {place} has no DEPREL")
        if head is None or not 0 <= head <= words or head == place:
            raise MalformedError(
                "head out of range", line, f"the head of word {place} is {head}, not another of {words}"
            )
        if head:
            yield Edge(DEPENDENCY, relation, (place - 1, place), (head - 1, head))


EWT = "treebanks/UD_English-EWT"


def ewt_file(split: str) -> Path:
    """The CoNLL-U file of a split of UD English-EWT.

    Raises:
        EmbryologyError: it is not there.
    """
    data = data_folder()
    name = f"en_ewt-ud-{split}.conllu"
    file = found(data / EWT / name) if data else None
    if file is None:
        raise EmbryologyError(
            "the treebank 'ewt' is not there: set EMBRYOLOGY_DATA to a folder and run `embryology data get ewt`, or "
            f"get UD_English-EWT from universaldependencies.org and put {name} (or .gz) under $EMBRYOLOGY_DATA/{EWT}/"
        )
    return file


def own_file(name: str, split: str) -> Path:
    """At a path of one's own, in which ``{split}`` stands for the split."""
    path = Path(name.replace("{split}", split)).expanduser()
    file = found(path)
    if file is None:
        raise EmbryologyError(f"there is no treebank at {path} (or .gz)")
    return file


def _ewt(name: str, split: str) -> Data:
    file = ewt_file(split)
    return Data(
        name,
        label=f"gold tags, UD English-EWT {split}",
        files=(file,),
        identity=lambda: {"file": sha256_of_file(file)},
        reader=lambda _: read(file),
    )


def _own(name: str, split: str) -> Data:
    file = own_file(name, split)
    column, language = look(file)
    return Data(
        "own",
        label=f"{'Penn' if column == 'xpos' else 'universal'} tags, {file.name}",
        files=(file,),
        identity=lambda: {"file": sha256_of_file(file), "tags": column, "language": language},
        reader=lambda _: read(file, column),
    )


def _ewt_edges(name: str, split: str) -> EdgeSet:
    file = ewt_file(split)
    return EdgeSet(
        name,
        f"gold, UD English-EWT {split}",
        (file,),
        partial(hashes, [file]),
        partial(read_edges, file),
        split,
        (POS, DEPENDENCY),
    )


def _own_edges(name: str, split: str) -> EdgeSet:
    if "{split}" not in name:
        raise EmbryologyError(f"the edge set {name} needs {{split}} in its path, as classifiers learn from one split")
    file = own_file(name, split)
    column, language = look(own_file(name, "train"))  # one for all splits
    return EdgeSet(
        name,
        f"{'Penn' if column == 'xpos' else 'universal'} tags and dependencies, {file.name}",
        (file,),
        lambda: hashes([file]) | {"tags": column, "language": language},
        partial(read_edges, file, column=column),
        split,
        (POS, DEPENDENCY),
    )


def _is_path(name: str) -> bool:
    return name.endswith(ENDINGS)


TAGS = Source("treebank", "ewt", _ewt, parts=SPLITS)
OWN_TAGS = Source("treebank", "conllu", _own, _is_path, "the path of a CoNLL-U file", SPLITS)
EDGES = Source(
    "edges",
    "ewt",
    _ewt_edges,
    parts=SPLITS,
    known=counts(
        ("sentences", "pos"),
        {"train": (12_544, 204_577), "dev": (2_001, 25_147), "test": (2_077, 25_094)},
    ),
)
"""Counts of UD English-EWT 2.16, as of the other gold sets by two scripts that share no code with ours, from the same
files (``treebanks/README.md`` of the data)."""
OWN_EDGES = Source("edges", "conllu", _own_edges, _is_path, "a path to {split}.conllu", SPLITS)
