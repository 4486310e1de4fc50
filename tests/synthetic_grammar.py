"""Minimal pairs made from known histories: those that frequency decides rightly are right early, others late."""

import numpy as np
import pandas as pd

from embryology.intervals import wilson
from embryology.runs import measurements

PHENOMENA = {"number of the verb": (400, 0.95), "word order": (900, 0.9)}
"""By group: the step from which pairs that frequency decides wrongly are right, and the share that ever is."""
PAIRS = 60
EARLY = 30
"""The step from which those are right that frequency decides rightly, half of each group."""


def grammar(step, source):
    """Rows and items of one checkpoint."""
    items = pd.concat([_pairs(group, step) for group in PHENOMENA], ignore_index=True)
    rows = []
    for group, own in [("", items), *items.groupby("group")]:
        for metric, column, baseline in (
            ("accuracy", "correct", None), ("accuracy_within_word", "corrected", None),
            ("accuracy", "shorter-sentence", "shorter-sentence"), ("accuracy", "unigram", "unigram"),
        ):  # fmt: skip
            value, n = own[column].astype(float).mean(), len(own)
            ends = wilson(round(value * n), n)
            rows.append(
                measurements.row("silver", group, metric, value, ends, n, seed=0, baseline=baseline, unit="pair")
            )
        rows.append(measurements.row("silver", group, "accuracy", 0.5, n=len(own), seed=0, baseline="chance"))
        rows.append(measurements.row("silver", group, "ties", 0, n=len(own), seed=0))
    return rows, items.assign(task="silver", source=source)


def _pairs(group, step):
    number = np.arange(PAIRS)
    late, ever = PHENOMENA[group]
    frequent = number % 2 == 0
    share = np.where(frequent, 0.5 if step == 0 else 0.5 + 0.5 * (step >= EARLY), 0.5 * (step == 0))
    share = np.where(~frequent & (step >= late), ever, share)
    right = (number // 2 + 0.5) / (PAIRS // 2) < share
    return pd.DataFrame(
        {
            "item_id": [f"{group}:{i}" for i in number],
            "sentence": [f"{group}:{i}" for i in number],
            "group": group,
            "paradigm": group,
            "correct": right,
            "corrected": right,
            "critical": np.nan,
            "difference": np.where(right, 1.0, -1.0).astype(np.float32),
            "pieces": 20,
            "shorter-sentence": 0.5,
            "unigram": frequent.astype(float),
        }
    )
