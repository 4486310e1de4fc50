"""JSON lines of facts, checked line by line."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from embryology.errors import EmbryologyError
from embryology.facts import Fact, template_problem
from embryology.storage.lines import numbered

RecordType = TypeVar("RecordType", bound="Record")


class Record(BaseModel):
    """Base of the records: what a line must hold; it may hold more."""

    model_config = ConfigDict(frozen=True, str_min_length=1)


def records(
    path: Path, kind: type[RecordType], skipped: Counter[str], skip_bad: bool
) -> Iterator[tuple[int, RecordType]]:
    """The records of a file and the numbers of their lines, from 1. Blank lines are none.

    Args:
        path: JSON lines in UTF-8, optionally compressed.
        kind: what a line must hold.
        skipped: where lines that hold something else are counted by reason, if ``skip_bad``.
        skip_bad: whether to leave them out and count them.

    Raises:
        EmbryologyError: the file is missing or cut or not UTF-8, or a line is malformed; both are named.
    """
    for number, line in numbered(path):
        if not line.strip():
            continue
        try:
            yield number, kind.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            reason = f"{place}: {first['msg']}" if place else first["msg"]
            if not skip_bad:
                raise EmbryologyError(f"{path}, line {number}: {reason}; fix it, or leave such lines out") from error
            skipped["malformed line"] += 1


def checked_template(path: Path, number: int, template: str) -> str:
    """The template itself.

    Raises:
        EmbryologyError: it has not exactly one place for the subject and one for the object.
    """
    if problem := template_problem(template):
        raise EmbryologyError(f"{path}, line {number}: the template {problem}; fix it")
    return template


def unique(facts: list[Fact], left_out: Counter[str]) -> tuple[Fact, ...]:
    """The facts in their order, a fact that repeats an earlier one's id left out and counted."""
    by_id: dict[str, Fact] = {}
    for fact in facts:
        by_id.setdefault(fact.id, fact)
    left_out["fact that comes twice"] += len(facts) - len(by_id)
    return tuple(by_id.values())
