"""Is the order in which words are learnt the order of their frequency in the training text?

Three tests that share no model: whether part of speech tells beside frequency when words that were held out are
acquired; when a group is acquired beside words of the other groups that are as frequent; and whether the order of the
groups' mean frequencies is the order in which they are learnt.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import patsy
from scipy import optimize, sparse, stats

from embryology import intervals
from embryology.analysis import acquisition
from embryology.analysis.learning_order import REACHED

OCTAVE = 0.25
"""Words within so many octaves are as frequent as each other."""
FEWEST = 10
"""Types; of fewer no interval is told, and no coefficient is fitted."""
FOLDS = 5
DRAWS = 300
RIDGE = 0.1
"""On half of the squares of the coefficients, which are log hazards."""
MIXED = 0.002
"""So much of every hazard is that of all words together: else a single word of which a fit is sure, and wrong, would
outweigh all others."""
EXTREMES = (-30, 6)
"""A predictor beyond is as good as never or always: the logarithm of its chance would be that of 0."""
FREQUENCY, PART_OF_SPEECH, BOTH, NEITHER = "frequency", "part of speech", "both", "neither"
GAP, OFTEN = "cr(gap, df=8)", "te(cr(gap, df=6), cr(frequency, knots=knots), constraints='center')"
GROUP = "C(group, Sum)"
MODELS = {NEITHER: [GAP], FREQUENCY: [GAP, OFTEN], PART_OF_SPEECH: [GAP, GROUP], BOTH: [GAP, OFTEN, GROUP]}
"""What the hazard of a gap between two checkpoints depends on. ``cr``: natural cubic splines; ``te``: their products,
as frequency may matter more early than late. With knots that lie evenly, not where most words are: else part of speech
stands in for a curve of frequency that does not fit the few frequent words."""


@dataclass(frozen=True)
class Units:
    """The word types of some groups, and how many of their words, or they themselves, were acquired when."""

    types: pd.DataFrame
    """``group``, ``type``, ``frequency``, a row each."""
    steps: np.ndarray
    """(gaps,) the checkpoints at which acquisition can be told, the last one excepted, which only confirms."""
    events: np.ndarray
    """(types, gaps + 1): words acquired at each of them, and last those that were not."""

    @property
    def sizes(self) -> np.ndarray:
        """(types,): words."""
        sizes: np.ndarray = self.events.sum(axis=1)
        return sizes

    @property
    def shares(self) -> np.ndarray:
        """(types, gaps): the share of its words that is acquired by each checkpoint."""
        shares: np.ndarray = self.events[:, :-1].cumsum(axis=1) / self.sizes[:, None]
        return shares

    def of(self, groups: list[str]) -> "Units":
        chosen = self.types["group"].isin(groups).to_numpy()
        return Units(self.types[chosen].reset_index(drop=True), self.steps, self.events[chosen])


def units(words: pd.DataFrame, by_type: bool) -> Units:
    """From words of :func:`embryology.analysis.acquisition.tokens`; ``by_type``: a type is a unit, else each word."""
    types = acquisition.types(words)
    steps = np.array(acquisition.steps_of(words)[:-1])
    rows, columns = np.arange(len(types)), acquisition.acquired(types)
    if not by_type:
        place = pd.MultiIndex.from_frame(types[["group", "type"]])
        rows, columns = (
            place.get_indexer(pd.MultiIndex.from_frame(words[["group", "type"]])),
            acquisition.acquired(words),
        )
    events = np.zeros((len(types), len(steps) + 1))
    np.add.at(events, (rows, columns), 1)
    return Units(types[["group", "type", "frequency"]], steps, events)


def order(words: pd.DataFrame) -> pd.DataFrame:
    """The frequency-only order, as a table of learning times: groups of more frequent words, on average, are earlier.

    ``step`` is the mean log2 frequency of its words, with the sign turned round.
    """
    frequency = words.groupby("group")["frequency"].mean().rename_axis("tag")
    return pd.DataFrame({"state": REACHED, "step": -frequency, "spacing": 0.0, "final": np.nan, "learnt": True})


def large(units: Units) -> list[str]:
    """The groups with :data:`FEWEST` types or more."""
    counts = units.types["group"].value_counts()
    return [group for group in counts.index if counts[group] >= FEWEST]


def held_out(units: Units, seed: int = intervals.SEED) -> pd.DataFrame:
    """How well the gap in which words are acquired is told, of types that the regression has not seen.

    Grouped proportional hazards (Prentice and Gloeckler 1978): a binomial regression with a complementary log-log link
    over the gaps between checkpoints in which a word was yet to be acquired; a censored word is at risk in all of them.

    Args:
        units: groups of fewer than :data:`FEWEST` types are left out.
        seed: of the folds.

    Returns:
        (types, models) log-likelihood in nats, the sum over a type's words, of each of :data:`MODELS`; indexed by
        ``group`` and ``type``.

    Raises:
        CannotBeTold: fewer than two groups have enough types, or none of their words is acquired.
    """
    groups = large(units)
    if len(groups) < 2:
        raise acquisition.CannotBeTold(f"fewer than two groups have {FEWEST} word types, so that none can be compared")
    units = units.of(groups)
    if not units.events[:, :-1].any():
        raise acquisition.CannotBeTold("no word is acquired")
    gaps = len(units.steps)
    at_risk = units.sizes[:, None] - np.pad(units.events[:, :-1].cumsum(axis=1), ((0, 0), (1, 0)))[:, :-1]
    numbers, names = pd.factorize(units.types["type"])
    fold = (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[numbers]
    rounded = (units.types["frequency"] / OCTAVE).round() * OCTAVE  # as frequent as each other: a tenth of the rows
    cells = units.types.assign(fold=fold, frequency=rounded).groupby(["fold", "group", "frequency"], sort=True)
    cell, table = cells.ngroup().to_numpy(), cells.size().index.to_frame(index=False)
    collect = sparse.csr_array((np.ones(len(cell)), (cell, np.arange(len(cell)))))
    happened, risky = collect @ units.events[:, :-1], collect @ at_risk
    knots = np.linspace(table["frequency"].min(), table["frequency"].max(), 8)[1:-1]
    rows = table.loc[table.index.repeat(gaps)].assign(gap=np.tile(np.arange(gaps), len(table)))
    rows["group"] = rows["group"].astype("category")
    columns = patsy.dmatrix(" + ".join(["0", *MODELS[BOTH]]), dict(rows, knots=knots))
    of_term = columns.design_info.term_name_slices
    told = {}
    for name, terms in MODELS.items():
        design = np.hstack([columns[:, of_term[term]] for term in terms]).reshape(len(table), gaps, -1)
        hazards = np.empty((len(table), gaps))
        for number in range(FOLDS):
            held = (table["fold"] == number).to_numpy()
            hazards[held] = _hazards(design, happened, risky, ~held, held)
        of_type = hazards[cell]
        told[name] = (
            units.events[:, :-1] * np.log(of_type) + (at_risk - units.events[:, :-1]) * np.log1p(-of_type)
        ).sum(1)
    return pd.DataFrame(told, index=pd.MultiIndex.from_frame(units.types[["group", "type"]])).assign(words=units.sizes)


def _hazards(
    design: np.ndarray, happened: np.ndarray, at_risk: np.ndarray, learn: np.ndarray, held: np.ndarray
) -> np.ndarray:
    """(held cells, gaps): hazards that the regression on the cells to learn from gives."""
    columns = design.shape[2]
    overall = (happened[learn].sum(axis=0) + 0.5) / (at_risk[learn].sum(axis=0) + 1)
    some = at_risk[learn] > 0
    rows, events, survived = design[learn][some], happened[learn][some], (at_risk - happened)[learn][some]
    ridge = RIDGE * np.eye(columns)
    prior = np.broadcast_to(np.log(-np.log1p(-overall)), some.shape)[some]
    # Concave, but steps without damping run away from its top (statsmodels' do); and where all words of a group are
    # acquired in one gap it has no finite maximum, hence the ridge.
    found = optimize.minimize(
        lambda at: at @ ridge @ at / 2 - loglikelihood(rows @ at, events, survived)[0],
        np.linalg.solve(rows.T @ rows + ridge, rows.T @ prior),
        jac=lambda at: ridge @ at - loglikelihood(rows @ at, events, survived)[1] @ rows,
        hess=lambda at: ridge - rows.T @ (rows * loglikelihood(rows @ at, events, survived)[2][:, None]),
        method="trust-exact",
        options={"gtol": 1e-4},
    )
    told = -np.expm1(-np.exp(design[held] @ found.x))
    hazards: np.ndarray = (1 - MIXED) * told + MIXED * overall
    return hazards


def loglikelihood(
    predictor: np.ndarray, events: np.ndarray, survived: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Of a binomial with a complementary log-log link, and its first two derivatives by the linear predictor.

    Args:
        predictor: (n,) logarithms of cumulative hazards.
        events, survived: (n,) how many there are, and how many there could have been beside these.

    Returns:
        In nats without the binomial coefficient; (n,); (n,).
    """
    hazard = np.exp(np.clip(predictor, *EXTREMES))
    chance = -np.expm1(-hazard)
    first = events * hazard * (1 - chance) / chance  # of the events' part
    return (
        float(events @ np.log(chance) - survived @ hazard),
        first - survived * hazard,
        first * (1 - hazard / chance) - survived * hazard,
    )


def gains(told: pd.DataFrame, draws: int = DRAWS, seed: int = intervals.SEED) -> pd.DataFrame:
    """What each adds to the other, nats a word with a bootstrap over types.

    Returns:
        ``value``, ``low`` and ``high``, a row :data:`PART_OF_SPEECH` (beside frequency) and one :data:`FREQUENCY`
        (beside part of speech).
    """
    sums = told.groupby("type")[[*MODELS, "words"]].sum()
    weights = np.concatenate([np.ones((1, len(sums))), intervals.resamples(len(sums), draws, seed)])
    means = (weights @ sums[[*MODELS]]) / (weights @ sums["words"])[:, None]
    means = pd.DataFrame(means, columns=[*MODELS])
    added = {PART_OF_SPEECH: means[BOTH] - means[FREQUENCY], FREQUENCY: means[BOTH] - means[PART_OF_SPEECH]}
    rows = {
        name: (each.iloc[0], *intervals.percentile_interval(each.iloc[1:].to_numpy())) for name, each in added.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"]).astype(float)


def rank_shares(units: Units) -> dict[str, float]:
    """The share of the variance of ranks of acquisition (R²) that the rank of frequency, part of speech and both tell.

    For comparison with others' alone: censored words are tied last, and words that were seen are told.
    """
    times = units.events.shape[1]
    rows = np.repeat(np.arange(len(units.events) * times), units.events.ravel().astype(int))
    of_type, when = rows // times, rows % times
    types = units.types.iloc[of_type]
    return shares(stats.rankdata(when), types["frequency"].to_numpy(), types["group"])


def shares(ranks: np.ndarray, often: np.ndarray, groups: pd.Series) -> dict[str, float]:
    """R² of (units,) ranks by the rank of how often, by group, and by both; nan where all ranks are one."""
    by_frequency = stats.rankdata(often)[:, None]
    by_group = pd.get_dummies(groups).to_numpy(float)
    one = np.ones((len(ranks), 1))
    shares = {}
    for name, columns in (
        (FREQUENCY, [one, by_frequency]),
        (PART_OF_SPEECH, [by_group]),
        (BOTH, [by_group, by_frequency]),
    ):
        predictors = np.hstack(columns)
        left = ranks - predictors @ np.linalg.lstsq(predictors, ranks)[0]
        shares[name] = float(1 - left @ left / ((ranks - ranks.mean()) ** 2).sum()) if np.ptp(ranks) else np.nan
    return shares
