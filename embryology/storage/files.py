"""Files that are whole or absent, and the hashes that identify them."""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from embryology.errors import EmbryologyError

ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or have the quota raised",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EACCES: "see to its permissions, or choose another folder",
    errno.EPERM: "see to its permissions, or choose another folder",
    errno.EROFS: "choose a folder on a disk that can be written",
    errno.EIO: "see to the disk",
    errno.EEXIST: "move away what is there",
    errno.ENOTEMPTY: "move away what is there",
    errno.ENOTDIR: "choose a folder, not something below a file",
}
"""What a person can do, by the error number of the system; every other number is a defect of ours."""

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast where libyaml is."""
PART = ".part"


def refusal(error: BaseException) -> str | None:
    """Why the system refused, and what to do about it, in one line; None where ``error`` is no refusal.

    Writers hide what the system said: torch raises another error over it, shutil, safetensors and tokenizers only
    quote it, numpy only counts. So the errors beneath are looked at too, and the messages.
    """
    cause: BaseException | None = error
    while cause is not None:
        quoted = re.search(r"\[Errno (\d+)\]|\(os error (\d+)\)", str(cause))
        number = cause.errno if isinstance(cause, OSError) else None
        number = number or (int(quoted[1] or quoted[2]) if quoted else None)
        if number is None and re.search(r"\d+ requested and \d+ written", str(cause)):
            number = errno.ENOSPC
        if number in ADVICE:
            retry = "then give the same command again (`embryology pretrain` with --resume)"
            return f"{os.strerror(number)}; {ADVICE[number]}, {retry}"
        cause = cause.__cause__ or cause.__context__
    return None


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; on success flush it to disk and rename it to ``path``.

    Works for files and for folders. A half-written thing never has a final name, whenever the
    process dies. An existing folder at ``path`` is refused; an existing file is replaced.

    Raises:
        EmbryologyError: the system refuses to write; what was at ``path`` is still there.
    """
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            for file in [temporary, *temporary.rglob("*")] if temporary.is_dir() else [temporary]:
                _flush(file)
            os.rename(temporary, path)
            _flush(path.parent)
        finally:
            _remove(temporary)
    except EmbryologyError:
        raise
    except Exception as error:
        reason = refusal(error)
        if reason is None:
            raise
        raise EmbryologyError(f"cannot write {path}: {reason}") from error


def removed_whole(path: Path) -> None:
    """Remove a file or folder; a process that dies half-way leaves nothing under the name ``path``."""
    temporary = _temporary(path)
    os.rename(path, temporary)
    _remove(temporary)


def leftovers(folder: Path) -> list[Path]:
    """What processes that died left half-written in ``folder``, or what living ones are writing."""
    return sorted(folder.glob(f".*{PART}"))


def remove_leftovers(*folders: Path) -> None:
    """Remove what processes that died left half-written, where no other process can be writing."""
    for path in [path for folder in folders for path in leftovers(folder)]:
        _remove(path)


def _temporary(path: Path) -> Path:
    """Drawn, and not the process's number alone: another node that writes here may have the same."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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


def write_table(path: Path, table: pa.Table | pd.DataFrame, level: int | None = None) -> None:
    """Write a table as Parquet with zstd and checksums, whole or not at all.

    Args:
        level: of zstd, up to 22; None is its own. At 19 a probe's items are 5 to 20% smaller, in a second or a few.
    """
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    with written_whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=level, write_page_checksum=True)


def read_table(path: Path, columns: list[str] | None = None, schema: pa.Schema | None = None) -> pa.Table:
    """A Parquet file as :func:`write_table` writes it.

    Args:
        path: of the file.
        columns: those that are wanted; None takes all.
        schema: which the table is to have; columns that came later than the file are null.

    Raises:
        EmbryologyError: it is missing or damaged.
    """
    try:
        table = pq.read_table(path, columns=columns, schema=schema, page_checksum_verification=True)
        table.validate(full=True)
        return table.replace_schema_metadata(None)  # pandas' own, which may be damaged too, says nothing that we need
    except FileNotFoundError as error:
        raise EmbryologyError(f"{path} is missing") from error
    except Exception as error:  # whatever a reader makes of damaged bytes
        reason = " ".join(str(error).split())[:200]
        raise EmbryologyError(f"{path} is damaged ({reason}); restore it or make it again") from error


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
        return yaml.load(path.read_text(encoding="utf-8"), YAML_LOADER)
    except FileNotFoundError as error:
        raise EmbryologyError(f"{path} is missing") from error
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise EmbryologyError(f"{path} is not valid YAML: {reason}") from error


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_files(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """Hashes of files by their paths below ``folder``, which are the same wherever that lies.

    Raises:
        EmbryologyError: a file cannot be read.
    """
    hashes = {}
    for file in files:
        try:
            hashes[file.relative_to(folder).as_posix()] = sha256_of_file(file)
        except OSError as error:
            raise EmbryologyError(f"{file} cannot be read: {error}") from error
    return hashes


def sha256_of(value: Any) -> str:
    """Hexadecimal SHA-256 of anything that JSON can hold, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
