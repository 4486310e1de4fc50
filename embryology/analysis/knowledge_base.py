"""Facts with what a knowledge base says of them before the question, beside the same facts without it.

The knowledge probe asks them so where its ``contexts`` say so. A context that holds the answer need only be copied, and
any text about the same things may help: facts whose object stands in their context are told apart, and the context of a
fact with another object is the control.
"""

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis.means import over_units
from embryology.specs.knowledge import CONTEXTS, IN_CONTEXT, NOT_IN_IT, of_context

ALL = "all"
MEASURES = {"correct": "facts right", "log_probability": "log-probability"}
"""Columns of the items: a share, and nats."""
COLUMNS = ["set", "context", "facts", "measure", "step", "n", "in_context", "without", "with", "wrong"]


def beside_plain(items: pd.DataFrame) -> pd.DataFrame:
    """What contexts do to facts, paired.

    Args:
        items: of the knowledge probe, of all checkpoints of a series.

    Returns:
        :data:`COLUMNS`, a row a set, kind of context, facts (:data:`ALL` that have one, or :data:`NOT_IN_IT`), measure
        and step: ``n`` facts, the share whose object stands in their context, and the means ``without`` it, ``with`` it
        and with a ``wrong`` one. Then ``more``, with less without, and ``beyond``, with less wrong, each with a 95% t
        interval over objects in their relation: ``more_low``, ``more_high``, ``beyond_low``, ``beyond_high``.
    """
    rows = []
    for kind in CONTEXTS:
        stands = of_context(IN_CONTEXT, kind)
        asked = items[items[stands].notna()] if stands in items else items[:0]
        for (name, step), facts in asked.groupby(["task", "step"], sort=True):
            for which, part in ((ALL, facts), (NOT_IN_IT, facts[~facts[stands].astype(bool)])):
                units = part.groupby(["group", "object_number"]).ngroup().to_numpy()
                for measure in MEASURES:
                    if len(part):
                        row = {"set": name, "context": kind, "facts": which, "measure": measure, "step": step}
                        row |= {"n": len(part), "in_context": part[stands].astype(float).mean()}
                        rows.append(row | _compared(part, measure, kind, units))
    ends = [f"{name}{end}" for name in ("more", "beyond") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=[*COLUMNS, *ends])


def _compared(facts: pd.DataFrame, measure: str, kind: str, units: np.ndarray) -> dict[str, float]:
    ways = {"without": measure, "with": of_context(f"{measure}_with", kind)}
    ways["wrong"] = of_context(f"{measure}_wrong", kind)
    values = {way: facts[column].to_numpy(float) for way, column in ways.items()}
    told = {way: float(each.mean()) for way, each in values.items()}
    for name, other in (("more", "without"), ("beyond", "wrong")):
        differences = values["with"] - values[other]
        low, high = intervals.of_mean(*intervals.by_unit(differences, units))
        told |= {name: float(differences.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
    return told


def over_seeds(tables: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """:func:`beside_plain` of several seeds as one: means, and 95% t intervals over seeds; nan for fewer than three.

    Args:
        tables: by seed. What not all seeds have at a step is left out.
    """
    names = COLUMNS[:5]
    together = pd.concat(tables.values(), ignore_index=True)
    if together.empty:
        return together.assign(seeds=pd.Series(dtype=int))
    groups = together.groupby(names, sort=False)
    means, count = groups.mean(), groups.size()
    for name in ("more", "beyond"):
        told = over_units(together, names, name)
        means[f"{name}_low"], means[f"{name}_high"] = told["low"].to_numpy(), told["high"].to_numpy()
    return means.assign(seeds=count)[count == len(tables)].reset_index()
