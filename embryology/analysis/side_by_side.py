"""Several runs beside each other: what each was measured on, and when it learnt what."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology.analysis import curves, learning_order, tables
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs.tokens import SPECIFICATION


@dataclass(frozen=True)
class Learnt:
    """A series' learning times. ``grid`` has a row a checkpoint: step, tokens."""

    source: str
    """Whose tags on which text."""
    groups: dict[str, str]
    """Names by tag, of :func:`embryology.analysis.curves.groups`."""
    grid: pd.DataFrame
    times: dict[str, pd.DataFrame]
    """By task, of :func:`embryology.analysis.learning_order.learning_times`."""

    def in_tokens(self, task: str) -> pd.DataFrame:
        """Learning times in tokens read rather than steps, linear between checkpoints as they are.

        Ends of intervals that are infinite become those of training.
        """
        table = self.times[task].drop(columns="spacing")
        for column in ("step", "low", "high"):
            table[column] = np.interp(table[column], self.grid["step"], self.grid["tokens"])
        return table


def read(series: Sequence[Series], steps: str = "all") -> dict[str, Learnt]:
    """Learning times by the name of the series: the first one with its ``steps``, then those to compare it with.

    Raises:
        EmbryologyError: as :func:`embryology.analysis.tables.read`, for any of them, or as :func:`curves.groups`.
    """
    learnt = {}
    groups = curves.groups(tables.read(series, SPECIFICATION.name))
    for number, each in enumerate(series):
        frame = tables.read([each], SPECIFICATION.name, "all" if number else steps)
        items = measurements.read_items(each, SPECIFICATION.name)
        grid = frame[["step", "tokens"]].drop_duplicates().sort_values("step", ignore_index=True).astype(float)
        times = {task: learning_order.learning_times(frame, items, task) for task in SPECIFICATION.tasks}
        learnt[each.name] = Learnt(measurements.source_of(items), groups, grid, times)
    return learnt
