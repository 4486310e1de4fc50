"""A series is examined; what was found is kept beside its measurements, and holds as long as its files are the same."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.table import Table

from embryology.errors import EmbryologyError
from embryology.runs.audit import files, reading, weights
from embryology.runs.audit.entries import entries, resolved
from embryology.runs.audit.observed import Entry, Finding, Observed, listed
from embryology.runs.audit.weights import Read
from embryology.runs.contents import Stored
from embryology.runs.hub import groups
from embryology.runs.hub.revisions import Contents
from embryology.runs.paths import RunFolder
from embryology.runs.series import distinct
from embryology.storage.files import read_json, sha256_of, write_json

VERSION = 3
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
    """Cosine with the first checkpoint, mean over the matrices that tell an order; None where none was read."""
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
    unread: int
    """How many checkpoints could not be listed, or not be read, so that less is told of them."""
    notes: tuple[str, ...]
    """What could not be told."""


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
    unlisted: dict[str, list[tuple[int, str]]] = {}
    for name, entered in series.items():
        chosen = [entry for entry in entered if not entry.left_out]
        observed[name], found[name], unlisted[name] = reading.observe(chosen, whole)
        found[name] += files.of_names(observed[name], {entry.step for entry in entered})
        for rule in (files.of_tensors, files.of_small_files):
            found[name] += rule(observed[name])
    reads, damaged = weights.read(list(observed.values()))
    audits = []
    for name, checkpoints in observed.items():
        own = found[name]
        own += [wrong for about, wrong in damaged if about in checkpoints]
        own += weights.same_weights(checkpoints, reads)
        unread = [*unlisted[name], *((each.step, each.unread) for each in checkpoints if each.unread)]
        notes = [*_unread(unread), *_alone(checkpoints), *files.of_spacing({entry.step for entry in series[name]})]
        for alike in reads:
            more, untold = weights.of_series(alike, checkpoints)
            own += more
            notes += untold
            for other, others in observed.items():
                if other != name:
                    own += weights.of_seeds(alike, other, checkpoints, others)
        beside = tuple(other for other in series if other != name)
        audits.append(_audit(name, beside, checkpoints, reads, own, len(unread), notes, whole))
    return audits


def _unread(unread: Sequence[tuple[int, str]]) -> list[str]:
    """A line a reason."""
    by_reason: dict[str, list[int]] = {}
    for step, reason in unread:
        by_reason.setdefault(reason, []).append(step)
    return [f"{listed(sorted(some))}: not all could be read: {reason}" for reason, some in by_reason.items()]


def _alone(checkpoints: Sequence[Observed]) -> list[str]:
    """What there is nothing to hold against."""
    older = [each for each in checkpoints if each.weights and each.tensors is None and not each.unread]
    older = [each for each in older if each.weights[0].endswith(".bin")]
    said = [f"{listed([each.step for each in older])}: of pickles of the older form, sizes and hashes alone"] * bool(
        older
    )
    if len(checkpoints) == 1:
        said.append("a single checkpoint has no others that its weights could be held against")
    return said


def _audit(
    name: str,
    beside: tuple[str, ...],
    checkpoints: Sequence[Observed],
    reads: Sequence[Read],
    found: Sequence[Finding],
    unread: int,
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
        listing=_listing((each.step, each.name, each.contents.files) for each in checkpoints),
        read=sha256_of([each.contents.sha256 for each in checkpoints]),
        whole=whole,
        size=sum(each.contents.size for each in checkpoints),
        bytes_read=sum(each.contents.bytes_read for each in checkpoints),
        checkpoints=tuple(rows),
        findings=tuple(found),
        unread=unread,
        notes=tuple(notes),
    )


def _listing(checkpoints: Iterable[tuple[int, str, Mapping[str, Stored]]]) -> str:
    """A hash of all that is known of files without reading them."""
    return sha256_of(
        [
            [step, name, {file: [stored.size, stored.identity] for file, stored in files.items()}]
            for step, name, files in checkpoints
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

    It holds as long as the series has the same names and sizes of files, and the same bytes where it was read. On the
    Hub a commit cannot change, so that what the series was resolved to is compared, and the Hub not asked.
    """
    audit = load(folder)
    if isinstance(audit, str):
        return audit
    try:
        entered = entries(folder)
        if any(isinstance(each.contents, Contents) for each in entered):
            chosen = [entry for entry in entered if not entry.left_out]
            same = audit.listing == _listing((each.step, each.name, each.contents.files()) for each in chosen)
        else:
            now = examine({audit.series: entered})[0]
            same = (now.listing, now.read) == (audit.listing, audit.read)
    except EmbryologyError as error:
        return str(error)
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
    members = {RunFolder.named(each.place): each.place for place in places for each in groups.members(place)}
    series = dict(zip(distinct([folder.root for folder in members]), members, strict=True))
    audits = examine({name: resolved(members[folder]) for name, folder in series.items()}, whole)
    for one, folder in zip(audits, series.values(), strict=True):
        console.print(table(one))
        for each in one.findings:
            console.print(f"{one.series}: {each.kind}: {each.says}", highlight=False, markup=False, soft_wrap=True)
        for note in one.notes:
            console.print(f"{one.series}: not told: {note}", highlight=False, markup=False, soft_wrap=True)
        before = load(folder)
        if isinstance(before, Audit) and before.listing == one.listing and before.unread < one.unread:
            console.print(f"{one.series}: an earlier audit, of which more could be read, is kept", highlight=False)
        else:
            write(folder, one)
    found, unread = (sum(numbers) for numbers in zip(*((len(one.findings), one.unread) for one in audits), strict=True))
    wrong = [f"findings: {found}; leave those checkpoints out, or ask those who made them"] if found else []
    if unread:
        wrong.append(f"not read: {unread} checkpoints, of which less is told; give the same command again")
    if wrong:
        raise EmbryologyError("; ".join(wrong))
    console.print("nothing was found to be wrong", highlight=False)
