"""Means of groups of rows over their units, such as seeds, with t intervals."""

import numpy as np
import pandas as pd

from embryology import intervals


def over_units(rows: pd.DataFrame, by: list[str], value: str = "value", count: str = "n") -> pd.DataFrame:
    """The mean of a column in each group of rows, each row a unit.

    Returns:
        A row a group, in the order in which they come: ``by``, the mean under the column's own name, ``low`` and
        ``high``, the 95% t interval, nan for fewer than :data:`intervals.LEAST_OF_MEAN` rows, and how many they are.
    """
    made = []
    for key, own in rows.groupby(by, sort=False):
        sample = own[value].to_numpy(float)
        low, high = intervals.of_mean(sample, np.ones(len(sample)))
        made.append((*key, sample.mean(), float(low), float(high), len(sample)))
    return pd.DataFrame(made, columns=[*by, value, "low", "high", count])
