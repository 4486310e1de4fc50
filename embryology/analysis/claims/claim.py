"""What a claim is, and what it reads of a series."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from embryology.analysis import learning_order, tables
from embryology.analysis.claims.decisions import ITEM_DRAWS, Rule
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import tokens
from embryology.storage.files import sha256_of


@dataclass(frozen=True)
class Seen:
    """One series, each of its tables read once.

    Args:
        series: which.
        steps: checkpoints that are asked; None takes all.
    """

    series: Series
    steps: frozenset[int] | None = None
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    def frame(self, probe: str) -> pd.DataFrame:
        """As of :func:`embryology.analysis.tables.read`."""
        return self._once(("rows", probe), lambda: self._chosen(tables.read([self.series], probe)))

    def items(self, probe: str) -> pd.DataFrame:
        """As of :func:`embryology.runs.measurements.read_items`."""
        return self._once(("items", probe), lambda: self._chosen(measurements.read_items(self.series, probe)))

    def times(self, task: str, tags: Iterable[str] | None = None) -> pd.DataFrame:
        """As of :func:`embryology.analysis.learning_order.learning_times`."""
        name, chosen = tokens.SPECIFICATION.name, None if tags is None else tuple(tags)

        def timed() -> pd.DataFrame:
            frame = self.frame(name)
            return learning_order.learning_times(frame, self.items(name), task, chosen, ITEM_DRAWS)

        return self._once(("times", task, chosen), timed)

    def of(self, name: str, make: Callable[[], Any]) -> Any:
        """Something else that is made of it, once."""
        return self._once(("of", name), make)

    def _chosen(self, table: pd.DataFrame) -> pd.DataFrame:
        return table if self.steps is None else table[table["step"].isin(self.steps)].reset_index(drop=True)

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


@dataclass(frozen=True)
class Measured:
    """The number of a claim, of every seed."""

    values: np.ndarray
    """(seeds, 1 + draws) as of :func:`embryology.analysis.claims.decisions.estimate`."""
    p: float = 0.0
    """Of a further hypothesis that has to be rejected for the claim to be supported."""
    grain: float = 0.0
    """The least by which two seeds can differ."""
    remark: str = ""
    """What was left out, a clause."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and the rule by which runs speak for it or against it.

    What decides is :attr:`rule`, :attr:`families`, :attr:`late`, :attr:`probe` and :attr:`measure`; the rest says it.
    """

    number: int
    name: str
    title: str
    wording: str
    """In our words; the paper's where it was seen."""
    place: str
    meaning: str
    """What it means here."""
    statistic: str
    unit: str
    """Of the number, behind it."""
    rule: Rule
    margin: str
    """Why this one."""
    limits: str
    """What cannot be told from this software at all."""
    probe: str
    measure: Callable[[Sequence[Seen]], Measured]
    """Of seeds of one recipe that were measured alike, as many as it takes; raises
    :class:`embryology.analysis.acquisition.CannotBeTold` with the reason as a clause."""
    since: str
    """When the rule was written, ISO 8601, UTC: of runs that began before it is exploratory."""
    families: tuple[str, ...] = ()
    """Of models that it is about; empty for all."""
    late: bool = False
    """Whether it is about late training, and needs a run with a late phase."""
    precondition: str = ""
    """What has to be true beside the rule, a clause."""

    @property
    def decides(self) -> str:
        """A hash of what decides, the code of the statistic aside; another one asks for another date."""
        return sha256_of([repr(self.rule), self.statistic, self.families, self.late, self.precondition])[:12]

    @property
    def written(self) -> datetime:
        return datetime.fromisoformat(self.since)


def named(names: Iterable[str]) -> str:
    """In prose: "a, b and c"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
