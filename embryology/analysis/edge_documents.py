"""Edge probes resampled by document: when and where skills rise, with intervals, and layers chosen on other documents.

The items say for every layer whether it is right, so that whole documents can be drawn again, at all checkpoints and
layers at once. What is chosen as the best of many, a layer or a checkpoint, is chosen on one half of the documents and
scored on the other one, both ways round.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import crossings, edges
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs.edges import SPECIFICATION, STATIC_LAYER


@dataclass(frozen=True)
class Documents:
    """What a task's test edges are worth, by document."""

    steps: np.ndarray
    """(steps,) rising."""
    right: np.ndarray
    """(documents, steps, layers): how many edges are answered rightly."""
    edges: np.ndarray
    """(documents,): how many there are."""

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """(draws, steps, layers): micro F1 of documents that are drawn as often as ``weights`` (draws, documents)."""
        shares: np.ndarray = np.tensordot(weights, self.right, axes=1) / (weights @ self.edges)[:, None, None]
        return shares


def lacking(series: Series) -> str | None:
    """Why nothing can be told by document, as a clause; None where it can."""
    if reason := measurements.lacking(series, SPECIFICATION.name):
        return reason
    columns = measurements.read_items(series, SPECIFICATION.name).columns
    return None if "layers" in columns else "the answers of single layers were not kept when it was frozen"


def read(series: Series, frame: pd.DataFrame) -> dict[str, Documents]:
    """By task, the answers of the probe's first seed; empty where they were not kept.

    Args:
        series: one of ``frame``.
        frame: of :func:`embryology.analysis.tables.read`; layers and steps that it has are read.
    """
    if lacking(series):
        return {}
    rows = frame[frame["series"] == series.name]
    layers = int(rows["layer"].max()) + 1
    items = measurements.read_items(series, SPECIFICATION.name, ["task", "sentence", "layers", "step"])
    items = items[items["step"].isin(rows["step"])]
    items = items.assign(document=measurements.documents(items["sentence"]))
    right = {layer: items["layers"].to_numpy() >> layer & 1 for layer in range(layers)}
    by = items[["task", "document", "step"]].assign(edges=1, **{str(layer): bits for layer, bits in right.items()})
    sums = by.groupby(["task", "document", "step"], sort=True).sum()
    found = {}
    for task, table in sums.groupby(level="task"):
        wide = table.droplevel("task").unstack("step")
        steps = wide["edges"].columns.to_numpy()
        counts = np.stack([wide[str(layer)].to_numpy() for layer in range(layers)], axis=-1)
        found[str(task)] = Documents(steps, counts, wide["edges"].iloc[:, 0].to_numpy())
    return found


def half_gain(documents: Documents, layer: int) -> tuple[float, float]:
    """The interval of the step at which a layer has half of its gain from the first checkpoint to the last.

    Its ends move out to the checkpoints around, and are infinite beyond the first and the last one. One is -inf where
    samples have it at the first checkpoint; both are nan where a sample has no gain, or documents do not show that
    there is one, so that its half is nowhere, or documents are too few.
    """
    steps = documents.steps
    if not intervals.of_mean(documents.right[:, -1, layer] - documents.right[:, 0, layer], documents.edges)[0] > 0:
        return np.nan, np.nan

    def log_step(scores: np.ndarray) -> np.ndarray:
        first, last = scores[:, 0, layer], scores[:, -1, layer]
        with np.errstate(divide="ignore"):  # -inf: at the first checkpoint already
            logs = np.log1p(crossings.first_crossing(steps, scores[:, :, layer], (first + last) / 2).clip(-1))
        return np.where(last > first, logs, np.nan)

    ends = np.round(np.expm1(_interval(documents, log_step)), 6)  # a checkpoint stays one
    ends = np.where(ends < steps[0], -np.inf, np.where(ends > steps[-1], np.inf, ends))
    before, after = crossings.bracket(steps, ends)
    return float(before[0]), float(after[1])


def _interval(documents: Documents, of: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """The 95% interval over documents of what ``of`` makes of scores (draws, steps, layers): percentiles of a
    bootstrap, the jackknife's where they are few for that; nan where it is nan of any sample."""
    count = len(documents.edges)
    if count < intervals.LEAST_OF_SHARE:
        return np.nan, np.nan
    few = count < intervals.LEAST_OF_BOOTSTRAP
    values = of(documents.scores(np.vstack([np.ones(count), 1 - np.eye(count)]) if few else intervals.resamples(count)))
    if np.isnan(values).any():
        return np.nan, np.nan
    ends = intervals.jackknife(values, documents.edges) if few else intervals.percentile_interval(values)
    low, high = map(float, ends)
    return low, high


def half_gains(frame: pd.DataFrame, layer: int, documents: dict[str, Documents] | None) -> pd.DataFrame:
    """:func:`embryology.analysis.edges.half_gains`, with intervals by :func:`half_gain` where there is one."""
    halves = edges.half_gains(frame, layer)
    for task, of_task in (documents or {}).items():
        low, high = half_gain(of_task, layer)
        if task in halves.index and not np.isnan(low):
            halves.loc[task, ["low", "high"]] = low, high
    return halves


def centre_of_gravity(documents: Documents) -> tuple[float, float]:
    """The interval of the mean layer at the last checkpoint, weighted as in
    :func:`embryology.analysis.edges.centre_of_gravity`; nan where documents are too few."""

    def centre(scores: np.ndarray) -> np.ndarray:
        gains = (scores[:, -1] - scores[:, -1, [STATIC_LAYER]]).clip(min=0)
        with np.errstate(invalid="ignore"):
            centres: np.ndarray = gains @ np.arange(gains.shape[1]) / gains.sum(axis=1)
        return centres

    return _interval(documents, centre)


def chosen(documents: Documents) -> dict[str, object]:
    """The best layer at the last checkpoint, and the best checkpoint of that layer, of every half of the documents, and
    what they score on the other half.

    Returns:
        ``layers`` and ``steps``, of both halves; ``score`` of the layers, ``gain`` of them over the static embeddings,
        and ``best_gain`` of the best checkpoints over the last one, each with ``_low`` and ``_high`` over documents
        (nan where they are too few); empty where there is a single document.
    """
    halves = np.arange(len(documents.edges)) % 2
    last, layers, steps = np.empty((3, *documents.edges.shape)), [], []
    for half in (0, 1):
        weights = (halves == half).astype(float)[None]
        if not weights.any():
            return {}
        scores, other = documents.scores(weights)[0], halves != half
        layer = int(scores[-1].argmax())
        step = int(scores[:, layer].argmax())
        layers.append(layer)
        steps.append(int(documents.steps[step]))
        right = documents.right[other]
        score = right[:, -1, layer]
        last[:, other] = score, score - right[:, -1, STATIC_LAYER], right[:, step, layer] - score
    found: dict[str, object] = {"layers": layers, "steps": steps}
    for name, sums in zip(("score", "gain", "best_gain"), last, strict=True):
        low, high = map(float, intervals.of_mean(sums, documents.edges))
        found |= {name: sums.sum() / documents.edges.sum(), f"{name}_low": low, f"{name}_high": high}
    return found


def choices(documents: dict[str, Documents]) -> pd.DataFrame:
    """:func:`chosen` of every task of :func:`read` that has two documents or more: a row a task, with its number of
    ``documents`` and its ``last`` step."""
    rows = [
        {"task": task, "documents": len(of.edges), "last": int(of.steps[-1])} | chosen(of)
        for task, of in documents.items()
    ]
    return pd.DataFrame([row for row in rows if "layers" in row])
