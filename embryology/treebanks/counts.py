"""Counts of every edge set that is there, held against those that are known."""

from collections import Counter
from functools import partial

from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.specs.edges import PUBLISHED
from embryology.treebanks import TASKS, Reading, edge_sets
from embryology.treebanks.edge_sets import EdgeSet

_GUM = ("documents", "sentences", "pos", "dependency", "entity", "mentions", "chains", "chains of one")
KNOWN: dict[str, tuple[tuple[str, ...], dict[str, tuple[int, ...]]]] = {
    "ewt": (
        ("sentences", "pos"),
        {"train": (12_544, 204_577), "dev": (2_001, 25_147), "test": (2_077, 25_094)},
    ),
    "ewt-propbank": (
        ("documents", "sentences", "pos", "constituent", "role", "predicates"),
        {
            "train": (540, 12_526, 204_225, 137_988, 81_261, 40_429),
            "dev": (318, 1_968, 24_892, 16_508, 9_563, 4_963),
            "test": (316, 2_058, 24_944, 16_283, 9_321, 4_795),
        },
    ),
    "gum": (
        _GUM,
        {
            "train": (177, 10_224, 177_410, 167_186, 49_649, 23_320, 5_304, 7),
            "dev": (30, 1_575, 28_119, 26_544, 7_897, 3_818, 855, 2),
            "test": (30, 1_464, 28_397, 26_933, 7_927, 3_581, 857, 1),
        },
    ),
    "gentle": (_GUM, {"test": (26, 1_334, 17_799, 16_465, 5_680, 1_909, 455, 2)}),
}
"""What is counted in a set, and how many there are of each in a split, for UD English-EWT 2.16, propbank-release at
commit 4abade0b, and GUM 11.1 without its Reddit documents. Counted by two scripts that share no code with ours, from
the same files (``treebanks/README.md`` of the data)."""

PUBLISHED_TOO = ("constituent TOP", "constituent of one word", "role C-V")
"""What Tenney et al. count in the OntoNotes test set and we leave out."""


def check(console: Console, skip_bad: bool = False) -> None:
    """Print the counts of all sets that are there, split by split.

    Raises:
        EmbryologyError: a set is malformed, or a known count does not hold.
    """
    say = partial(console.print, highlight=False, soft_wrap=True, markup=False)
    wrong: list[str] = []
    missing: set[str] = set()
    for name in edge_sets.NAMES:
        for split in edge_sets.splits(name):
            try:
                chosen = edge_sets.find(name, split)
                chosen.identity()  # says what is missing of the silver set
            except EmbryologyError as error:
                if str(error) not in missing:
                    say(str(error))
                missing.add(str(error))
                continue
            reading = chosen.read(skip_bad)
            differing = differences(chosen, reading)
            wrong += differing
            for line in report(chosen, reading, differing):
                say(line)
    if wrong:
        raise EmbryologyError(f"{len(wrong)} known counts do not hold: {'; '.join(wrong)}; get the release they are of")


def counted(reading: Reading) -> Counter[str]:
    """Everything that can be counted of a reading, by name."""
    return reading.edges() + reading.counts + Counter(sentences=len(reading.sentences))


def differences(chosen: EdgeSet, reading: Reading) -> list[str]:
    """The known counts that ``reading`` does not have, said in words."""
    names, splits = KNOWN.get(chosen.name, ((), {}))
    ours = counted(reading)
    return [
        f"{chosen.name} {chosen.split} has {ours[name]:,} {name} instead of {known:,}"
        for name, known in zip(names, splits.get(chosen.split, ()), strict=False)
        if ours[name] != known
    ]


def report(chosen: EdgeSet, reading: Reading, differing: list[str]) -> list[str]:
    """What is printed of a split: a line of counts, and one each of what was skipped, left out and counted besides."""
    ours = counted(reading)
    edges = ", ".join(f"{task} {ours[task]:,}" for task in TASKS if ours[task])
    lines = [
        f"{chosen.name} {chosen.split}: sentences {ours['sentences']:,}, skipped {reading.skipped.total():,}; {edges}"
    ]
    for what, counts in (
        ("skipped", reading.skipped),
        ("makes no edge", reading.left_out),
        ("counted besides", reading.counts),
    ):
        if counts:
            lines.append(f"  {what}: {', '.join(f'{name} {count:,}' for name, count in sorted(counts.items()))}")
    if chosen.split in KNOWN.get(chosen.name, ((), {}))[1]:
        lines.append(f"  known counts: {'; '.join(differing) or 'all ' + str(len(KNOWN[chosen.name][0])) + ' hold'}")
    if (chosen.name, chosen.split) == ("ontonotes", "test"):
        for name in PUBLISHED_TOO:
            ours[name.split()[0]] += reading.left_out[name]
        beside = ", ".join(f"{task} {ours[task]:,} ({known:,})" for task, known in PUBLISHED.items())
        lines.append(f"  counted as in Tenney et al. (theirs, as commonly cited): {beside}")
    return lines
