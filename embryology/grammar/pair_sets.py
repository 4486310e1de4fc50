"""The sets of minimal pairs by name, of this package and of plug-ins, and how they are counted."""

from functools import partial

from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.grammar import Reading, blimp, silver
from embryology.specs import registry
from embryology.specs.sources import Data, Source, chosen, differences, refuse

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
    try:
        find(name)
    except EmbryologyError:
        return False
    return True


def counted(reading: Reading) -> dict[str, int]:
    """Phenomena, paradigms and pairs."""
    pairs = reading.pairs
    names = {"phenomena": {pair.phenomenon for pair in pairs}, "paradigms": {pair.paradigm for pair in pairs}}
    return {what: len(distinct) for what, distinct in names.items()} | {"pairs": len(pairs)}


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
        wrong += differences(source, "", ours)
    refuse(wrong)
