"""When layers settle: how early their vectors are halfway to what they are at the last checkpoint, and in which order.

Similarity with the last checkpoint ends at 1 whatever happens, and a falling learning rate lets everything settle in
the end. When a layer is halfway there, from where it began, and whether the lower ones are so earlier, tells more.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import crossings, tables
from embryology.analysis.learning_order import NOT_REACHED, REACHED, UNTOLD, untellable
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs.similarity import CKA, LAST, LAYERS, PWCCA, REFERENCE, SPECIFICATION

LOWER, UPPER = "lower", "upper"


@dataclass(frozen=True)
class Settling:
    source: str
    """Whose words."""
    reference: int
    """Step of the checkpoint that all are compared with,"""
    trained_on: bool
    """and whether the series has others since."""
    times: dict[str, pd.DataFrame]
    """By metric times by layer: ``state``, ``step``, ``low`` and ``high``, ``spacing`` of the checkpoints around,
    ``begins``, the similarity at the first checkpoint, and those ``resampled``, without each group."""
    pairs: dict[str, pd.DataFrame]
    """By metric every two layers: the ``lower`` and the ``upper`` number, and which settles ``first``, ``lower`` or
    ``upper``, None where that cannot be told."""


def curve(frame: pd.DataFrame, task: str, metric: str, layer: int | None, baseline: str | None = None) -> pd.DataFrame:
    """One layer's values over steps; empty where it was not measured.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, as everywhere here.
    """
    rows = tables.of(frame, task, metric, baseline)
    rows = rows[rows["layer"].isna() if layer is None else rows["layer"] == layer]
    return rows.sort_values("step")[tables.CURVE].reset_index(drop=True)


def chance(frame: pd.DataFrame, metric: str, baseline: str) -> pd.DataFrame:
    """What words in another order give, at each step the highest of the layers."""
    rows = tables.of(frame, LAST, metric, baseline)
    return rows.loc[rows.groupby("step")["value"].idxmax(), tables.CURVE].reset_index(drop=True)


def layers(frame: pd.DataFrame) -> list[int]:
    """Numbers of the layers, 0 that of the embeddings."""
    return sorted(frame.loc[frame["series"] == tables.main_series(frame), "layer"].dropna().astype(int).unique())


def square(frame: pd.DataFrame, step: int) -> np.ndarray:
    """(layers, layers) CKA of the layers of one checkpoint; nan where there is none."""
    rows = tables.of(frame, LAYERS, CKA)
    rows = rows[rows["step"] == step]
    numbers = layers(frame)
    values = np.full((len(numbers), len(numbers)), np.nan)
    np.fill_diagonal(values, 1)
    places = [[numbers.index(int(number)) for number in rows[name]] for name in ("layer", "group")]
    for one, other in (places, places[::-1]):
        values[one, other] = rows["value"]
    return values


def read(series: Series, frame: pd.DataFrame) -> Settling:
    """When layers settle, at the checkpoints of ``frame``.

    Raises:
        EmbryologyError: there are no items, or checkpoints were measured on different text.
    """
    items = measurements.read_items(series, SPECIFICATION.name)
    steps = np.sort(frame.loc[frame["series"] == tables.main_series(frame), "step"].unique())
    items = items[items["step"].isin(steps)]
    data = measurements.standing(series.folder)[SPECIFICATION.name].data or {}
    reference = int(data.get(REFERENCE, {}).get("step", series.checkpoints[-1].step))
    told = untellable(frame) is None
    times = {metric: settled(items, metric, reference, told) for metric in (CKA, PWCCA)}
    return Settling(
        source=measurements.source_of(items),
        reference=reference,
        trained_on=reference != series.checkpoints[-1].step,
        times=times,
        pairs={metric: _pairs(table, _counts(items)) for metric, table in times.items()},
    )


def _counts(items: pd.DataFrame) -> np.ndarray:
    """(groups,) words of each group that is left out."""
    first = items[(items["step"] == items["step"].iloc[0]) & (items["layer"] == items["layer"].iloc[0])]
    counts: np.ndarray = first[first["without"] > 0].sort_values("without")["words"].to_numpy()
    return counts


def settled(items: pd.DataFrame, metric: str, reference: int, told: bool = True) -> pd.DataFrame:
    """Times at which layers are halfway from where they begin to the reference, for good.

    The rising fit of the similarity is crossed (:func:`embryology.analysis.crossings.lasting`), in between checkpoints
    linearly. Halfway is between the similarity of the first checkpoint and 1. A layer that is halfway at no checkpoint
    but the reference is not: that one is 1 by itself.

    Args:
        items: of the probe, of one series: ``step``, ``layer``, ``without``, ``words`` and the metric.
        metric: ``cka`` or ``pwcca``.
        reference: step of the checkpoint that the others are compared with.
        told: whether there are checkpoints enough.

    Returns:
        As :attr:`Settling.times`. Intervals are jackknife *t* intervals of the logarithm of the step over groups of
        documents, moved out to the checkpoints around; nan where one cannot be told.
    """
    table = items.pivot(index=["layer", "without"], columns="step", values=metric)
    steps, counts = table.columns.to_numpy(float), _counts(items)
    rows = {}
    for layer in table.index.unique("layer"):
        values = table.loc[layer].sort_index().to_numpy(float)  # (1 + groups, steps)
        row = {"state": UNTOLD, "step": np.nan, "low": np.nan, "high": np.nan, "spacing": np.nan}
        rows[layer] = row | {"begins": values[0, 0], "resampled": np.full(len(values), np.nan)}
        moved = intervals.jackknife(1 - values[:, 0], counts)[0]
        if not told or not np.isfinite(values).all() or not moved > 0:
            continue
        level = (values[:, 0] + 1) / 2
        at = crossings.lasting(steps, values[:, None], level[:, None])[:, 0]
        before, after = crossings.bracket(steps, at[:1])
        if not np.isfinite(at[0]) or (after[0] == reference and values[0, steps == before[0]][0] < level[0]):
            rows[layer]["state"] = NOT_REACHED
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = np.exp(intervals.jackknife(np.log(at), counts))
        ends = crossings.bracket(steps, np.array([low, high]))
        spacing = after[0] - before[0]
        rows[layer] |= {"state": REACHED, "step": at[0], "spacing": spacing, "resampled": at}
        rows[layer] |= {"low": min(ends[0][0], before[0]), "high": max(ends[1][1], after[0])}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("layer")


def _pairs(times: pd.DataFrame, counts: np.ndarray) -> pd.DataFrame:
    """Which of two layers settles first, by the jackknife of the ratio of their times.

    It cannot be told where the interval holds 1, where the two are closer than the checkpoints around, or where one
    of them has no time.
    """
    rows = []
    for lower, upper in itertools.combinations(times.index, 2):
        pair = times.loc[[lower, upper]]
        first = None
        gap = np.abs(pair["step"].diff().iloc[-1])
        if (pair["state"] == REACHED).all() and gap >= pair["spacing"].max():
            low, high = intervals.jackknife(np.log(pair["resampled"].iloc[1] / pair["resampled"].iloc[0]), counts)
            first = LOWER if low > 0 else UPPER if high < 0 else None
        rows.append((lower, upper, first))
    return pd.DataFrame(rows, columns=["lower", "upper", "first"])


def bottom_up(pairs: pd.DataFrame) -> str | None:
    """``lower`` where of all pairs that are told the lower layer settles first, ``upper`` where the upper one does,
    ``neither`` where both happen; None where no pair is told."""
    told = set(pairs["first"].dropna())
    if len(told) > 1:
        return "neither"
    return told.pop() if told else None
