"""What a reading does: against least squares and SciPy, and where it is known what it does."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from embryology import intervals
from embryology.analysis import exposed, exposure
from embryology.analysis.exposed import BANDS, Exposed
from embryology.analysis.exposure import ANY, ASKED, SHOWN, effect
from embryology.errors import EmbryologyError
from embryology.runs import measurements, properties
from embryology.runs.series import Series
from embryology.specs.properties import EXPOSURE, FREQUENCY
from embryology.storage.files import read_table, write_table
from tests.synthetic import STEPS, configuration

AT = np.array([0, 20, 40, 80, 160, 320, 640, 1280])
COVERS = ("embryology/analysis/exposed.py",)
GAIN, KEPT = 0.5, 0.6


def made(gain=GAIN, units=600, seed=0, noise=0.1):
    """Words whose log-probability grows by ``gain`` where they are asked for, of which :data:`KEPT` is left at each
    checkpoint after; frequent words rise by themselves, and are read more often."""
    rng = np.random.default_rng(seed)
    rate = rng.choice([0.2, 0.5, 1.5], units)
    read = rng.poisson(rate[:, None], (units, len(AT) - 1))
    masked = rng.binomial(read, 0.4)
    values = np.zeros((units, len(AT)))
    gained = np.zeros(units)
    for at in range(1, len(AT)):
        gained = KEPT * gained + gain * (masked[:, at - 1] > 0)
        values[:, at] = 2 * rate * at + gained
    values += rng.normal(0, noise, values.shape)
    total, clusters = read.sum(axis=1), np.arange(units)
    return Exposed("word types", AT, clusters, total, np.zeros(units, int), read, masked, values, values > 6)


def test_an_effect_is_that_of_least_squares_with_a_constant_for_every_cell():
    rng = np.random.default_rng(0)
    shape = 90, 5
    values, kind = rng.normal(size=shape), rng.integers(0, 3, shape)
    cells = rng.integers(0, 12, 90)[:, None] * 5 + np.arange(5)
    one, other = kind == 1, kind == 2
    found = effect(values + one * cells / 10, one, other, cells, np.arange(90), draws=30)
    rows = one | other
    design = pd.get_dummies(cells[rows]).to_numpy(float)
    fitted = sm.OLS((values + one * cells / 10)[rows], np.column_stack([one[rows], design])).fit()
    assert found.value == pytest.approx(fitted.params[0])
    weighted = []
    units = np.nonzero(rows)[0]
    shared = np.isin(cells[rows], np.intersect1d(cells[one], cells[other]))
    names, place = np.unique(units[shared], return_inverse=True)
    of_cells = pd.get_dummies(cells[rows][shared]).to_numpy(float)
    design, told = np.column_stack([one[rows][shared], of_cells]), (values + one * cells / 10)[rows][shared]
    for often in intervals.resamples(len(names), 30, intervals.SEED):
        root = np.sqrt(often[place])
        weighted.append(np.linalg.lstsq(design * root[:, None], told * root)[0][0])
    ends = np.quantile(weighted, [0.025, 0.975], method="inverted_cdf")
    assert [found.low, found.high] == pytest.approx(ends.tolist())
    assert found.units == len({unit for unit, first in zip(units[shared], one[rows][shared], strict=True) if first})


def test_clusters_are_resampled_as_wholes():
    each = made(noise=0.5)
    begins = np.arange(len(AT) - 1)
    arguments = (
        np.diff(each.log_probability, axis=1),
        each.masked > 0,
        each.read == 0,
        exposure._cells(each, begins),
    )
    doubled = [np.repeat(argument, 4, axis=0) for argument in arguments]
    alone, together = effect(*arguments, each.clusters), effect(*doubled, np.repeat(each.clusters, 4))
    apart = effect(*doubled, np.arange(4 * len(each.clusters)))
    assert together.value == pytest.approx(alone.value)
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert apart.high - apart.low < 0.7 * (together.high - together.low)


def test_what_a_reading_does_is_found_where_frequency_would_mislead():
    each = made()
    change, asked = np.diff(each.log_probability, axis=1), each.masked > 0
    assert change[asked].mean() - change[each.read == 0].mean() > GAIN + 0.3  # the frequent ones rise by themselves
    found, shown = exposure.of_reading(each, ASKED), exposure.of_reading(each, SHOWN)
    assert found.differs
    assert found.low < GAIN + 0.1 < found.high + 0.15
    assert abs(shown.value) < 0.1
    assert exposure.of_asking(each).value == pytest.approx(GAIN, abs=0.1)
    assert exposure.of_reading(each, ANY).value == pytest.approx((found.value + shown.value) / 2, abs=0.15)


def test_before_a_reading_there_is_no_difference_and_after_it_what_is_left_of_it():
    each = made(units=4000, noise=0.05)
    rows = exposure.around(each, ASKED).set_index("checkpoint")
    assert rows.loc[0, ["value", "low", "high"]].tolist() == [0, 0, 0]
    for at, left in ((1, GAIN), (2, GAIN * KEPT), (3, GAIN * KEPT**2)):
        assert rows.loc[at, "value"] == pytest.approx(left, abs=0.1)
        assert rows.loc[at, "low"] > 0
    assert rows.loc[-1, "value"] == pytest.approx(0, abs=0.1)
    shown = exposure.around(each, SHOWN).set_index("checkpoint")
    assert shown["value"].abs().max() < 0.15
    read = exposure.around(replace(each, read=np.minimum(each.read + 1, 1)), ANY)
    assert read["checkpoint"].tolist() == [0]  # there is nobody who is not read


def test_a_reading_that_does_nothing_is_not_shown_to_do_anything():
    told = [exposure.of_reading(made(gain=0, seed=seed), ASKED) for seed in range(8)]
    assert sum(each.differs for each in told) <= 1
    assert all(each.told for each in told)


def test_what_rises_for_all_when_more_is_read_is_no_effect_of_reading():
    rng = np.random.default_rng(0)
    often = np.array([0.1, 0.1, 0.1, 0.1, 0.6, 0.6, 0.6])
    read = rng.binomial(1, often, (500, 7))
    rising = np.concatenate([[0], np.cumsum(often > 0.5)])
    values = rising + rng.normal(0, 0.05, (500, 8))
    none = np.zeros(500, int)
    each = Exposed("facts", AT, np.arange(500), read.sum(axis=1), none, read, read, values, values > 9)
    assert exposure.of_reading(each).value == pytest.approx(0, abs=0.02)


def test_of_few_nothing_can_be_told():
    each = made(units=25)
    found = exposure.of_reading(each)
    assert not found.told
    assert not found.differs
    assert np.isfinite(found.value)
    none = exposure.of_reading(replace(each, read=each.read * 0, masked=each.masked * 0))
    assert (none.units, none.told) == (0, False)
    assert exposure.over_training(each).empty


def test_intervals_of_training_have_their_own_effects():
    each = made(units=2500)
    late = np.where(np.arange(len(AT)) > 4, 1, 0)
    each = replace(each, log_probability=each.log_probability * late)
    rows = exposure.over_training(each).set_index("step")
    assert rows.index.tolist() == AT[1:].tolist()
    assert rows.loc[40, "value"] == 0
    assert rows.loc[640, "low"] > 0.1


def test_own_exposures_are_counted_up_to_each_checkpoint_in_octaves():
    assert exposure.bins(np.array([0, 1, 2, 3, 4, 7, 8, 1023])).tolist() == [0, 1, 2, 2, 3, 3, 4, 10]
    each = made(units=400)
    each = replace(each, before=np.full(400, 2), total=each.read.sum(axis=1) + 2)
    table = exposure.by_own(each).set_index(["band", "own"])
    own = 2 + np.pad(each.read, ((0, 0), (1, 0))).cumsum(axis=1)
    of_band = (each.total >= 10) & (each.total < 100)
    chosen = of_band[:, None] & (own >= 4) & (own < 8)
    assert table.loc[(10, 4), "value"] == pytest.approx(each.log_probability[chosen].mean())
    assert table.loc[(10, 4), "units"] == chosen.any(axis=1).sum()
    low, high = intervals.of_mean(*intervals.by_unit(each.log_probability[chosen], np.nonzero(chosen)[0]))
    assert table.loc[(10, 4), ["low", "high"]].tolist() == pytest.approx([low, high])
    assert (own >= 2).all()
    assert set(table.index.get_level_values("own")) >= {2, 4}


def test_rarer_ones_are_held_against_the_next_band_read_as_often():
    rng = np.random.default_rng(0)
    units = 300
    rare = np.arange(units) < 150
    read = np.where(rare[:, None], 1, 12) * np.ones((1, 7), int)
    own = np.pad(read.cumsum(axis=1), ((0, 0), (1, 0)))
    values = np.floor(np.log2(own.clip(0.5))) + np.where(rare, 0.3, 0)[:, None] + rng.normal(0, 0.01, own.shape)
    each = Exposed("facts", AT, np.arange(units), own[:, -1], 0 * rare, read, read, values, values > 99)
    found, *others = exposure.of_rarity(each)
    assert found.value == pytest.approx(0.3, abs=0.02)
    assert found.differs
    assert [other.told for other in others] == [False, False]


def test_until_known_is_the_median_of_kaplan_and_meier():
    rng = np.random.default_rng(0)
    units, total = 120, 50
    read = rng.multinomial(total, np.full(7, 1 / 7), units)
    when = rng.integers(1, 12, units)  # the checkpoint from which it stays right, or none
    right = np.arange(8) >= when[:, None]
    right[:5, 0] = True  # and is lost again
    each = Exposed(
        "facts", AT, np.arange(units), read.sum(axis=1), np.zeros(units, int), read, read, 0.0 * right, right
    )
    own = np.pad(read.cumsum(axis=1), ((0, 0), (1, 0)))
    known = when < 7  # the last checkpoint alone shows nothing
    times = own[np.arange(units), np.where(known, when, 7)]
    survival = stats.ecdf(stats.CensoredData(uncensored=times[known], right=times[~known])).sf
    expected = survival.quantiles[survival.probabilities <= 0.5][0]
    told = exposure.until_known(each, 1)
    assert told.value == expected
    assert (told.units, told.reached) == (units, known.sum())
    assert told.low < told.value < told.high
    assert exposure.until_known(each, 0).units == 0
    never = exposure.until_known(replace(each, right=right & False), 1)
    assert (never.value, never.low, never.reached) == (np.inf, np.inf, 0)


def test_right_answers_are_lost_at_the_rate_that_is_likeliest():
    rng = np.random.default_rng(0)
    units, rate = 900, 0.004
    right = np.ones((units, 8), bool)
    read = np.zeros((units, 7), int)
    read[:300, 3] = 1
    for at, width in enumerate(np.diff(AT)):
        stays = (rng.random(units) < np.exp(-rate * width)) | (read[:, at] > 0)
        right[:, at + 1] = right[:, at] & stays
    each = Exposed("facts", AT, np.arange(units) // 3, read.sum(axis=1), read[:, 0] * 0, read, read, 0.0 * right, right)
    told = exposure.until_lost(each, read=False)
    ended = (right[:, :-1] & ~right[:, 1:] & (read == 0)).sum(axis=0)
    lasted = (right[:, :-1] & right[:, 1:] & (read == 0)).sum(axis=0)
    widths = np.diff(AT)

    def against(at):
        return -(ended * np.log(-np.expm1(-at * widths)) - lasted * at * widths).sum()

    best = optimize.minimize_scalar(against, bounds=(1e-5, 1), method="bounded", options={"xatol": 1e-9}).x
    assert told.value == pytest.approx(np.log(2) / best, rel=1e-3)
    assert told.low < np.log(2) / rate < told.high
    assert told.reached == ended.sum()
    assert exposure.until_lost(each, read=True).value == np.inf
    assert np.isnan(exposure.until_lost(replace(each, right=right & False), read=False).value)


@pytest.mark.parametrize(("read_ones_lost", "sign"), [(0.1, 1), (0.6, 0)])
def test_losing_is_held_against_as_frequent_ones_that_are_read(read_ones_lost, sign):
    rng = np.random.default_rng(1)
    read = rng.binomial(1, 0.5, (800, 1))
    lost = rng.random((800, 1)) < np.where(read, read_ones_lost, 0.6)
    right = np.concatenate([np.ones((800, 1), bool), ~lost], axis=1)
    each = Exposed("facts", AT[:2], np.arange(800), np.ones(800, int), read[:, 0] * 0, read, read, 0.0 * right, right)
    found = exposure.losing(each)
    assert found.value == pytest.approx(0.6 - read_ones_lost, abs=0.1)
    assert found.differs == bool(sign)


@pytest.fixture
def run(series, tmp_path):
    """A copy that may be changed."""
    return Series.open(shutil.copytree(series.folder.root, tmp_path / "run"))


def test_words_of_a_run_are_read_by_type(run):
    each = exposed.words(run)
    items = measurements.read_items(run, "tokens")
    items = items[items["task"] == "mask-prediction"]
    often = properties.read(run, "tokens", FREQUENCY)
    counted = properties.read(run, "tokens", EXPOSURE)
    types = often.set_index("item_id")["type"]
    assert each.steps.tolist() == list(STEPS)
    assert len(each.clusters) == types[items["item_id"].unique()].nunique()
    item = items["item_id"].iloc[7]
    unit = sorted(types[items["item_id"].unique()].unique()).index(types[item])
    same = types.index[types == types[item]]
    right = items[items["item_id"].isin(same)].groupby("step")["correct"].mean() > 0.5
    assert each.right[unit].tolist() == right.tolist()
    own = counted[counted["item_id"].isin(same)].set_index("step")
    assert each.read[unit].tolist() == own["sequences"].tolist()
    assert each.masked[unit].tolist() == own["masked"].tolist()
    assert each.total[unit] == own["sequences"].sum()
    assert each.before.sum() == 0
    assert each.own[unit, -1] == each.total[unit]
    assert each.band[unit] == np.searchsorted(BANDS, each.total[unit], side="right") - 1


def test_chosen_checkpoints_add_up_what_was_read_between_them(run):
    whole, some = exposed.words(run), exposed.words(run, "40,160,2000")
    assert some.steps.tolist() == [40, 160, 2000]
    assert some.before.tolist() == whole.read[:, :2].sum(axis=1).tolist()
    assert some.read[:, 0].tolist() == whole.read[:, 2:4].sum(axis=1).tolist()
    assert some.own[:, -1].tolist() == whole.total.tolist() == some.total.tolist()
    earlier = exposed.words(run, "20,40,160")
    assert earlier.own[:, -1].tolist() == whole.own[:, 4].tolist()
    assert earlier.total.tolist() == whole.total.tolist()


def test_facts_of_a_run_are_resampled_by_object(run):
    change_items(run, "knowledge", lambda items: items.assign(log_probability=-1.0 * items["object_number"]))
    each = exposed.facts(run)
    assert len(each.clusters) == 180
    assert len(np.unique(each.clusters)) == 90
    items = measurements.read_items(run, "knowledge")
    items = items[items["step"] == 2000].sort_values("item_id")
    assert each.right[:, -1].tolist() == items["correct"].tolist()
    counted = properties.read(run, "knowledge", EXPOSURE).groupby("item_id")["sequences"].sum()
    assert each.total.tolist() == counted.sort_index().tolist()


def change_items(run, probe, change):
    for file in (configuration(probe).folder(run.folder) / "items").glob("*.parquet"):
        write_table(file, change(read_table(file).to_pandas()))


def test_what_lacks_is_said(run):
    change_items(run, "knowledge", lambda items: items.drop(columns="log_probability"))
    assert exposed.facts(run) == "log-probabilities were not kept when it was frozen"
    assert exposed.words(run, "2000") == "it takes two checkpoints"
    change_items(run, "tokens", lambda items: items.drop(columns="log_probability"))
    assert exposed.words(run) == "log-probabilities were not kept when it was frozen"
    properties.file_of(run.folder, configuration("tokens"), EXPOSURE).unlink()
    assert "exposure of its items was not counted for probe tokens" in exposed.words(run)


def test_items_that_were_not_counted_are_refused(run):
    file = properties.file_of(run.folder, configuration("tokens"), EXPOSURE)
    table = read_table(file).to_pandas()
    write_table(file, table[table["item_id"] != table["item_id"].iloc[0]])
    with pytest.raises(EmbryologyError, match="exposure of some items was not counted"):
        exposed.words(run)
