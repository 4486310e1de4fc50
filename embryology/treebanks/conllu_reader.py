"""Universal Dependencies' CoNLL-U: gold Penn tags in the column XPOS, and dependencies."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import conllu

from embryology.errors import EmbryologyError
from embryology.storage.lines import MalformedError, blocks, tolerated
from embryology.treebanks import DEPENDENCY, Edge, Reading, Sentence, Word
from embryology.treebanks.spans import tags

COLUMNS = 10
DOCUMENT = "# newdoc id = "


def read(path: Path) -> list[Sentence]:
    """The sentences of a CoNLL-U file, optionally compressed, without edges.

    Running text is put together again from the forms and ``SpaceAfter=No``. The parts of a multiword
    token ("don't" = "do" + "n't") each get their own characters where they spell its surface form,
    and all of it where they do not ("can't" = "can" + "not"). Empty nodes are left out.

    Raises:
        EmbryologyError: the file is missing or malformed, or a word has no tag; the line is named.
    """
    pairs = documents(path, Counter(), skip_bad=False, edges=False)
    sentences = [sentence for _, sentence in pairs if sentence is not None]  # a malformed one was an error
    if not sentences:
        raise EmbryologyError(f"{path} holds no sentences")
    return sentences


def read_edges(path: Path, skip_bad: bool = False) -> Reading:
    """Tags and dependencies of a CoNLL-U file; ``skip_bad`` leaves malformed sentences out and counts them.

    Raises:
        EmbryologyError: as of :func:`read`, and where a head is none of the sentence's words.
    """
    reading = Reading()
    sentences = (sentence for _, sentence in documents(path, reading.skipped, skip_bad))
    reading.sentences.extend(sentence for sentence in sentences if sentence is not None)
    return reading


def documents(
    path: Path, skipped: Counter[str], skip_bad: bool, edges: bool = True
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
            sentence = _sentence(name, tokens, lines, block[-1][0], edges)
        yield document, sentence


def _sentence(name: str, tokens: conllu.TokenList, lines: list[int], last: int, edges: bool) -> Sentence:
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
            if not token["form"] or not token["xpos"] or token["xpos"] == "_":
                raise MalformedError(
                    "word without form or tag", line, f"word {number} has no form or no Penn tag (XPOS)"
                )
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
            words.append(Word(part["form"], start, end, part["xpos"]))
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
