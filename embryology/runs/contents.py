"""The files of a checkpoint, wherever they lie: names, sizes and hashes without a download, bytes by range."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

BLOCK = 2**24
"""Bytes held at a time where a file is read whole."""


@dataclass(frozen=True)
class Stored:
    """A file, as the place that stores it describes it."""

    size: int
    """Bytes."""
    sha256: str | None = None
    """None where only reading the file would tell."""
    git: str | None = None
    """The id of its blob, which the Hub gives of files that are not in LFS."""

    @property
    def identity(self) -> str | None:
        """What only a file of the same bytes has; None where the place does not say."""
        return self.sha256 or self.git


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
    """Contents that count what is read of them, and remember it by one hash."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._hash = hashlib.sha256()
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
        content = self._contents.read(name, start, end)
        self.bytes_read += len(content)
        self._hash.update(f"{name} {start} {len(content)} ".encode() + content)
        return content

    def blocks(self, name: str) -> Iterator[bytes]:
        """A file from end to end; counted, but left out of :attr:`sha256`."""
        size = self.files[name].size
        for start in range(0, size, BLOCK):
            block = self._contents.read(name, start, min(start + BLOCK, size))
            self.bytes_read += len(block)
            yield block
