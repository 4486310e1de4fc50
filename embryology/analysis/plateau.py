"""How long a masked-word loss stayed at what word frequencies alone give."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from embryology.analysis.curves import select
from embryology.analysis.learning_order import first_crossing
from embryology.runs import measurements

MARGIN = 0.1
"""Nats to either side of the unigram cross-entropy that count as being at it."""


def read(run: str | Path, compare: Sequence[str | Path] = (), steps: str = "all") -> pd.DataFrame:
    """The losses of ``run``, then of the runs to compare it with, each with its name as ``series``.

    ``steps`` chooses checkpoints of ``run`` as :func:`embryology.analysis.curves.select` does; the
    training values between them stay, up to the last one chosen.
    """
    tables = []
    for name in dict.fromkeys([run, *compare]):
        table = measurements.read_losses(name)
        if not tables and steps != "all":
            chosen = select(table[table["held_out_masked_loss"].notna()], steps)["step"]
            held_out = [column for column in table if column.startswith("held_out")]
            table.loc[~table["step"].isin(chosen), held_out] = np.nan
            table = table[table["step"] <= chosen.max()]
        tables.append(table.assign(series=Path(name).name))
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Plateau:
    """Steps, linear between evaluations; None where that has not happened."""

    entered: float | None
    """The held-out masked loss came within :data:`MARGIN` of the unigram cross-entropy, from above."""
    left: float | None
    """It fell more than :data:`MARGIN` below."""
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
    return Plateau(
        entered=None if np.isposinf(entered) else max(entered, float(steps[0])),
        left=None if np.isposinf(left) else max(left, float(steps[0])),
        unigram=unigram,
        final=float(loss[-1]),
    )
