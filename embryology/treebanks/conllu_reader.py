"""Universal Dependencies' CoNLL-U: gold Penn tags in the column XPOS."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import conllu
import fsspec

from embryology.errors import EmbryologyError
from embryology.treebanks import Sentence, Word

COLUMNS = 10


class _Lines:
    """A text stream that knows the last line with text that was read of it, for messages."""

    def __init__(self, stream):
        self.stream = stream
        self.last = 0

    def read(self) -> str:  # conllu looks for it before it iterates
        return self.stream.read()

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self.stream, start=1):
            if line.strip():
                self.last = number
            yield line


def read(path: Path) -> list[Sentence]:
    """The sentences of a CoNLL-U file, optionally compressed.

    Running text is put together again from the forms and ``SpaceAfter=No``. The parts of a multiword
    token ("don't" = "do" + "n't") each get their own characters where they spell its surface form,
    and all of it where they do not ("can't" = "can" + "not"). Empty nodes are left out.

    Raises:
        EmbryologyError: the file is missing or malformed, or a word has no tag; the line is named.
    """
    sentences: list[Sentence] = []
    lines = None
    try:
        with fsspec.open(str(path), "rt", encoding="utf-8", newline="\n", compression="infer") as stream:
            lines = _Lines(stream)
            for tokens in conllu.parse_incr(lines):
                name = tokens.metadata.get("sent_id") or f"{path.name.split('.')[0]}-{len(sentences) + 1}"
                sentences.append(_sentence(name, tokens))
    except FileNotFoundError as error:
        raise EmbryologyError(f"{path} is missing") from error
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise EmbryologyError(f"{path} cannot be read after line {lines.last if lines else 0}: {error}") from error
    except (conllu.exceptions.ParseException, ValueError) as error:
        raise EmbryologyError(f"{path}: the sentence that ends at line {lines.last} is malformed: {error}") from error
    if not sentences:
        raise EmbryologyError(f"{path} holds no sentences")
    return sentences


def _sentence(name: str, tokens: conllu.TokenList) -> Sentence:
    units: list[tuple[dict, list[dict]]] = []  # what stands between two spaces or SpaceAfter=No, and its words
    number, last_of_multiword = 0, 0
    for token in tokens:
        if len(token) != COLUMNS:
            raise ValueError(f"{COLUMNS} columns expected, found {len(token)}")
        identifier = token["id"]
        if isinstance(identifier, int):
            number += 1
            if identifier != number:
                raise ValueError(f"word {number} expected, found {identifier}")
            if not token["form"] or not token["xpos"] or token["xpos"] == "_":
                raise ValueError(f"word {number} has no form or no Penn tag (XPOS)")
            if number > last_of_multiword:
                units.append((token, []))
            units[-1][1].append(token)
        elif "-" in identifier:
            last_of_multiword = identifier[2]
            units.append((token, []))
    if number < max(last_of_multiword, 1):
        raise ValueError("words are missing")

    text, words = "", []
    for unit, parts in units:
        start = len(text)
        text += unit["form"]
        spelt = "".join(part["form"] for part in parts) == unit["form"]
        for part in parts:
            end = start + len(part["form"]) if spelt else len(text)
            words.append(Word(part["form"], start, end, part["xpos"]))
            start = end if spelt else start
        if (unit["misc"] or {}).get("SpaceAfter") != "No":
            text += " "
    return Sentence(name, text.rstrip(" "), tuple(words))
