"""The published edge-probing curves (section 4 of the paper), and how many test items they can rest on.

A share of N items is a multiple of 1/N. Curves read off vector figures are exact enough to ask which N that is.
"""

from functools import cache

import numpy as np
import pandas as pd

from embryology.analysis.published import FOLDER
from embryology.errors import EmbryologyError
from embryology.intervals import wilson
from embryology.specs.edges import CONSTITUENT, COREFERENCE, POS, PUBLISHED, ROLE

FILES = {"BERT": "bert_probing.csv", "ELECTRA": "electra_pretrain.csv"}
TASKS = {"POS": POS, "Const": CONSTITUENT, "SRL": ROLE, "Coref": COREFERENCE}
"""The figures' names of tasks, and ours."""
TOLERANCE = 5e-9
"""Of a value read off a figure; the error of reading is about half of it."""
MOST = 2000
"""The largest number of items that is looked for: far above it every value is near some multiple."""
BATCH = 1024
"""The default batch of the released script."""
LATE = 100_000
"""The step from which the curves are flat."""


@cache
def curves(model: str) -> pd.DataFrame:
    """Published micro F1: columns task, step, value; a row a point.

    Raises:
        EmbryologyError: the file is missing.
    """
    file = FOLDER / FILES[model]
    if not file.is_file():
        raise EmbryologyError(f"{file} is missing; restore it from the repository")
    return pd.read_csv(file).rename(columns={"series": "task"})[["task", "step", "value"]]


def items(values: np.ndarray, most: int = MOST, tolerance: float = TOLERANCE) -> tuple[int | None, float]:
    """The smallest N of which all ``values`` are multiples of 1/N, and the largest distance from one.

    None and infinity where there is no such N up to ``most``.
    """
    for n in range(1, most + 1):
        distance = float(np.abs(values - np.round(values * n) / n).max())
        if distance < tolerance:
            return n, distance
    return None, np.inf


def denominators() -> pd.DataFrame:
    """What the values of each curve are multiples of, and what follows.

    Returns:
        A row a model and task: ``points``, ``distinct``; ``n``, the smallest number of items; ``distance``, the
        largest from a multiple of 1/n; ``log_chance``, log10 of the chance that as many distinct values, spread
        evenly, lie all so near to multiples; ``whole`` and ``remainder``, the commonly cited size of the test set
        and what it leaves modulo the script's batch; ``error``, the binomial standard error of the mean value from
        step 100,000 on; ``spread``, the standard deviation of the values there.
    """
    rows = []
    for model in FILES:
        for task in TASKS:
            table = curves(model)
            table = table[table["task"] == task]
            values, late = table["value"].to_numpy(), table.loc[table["step"] >= LATE, "value"]
            n, distance = items(values)
            distinct = len(np.unique(values))
            chance = np.nan if n is None else distinct * np.log10(2 * TOLERANCE * n)
            whole = PUBLISHED[TASKS[task]]
            error = np.nan if n is None else np.sqrt(late.mean() * (1 - late.mean()) / n)
            rows.append(
                {
                    "model": model,
                    "task": task,
                    "points": len(values),
                    "distinct": distinct,
                    "n": n,
                    "distance": distance,
                    "log_chance": chance,
                    "whole": whole,
                    "remainder": whole % BATCH,
                    "error": error,
                    "spread": late.std(),
                }
            )
    return pd.DataFrame(rows)


def with_intervals(model: str, task: str) -> pd.DataFrame:
    """One curve with the 95% intervals (Wilson) that its number of items allows: step, value, low, high."""
    table = curves(model)
    table = table[table["task"] == task].sort_values("step", ignore_index=True)
    n, _ = items(table["value"].to_numpy())
    low, high = wilson((table["value"] * n).round().astype(int), np.full(len(table), n))
    return table.assign(low=low, high=high, n=n)


def halvings(rate: float, below: float) -> int:
    """How often a rate is halved until it is ``below`` some value, in double precision."""
    count = 0
    while rate >= below:
        rate, count = rate / 2, count + 1
    return count
