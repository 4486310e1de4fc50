"""The sets of facts by name, of this package and of plug-ins, and how they are counted."""

from rich.console import Console

from embryology.facts import Reading, bundled, fed, lama, pararel
from embryology.specs import registry
from embryology.specs import sources as data_sources
from embryology.specs.sources import Data, Source, chosen

OWN = (*lama.SOURCES, pararel.SOURCE, bundled.SOURCE, fed.SOURCE)


def sources() -> dict[str, Source]:
    """The sets by name, whether they are there or not."""
    return registry.sources("facts", OWN)


def find(name: str) -> Data:
    """A set by its name: ``trex``, ``google-re`` and ``squad`` of LAMA, ``pararel``, ``bundled``, ``fed``, or a
    plug-in's.

    What it reads is a :class:`embryology.facts.Reading`.

    Raises:
        EmbryologyError: there is no such set, or its data are not there.
    """
    return chosen(sources(), name)


def is_there(name: str) -> bool:
    """Whether the data of a set are there."""
    return data_sources.is_there(sources()[name])


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
    """:func:`embryology.specs.sources.check` of all sets."""
    data_sources.check(
        sources(),
        counted,
        lambda reading: {"skipped": reading.skipped, "left out": reading.left_out},
        console,
        skip_bad,
    )
