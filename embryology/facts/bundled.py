"""Facts from the bundled articles' short descriptions, for a machine without any other.

A vital article comes with a line such as "Capital and largest city of Ethiopia". The rules below make facts of those
that have a plain form, a rule a relation; whatever has another form makes none. An article gives a relation one fact
at most. The text of the articles is what models train on, the descriptions are not: whether the lead paragraph says
the same is not looked at.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata

from embryology.corpus import articles
from embryology.facts import Fact, Reading, Relation, id_of_names
from embryology.specs.knowledge import SPECIFICATION
from embryology.specs.sources import Data, Source
from embryology.storage.files import sha256_of


@dataclass(frozen=True)
class Rule:
    """How descriptions become facts of one relation."""

    name: str
    label: str
    templates: tuple[str, ...]
    """The first is the one that the paper's protocol asks with; the others say the same."""
    topic: str
    """Of the articles that are looked at, beside those of no topic."""
    object: Callable[[str], str | None]
    """The object that a description names; None where it has not the form."""


WORLD = ("Africa", "Asia", "Europe", "America", "Oceania", "Caribbean", "Pacific")
KINDS = {
    "plant": "plants? tree trees grass shrub",
    "bird": "birds? seabirds songbirds",
    "mammal": "mammals? rodents? primates? deer bats whales",
    "insect": "insects? beetles flies ants",
    "fish": "fish fishes sharks",
    "reptile": "reptiles? snakes lizards turtles dinosaurs?",
    "amphibian": "amphibians? frogs",
}
"""Plain words for forms of life, and the last words of "Genus of …", "Species of …" that mean them."""
GROUP = re.compile(r"(?:Species|Genus|Family|Order|Class|Clade|Group|Type|Sub\w+|Super\w+) of ([^,()]+)")
PERSON = re.compile(r"([A-Z][a-z]+) (?!of )([^,()]+?) (?:and [^()]*|, [^()]*)?\((?:[a-z]|[^()]*\d)")
"""A nationality, what somebody was, perhaps more of it, and the years in brackets."""
WORK = re.compile(r".*\b(?:film|novel|play|opera|painting|ballet|poem|book|sculpture|symphony)\b.* by ([A-Z][^,()]+)")
NO_NATIONALITY = (
    *("Ancient", "Medieval", "Classical", "Early", "Late", "Founding", "Founder", "Holy", "First"),
    *("Muslim", "Christian", "Islamic", "Hindu", "Jewish", "Catholic", "Protestant"),
    *("South", "North", "New", "West", "East", "Hong", "Northern"),
)
"""First words of descriptions of people that tell something else, or a part of a name."""


@cache
def _countries() -> frozenset[str]:
    """The titles of articles whose description begins with "Country" or "Island country"."""
    country = re.compile(r"(?:Island |Landlocked |Transcontinental )?[Cc]ountry\b")
    return frozenset(title for title, description, _ in articles.descriptions() if country.match(description))


def _country(text: str) -> str | None:
    name = text.strip().removeprefix("the ").removeprefix("The ")
    return name if name in _countries() else None


def _capital_of(description: str) -> str | None:
    match = re.match(r"(?:Federal )?[Cc]apital\b.*? (?:of|in) (?!Central China)([^,]+)$", description)
    return _country(match[1].rsplit(" of ", 1)[-1]) if match else None


def _located_in(description: str) -> str | None:
    """Capitals apart, which have a relation of their own."""
    if "apital" in description or re.match(r"(?:\w+ )?[Cc]ountry\b", description):
        return None
    return _country(re.split(r", | in | of ", description)[-1]) if re.search(r", | in | of ", description) else None


def _part_of_world(description: str) -> str | None:
    match = re.match(r"(?:\w+ )?[Cc]ountry (?:in|located in|of) .*?\b(" + "|".join(WORLD) + r")\b[^,]*$", description)
    return match[1] if match else None


def _nationality(description: str) -> str | None:
    match = PERSON.match(description)
    return match[1] if match and match[1] not in NO_NATIONALITY else None


def _occupation(description: str) -> str | None:
    match = PERSON.match(description)
    words = match[2].split() if match and match[1] not in NO_NATIONALITY else []
    return words[-1] if words and words[-1].islower() and words[-1].isalpha() else None


def _maker(description: str) -> str | None:
    match = WORK.match(description)
    names = match[1].split() if match else []
    if not 2 <= len(names) <= 4:
        return None
    return " ".join(names[-2:] if names[-2].islower() else names[-1:])  # "van Gogh", "Kubrick"


def _kind(description: str) -> str | None:
    match = GROUP.match(description)
    words = re.split(r" in | of | with | that ", match[1])[0].split() if match else []
    if not words:
        return None
    return next(
        (kind for kind, ends in KINDS.items() if any(re.fullmatch(end, words[-1]) for end in ends.split())), None
    )


RULES = (
    Rule(
        "capital", "country of a capital",
        ("[X] is the capital of [Y].", "[X] is the capital city of [Y].", "The capital of [Y] is [X]."),
        "Geography", _capital_of,
    ),
    Rule(
        "country", "country of a place",
        ("[X] is located in [Y].", "[X] is in [Y].", "[X] can be found in [Y]."),
        "Geography", _located_in,
    ),
    Rule(
        "continent", "part of the world of a country",
        ("[X] is a country in [Y].", "[X] is located in [Y].", "[X] is part of [Y]."),
        "Geography", _part_of_world,
    ),
    Rule(
        "nationality", "nationality of a person",
        ("[X] was [Y] by nationality.", "The nationality of [X] was [Y].", "[X] had [Y] nationality."),
        "People", _nationality,
    ),
    Rule(
        "occupation", "occupation of a person",
        ("[X] was a [Y] by profession.", "The profession of [X] was [Y].", "[X] worked as a [Y]."),
        "People", _occupation,
    ),
    Rule(
        "maker", "maker of a work",
        ("[X] is a work by [Y].", "[X] was made by [Y].", "[X] is one of the works of [Y]."),
        "Arts", _maker,
    ),
    Rule(
        "kind", "kind of a form of life",
        ("[X] is a kind of [Y].", "[X] is a type of [Y].", "[X] is one sort of [Y]."),
        "Biology and health sciences", _kind,
    ),
)  # fmt: skip


def read() -> Reading:
    """The relations of :data:`RULES`, facts in the order of the articles.

    An object that only one subject has says nothing of a model that knows the relation, and stays in all the same: the
    set is what descriptions say. Left out are articles whose object stands in their own title, as a word.

    Raises:
        EmbryologyError: the bundled articles are not installed.
    """
    reading, described = Reading(), list(articles.descriptions())
    for rule in RULES:
        facts = []
        for title, description, topic in described:
            if topic not in (rule.topic, "Uncategorized") or (name := rule.object(description)) is None:
                continue
            subject = re.sub(r" \([^()]*\)$", "", title)  # "Kano (city)" is Kano to a reader
            if name.lower() in re.findall(r"\w+", subject.lower()):
                reading.left_out["object named by the subject"] += 1
                continue
            facts.append(Fact(id_of_names(title, name), subject, name, article=title))
        reading.relations.append(Relation(rule.name, rule.label, "N-1", rule.templates, tuple(facts)))
    return reading


def held_out(facts: Iterable[Fact]) -> list[bool]:
    """Of each fact whether its article was kept out of training on bundled text."""
    return [fact.article is not None and articles.is_held_out(fact.article) for fact in facts]


def _find(name: str, part: str) -> Data:
    file = articles.bundled_file()
    return Data(name, SPECIFICATION.tasks[name], (file,), _identity, lambda _: read())


def _identity() -> dict[str, str]:
    # Not the package's version alone: the relations are made by rules of our own, which may change.
    relations = [asdict(relation) for relation in read().relations]
    package = articles.BUNDLED_PACKAGE
    return {package: metadata.version(package), "relations": sha256_of(relations)}


SOURCE = Source("facts", "bundled", _find)
