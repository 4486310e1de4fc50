"""Whether a model's predictions are like those of bigrams, and closer to them than to the frequency of pieces."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology.analysis import tables
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs.divergence import CLOSER, DIVERGENCE, ELSEWHERE, LEFT, OWN, REFERENCES, RIGHT, SPECIFICATION

BIGRAMS = (LEFT, RIGHT)


@dataclass(frozen=True)
class Divergence:
    """Of one run."""

    curves: dict[str, pd.DataFrame]
    """By n-gram its divergence over steps, columns of :data:`embryology.analysis.tables.CURVE`."""
    elsewhere: dict[str, pd.DataFrame]
    """By bigram that with the neighbour of another place."""
    closest: dict[str, int]
    """By n-gram the step at which it is closest."""
    own: dict[str, int | None]
    """By bigram the first checkpoint from which on predictions are closer to it than with another place's neighbour,
    beyond the interval; None where they are not at the last one."""
    closer: dict[str, int | None]
    """The same beside the frequency of pieces."""


def read(series: Series, steps: str = "all") -> Divergence | str:
    """Of a run that was measured; or a clause that says why nothing can be told."""
    if reason := measurements.lacking(series, SPECIFICATION.name):
        return reason
    frame = tables.read([series], SPECIFICATION.name, steps)
    curves = {name: _curve(frame, name, DIVERGENCE) for name in REFERENCES}
    return Divergence(
        curves=curves,
        elsewhere={name: _curve(frame, name, DIVERGENCE, ELSEWHERE) for name in BIGRAMS},
        closest={name: int(rows.loc[rows["value"].idxmin(), "step"]) for name, rows in curves.items()},
        own={name: _above_zero(_curve(frame, name, OWN)) for name in BIGRAMS},
        closer={name: _above_zero(_curve(frame, name, CLOSER)) for name in BIGRAMS},
    )


def _curve(frame: pd.DataFrame, task: str, metric: str, baseline: str | None = None) -> pd.DataFrame:
    return tables.of(frame, task, metric, baseline).sort_values("step")[tables.CURVE].reset_index(drop=True)


def _above_zero(differences: pd.DataFrame) -> int | None:
    """The first checkpoint from which on the interval lies above 0."""
    failed = np.flatnonzero(~(differences["low"] > 0))
    first = failed[-1] + 1 if len(failed) else 0
    return int(differences["step"].iloc[first]) if first < len(differences) else None
