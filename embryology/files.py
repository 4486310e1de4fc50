"""Files that are whole or absent, and the hashes that identify them."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from embryology.errors import EmbryologyError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; on success flush it to disk and rename it to ``path``.

    Works for files and for folders. A half-written thing never has a final name, whenever the
    process dies. An existing folder at ``path`` is refused; an existing file is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        for file in [temporary, *temporary.rglob("*")] if temporary.is_dir() else [temporary]:
            _flush(file)
        os.rename(temporary, path)
        _flush(path.parent)
    except OSError as error:
        raise EmbryologyError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_yaml(path: Path, value: Any) -> None:
    """Write ``value`` as YAML in the order of its keys, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")


def write_table(path: Path, table: pa.Table | pd.DataFrame) -> None:
    """Write a table as Parquet with zstd, whole or not at all."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    with written_whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_json(path: Path) -> Any:
    """Parse a JSON file; an unreadable one is an error that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EmbryologyError(f"{path} is missing") from error
    except ValueError as error:
        raise EmbryologyError(f"{path} is not valid JSON ({error}); restore it or make it again") from error


def read_yaml(path: Path) -> Any:
    """Parse a YAML file; an unreadable one is an error that names it."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EmbryologyError(f"{path} is missing") from error
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise EmbryologyError(f"{path} is not valid YAML: {reason}") from error


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of(value: Any) -> str:
    """Hexadecimal SHA-256 of anything that JSON can hold, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
