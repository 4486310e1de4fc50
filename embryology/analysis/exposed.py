"""Words and facts by checkpoint, with how often each was read and asked for in between."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology.analysis import tables
from embryology.analysis.over_objects import with_known
from embryology.errors import EmbryologyError
from embryology.runs import measurements, properties
from embryology.runs.series import Series
from embryology.specs import knowledge, tokens
from embryology.specs.properties import EXPOSURE, FREQUENCY

BANDS = (1, 10, 100, 1000)
"""Sequences read in the whole run, from which on a band of frequency begins."""


@dataclass(frozen=True)
class Exposed:
    """Units by checkpoints."""

    name: str
    """What a unit is, "word types" or "facts"."""
    steps: np.ndarray
    """(s,) rising."""
    clusters: np.ndarray
    """(units,) int: what stands and falls together, and is resampled."""
    total: np.ndarray
    """(units,) sequences that have it, of all that the run reads up to the last checkpoint."""
    before: np.ndarray
    """(units,) those read up to the first of ``steps``."""
    read: np.ndarray
    """(units, s - 1) sequences between two checkpoints that have it."""
    masked: np.ndarray
    """(units, s - 1) those of them in which it is asked for."""
    log_probability: np.ndarray
    """(units, s), nats."""
    right: np.ndarray
    """(units, s) bool."""

    @property
    def own(self) -> np.ndarray:
        """(units, s): sequences read up to each checkpoint."""
        own: np.ndarray = self.before[:, None] + np.pad(self.read.cumsum(axis=1), ((0, 0), (1, 0)))
        return own

    @property
    def band(self) -> np.ndarray:
        """(units,) int: which of :data:`BANDS`, -1 of those that are never read."""
        band: np.ndarray = np.searchsorted(BANDS, self.total, side="right") - 1
        return band


def words(series: Series, steps: str = "all") -> Exposed | str:
    """Masked words by type, right where more than half of a type's are; or a clause that says why it cannot be told."""
    probe = tokens.SPECIFICATION.name
    for kind in (EXPOSURE, FREQUENCY):
        if reason := properties.lacking(series, probe, kind):
            return reason
    items = tables.select(measurements.read_items(series, probe), series, steps)
    items = items[items["task"] == tokens.MASK_PREDICTION]
    if "log_probability" not in items:
        return "log-probabilities were not kept when it was frozen"
    if items.empty:
        return "no words were masked"
    type_of = properties.read(series, probe, FREQUENCY).set_index("item_id")["type"]
    items = items.assign(unit=items["item_id"].map(type_of))
    counted = properties.read(series, probe, EXPOSURE)
    counted = counted.assign(unit=counted["item_id"].map(type_of))
    return _exposed("word types", items.assign(cluster=items["unit"]), counted)


def facts(series: Series, steps: str = "all") -> Exposed | str:
    """Facts of the run's first set, right where the answer is, and is not what the template says alone; or a clause.

    Facts whose object has several pieces are left out, as they are not answered.
    """
    probe = knowledge.SPECIFICATION.name
    if reason := properties.lacking(series, probe, EXPOSURE):
        return reason
    items = tables.select(measurements.read_items(series, probe), series, steps)
    first = next((name for name in knowledge.SPECIFICATION.tasks if (items["task"] == name).any()), None)
    items = items[(items["task"] == (first or items["task"].iloc[0])) & (items["pieces"] == 1)]
    if "log_probability" not in items:
        return "log-probabilities were not kept when it was frozen"
    counted = properties.read(series, probe, EXPOSURE)
    items = items[items["item_id"].isin(counted["item_id"][counted["task"] == items["task"].iloc[0]])]
    if items.empty:
        return "no facts with an object of one piece were asked about"
    items = with_known(items)
    cluster = items.groupby(["group", "object_number"]).ngroup()
    items = items.assign(unit=items["item_id"], cluster=cluster, correct=items["known"])
    return _exposed("facts", items, counted.assign(unit=counted["item_id"]))


def _exposed(name: str, items: pd.DataFrame, counted: pd.DataFrame) -> Exposed | str:
    values = items.groupby(["unit", "step"])[["log_probability", "correct"]].mean().unstack("step")
    if values.isna().any(axis=None):
        raise EmbryologyError(
            "the checkpoints of this run were measured on different items; measure all of them alike: embryology probe "
            "RUN"
        )
    units, steps = values.index, np.sort(items["step"].unique())
    if len(steps) < 2:
        return "it takes two checkpoints"
    counts = counted[counted["unit"].isin(units)].set_index(["unit", "step"])[["sequences", "masked"]].unstack("step")
    counts = counts.reindex(units)
    if counts.isna().any(axis=None):
        raise EmbryologyError("the exposure of some items was not counted: embryology count RUN")
    ends = counts["sequences"].columns.to_numpy()
    # Which of the chosen checkpoints is the first that has read what stands at each of all of them.
    interval = np.searchsorted(steps, ends)
    summed = {
        column: np.stack([counts[column].to_numpy()[:, interval == at].sum(axis=1) for at in range(len(steps))], axis=1)
        for column in ("sequences", "masked")
    }
    return Exposed(
        name,
        steps,
        pd.factorize(items.drop_duplicates("unit").set_index("unit")["cluster"].reindex(units))[0],
        counts["sequences"].to_numpy().sum(axis=1),
        summed["sequences"][:, 0],
        summed["sequences"][:, 1:],
        summed["masked"][:, 1:],
        values["log_probability"][steps].to_numpy(),
        values["correct"][steps].to_numpy() > 0.5,
    )
