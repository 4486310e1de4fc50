"""What a description was resolved to: commits and hashes, written down once; and a checkpoint that is fetched.

In the folder of a series on the Hub::

    series.yaml        its description, and what else is said of it (runs/steps.py)
    revisions.json     what the description was resolved to; without it, the next command resolves it anew
    files/<digits>/    the configuration and tokenizer of those checkpoints that have these, usually of all
    measurements/      as of every series
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import filelock
from pydantic import BaseModel, ConfigDict, ValidationError

from embryology.errors import EmbryologyError, problems
from embryology.runs import checkpoints, steps
from embryology.runs.checkpoints import CONFIG, INDEX, TOKENIZER_FILES, Checkpoint
from embryology.runs.contents import Folder, Stored, UnavailableError
from embryology.runs.hub.descriptions import Description
from embryology.runs.paths import HUB, RunFolder
from embryology.storage.files import read_json, sha256_of, write_json, written_whole

RECORD = "revisions.json"
AT_ONCE = 8
"""Requests for listings; they are small."""


class Revision(BaseModel):
    """A commit of a repository, and what is in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    repository: str
    name: str
    """The branch or tag that it was when it was resolved."""
    label: str
    """What tells it apart in its series: that name, or the repository's."""
    commit: str
    files: dict[str, Stored]
    weights: dict[str, str]
    """The sha256 of each file that holds weights, by name; empty where there are none."""

    @property
    def full_name(self) -> str:
        """As a person would give it."""
        return f"{HUB}{self.repository}@{self.name}"

    @property
    def small(self) -> list[str]:
        """Its files that are kept in the folder of the series."""
        return [name for name in (CONFIG, *TOKENIZER_FILES) if name in self.files]

    @property
    def small_sha256(self) -> str:
        return sha256_of({name: self.files[name].git for name in self.small})


class Resolved(BaseModel):
    """What ``revisions.json`` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    revisions: tuple[Revision, ...]


@dataclass(frozen=True)
class Contents:
    """The files of a revision, of which any bytes can be read without the others."""

    revision: Revision
    beside: Path | None = None
    """A folder with its small files, if there is one; these are not asked of the Hub again."""

    def files(self) -> Mapping[str, Stored]:
        """By name, those of the checkpoint itself, not of folders beside it."""
        return {name: stored for name, stored in self.revision.files.items() if "/" not in name}

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes of a file from ``start`` until before ``end``; without one, until its own.

        Raises:
            EmbryologyError: they cannot be had.
        """
        from embryology.runs.hub import client

        if self.beside is not None and (self.beside / name).is_file():
            return Folder(self.beside).read(name, start, end)
        content = client.read(self.revision.repository, self.revision.commit, name, start, end)
        if end is not None and len(content) != max(0, min(end, self.revision.files[name].size) - start):
            raise UnavailableError(f"{self.revision.full_name}: {name}", "other bytes came than were asked for")
        return content

    @contextmanager
    def downloaded(self, names: Sequence[str]) -> Iterator[Folder]:
        """Some of its files on this machine, as long as the context lasts; longer those that were kept before.

        Raises:
            EmbryologyError: they cannot be had.
        """
        from embryology.runs.hub import client

        asked = self.revision.repository, self.revision.commit, names
        if place := client.kept(*asked) if names else None:
            yield Folder(place)
        else:
            with client.lent(*asked) if names else nullcontext(Path()) as lent:
                yield Folder(lent)

    def whole(self, name: str) -> bytes:
        """A file that is small, held against its hash.

        Raises:
            EmbryologyError: it cannot be had, or other bytes came.
        """
        content = self.read(name)
        if not self.revision.files[name].is_of(content):
            raise EmbryologyError(
                f"{self.revision.full_name}: {name} came with other bytes than the Hub lists; give the same command "
                "again"
            )
        return content


@dataclass(frozen=True)
class HubCheckpoint(Checkpoint):
    """A checkpoint whose weights are on the Hub."""

    revision: Revision = field(kw_only=True, compare=False)
    is_here: bool = False
    """Whether its weights are in :attr:`location`."""

    @property
    def name(self) -> str:
        return self.revision.full_name

    @property
    def label(self) -> str:
        return self.revision.label

    @property
    def commit(self) -> str:
        return self.revision.commit

    @property
    def contents(self) -> Contents:
        """What is in its repository."""
        return Contents(self.revision)

    @contextmanager
    def fetched(self, keep: bool = False) -> Iterator[Checkpoint]:
        """As of every checkpoint. What is in the Hub's cache is taken from there, and left there."""
        from embryology.runs.hub import client

        revision = self.revision
        asked = revision.repository, revision.commit, [*self._beside, *revision.weights]
        if keep or client.kept(revision.repository, revision.commit, list(revision.weights)):
            yield replace(self, location=client.fetch(*asked), is_here=True)
        else:
            with client.lent(*asked) as place:
                yield replace(self, location=place, is_here=True)

    @property
    def _beside(self) -> list[str]:
        """The files that are needed to load its weights."""
        whole = {checkpoints.WEIGHTS, checkpoints.PICKLED}
        return [CONFIG] if whole & self.revision.weights.keys() else [CONFIG, INDEX]

    def verify(self) -> None:
        """Raise :class:`EmbryologyError` where what was fetched is not what the Hub lists."""
        if not self.is_here:
            return
        files = self.revision.files
        right = all(files[name].is_of((self.location / name).read_bytes()) for name in self._beside)
        if not right or self.measured_sha256() != self.sha256:
            raise EmbryologyError(
                f"{self.name} came with other bytes than the Hub lists; if they are still there, remove "
                f"{self.location}; then give the same command again"
            )


def read(folder: RunFolder) -> Resolved | None:
    """What a series was resolved to; None where it was not yet.

    Raises:
        EmbryologyError: the record is damaged.
    """
    file = folder.root / RECORD
    if not file.exists():
        return None
    try:
        return Resolved.model_validate(read_json(file))
    except ValidationError as error:
        raise EmbryologyError(f"{file} is damaged ({problems(error)}); remove it to resolve the series anew") from error


def read_or_resolve(folder: RunFolder, description: Description) -> Resolved:
    """What a series was resolved to, else what the Hub says now.

    Raises:
        EmbryologyError: it is of several seeds, it was resolved for another description, or as :func:`read` and
            :func:`resolve`.
    """
    if description.has_seeds:
        raise EmbryologyError(f"{description.text} is of several seeds; name one of them here, with its number")
    resolved = read(folder) or resolve(description)
    if resolved.source != description.text:
        raise EmbryologyError(
            f"{folder.root / RECORD} is what {resolved.source} was resolved to, and {folder.root / steps.RECORD} says "
            f"{description.text}; describe that in another folder"
        )
    return resolved


def resolve(description: Description) -> Resolved:
    """Ask the Hub which revisions a description names, and for their commits, files and hashes.

    Raises:
        EmbryologyError: there are none, or one of them cannot be listed.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        revisions = tuple(pool.map(lambda named: _listed(description, *named), _named(description)))
    return Resolved(source=description.text, revisions=revisions)


def seeds(description: Description) -> list[str]:
    """The seeds that a description is of, in the order of their numbers.

    Raises:
        EmbryologyError: there are none, or the Hub cannot be asked.
    """
    matches = [description.match(repository, name) for repository, name, _ in _named(description)]
    return sorted({match["seed"] for match in matches if match}, key=int)


def keep(folder: RunFolder, resolved: Resolved) -> None:
    """Write down what a series was resolved to, with the small files of its revisions, unless that was done before.

    Raises:
        EmbryologyError: one of them cannot be had, or another process has resolved the series to other commits.
    """
    if read(folder) is None:
        different = {_small(folder, revision): revision for revision in resolved.revisions}
        small = {place: {name: Contents(each).whole(name) for name in each.small} for place, each in different.items()}
        folder.root.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.lock):
            if read(folder) is None:
                for place, files in small.items():
                    if not place.exists():  # of a process that was killed
                        _write(place, files)
                write_json(folder.root / RECORD, resolved.model_dump(mode="json"))
    if read(folder) != resolved:
        raise EmbryologyError(f"another process has resolved {folder.root} meanwhile; give the same command again")


def checkpoints_of(folder: RunFolder, resolved: Resolved, record: steps.Record) -> list[HubCheckpoint]:
    """The checkpoints of a series that was resolved, but for those that its record leaves out.

    Raises:
        EmbryologyError: a step is not said, or a revision has no weights.
    """
    description, made = Description.parse(resolved.source), []
    for revision in resolved.revisions:
        if steps.is_left_out(revision.label, record):
            continue
        place = description.place(revision.repository, revision.name, record)
        if not revision.weights:
            raise EmbryologyError(
                f"{revision.full_name} has neither {checkpoints.WEIGHTS}, whole or in shards, nor "
                f"{checkpoints.PICKLED}; name others, or say `leave_out: [{revision.label}]` in "
                f"{folder.root / steps.RECORD}"
            )
        sha256 = checkpoints.sha256_of_weights(revision.weights)
        arguments = place.step, place.tokens, _small(folder, revision), sha256, place.unit
        made.append(HubCheckpoint(*arguments, phase=place.phase, revision=revision))
    return made


def _named(description: Description) -> list[tuple[str, str, str]]:
    """What a description names: repository, name of the revision, and commit or that name."""
    from embryology.runs.hub import client

    owner, found, seen = description.owner or "", [], []
    repositories = (
        [description.repository] if description.repository else client.repositories(owner, description.beginning)
    )
    for repository in repositories:
        names = client.refs(repository) if description.revisions is not None else {"main": "main"}
        seen += [repository if description.revisions is None else f"{repository}@{name}" for name in names]
        found += [(repository, name, at) for name, at in names.items() if description.match(repository, name)]
    if not found:
        others = f"; there are {', '.join(sorted(seen)[:5])}{' …' if len(seen) > 5 else ''}" if seen else ""
        raise EmbryologyError(f"nothing on the Hub matches {description.text}{others}")
    return found


def _listed(description: Description, repository: str, name: str, at: str) -> Revision:
    from embryology.runs.hub import client

    commit, listing = client.listing(repository, at)
    files = {file: Stored(**listed) for file, listed in listing.items()}
    label = description.label(repository, name)
    listed = Revision(repository=repository, name=name, label=label, commit=commit, files=files, weights={})
    contents = Contents(listed)
    index = contents.whole(INDEX) if INDEX in files and checkpoints.WEIGHTS not in files else b""
    try:
        names = checkpoints.weight_files(files, lambda: index)
    except EmbryologyError:  # of its index
        names = []
    if not files.keys() >= {*names}:
        names = []
    hashes = {file: files[file].sha256 or hashlib.sha256(contents.whole(file)).hexdigest() for file in names}
    return listed.model_copy(update={"weights": hashes})


def _write(place: Path, files: Mapping[str, bytes]) -> None:
    with written_whole(place) as temporary:
        temporary.mkdir()
        for name, content in files.items():
            (temporary / name).write_bytes(content)


def contents_of(folder: RunFolder, revision: Revision) -> Contents:
    """The files of a revision of a series, whose small ones lie in its folder."""
    return Contents(revision, _small(folder, revision))


def _small(folder: RunFolder, revision: Revision) -> Path:
    return folder.root / "files" / revision.small_sha256[:12]
