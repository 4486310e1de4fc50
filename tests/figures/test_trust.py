"""What the page of limits counts: seeds, labels and values with an interval, against the rows of the tables."""

import pytest

from embryology.figures import trust
from embryology.runs import measurements
from tests.figures.reading import cells_of
from tests.synthetic import make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    few = {"sentences": 10, "only": ("tokens",)}
    alike = [make_run(root / f"seed{seed}", steps=(0, 20, 80), outcome={"seed": seed}, **few) for seed in range(3)]
    return [*alike, make_run(root / "alone", steps=(0, 20), outcome={"batch_size": 32}, **few)]


def counted(run, steps=None):
    frame = measurements.read(run)
    rows = frame[frame["low"].notna() & frame["baseline"].isna()]
    return int((rows["step"].isin(steps) if steps else rows["step"].notna()).sum())


def test_the_answer_counts_recipes_with_three_seeds(runs):
    assert "in part, as 1 of 2 recipes has 3 seeds or more" in trust.answer(runs).data
    assert "no, as 0 of 2 recipes have 3 seeds or more." in trust.answer(runs[1:]).data
    assert "yes, as 1 of 1 recipe has" in trust.answer(runs[:3]).data


def test_a_row_a_run_has_its_seeds_its_labels_and_its_values_with_an_interval(runs):
    rows = {cells[0]: cells[1:] for cells in cells_of(trust.runs(runs).data)}
    assert set(rows) == {"seed0", "seed1", "seed2", "alone"}
    assert [rows[name][1] for name in ("seed0", "seed2", "alone")] == ["3", "3", "1"]
    assert rows["seed1"][2] == measurements.read_items(runs[1], "tokens")["source"].iloc[0]
    assert rows["seed1"][3] == f"{counted(runs[1]):,}"
    chosen = {cells[0]: cells[4] for cells in cells_of(trust.runs(runs, "20").data)}
    assert chosen["seed0"] == f"{counted(runs[0], [20]):,}"


def test_values_are_counted_over_all_runs_and_one_in_twenty_would_miss(runs):
    total = sum(map(counted, runs))
    said = trust.counted(runs).data
    assert f"of these 4 runs hold {total:,} values" in said
    assert f"some {0.05 * total:,.0f} would still miss" in said
    chosen = counted(runs[0], [20]) + sum(map(counted, runs[1:]))
    assert f"hold {chosen:,} values" in trust.counted(runs, "20").data
