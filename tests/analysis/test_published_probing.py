"""The published edge-probing curves, held against the numbers in their files and plain arithmetic."""

import statistics

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest

from embryology.analysis import published_probing as published


@pytest.mark.parametrize("n", [7, 71, 276, 1999])
def test_the_number_of_items_is_found_from_shares_that_were_read_inexactly(n):
    rng = np.random.default_rng(n)
    shares = rng.integers(0, n + 1, 40) / n + rng.uniform(-2e-9, 2e-9, 40)
    items, distance = published.items(np.append(shares, 1 / n))  # in lowest terms
    assert items == n
    assert distance < 3e-9


def test_values_of_no_small_number_of_items_are_said_to_be_of_none():
    assert published.items(np.random.default_rng(0).random(20)) == (None, np.inf)


def test_every_published_curve_rests_on_the_last_batch_of_its_test_set():
    table = published.denominators()
    assert len(table) == 8
    assert dict(zip(table["task"], table["n"], strict=True)) == {"POS": 153, "Const": 71, "SRL": 276, "Coref": 152}
    assert (table["n"] == table["remainder"]).all()
    assert (table["distance"] < 2e-9).all()
    assert (table["log_chance"] < -50).all()
    assert table["points"].sum() == 282 + 247


def test_what_follows_from_a_denominator_is_plain_arithmetic():
    table = published.denominators().set_index(["model", "task"])
    raw = pd.read_csv(published.FOLDER / "electra_pretrain.csv").query("series == 'SRL'")
    row = table.loc[("ELECTRA", "SRL")]
    assert (row["points"], row["distinct"]) == (len(raw), len(set(raw["value"])))
    # Values spread evenly lie within a tolerance of a multiple of 1/n with a chance of 2 x tolerance x n.
    assert row["log_chance"] == pytest.approx(row["distinct"] * np.log10(2 * published.TOLERANCE * row["n"]))
    rng = np.random.default_rng(0)
    near = np.abs(np.mod(rng.random(200_000) * 276 + 0.5, 1) - 0.5) / 276 < 1e-4
    assert near.mean() == pytest.approx(2 * 1e-4 * 276, rel=0.05)
    late = [value for step, value in zip(raw["step"], raw["value"], strict=True) if step >= 100_000]
    assert row["error"] == pytest.approx(binom(276, np.mean(late)).std() / 276)
    assert row["spread"] == pytest.approx(statistics.stdev(late))
    assert row["whole"] % 1024 == row["remainder"]


def test_one_value_that_is_no_multiple_is_enough():
    shares = np.arange(41) / 40
    assert published.items(shares, most=100)[0] == 40
    shares[7] += 1e-7
    assert published.items(shares, most=39) == (None, np.inf)
    assert published.items(shares, most=100)[0] is None


def test_intervals_are_those_of_so_many_items():
    rows = published.with_intervals("BERT", "Const")
    counts = (rows["value"] * 71 + 0.5).astype(int)  # to the nearest
    theirs = [binomtest(int(k), 71).proportion_ci(method="wilson") for k in counts]
    assert rows["low"].tolist() == pytest.approx([end.low for end in theirs], abs=1e-9)
    assert rows["high"].tolist() == pytest.approx([end.high for end in theirs], abs=1e-9)
    row = rows.iloc[10]
    k = round(row["value"] * 71)
    assert k / 71 == pytest.approx(row["value"], abs=5e-9)
    # Wilson's ends are where a binomial of that share has k about two standard deviations off.
    for end in (row["low"], row["high"]):
        assert abs(k - 71 * end) / binom(71, end).std() == pytest.approx(1.96, abs=0.01)


def test_a_rate_that_is_halved_every_step_is_soon_gone():
    assert published.halvings(1.0, 0.3) == 2
    assert published.halvings(1.0, 0.25) == 3  # a quarter is not below a quarter
    assert 1e-4 * 0.5 ** published.halvings(1e-4, 1e-7) < 1e-7 <= 1e-4 * 0.5 ** (published.halvings(1e-4, 1e-7) - 1)
    assert 1e-4 * 0.5 ** published.halvings(1e-4, 5e-324) == 0.0
