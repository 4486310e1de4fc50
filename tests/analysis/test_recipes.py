"""The recipe study: its statistics, and that its script leaves everything but one thing as it is in `tiny`."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.recipes import VARIANTS, variant
from embryology import presets
from embryology.analysis import recipes
from embryology.errors import EmbryologyError

BELOW = {
    ("tiny", "as it is"): (0.50, 0.52),
    ("masked share", "15%"): (0.30, 0.31),
    ("peak rate", "3e-3"): (-0.01, 0.0),
    ("layers", "6"): (0.51, 0.52),
}
"""Nats below a unigram line of 6.7 at the end, by seed."""


@pytest.fixture
def runs():
    return made_up()


def made_up():
    """The evaluations of a study that ends as :data:`BELOW` says."""
    rows = [
        {
            "factor": factor,
            "setting": setting,
            "seed": seed,
            "budget": 400,
            "step": step,
            "tokens": 1000 * step,
            "held_out_masked_loss": 9 - (2.3 + below) * step / 400,
            "held_out_masked_accuracy": 0.1,
            "unigram_loss": 6.7,
            "gradient_norm": 1.0,
        }
        for (factor, setting), ends in BELOW.items()
        for seed, below in enumerate(ends)
        for step in (0, 200, 400)
    ]
    return pd.DataFrame(rows).astype(recipes.COLUMNS)


def test_a_variant_is_held_against_tiny_with_the_spread_of_all_seeds(runs):
    table = recipes.compared(runs).set_index(["factor", "setting"])
    assert list(table.index) == list(BELOW)
    assert table["below"].to_list() == pytest.approx([np.mean(ends) for ends in BELOW.values()])
    assert table.loc[("masked share", "15%"), "difference"] == pytest.approx(-0.205)
    assert np.isnan(table.loc[recipes.BASE, "low"])
    half = ((table["high"] - table["low"]) / 2).dropna()
    spread = np.sqrt(np.mean([np.var(ends, ddof=1) for ends in BELOW.values()]))
    assert (half > stats.t.ppf(0.975, len(BELOW)) * spread).all()  # wider than an interval for one comparison
    assert (half < stats.t.ppf(1 - 0.025 / 3, len(BELOW)) * spread * 1.02).all()  # and within Bonferroni's


def test_of_one_variant_the_interval_is_students_of_two_samples(runs):
    """Dunnett's of a single comparison; the last evaluation counts, though the one before was better."""
    two = runs[runs["factor"].isin(["tiny", "masked share"])].copy()
    two.loc[two["step"] == 200, "held_out_masked_loss"] = 5.0
    row = recipes.compared(two).set_index("factor").loc["masked share"]
    ends = [BELOW[key] for key in (("masked share", "15%"), recipes.BASE)]
    assert row["seeds"] == pytest.approx(ends[0])
    expected = stats.ttest_ind(*ends).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), rel=5e-3)
    assert row["difference"] == pytest.approx(np.mean(ends[0]) - np.mean(ends[1]))


def test_the_plateau_is_left_at_some_text_or_never(runs):
    left = recipes.compared(runs).set_index(["factor", "setting"])["left"]
    assert left[recipes.BASE][0] == pytest.approx(0.4 * 2.4 / 2.8)
    assert np.isnan(left[("peak rate", "3e-3")]).all()


def test_a_study_that_is_not_there_is_said(tmp_path):
    with pytest.raises(EmbryologyError, match=r"runs\.parquet is missing; restore it"):
        recipes.read(tmp_path / "runs.parquet")


def test_what_is_kept_is_the_study_of_the_script():
    kept = recipes.read()
    assert set(map(tuple, kept[["factor", "setting"]].to_numpy())) == set(VARIANTS)
    assert kept.groupby(["factor", "setting"])["seed"].nunique().eq(2).all()
    text = kept.groupby(["factor", "setting", "seed"])["tokens"].max()
    others = text.drop("pieces a sequence")
    assert others.max() / others.min() < 1.01
    assert 0.8 < text["pieces a sequence"].min() / text["tiny"].min() < 1  # more of it is padding
    assert recipes.made()["command"].startswith("python benchmarks/recipes.py")


@pytest.mark.parametrize("changed", VARIANTS)
def test_a_variant_changes_one_thing_and_reads_as_much(changed):
    outcome = variant(VARIANTS[changed], 400, 0, 1).outcome
    tiny = presets.load("tiny").outcome
    assert outcome.steps * outcome.batch_size * outcome.sequence_length == 400 * 16 * 64
    schedule = {"steps", "checkpoints", "held_out_sequences"}
    kept = {
        name: getattr(tiny, name) for name in type(tiny).model_fields if name not in {*schedule, *VARIANTS[changed]}
    }
    assert {name: getattr(outcome, name) for name in kept} == kept
