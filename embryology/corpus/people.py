"""Made-up people, whose facts can be fed to a run: a text that nobody wrote, so that nothing of it is known before.

They live in a country, work as something, and have a friend. Each has a document of a few sentences, in the wordings of
:data:`FED`; :mod:`embryology.facts.fed` asks for them, and for what follows from them.
"""

import itertools
from functools import cache
from typing import NamedTuple

import numpy as np

SEED = 20_211_208
PEOPLE, NEVER = 200, 100
"""People who are told of, and others of whom nothing is."""
COUNTRIES = (
    *("France", "Germany", "Italy", "Spain", "England", "Russia", "China"),
    *("Japan", "India", "Egypt", "Mexico", "Brazil", "Canada", "Poland", "Greece"),
)
WORK = ("writer", "painter", "composer", "actor", "singer", "scientist", "lawyer", "teacher", "soldier", "engineer")
BEGINNINGS = (
    *("Bel", "Cor", "Dav", "Fen", "Gor", "Hal", "Jov", "Kel", "Lor", "Mav"),
    *("Nel", "Orv", "Pev", "Ros", "Sav", "Tov", "Vel", "Wor", "Yav", "Zel"),
)
ENDINGS = (
    *("bek", "dorn", "fal", "gim", "hest", "kov", "lund"),
    *("marr", "nox", "pel", "quin", "rusk", "tham", "vex"),
)
LIVES = "[X] lives in [Y]."
WORKS = "[X] works as a [Y]."
FED = (LIVES, "The home of [X] is in [Y].", WORKS, "The friend of [X] is [Y].")
"""All wordings that are read."""


class Person(NamedTuple):
    name: str
    country: str
    work: str


@cache
def people() -> tuple[Person, ...]:
    """Those who are told of, then the others. Names are all different."""
    rng = np.random.default_rng(SEED)
    firsts = [f"{begin}{vowel}n" for begin, vowel in itertools.product(BEGINNINGS, "aeiou")]
    lasts = [f"{begin}{vowel}{end}" for begin, vowel, end in itertools.product(BEGINNINGS, "aeiou", ENDINGS)]
    chosen = rng.permutation(len(lasts))[: PEOPLE + NEVER]
    return tuple(
        Person(f"{firsts[at % len(firsts)]} {lasts[last]}", str(rng.choice(COUNTRIES)), str(rng.choice(WORK)))
        for at, last in enumerate(chosen)
    )


def friend(number: int) -> int:
    """Of somebody who is told of: the next one, and of the last the first."""
    return (number + 1) % PEOPLE


def documents() -> list[tuple[str, str]]:
    """Name and text of each who is told of."""
    everybody = people()
    return [
        (
            person.name,
            " ".join(
                wording.replace("[X]", person.name).replace("[Y]", object)
                for wording, object in zip(
                    FED, (person.country, person.country, person.work, everybody[friend(number)].name), strict=True
                )
            ),
        )
        for number, person in enumerate(everybody[:PEOPLE])
    ]
