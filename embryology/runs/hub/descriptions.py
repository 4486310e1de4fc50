"""What names a series on the Hub: revisions of one repository, or repositories whose names follow a pattern.

``hub:OWNER/NAME@REVISIONS`` are the branches and tags of a repository that match, ``hub:OWNER/NAME`` repositories
that do, at their main branch. ``*``, ``?`` and ``[…]`` stand for what they stand for in names of files; ``{step}``,
``{tokens}``, ``{words}`` and ``{epoch}`` for numbers that say how far training was, and ``{seed}`` for that of a seed.
"""

import fnmatch
import re
from dataclasses import dataclass
from functools import cached_property

from embryology.errors import EmbryologyError
from embryology.runs import steps
from embryology.runs.paths import HUB

UNITS: dict[str, steps.Unit] = {"step": "step", "tokens": "tokens", "words": "words", "epoch": "epochs"}
"""By the word in braces what its number counts; the first that is there is the step."""
SEED = "{seed}"
FORM = re.compile(rf"{HUB}(?:(?P<owner>[\w.-]+)/)?(?P<name>[^/@\s]+)(?:@(?P<revisions>\S+))?")
NUMBER = re.compile(r"\{(?P<word>\w+)\}(?P<factor>[kmbgt](?![a-z]))?", re.IGNORECASE)
WILD = re.compile(r"[*?\[{]")


@dataclass(frozen=True)
class Description:
    """A description that was read. :meth:`parse` makes it."""

    text: str
    owner: str | None
    """Of the repositories; None of the few that have none."""
    name: str
    """Of the repositories, or a pattern."""
    revisions: str | None
    """A pattern of branches and tags; None takes the main branch."""

    @classmethod
    def parse(cls, text: str) -> "Description":
        """
        Raises:
            EmbryologyError: it is none, or names no checkpoints.
        """
        match = FORM.fullmatch(text)
        if match is None:
            raise EmbryologyError(f"{text!r} is no series on the Hub, as {HUB}OWNER/NAME@step* is")
        description = cls(text, **match.groupdict())
        words = re.findall(r"\{([^{}]*)\}", text)
        if unknown := [word for word in words if word not in {*UNITS, "seed"}]:
            known = ", ".join(f"{{{word}}}" for word in ("seed", *UNITS))
            raise EmbryologyError(f"{text}: {{{unknown[0]}}} is not known; there are {known}")
        if description.revisions is None and not WILD.search(description.name):
            raise EmbryologyError(f"{text} names no checkpoints; say which revisions, as {text}@step*, or @main")
        if description.owner is None and WILD.search(description.name):
            raise EmbryologyError(f"{text} does not say whose repositories they are, as {HUB}OWNER/NAME does")
        _ = description.pattern
        return description

    @property
    def has_seeds(self) -> bool:
        """Whether it is of several series, one a seed."""
        return SEED in self.text

    def of_seed(self, seed: str) -> "Description":
        """The description of one seed's series."""
        return Description.parse(self.text.replace(SEED, seed))

    def seed_of(self, text: str) -> int | None:
        """Of which seed a description is, made by :meth:`of_seed`; None of any other."""
        seeds = re.escape(self.text).replace(re.escape(SEED), r"(\d+)")
        match = re.fullmatch(seeds, text)
        return int(match[1]) if match and len({*match.groups()}) == 1 else None

    @property
    def repository(self) -> str | None:
        """The one that it is about; None where it has to be looked for."""
        return None if WILD.search(self.name) else self._owned(self.name)

    @property
    def beginning(self) -> str:
        """What the names of all its repositories begin with."""
        return WILD.split(self.name)[0]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Of a repository's name without its owner, and of its revision after an ``@`` where revisions are named."""
        template = self.name if self.revisions is None else f"{self.name}@{self.revisions}"
        parts, end, seen = [], 0, set[str]()
        for match in NUMBER.finditer(template):
            word, factor = match["word"], match["factor"] or ""
            number = rf"\d+(?:\.\d+)?{factor or '[kKmMbBgGtT]?'}" if word in UNITS else r"\d+"
            group = f"(?P={word})" if word in seen else f"(?P<{word}>{number})"
            group += "" if word in UNITS else factor  # which is part of the name there
            parts += [_translated(template[end : match.start()]), group]
            seen.add(word)
            end = match.end()
        return re.compile("".join([*parts, _translated(template[end:])]))

    def match(self, repository: str, revision: str) -> re.Match[str] | None:
        """Whether a revision of a repository is of the series, and the numbers that its names say."""
        owner, _, name = repository.rpartition("/")
        if owner != (self.owner or ""):
            return None
        return self.pattern.fullmatch(name if self.revisions is None else f"{name}@{revision}")

    def label(self, repository: str, revision: str) -> str:
        """What tells checkpoints of the series apart: the revision, or the name of the repository."""
        return repository.rpartition("/")[2] if self.revisions is None else revision

    def place(self, repository: str, revision: str, record: steps.Record) -> steps.Place:
        """Where in training a revision stands, by the record, the numbers in braces, or its name.

        Raises:
            EmbryologyError: none of them says it.
        """
        label, match = self.label(repository, revision), self.match(repository, revision)
        said = {unit: match[word] for word, unit in UNITS.items() if match and word in match.re.groupindex}
        try:
            if label in record.steps or record.pattern is not None or not said:
                return steps.place(label, record)
            numbers = {unit: steps.counted(text, label) for unit, text in said.items()}
        except EmbryologyError as error:
            raise EmbryologyError(f"{self.text}: {error}") from error
        unit, step = next(iter(numbers.items()))
        return steps.Place(step, numbers.get("tokens") if unit == "step" else None, unit)

    def _owned(self, name: str) -> str:
        return name if self.owner is None else f"{self.owner}/{name}"


def _translated(glob: str) -> str:
    """A regular expression for a part of a name."""
    return re.sub(r"\\[zZ]$", "", fnmatch.translate(glob))
