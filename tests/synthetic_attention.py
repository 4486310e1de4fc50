"""Attention measurements made from known curves: two layers of two heads, and two relations."""

import numpy as np
import pandas as pd

from embryology.runs import measurements
from embryology.specs.attention import MASSES, STATISTICS

EVEN = 0.05
"""Uniform attention everywhere, and what a head gives that does nothing else."""
KNOWN = {("1-1", "previous"): (100, 12, 0.9), ("2-2", "next"): (400, 1, 0.6)}
"""By head and mass: step of half the gain, how steep it is, and the final value."""
FOUND = {"det": (300, 12, 0.95, 0.5), "nsubj": (300, 12, 0.3, 0.5)}
"""By relation: the same of the chosen head, and what the best offset gets."""
PIECES = ["[CLS]", "a", "dog", "sleeps", "[SEP]"]


def rise(step, half, steep):
    return step**steep / (step**steep + half**steep)


def value(head, name, step):
    half, steep, final = KNOWN.get((head, name), (1, 1, EVEN))  # uniform attention and all others do not rise
    if name in MASSES:
        return EVEN + (final - EVEN) * rise(step, half, steep)
    return {"entropy": 3.0, "distance": 5.0}[name] - (rise(step, 200, 2) if head != "uniform" else 0)


def attention(step, source, sentences=40):
    """Rows and items of one checkpoint. Two sentences make a document; wobble of 0.01 tells sentences apart."""
    wobble = 0.01 * np.sin(np.arange(sentences))
    names = [f"d{number // 2}-{number % 2}" for number in range(sentences)]
    rows, items, every = [], [], {}
    heads = ["1-1", "1-2", "2-1", "2-2"]
    for head in [*heads, "uniform"]:
        own = {name: value(head, name, step) + wobble for name in STATISTICS}
        ids = [f"{name}:{head}" for name in names]
        every[head] = pd.DataFrame(own)
        items.append(every[head][[*MASSES]].assign(item_id=ids, sentence=names, group=head, task="patterns"))

    def row(task, group, metric, values, **more):
        ends = values.mean() - 0.01, values.mean() + 0.01
        return measurements.row(task, group, metric, values.mean(), ends, len(values), **more)

    rows.append(measurements.row("patterns", "", "share_left_out", 0.0, (0.0, 0.1), sentences))
    for name in STATISTICS:
        rows.append(row("patterns", "", name, every["uniform"][name], baseline="uniform"))
        for layer in (1, 2):
            both = (every[f"{layer}-1"][name] + every[f"{layer}-2"][name]) / 2
            rows.append(row("patterns", "", name, both, layer=layer))
            rows += [row(f"patterns/head-{h}", "", name, every[f"{layer}-{h}"][name], layer=layer) for h in (1, 2)]
    edges = pd.concat([_edges(relation, names, step) for relation in FOUND], ignore_index=True)
    for group in ("", *FOUND):
        some = edges[edges["group"] == group] if group else edges
        best = "attachment/best-head"
        rows += [row(best, group, "accuracy", some[name], baseline=name) for name in ("offset", "uniform")]
        rows.append(row(best, group, "accuracy", some["correct"]))
        for layer in (1, 2):
            rows.append(row(best, group, "accuracy", some["correct"] / layer, layer=layer))
            for direction in ("from-dependent", "from-head"):
                task = f"attachment/{direction}/head-"
                rows += [row(f"{task}{h}", group, "accuracy", some["correct"] / layer / h, layer=layer) for h in (1, 2)]
    squares = [np.full((5, 5), 51, np.uint8).tobytes().hex() for _ in heads]
    maps = pd.DataFrame(
        {"sentence": "own-1", "group": heads, "task": "maps", "map": squares, "pieces": " ".join(PIECES)}
    )
    maps["item_id"] = "own-1:" + maps["group"]
    return rows, pd.concat([*items, edges, maps], ignore_index=True).assign(source=source)


def _edges(relation, names, step, each=4):
    half, steep, final, offset = FOUND[relation]
    lot = (np.arange(len(names) * each) + 0.5) / (len(names) * each)
    lot = np.random.default_rng(len(relation)).permutation(lot)
    right = lot < 0.1 + (final - 0.1) * rise(step, half, steep)
    sentences = np.repeat(names, each)
    return pd.DataFrame(
        {
            "item_id": [f"{name}:{relation}{n % each}" for n, name in enumerate(sentences)],
            "sentence": sentences,
            "group": relation,
            "task": "attachment",
            "correct": right,
            "layers": right * 6,
            "offset": np.roll(lot, 7) < offset,
            "uniform": 0.1,
        }
    )
