"""Several runs beside each other: what each was measured on, and when it learnt what."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology.analysis import blind_answers, curves, learning_order, tables
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs.tokens import MASK_PREDICTION, RECONSTRUCTION, SPECIFICATION


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
    half: pd.DataFrame
    """Of reconstruction, of :func:`embryology.analysis.learning_order.published_definition`."""
    levels: dict[float, pd.DataFrame]
    """Of reconstruction, by accuracy, when it is reached."""
    kept: bool
    """Of :func:`embryology.analysis.blind_answers.are_kept`."""

    def over(self, times: pd.DataFrame, x: str) -> pd.DataFrame:
        """Learning times over a column of the grid, such as tokens read, linear between checkpoints as they are.

        Without what only steps have a meaning for. Ends of intervals that are infinite stay so.
        """
        table = times.drop(columns=["spacing", "resampled"])
        for column in ("step", "low", "high"):
            moved = np.interp(table[column], self.grid["step"], self.grid[x])
            table[column] = np.where(np.isfinite(table[column]), moved, table[column])
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
        at = {
            RECONSTRUCTION: learning_order.at_levels(frame, items, RECONSTRUCTION, [None, *learning_order.LEVELS]),
            MASK_PREDICTION: learning_order.at_levels(frame, items, MASK_PREDICTION, [None]),
        }
        learnt[each.name] = Learnt(
            measurements.source_of(items),
            groups,
            grid,
            {task: times[None] for task, times in at.items()},
            half=learning_order.published_definition(frame, RECONSTRUCTION),
            levels={level: at[RECONSTRUCTION][level] for level in learning_order.LEVELS},
            kept=blind_answers.are_kept(items),
        )
    return learnt
