"""How long a masked-word loss stayed at what word frequencies alone give, and whether it has stopped falling."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from embryology.analysis import tables
from embryology.analysis.crossings import first_crossing
from embryology.runs.losses import COLUMNS
from embryology.runs.series import Series

MARGIN = 0.1
"""Nats to either side of the unigram cross-entropy that count as being at it."""
STOPPED = 0.02
"""Nats: a loss that falls by less over the last quarter of the steps at a constant rate has stopped falling. A falling
rate makes a plateau by itself, so that nothing is told of one."""
FEWEST = 3
"""Evaluations in that quarter, from which a line has an interval."""


def read(series: Sequence[Series], steps: str = "all") -> pd.DataFrame:
    """The losses of those series that have them, in their order, each with its name as ``series`` and its ``version``.

    Those that another version of training made than the first of them are left out: they were asked otherwise.

    ``steps`` chooses checkpoints of the first series as :func:`embryology.analysis.tables.select` does; the
    training values between them stay, up to the last one chosen.

    Raises:
        EmbryologyError: a step that is none of the first series' checkpoints, or a damaged file.
    """
    losses = []
    version = next((each.version for each in series if each.losses is not None), None)
    for number, each in enumerate(series):
        if each.losses is None or each.version != version:
            continue
        table = each.losses.copy()
        if not number and steps != "all":
            chosen = tables.select(table[table["held_out_masked_loss"].notna()], each, steps)["step"]
            held_out = [column for column in table if column.startswith("held_out")]
            table.loc[~table["step"].isin(chosen), held_out] = np.nan
            table = table[table["step"] <= chosen.max()]
        losses.append(table.assign(series=each.name, version=each.version or 1))
    if not losses:
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS).assign(series="", version=0)
    return pd.concat(losses, ignore_index=True)


@dataclass(frozen=True)
class Plateau:
    """Steps, linear between evaluations; None where that has not happened."""

    entered: float | None
    """The held-out masked loss came within :data:`MARGIN` of the unigram cross-entropy, from above."""
    left: float | None
    """It fell more than :data:`MARGIN` below."""
    bracket: tuple[float, float]
    """The last evaluation before it entered and the first one after it left, or the first and last there are."""
    within: int
    """Evaluations in between: a loss that crosses the line from one evaluation to the next stays nowhere."""
    unigram: float
    """Nats."""
    final: float
    """Held-out masked loss at the last evaluation, nats."""


def plateau(losses: pd.DataFrame) -> Plateau:
    """The plateau of one run's losses, which have at least one evaluation."""
    rows = losses.dropna(subset=["held_out_masked_loss"])
    steps, loss = rows["step"].to_numpy(float), rows["held_out_masked_loss"].to_numpy()
    unigram = float(rows["unigram_loss"].iloc[-1])
    entered, left = (float(first_crossing(steps, -loss, -(unigram + side))) for side in (MARGIN, -MARGIN))
    before, after = steps[steps < entered], steps[steps >= left]
    return Plateau(
        entered=None if np.isposinf(entered) else max(entered, float(steps[0])),
        left=None if np.isposinf(left) else max(left, float(steps[0])),
        bracket=(float(before[-1] if len(before) else steps[0]), float(after[0] if len(after) else steps[-1])),
        within=int(np.sum((steps >= entered) & (steps < left))),
        unigram=unigram,
        final=float(loss[-1]),
    )


@dataclass(frozen=True)
class Fall:
    """How far a held-out masked loss fell over the last quarter of the steps at a constant rate."""

    first: float
    """The step where that quarter begins."""
    last: int
    evaluations: int
    """Within that quarter."""
    nats: float | None
    """By the line of least squares through them; None where they are fewer than :data:`FEWEST`."""
    low: float | None
    high: float | None
    """Of its 95% interval, by Student's t of the slope: what evaluations scatter about a line, on these sequences.
    Evaluations that follow each other closely err alike, and count for as many fewer."""

    @property
    def stopped(self) -> bool | None:
        """Whether it has, by :data:`STOPPED`; None where that cannot be told."""
        if self.low is None or self.high is None:
            return None
        return True if self.high < STOPPED else False if self.low >= STOPPED else None


def fall(losses: pd.DataFrame) -> Fall | None:
    """Of one run's losses, in the last of its phases that ends at a constant rate; None where none does.

    A row's rate is that of its last step, so the rows of a warm-up within the phase are before the constant rate.
    """
    rows = losses[losses["learning_rate"].notna()]
    of_phase = [phase for _, phase in rows.groupby(rows["phase"].fillna(1))]
    held = [phase[phase["learning_rate"] == phase["learning_rate"].iloc[-1]] for phase in of_phase]
    constant = [phase for phase in held if len(phase) > 1]
    if not constant:
        return None
    begin, last = constant[-1]["step"].iloc[[0, -1]]
    first = last - (last - begin) / 4
    quarter = losses[losses["step"].between(first, last)].dropna(subset=["held_out_masked_loss"])
    count = len(quarter)
    if count < FEWEST:
        return Fall(first, int(last), count, None, None, None)
    steps, loss = (quarter[column].to_numpy(float) for column in ("step", "held_out_masked_loss"))
    line = stats.linregress(steps, loss)
    nats = -line.slope * (last - first)
    free = max(_independent(loss - line.intercept - line.slope * steps) - 2, 1)
    error = np.nan_to_num(line.stderr) * np.sqrt((count - 2) / free)  # nan of losses that are all the same
    half = error * (last - first) * stats.t.ppf(0.975, free)
    return Fall(first, int(last), count, float(nats), float(nats - half), float(nats + half))


def _independent(residuals: np.ndarray) -> float:
    """As how many independent evaluations they count, where each errs like those before it.

    The effective sample size of a series, its autocorrelations summed up to the first that is not positive (Geyer 1992,
    https://doi.org/10.1214/ss/1177011137); errors that alternate gain nothing.
    """
    power = residuals @ residuals
    if not power:
        return float(len(residuals))
    alike = np.correlate(residuals, residuals, "full")[len(residuals) :] / power
    return float(len(residuals) / (1 + 2 * alike[: np.argmax(alike <= 0)].sum()))
