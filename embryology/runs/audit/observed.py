"""What is read of a checkpoint, and how findings are said."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from embryology.errors import EmbryologyError
from embryology.runs.audit import tensors
from embryology.runs.audit.tensors import DamagedError, Tensor
from embryology.runs.contents import Contents, Counted

Value = TypeVar("Value", bound=Hashable)


@dataclass(frozen=True)
class Entry:
    """A checkpoint of a series, as its name says it."""

    step: int
    name: str
    contents: Contents
    left_out: bool = False
    """Whether the record of its series says that it is none of it."""


class Finding(BaseModel):
    """Something that is not what it says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    """In two words at most, such as ``out of order``."""
    steps: tuple[int, ...]
    """Of the checkpoints that it is about."""
    says: str


@dataclass(eq=False)
class Observed:
    """A checkpoint while it is examined."""

    step: int
    name: str
    contents: Counted
    weights: list[str]
    """The files that hold them."""
    tensors: dict[str, Tensor] | None = None
    """By name; None where a file is damaged, or a pickle of the older form."""
    sha256: dict[str, str] = field(default_factory=dict)
    """Of weights files that were read whole."""
    unread: str | None = None
    """Why not all could be read that was asked for; None where it could."""

    @classmethod
    def of(cls, entry: Entry, contents: Counted) -> "Observed":
        """A checkpoint of which only the listing is known."""
        return cls(entry.step, entry.name, contents, tensors.weights_files(contents.files))

    @property
    def identity(self) -> tuple[str, ...] | None:
        """What only the same files of weights have; None where it is not known of each of them."""
        known = [self.sha256.get(name) or self.contents.files[name].identity for name in self.weights]
        return tuple(each for each in known if each is not None) if known and None not in known else None


def headers(observed: Observed) -> list[Finding]:
    """Read the headers of a checkpoint's weights, and say what is wrong with them."""
    contents, found = observed.contents, list[Finding]()
    if not observed.weights:
        found.append(finding("no weights", [observed], "holds neither safetensors nor pickles of torch"))
    if missing := tensors.missing_shards(observed.weights):
        found.append(finding("missing shard", [observed], f"lacks {', '.join(missing)}"))
    elif observed.weights:
        try:
            parts = [tensors.listed(contents, file) for file in observed.weights]
        except (EmbryologyError, OSError) as error:
            found += trouble(observed, error)
        else:
            known = [part for part in parts if part is not None]
            observed.tensors = {name: each for part in known for name, each in part.items()} if known == parts else None
    return found


def trouble(observed: Observed, error: Exception) -> list[Finding]:
    """That a file is damaged; or nothing, and it is noted that it could not be read, which is no fault of a series."""
    if isinstance(error, DamagedError):
        return [finding("damaged", [observed], f"{error}")]
    observed.unread = observed.unread or getattr(error, "reason", None) or str(error)
    return []


def finding(kind: str, about: Sequence[Observed], says: str) -> Finding:
    """A finding whose sentence begins with the steps that it is about."""
    steps = tuple(dict.fromkeys(each.step for each in about))
    return Finding(kind=kind, steps=steps, says=f"{listed(steps)}: {says}")


def listed(steps: Sequence[int]) -> str:
    """Steps in prose; of many the first three and the last."""
    shown = [f"{step:,}" for step in steps]
    if len(shown) > 5:
        shown = [*shown[:3], f"… {shown[-1]} ({len(steps)} in all)"]
    return f"step{'s' if len(steps) > 1 else ''} {', '.join(shown)}"


def commonest(values: Iterable[Value]) -> Value:
    """The one that most have; of two as common the first."""
    return Counter(values).most_common(1)[0][0]


def odd(values: Mapping[Observed, Value]) -> tuple[Value | None, dict[Value, list[Observed]]]:
    """The commonest value, and by every other one those that have it; None of no values."""
    if not values:
        return None, {}
    usual = commonest(values.values())
    others: dict[Value, list[Observed]] = {}
    for observed, value in values.items():
        if value != usual:
            others.setdefault(value, []).append(observed)
    return usual, others
