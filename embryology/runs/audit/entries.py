"""The checkpoints of a series as their names say them: in folders, or on the Hub."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.runs import steps
from embryology.runs.audit import files, tensors
from embryology.runs.audit.observed import Entry
from embryology.runs.contents import Contents, Folder
from embryology.runs.hub import revisions
from embryology.runs.hub.descriptions import Description
from embryology.runs.hub.revisions import Resolved
from embryology.runs.paths import HUB, RunFolder
from embryology.runs.series import refuse_other_counts


def resolved(place: str | Path) -> list[Entry]:
    """The checkpoints of a series, which is resolved where it is on the Hub and was not yet; that is written down.

    Raises:
        EmbryologyError: as :func:`entries`, or the Hub cannot be asked.
    """
    folder = RunFolder.named(place)
    if not str(place).startswith(HUB) and (not folder.root.is_dir() or steps.read(folder.root).source is None):
        return entries(folder)
    record = steps.joined(folder.root, source=str(place) if str(place).startswith(HUB) else None)
    found = revisions.read_or_resolve(folder, Description.parse(record.source or ""))
    made = _of_revisions(folder, found, record)
    revisions.keep(folder, found)
    steps.keep(folder.root, record)
    return made


def entries(folder: RunFolder) -> list[Entry]:
    """The checkpoints of a run, of a folder that somebody else made, or of a series on the Hub that was resolved.

    Nothing is asked of the Hub.

    Returns:
        By rising step, of which there may be several; with those that its record leaves out, marked.

    Raises:
        EmbryologyError: there are none, a name does not say its step, or steps are counted from different beginnings.
    """
    if not folder.root.is_dir():
        raise EmbryologyError(f"there is no run at {folder.root}; `embryology pretrain` makes one")
    record = steps.read(folder.root)
    if folder.frozen.exists():
        raise EmbryologyError(f"{folder.root} holds no weights of checkpoints to audit")
    if folder.checkpoints.is_dir():
        paths = [path for path in folder.checkpoints.glob("step-*") if path.name.removeprefix("step-").isdigit()]
    elif record.source is not None:
        found = revisions.read(folder)
        if found is None:
            raise EmbryologyError(f"{folder.root} was not resolved yet (embryology audit {record.source})")
        return _of_revisions(folder, found, record)
    else:
        paths = [path for path in folder.root.iterdir() if path.is_dir() and _is_checkpoint(path)]

    def place_of(name: str) -> steps.Place:
        try:
            return steps.place(name, record)
        except EmbryologyError as error:
            raise EmbryologyError(f"{folder.root}: {error}") from error

    return _ordered(folder, record, [(path.name, Folder(path), partial(place_of, path.name)) for path in paths])


def _of_revisions(folder: RunFolder, found: Resolved, record: steps.Record) -> list[Entry]:
    description = Description.parse(found.source)
    return _ordered(
        folder,
        record,
        [
            (
                each.label,
                revisions.contents_of(folder, each),
                partial(description.place, each.repository, each.name, record),
            )
            for each in found.revisions
        ],
    )


def _ordered(
    folder: RunFolder, record: steps.Record, named: Iterable[tuple[str, Contents, Callable[[], steps.Place]]]
) -> list[Entry]:
    made, counted = [], []
    for name, contents, place_of in named:
        left_out = steps.is_left_out(name, record)
        try:
            place = place_of()
        except EmbryologyError:
            if not left_out:
                raise
            continue
        made.append(Entry(place.step, name, contents, left_out))
        counted += [] if left_out else [(name, place.unit, place.phase)]
    if not counted:
        raise EmbryologyError(f"{folder.root} holds no weights of checkpoints to audit")
    refuse_other_counts(folder, counted)
    return sorted(made, key=lambda entry: (entry.step, entry.name))


def _is_checkpoint(path: Path) -> bool:
    names = dict.fromkeys(file.name for file in path.iterdir())
    return files.CONFIG in names or bool(tensors.weights_files(names))
