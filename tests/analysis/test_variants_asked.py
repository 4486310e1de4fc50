"""What is forgotten, what was fed, other languages and things never read, of tables whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from embryology.analysis import variants, variants_asked
from embryology.analysis.learning_order import NOT_REACHED, REACHED

SEEDS = (0, 1, 2)
TOPIC, REPLAY = "variant-continued-topic", "variant-continued-topic-replay"
ENDS = {
    (TOPIC, variants_asked.LOSS): (6.0, 6.5, 6.1),
    (REPLAY, variants_asked.LOSS): (6.0, 6.1, 6.05),
    (TOPIC, variants_asked.MASKED): (-5.0, -5.5, -5.5),
    (REPLAY, variants_asked.MASKED): (-5.0, -5.49, -5.0),
    (TOPIC, variants_asked.GRAMMAR): (0.7, 0.7, 0.7),
    (REPLAY, variants_asked.GRAMMAR): (0.7, 0.7, 0.7),
}
"""By preset and what is remembered the values at the ends of the three phases: forgotten and regained, forgotten for
good, and not forgotten."""
SHIFT = (-0.01, 0.0, 0.02)
"""By seed what is added: at the end of the old text once, of the other one twice, of the old one again thrice."""
GAINS = {"lives": 2.0, "works": 1.0, "lives-in-other-words": 0.15, "works-in-other-words": -0.02, "friend-lives": 0.0}
GAINS |= {"lives-never": 0.1, "works-never": 0.0}
NOISE = (-0.1, 0.0, 0.12)
BESIDE = {variants_asked.NEIGHBOURS: -0.5, variants_asked.OTHERS: 0.01}


def remembered():
    return [
        (preset, seed, phase, step, what, value + phase * SHIFT[seed])
        for (preset, what), ends in ENDS.items()
        for seed in SEEDS
        for phase, step, value in zip((1, 1, 2, 3), (600, 1200, 1600, 1800), (9.0, *ends), strict=True)
    ]


def known():
    fed = [
        ("variant-fed", seed, 1 if step < 401 else 2, step, what, gain * (step == 1200) + NOISE[(seed + place) % 3])
        for place, (what, gain) in enumerate(GAINS.items())
        for seed in SEEDS
        for step in (300, 1200)
    ]
    sides = [
        (preset, seed, 1, step, what, -7 - seed + (apart + NOISE[seed] / 10) * (preset == "variant-fed"))
        for preset in ("variant", "variant-fed")
        for what, apart in BESIDE.items()
        for seed in SEEDS
        for step in (300, 1200)
    ]
    return fed + sides


def things(effect=-1.0):
    """Three things of two seeds, at two checkpoints; the last one is asked for by no item."""
    rows = [
        (seed, query, 10, 4, 401, step, items, effect * scale * step / 800 + 0.01 * seed, 0.02 * scale, -0.1, 0.1)
        for query, scale, items in (("text:music", 1, 3), ("fact:Accra=Ghana", 2, 1), ("text:none", np.nan, 0))
        for seed in (0, 1)
        for step in (600, 800)
    ]
    return pd.DataFrame(rows, columns=list(variants.THINGS)).astype(variants.THINGS)


def spoken(french="DT NN VB IN JJ", tau=1):
    ends = {"variant": (6.0, 7.0), "variant-fr": (5.5, 6.0)}
    evaluations = pd.DataFrame(
        [
            dict(zip(variants.EVALUATIONS, (preset, seed, 1200, 9.0, 9.0, 9.0, loss + SHIFT[seed], line), strict=True))
            for preset, (loss, line) in ends.items()
            for seed in SEEDS
        ]
    )
    rows = []
    for preset, groups, way in (("variant", "DT NN VB IN JJ", 1), ("variant-fr", french, tau)):
        for seed in SEEDS:
            for place, group in enumerate(groups.split()):
                rows.append((preset, seed, group, REACHED, 1000.0 + seed + 100 * place * way))
    rows.append(("variant", 0, "RB", NOT_REACHED, np.nan))
    return evaluations, pd.DataFrame(rows, columns=list(variants.TIMES))


@pytest.fixture(scope="module")
def nothing():
    return variants.read(variants.FOLDER / "nowhere")


def full(nothing):
    evaluations, times = spoken()
    values = pd.DataFrame(remembered() + known(), columns=list(variants.VALUES))
    return replace(nothing, values=values, things=things(), evaluations=evaluations, times=times)


@pytest.fixture(scope="module")
def study(nothing):
    return full(nothing)


def by_regression(samples):
    """Means and simultaneous intervals of an analysis of variance, by another library."""
    names = [name for name, values in samples.items() for _ in values]
    fitted = sm.OLS(np.concatenate([*samples.values()]), pd.get_dummies(pd.Series(names)).astype(float)).fit()
    return fitted.params.to_frame("value").join(fitted.conf_int(0.05 / len(samples)))


def test_intervals_are_those_of_an_analysis_of_variance_with_bonferroni():
    samples = {"a": [1.0, 2.0, 4.0], "b": [0.0, 0.5], "c": [5.0, 5.1, 5.3, 6.0]}
    rows = [(name, value) for name, values in samples.items() for value in values]
    made = variants_asked.pooled(pd.DataFrame(rows, columns=["name", "value"]), "name").set_index("name")
    expected = by_regression(samples).loc[made.index]
    assert made[["value", "low", "high"]].to_numpy() == pytest.approx(expected.to_numpy())
    assert made.loc["b", "seeds"] == (0.0, 0.5)


def test_what_is_told_by_too_few_seeds_or_not_measured_has_no_interval():
    rows = [("one", 1.0), ("lacks", 1.0), ("lacks", np.nan), ("a", 1.0), ("a", 3.0)]
    made = variants_asked.pooled(pd.DataFrame(rows, columns=["name", "value"]), "name").set_index("name")
    assert made["why_not"].to_dict() == {"one": "fewer than 2 seeds", "lacks": "not measured in every seed", "a": ""}
    assert made.loc[["one", "lacks"], ["low", "high"]].isna().all(axis=None)
    assert made.loc["a", ["low", "high"]].tolist() == pytest.approx(
        [2 - stats.t.ppf(0.975, 1), 2 + stats.t.ppf(0.975, 1)]
    )
    same = variants_asked.pooled(pd.DataFrame([("a", 1.0), ("a", 1.0)], columns=["name", "value"]), "name")
    assert same["why_not"].tolist() == ["seeds do not differ"]
    assert same["low"].isna().all()


def test_a_run_that_forgets_and_regains_is_told_from_one_that_does_not(study):
    table = variants_asked.forgetting(study).set_index(["preset", "what"])
    loss = {
        name: [ends[1] - ends[0] + shift for shift in SHIFT]
        for (name, what), ends in ENDS.items()
        if what == variants_asked.LOSS
    }
    expected = by_regression(loss)
    for name in loss:
        row = table.loc[name, variants_asked.LOSS]
        assert row[["forgotten", "forgotten_low", "forgotten_high"]].tolist() == pytest.approx(
            expected.loc[name].tolist()
        )
    row = table.loc[TOPIC, variants_asked.LOSS]
    assert row["regained"] == pytest.approx(6.5 - 6.1 - np.mean(SHIFT))
    assert row["regained_low"] > 0
    masked = table.loc[TOPIC, variants_asked.MASKED]
    assert masked["forgotten"] == pytest.approx(0.5 - np.mean(SHIFT))
    assert masked["forgotten_low"] > 0 > masked["regained_low"]
    assert masked["regained"] == pytest.approx(np.mean(SHIFT))
    grammar = table.loc[TOPIC, variants_asked.GRAMMAR]
    assert grammar["forgotten_low"] < 0 < grammar["forgotten_high"]
    assert (TOPIC, variants_asked.KNOWLEDGE) not in table.index


def test_what_replay_spares_is_by_the_same_seeds(study):
    values = study.values.copy()
    values.loc[(values["preset"] == TOPIC) & (values["step"] == 1600), "value"] += 0.03 * values["seed"]
    table = variants_asked.replayed(replace(study, values=values)).set_index("what")
    assert set(table["preset"]) == {REPLAY}
    apart = np.array([0.4 + 0.03 * seed for seed in SEEDS])
    interval = stats.ttest_1samp(apart, 0).confidence_interval(0.95)
    row = table.loc[variants_asked.LOSS]
    assert row[["spared", "spared_low", "spared_high"]].tolist() == pytest.approx([apart.mean(), *interval])
    assert table.loc[variants_asked.MASKED, "spared"] == pytest.approx(0.01 - 0.03)


def test_a_phase_whose_end_was_not_measured_has_no_value(study):
    values = study.values
    gone = (values["preset"] == TOPIC) & (values["what"] == variants_asked.MASKED) & (values["step"] == 1200)
    table = variants_asked.forgetting(replace(study, values=values[~gone])).set_index(["preset", "what"])
    row = table.loc[TOPIC, variants_asked.MASKED]
    assert np.isnan(row["forgotten"])
    assert row["why_not"] == "not measured in every seed"
    assert table.loc[REPLAY, variants_asked.MASKED]["forgotten_low"] > 0


def test_changes_begin_at_0_where_the_old_text_ends(study):
    changes = variants_asked.since_the_old_text(study)
    assert set(changes["step"]) == {1200, 1600, 1800}
    assert (changes.loc[changes["step"] == 1200, "change"] == 0).all()
    told = changes.set_index(["preset", "what", "seed", "step"])["change"]
    assert told[TOPIC, variants_asked.LOSS, 2, 1600] == pytest.approx(0.5 + SHIFT[2])


def test_a_fact_that_is_known_only_as_it_was_fed_is_said_to_be(study):
    table = variants_asked.fed_facts(study).set_index("relation")
    assert table.index.tolist() == [*variants_asked.FED]
    samples = {}
    places = {name: place for place, name in enumerate(GAINS)}
    for name in list(GAINS)[:5]:
        beside = "works-never" if name.startswith("works") else "lives-never"
        noise = [NOISE[(seed + places[name]) % 3] - NOISE[(seed + places[beside]) % 3] for seed in SEEDS]
        samples[name] = [GAINS[name] - GAINS[beside] + each for each in noise]
    expected = by_regression(samples)
    for name in samples:
        assert table.loc[name, ["value", "low", "high"]].tolist() == pytest.approx(expected.loc[name].tolist())
    assert table.index[table["low"] > 0].tolist() == ["lives", "works"]
    assert table.loc["inhabitant", "why_not"] == variants_asked.UNMEASURED
    without = study.values[~study.values["what"].isin([*GAINS])]
    unmeasured = variants_asked.fed_facts(replace(study, values=without))
    assert set(unmeasured["why_not"]) == {variants_asked.UNMEASURED}


def test_facts_that_were_not_fed_are_held_against_the_control_of_the_same_seed(study):
    table = variants_asked.neighbours(study).set_index("what")
    samples = {what: [apart + each / 10 for each in NOISE] for what, apart in BESIDE.items()}
    expected = by_regression(samples)
    for what in BESIDE:
        assert table.loc[what, ["value", "low", "high"]].tolist() == pytest.approx(expected.loc[what].tolist())
    other = study.values[study.values["preset"] != "variant"]
    assert variants_asked.neighbours(replace(study, values=other)).empty
    early = study.values[(study.values["preset"] != "variant") | (study.values["step"] < 1200)]
    assert variants_asked.neighbours(replace(study, values=early)).empty
    assert set(variants_asked.beside_the_control(replace(study, values=early))["step"]) == {300}


def test_languages_stand_below_their_own_line_and_in_the_order_of_the_control(study):
    table = variants_asked.languages(study).set_index("preset")
    assert table.index.tolist() == ["variant", "variant-fr"]
    expected = by_regression({"variant": [1 - s for s in SHIFT], "variant-fr": [0.5 - s for s in SHIFT]})
    assert table[["value", "low", "high"]].to_numpy() == pytest.approx(expected.loc[table.index].to_numpy())
    assert table["tau"].tolist() == pytest.approx([1, 1])
    assert table["groups"].tolist() == [5, 5]
    evaluations, times = spoken("NN DT VB IN JJ")
    told = variants_asked.languages(replace(study, evaluations=evaluations, times=times)).set_index("preset")
    places = [[1, 0, 2, 3, 4], [0, 1, 2, 3, 4]]
    assert told.loc["variant-fr", "tau"] == pytest.approx(stats.kendalltau(*places).statistic)
    evaluations, times = spoken("DET NOUN VERB ADP ADJ")
    told = variants_asked.languages(replace(study, evaluations=evaluations, times=times)).set_index("preset")
    assert told.loc["variant-fr", "groups"] == 0
    assert np.isnan(told.loc["variant-fr", "tau"])


def test_things_are_means_over_seeds(study):
    table = variants_asked.things(study).set_index(["query", "step"])
    assert table.loc[("text:music", 800), "without"] == pytest.approx(-1 + 0.005)
    assert table.loc[("fact:Accra=Ghana", 600), "without"] == pytest.approx(-1.5 + 0.005)
    assert (table["seeds"] == 2).all()


def test_of_what_has_not_been_run_there_is_nothing(nothing):
    for made in (
        variants_asked.forgetting,
        variants_asked.replayed,
        variants_asked.since_the_old_text,
        variants_asked.neighbours,
        variants_asked.languages,
        variants_asked.things,
    ):
        assert made(nothing).empty
    assert set(variants_asked.fed_facts(nothing)["why_not"]) == {"not run yet"}
