"""Means over units, against SciPy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import means


def test_each_group_has_its_mean_and_students_interval_in_the_order_in_which_groups_come():
    samples = {("b", 2): [1.0, 2.0, 4.0], ("a", 1): [0.5, 0.25, 0.125, 3.0], ("a", 2): [1.0, 2.0]}
    rows = pd.DataFrame([(*key, value) for key, sample in samples.items() for value in sample], columns=["x", "y", "z"])
    made = means.over_units(rows, ["x", "y"], "z", "seeds")
    assert list(made.columns) == ["x", "y", "z", "low", "high", "seeds"]
    assert [*zip(made["x"], made["y"], strict=True)] == [*samples]
    for row, sample in zip(made.itertuples(), samples.values(), strict=True):
        assert (row.z, row.seeds) == (pytest.approx(np.mean(sample)), len(sample))
        if len(sample) < 3:
            assert np.isnan([row.low, row.high]).all()
        else:
            known = stats.t.interval(0.95, len(sample) - 1, np.mean(sample), stats.sem(sample))
            assert (row.low, row.high) == pytest.approx(known)
