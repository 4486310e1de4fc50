"""From which checkpoint on a start is better than one from random parameters, for each task that it is fine-tuned for.

After Madasu and Srivastava 2022 (2210.12302), who ask it of whole models on tasks of no language; here the untrained
checkpoint of the same series is the other start.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from embryology.analysis import downstream, tables


def beats_scratch(frame: pd.DataFrame, losses: pd.DataFrame | None = None) -> pd.DataFrame:
    """A row a task of the first series of a frame.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, of the probe that fine-tunes.
        losses: of the same series, with ``step`` and ``held_out_masked_loss``; None where there are none.

    Returns:
        ``task``; ``step``, the first checkpoint from which on to the end the 95% t interval over seeds of the score
        less that of the untrained checkpoint lies above 0, the same seeds paired: infinite where the last one's does
        not, and nan for fewer than two seeds or without an untrained checkpoint; ``gain`` at the last with ``low`` and
        ``high``; and ``tau``, Kendall's between the mean score and how low the masked loss is, over checkpoints after
        the untrained one, without p as checkpoints of one run are not independent (nan for fewer than four).
    """
    scores = downstream.with_mean(frame)
    return pd.DataFrame([_of_task(scores, task, losses) for task in downstream.tasks(scores)])


def _of_task(scores: pd.DataFrame, task: str, losses: pd.DataFrame | None) -> dict[str, Any]:
    table = downstream.seeds(scores, task, series=tables.main_series(scores))
    row = {"task": task, "step": np.nan, "gain": np.nan, "low": np.nan, "high": np.nan, "tau": np.nan}
    if table.index[0] == 0 and table.shape[1] > 1 and len(table) > 1:
        gains = table.iloc[1:] - table.iloc[0]
        count = gains.shape[1]
        half = stats.t.ppf(0.975, count - 1) * gains.std(axis=1, ddof=1) / np.sqrt(count)
        above = (gains.mean(axis=1) - half > 0).to_numpy()
        to_the_end = np.logical_and.accumulate(above[::-1])[::-1]
        step = float(gains.index[to_the_end.argmax()]) if to_the_end.any() else np.inf
        gain = float(gains.mean(axis=1).iloc[-1])
        row |= {"step": step, "gain": gain, "low": gain - half.iloc[-1], "high": gain + half.iloc[-1]}
    means = table[table.index > 0].mean(axis=1)
    if losses is not None:
        held_out = losses.dropna(subset="held_out_masked_loss").set_index("step")["held_out_masked_loss"]
        both = pd.concat([means, held_out], axis=1, join="inner")
        if len(both) >= 4:
            row["tau"] = float(stats.kendalltau(both.iloc[:, 0], -both.iloc[:, 1]).statistic)
    return row
