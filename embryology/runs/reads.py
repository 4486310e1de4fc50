"""Whose measurements a process reads, so that a page is executed again for a change of these alone.

A process that finds a file's name in the environment adds to it which probes of which runs it looked up.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")
PLACE = "EMBRYOLOGY_READS"
"""The variable of the environment that names the file; without it nothing is noted."""
ALL = "*"
"""Instead of a probe: which probes there are was asked too."""


class Noted(Mapping[str, Value]):
    """What is known of a run's probes, by their names; noting which are asked for, those that are not there too."""

    def __init__(self, run: Path, values: Mapping[str, Value]) -> None:
        self._run, self._values = run, values

    def __getitem__(self, probe: str) -> Value:
        note(self._run, probe)
        return self._values[probe]

    def __iter__(self) -> Iterator[str]:
        note(self._run, ALL)
        return iter(self._values)

    def __len__(self) -> int:
        note(self._run, ALL)
        return len(self._values)


def note(run: Path, probe: str) -> None:
    """That this process reads what a probe measured of a run, or ``ALL``; a folder may be named in several ways."""
    if place := os.environ.get(PLACE):
        with open(place, "a", encoding="utf-8") as stream:
            stream.write(json.dumps([str(run.resolve()), probe]) + "\n")


def noted(place: Path) -> dict[Path, set[str]]:
    """By run the probes that were noted in a file; nothing of one that is not there."""
    found: dict[Path, set[str]] = defaultdict(set)
    for line in place.read_text(encoding="utf-8").splitlines() if place.exists() else ():
        run, probe = json.loads(line)
        found[Path(run)].add(probe)
    return dict(found)
