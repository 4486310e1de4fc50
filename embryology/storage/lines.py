"""Lines of a text file, optionally compressed, and what becomes of a malformed sentence."""

import lzma
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec

from embryology.errors import EmbryologyError

Lines = list[tuple[int, str]]
"""Lines with their numbers in the file, from 1."""


class MalformedError(Exception):
    """A sentence that cannot be read: a reason to count it under, the line, and what is wrong there."""

    def __init__(self, reason: str, line: int, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.line = line


@contextmanager
def tolerated(path: Path, skipped: Counter[str], skip_bad: bool, sentences: int = 1) -> Iterator[None]:
    """Where the block finds a sentence of ``path`` malformed, raise an error that names file and line, or count it."""
    try:
        yield
    except MalformedError as error:
        if not skip_bad:
            advice = "fix it or, where edges are read, leave such sentences out (--skip-bad)"
            raise EmbryologyError(f"{path}, line {error.line}: {error}; {advice}") from error
        skipped[error.reason] += sentences


def found(path: Path) -> Path | None:
    """The file itself or the one with ``.gz``, or None where there is neither."""
    return next((file for file in (path, path.with_name(f"{path.name}.gz")) if file.is_file()), None)


def numbered(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file, without their ends.

    Raises:
        EmbryologyError: the file is missing, cut, or not UTF-8; the line is named. None of this can be skipped.
    """
    number = 0
    try:
        with fsspec.open(str(path), "rb", compression="infer") as stream:
            for number, line in enumerate(stream, start=1):
                yield number, line.decode("utf-8").rstrip("\r\n")
    except FileNotFoundError as error:
        raise EmbryologyError(f"{path} is missing") from error
    except UnicodeDecodeError as error:
        raise EmbryologyError(f"{path} cannot be read at line {number}, which is not UTF-8: {error.reason}") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise EmbryologyError(f"{path} cannot be read after line {number}: {error}") from error


def blocks(path: Path) -> Iterator[Lines]:
    """The runs of lines between blank ones."""
    block: Lines = []
    for number, line in numbered(path):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block
