"""Claims nine and ten: what a checkpoint is good for (section 5 of the paper)."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from embryology.analysis import downstream, tables
from embryology.analysis.acquisition import CannotBeTold
from embryology.analysis.claims.claim import Claim, Measured, Seen
from embryology.analysis.claims.decisions import Within
from embryology.analysis.claims.statistics import late_share
from embryology.specs.downstream import FINETUNE, MAJORITY, SCORE

SINCE = "2026-11-29T21:20:00+00:00"
LATE = downstream.EARLY


def _late_gain(seeds: Sequence[Seen]) -> Measured:
    shares = []
    for seen in seeds:
        frame = downstream.with_mean(seen.frame(FINETUNE))
        scored = downstream.seeds(frame, downstream.MEAN)
        rows = tables.of(frame, downstream.MEAN, SCORE)
        last = rows[rows["step"] == rows["step"].max()]
        if not last["low"].mean() > downstream.baseline(frame, downstream.MEAN, MAJORITY):
            raise CannotBeTold(f"the tasks are not learnt by {seen.series.name}: they do not clear the majority")
        share = late_share(scored.index.to_numpy(float), scored.mean(axis=1).to_numpy(), LATE)
        if isinstance(share, str):
            raise CannotBeTold(share)
        shares.append([float(share)])
    return Measured(np.array(shares))


TASKS = partial(
    Claim,
    statistic="in each seed, the mean score over tasks and over seeds of fine-tuning: what its line over the logarithm "
    "of the steps rises by after a quarter of the steps, as a share of the gain from the first checkpoint to the last "
    "three",
    unit=" of the gain",
    rule=Within(0.1, falls=False),
    margin="a tenth of the gain in three quarters of the steps",
    probe=FINETUNE,
    measure=_late_gain,
    since=SINCE,
    late=True,
    precondition="the tasks lie above the majority",
)
CLAIMS = (
    TASKS(
        number=9,
        name="late-downstream",
        title="Downstream performance does not improve late",
        wording="Downstream performance does not generally improve with more pretraining: most of it is there early.",
        place="abstract; section 5",
        meaning="After a quarter of the steps what an ALBERT scores when it is fine-tuned changes by less than a tenth "
        "of what it gains in all.",
        limits="Whether tasks that are not in the mean do, and the published ALBERT's single tasks: they were not "
        "released.",
        families=("albert",),
    ),
    TASKS(
        number=10,
        name="downstream-of-bert-and-electra",
        title="So it is of BERT and ELECTRA",
        wording="The downstream picture is the same for BERT and ELECTRA.",
        place="figures of the release; the wording was not seen",
        meaning="As claim 9, of a BERT and of an ELECTRA.",
        limits="Whether the three differ in size: claims are about each by itself.",
        families=("bert", "electra"),
    ),
)
