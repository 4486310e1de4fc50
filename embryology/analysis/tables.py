"""The measurements of a probe over several series: the one table that all other analysis begins with."""

from collections.abc import Callable, Sequence

import pandas as pd

from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import UNITS, UNTRAINED

CURVE = ["step", "tokens", "value", "low", "high", "n"]
"""The columns of a curve: a row a checkpoint, with the ends of the 95% interval and the number of items."""


def read(
    series: Sequence[Series],
    probe: str,
    steps: str = "all",
    measured: Callable[[Series, str], pd.DataFrame] = measurements.read,
) -> pd.DataFrame:
    """The rows of a probe, those of the first series first.

    The untrained model, which is measured at step 0, becomes a baseline of every step, so that it stands beside the
    curve whatever ``steps`` are chosen.

    Args:
        series: the one that is reported on, then those it is compared with, always with all of their checkpoints.
        probe: its name.
        steps: which checkpoints of the first: ``all``, ``last``, or a list such as ``0,100,200``, of which those are
            taken that the probe measured.
        measured: what reads the rows of a series and probe.

    Returns:
        Rows of :data:`embryology.runs.measurements.SCHEMA`.

    Raises:
        EmbryologyError: a series was not measured, the probe does not apply to its model, there is no such step, or
            series count different things.
    """
    others = [each for each in series if each.unit != series[0].unit]
    if others:
        raise EmbryologyError(
            f"{series[0].name} counts {series[0].unit} and {others[0].name} {others[0].unit}, so that no figure can "
            "draw both; report them apart, or say the step of each checkpoint in series.yaml"
        )
    tables = []
    for number, each in enumerate(series):
        frame = measured(each, probe)
        if measurements.is_not_applicable(frame):
            raise EmbryologyError(f"{each.name}: probe {probe} does not apply: {frame['reason'].iloc[0]}")
        frame = pd.concat([frame, untrained(frame)])
        tables.append(frame if number else select(frame, each, steps))
    return pd.concat(tables, ignore_index=True)


def select(frame: pd.DataFrame, series: Series, steps: str) -> pd.DataFrame:
    """The rows of chosen checkpoints; of a list those that are in ``frame``, as some probes measure every n-th.

    Raises:
        EmbryologyError: a step that the series does not have, or none that is in ``frame``.
    """
    steps = str(steps)  # a command line makes a number of a single step
    if steps == "all":
        return frame
    if steps == "last":
        return frame[frame["step"] == frame["step"].max()]
    rows = frame[frame["step"].isin([checkpoint.step for checkpoint in series.select(steps)])]
    if rows.empty:
        there = ", ".join(str(step) for step in sorted(frame["step"].unique()))
        raise EmbryologyError(f"{series.name} was not measured at step {steps}; it was at {there}")
    return rows


def untrained(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of step 0 as a baseline of every step of ``frame``, one run's; none where it has no step 0."""
    first = frame[(frame["step"] == 0) & frame["baseline"].isna()].drop(columns=["step", "tokens"])
    steps = frame[["step", "tokens"]].drop_duplicates()
    return first.assign(baseline=UNTRAINED).merge(steps, how="cross")[frame.columns]


def units(frame: pd.DataFrame, unrecorded: str) -> str:
    """What the intervals of a table are over, in prose: "documents or sentences".

    Args:
        frame: of :func:`read`.
        unrecorded: what they are over in runs that were frozen before that was recorded.
    """
    named = frame.loc[frame["low"].notna(), "unit"].fillna(unrecorded)
    return " or ".join(UNITS[unit] for unit in sorted(named.unique())) or UNITS[unrecorded]


def main_series(frame: pd.DataFrame) -> str:
    """The name of the series that is reported on, which :func:`read` puts first."""
    return str(frame["series"].iloc[0])


def of(
    frame: pd.DataFrame,
    task: str,
    metric: str,
    baseline: str | None = None,
    series: str | None = None,
) -> pd.DataFrame:
    """The rows of one metric of one task, of the model or of a baseline, of every group, layer and seed.

    ``series`` is the name of one; None takes the first.
    """
    of_baseline = frame["baseline"].isna() if baseline is None else frame["baseline"] == baseline
    of_series = frame["series"] == (series or main_series(frame))
    # One mask: each selection copies all columns, and a page asks more than a hundred times.
    return frame[of_series & (frame["task"] == task) & (frame["metric"] == metric) & of_baseline]
