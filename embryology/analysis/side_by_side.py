"""Several runs beside each other: what each was measured on, and when it learnt what."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from embryology.analysis import curves, learning_order
from embryology.runs import measurements

TASKS = ("reconstruction", "mask-prediction")


@dataclass(frozen=True)
class Learnt:
    """A run's learning times. ``grid`` has a row a checkpoint: step, tokens."""

    source: str
    """Whose tags on which text."""
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


def read(run: str | Path, compare: Sequence[str | Path] = (), steps: str = "all") -> dict[str, Learnt]:
    """Learning times by the name of the run: ``run`` first, with its ``steps``, then those to compare it with.

    Raises:
        EmbryologyError: as :func:`embryology.analysis.curves.read`, for any of the runs.
    """
    runs: dict[str, Learnt] = {}
    for name in [run, *compare]:
        if Path(name).name in runs:
            continue
        frame = curves.read(name, steps="all" if runs else steps)
        items = measurements.read_items(name, "tokens")
        grid = frame[["step", "tokens"]].drop_duplicates().sort_values("step", ignore_index=True).astype(float)
        times = {task: learning_order.learning_times(frame, items, task) for task in TASKS}
        runs[Path(name).name] = Learnt(measurements.source_of(items), grid, times)
    return runs
