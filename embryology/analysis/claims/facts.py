"""Claims eleven and twelve: which facts a model knows, and which it keeps (section 6 of the paper)."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from embryology import intervals
from embryology.analysis import knowledge, trajectories
from embryology.analysis.acquisition import CannotBeTold
from embryology.analysis.claims.claim import Claim, Measured, Seen, named
from embryology.analysis.claims.decisions import ITEM_DRAWS, Above, Within
from embryology.analysis.claims.statistics import late_share
from embryology.analysis.knowledge import Followed
from embryology.specs.knowledge import SPECIFICATION

SINCE = "2026-11-29T21:20:00+00:00"
LATE = 0.1


def _followed(seen: Seen) -> Followed:
    """The facts of the first set, which are known to be facts.

    Raises:
        CannotBeTold: they are not.
    """
    name = knowledge.sets(seen.frame(SPECIFICATION.name))[0]
    steps = "all" if seen.steps is None else ",".join(map(str, sorted(seen.steps)))
    followed: Followed = seen.of("facts", lambda: knowledge.trajectories(seen.series, name, steps))
    if followed.why_not:
        reason = followed.why_not[0].lower() + followed.why_not[1:].rstrip(".")
        raise CannotBeTold(f"{seen.series.name}: {reason}")
    return followed


def _late_gain(seeds: Sequence[Seen]) -> Measured:
    shares = []
    for seen in seeds:
        paths = _followed(seen).paths
        sums, counts = intervals.by_unit(paths.known, paths.clusters)
        weights = np.vstack([np.ones(len(counts)), intervals.resamples(len(counts), ITEM_DRAWS)])
        shown = intervals.bootstrap_means(sums, np.broadcast_to(counts[:, None], sums.shape), weights)
        share = late_share(paths.steps, shown, LATE)
        if isinstance(share, str):
            raise CannotBeTold(share)
        shares.append(share)
    return Measured(np.stack(shares), remark=_criteria(seeds))


def _lost(seeds: Sequence[Seen]) -> Measured:
    lost = [trajectories.forgetting(_followed(seen).paths, ITEM_DRAWS) for seen in seeds]
    return Measured(np.array([[each.model.forget - each.chance] for each in lost]), remark=_criteria(seeds))


def _criteria(seeds: Sequence[Seen]) -> str:
    criteria = {_followed(seen).criterion for seen in seeds}
    if len(criteria) > 1:
        raise CannotBeTold("facts count as right by one criterion in some seeds and by the other in others")
    return f"right: {named(knowledge.CRITERIA[each] for each in criteria)}"


FACTS = partial(
    Claim,
    probe=SPECIFICATION.name,
    since=SINCE,
    precondition="more facts are right than with subjects permuted within their relation",
)
CLAIMS = (
    FACTS(
        number=11,
        name="late-facts",
        title="World knowledge does not improve late",
        wording="World knowledge does not generally improve with more steps.",
        place="abstract; section 6",
        meaning="After a tenth of the steps the share of facts that are known, those aside whose object stands in the "
        "subject's name or is said of any subject, changes by less than a tenth of what it gains in all.",
        statistic="in each seed, the share of facts of the first set that are known: what its line over the logarithm "
        "of the steps rises by after a tenth of the steps, as a share of the gain from the first checkpoint to the "
        "last three",
        unit=" of the gain",
        rule=Within(0.1, falls=False),
        margin="a tenth of the gain in nine tenths of the steps or more",
        limits="Whether the published ALBERT's facts do: its figure was not released, and BERT's is zero for most "
        "relations.",
        measure=_late_gain,
        late=True,
    ),
    FACTS(
        number=12,
        name="facts-lost",
        title="Facts are gained and lost",
        wording="Knowledge varies during pretraining, facts and skills being gained and lost, so that more steps do "
        "not give more comprehensive knowledge.",
        place="abstract; and by a summary",
        meaning="Of facts that are known more than a twentieth are lost for good in a doubling of the steps, beside "
        "answers that only slip.",
        statistic="in each seed, the rate of forgetting, a doubling of the steps, of the model with two states, less "
        "what 97.5% of its fits stay below on answers that slip and are never forgotten",
        unit=" a doubling",
        rule=Above(0.05),
        margin="a twentieth of what is known",
        limits="That single tasks are best at different checkpoints: the best of noisy values is best by choice.",
        measure=_lost,
    ),
)
