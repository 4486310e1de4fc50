"""Is it just frequency? Against words whose acquisition is known, and plain arithmetic."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from embryology.analysis import acquisition, beyond_frequency, frequency, matched
from embryology.analysis.frequency import BOTH, FREQUENCY, NEITHER, PART_OF_SPEECH

STEPS = [0, 10, 20, 40, 80, 160, 320, 640, 1280]
SHAPES = {"NN": (5, 1.5, 400), "VB": (6, 1.5, 250), "IN": (11, 2, 120), "DT": (12, 2, 8)}
"""By group the mean and the spread of log2 frequency, and how many types."""


def words(seed, delay=None, says_the=False):
    """Words of which each stays right from a step that frequency alone decides, but for a delay of a group, in octaves.

    The more frequent by an octave, the earlier by two thirds of one. A type has one to three words.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for group, (mean, spread, types) in SHAPES.items():
        for number in range(types):
            often = max(0.0, rng.normal(mean, spread))
            octave = 13 - often / 1.5 + (delay or {}).get(group, 0) + rng.logistic(0, 0.5)
            for _ in range(rng.integers(1, 4)):
                right = np.array(STEPS) >= 2**octave
                if says_the and group == "DT":
                    right = np.array(STEPS) >= (10 if number == 0 else np.inf)
                rows.append((f"{group}{number}", group, number + 1000 * list(SHAPES).index(group), often, 1, *right))
    table = pd.DataFrame(rows, columns=["item_id", "group", "type", "frequency", "words", *STEPS])
    return table.assign(count=(2 ** table["frequency"] - 1).round().astype(int), pieces=1)


def test_a_word_is_acquired_where_it_stays_right_at_two_checkpoints_or_more():
    right = {
        "always": [1, 1, 1, 1, 1], "from 10": [0, 1, 1, 1, 1], "a blip": [1, 0, 1, 1, 1],
        "at the last two": [0, 1, 0, 1, 1],
        "at the last alone": [0, 0, 0, 0, 1], "lost": [1, 1, 1, 1, 0], "never": [0, 0, 0, 0, 0],
    }  # fmt: skip
    table = pd.DataFrame(right.values(), columns=[0, 10, 20, 40, 80], dtype=float)
    assert acquisition.acquired(table).tolist() == [0, 1, 2, 3, 4, 4, 4]


def test_words_are_joined_to_their_frequency_and_summed_by_type():
    items = pd.DataFrame(
        [(item, step, group, "reconstruction", step >= 10 and item != "c") for item, group in (("a", "NN"), ("b", "NN"),
         ("c", "NN"), ("d", "VB")) for step in (0, 10, 20, 40)],
        columns=["item_id", "step", "group", "task", "correct"],
    )  # fmt: skip
    counted = pd.DataFrame({"item_id": list("abcd"), "type": [7, 7, 7, 7], "pieces": 1, "count": [3, 3, 3, 3]})
    table = acquisition.tokens(items, counted, "reconstruction", ["NN", "VB"])
    assert table["frequency"].tolist() == [2, 2, 2, 2]
    by_type = acquisition.types(table)
    assert by_type[["group", "words"]].to_numpy().tolist() == [["NN", 3], ["VB", 1]]  # one type, of two groups
    assert by_type[40].tolist() == [pytest.approx(2 / 3), 1]
    with pytest.raises(acquisition.CannotBeTold, match="from 3 checkpoints; it takes 4"):
        acquisition.tokens(items[items["step"] < 40], counted, "reconstruction", ["NN"])
    with pytest.raises(Exception, match="frequency of 1 words was not counted"):
        acquisition.tokens(items, counted[:3], "reconstruction", ["NN", "VB"])


def test_the_order_of_frequency_has_the_more_frequent_group_first():
    order = frequency.order(words(0))
    assert list(order.sort_values("step").index) == ["DT", "IN", "VB", "NN"]
    often = pd.DataFrame({"group": list("AAAB"), "type": [1, 1, 2, 3], "frequency": [8.0, 8.0, 2.0, 5.5]})
    assert frequency.order(often)["step"].to_dict() == {"A": -6.0, "B": -5.5}  # by words, not types


@pytest.mark.parametrize("by_type", [True, False])
def test_a_model_that_learns_by_frequency_alone_gains_nothing_from_part_of_speech(by_type):
    told = beyond_frequency.tests_of(frequency.units(words(1), by_type))
    assert not told.adds
    assert told.gains.loc[FREQUENCY, "low"] > 0.1
    assert told.apart.empty
    unmatched, equal = told.spreads
    assert unmatched > 10
    assert equal < 2


@pytest.mark.parametrize("by_type", [True, False])
def test_part_of_speech_that_matters_at_equal_frequency_is_found(by_type):
    told = beyond_frequency.tests_of(frequency.units(words(2, delay={"VB": 2}), by_type))
    assert told.adds
    assert told.gains.loc[FREQUENCY, "low"] > 0.1
    assert "VB" in told.apart.index
    assert told.factors.loc["VB", "low"] > 1.5
    assert told.factors.loc["VB", "low"] < 2**2 < told.factors.loc["VB", "high"] * 1.5


def test_of_a_model_that_says_the_one_type_is_acquired_and_the_group_has_no_interval():
    table = words(3, says_the=True)
    units = frequency.units(table, by_type=True)
    of_group = (units.types["group"] == "DT").to_numpy()
    assert units.events[of_group].sum(axis=0)[[1, -1]].tolist() == [1, 7]
    told = beyond_frequency.tests_of(units)
    assert frequency.large(units) == ["NN", "VB", "IN"]  # eight determiners are too few
    assert np.isnan(told.factors.loc["DT", "low"])
    assert told.factors.loc["IN", "low"] < 1 < told.factors.loc["IN", "high"]


def test_the_regression_finds_the_hazards_that_words_were_drawn_from():
    """A cloglog hazard whose log is linear in frequency: the regression comes close to its own log-likelihood."""
    rng = np.random.default_rng(0)
    often, gaps = rng.uniform(0, 8, 3000), 6
    hazard = 1 - np.exp(-np.exp(-4 + 0.5 * often[:, None] + 0.1 * np.arange(gaps)))
    lots = rng.random((len(often), gaps)) < hazard
    when = np.where(lots.any(axis=1), lots.argmax(axis=1), gaps)
    events = np.eye(gaps + 1)[when]
    types = pd.DataFrame(
        {"group": np.where(rng.random(3000) < 0.5, "NN", "VB"), "type": np.arange(3000), "frequency": often}
    )
    told = frequency.held_out(frequency.Units(types, np.arange(gaps), events))
    survived = np.cumprod(np.hstack([np.ones((3000, 1)), 1 - hazard]), axis=1)
    probability = survived * np.hstack([hazard, np.ones((3000, 1))])
    truth = np.log(probability[np.arange(3000), when]).mean()
    assert told[FREQUENCY].mean() == pytest.approx(truth, abs=0.02)
    assert told[BOTH].mean() == pytest.approx(told[FREQUENCY].mean(), abs=0.01)
    assert told[NEITHER].mean() < truth - 0.2
    shares = np.bincount(when, minlength=gaps + 1) / 3000
    assert told[NEITHER].mean() == pytest.approx(np.sum(shares * np.log(shares)), abs=0.02)


def test_the_likelihood_and_its_derivatives_are_those_of_statsmodels():
    rng = np.random.default_rng(2)
    rows, at = rng.normal(size=(400, 3)), np.array([0.3, -1.0, 0.5])
    events, survived = rng.integers(0, 4, 400), rng.integers(0, 4, 400)
    events[0] += events[0] + survived[0] == 0
    there = events + survived > 0
    rows, events, survived = rows[there], events[there].astype(float), survived[there].astype(float)
    value, first, second = frequency.loglikelihood(rows @ at, events, survived)
    family = sm.families.Binomial(sm.families.links.CLogLog())
    model = sm.GLM(np.column_stack([events, survived]), rows, family=family)
    coefficients = stats.binom(events + survived, 0.5).logpmf(events) + (events + survived) * np.log(2)
    assert value + coefficients.sum() == pytest.approx(model.loglike(at))
    assert first @ rows == pytest.approx(model.score(at))
    assert rows.T @ (rows * second[:, None]) == pytest.approx(model.hessian(at, observed=True))


def test_what_was_held_out_was_not_seen():
    """Of types in pure noise a group that was seen tells nothing: what is told of them is worse than of none."""
    table = words(5)
    rng = np.random.default_rng(5)
    table["frequency"] = rng.uniform(0, 12, len(table))
    table["frequency"] = table.groupby(["group", "type"])["frequency"].transform("first")
    table["group"] = rng.choice(["A", "B", "C"], len(table))
    gains = frequency.gains(frequency.held_out(frequency.units(table, by_type=True)))
    assert gains.loc[PART_OF_SPEECH, "value"] < 0.005


def test_shares_of_ranks_are_those_of_plain_least_squares():
    units = frequency.units(words(6), by_type=True)
    when = pd.Series(units.events.argmax(axis=1)).rank()
    often = units.types["frequency"].rank()
    shares = frequency.rank_shares(units)
    assert shares[FREQUENCY] == pytest.approx(np.corrcoef(when, often)[0, 1] ** 2)
    means = when.groupby(units.types["group"]).transform("mean")
    assert shares[PART_OF_SPEECH] == pytest.approx(means.var() / when.var())
    assert shares[BOTH] > max(shares[FREQUENCY], shares[PART_OF_SPEECH])


def test_curves_beside_others_are_plain_means_over_as_frequent_words():
    rng = np.random.default_rng(7)
    types = pd.DataFrame(
        {"group": rng.choice(["A", "B", "C"], 60), "type": np.arange(60), "frequency": rng.integers(0, 20, 60) / 8}
    )
    values, sizes = rng.random((60, 3)), rng.integers(1, 4, 60).astype(float)
    curves = matched.beside(types, values, sizes, draws=5)
    for number, group in enumerate(curves.groups):
        mine = [i for i in range(60) if types["group"][i] == group]
        own, predicted, weight, left = np.zeros(3), np.zeros(3), 0.0, 0
        for i in mine:
            near = [
                j for j in range(60)
                if types["group"][j] != group and abs(types["frequency"][j] - types["frequency"][i]) <= 0.25
            ]  # fmt: skip
            if near:
                own += sizes[i] * values[i]
                predicted += sizes[i] * np.average(values[near], axis=0, weights=sizes[near])
                weight += sizes[i]
                left += 1
        rest = [j for j in range(60) if j not in mine]
        assert curves.types[number] == len(mine)
        assert curves.matched[number] == left
        np.testing.assert_allclose(curves.own_matched[0, number], own / weight)
        np.testing.assert_allclose(curves.others_matched[0, number], predicted / weight)
        np.testing.assert_allclose(curves.own[0, number], np.average(values[mine], axis=0, weights=sizes[mine]))
        np.testing.assert_allclose(curves.others[0, number], np.average(values[rest], axis=0, weights=sizes[rest]))
    assert not np.allclose(curves.own[1:], curves.own[:1])


def test_a_factor_is_the_ratio_of_the_steps_at_half_of_the_lower_last_value():
    steps = np.array([0.0, 10, 20, 40])
    one, other = np.array([0, 0.5, 0.5, 1.0]), np.array([0, 0, 0.4, 0.4])
    curves = np.tile(np.stack([one, other]), (3, 1, 1))
    table = matched.factors(
        matched.Beside(
            ["A", "B"], np.array([20, 9]), np.array([20, 9]), curves, curves[:, ::-1], curves, curves[:, ::-1]
        ),
        steps,
    )
    assert table.loc["A", "value"] == pytest.approx((10 * 0.2 / 0.5) / 15)
    assert table.loc["B", "value"] == pytest.approx(15 / (10 * 0.2 / 0.5))
    assert table["low"].notna().tolist() == [True, False]


@pytest.mark.long
def test_simultaneous_intervals_rarely_set_a_group_apart_whose_words_are_learnt_by_frequency_alone():
    """Of 200 series at most 13 have any group apart, and as many say that part of speech adds, where 5% may."""
    told = [beyond_frequency.tests_of(frequency.units(words(seed), by_type=True)) for seed in range(100, 300)]
    apart, adds = sum(not each.apart.empty for each in told), sum(each.adds for each in told)
    print(f"of 200: a group apart {apart}, part of speech adds {adds}")
    assert apart <= 13
    assert adds <= 13


def random_units(rng, types=60, gaps=4):
    """Types that all have words in both of two groups, acquired at random."""
    table = pd.DataFrame(
        {"group": np.repeat(["A", "B"], types), "type": np.tile(np.arange(types), 2),
         "frequency": np.tile(rng.uniform(0, 8, types), 2)}
    )  # fmt: skip
    return frequency.Units(table, np.arange(gaps), np.eye(gaps + 1)[rng.integers(0, gaps + 1, 2 * types)] * 3)


def test_what_a_type_does_in_one_group_tells_nothing_of_it_in_another():
    """Both are held out together: the words of one are changed, and what is told of the other stays the same."""
    units = random_units(np.random.default_rng(0))
    told = frequency.held_out(units)
    assert (told["words"] == 3).all()
    for number in (0, 7, 23):
        events = units.events.copy()
        events[number] = np.roll(events[number], 2)
        changed = frequency.held_out(frequency.Units(units.types, units.steps, events))
        names = list(frequency.MODELS)
        assert changed.loc[("B", number), names].tolist() == told.loc[("B", number), names].tolist()
        assert (changed.loc[("A", number), names] != told.loc[("A", number), names]).all()
        others = ~told.index.isin([("A", number), ("B", number)])
        assert (changed.loc[others, BOTH] != told.loc[others, BOTH]).any()
    assert not told.equals(frequency.held_out(units, seed=1))


def test_hazards_are_those_of_the_penalised_regression_by_another_optimiser():
    """The binomial likelihood of SciPy with a ridge, and two in a thousand of what happens to all words together."""
    rng = np.random.default_rng(1)
    design, at_risk = rng.normal(size=(12, 3, 2)), rng.integers(3, 9, (12, 3)).astype(float)
    at_risk[0, 1:] = 0
    happened = np.minimum(rng.integers(0, 4, (12, 3)), at_risk)
    learn = np.arange(12) < 9
    some = at_risk[learn] > 0

    def chance(rows, at):
        return 1 - np.exp(-np.exp(rows @ at))

    def loss(at):
        told = chance(design[learn][some], at)
        return 0.05 * at @ at - stats.binom.logpmf(happened[learn][some], at_risk[learn][some], told).sum()

    best = optimize.minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}).x
    overall = (happened[learn].sum(axis=0) + 0.5) / (at_risk[learn].sum(axis=0) + 1)
    expected = 0.998 * chance(design[~learn], best) + 0.002 * overall
    assert frequency._hazards(design, happened, at_risk, learn, ~learn) == pytest.approx(expected, abs=2e-5)


def test_gains_are_nats_a_word_of_whole_types():
    """What a type gains in one group it loses in the other, so that no draw of types changes the mean."""
    told = pd.DataFrame(
        {NEITHER: -9.0, FREQUENCY: -5.0, PART_OF_SPEECH: -6.0, BOTH: -4.0 + np.tile([1.0, -1.0], 40), "words": 2.0},
        index=pd.MultiIndex.from_arrays([["A", "B"] * 40, np.repeat(np.arange(40), 2)], names=["group", "type"]),
    )
    gains = frequency.gains(told, draws=50)
    assert gains.loc[PART_OF_SPEECH].tolist() == pytest.approx([0.5] * 3)  # beside frequency
    assert gains.loc[FREQUENCY].tolist() == pytest.approx([1.0] * 3)  # beside part of speech
    noisy = told.assign(words=np.tile([1.0, 3.0, 2.0, 8.0], 20))
    ends = [frequency.gains(noisy.assign(**{BOTH: noisy[BOTH] * noisy["words"]}), 50, seed)["low"] for seed in (0, 1)]
    assert (ends[0] != ends[1]).all()


def test_units_are_types_or_each_of_their_words_and_ten_types_are_enough():
    table = pd.DataFrame(
        {"item_id": list("abcd"), "group": ["A", "A", "A", "B"], "type": [1, 1, 2, 1], "frequency": [3.0, 3, 1, 3],
         "count": 1, "pieces": 1, "words": 1, 0: [1.0, 0, 0, 0], 10: [1.0, 0, 1, 0], 20: [1.0, 1, 1, 0],
         40: [1.0, 1, 1, 1]}
    )  # fmt: skip
    words = frequency.units(table, by_type=False)
    assert words.steps.tolist() == [0, 10, 20]
    assert words.events.tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert words.sizes.tolist() == [2, 1, 1]
    assert words.shares.tolist() == [[0.5, 0.5, 1], [0, 1, 1], [0, 0, 0]]
    assert frequency.units(table, by_type=True).events.tolist() == [[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    table[[0, 10, 20, 40]] = 1.0
    assert frequency.units(table, by_type=True).events.tolist() == [[1, 0, 0, 0]] * 3
    types = pd.DataFrame({"group": ["A"] * 10 + ["B"] * 9, "type": range(19), "frequency": 1.0})
    assert frequency.large(frequency.Units(types, np.arange(3), np.ones((19, 4)))) == ["A"]


def test_shares_of_both_are_statsmodels_r_squared_of_all_groups():
    rng = np.random.default_rng(3)
    groups = pd.Series(rng.choice(list("ABCDE"), 80))
    often = rng.integers(0, 9, 80)
    ranks = stats.rankdata(groups.map({"A": 0, "B": 9, "C": 2, "D": 30, "E": 14}) - often**2 / 9 + rng.normal(0, 5, 80))
    dummies = pd.get_dummies(groups, dtype=float).to_numpy()
    found = frequency.shares(ranks, often, groups)
    for name, design in (
        (FREQUENCY, sm.add_constant(stats.rankdata(often))),
        (PART_OF_SPEECH, dummies),
        (BOTH, np.column_stack([dummies, stats.rankdata(often)])),
    ):
        centred = 1 - sm.OLS(ranks, design).fit().ssr / np.sum((ranks - ranks.mean()) ** 2)
        assert found[name] == pytest.approx(centred)
    assert np.isnan(frequency.shares(np.full(80, 40.5), often, groups)[BOTH])
