"""A recipe over its seeds: the curve of each, and the median of those that were measured alike."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import curves, downstream, edges, knowledge, over_objects, tables
from embryology.runs import measurements
from embryology.runs.series import Series, of_one_recipe
from embryology.specs import UNTRAINED, tokens
from embryology.specs import downstream as tasks
from embryology.specs import edges as labels
from embryology.specs import knowledge as facts


class Measure(NamedTuple):
    """One number of every checkpoint of a series."""

    name: str
    curve: pd.DataFrame
    """``step`` and ``value``, a share."""
    levels: dict[str, float]
    """Baselines that are one number, by their names in the specifications."""


Measures = Callable[[pd.DataFrame, pd.DataFrame], Iterable[Measure]]
"""Those of a probe, of the rows of a series and of the first seed's, which chooses what of several is drawn."""


@dataclass(frozen=True)
class OverSeeds:
    """Measures of several seeds. :func:`read` makes it."""

    curves: pd.DataFrame
    """A row a ``measure``, ``series``, ``seed`` and ``step``: its ``value``."""
    medians: pd.DataFrame
    """A row a ``measure`` and ``step``: the median ``value`` of so many ``seeds``, and ``low`` and ``high``, the 95% t
    interval of their mean; nan for fewer than three seeds, or of which none differs from another."""
    levels: dict[str, dict[str, float]]
    """By measure the baselines of the first seed."""
    remarks: tuple[str, ...]
    """What is missing, and why: sentences."""


def group(series: Sequence[Series]) -> list[Series]:
    """The seeds of the recipe of the first series, that first; empty where there is no other."""
    return next((seeds for seeds in of_one_recipe(series) if seeds[0] is series[0]), [])


def read(seeds: Sequence[Series], probes: dict[str, Measures], steps: str = "all") -> OverSeeds:
    """Curves of seeds, and their medians, which are taken at steps that all seeds have, measured alike.

    Args:
        seeds: of :func:`group`.
        probes: what is drawn of each probe, :data:`HEADLINES` or :data:`GROUPS`.
        steps: which checkpoints of the first seed, and of the others at the same steps.

    Raises:
        EmbryologyError: as :func:`embryology.analysis.tables.read`.
    """
    chosen = None if steps == "all" else {checkpoint.step for checkpoint in seeds[0].select(str(steps))}
    drawn, medians, remarks = [], [], []
    levels: dict[str, dict[str, float]] = {}
    for probe, measures in probes.items():
        reasons = {each.name: reason for each in seeds if (reason := measurements.lacking(each, probe))}
        measured = [each for each in seeds if each.name not in reasons]
        if not measured:
            continue
        remarks += [f"{name} is not drawn: {reason}." for name, reason in reasons.items()]
        read_by = over_objects.measured if probe == facts.SPECIFICATION.name else measurements.read
        frames = [tables.read([each], probe, measured=read_by) for each in measured]
        made = []
        for each, frame in zip(measured, frames, strict=True):
            for measure in measures(frame, frames[0]):
                levels.setdefault(measure.name, measure.levels)
                named = {"measure": measure.name, "series": each.name, "seed": each.seed}
                made.append(measure.curve[["step", "value"]].assign(**named))
        rows = pd.concat(made, ignore_index=True)
        drawn.append(rows if chosen is None else rows[rows["step"].isin(chosen)])
        if other := _measured_otherwise(measured, probe):
            remarks.append(
                f"No median is taken of what probe {probe} measured: {other} was measured with other settings, data or "
                f"another tokenizer than {measured[0].name}."
            )
            continue
        same = _same_weights(frames)
        remarks += [
            f"{a} at step {s:,} and {b} at step {t:,} are the same weights: no median there." for a, s, b, t in same
        ]
        left_out = {step for _, one, _, other in same for step in (one, other)}
        medians.append(_medians(drawn[-1][~drawn[-1]["step"].isin(left_out)], len(measured)))
    columns = ["measure", "series", "seed", "step", "value"]
    return OverSeeds(
        pd.concat(drawn, ignore_index=True)[columns] if drawn else pd.DataFrame(columns=columns),
        pd.concat(medians, ignore_index=True) if medians else _medians(pd.DataFrame(columns=columns), 0),
        levels,
        tuple(dict.fromkeys(remarks)),
    )


def _measured_otherwise(measured: Sequence[Series], probe: str) -> str | None:
    """The first series whose measurements count under another configuration than those of the first."""
    first, *others = (measurements.standing(each.folder)[probe] for each in measured)
    return next((each.name for each, other in zip(measured[1:], others, strict=True) if other != first), None)


def _same_weights(frames: Sequence[pd.DataFrame]) -> list[tuple[str, int, str, int]]:
    """Series and steps of each two measurements of different series with one key, and so of the same weights."""
    measured = [frame[frame["baseline"] != UNTRAINED] for frame in frames]  # which has the key of step 0 everywhere
    keys = pd.concat([frame[["key", "series", "step"]].drop_duplicates() for frame in measured])
    pairs = keys.merge(keys, on="key", suffixes=("", "_other"))
    order = {frame["series"].iloc[0]: number for number, frame in enumerate(frames)}
    pairs = pairs[pairs["series"].map(order) < pairs["series_other"].map(order)]
    return list(pairs[["series", "step", "series_other", "step_other"]].itertuples(index=False, name=None))


def _medians(rows: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """Of curves of so many seeds, at the steps that all of them have."""
    made = []
    for measure, of_measure in rows.groupby("measure", sort=False):
        values = of_measure.pivot(index="step", columns="series", values="value").dropna()
        if values.shape[1] == seeds > 1:
            array = values.to_numpy(float).T  # (seeds, steps)
            low, high = intervals.of_mean(array, np.ones_like(array))
            certain = np.ptp(array, axis=0) == 0  # a variance of none would make it so
            ends = {"low": np.where(certain, np.nan, low), "high": np.where(certain, np.nan, high)}
            made.append(
                pd.DataFrame({"measure": measure, "step": values.index, "value": np.median(array, axis=0)} | ends)
            )
    columns = ["measure", "step", "value", "low", "high"]
    table = pd.concat(made, ignore_index=True) if made else pd.DataFrame(columns=columns)
    return table.assign(seeds=seeds)


def _words(frame: pd.DataFrame, first: pd.DataFrame, tags: Sequence[str] = ("",)) -> Iterator[Measure]:
    names = curves.groups(first)
    for tag in tags:
        levels = curves.baselines(frame, tokens.RECONSTRUCTION, tag)
        name = f"{tag} {names[tag]}" if tag else "words reconstructed"
        values = {baseline: float(level["value"]) for baseline, level in levels.items()}
        yield Measure(name, curves.curve(frame, tokens.RECONSTRUCTION, tag), values)


def _groups(frame: pd.DataFrame, first: pd.DataFrame) -> Iterator[Measure]:
    return _words(frame, first, list(curves.groups(first)))


def _facts(frame: pd.DataFrame, first: pd.DataFrame) -> Iterator[Measure]:
    for name in knowledge.sets(frame):
        common = knowledge.curve(frame, name, baseline=facts.MAJORITY)
        levels = {facts.MAJORITY: float(common["value"].iloc[-1])} if len(common) else {}
        yield Measure(f"facts right, {knowledge.set_label(name)}", knowledge.curve(frame, name), levels)


def _labels(frame: pd.DataFrame, first: pd.DataFrame) -> Iterator[Measure]:
    layer = edges.best_layer(first)
    for task in edges.tasks(frame):
        majority = edges.curve(frame, task, None, baseline=labels.MAJORITY)
        levels = {labels.MAJORITY: float(majority["value"].iloc[-1])} if len(majority) else {}
        yield Measure(f"{edges.label(task)}, layer {layer}", edges.curve(frame, task, layer), levels)


def _tasks(how: str) -> Measures:
    def of(frame: pd.DataFrame, first: pd.DataFrame) -> Iterator[Measure]:
        scored = downstream.with_mean(frame)
        levels = {name: downstream.baseline(scored, downstream.MEAN, name) for name in tasks.BASELINES}
        yield Measure(f"tasks, {how}", downstream.curve(scored, downstream.MEAN), levels)

    return of


HEADLINES: dict[str, Measures] = {
    tokens.SPECIFICATION.name: _words,
    facts.SPECIFICATION.name: _facts,
    labels.SPECIFICATION.name: _labels,
    tasks.FROZEN: _tasks("frozen"),
    tasks.FINETUNE: _tasks("fine-tuned"),
}
"""By probe what stands for it."""
GROUPS: dict[str, Measures] = {tokens.SPECIFICATION.name: _groups}
"""The nine groups of words."""
