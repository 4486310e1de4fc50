"""The named sets of facts, where each is looked for, and the counts that are known of them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from embryology.corpus.articles import BUNDLED_PACKAGE
from embryology.errors import EmbryologyError
from embryology.facts import Reading, bundled, lama, pararel
from embryology.runs.paths import data_folder
from embryology.specs.knowledge import SPECIFICATION
from embryology.storage.files import sha256_of, sha256_of_files

LABELS = SPECIFICATION.tasks
LAMA, PARAREL = "knowledge/LAMA", "knowledge/pararel"
KNOWN = {
    "trex": {"relations": 41, "facts": 34_039, "1-1": 937, "N-1": 20_006, "N-M": 13_096},
    "google-re": {"relations": 3, "facts": 5_528},
    "squad": {"facts": 305 - 3},
    "pararel": {"relations": 39, "templates": 329, "facts": 27_610 - 17},
}
"""Of LAMA and ParaRel, from ``knowledge/README.md`` of the data, counted by a script that shares no code with ours.
ParaRel's 17 doubles by name are one question each and counted once here; three sentences of SQuAD have two masks."""


@dataclass(frozen=True)
class FactSet:
    """A set that is there, not yet read."""

    name: str
    label: str
    """For figures: whose facts."""
    identity: Callable[[], dict]
    """What its facts depend on: hashes or versions."""
    read: Callable[..., Reading]
    """``read(skip_bad=False)``."""


class _Layout(NamedTuple):
    place: str
    """Of the set's folder, below the data folder."""
    holds: str
    """What that folder must hold."""
    files: tuple[str, ...]
    """Globs of what is read there."""
    read: Callable[..., Reading]


LAYOUTS = {
    "trex": _Layout(LAMA, "relations.jsonl", ("relations.jsonl", "TREx/*.jsonl*"), lama.trex),
    "google-re": _Layout(LAMA, "Google_RE", ("Google_RE/*.jsonl*",), lama.google_re),
    "squad": _Layout(LAMA, "Squad", ("Squad/*.jsonl*",), lama.squad),
    "pararel": _Layout(PARAREL, "trex_lms_vocab", ("*/*.jsonl*",), pararel.read),
}


def find(name: str) -> FactSet:
    """A set by its name: ``trex``, ``google-re`` and ``squad`` of LAMA, ``pararel``, or ``bundled``.

    Raises:
        EmbryologyError: there is no such set, or its data are not there.
    """
    if name == "bundled":
        return FactSet(name, LABELS[name], _bundled_identity, lambda skip_bad=False: bundled.read())
    if name not in LAYOUTS:
        raise EmbryologyError(f"there is no set of facts {name!r}; choose {', '.join(LABELS)}")
    layout = LAYOUTS[name]
    folder = _folder(name, layout.place, layout.holds)
    files = sorted(file for pattern in layout.files for file in folder.glob(pattern))
    return FactSet(name, LABELS[name], partial(sha256_of_files, folder, files), partial(layout.read, folder))


def is_there(name: str) -> bool:
    """Whether the data of a set are there."""
    try:
        find(name)
    except EmbryologyError:
        return False
    return True


def counted(reading: Reading) -> dict[str, int]:
    """Relations, templates and facts, and facts by the kind of their relation."""
    counts = {
        "relations": len(reading.relations),
        "templates": sum(len(relation.templates) for relation in reading.relations),
        "facts": reading.facts(),
    }
    for relation in reading.relations:
        if relation.kind:
            counts[relation.kind] = counts.get(relation.kind, 0) + len(relation.facts)
    return counts


def check(console: Console, skip_bad: bool = False) -> None:
    """Print the counts of all sets that are there.

    Raises:
        EmbryologyError: a set is malformed, or a known count does not hold.
    """
    say = partial(console.print, highlight=False, soft_wrap=True, markup=False)
    wrong = []
    for name in LABELS:
        try:
            chosen = find(name)
        except EmbryologyError as error:
            say(str(error))
            continue
        reading = chosen.read(skip_bad=skip_bad)
        ours = counted(reading)
        say(f"{name}: {', '.join(f'{what} {count:,}' for what, count in ours.items())}")
        for what, counts in (("skipped", reading.skipped), ("left out", reading.left_out)):
            if counts.total():
                listed = ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()) if count)
                say(f"  {what}: {listed}")
        wrong += [
            f"{name} has {ours.get(what, 0):,} {what} instead of {known:,}"
            for what, known in KNOWN.get(name, {}).items()
            if ours.get(what, 0) != known
        ]
    if wrong:
        raise EmbryologyError(f"{len(wrong)} known counts do not hold: {'; '.join(wrong)}; get the release they are of")


def _bundled_identity() -> dict[str, str]:
    # Not the package's version alone: the relations are made by rules of our own, which may change.
    relations = [asdict(relation) for relation in bundled.read().relations]
    return {BUNDLED_PACKAGE: metadata.version(BUNDLED_PACKAGE), "relations": sha256_of(relations)}


def _folder(name: str, place: str, holds: str) -> Path:
    data = data_folder()
    if data is None or not (data / place / holds).exists():
        raise EmbryologyError(
            f"the facts {name!r} need {place}/{holds} in the folder that EMBRYOLOGY_DATA names (LAMA from "
            "github.com/facebookresearch/LAMA, ParaRel from github.com/yanaiela/pararel)"
        )
    return data / place
