"""How far training was, as the names of folders and revisions say it that somebody else saved checkpoints in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from embryology.errors import EmbryologyError, problems
from embryology.storage.files import read_yaml, write_yaml

RECORD = "series.yaml"
"""The file in the folder of a series that says where its checkpoints come from, and what their names do not."""
Unit = Literal["step", "tokens", "words", "epochs", "order"]
UNIT: tuple[Unit, ...] = get_args(Unit)
SAID: dict[Unit, str] = {
    **{unit: f"the checkpoints of {{}} say how many {unit} were read, which is here the step" for unit in UNIT[1:3]},
    "epochs": "the checkpoints of {} say their epoch, which is here the step, and epoch 0 the untrained model",
    "order": "of the checkpoints of {} only the order is known, which is here the step, and not how far they are apart",
}
"""A clause about a series whose checkpoints say no training steps, by what they say; it takes the name."""

TERM = re.compile(r"(?P<word>[a-z]*)[-_ =]*(?P<number>\d+(?:\.\d+)?)(?P<suffix>[a-z]*)", re.IGNORECASE)
SUFFIX = re.compile(r"(?P<factor>[kmbgt])?(?P<word>t|tokens?|w|words?|steps?|iters?)?", re.IGNORECASE)
FACTORS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
UNITS: dict[str, Unit] = {
    **dict.fromkeys(("step", "steps", "iter", "iters", "iteration", "iterations", "update", "updates"), "step"),
    **dict.fromkeys(("checkpoint", "ckpt"), "step"),
    **dict.fromkeys(("t", "token", "tokens"), "tokens"),
    **dict.fromkeys(("w", "word", "words", "chck"), "words"),  # the last is BabyLM's: chck_10M
    **dict.fromkeys(("epoch", "epochs"), "epochs"),
}
BEHIND = re.compile(
    r"[-_ =]+(?P<word>steps?|iters?|iterations?|updates?|tokens?|words?|epochs?)(?![a-z])"
    r"(?:(?P<apart>[-_ =]+)?(?P<next>\d))?",
    re.IGNORECASE,
)
"""A word behind a number and a sign, which may be that number's, as in ``1M-tokens``, or that of the next number."""
LOOSE = {"", "checkpoint", "ckpt", "chck"}
"""Words before a number that say no more than that it counts something, where another word follows it."""
OTHERS = {"fp", "bf", "int", "seed", "run", "v", "version", "rank", "layers", "part"}
"""Words whose number is none of these."""
PHASE = re.compile(r"(?P<phase>(?:stage|phase)[-_]?\d+(?:[-_]ingredient[-_]?\d+)?|ext|decay)(?=[-_]|\d)", re.IGNORECASE)
"""The beginning of a name whose steps may be counted from the beginning of a phase, as OLMo's and Ettin's are."""
FIRST = re.compile(r"(?:stage|phase)[-_]?1", re.IGNORECASE)
"""The phase that names without one are of, too."""


@dataclass(frozen=True)
class Place:
    """Where in training a checkpoint stands."""

    step: int
    """Or how many words, tokens or epochs were read, or which in order it is, where no step is said."""
    tokens: int | None = None
    unit: Unit = "step"
    """What ``step`` counts."""
    phase: str = ""
    """From whose beginning ``step`` is counted; empty where that is the beginning of training."""


class Record(BaseModel):
    """What ``series.yaml`` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str | None = None
    """Where the checkpoints are, if not in folders beside the file: see :mod:`embryology.runs.hub.descriptions`."""
    step_pattern: str | None = None
    """A regular expression, found in a checkpoint's name, with a group ``step`` and perhaps one ``tokens``."""
    steps: dict[str, int] = {}
    """The step by the name of a checkpoint; the first to be asked."""
    counts: Unit = "step"
    """What ``steps`` and ``step_pattern`` count; ``order`` where nothing is known but which comes after which."""
    phases: dict[str, int] = {}
    """By the name of a phase whose steps are counted from its beginning, such as ``decay``: the step it begins at."""
    leave_out: tuple[str, ...] = ()
    """Names of checkpoints that are none of this series; ``*`` and ``?`` stand for any characters and any one."""
    recipe: str | None = None
    """What series share in this field that differ by their seed alone."""
    seed: int | None = None
    """That of the series, without which its ``recipe`` says nothing."""
    tokenizer: str | None = None
    """A folder or ``hub:OWNER/REPOSITORY`` that has the tokenizer, where the checkpoints have none."""

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


def joined(folder: Path, **said: str | int | None) -> Record:
    """The record of a folder, and what a command says beside it.

    Raises:
        EmbryologyError: the record is damaged, or has something else already.
    """
    record = read(folder)
    for name, value in said.items():
        recorded = getattr(record, name)
        if value is not None and recorded not in (None, value):
            raise EmbryologyError(
                f"{folder / RECORD} has the {name.replace('_', ' ')} {recorded!r} already, under which there may be "
                "measurements; change it there"
            )
    joined = record.model_copy(update={name: value for name, value in said.items() if value is not None})
    _ = joined.pattern
    return joined


def keep(folder: Path, record: Record) -> None:
    """Write the record of a folder down for all commands to come, if it is another than the one there."""
    if record != read(folder):
        write_yaml(folder / RECORD, record.model_dump(mode="json", exclude_defaults=True))


def is_left_out(name: str, record: Record) -> bool:
    """Whether a checkpoint of this name is none of the series, as its record says."""
    return any(fnmatchcase(name, pattern) for pattern in record.leave_out)


def place(name: str, record: Record) -> Place:
    """Where a checkpoint of this name stands.

    Args:
        name: such as ``checkpoint-1000``, ``step_20k``, ``step1000-tokens4B``, ``chck_10M`` (words), ``128000``,
            ``stage2-ingredient1-step1000`` (of a phase).
        record: which is asked first.

    Raises:
        EmbryologyError: the name says nothing, or may be read in several ways.
    """
    help_ = f"say it in a file {RECORD} beside it, as `steps: {{{name}: 1000}}`, or with --step-pattern"
    if name in record.steps:
        return _counted_as(Place(record.steps[name], unit=record.counts), name)
    if record.pattern is not None:
        match = record.pattern.search(name)
        if match is None:
            raise EmbryologyError(f"the step pattern {record.step_pattern!r} is not found in {name}")
        tokens = match.groupdict().get("tokens")
        found = Place(counted(match["step"], name), None if tokens is None else counted(tokens, name), record.counts)
        return _counted_as(found, name)
    said: dict[Unit | None, list[int]] = {}
    try:
        terms = _terms(name)
    except EmbryologyError as error:
        raise EmbryologyError(f"{name} may be {error}; {help_}") from None
    for unit, number in terms:
        said.setdefault(unit, []).append(number)
    tokens = said.get("tokens", [])
    for unit in UNIT:
        # A number without a word may be the step as well as one that has it.
        readings = said.get(unit, []) + (said.get(None, []) if unit == "step" else [])
        if len(readings) > 1:
            listed = " or ".join(f"{reading:,}" for reading in readings)
            raise EmbryologyError(f"{name} may be {unit} {listed}; {help_}")
        if readings:
            found = Place(readings[0], tokens[0] if unit == "step" and len(tokens) == 1 else None, unit)
            return _from_the_beginning(found, name, record)
    raise EmbryologyError(f"{name} does not say its step, as checkpoint-1000 does; {help_}")


def _counted_as(found: Place, name: str) -> Place:
    """
    Raises:
        EmbryologyError: it is the untrained model, as step 0 is, where numbers say no more than an order.
    """
    if found.unit == "order" and found.step < 1:
        raise EmbryologyError(f"{name} is said to be {found.step} in order; begin at 1, as 0 is the untrained model")
    return found


def _from_the_beginning(found: Place, name: str, record: Record) -> Place:
    """A place in a phase as one in the whole training, where the record says at which step the phase begins."""
    match = PHASE.match(name)
    if match is None or FIRST.fullmatch(match["phase"]):
        return found
    phase = match["phase"].lower()
    if phase not in record.phases:
        return replace(found, phase=phase)
    return replace(found, step=found.step + record.phases[phase], tokens=None)  # which the phase may count anew, too


def _terms(name: str) -> Iterable[tuple[Unit | None, int]]:
    """The numbers of a name that may be meant, with their unit where it is said.

    Numbers after words that are not known (``pythia-70m``) count only where there is no other; numbers with their unit
    behind them (``10M-words``), which may be the size of a corpus, only where no other has one.

    Raises:
        EmbryologyError: a word may be that of the number before it and of another one; both readings, as a clause.
    """
    known: list[tuple[Unit | None, int]] = []
    behind: list[tuple[Unit | None, int]] = []
    unknown: list[tuple[Unit | None, int]] = []
    for term in TERM.finditer(name):
        word, suffix = term["word"].lower(), SUFFIX.fullmatch(term["suffix"])
        if word in OTHERS or suffix is None:
            continue
        unit = UNITS.get((suffix["word"] or "").lower()) or UNITS.get(word)
        if suffix["factor"] in ("t", "T") and not suffix["word"]:
            unit = "tokens"
        number = _number(term["number"], suffix["factor"] or "")
        if number is None:
            continue
        follows = None if suffix["word"] else BEHIND.match(name, term.end())
        if follows:
            other = UNITS[follows["word"].lower()]
            if not follows["next"] and (word in LOOSE or unit is None):
                behind.append((other, number))
                continue
            may_be_both = follows["apart"] and not word and other != "step"
            if may_be_both or (not follows["next"] and unit != other):
                raise EmbryologyError(f"{unit or 'step'} or {other} {number:,}")
        (known if unit or not word else unknown).append((unit, number))
    return known or behind or unknown


def _number(digits: str, factor: str) -> int | None:
    """None where it is no whole number, or has a point and no factor: a thousand may be meant."""
    value = Decimal(digits) * FACTORS[factor.lower()]
    return int(value) if value == int(value) and (factor or "." not in digits) else None


def counted(text: str, name: str) -> int:
    """A number such as ``1000``, ``20k`` or ``1.5M``, as it stands in ``name``.

    Raises:
        EmbryologyError: it is no whole number.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmbgt]?)", text, re.IGNORECASE)
    number = _number(match[1], match[2]) if match else None
    if number is None:
        raise EmbryologyError(f"{text!r} in {name} is no whole number, such as 1000, 20k or 1.5M")
    return number
