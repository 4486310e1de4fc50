import numpy as np
import pytest
from scipy.stats import binom

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


def test_intervals_are_those_of_so_many_items():
    rows = published.with_intervals("BERT", "Const")
    row = rows.iloc[10]
    k = round(row["value"] * 71)
    assert k / 71 == pytest.approx(row["value"], abs=5e-9)
    # Wilson's ends are where a binomial of that share has k about two standard deviations off.
    for end in (row["low"], row["high"]):
        assert abs(k - 71 * end) / binom(71, end).std() == pytest.approx(1.96, abs=0.01)


def test_a_rate_that_is_halved_every_step_is_soon_gone():
    assert published.halvings(1.0, 0.3) == 2
    assert 1e-4 * 0.5 ** published.halvings(1e-4, 1e-7) < 1e-7 <= 1e-4 * 0.5 ** (published.halvings(1e-4, 1e-7) - 1)
    assert 1e-4 * 0.5 ** published.halvings(1e-4, 5e-324) == 0.0
