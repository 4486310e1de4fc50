"""Training by more than its steps: tokens read, or how far the held-out loss has fallen below the unigram line."""

import numpy as np
import pandas as pd

from embryology.analysis import plateau
from embryology.errors import EmbryologyError
from embryology.runs.series import Series


def on_axis(series: Series, table: pd.DataFrame, axis: str) -> pd.DataFrame:
    """Times in steps in other units, linear between checkpoints.

    Args:
        series: whose steps they are.
        table: with ``step``, ``low`` and ``high``.
        axis: ``step``; ``tokens`` read; or ``nats`` that the held-out masked loss has fallen below the unigram
            cross-entropy, the most so far, negative above it.

    Raises:
        EmbryologyError: tokens or losses are not known.
    """
    if axis == "step":
        return table
    known = _known(series, axis)
    moved = table.copy()
    for column in ("step", "low", "high"):
        values = table[column].to_numpy(float)
        moved[column] = np.where(np.isfinite(values), np.interp(values, *known), values)
    return moved


def _known(series: Series, axis: str) -> np.ndarray:
    """(2, checkpoints): steps, and what they are on an axis."""
    if axis == "tokens":
        at = pd.DataFrame([(each.step, each.tokens) for each in series.checkpoints], columns=["step", "at"])
        if at["at"].isna().any():
            raise EmbryologyError(f"how many tokens {series.name} read is not known")
    else:
        losses = plateau.read([series])
        asked = ["held_out_masked_loss", "unigram_loss"]
        losses = losses.dropna(subset=asked) if {*asked} <= {*losses} else losses.iloc[:0]
        if losses.empty:
            raise EmbryologyError(f"the losses of {series.name} are not known")
        below = losses["unigram_loss"] - losses["held_out_masked_loss"]
        at = pd.DataFrame({"step": losses["step"], "at": below.cummax()})
    known: np.ndarray = at.sort_values("step").to_numpy(float).T
    return known
