"""Counts of every edge set that is there, held against those that are known."""

from collections import Counter
from functools import partial

from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.specs.edges import PUBLISHED
from embryology.specs.sources import differences, refuse
from embryology.treebanks import TASKS, Reading, edge_sets
from embryology.treebanks.sets import EdgeSet

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
    for source in edge_sets.sources().values():
        for split in () if source.takes else source.parts:
            try:
                chosen = edge_sets.find(source.name, split)
                chosen.identity()  # says what is missing of the silver set
            except EmbryologyError as error:
                if str(error) not in missing:
                    say(str(error))
                missing.add(str(error))
                continue
            reading = chosen.read(skip_bad)
            differing = differences(source, split, counted(reading))
            wrong += differing
            for line in report(chosen, reading):
                say(line)
            if split in source.known:
                say(f"  known counts: {'; '.join(differing) or f'all {len(source.known[split])} hold'}")
    refuse(wrong)


def counted(reading: Reading) -> Counter[str]:
    """Everything that can be counted of a reading, by name."""
    return reading.edges() + reading.counts + Counter(sentences=len(reading.sentences))


def report(chosen: EdgeSet, reading: Reading) -> list[str]:
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
    if (chosen.name, chosen.split) == ("ontonotes", "test"):
        for name in PUBLISHED_TOO:
            ours[name.split()[0]] += reading.left_out[name]
        beside = ", ".join(f"{task} {ours[task]:,} ({known:,})" for task, known in PUBLISHED.items())
        lines.append(f"  counted as in Tenney et al. (theirs, as commonly cited): {beside}")
    return lines
