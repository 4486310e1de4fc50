"""When attention patterns form, when heads find syntax, and how suddenly: times as those of words.

A pattern of a layer is told of the layer's head that attends so most at the end: half of the documents choose it, and
it is followed through training on the other half, and the other way round. What single heads do is told of each,
chosen by nobody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import blind_answers, crossings, plateau, tables
from embryology.analysis.learning_order import FEWEST_SENTENCES, of_gains, untellable
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs.attention import (
    ACCURACY,
    ATTACHMENT,
    BEST,
    MAPS,
    MASSES,
    OFFSET,
    PATTERNS,
    SPECIFICATION,
    UNIFORM,
)

ALL = ""
"""The group of all relations together."""


@dataclass(frozen=True)
class Formation:
    """What one series says of when its attention formed. Times are tables as of
    :func:`embryology.analysis.learning_order.of_gains`."""

    source: str
    """Whose heads, on which text."""
    relations: pd.DataFrame
    """Times at which the chosen head finds a relation beyond all baselines; :data:`ALL` first."""
    attached: pd.DataFrame
    """The same of :data:`ALL` beyond uniform attention and the untrained model alone, as others tell it, who have no
    offsets beside (Chen et al. 2024): attention to neighbours finds heads, too."""
    patterns: dict[str, pd.DataFrame]
    """By kind of mass times by layer ("layer 1") of its chosen head,"""
    heads: dict[str, pd.DataFrame]
    """and of each head ("1-3")."""
    curves: pd.DataFrame
    """Of the chosen heads: ``pattern``, ``layer``, ``step``, ``value``, ``low``, ``high``."""
    maps: pd.DataFrame
    """``sentence``, ``layer``, ``head``, ``step``, ``pieces`` (a list) and ``map``, an array of 0 to 1."""
    frequency: pd.Series | str
    """``step``, ``low`` and ``high`` at which the held-out loss falls below what frequencies alone give; or why that is
    not known."""


def relations(frame: pd.DataFrame) -> list[str]:
    """The relations that have rows of their own, the most frequent first.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, as everywhere here.
    """
    rows = tables.of(frame, f"{ATTACHMENT}/{BEST}", ACCURACY, UNIFORM)
    counts = rows[rows["group"] != ALL].groupby("group")["n"].first()
    return list(counts.sort_values(ascending=False, kind="stable").index)


def found(
    frame: pd.DataFrame, relation: str, baseline: str | None = None, layer: int | None = None, series: str | None = None
) -> pd.DataFrame:
    """How often the chosen head finds the heads of one relation, over steps; empty where it was not measured."""
    rows = tables.of(frame, f"{ATTACHMENT}/{BEST}", ACCURACY, baseline, series)
    rows = rows[(rows["group"] == relation) & (rows["layer"].isna() if layer is None else rows["layer"] == layer)]
    return rows.sort_values("step")[tables.CURVE].reset_index(drop=True)


def mean_of_heads(frame: pd.DataFrame, metric: str, layer: int | None, baseline: str | None = None) -> pd.DataFrame:
    """A statistic over steps, the mean of a layer's heads; of uniform attention ``layer`` is None."""
    rows = tables.of(frame, PATTERNS, metric, baseline)
    rows = rows[rows["layer"].isna() if layer is None else rows["layer"] == layer]
    return rows.sort_values("step")[tables.CURVE].reset_index(drop=True)


def best_heads(frame: pd.DataFrame) -> pd.DataFrame:
    """By relation the head and direction that finds most at the last checkpoint, on the items that score it.

    Returns:
        A row a relation: ``layer``, ``head``, ``direction``, ``value``.
    """
    own = frame[(frame["series"] == tables.main_series(frame)) & frame["baseline"].isna()]
    rows = own[own["task"].str.fullmatch(rf"{ATTACHMENT}/.*/head-\d+") & (own["step"] == own["step"].max())]
    best = rows.loc[rows.groupby("group")["value"].idxmax()].set_index("group")
    parts = best["task"].str.split("/", expand=True)
    return pd.DataFrame(
        {
            "layer": best["layer"].astype(int),
            "head": parts[2].str.removeprefix("head-").astype(int),
            "direction": parts[1],
            "value": best["value"],
        }
    )


def read(series: Series, frame: pd.DataFrame, seed: int = intervals.SEED) -> Formation:
    """What formed when, in the series and at the checkpoints of ``frame``.

    Raises:
        EmbryologyError: there are no items, or checkpoints were measured on different text.
    """
    items = measurements.read_items(series, SPECIFICATION.name)
    steps = np.sort(frame.loc[frame["series"] == tables.main_series(frame), "step"].unique())
    items = items[items["step"].isin(steps)]
    told = untellable(frame) is None
    names, groups, values = _masses(items[items["task"] == PATTERNS], steps)
    weights = _weights(len(names), seed)
    halves = _halves(names)
    patterns, heads, curves = {}, {}, []
    even = values[:, groups.index(UNIFORM)]
    groups = [group for group in groups if group != UNIFORM]
    layers = np.array([int(group.split("-")[0]) for group in groups])
    for number, mass in enumerate(MASSES):
        own = values[:, : len(groups), :, number]
        if np.isnan(own).all():  # no separators, or no token before another
            continue
        chosen, labels = _specialists(own, layers, halves), [f"layer {layer}" for layer in np.unique(layers)]
        blind = even[:, None, :, number]
        patterns[mass], resampled = _times(labels, steps, chosen, blind, weights, told, seed)
        heads[mass], _ = _times(groups, steps, own, blind, weights, told, seed)
        low, high = intervals.percentile_interval(resampled[1:])
        for place, layer in enumerate(np.unique(layers)):
            ends = {"value": resampled[0, place], "low": low[place], "high": high[place]}
            curves.append(pd.DataFrame({"pattern": mass, "layer": layer, "step": steps, **ends}))
    relations_times, attached = _relations(frame, items[items["task"] == ATTACHMENT], steps, told, seed)
    return Formation(
        source=measurements.source_of(items),
        relations=relations_times,
        attached=attached,
        patterns=patterns,
        heads=heads,
        curves=pd.concat(curves, ignore_index=True),
        maps=kept_maps(items),
        frequency=beyond_frequency(series, steps),
    )


def _masses(items: pd.DataFrame, steps: np.ndarray) -> tuple[list[str], list[str], np.ndarray]:
    """Sentences, heads with ``uniform`` as the last, and (sentences, heads, steps, masses)."""
    names = list(items["sentence"].unique())
    heads = sorted(set(items["group"]) - {UNIFORM}, key=lambda group: tuple(map(int, group.split("-"))))
    groups = [*heads, UNIFORM]
    place = (
        pd.Index(names).get_indexer(items["sentence"]),
        pd.Index(groups).get_indexer(items["group"]),
        np.searchsorted(steps, items["step"].to_numpy()),
    )
    values = np.full((len(names), len(groups), len(steps), len(MASSES)), np.nan)
    values[place] = items[[*MASSES]].to_numpy(float)
    return names, groups, values


def _halves(names: Sequence[str]) -> np.ndarray:
    """(sentences,) 0 or 1: documents by turns, or of one document sentences."""
    documents = pd.factorize(measurements.documents(pd.Series(names)))[0]
    return documents % 2 if documents.max() else np.arange(len(names)) % 2


def _specialists(values: np.ndarray, layers: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """(sentences, layers, steps): of each layer the head that is highest at the end on the other half's sentences.

    Args:
        values: (sentences, heads, steps).
        layers: (heads,).
        halves: of :func:`_halves`; where there is one alone, as of one sentence, nothing can be chosen: nan.
    """
    chosen = np.full((len(values), len(np.unique(layers)), values.shape[-1]), np.nan)
    for half in (0, 1):
        here, elsewhere = halves == half, halves != half
        if not elsewhere.any():
            continue
        ends = np.nanmean(values[elsewhere][..., -crossings.LAST :], axis=(0, -1))
        for place, layer in enumerate(np.unique(layers)):
            best = np.where(layers == layer, ends, -np.inf).argmax()
            chosen[here, place] = values[here, best]
    return chosen


def _weights(sentences: int, seed: int) -> np.ndarray:
    """First what was measured, then resamples of sentences."""
    return np.vstack([np.ones(sentences), intervals.resamples(sentences, seed=seed)])


def _times(
    names: Iterable[str],
    steps: np.ndarray,
    values: np.ndarray,
    even: np.ndarray,
    weights: np.ndarray,
    told: bool,
    seed: int,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Times of curves of which (sentences, curves, steps) are given, and the resampled curves.

    Blind are uniform attention and the untrained model.
    """
    resampled = _means(values, weights)
    blind = _means(even, weights)[..., -1]
    if not steps[0]:
        blind = np.fmax(blind, resampled[..., 0])
    enough = told & (np.isfinite(values[..., -1]).sum(axis=0) >= FEWEST_SENTENCES)
    blind = np.broadcast_to(blind, resampled.shape[:-1])
    return of_gains(names, steps, resampled, blind, enough, seed), resampled


def _means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws, ...) of (sentences, ...), over those that have one."""
    return intervals.bootstrap_means(np.nan_to_num(values), np.isfinite(values).astype(float), weights)


def _relations(
    frame: pd.DataFrame, items: pd.DataFrame, steps: np.ndarray, told: bool, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Times of relations beyond the offset, uniform attention and the untrained model; and of all together beyond the
    last two alone. Empty where nothing was chosen, as of one sentence."""
    if "correct" not in items or items["correct"].isna().all():
        none = of_gains([ALL], steps, np.zeros((2, 1, len(steps))), np.zeros((2, 1)), np.zeros(1, bool), seed)[:0]
        return none, none
    tags = [ALL, *relations(frame)]
    items = pd.concat([items, items.assign(group=ALL)])
    items = items[items["group"].isin(tags)]
    weights = _weights(items["sentence"].nunique(), seed)

    def means(column: str, at: np.ndarray) -> np.ndarray:
        return intervals.bootstrap_means(*blind_answers.by_sentence(items, tags, at, column), weights)

    values = means("correct", steps)
    even, offset = (means(name, steps[-1:])[..., 0] for name in (UNIFORM, OFFSET))
    blind = np.fmax(even, values[..., 0]) if not steps[0] else even
    _, counts = blind_answers.by_sentence(items, tags, steps[-1:])
    enough = told & (np.count_nonzero(counts[..., -1], axis=0) >= FEWEST_SENTENCES)
    return (
        of_gains(tags, steps, values, np.fmax(blind, offset), enough, seed),
        of_gains([ALL], steps, values[:, :1], blind[:, :1], enough[:1], seed),
    )


def beyond_frequency(series: Series, steps: np.ndarray) -> pd.Series | str:
    """When the held-out masked loss falls below the unigram cross-entropy, for good: what frequency alone predicts.

    Linear between evaluations; the interval reaches from the last evaluation whose own interval is not below, to the
    first one from which on all are.

    Returns:
        ``step``, ``low``, ``high``; or why there is none, as a clause.
    """
    if series.losses is None:
        return "the losses of its training are not known"
    losses = plateau.read([series])
    losses = losses[losses["step"] <= steps[-1]].dropna(subset=["held_out_masked_loss", "unigram_loss"])
    at, loss, high = (
        losses[name].to_numpy(float) for name in ("step", "held_out_masked_loss", "held_out_masked_loss_high")
    )
    if not len(at):
        return "its held-out loss was not measured"
    line = losses["unigram_loss"].to_numpy(float)
    above = np.flatnonzero(~(np.where(np.isnan(high), loss, high) < line))
    if len(above) and above[-1] == len(at) - 1:
        return "its held-out loss does not fall below what frequencies alone give"
    if not len(above):
        return "its held-out loss is below what frequencies alone give at the first checkpoint"
    step = float(crossings.lasting(at, (line - loss)[None], np.zeros(1))[0])
    low, above_last = at[np.flatnonzero(loss >= line)[-1]] if (loss >= line).any() else at[0], at[above[-1] + 1]
    return pd.Series({"step": float(np.clip(step, low, above_last)), "low": float(low), "high": float(above_last)})


def kept_maps(items: pd.DataFrame) -> pd.DataFrame:
    """The maps of the project's own sentences, a row a sentence, head and checkpoint; none where none were kept."""
    rows = []
    for each in items[items["task"] == MAPS].itertuples():
        pieces = str(each.pieces).split(" ")
        layer, head = map(int, str(each.group).split("-"))
        square = np.frombuffer(bytes.fromhex(each.map), np.uint8).reshape(len(pieces), len(pieces)) / 255
        rows.append((each.sentence, layer, head, each.step, pieces, square))
    return pd.DataFrame(rows, columns=["sentence", "layer", "head", "step", "pieces", "map"])


def beside(times: pd.Series, other: pd.Series) -> str | None:
    """Whether a time comes ``before`` or ``after`` another one, interval against interval; None where they overlap."""
    if times["high"] <= other["low"]:
        return "before"
    return "after" if times["low"] >= other["high"] else None
