"""Claims seven and eight: what layers know of syntax and meaning (section 4 of the paper)."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from embryology.analysis import edges
from embryology.analysis.acquisition import CannotBeTold
from embryology.analysis.claims.claim import Claim, Measured, Seen
from embryology.analysis.claims.decisions import Within
from embryology.analysis.claims.statistics import late_share, no_earlier_than, octaves_between
from embryology.specs import UNTRAINED
from embryology.specs.edges import (
    CONSTITUENT,
    COREFERENCE,
    DEPENDENCY,
    ENTITY,
    MAJORITY,
    POS,
    ROLE,
    SPECIFICATION,
    STATIC_LAYER,
)

SINCE = "2026-11-29T21:20:00+00:00"
SYNTAX, MEANING = (POS, CONSTITUENT, DEPENDENCY), (ROLE, COREFERENCE, ENTITY)
LATE = 0.1
"""Of the steps: claims about late training are about what comes after."""


def _learnt(seen: Seen, task: str) -> bool:
    """Whether every layer's interval at the end, on average over layers, is above the majority and the untrained."""
    frame = seen.frame(SPECIFICATION.name)
    layers = [layer for layer in edges.layers(frame) if layer != STATIC_LAYER]
    low = np.mean([edges.curve(frame, task, layer)["low"].iloc[-1] for layer in layers])
    majority = edges.curve(frame, task, None, baseline=MAJORITY)
    untrained = [edges.curve(frame, task, layer, baseline=UNTRAINED) for layer in layers]
    lines = [float(majority["high"].iloc[-1])] if len(majority) else []
    lines += [float(np.mean([line["high"].iloc[-1] for line in untrained]))] if len(untrained[0]) else []
    return bool(lines) and bool(low > max(lines))


def _late_gain(seeds: Sequence[Seen]) -> Measured:
    tasks = [
        task
        for task in edges.tasks(seeds[0].frame(SPECIFICATION.name))
        if all(task in edges.tasks(seen.frame(SPECIFICATION.name)) and _learnt(seen, task) for seen in seeds)
    ]
    if not tasks:
        raise CannotBeTold("no task of the edge probe lies above the majority and the untrained model in every seed")
    shares = []
    for seen in seeds:
        frame = seen.frame(SPECIFICATION.name)
        grids = [edges.grid(frame, task).drop(index=STATIC_LAYER) for task in tasks]
        curve = np.mean([grid.mean().to_numpy() for grid in grids], axis=0)
        share = late_share(grids[0].columns.to_numpy(float), curve, LATE)
        if isinstance(share, str):
            raise CannotBeTold(share)
        shares.append([float(share)])
    asked = len(edges.tasks(seeds[0].frame(SPECIFICATION.name)))
    remark = f"{len(tasks)} of {asked} tasks, those that are learnt in every seed" if len(tasks) < asked else ""
    return Measured(np.array(shares), remark=remark)


def _same_time(seeds: Sequence[Seen]) -> Measured:
    layer = edges.best_layer(seeds[0].frame(SPECIFICATION.name))
    tables = [edges.half_gains(seen.frame(SPECIFICATION.name), layer) for seen in seeds]
    tasks = [task for task in tables[0].index if all(task in table.index for table in tables)]
    kinds = [edges.kind(task) for task in tasks]
    if not set(kinds) & set(SYNTAX) or not set(kinds) & set(MEANING):
        raise CannotBeTold("of syntax or of meaning no task of the edge probe is learnt in every seed")
    used = [task for task, kind in zip(tasks, kinds, strict=True) if kind in (*SYNTAX, *MEANING)]
    times = np.stack(
        [
            no_earlier_than(seen.frame(SPECIFICATION.name)["step"].unique(), table.loc[used, "step"])
            for seen, table in zip(seeds, tables, strict=True)
        ]
    )
    octaves = octaves_between(times, [edges.kind(task) in MEANING for task in used])
    return Measured(octaves[:, None], remark=f"layer {layer}; {', '.join(edges.label(task) for task in used)}")


EDGES = partial(Claim, probe=SPECIFICATION.name, since=SINCE)
CLAIMS = (
    EDGES(
        number=7,
        name="late-linguistic-knowledge",
        title="Linguistic knowledge does not improve late",
        wording="Linguistic knowledge does not generally improve as pretraining proceeds.",
        place="abstract; section 4",
        meaning="After a tenth of the steps what linear classifiers tell of syntax and meaning, over all layers and "
        "tasks, changes by less than a tenth of what it gains in all.",
        statistic="in each seed, micro F1, the mean over tasks that are learnt in every seed and over layers but the "
        "static one: what its line over the logarithm of the steps rises by after a tenth of the steps, as a share of "
        "the gain from the first checkpoint to the last three",
        unit=" of the gain",
        rule=Within(0.1, falls=False),
        margin="a tenth of the gain in nine tenths of the steps or more",
        limits="Whether the published curves do: they score the last mini-batch alone, and have no items.",
        measure=_late_gain,
        late=True,
        precondition="the tasks lie above the majority and the untrained model",
    ),
    EDGES(
        number=8,
        name="syntax-and-meaning",
        title="Syntax and meaning come at the same time",
        wording="Semantic and syntactic knowledge develop at the same time.",
        place="section 4, by a summary",
        meaning="Roles, coreference and entities reach half of their gain within a factor of two of the step at which "
        "parts of speech, constituents and dependencies do.",
        statistic="in each seed, by how many octaves the mean log step of half of the gain is later for tasks of "
        "meaning, in the layer that is best in the first seed; times before the first checkpoint count as that",
        unit=" octaves",
        rule=Within(1.0),
        margin="a factor of two, about a checkpoint of this probe",
        limits="Whether entities or dependencies belong to the claim, which was made of four tasks.",
        measure=_same_time,
    ),
)
