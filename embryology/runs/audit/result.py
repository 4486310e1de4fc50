"""A series is examined; what was found is kept beside its measurements, and holds as long as its files are the same."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.table import Table

from embryology.errors import EmbryologyError
from embryology.runs import steps
from embryology.runs.audit import files, tensors, weights
from embryology.runs.audit.observed import Entry, Finding, Observed, finding, observe, unreadable
from embryology.runs.audit.weights import Read
from embryology.runs.contents import Folder
from embryology.runs.paths import RunFolder
from embryology.runs.series import distinct
from embryology.storage.files import read_json, sha256_of, write_json

VERSION = 1
"""Raised whenever the same files would give other findings."""
AGAIN = "(embryology audit RUN)"


class Row(BaseModel):
    """A checkpoint, as the table shows it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: int
    name: str
    size: int
    """Bytes of its weights."""
    dtype: str | None
    """Of its tensors; None where they are not known."""
    identity: str | None
    """Hash of its weights, where the place that stores them says it or they were read whole."""
    from_first: float | None
    """Cosine with the first checkpoint, mean over the matrices that were read; None where they were not."""
    to_previous: float | None


class Audit(BaseModel):
    """What was found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    series: str
    beside: tuple[str, ...]
    """The series that it was held against."""
    listing: str
    """Hash of names, sizes, and of the hashes that are known without reading."""
    read: str
    """Hash of what was read of it."""
    whole: bool
    size: int
    """Bytes of all files."""
    bytes_read: int
    checkpoints: tuple[Row, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    """What could not be told."""


def entries(folder: RunFolder) -> list[Entry]:
    """The checkpoints of a run, or of a folder of checkpoints that somebody else made, in the order of their steps.

    Raises:
        EmbryologyError: there are none, or a name does not say its step.
    """
    if not folder.root.is_dir():
        raise EmbryologyError(f"there is no run at {folder.root}; `embryology pretrain` makes one")
    if folder.checkpoints.is_dir():
        paths = [path for path in folder.checkpoints.glob("step-*") if path.name.removeprefix("step-").isdigit()]
    else:
        paths = [path for path in folder.root.iterdir() if path.is_dir() and _is_checkpoint(path)]
    record = steps.read(folder.root)
    try:
        found = [Entry(steps.place(path.name, record).step, path.name, Folder(path)) for path in paths]
    except EmbryologyError as error:
        raise EmbryologyError(f"{folder.root}: {error}") from error
    if not found or folder.frozen.exists():
        raise EmbryologyError(f"{folder.root} holds no weights of checkpoints to audit")
    return sorted(found, key=lambda entry: (entry.step, entry.name))


def _is_checkpoint(path: Path) -> bool:
    names = dict.fromkeys(file.name for file in path.iterdir())
    return files.CONFIG in names or bool(tensors.weights_files(names))


def examine(series: Mapping[str, Sequence[Entry]], whole: bool = False) -> list[Audit]:
    """Hold every series against what its names say, and against the others, which are to be other seeds.

    Args:
        series: by name, each by rising step.
        whole: whether every file of weights is read from end to end, too.

    Returns:
        An audit a series, in their order. Files that cannot be read are findings.
    """
    observed: dict[str, list[Observed]] = {}
    found: dict[str, list[Finding]] = {}
    for name, entered in series.items():
        observed[name], found[name] = [], []
        for entry in entered:
            try:
                one, wrong = observe(entry)
            except (EmbryologyError, OSError) as error:
                found[name].append(
                    Finding(kind="unreadable", steps=(entry.step,), says=f"step {entry.step:,}: {error}")
                )
                continue
            observed[name].append(one)
            found[name] += wrong
        for rule in (files.of_names, files.of_tensors, files.of_small_files):
            found[name] += rule(observed[name])
    reads, unread = weights.read(list(observed.values()))
    if whole:
        unread += [wrong for each in observed.values() for one in each for wrong in _read_whole(one)]
    audits = []
    for name, checkpoints in observed.items():
        own, notes = found[name], list[str]()
        own += [wrong for about, wrong in unread if about in checkpoints]
        own += weights.same_weights(checkpoints, reads)
        for alike in reads:
            more, untold = weights.of_series(alike, checkpoints)
            own += more
            notes += untold
            for other, others in observed.items():
                if other != name:
                    own += weights.of_seeds(alike, other, checkpoints, others)
        beside = tuple(other for other in series if other != name)
        audits.append(_audit(name, beside, checkpoints, reads, own, notes, whole))
    return audits


def _read_whole(observed: Observed) -> Iterator[tuple[Observed, Finding]]:
    for file in observed.weights:
        digest = hashlib.sha256()
        try:
            for block in observed.contents.blocks(file):
                digest.update(block)
        except (EmbryologyError, OSError) as error:
            yield observed, unreadable(observed, error)
            continue
        observed.sha256[file] = digest.hexdigest()
        said = observed.contents.files[file].sha256
        if said not in (None, digest.hexdigest()):
            yield observed, finding("damaged", [observed], f"{file} has another sha256 than is said of it")


def _audit(
    name: str,
    beside: tuple[str, ...],
    checkpoints: Sequence[Observed],
    reads: Sequence[Read],
    found: Sequence[Finding],
    notes: Sequence[str],
    whole: bool,
) -> Audit:
    cosines: dict[Observed, tuple[float, float]] = {}
    for one in reads:
        places = one.places(checkpoints)
        for before, place in zip([*places[:1], *places], places, strict=False):
            first, previous = one.cosine[places[0], place], one.cosine[before, place]
            cosines[one.checkpoints[place]] = round(float(first), 6), round(float(previous), 6)
    rows = []
    for each in checkpoints:
        dtypes = {tensor.dtype for tensor in (each.tensors or {}).values()}
        from_first, to_previous = cosines.get(each, (None, None))
        rows.append(
            Row(
                step=each.step,
                name=each.name,
                size=sum(each.contents.files[file].size for file in each.weights),
                dtype=" and ".join(sorted(dtypes)) or None,
                identity=" ".join(each.identity or ()) or None,
                from_first=from_first,
                to_previous=to_previous,
            )
        )
    return Audit(
        version=VERSION,
        series=name,
        beside=beside,
        listing=_listing(checkpoints),
        read=sha256_of([each.contents.sha256 for each in checkpoints]),
        whole=whole,
        size=sum(each.contents.size for each in checkpoints),
        bytes_read=sum(each.contents.bytes_read for each in checkpoints),
        checkpoints=tuple(rows),
        findings=tuple(found),
        notes=tuple(notes),
    )


def _listing(checkpoints: Sequence[Observed]) -> str:
    """A hash of all that is known of files without reading them."""
    return sha256_of(
        [
            [each.step, each.name, {name: [file.size, file.identity] for name, file in each.contents.files.items()}]
            for each in checkpoints
        ]
    )


def write(folder: RunFolder, audit: Audit) -> None:
    """Keep an audit beside the measurements of its series, in place of an earlier one."""
    write_json(folder.audit, audit.model_dump(mode="json"))


def load(folder: RunFolder) -> Audit | str:
    """The audit that was kept of a series, whether it holds or not; or a clause that says why there is none."""
    if not folder.audit.exists():
        return f"it was not audited {AGAIN}"
    try:
        audit = Audit.model_validate(read_json(folder.audit))
    except (EmbryologyError, ValidationError):
        return f"{folder.audit.name} is damaged {AGAIN}"
    return audit if audit.version == VERSION else f"{folder.audit.name} is of another version {AGAIN}"


def kept(folder: RunFolder) -> Audit | str:
    """The audit that was kept of a series, or a clause that says why none holds.

    It holds as long as the series has the same names and sizes of files, and the same bytes where it was read.
    """
    audit = load(folder)
    if isinstance(audit, str):
        return audit
    try:
        now = examine({audit.series: entries(folder)})[0]
    except EmbryologyError as error:
        return str(error)
    same = (now.listing, now.read) == (audit.listing, audit.read)
    return audit if same else f"its files have changed since it was audited {AGAIN}"


def table(audit: Audit) -> Table:
    """A row a checkpoint."""
    shown = Table(title=f"{audit.series}: {len(audit.checkpoints)} checkpoints", caption=_cost(audit))
    for column in ("step", "name", "MB", "dtype", "cosine with the first", "with the one before", "findings"):
        shown.add_column(column, justify="left" if column in ("name", "dtype", "findings") else "right")
    for row in audit.checkpoints:
        kinds = dict.fromkeys(each.kind for each in audit.findings if row.step in each.steps)
        cosines = ("" if value is None else f"{value:.4f}" for value in (row.from_first, row.to_previous))
        shown.add_row(f"{row.step:,}", row.name, f"{row.size / 1e6:.1f}", row.dtype or "", *cosines, ", ".join(kinds))
    return shown


def _cost(audit: Audit) -> str:
    read, size = audit.bytes_read / 1e6, audit.size / 1e6
    return f"read {read:,.1f} of {size:,.1f} MB ({read / max(size, 1e-6):.1%})"


def audit(places: Sequence[str], whole: bool, console: Console) -> None:
    """``embryology audit``: examine series, print a table each and a line a finding, and keep what was found.

    Raises:
        EmbryologyError: something is not what it says, or there are no checkpoints.
    """
    folders = list(dict.fromkeys(RunFolder.named(place) for place in places))
    series = dict(zip(distinct([folder.root for folder in folders]), folders, strict=True))
    audits = examine({name: entries(folder) for name, folder in series.items()}, whole)
    count = 0
    for one, folder in zip(audits, series.values(), strict=True):
        console.print(table(one))
        for each in one.findings:
            console.print(f"{one.series}: {each.kind}: {each.says}", highlight=False, markup=False, soft_wrap=True)
        for note in one.notes:
            console.print(f"{one.series}: not told: {note}", highlight=False, markup=False, soft_wrap=True)
        write(folder, one)
        count += len(one.findings)
    if count:
        raise EmbryologyError(f"findings: {count}; leave those checkpoints out, or ask those who made them")
    console.print("nothing was found to be wrong", highlight=False)
