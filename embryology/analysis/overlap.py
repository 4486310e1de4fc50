"""Test text in the training text: how much of each item set, and what scores are without it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import tables
from embryology.runs import measurements, properties
from embryology.runs.series import Series
from embryology.specs import knowledge, registry
from embryology.specs.downstream import SCORED
from embryology.specs.properties import OVERLAP

FEWEST = 30
"""Documents or passages that overlap, below which a bootstrap covers too little for an interval."""


def read(series: Series, probe: str, steps: str = "all") -> pd.DataFrame:
    """The items of a probe at the last of the checkpoints that ``steps`` names, each once.

    Returns:
        ``task``, ``item_id``, the columns of the properties, ``overlaps`` (a sentence or an n-gram of it stands in the
        training text), ``unit``, the document of its sentence or, where it is of no treebank, its passage, and
        ``correct``, the mean over seeds; nan where an item has no right or wrong.

    Raises:
        EmbryologyError: the probe has not measured, has no items, or overlap was not counted.
    """
    kept = [name for name in ("seed", "pieces", "sentence") if name in registry.get(probe).kept_items]
    items = measurements.read_items(series, probe, ["task", "item_id", "step", "correct", *kept])
    items = tables.select(items, series, steps)
    items = items[items["step"] == items["step"].max()]
    if "pieces" in kept:  # facts whose object has several are not answered
        items = items.assign(correct=items["correct"].where(items["pieces"] == 1))
    items = items.rename(columns={"sentence": "unit"}).astype({"correct": float})
    items["correct"] = items["correct"].where(~items["task"].isin(SCORED))
    by = items.groupby(["task", "item_id"], as_index=False, sort=False)
    scored = by.agg({"correct": "mean"} | ({"unit": "first"} if "unit" in items else {}))
    counted = properties.read(series, probe, OVERLAP)
    names = [name for name in ("task", "item_id") if name in counted]
    table = scored.merge(counted, on=names, how="left", validate="many_to_one")
    unit = measurements.documents(table["unit"]) if "unit" in table else table["passage"]
    return table.assign(overlaps=table["sentence"] | table["ngram"], unit=unit)


def table(series: Series, steps: str = "all") -> pd.DataFrame:
    """How much of every task overlaps, and its share of right answers with and without that.

    Returns:
        A row a task of every probe whose items were counted: ``probe``, ``task``; ``items``; of those long enough, how
        many have a ``sentence`` in the training text and an ``ngram``, as shares (nan where none is long enough);
        ``overlapping`` items and the ``units`` they are of; ``score``, ``without`` them, and the ``difference`` of
        the two with a paired bootstrap over units (``low``, ``high``: nan below :data:`FEWEST` that overlap).
    """
    rows = []
    for probe in properties.counted(series, OVERLAP):
        for task, items in read(series, probe, steps).groupby("task", sort=False):
            rows.append({"probe": probe, "task": str(task)} | _compared(items))
    return pd.DataFrame(rows)


def _compared(items: pd.DataFrame) -> dict[str, float]:
    shares = {
        kind: items.loc[items[f"has_{kind}"], kind].mean() if items[f"has_{kind}"].any() else np.nan
        for kind in ("sentence", "ngram")
    }
    counts = {
        "items": len(items),
        "overlapping": int(items["overlaps"].sum()),
        "units": items.loc[items["overlaps"], "unit"].nunique(),
    }
    answered = items.dropna(subset=["correct"])
    values, without = answered["correct"].to_numpy(), ~answered["overlaps"].to_numpy(bool)
    scores = dict.fromkeys(["score", "without", "difference", "low", "high"], np.nan)
    if without.any():
        scores |= {"score": values.mean(), "without": values[without].mean()}
        scores["difference"] = scores["score"] - scores["without"]
    if without.any() and answered.loc[~without, "unit"].nunique() >= FEWEST:
        units, _ = pd.factorize(answered["unit"])
        weights = np.stack([np.ones(len(values)), without], axis=1)
        sums, sizes = (
            np.stack([np.bincount(units, column) for column in columns.T], axis=1)
            for columns in (weights * values[:, None], weights)
        )
        means = intervals.bootstrap_means(sums, sizes, intervals.resamples(len(sums)))
        low, high = intervals.percentile_interval(means[:, 0] - means[:, 1])
        scores |= {"low": float(low), "high": float(high)}
    return shares | counts | scores


def shares(series: Sequence[Series]) -> pd.DataFrame:
    """The columns ``items``, ``sentence`` and ``ngram`` of :func:`table` for several series, whose ``series`` says
    which."""
    counted = [table(each).assign(series=each.name) for each in series if properties.counted(each, OVERLAP)]
    return pd.concat(counted, ignore_index=True)[["series", "probe", "task", "items", "sentence", "ngram"]]


def held_out_facts(series: Series) -> tuple[int, int]:
    """How many facts are of articles that were kept out of training, and of how many both names stand together in a
    sentence of another article all the same; 0 where none is known to be."""
    if measurements.lacking(series, knowledge.SPECIFICATION.name):
        return 0, 0
    items = measurements.read_items(series, knowledge.SPECIFICATION.name, ["item_id", "task", "held_out", "together"])
    items = items[items["held_out"].astype(bool) & items["together"].notna()].drop_duplicates(["task", "item_id"])
    return len(items), int((items["together"] > 0).sum())
