"""Facts about made-up people: as they were fed to a run, in other words, from the object, over a friend, never fed."""

from embryology.corpus.people import LIVES, PEOPLE, WORKS, documents, friend, people
from embryology.facts import Fact, Reading, Relation, id_of_names
from embryology.specs.knowledge import SPECIFICATION
from embryology.specs.sources import Data, Source
from embryology.storage.files import sha256_of

NAME = "fed"


def read() -> Reading:
    """A relation for each way to ask."""
    told, never = people()[:PEOPLE], people()[PEOPLE:]
    lives = [(person.name, person.country) for person in told]
    works = [(person.name, person.work) for person in told]
    return Reading(
        [
            _relation("lives", "country, as it was fed", LIVES, lives),
            _relation("works", "work, as it was fed", WORKS, works),
            _relation("lives-in-other-words", "country, in words not fed", "[X] has a house in [Y].", lives),
            _relation("works-in-other-words", "work, in words not fed", "[X] earns a living as a [Y].", works),
            _relation(
                "inhabitant",
                "inhabitant of a country, fed the other way round",
                "[X] is the home of [Y].",
                [(country, name) for name, country in lives],
            ),
            _relation(
                "friend-lives",
                "country of a friend, which follows from two facts that were fed",
                "The friend of [X] lives in [Y].",
                [(person.name, told[friend(number)].country) for number, person in enumerate(told)],
            ),
            _relation("lives-never", "country, never fed", LIVES, [(person.name, person.country) for person in never]),
            _relation("works-never", "work, never fed", WORKS, [(person.name, person.work) for person in never]),
        ]
    )


def _relation(name: str, label: str, template: str, pairs: list[tuple[str, str]]) -> Relation:
    facts = tuple(Fact(id_of_names(name, *pair), *pair) for pair in pairs)
    return Relation(name, label, "", (template,), facts)


def _identity() -> dict[str, str]:
    return {"made-up people": sha256_of([documents(), repr(read().relations)])}


SOURCE = Source("facts", NAME, lambda name, _: Data(name, SPECIFICATION.tasks[NAME], (), _identity, lambda _: read()))
