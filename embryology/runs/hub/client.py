"""What is asked of the Hub, through ``huggingface_hub``: every request has a time limit, every failure is one line.

``HF_ENDPOINT``, ``HF_HUB_OFFLINE``, ``HF_HOME`` and ``HF_TOKEN`` mean what they mean to that library.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import filelock
from huggingface_hub import constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,  # of whichever network library lies below
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (
    build_hf_headers,
    disable_progress_bars,
    hf_raise_for_status,
    http_backoff,
    http_stream_backoff,
    logging,
    paginate,
)

from embryology.errors import EmbryologyError
from embryology.runs.contents import UnavailableError
from embryology.storage.files import refusal

RETRIES = 2
"""After a request that failed in a way that may pass: no answer in time, too many requests, a server's own error."""


def refs(repository: str) -> dict[str, str]:
    """The commits of a repository's branches and tags, by name.

    Raises:
        EmbryologyError: they cannot be had, or a branch and a tag of one name are at different commits.
    """
    with _said_in_a_line(repository):
        found = _json(f"api/models/{repository}/refs")
        commits: dict[str, str] = {}
        for ref in [*found["branches"], *found["tags"]]:
            if commits.setdefault(ref["name"], ref["targetCommit"]) != ref["targetCommit"]:
                raise EmbryologyError(f"{repository} has a branch and a tag {ref['name']!r} at different commits")
        return commits


def repositories(owner: str, beginning: str) -> list[str]:
    """The names, with their owner, of those of its repositories that begin so, or contain it.

    Raises:
        EmbryologyError: they cannot be listed.
    """
    with _said_in_a_line(owner):
        found = paginate(
            f"{constants.ENDPOINT}/api/models",
            params={"author": owner, "search": beginning},
            headers=build_hf_headers(),
            timeout=constants.HF_HUB_ETAG_TIMEOUT,
        )
        return [str(model["id"]) for model in found]


def listing(repository: str, revision: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """The commit of a revision, and by name of its files their ``size``, ``sha256`` (None of small ones) and ``git``.

    All come in one answer, so that a branch that moves meanwhile cannot mix two commits.

    Raises:
        EmbryologyError: they cannot be had.
    """
    with _said_in_a_line(f"{repository}@{revision}"):
        found = _json(f"api/models/{repository}/revision/{quote(revision, safe='')}", {"blobs": True})
        files = {
            each["rfilename"]: {
                "size": each["size"],
                "sha256": each["lfs"]["sha256"] if each.get("lfs") else None,
                "git": each["blobId"],
            }
            for each in found["siblings"]
        }
        return str(found["sha"]), files


def read(repository: str, commit: str, file: str, start: int = 0, end: int | None = None) -> bytes:
    """Some bytes of a file, without the others.

    Args:
        start, end: of the bytes; without an end, all that follow.

    Raises:
        EmbryologyError: they cannot be had.
    """
    if end is not None and end <= start:
        return b""
    if place := kept(repository, commit, [file]):
        with (place / file).open("rb") as stream:
            stream.seek(start)
            return stream.read() if end is None else stream.read(end - start)
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if part := start > 0 or end is not None:
        headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    url, timeout = hf_hub_url(repository, file, revision=commit), constants.HF_HUB_DOWNLOAD_TIMEOUT
    what = f"{repository}@{commit[:12]}: {file}"
    with (
        _said_in_a_line(what),
        http_stream_backoff("GET", url, headers=headers, timeout=timeout, max_retries=RETRIES) as response,
    ):
        hf_raise_for_status(response)
        if part and response.status_code != 206:
            raise UnavailableError(
                what, f"{constants.ENDPOINT} gives no parts of files; --whole reads them from end to end"
            )
        return bytes(response.read())


def kept(repository: str, commit: str, files: Sequence[str]) -> Path | None:
    """The folder of the Hub's cache with these files of a commit, if all of them are there."""
    places = [try_to_load_from_cache(repository, file, revision=commit) for file in files]
    return Path(str(places[0])).parent if all(isinstance(place, str) for place in places) else None


def fetch(repository: str, commit: str, files: Sequence[str], folder: Path | None = None) -> Path:
    """Download files of a commit; those that are there already are not downloaded again.

    Args:
        folder: where they go; None puts them into the Hub's cache, where other programs find them, too.

    Returns:
        The folder that has them.

    Raises:
        EmbryologyError: they cannot be had.
    """
    with _said_in_a_line(f"{repository}@{commit[:12]}"), disable_progress_bars():
        for file in files:
            if not kept(repository, commit, [file]):
                # Asked first, since a download gives a server that hangs a minute, six times.
                url, headers = hf_hub_url(repository, file, revision=commit), build_hf_headers()
                _answered("HEAD", url, headers=headers, follow_redirects=False)
            place = Path(hf_hub_download(repository, file, revision=commit, local_dir=folder))
        return place.parent


@contextmanager
def lent(repository: str, commit: str, files: Sequence[str]) -> Iterator[Path]:
    """Download files of a commit into a folder of their own, which is there as long as the context lasts.

    Raises:
        EmbryologyError: they cannot be had.
    """
    place = Path(constants.HF_HUB_CACHE).parent / "embryology" / commit
    lock = filelock.FileLock(f"{place}.lock")
    with _said_in_a_line(f"{repository}@{commit[:12]}"):
        place.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()  # another process may be measuring it, and removes it then
    try:
        yield fetch(repository, commit, files, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        lock.release()


def _json(path: str, parameters: dict[str, Any] | None = None) -> Any:
    return _answered("GET", f"{constants.ENDPOINT}/{path}", headers=build_hf_headers(), params=parameters).json()


def _answered(method: Any, url: str, **options: Any) -> Any:
    """The response to a request that succeeded."""
    timeout = constants.HF_HUB_ETAG_TIMEOUT
    response = http_backoff(method, url, timeout=timeout, max_retries=RETRIES, **options)
    hf_raise_for_status(response)
    return response


@contextmanager
def _said_in_a_line(what: str) -> Iterator[None]:
    logging.set_verbosity(logging.ERROR)  # retries are announced at length
    try:
        yield
    except (HTTPError, OSError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(what, _reason(error)) from error


def _reason(error: BaseException) -> str:
    """Why something could not be had, and what to do about it."""
    cause = error.__cause__
    if isinstance(error, LocalEntryNotFoundError) and cause is not None:
        return _reason(cause)  # it is an EntryNotFoundError, and says nothing of the file
    if isinstance(error, OfflineModeIsEnabled | LocalEntryNotFoundError):
        return (
            "it is not on this machine, and HF_HUB_OFFLINE keeps it from being fetched; keep it where there is a "
            "network (embryology probe --keep), or unset that"
        )
    if isinstance(error, GatedRepoError):
        return "its owner has to grant you access: ask on its page, then log in (hf auth login, or HF_TOKEN)"
    if isinstance(error, RevisionNotFoundError):
        return "this revision is not there, or no longer"
    if isinstance(error, EntryNotFoundError):
        return "the file is not there, or no longer"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        if status in (401, 403, 404):
            return "there is no such repository, or it is not open to you; check its name, or log in (hf auth login)"
        return f"{constants.ENDPOINT} answered {status}; give the same command again later"
    if reason := refusal(error):
        return reason
    if "Timeout" in type(error).__name__:
        return f"{constants.ENDPOINT} gave no answer in time; give the same command again later"
    if isinstance(error, HTTPError | ConnectionError):
        return f"{constants.ENDPOINT} cannot be reached, or broke off ({error}); see to the network, or to HF_ENDPOINT"
    line = " ".join(str(error).split())[:200]
    return f"{constants.ENDPOINT} answered what is not understood ({type(error).__name__}: {line})"
