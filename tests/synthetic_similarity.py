"""Similarity measurements made from known curves: embeddings and two layers, each of which settles later."""

import numpy as np
import pandas as pd

from embryology.runs import measurements

KNOWN = {0: (100, 0.4), 1: (400, 0.3), 2: (1200, 0.2)}
"""By layer: step at which half of the way to the last checkpoint is behind it, and the similarity at step 0."""
GROUPS, WORDS = 20, 400
NOISE = {0: None, 1: 0.5, 2: 1.0}
"""By layer: noise that part of speech survives from step 640 on."""


def value(layer, step, last):
    """Halfway from where it begins to 1 at the known step; 1 at the last one."""
    half, begins = KNOWN[layer]
    if step >= last:
        return 1.0
    return begins + (1 - begins) * step**3 / (step**3 + half**3)


def similarity(step, source, last):
    """Rows and items of one checkpoint. Groups that are left out change values by up to 0.002."""
    wobble = 0.002 * np.sin(np.arange(GROUPS + 1)) * (0 < step < last)
    rows, items = [], []

    def row(task, metric, value, width=0.01, **more):
        ends = value - width, value + 2 * width
        rows.append(measurements.row(task, more.pop("group", ""), metric, value, ends, WORDS, unit="document", **more))

    for layer in KNOWN:
        alike = value(layer, step, last)
        for metric, lift in (("cka", 0.0), ("pwcca", 0.1)):
            row("last", metric, alike + lift * (1 - alike), layer=layer)
            row("last", metric, 0.3 * (metric == "pwcca") + 0.01 * layer, layer=layer, baseline="shuffled-words")
            if step:
                row("before", metric, 0.5 + step / 5000 + 0.1 * layer, layer=layer)
        for other in range(layer):
            row("layers", "cka", 1 - 0.1 * (layer - other) - step / 1e4, layer=layer, group=str(other))
        rows.append(measurements.row("last", "", "variance_kept", 0.7 + 0.1 * layer, n=WORDS, layer=layer, seed=0))
        row("shape", "mean_cosine", 0.1 * layer + 0.3 * (step == 0), layer=layer)
        row("shape", "participation_ratio", 40.0 + layer + step / 1000, 2, layer=layer)
        row("shape", "intrinsic_dimension", 20.0 + layer, 2, layer=layer)
        row("noise", "accuracy", 0.3 + 0.05 * layer * (step >= 640), layer=layer)
        if NOISE[layer] and step >= 640:
            row("noise", "noise_survived", NOISE[layer] * (1 + (step == last)), 0.1, layer=layer)
        values = alike + np.append(0, wobble[1:])
        items.append(
            pd.DataFrame(
                {
                    "item_id": [f"{layer}:{number}" for number in range(GROUPS + 1)],
                    "layer": layer,
                    "without": range(GROUPS + 1),
                    "cka": values,
                    "pwcca": values + 0.1 * (1 - values),
                    "words": [0, *[WORDS // GROUPS] * GROUPS],
                }
            )
        )
    row("noise", "accuracy", 0.28, baseline="majority")
    return rows, pd.concat(items, ignore_index=True).assign(task="last", source=source)
