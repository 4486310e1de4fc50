"""The files of a checkpoint, wherever they lie: names, sizes and hashes without a download, bytes by range."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import ConfigDict

from embryology.errors import EmbryologyError

BLOCK = 2**24
"""Bytes held at a time where a file is read whole."""


class UnavailableError(EmbryologyError):
    """Something that could not be had from elsewhere, and a reason that holds for other things, too."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Stored:
    """A file, as the place that stores it describes it."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    size: int
    """Bytes."""
    sha256: str | None = None
    """None where only reading the file would tell."""
    git: str | None = None
    """The id of its blob, which the Hub gives: of the file itself where there is no sha256."""

    @property
    def identity(self) -> str | None:
        """What only a file of the same bytes has; None where the place does not say."""
        return self.sha256 or self.git

    def is_of(self, content: bytes) -> bool:
        """Whether it is this very file, of which a hash is known."""
        if self.sha256 is not None:
            return hashlib.sha256(content).hexdigest() == self.sha256
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == self.git


class Contents(Protocol):
    """The files of one checkpoint."""

    def files(self) -> Mapping[str, Stored]:
        """By name, those of the checkpoint's own folder, not of folders in it.

        Raises:
            EmbryologyError: they cannot be listed.
        """
        ...

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes of a file from ``start`` up to ``end``, to its end where that is None.

        Raises:
            EmbryologyError: they cannot be read.
        """
        ...


@dataclass(frozen=True)
class Folder:
    """A checkpoint in a local folder, which has no hashes at hand."""

    path: Path

    def files(self) -> Mapping[str, Stored]:
        return {file.name: Stored(file.stat().st_size) for file in sorted(self.path.iterdir()) if file.is_file()}

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        with open(self.path / name, "rb") as stream:
            stream.seek(start)
            return stream.read(-1 if end is None else end - start)


class Counted:
    """Contents that count what is read of them, and remember it by one hash.

    Args:
        contents: which are listed at once.
        remember: whether what was read is kept, and not read again.

    Raises:
        EmbryologyError: they cannot be listed.
    """

    def __init__(self, contents: Contents, remember: bool = False) -> None:
        self._contents = contents
        self._hash = hashlib.sha256()
        self._remembered: dict[tuple[str, int, int | None], bytes] | None = {} if remember else None
        self.files = dict(contents.files())
        self.bytes_read = 0

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(stored.size for stored in self.files.values())

    @property
    def sha256(self) -> str:
        """Of all that :meth:`read` gave so far, in its order."""
        return self._hash.hexdigest()

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """As :meth:`Contents.read`."""
        if self._remembered is not None and (name, start, end) in self._remembered:
            return self._remembered[name, start, end]
        content = self._contents.read(name, start, end)
        self.bytes_read += len(content)
        self._hash.update(f"{name} {start} {len(content)} ".encode() + content)
        if self._remembered is not None:
            self._remembered[name, start, end] = content
        return content

    @contextmanager
    def lent(self, contents: Contents) -> Iterator[None]:
        """The same files are read from elsewhere, as long as the context lasts."""
        before, self._contents = self._contents, contents
        try:
            yield
        finally:
            self._contents = before

    def blocks(self, name: str) -> Iterator[bytes]:
        """A file from end to end; counted, but left out of :attr:`sha256`."""
        size = self.files[name].size
        for start in range(0, size, BLOCK):
            block = self._contents.read(name, start, min(start + BLOCK, size))
            self.bytes_read += len(block)
            yield block
