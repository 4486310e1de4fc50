"""Divergence measurements made from known curves: frequency is closest at step 80, the piece before at 640."""

import numpy as np
import pandas as pd

from embryology.runs import measurements

PLACES = 50
BEST = {"unigram": (80, 0.2), "left": (640, 0.4), "right": (640, 2.0)}
"""By n-gram the step at which it is closest, and the divergence there, nats."""


def value(name, step):
    best, least = BEST[name]
    return least + 0.5 * abs(np.log((step + 10) / (best + 10)))


def divergence(step):
    """The piece before matters from step 80 on, and is closer than frequency from 640 on; the piece after never is."""
    rows = [measurements.row("model", "", "entropy", 5.0, (4.9, 5.1), PLACES)]

    def row(task, metric, value, baseline=None):
        rows.append(measurements.row(task, "", metric, value, (value - 0.1, value + 0.1), PLACES, baseline=baseline))

    for name in BEST:
        row(name, "divergence", value(name, step))
    for name, gain in (("left", 0.5 * (step >= 80)), ("right", 0.05)):
        row(name, "divergence", value(name, step) + gain, "another-place")
        row(name, "closer_than_elsewhere", gain)
        row(name, "closer_than_unigram", value("unigram", step) - value(name, step))
    items = pd.DataFrame({name: value(name, step) for name in BEST}, index=range(PLACES))
    names = [str(number) for number in range(PLACES)]
    items = items.assign(item_id=names, sentence=names, task="divergence", source="held-out sentences")
    return rows, items
