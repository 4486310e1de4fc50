"""An edit that no listing of a folder shows."""

import os
from pathlib import Path


def edit(file: Path, content: bytes) -> None:
    """Other bytes of the same number, and the file keeps its time."""
    status, before = file.stat(), file.read_bytes()
    assert content != before
    assert len(content) == len(before)
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
