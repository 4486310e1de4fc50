"""Facts and the cloze templates that ask for them.

A fact is a subject, an object and the relation between them; a template such as ``[X] is located in [Y] .`` becomes a
question when the subject takes the place of ``[X]`` and a mask that of ``[Y]``.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.specs.knowledge import SPECIFICATION
from embryology.specs.sources import Data, Source
from embryology.storage.files import sha256_of_files

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


def source(
    name: str, place: str, holds: str, files: tuple[str, ...], read: Callable[..., Reading], known: Mapping[str, int]
) -> Source:
    """A set of facts of ``EMBRYOLOGY_DATA``.

    Args:
        name: of the set.
        place: of its folder, below the data folder.
        holds: what that folder must hold.
        files: globs of what is read there.
        read: ``read(folder, skip_bad)``.
        known: counts of it.
    """

    def find(_: str, part: str) -> Data:
        data = data_folder()
        if data is None or not (data / place / holds).exists():
            raise EmbryologyError(
                f"the facts {name!r} need {place}/{holds} in the folder that EMBRYOLOGY_DATA names (LAMA from "
                "github.com/facebookresearch/LAMA, ParaRel from github.com/yanaiela/pararel)"
            )
        folder = data / place
        there = sorted(file for pattern in files for file in folder.glob(pattern))
        label = SPECIFICATION.tasks[name]
        return Data(name, label, tuple(there), partial(sha256_of_files, folder, there), partial(read, folder))

    return Source("facts", name, find, known={"": known})
