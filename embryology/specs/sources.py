"""Data that are asked for by name: one contract for every kind of them, whoever made it.

The readers of this package say what they read in a :class:`Source` each, and so do plug-ins.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from embryology.errors import EmbryologyError

Kind = Literal["corpus", "treebank", "edges", "facts", "pairs", "task"]
CALLED: dict[Kind, str] = {
    "corpus": "corpus source",
    "treebank": "treebank",
    "edges": "edge set",
    "facts": "set of facts",
    "pairs": "set of minimal pairs",
    "task": "task",
}
"""Each kind in words: articles to train on, tagged sentences, sentences with edges, facts, pairs of sentences,
and tasks of labels."""


@dataclass(frozen=True)
class Data:
    """Data that are there, not yet read."""

    name: str
    """In tables and keys."""
    label: str
    """For figures: whose, on which text."""
    files: tuple[Path, ...]
    """All that is read."""
    identity: Callable[[], Any]
    """What the content depends on, by hashes or versions; cheap. Of a plug-in's a dict of what is in no file, often an
    empty one: the registry adds the hashes of all files and the version of the reader."""
    reader: Callable[[bool], Any]
    """What :meth:`read` calls."""

    def read(self, skip_bad: bool = False) -> Any:
        """The content, as the room of its kind has it.

        Args:
            skip_bad: leave malformed parts out and count them, where the content has a place for that.

        Raises:
            EmbryologyError: a file is malformed.
        """
        return self.reader(skip_bad)


@dataclass(frozen=True)
class Source:
    """A source of data by its name."""

    kind: Kind
    name: str
    find: Callable[[str, str], Data]
    """``find(name, part)``: the data, where they are there; else an :class:`EmbryologyError` that says how to get them.
    ``name`` is as it was asked for, and ``part`` the split, or the path of a corpus; empty where there is none."""
    takes: Callable[[str], bool] | None = None
    """Of one that is not asked for by its name: whether it is what another name asks for, such as a path."""
    asked_as: str = ""
    """Of such a one what is asked for, in words."""
    parts: tuple[str, ...] = ("",)
    """The splits that it has, in order."""
    known: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By part counts that are known of the data, which `embryology data check` holds against what is read."""
    version: int = 1
    """Of a plug-in's reader: raised whenever the same files would be read otherwise."""

    def __post_init__(self) -> None:
        if not self.name or any(sign in self.name for sign in "/: "):
            raise ValueError(f"{self.name!r} is no name of a source: it has no slash, colon or space")


def named(sources: Mapping[str, Source], name: str) -> Source:
    """The source of one kind that a name asks for.

    Raises:
        EmbryologyError: there is none.
    """
    for source in sources.values():
        if source.takes(name) if source.takes else source.name == name:
            return source
    names = [source.name for source in sources.values() if not source.takes]
    listed = ", ".join([*names, *(source.asked_as for source in sources.values() if source.takes)])
    called = CALLED[next(iter(sources.values())).kind]
    raise EmbryologyError(f"there is no {called} {name!r}; choose one of {listed}, or give another's file by --plugin")


def chosen(sources: Mapping[str, Source], name: str, part: str = "") -> Data:
    """The data of one kind by their name and part.

    Raises:
        EmbryologyError: there is no such source or part, or its data are not there.
    """
    source = named(sources, name)
    if any(source.parts) and part not in source.parts:
        called = CALLED[source.kind]
        raise EmbryologyError(f"the {called} {name!r} has no split {part!r}; choose one of {', '.join(source.parts)}")
    return source.find(name, part)


def keyed(source: Source, reader: str, name: str, part: str) -> Data:
    """Data of a plug-in, whose identity holds all that is read, and what reads it, whatever its author thought of.

    Files are known by their bytes and their paths within the folder that holds all of them, wherever that lies; one
    that is asked for alone may be read otherwise than a folder that holds nothing else.

    Raises:
        EmbryologyError: as :attr:`Source.find`, or no file is named.
    """
    from embryology.storage.files import sha256_of_files  # late: it loads tables

    data = source.find(name, part)
    if not data.files:
        raise EmbryologyError(f"{CALLED[source.kind]} {name!r}: its plug-in names no file that it reads")

    def identity() -> dict[str, Any]:
        files = [Path(os.path.abspath(file)) for file in data.files]  # a link counts by its own name
        folders = [*(file.parent for file in files), *([Path(os.path.abspath(part))] if os.path.isdir(part) else [])]
        hashes = sha256_of_files(Path(os.path.commonpath(folders)), files)
        return {**data.identity(), "files": hashes, "alone": os.path.isfile(part), "reader": reader}

    return replace(data, identity=identity)


def differences(source: Source, part: str, counts: Mapping[str, int]) -> list[str]:
    """The known counts that do not hold, said in words."""
    what = f"{source.name} {part}".strip()
    return [
        f"{what} has {counts.get(name, 0):,} {name} instead of {known:,}"
        for name, known in source.known.get(part, {}).items()
        if counts.get(name, 0) != known
    ]


def is_there(source: Source) -> bool:
    """Whether its data are there."""
    try:
        source.find(source.name, "")
    except EmbryologyError:
        return False
    return True


def check(
    sources: Mapping[str, Source],
    counted: Callable[[Any], Mapping[str, int]],
    without: Callable[[Any], Mapping[str, Counter[str]]],
    console: Console,
    skip_bad: bool = False,
) -> None:
    """Print the counts of all sets that are there, of sources without splits.

    Args:
        sources: by name.
        counted: what there is of what, of what a set reads.
        without: what is not in it, skipped say, by reason.
        console: where it is printed.
        skip_bad: whether malformed lines are skipped.

    Raises:
        EmbryologyError: a set is malformed, or a known count does not hold.
    """
    say = partial(console.print, highlight=False, soft_wrap=True, markup=False)
    wrong = []
    for name, source in sources.items():
        try:
            data = source.find(name, "")
        except EmbryologyError as error:
            say(str(error))
            continue
        reading = data.read(skip_bad=skip_bad)
        ours = counted(reading)
        say(f"{name}: {', '.join(f'{what} {count:,}' for what, count in ours.items())}")
        for what, counts in without(reading).items():
            if counts.total():
                say(f"  {what}: {', '.join(f'{why} {count:,}' for why, count in sorted(counts.items()) if count)}")
        wrong += differences(source, "", ours)
    refuse(wrong)


def refuse(wrong: Sequence[str]) -> None:
    """Raise an error of known counts that do not hold, of :func:`differences`; of none nothing."""
    if wrong:
        raise EmbryologyError(f"{len(wrong)} known counts do not hold: {'; '.join(wrong)}; get the release they are of")
