"""Facts and the cloze templates that ask for them.

A fact is a subject, an object and the relation between them; a template such as ``[X] is located in [Y] .`` becomes a
question when the subject takes the place of ``[X]`` and a mask that of ``[Y]``.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field

SUBJECT, OBJECT = "[X]", "[Y]"


@dataclass(frozen=True)
class Fact:
    """``id`` is stable within its relation, and holds no text: the Wikidata entities, or a hash of the names."""

    id: str
    subject: str
    object: str
    article: str | None = None
    """The title of the article it comes from, which may have been trained on; None where there is none."""
    sentence: str | None = None
    """The sentence that asks for it, with a place for the object alone; None where the relation's templates do."""


@dataclass(frozen=True)
class Relation:
    """Facts of one kind. The first template is the one that the paper's protocol asks with."""

    name: str
    label: str
    kind: str
    """``1-1``, ``N-1`` or ``N-M``: how many subjects share an object, and objects a subject."""
    templates: tuple[str, ...]
    facts: tuple[Fact, ...]


@dataclass
class Reading:
    """What was read, and what was not."""

    relations: list[Relation] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Malformed lines, by reason."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Well-formed things that make no question, by kind."""

    def facts(self) -> int:
        return sum(len(relation.facts) for relation in self.relations)


def id_of_names(*names: str) -> str:
    """An id for facts without entities; it tells nothing of the names, whose text may not be ours to keep."""
    return hashlib.blake2b("\t".join(names).encode(), digest_size=6).hexdigest()


def template_problem(template: str) -> str | None:
    """What keeps a template from being a question; None where nothing does."""
    for mark, role in ((SUBJECT, "subject"), (OBJECT, "object")):
        if template.count(mark) != 1:
            return f"{template!r} has {template.count(mark)} places {mark} for the {role} instead of one"
    return None
