"""Series that differ by their seed alone: do they end alike, and do they know the same facts?

An interval over facts or sentences tells what another sample of them would give; only another run tells what another
seed gives.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import curves, downstream, knowledge, over_objects, tables, trajectories
from embryology.analysis.knowledge import Followed
from embryology.analysis.trajectories import Trajectories
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.series import Series, seed_pairs
from embryology.specs import downstream as tasks
from embryology.specs import knowledge as facts
from embryology.specs import tokens

VALUES = ["value", "low", "high"]
DIFFERENCE = ["more", "more_low", "more_high"]
ENDS = ["one", "other", "measure", "step", *VALUES, *(f"{name}_other" for name in VALUES), *DIFFERENCE, "apart"]


def ends(series: Sequence[Series]) -> pd.DataFrame:
    """What every two series of one recipe score at the last checkpoint at which both were measured.

    Returns:
        A row a pair and measure that both have: ``one`` and ``other`` (names of series), ``measure``, ``step``,
        ``value``, ``low``, ``high`` of one and ``value_other``, ``low_other``, ``high_other``; ``more``, how much more
        the other has of the items that both were asked, with the 95% t interval ``more_low``, ``more_high``, paired
        over the probe's units, null where the measure is no share of items or no item differs; and ``apart``: whether
        that interval leaves out 0, or else the two intervals do not meet.
    """
    rows = []
    for one, other in seed_pairs(series):
        of_other = {curve.measure: curve for curve in _curves(other)}
        for curve in _curves(one):
            if curve.measure in of_other:
                theirs = of_other[curve.measure]
                both = curve.rows.merge(theirs.rows, on="step", suffixes=("", "_other"))
                for last in both.sort_values("step").tail(1).to_dict("records"):
                    more = dict(zip(DIFFERENCE, _more(curve, theirs, last["step"]), strict=True))
                    rows.append(last | more | {"one": one.name, "other": other.name, "measure": curve.measure})
    table = pd.DataFrame(rows, columns=ENDS[:-1])
    apart = table[["low", "low_other"]].max(axis=1) > table[["high", "high_other"]].min(axis=1)
    paired = (table["more_low"] > 0) | (table["more_high"] < 0)
    return table.assign(apart=paired.where(table["more_low"].notna(), apart))[ENDS]


@dataclass(frozen=True)
class Curve:
    """One measure of a series over its checkpoints."""

    measure: str
    rows: pd.DataFrame
    """``step``, ``value``, ``low``, ``high``."""
    right: Callable[[], pd.DataFrame] | None = None
    """Reads the items whose share it is: ``item_id``, ``step``, ``correct`` and their ``unit``."""


def _more(one: Curve, other: Curve, step: int) -> tuple[float, float, float]:
    """How much more the other has at a step, with its interval; nan where items cannot be paired."""
    if one.right is None or other.right is None:
        return np.nan, np.nan, np.nan
    first, second = (items[items["step"] == step].set_index("item_id") for items in (one.right(), other.right()))
    if first.empty or set(first.index) != set(second.index):
        return np.nan, np.nan, np.nan
    more = second["correct"].reindex(first.index).to_numpy(float) - first["correct"].to_numpy(float)
    if not more.any():
        return 0.0, np.nan, np.nan  # a variance of none would make it certain
    low, high = intervals.of_mean(*intervals.by_unit(more, first["unit"].to_numpy()))
    return float(more.mean()), float(low), float(high)


def _curves(series: Series) -> Iterator[Curve]:
    """The measures that a series has."""
    for probe, curves_of in HEADLINES.items():
        if measurements.lacking(series, probe) is None:
            yield from curves_of(series, tables.read([series], probe, measured=MEASURED.get(probe, measurements.read)))


def _of_words(series: Series, frame: pd.DataFrame) -> Iterator[Curve]:
    def right() -> pd.DataFrame:
        items = measurements.read_items(series, tokens.SPECIFICATION.name)
        words = items[items["task"] == tokens.RECONSTRUCTION]
        return words.assign(unit=words["sentence"])

    yield Curve("words reconstructed", curves.curve(frame, tokens.RECONSTRUCTION, ""), right)


def _of_facts(series: Series, frame: pd.DataFrame) -> Iterator[Curve]:
    def right(name: str, copies: bool) -> pd.DataFrame:
        items = measurements.read_items(series, facts.SPECIFICATION.name)
        items = items[(items["task"] == name) & (items["pieces"] == 1) & (copies | ~items["named"])]
        return items.assign(unit=items["group"].str.cat(items["object_number"].astype(str), sep=" "))

    for name in knowledge.sets(frame):
        label = knowledge.set_label(name)
        yield Curve(f"facts right, {label}", knowledge.curve(frame, name), partial(right, name, True))
        if len(unnamed := knowledge.curve(frame, f"{name}/{facts.NOT_NAMED}")):
            yield Curve(f"facts right that are not named, {label}", unnamed, partial(right, name, False))


def _of_frozen(series: Series, frame: pd.DataFrame) -> Iterator[Curve]:
    yield Curve("tasks, frozen", downstream.curve(downstream.with_mean(frame), downstream.MEAN))


def _of_finetuned(series: Series, frame: pd.DataFrame) -> Iterator[Curve]:
    yield Curve("tasks, fine-tuned", downstream.curve(downstream.with_mean(frame), downstream.MEAN))


HEADLINES: dict[str, Callable[[Series, pd.DataFrame], Iterator[Curve]]] = {
    tokens.SPECIFICATION.name: _of_words,
    facts.SPECIFICATION.name: _of_facts,
    tasks.FROZEN: _of_frozen,
    tasks.FINETUNE: _of_finetuned,
}
"""By probe what stands for it where seeds are compared, in the order of the table."""


MEASURED = {facts.SPECIFICATION.name: over_objects.measured}
"""What reads the rows of a probe where it is not the plain way."""


def same_facts(one: Series, other: Series) -> tuple[Followed, Followed]:
    """The facts of the first set that both have, at the checkpoints at which both were asked.

    Raises:
        EmbryologyError: one was not asked, or they were asked for different facts, or at no common checkpoint.
    """
    sets, others = (knowledge.sets(tables.read([each], facts.SPECIFICATION.name)) for each in (one, other))
    if of_both := [name for name in sets if name in others]:
        first, second = (knowledge.trajectories(each, of_both[0]) for each in (one, other))
        steps = np.intersect1d(first.paths.steps, second.paths.steps)
        alike = first.criterion == second.criterion and (first.chance is None) == (second.chance is None)
        if alike and first.paths.facts["item_id"].equals(second.paths.facts["item_id"]) and len(steps):
            first, second = (replace(each, paths=each.paths.at(steps)) for each in (first, second))
            return first, second
    raise EmbryologyError(f"{one.name} and {other.name} were not asked the same facts; measure both alike")


def overlap(
    one: Trajectories, other: Trajectories, draws: int = intervals.RESAMPLES, seed: int = intervals.SEED
) -> pd.DataFrame:
    """How far two runs know the same facts, at each of their checkpoints.

    The measure is Dice's (1945): the facts that both know, as a share of the mean of what each knows. ``chance`` is
    what it would be if what is known of a relation and object were drawn anew for each run, so that they shared which
    objects are easy and nothing of subjects. ``before`` is the overlap of a run with itself at the checkpoint before,
    the mean of both runs. nan where nothing is known, and at the first checkpoint.

    Args:
        one, other: of the same facts at the same checkpoints.

    Returns:
        ``step``, ``one``, ``other`` and ``both`` (facts known), ``value`` with ``low`` and ``high`` (95% bootstrap over
        relations' objects; nan where few of them know any), ``chance``, ``before``.
    """
    of_one, of_other = (_sums(run.known, one.clusters) for run in (one, other))
    both = _sums(one.known & other.known, one.clusters)
    sizes = np.bincount(one.clusters)[:, None]
    drawn = intervals.bootstrap_means(2 * both, of_one + of_other, intervals.resamples(len(sizes), draws, seed))
    low, high = intervals.percentile_interval(drawn)
    few = np.count_nonzero(of_one + of_other, axis=0) < intervals.LEAST_OF_BOOTSTRAP
    low, high = (np.where(few, np.nan, end) for end in (low, high))
    before = np.mean([_dice(run.known[:, 1:], run.known[:, :-1]) for run in (one, other)], axis=0)
    return pd.DataFrame(
        {
            "step": one.steps,
            "one": one.known.sum(axis=0),
            "other": other.known.sum(axis=0),
            "both": both.sum(axis=0),
            "value": _dice(one.known, other.known),
            "low": low,
            "high": high,
            "chance": _share(2 * (of_one * of_other / sizes).sum(axis=0), (of_one + of_other).sum(axis=0)),
            "before": [np.nan, *before],
        }
    )


def same_order(one: Trajectories, other: Trajectories) -> tuple[float, float, float]:
    """Spearman's correlation, within relations, of when facts are first right in two runs; and its 95% interval."""
    first = trajectories.events(other.known)["first"].to_numpy(float)
    return trajectories.rank_correlation(one, -np.where(first < 0, len(other.steps), first))


def _sums(known: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """(clusters, t) how many facts of each are known."""
    sums = np.zeros((clusters.max() + 1, known.shape[1]))
    np.add.at(sums, clusters, known)
    return sums


def _dice(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(t,) of (facts, t) twice."""
    return _share(2.0 * (one & other).sum(axis=0), one.sum(axis=0) + other.sum(axis=0))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    shares = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
