"""How far training was, as the names of folders say it that somebody else saved checkpoints in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from embryology.errors import EmbryologyError, problems
from embryology.runs.paths import RunFolder
from embryology.storage.files import read_yaml, write_yaml

RECORD = "series.yaml"
"""The file beside the folders that says outright what their names do not."""
Unit = Literal["step", "tokens", "words"]
UNIT: tuple[Unit, ...] = get_args(Unit)

TERM = re.compile(r"(?P<word>[a-z]*)[-_ =]*(?P<number>\d+(?:\.\d+)?)(?P<suffix>[a-z]*)", re.IGNORECASE)
SUFFIX = re.compile(r"(?P<factor>[kmbgt])?(?P<word>t|tokens?|w|words?|steps?|iters?)?", re.IGNORECASE)
FACTORS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
UNITS: dict[str, Unit] = {
    **dict.fromkeys(("step", "steps", "iter", "iters", "iteration", "iterations", "update", "updates"), "step"),
    **dict.fromkeys(("checkpoint", "ckpt"), "step"),
    **dict.fromkeys(("t", "token", "tokens"), "tokens"),
    **dict.fromkeys(("w", "word", "words", "chck"), "words"),  # the last is BabyLM's: chck_10M
}
OTHERS = {"fp", "bf", "int", "seed", "run", "v", "version", "rank", "epoch", "epochs", "layers", "part"}
"""Words whose number is none of these."""


@dataclass(frozen=True)
class Place:
    """Where in training a checkpoint stands."""

    step: int
    """Or how many words or tokens were read, where no step is said."""
    tokens: int | None = None
    unit: Unit = "step"
    """What ``step`` counts."""


class Record(BaseModel):
    """What ``series.yaml`` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    step_pattern: str | None = None
    """A regular expression, found in a folder's name, with a group ``step`` and perhaps one ``tokens``."""
    steps: dict[str, int] = {}
    """The step by the name of a folder; the first to be asked."""

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """
        Raises:
            EmbryologyError: it is no regular expression, or has no group ``step``.
        """
        if self.step_pattern is None:
            return None
        try:
            pattern = re.compile(self.step_pattern)
        except re.error as error:
            raise EmbryologyError(f"the step pattern {self.step_pattern!r} is no regular expression: {error}") from None
        if "step" not in pattern.groupindex or pattern.groupindex.keys() - {"step", "tokens"}:
            raise EmbryologyError(
                f"the step pattern {self.step_pattern!r} needs a group (?P<step>…), and may have one (?P<tokens>…)"
            )
        return pattern


def read(folder: Path) -> Record:
    """The record of a folder of checkpoints, empty where there is none.

    Raises:
        EmbryologyError: it is damaged or says what is not known.
    """
    file = folder / RECORD
    if not file.is_file():
        return Record()
    try:
        return Record.model_validate(read_yaml(file) or {})
    except ValidationError as error:
        raise EmbryologyError(f"{file}: {problems(error)}") from error


def keep_pattern(folder: Path, step_pattern: str) -> None:
    """Write down how the names of a folder's checkpoints are read, for all commands to come.

    Raises:
        EmbryologyError: there is no folder, or one of a run, whose records say its steps; the pattern is wrong, or the
            folder's record has another one.
    """
    if not folder.is_dir():
        raise EmbryologyError(f"there is no folder of checkpoints at {folder}")
    if RunFolder(folder).checkpoints.is_dir():
        raise EmbryologyError(f"{folder} is a run, whose own records say its steps; leave --step-pattern out")
    record, asked = read(folder), Record(step_pattern=step_pattern)
    _ = asked.pattern
    if record.step_pattern not in (None, step_pattern):
        raise EmbryologyError(
            f"{folder / RECORD} has the step pattern {record.step_pattern!r} already, under which there may be "
            "measurements; change it there"
        )
    kept: dict[str, Any] = record.model_dump(exclude_defaults=True)
    write_yaml(folder / RECORD, kept | {"step_pattern": step_pattern})


def place(name: str, record: Record) -> Place:
    """Where a checkpoint in a folder of this name stands.

    Args:
        name: such as ``checkpoint-1000``, ``step_20k``, ``step1000-tokens4B``, ``chck_10M`` (words), ``128000``.
        record: which is asked first.

    Raises:
        EmbryologyError: the name says nothing, or may be read in several ways.
    """
    help_ = f"say it in a file {RECORD} beside it, as `steps: {{{name}: 1000}}`, or with --step-pattern"
    if name in record.steps:
        return Place(record.steps[name])
    if record.pattern is not None:
        match = record.pattern.search(name)
        if match is None:
            raise EmbryologyError(f"the step pattern {record.step_pattern!r} is not found in {name}")
        tokens = match.groupdict().get("tokens")
        return Place(_counted(match["step"], name), None if tokens is None else _counted(tokens, name))
    said: dict[Unit | None, list[int]] = {}
    for unit, number in _terms(name):
        said.setdefault(unit, []).append(number)
    tokens = said.get("tokens", [])
    for unit in UNIT:
        # A number without a word may be the step as well as one that has it.
        readings = said.get(unit, []) + (said.get(None, []) if unit == "step" else [])
        if len(readings) > 1:
            listed = " or ".join(f"{reading:,}" for reading in readings)
            raise EmbryologyError(f"{name} may be {unit} {listed}; {help_}")
        if readings:
            return Place(readings[0], tokens[0] if unit == "step" and len(tokens) == 1 else None, unit)
    raise EmbryologyError(f"{name} does not say its step, as checkpoint-1000 does; {help_}")


def _terms(name: str) -> Iterable[tuple[Unit | None, int]]:
    """The numbers of a name that may be meant, with their unit where it is said.

    Numbers after words that are not known (``pythia-70m``) count only where there is no other.
    """
    known: list[tuple[Unit | None, int]] = []
    unknown: list[tuple[Unit | None, int]] = []
    for term in TERM.finditer(name):
        word, suffix = term["word"].lower(), SUFFIX.fullmatch(term["suffix"])
        if word in OTHERS or suffix is None:
            continue
        unit = UNITS.get((suffix["word"] or "").lower()) or UNITS.get(word)
        if suffix["factor"] in ("t", "T") and not suffix["word"]:
            unit = "tokens"
        number = _number(term["number"], suffix["factor"] or "")
        if number is not None:
            (known if unit or not word else unknown).append((unit, number))
    return known or unknown


def _number(digits: str, factor: str) -> int | None:
    """None where it is no whole number, or has a point and no factor: a thousand may be meant."""
    value = Decimal(digits) * FACTORS[factor.lower()]
    return int(value) if value == int(value) and (factor or "." not in digits) else None


def _counted(text: str, name: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmbgt]?)", text, re.IGNORECASE)
    number = _number(match[1], match[2]) if match else None
    if number is None:
        raise EmbryologyError(f"{text!r} in {name} is no whole number, such as 1000, 20k or 1.5M")
    return number
