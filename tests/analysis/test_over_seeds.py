"""Medians of seeds: of made-up runs, against SciPy and a few plain lines on the files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import edges, over_seeds, tables
from embryology.runs.series import Series, of_one_recipe
from embryology.runs.steps import Record
from embryology.storage.files import read_json, write_json
from tests.synthetic import _downstream, make_run, measure

STEPS = ((0, 20, 40, 80), (0, 20, 80, 160), (0, 20, 80))
SHARED = [0, 20, 80]


def seed(root, number, weights=None, factor=None, steps=None):
    """One of a recipe whose seeds differ in when they learn, with weights of its own."""
    outcome = {"seed": number, "steps": 160, "checkpoints": [0, 160]}
    own = weights or (lambda step: 1000 * (number + 1) + step)
    steps, factor = steps or STEPS[number], factor or 3.0 ** (2 * number % 3)
    return make_run(root / f"seed{number}", steps, sentences=25, factor=factor, outcome=outcome, weights=own)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    home = tmp_path_factory.mktemp("seeds")
    return [seed(home, number) for number in range(3)]


def value(series, step, probe="tokens", **columns):
    """Of the one row in a file of measurements."""
    (file,) = series.folder.measurements.glob(f"{probe}/*/{step:08d}-*.parquet")
    rows = pd.read_parquet(file)
    rows = rows[rows["baseline"].isna()]
    for name, wanted in columns.items():
        rows = rows[rows[name] == wanted]
    return rows["value"].item()


WORDS = {"task": "reconstruction", "metric": "accuracy", "group": ""}


def of_words(table):
    return table[table["measure"] == "words reconstructed"]


def test_a_median_is_of_all_seeds_at_the_steps_that_they_share(seeds):
    over = over_seeds.read(seeds, over_seeds.HEADLINES)
    table = of_words(over.medians)
    assert table["step"].tolist() == SHARED
    values = np.array([[value(each, step, **WORDS) for each in seeds] for step in SHARED])
    assert len({*values[1]}) == 3, "the mean is not the median"
    assert table["value"].tolist() == pytest.approx([sorted(row)[1] for row in values])
    for row, low, high in zip(values[1:], table["low"][1:], table["high"][1:], strict=True):
        assert (low, high) == pytest.approx(stats.t.interval(0.95, 2, row.mean(), stats.sem(row)))
    assert set(table["seeds"]) == {3}
    for each, steps in zip(seeds, STEPS, strict=True):
        own = of_words(over.curves)[of_words(over.curves)["series"] == each.name]
        assert own["step"].tolist() == list(steps)
        assert own["value"].tolist() == pytest.approx([value(each, step, **WORDS) for step in steps])
        assert set(own["seed"]) == {each.seed}
    assert over.remarks == ()
    assert set(over.levels["words reconstructed"]) <= {"most-frequent-word", "most-frequent-in-group", "untrained"}


def test_every_probe_has_its_measures_and_every_group_of_words_its_own(seeds):
    over = over_seeds.read(seeds, over_seeds.HEADLINES)
    names = set(over.curves["measure"])
    assert {"words reconstructed", "tasks, frozen", "tasks, fine-tuned"} < names
    assert len([name for name in names if name.startswith("facts right, ")]) == 2
    layers = {name.rsplit(" ", 1)[1] for name in names if ", layer " in name}
    assert len([name for name in names if ", layer " in name]) == 3
    assert len(layers) == 1, "of all seeds the same layer"
    of_groups = over_seeds.read(seeds, over_seeds.GROUPS)
    assert list(of_groups.curves["measure"].unique())[:2] == ["DT determiner", "CC conjunction"]
    nouns = of_groups.curves[(of_groups.curves["measure"] == "NN noun") & (of_groups.curves["step"] == 80)]
    assert nouns["value"].tolist() == pytest.approx([value(each, 80, **WORDS | {"group": "NN"}) for each in seeds])


def test_the_layer_is_the_one_that_is_best_for_the_first_seed(seeds):
    first = tables.read(seeds[:1], "edges")
    other = first.assign(layer=first["layer"].replace({1: 2, 2: 1}))
    assert edges.best_layer(first) != edges.best_layer(other)
    (name, *_) = (measure.name for measure in over_seeds.HEADLINES["edges"](other, first))
    assert name.endswith(f", layer {edges.best_layer(first)}")


def test_chosen_steps_are_those_of_the_first_seed(seeds):
    over = over_seeds.read(seeds, over_seeds.HEADLINES, "20,40")
    assert sorted(of_words(over.curves)["step"].unique()) == [20, 40]
    assert of_words(over.medians)["step"].tolist() == [20]


def test_of_two_seeds_there_is_no_interval_and_of_equal_ones_neither(seeds):
    table = of_words(over_seeds.read(seeds[:2], over_seeds.HEADLINES).medians)
    means = [np.mean([value(each, step, **WORDS) for each in seeds[:2]]) for step in SHARED]
    assert table["value"].tolist() == pytest.approx(means)
    assert table[["low", "high"]].isna().all(axis=None)
    rows = [("m", name, 10, 0.5) for name in "abc"] + [("m", name, 20, 0.5 + 0.1 * (name == "c")) for name in "abc"]
    alike = over_seeds._medians(pd.DataFrame(rows, columns=["measure", "series", "step", "value"]), 3)
    assert alike["low"].isna().tolist() == [True, False]


def test_what_was_measured_with_other_settings_is_drawn_and_has_no_median(seeds, tmp_path):
    other = seed(tmp_path, 1)
    for step in STEPS[1]:
        measure(other.folder, "frozen", step, _downstream(step, False), settings={"seed": 7})
    over = over_seeds.read([seeds[0], other, seeds[2]], over_seeds.HEADLINES)
    assert "tasks, frozen" not in set(over.medians["measure"])
    assert over.curves.loc[over.curves["measure"] == "tasks, frozen", "series"].nunique() == 3
    (remark,) = over.remarks
    assert remark.startswith("No median is taken of what probe frozen measured: seed1 was measured with other settings")
    assert set(of_words(over.medians)["step"]) == {*SHARED}


def test_there_is_no_median_where_two_seeds_have_the_same_weights(seeds, tmp_path):
    copied = {0: 1000, 80: 1020}  # of the first seed: its own start, and at 80 what the first has at 20
    other = seed(tmp_path, 1, weights=lambda step: copied.get(step, 2000 + step))
    over = over_seeds.read([seeds[0], other], over_seeds.HEADLINES)
    assert of_words(over.medians)["step"].tolist() == []
    assert over.remarks == (
        "seed0 at step 0 and seed1 at step 0 are the same weights: no median there.",
        "seed0 at step 20 and seed1 at step 80 are the same weights: no median there.",
    )
    start = seed(tmp_path / "start", 1, weights=lambda step: step + (1000 if step == 0 else 2000))
    over = over_seeds.read([seeds[0], start], over_seeds.HEADLINES)
    assert of_words(over.medians)["step"].tolist() == [20, 80]


def test_a_seed_that_a_probe_has_not_measured_is_named_and_the_median_is_of_the_others(seeds, tmp_path):
    other = seed(tmp_path, 1)
    record = read_json(other.folder.standing)
    write_json(other.folder.standing, {name: record[name] for name in record if name not in ("tokens", "edges")})
    over = over_seeds.read([seeds[0], other, seeds[2]], over_seeds.HEADLINES)
    assert set(of_words(over.medians)["seeds"]) == {2}
    assert set(of_words(over.curves)["series"]) == {"seed0", "seed2"}
    assert over.remarks[0].startswith("seed1 is not drawn: probe tokens has not measured it")
    alone = over_seeds.read([other, seeds[2]], over_seeds.GROUPS)
    assert len(alone.medians) == 0


def test_seeds_are_those_of_the_recipe_of_the_first_series(seeds, tmp_path):
    longer = make_run(tmp_path / "longer", (0, 20), sentences=2)
    assert over_seeds.group([*seeds, longer]) == seeds
    assert over_seeds.group([longer, *seeds]) == []
    assert over_seeds.group([seeds[0], longer, seeds[0], seeds[2]]) == [seeds[0], seeds[2]]
    assert of_one_recipe([longer, *seeds]) == [seeds]


def test_series_made_by_others_are_seeds_of_one_recipe_where_that_is_said(seeds):
    theirs = [replace(each, manifest=None, record=Record(recipe="bert", seed=n)) for n, each in enumerate(seeds)]
    assert of_one_recipe(theirs) == [theirs]
    unsaid = [replace(each, record=Record(recipe="bert")) for each in theirs]
    assert of_one_recipe(unsaid) == []
    assert [each.recipe for each in unsaid] == [None] * 3
    assert isinstance(theirs[0], Series)
