"""Single facts through time: learnt, forgotten, learnt again; and how much of that is more than chance.

A fact's trajectory says at which checkpoints it is answered right. Two chances are held against its changes. If the
order of a fact's answers meant nothing, a fact that is right at ``k`` of ``t`` checkpoints would be forgotten
``k (t - k) / t`` times on average: fewer than that means that answers last. If facts were learnt once and for all and
only answers slipped, a model with two states would tell every loss as a slip: more forgetting than such a model finds
in answers drawn from itself means that facts are lost for good.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from embryology import intervals
from embryology.errors import EmbryologyError

REFITS = 100
"""Sets of answers that are drawn from the model without forgetting."""


@dataclass(frozen=True)
class Trajectories:
    """Facts of one set over the checkpoints of one run."""

    facts: pd.DataFrame
    """A row a fact; what does not change over checkpoints."""
    steps: np.ndarray
    """(t,) rising."""
    known: np.ndarray
    """(facts, t) bool: answered right."""
    clusters: np.ndarray
    """(facts,) of facts that share relation and object, and so come and go together: the unit of resampling."""

    @classmethod
    def of(cls, items: pd.DataFrame) -> "Trajectories":
        """From an item table with ``item_id``, ``step``, ``correct``, ``group`` and ``object_number``.

        Raises:
            EmbryologyError: a fact was not measured at every checkpoint.
        """
        items = items.sort_values(["item_id", "step"], kind="stable")
        steps = np.sort(items["step"].unique())
        first = items.drop_duplicates("item_id")
        if len(first) * len(steps) != len(items):
            raise EmbryologyError(
                "the checkpoints of this run were measured on different facts; measure all of them alike: "
                "embryology probe RUN --probe knowledge"
            )
        known = items["correct"].to_numpy(bool).reshape(len(first), len(steps))
        clusters = first.groupby(["group", "object_number"], sort=False).ngroup().to_numpy()
        return cls(first.drop(columns=["step", "correct"]).reset_index(drop=True), steps, known, clusters)

    def at(self, steps: np.ndarray) -> "Trajectories":
        """At some of the checkpoints."""
        chosen = np.isin(self.steps, steps)
        return replace(self, steps=self.steps[chosen], known=self.known[:, chosen])

    def where(self, chosen: np.ndarray) -> "Trajectories":
        """Those of some facts, (facts,) bool."""
        clusters = np.unique(self.clusters[chosen], return_inverse=True)[1]
        return Trajectories(self.facts[chosen].reset_index(drop=True), self.steps, self.known[chosen], clusters)


def events(known: np.ndarray) -> pd.DataFrame:
    """What happened to each fact of (facts, t): ``first``, ``learnt``, ``forgotten``, ``relearnt``, ``state``.

    ``first`` is the number of the checkpoint at which it is right for the first time, -1 for never. ``learnt`` counts
    all beginnings of being right, one at the first checkpoint too, ``relearnt`` those after the first, ``forgotten``
    the ends. ``state`` is that of the last checkpoint: ``never``, ``known``, ``relearnt`` or ``forgotten``.
    """
    before = np.pad(known, ((0, 0), (1, 0)))[:, :-1]
    learnt = (known & ~before).sum(axis=1)
    ever = known.any(axis=1)
    state = np.select(
        [~ever, known[:, -1] & (learnt == 1), known[:, -1]], ["never", "known", "relearnt"], default="forgotten"
    )
    return pd.DataFrame(
        {
            "first": np.where(ever, known.argmax(axis=1), -1),
            "learnt": learnt,
            "forgotten": (before & ~known).sum(axis=1),
            "relearnt": np.maximum(learnt - 1, 0),
            "state": state,
        }
    )


def states(known: np.ndarray) -> pd.DataFrame:
    """Facts by state at each checkpoint of (facts, t), and how many came and went since the one before.

    Columns ``known`` (since they were first right), ``relearnt``, ``forgotten`` (right before and not now), ``never``
    (not yet), which add up to all; ``gained`` and ``lost``.
    """
    ends = [events(known[:, : at + 1]) for at in range(known.shape[1])]
    table = pd.DataFrame(
        [end["state"].value_counts().reindex(["known", "relearnt", "forgotten", "never"], fill_value=0) for end in ends]
    ).reset_index(drop=True)
    for name, column in (("gained", "learnt"), ("lost", "forgotten")):
        totals = np.array([end[column].sum() for end in ends])
        table[name] = np.diff(totals, prepend=0)
    return table


def forgotten_in_random_order(known: np.ndarray) -> np.ndarray:
    """(facts,) how often each fact of (facts, t) would be forgotten on average if its answers came in random order.

    Of ``t - 1`` pairs of neighbours each is right and then wrong with probability ``k (t - k) / (t (t - 1))``.
    """
    right, t = known.sum(axis=1), known.shape[1]
    times: np.ndarray = right * (t - right) / t
    return times


@dataclass(frozen=True)
class TwoStates:
    """A fact is known or not; each interval it may be learnt or forgotten; answers are right by guess, wrong by slip.

    Bayesian knowledge tracing (Corbett and Anderson 1994), with forgetting. All are probabilities.
    """

    start: float
    """Of being known at the first checkpoint."""
    learn: float
    """Of being learnt from one checkpoint to the next."""
    forget: float
    """Of being forgotten from one checkpoint to the next."""
    guess: float
    """Of a right answer where the fact is not known."""
    slip: float
    """Of a wrong answer where it is."""

    def draw(self, facts: int, checkpoints: int, rng: np.random.Generator) -> np.ndarray:
        """(facts, checkpoints) bool answers."""
        chance = rng.random((2, checkpoints, facts))
        state, answers = chance[0, 0] < self.start, np.empty((facts, checkpoints), bool)
        for t in range(checkpoints):
            if t:
                state = np.where(state, chance[0, t] >= self.forget, chance[0, t] < self.learn)
            answers[:, t] = chance[1, t] < np.where(state, 1 - self.slip, self.guess)
        return answers


def fit(
    known: np.ndarray,
    counts: np.ndarray | None = None,
    forgets: bool = True,
    begin: TwoStates | None = None,
    tolerance: float = 1e-7,
    iterations: int = 500,
) -> TwoStates:
    """Maximum likelihood by expectation and maximisation (Baum and Welch).

    Args:
        known: (rows, t) bool, t at least 2.
        counts: (rows,) how often each row stands for a fact; None for once.
        forgets: whether facts may be forgotten; else ``forget`` stays 0.
        begin: where to start from; None takes a plain guess.
        tolerance: of the mean log-likelihood of an answer, at which it is enough.
        iterations: at most.
    """
    counts = np.ones(len(known)) if counts is None else counts
    model = begin or TwoStates(0.05, 0.1, 0.1, 0.01, 0.1)
    # A rate of 0 stays 0, and one near it hardly moves.
    model = replace(model, forget=max(model.forget, 0.02) if forgets else 0.0)
    answers, total, before = np.stack([~known, known]).astype(float), counts.sum() * known.shape[1], -np.inf
    for _ in range(iterations):
        model, likelihood = _improved(model, answers, counts)
        if likelihood - before < tolerance * total:
            break
        before = likelihood
    return model


def _improved(model: TwoStates, answers: np.ndarray, counts: np.ndarray) -> tuple[TwoStates, float]:
    """One step; ``answers`` is (wrong and right, rows, t). Returns also the log-likelihood before it."""
    _, rows, t = answers.shape
    # (rows, t) probability of each answer where the fact is unknown and where it is known
    probability = (
        answers[0] * (1 - model.guess) + answers[1] * model.guess,
        answers[0] * model.slip + answers[1] * (1 - model.slip),
    )
    forward, scale = np.empty((2, rows, t)), np.empty((rows, t))
    prior = np.full(rows, 1 - model.start), np.full(rows, model.start)
    for at in range(t):
        if at:
            no, yes = forward[:, :, at - 1]
            prior = no * (1 - model.learn) + yes * model.forget, no * model.learn + yes * (1 - model.forget)
        joint = prior[0] * probability[0][:, at], prior[1] * probability[1][:, at]
        scale[:, at] = joint[0] + joint[1]
        forward[:, :, at] = joint / scale[:, at]
    learnt = forgotten = left_unknown = left_known = 0.0
    guessed, slipped = np.zeros(2), np.zeros(2)  # of answers in that state: those that were guesses or slips, and all
    after = np.ones((2, rows))
    for at in reversed(range(t)):
        state = forward[:, :, at] * after
        weighted = state * counts
        guessed += (weighted[0] @ answers[1, :, at], weighted[0].sum())
        slipped += (weighted[1] @ answers[0, :, at], weighted[1].sum())
        if at:
            no, yes = forward[:, :, at - 1] * counts
            ahead = after * (probability[0][:, at], probability[1][:, at]) / scale[:, at]
            learnt += (no * model.learn) @ ahead[1]
            left_unknown += no @ ((1 - model.learn) * ahead[0] + model.learn * ahead[1])
            forgotten += (yes * model.forget) @ ahead[0]
            left_known += yes @ (model.forget * ahead[0] + (1 - model.forget) * ahead[1])
            after = np.stack(
                [
                    (1 - model.learn) * ahead[0] + model.learn * ahead[1],
                    model.forget * ahead[0] + (1 - model.forget) * ahead[1],
                ]
            )
        else:
            start = weighted[1].sum() / counts.sum()
    improved = TwoStates(
        float(start), _share(learnt, left_unknown), _share(forgotten, left_known), _share(*guessed), _share(*slipped)
    )
    return improved, float(counts @ np.log(scale).sum(axis=1))


def _share(part: float, whole: float) -> float:
    return float(np.clip(part / whole, 0.0, 1.0)) if whole > 0 else 0.0


@dataclass(frozen=True)
class Forgetting:
    """Whether facts are lost for good, or answers only slip."""

    model: TwoStates
    low: float
    high: float
    """95% bootstrap interval of ``model.forget`` over objects."""
    chance: float
    """What 97.5% of fits stay below on answers drawn from the model without forgetting, of as many facts."""

    @property
    def beyond_chance(self) -> bool:
        return self.low > self.chance


def forgetting(trajectories: Trajectories, draws: int = intervals.RESAMPLES, seed: int = intervals.SEED) -> Forgetting:
    """Fit :class:`TwoStates` with and without forgetting, and hold the first against the second.

    Raises:
        ValueError: no fact is ever right, or there is one checkpoint alone.
    """
    known = trajectories.known
    if not known.any() or known.shape[1] < 2:
        raise ValueError("there is nothing to forget")
    distinct, row_of = np.unique(known, axis=0, return_inverse=True)
    by_cluster = np.zeros((trajectories.clusters.max() + 1, len(distinct)))
    np.add.at(by_cluster, (trajectories.clusters, row_of.ravel()), 1)
    model = fit(distinct, by_cluster.sum(axis=0))
    rates = [
        fit(distinct[drawn], counts[drawn], begin=model, tolerance=1e-6, iterations=50).forget
        for counts in intervals.resamples(len(by_cluster), draws, seed) @ by_cluster
        if distinct[drawn := counts > 0].any()
    ]
    lasting = fit(distinct, by_cluster.sum(axis=0), forgets=False)
    rng, chance = np.random.default_rng(seed), []
    for _ in range(REFITS):
        rows, counts = np.unique(lasting.draw(len(known), known.shape[1], rng), axis=0, return_counts=True)
        chance.append(fit(rows, counts.astype(float), begin=model, tolerance=1e-6).forget)
    ends = intervals.percentile_interval(np.array(rates))
    low, high = min(float(ends[0]), model.forget), max(float(ends[1]), model.forget)  # fits end near 0, not at it
    return Forgetting(model, low, high, float(np.quantile(chance, 0.975)))


def half_life(
    trajectories: Trajectories, draws: int = intervals.RESAMPLES, seed: int = intervals.SEED
) -> tuple[float, float, float]:
    """After how many steps half of the facts that were right are wrong for the first time; and its 95% interval.

    The median of Kaplan and Meier's estimate, of the first time that a fact is right; those that stay right are
    censored at the last checkpoint. ``inf`` where more than half stay. The interval is a bootstrap over objects.

    Raises:
        ValueError: no fact is right before the last checkpoint.
    """
    from statsmodels.duration.survfunc import SurvfuncRight  # late: a second

    known, steps = trajectories.known, trajectories.steps
    ever = known[:, :-1].any(axis=1)
    if not ever.any():
        raise ValueError("no fact is right before the last checkpoint")
    first = known[ever].argmax(axis=1)
    wrong_after = ~known[ever] & (np.arange(len(steps)) > first[:, None])
    ended = wrong_after.any(axis=1)
    lasted = np.where(ended, steps[wrong_after.argmax(axis=1)], steps[-1]) - steps[first]
    clusters = trajectories.clusters[ever]

    def median(weights: np.ndarray) -> float:
        drawn = weights > 0
        estimate = SurvfuncRight(lasted[drawn], ended[drawn], freq_weights=weights[drawn])
        below = estimate.surv_prob <= 0.5
        return float(estimate.surv_times[below.argmax()]) if below.any() else np.inf

    numbers, cluster_of = np.unique(clusters, return_inverse=True)
    medians = [median(weights[cluster_of]) for weights in intervals.resamples(len(numbers), draws, seed)]
    low, high = intervals.percentile_interval(np.array(medians))
    return median(np.ones(len(lasted))), float(low), float(high)


def rank_correlation(
    trajectories: Trajectories, counts: np.ndarray, draws: int = intervals.RESAMPLES, seed: int = intervals.SEED
) -> tuple[float, float, float]:
    """Spearman's correlation, within relations, of a count with how early facts are right; and its 95% interval.

    Facts are ranked among those of their relation, by count and by the checkpoint at which they are first right
    (never is last); positive where facts with higher counts are right earlier. Relations of which no fact is ever
    right say nothing. nan where none is left, or all counts are equal. The interval is a bootstrap over objects.
    """
    first = events(trajectories.known)["first"].to_numpy()
    first = np.where(first < 0, len(trajectories.steps), first)
    early, often = np.zeros(len(first)), np.zeros(len(first))
    for rows in trajectories.facts.groupby("group").indices.values():
        if np.ptp(first[rows]):
            early[rows], often[rows] = (
                stats.rankdata(values) / len(rows) - (len(rows) + 1) / (2 * len(rows))
                for values in (-first[rows], counts[rows])
            )
    products = np.stack([early * often, early**2, often**2], axis=1)
    if not (products.sum(axis=0)[1:] > 0).all():
        return (np.nan, np.nan, np.nan)
    sums = np.zeros((trajectories.clusters.max() + 1, 3))
    np.add.at(sums, trajectories.clusters, products)
    drawn = intervals.resamples(len(sums), draws, seed) @ sums
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = intervals.percentile_interval(drawn[:, 0] / np.sqrt(drawn[:, 1] * drawn[:, 2]))
    both, one, other = sums.sum(axis=0)
    return float(both / np.sqrt(one * other)), float(low), float(high)
