"""The sets of facts by name, of this package and of plug-ins, and how they are counted."""

from functools import partial

from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.facts import Reading, bundled, lama, pararel
from embryology.specs import registry
from embryology.specs.sources import Data, Source, chosen, differences, refuse

OWN = (*lama.SOURCES, pararel.SOURCE, bundled.SOURCE)


def sources() -> dict[str, Source]:
    """The sets by name, whether they are there or not."""
    return registry.sources("facts", OWN)


def find(name: str) -> Data:
    """A set by its name: ``trex``, ``google-re`` and ``squad`` of LAMA, ``pararel``, ``bundled``, or a plug-in's.

    What it reads is a :class:`embryology.facts.Reading`.

    Raises:
        EmbryologyError: there is no such set, or its data are not there.
    """
    return chosen(sources(), name)


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
    for name, source in sources().items():
        try:
            data = find(name)
        except EmbryologyError as error:
            say(str(error))
            continue
        reading = data.read(skip_bad=skip_bad)
        ours = counted(reading)
        say(f"{name}: {', '.join(f'{what} {count:,}' for what, count in ours.items())}")
        for what, counts in (("skipped", reading.skipped), ("left out", reading.left_out)):
            if counts.total():
                listed = ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()) if count)
                say(f"  {what}: {listed}")
        wrong += differences(source, "", ours)
    refuse(wrong)
