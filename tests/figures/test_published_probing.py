"""The published edge-probing curves: their items, and how small late changes are."""

import numpy as np
import pandas as pd
import pytest

from embryology.figures import published_probing as drawn
from embryology.runs.paths import STUDIES
from tests.figures.reading import bands, cells_of, line, seen

FILES = {"BERT": "bert_probing", "ELECTRA": "electra_pretrain"}
ITEMS = {"POS": 153, "Const": 71, "SRL": 276, "Coref": 152}
CITED = {"POS": 212_121, "Const": 190_535, "SRL": 61_716, "Coref": 27_800}


@pytest.fixture(scope="module")
def released():
    tables = {model: pd.read_csv(STUDIES / "published" / f"{file}.csv") for model, file in FILES.items()}
    return {
        (model, task): tables[model].query("series == @task").sort_values("step") for model in FILES for task in ITEMS
    }


@pytest.fixture(scope="module")
def points(released):
    """Standard error of the mean late share, and standard deviation of late values, in points."""
    late = {curve: rows.loc[rows["step"] >= 100_000, "value"] for curve, rows in released.items()}
    error = [100 * np.sqrt(values.mean() * (1 - values.mean()) / ITEMS[task]) for (_, task), values in late.items()]
    return error, [100 * values.std(ddof=1) for values in late.values()]


@pytest.fixture(scope="module")
def values():
    return drawn.numbers()


def test_prose_tells_items_and_how_much_one_of_them_moves_a_curve(values, points):
    error, spread = ((min(of), max(of)) for of in points)
    ratios = [CITED[task] / n for task, n in ITEMS.items()]
    assert (
        values
        | {
            "items": "153 (POS), 71 (Const), 276 (SRL) and 152 (Coref)",
            "same": "the same",
            "agree": "8 of 8",
            "batch": "1,024",
            "larger": f"{min(ratios):,.0f} to {max(ratios):,.0f}",
            "one": f"{100 / 276:.1f} to {100 / 71:.1f} points",
            "error": f"{error[0]:.1f} to {error[1]:.1f} points",
            "spread": f"{spread[0]:.1f} to {spread[1]:.1f} points",
            "halved_small": "10",  # 1e-4 / 1024 is the first below 1e-7
        }
        == values
    )


def test_the_rate_is_halved_until_nothing_is_left(values):
    left = dict(cells_of(drawn.rates().data))
    assert left["0"] == "1.0e-04"
    assert left["10"] == f"{1e-4 / 1024:.1e}"
    assert left["1100"] == "0.0e+00"
    assert 1e-4 * 2.0 ** -(int(values["halved_gone"].replace(",", "")) - 1) > 0


def test_every_point_is_drawn_with_the_interval_of_its_items(released, points):
    shown = seen(drawn.curves)
    for (model, task), rows in released.items():
        axis = shown.panel(f"{model}: {task} · n = {ITEMS[task]}")
        assert line(axis, f"published {model}") == pytest.approx(rows[["step", "value"]].to_numpy())
        share, n, z = rows["value"].to_numpy(), ITEMS[task], 1.959964
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
        (band,) = bands(axis)
        assert band[:, 1:] == pytest.approx(np.column_stack([centre - half, centre + half]), abs=1e-6)
    wider = sum(error > spread for error, spread in zip(*points, strict=True))
    assert shown.answer == (f"Another test sample would move {wider} of 8 published curves by more than they vary late")
    assert f"({drawn.numbers()['items']})" in shown.caption
    assert shown.alt.endswith(f"from step 100,000 on {drawn.numbers()['spread']}.")


def test_the_table_has_a_row_a_curve(released, points):
    rows = cells_of(drawn.table().data)
    assert [row[0] for row in rows] == [f"{model} {task}" for model, task in released]
    for row, ((_, task), curve), error, spread in zip(rows, released.items(), *points, strict=True):
        assert row[1:4] == [str(len(curve)), str(curve["value"].nunique()), str(ITEMS[task])]
        assert row[6:8] == [f"{CITED[task]:,}", str(CITED[task] % 1024)]
        assert row[8:] == [f"{error:.1f}", f"{spread:.1f}"]
