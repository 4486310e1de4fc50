"""The sets of minimal pairs by name, of this package and of plug-ins, and how they are counted."""

from rich.console import Console

from embryology.grammar import Reading, blimp, silver
from embryology.specs import registry
from embryology.specs import sources as data_sources
from embryology.specs.sources import Data, Source, chosen

OWN = (blimp.SOURCE, silver.SOURCE)


def sources() -> dict[str, Source]:
    """The sets by name, whether they are there or not."""
    return registry.sources("pairs", OWN)


def find(name: str) -> Data:
    """A set by its name: ``blimp``, ``silver``, or a plug-in's. What it reads is a :class:`embryology.grammar.Reading`.

    Raises:
        EmbryologyError: there is no such set, or its data are not there.
    """
    return chosen(sources(), name)


def is_there(name: str) -> bool:
    """Whether the data of a set are there."""
    return data_sources.is_there(sources()[name])


def counted(reading: Reading) -> dict[str, int]:
    """Phenomena, paradigms and pairs."""
    pairs = reading.pairs
    names = {"phenomena": {pair.phenomenon for pair in pairs}, "paradigms": {pair.paradigm for pair in pairs}}
    return {what: len(distinct) for what, distinct in names.items()} | {"pairs": len(pairs)}


def check(console: Console, skip_bad: bool = False) -> None:
    """:func:`embryology.specs.sources.check` of all sets."""
    data_sources.check(sources(), counted, lambda reading: {"skipped": reading.skipped}, console, skip_bad)
