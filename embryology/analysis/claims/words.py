"""Claims one to six: when words are learnt, by part of speech (section 3 of the paper)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from embryology.analysis import beyond_frequency, curves, frequency, published
from embryology.analysis.acquisition import CannotBeTold
from embryology.analysis.claims.claim import Claim, Measured, Seen, named
from embryology.analysis.claims.decisions import Above
from embryology.analysis.claims.statistics import (
    extremes_of_others,
    no_earlier_than,
    taus,
    twice_the_median,
)
from embryology.analysis.learning_order import BEFORE_FIRST, NEVER_BEYOND, NOT_REACHED, REACHED, agreement
from embryology.runs import properties
from embryology.specs.properties import FREQUENCY
from embryology.specs.tokens import MASK_PREDICTION, RECONSTRUCTION, SPECIFICATION

SINCE = "2026-11-29T21:20:00+00:00"
FEWEST_GROUPS, FEWEST_FORMS, FEWEST_ORDERED = 4, 3, 6
"""With learning times, in each seed: of the nine groups, of verb forms, and of groups whose order is compared."""
ORDER = Above(0.5)
ORDER_MARGIN = (
    "three pairs of groups in four in the same order; an order without regard to the other one has it four times in a "
    "hundred"
)


def _timed(seeds: Sequence[Seen], task: str, tags: Iterable[str] | None, fewest: int) -> tuple[np.ndarray, str]:
    """(seeds, 1 + draws, groups) learning times of the groups that have one in each seed, and which have none."""
    tables = [each.times(task, tags) for each in seeds]
    there = [set(table.index[table["state"].isin([REACHED, BEFORE_FIRST])]) for table in tables]
    asked = [tag for tag in tables[0].index if all(tag in table.index for table in tables)]
    kept = [tag for tag in asked if all(tag in one for one in there)]
    if len(kept) < fewest:
        raise CannotBeTold(f"{len(kept)} groups of words have a learning time in every seed; it takes {fewest}")
    times = np.stack([_steps(each, table, kept) for each, table in zip(seeds, tables, strict=True)])
    left_out = [tag for tag in asked if tag not in kept]
    return times, f"{named(left_out)} left out, without a learning time in every seed" if left_out else ""


def _steps(seen: Seen, table: pd.DataFrame, tags: list[str]) -> np.ndarray:
    """(1 + draws, groups): the times of one seed, and those of its resamples."""
    steps = seen.frame(SPECIFICATION.name)["step"].unique()
    rows = table.loc[tags]
    measured = rows["step"].astype(float).fillna(0).to_numpy()  # before the first checkpoint
    return no_earlier_than(steps, np.vstack([measured, np.stack(list(rows["resampled"]), axis=1)]))


def _spread(seeds: Sequence[Seen], task: str, tags: Iterable[str] | None, fewest: int) -> Measured:
    times, remark = _timed(seeds, task, tags, fewest)
    return Measured(extremes_of_others(times), remark=remark)


def _of_order(seeds: Sequence[Seen], others: Sequence[pd.DataFrame]) -> Measured:
    """Tau of each seed's order of reconstruction with another order, and the exact p that they agree by chance."""
    values, chances, grain = [], [], 0.0
    for seen, other in zip(seeds, others, strict=True):
        table = seen.times(RECONSTRUCTION)
        placed = table[table["state"].isin([REACHED, BEFORE_FIRST, NOT_REACHED, NEVER_BEYOND])]
        tags = [tag for tag in placed.index if tag in other.index]
        own = placed.loc[tags]
        if own["state"].isin([REACHED, BEFORE_FIRST]).sum() < FEWEST_ORDERED:
            raise CannotBeTold(
                f"fewer than {FEWEST_ORDERED} groups of words have a learning time in {seen.series.name}"
            )
        measured = own["step"].astype(float).fillna(own["state"].map({BEFORE_FIRST: 0.0})).fillna(np.inf).to_numpy()
        drawn = np.stack(list(own["resampled"]), axis=1)
        values.append(taus(np.vstack([measured, drawn]), other.loc[tags, "step"].to_numpy(float)))
        found = agreement(own, other.loc[tags], ties=False)
        if found.tau is None or found.p is None:
            raise CannotBeTold(f"all groups of words are learnt at once in {seen.series.name}")
        chances.append(found.p if found.tau > 0 else 1.0)
        grain = max(grain, 2 / math.comb(len(tags), 2))  # a pair that is turned round
    return Measured(np.stack(values), twice_the_median(chances), grain)


def _published_order(seeds: Sequence[Seen]) -> Measured:
    for seen in seeds:
        if curves.groups(seen.frame(SPECIFICATION.name)) is not curves.GROUPS:
            raise CannotBeTold("its words have universal tags, and the published order is one of Penn tags")
    return _of_order(seeds, [published.learning_times()] * len(seeds))


def _frequency_order(seeds: Sequence[Seen]) -> Measured:
    orders = []
    for seen in seeds:
        if reason := properties.lacking(seen.series, SPECIFICATION.name, FREQUENCY):
            raise CannotBeTold(reason)
        frame, items = seen.frame(SPECIFICATION.name), seen.items(SPECIFICATION.name)
        orders.append(frequency.order(beyond_frequency.words_of(seen.series, frame, items)))
    theirs = published.learning_times()["step"]
    shared = [tag for tag in orders[0].index if tag in theirs.index]
    tau = taus(orders[0].loc[shared, "step"].to_numpy(float), theirs[shared].to_numpy(float))
    remark = f"frequency orders the groups as the published ALBERT does with a tau of {tau:.2f}"
    return replace(_of_order(seeds, orders), remark=remark if len(shared) >= FEWEST_ORDERED else "")


PARTS = "conjunctions, determiners, prepositions, pronouns, adverbs, verbs, adjectives, nouns and proper nouns"
SPREAD = (
    "in each seed, how many octaves (factors of two of the steps) the group that the other seeds learn last is learnt "
    "after the one that they learn first; times before the first checkpoint count as that"
)
WORDS = partial(Claim, probe=SPECIFICATION.name, since=SINCE)
CLAIMS = (
    WORDS(
        number=1,
        name="reconstruction-speeds",
        title="Unmasked words are reconstructed at different speeds",
        wording="ALBERT learns to reconstruct unmasked tokens at different speeds for different parts of speech.",
        place="abstract; section 3",
        meaning=f"Of {PARTS}, one takes more than twice as many steps as another to be halfway from the best blind "
        "answer to where it ends.",
        statistic=SPREAD,
        unit=" octaves",
        rule=Above(1.0),
        margin="a factor of two; the published curves have many times that",
        limits="Whether the published ALBERT's factor is that of other seeds: it is one run, whose items are not kept.",
        measure=partial(_spread, task=RECONSTRUCTION, tags=None, fewest=FEWEST_GROUPS),
    ),
    WORDS(
        number=2,
        name="published-order",
        title="Function words come first, proper nouns last",
        wording="Function words come first and content words later; of these adverbs, verbs, adjectives, nouns, proper "
        "nouns, in that order.",
        place="section 3 and its figure; the wording was not seen",
        meaning="An ALBERT that is trained anew learns the groups in the order of the published curves.",
        statistic="Kendall's tau, in each seed, of the order in which words are reconstructed with the published "
        "ALBERT's; groups that are never learnt come last",
        unit="",
        rule=ORDER,
        margin=ORDER_MARGIN,
        limits="Whether the order is one of part of speech or of what goes with it: see claim 6 and the confounds.",
        measure=_published_order,
        families=("albert",),
        precondition="orders that had nothing to do with each other would agree as much too rarely (exact permutation "
        "of the groups, twice the median over seeds)",
    ),
    WORDS(
        number=3,
        name="order-of-bert",
        title="The same order holds for BERT",
        wording="The order in which ALBERT learns to reconstruct parts of speech is that of BERT.",
        place="figure of the release; that the paper says so was not seen",
        meaning="A BERT that is trained anew learns the groups in the order of the published ALBERT.",
        statistic="as of claim 2, in each seed of a BERT",
        unit="",
        rule=ORDER,
        margin=ORDER_MARGIN,
        limits="Whether another ALBERT of the same text and size has that order is claim 2.",
        measure=_published_order,
        families=("bert",),
        precondition="as of claim 2",
    ),
    WORDS(
        number=4,
        name="masked-speeds",
        title="Masked words are predicted at different speeds",
        wording="Predicting masked tokens also progresses at speeds that depend on part of speech.",
        place="abstract; section 3",
        meaning=f"As claim 1, of words that are masked whole: {PARTS}.",
        statistic=SPREAD,
        unit=" octaves",
        rule=Above(1.0),
        margin="as of claim 1; no curve was published",
        limits="How large the published factor is: its figure was not released.",
        measure=partial(_spread, task=MASK_PREDICTION, tags=None, fewest=FEWEST_GROUPS),
    ),
    WORDS(
        number=5,
        name="verb-forms",
        title="Forms of a verb are reconstructed at different speeds",
        wording="Inflected forms of one word class differ too: VB, VBD, VBG, VBN and VBZ are plotted apart.",
        place="section 3; script of the release; its result was not seen",
        meaning="Of five verb forms one takes more than a quarter longer than another to be halfway.",
        statistic=f"{SPREAD}; of verb forms",
        unit=" octaves",
        rule=Above(float(np.log2(1.25).round(2))),
        margin="a factor of 1.25, about the distance of two checkpoints",
        limits="Which forms the authors found early: no curve was published.",
        measure=partial(_spread, task=RECONSTRUCTION, tags=tuple(curves.VERB_FORMS), fewest=FEWEST_FORMS),
    ),
    WORDS(
        number=6,
        name="frequency-order",
        title="The order of learning is one of frequency",
        wording="The order of learning is set against the frequency of tokens.",
        place="script and table of the release; the authors' reading was not seen",
        meaning="Groups whose words are more frequent in the run's own training text are learnt earlier.",
        statistic="Kendall's tau, in each seed, of the order in which words are reconstructed with that of the groups' "
        "mean log frequency in the training text",
        unit="",
        rule=ORDER,
        margin=ORDER_MARGIN,
        limits="What the authors concluded from their table. What part of speech adds to frequency is a confound, "
        "not a claim.",
        measure=_frequency_order,
        precondition="as of claim 2",
    ),
)
