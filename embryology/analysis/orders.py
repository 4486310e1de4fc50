"""In which order each run learns words, beside the published order and that of frequency alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from embryology.analysis import beyond_frequency, frequency, published, tables
from embryology.analysis.acquisition import CannotBeTold
from embryology.analysis.learning_order import Agreement, agreement, learning_times, ranks
from embryology.runs import measurements, properties
from embryology.runs.series import Series
from embryology.specs.properties import FREQUENCY
from embryology.specs.tokens import RECONSTRUCTION, SPECIFICATION


@dataclass(frozen=True)
class Order:
    """Of reconstruction, in one series."""

    series: str
    tokens: float
    """Read at the last checkpoint; nan where that is not known."""
    ranks: list[list[str]]
    """Of :func:`embryology.analysis.learning_order.ranks`."""
    published: Agreement
    """With the published ALBERT."""
    frequency: Agreement | None
    """With the order of how often its training text has the words of each group; None where that was not counted."""


def read(series: Sequence[Series], steps: str = "all") -> list[Order]:
    """The order of each series that was asked for words, the first with its ``steps``."""
    asked = [each for each in series if measurements.lacking(each, SPECIFICATION.name) is None]
    return [_read(each, steps if each is series[0] else "all") for each in asked]


def _read(series: Series, steps: str) -> Order:
    frame = tables.read([series], SPECIFICATION.name, steps)
    items = measurements.read_items(series, SPECIFICATION.name)
    times = learning_times(frame, items, RECONSTRUCTION)
    last = frame.loc[frame["step"].idxmax(), "tokens"]
    by_frequency = _by_frequency(series, frame, items)
    return Order(
        series.name,
        float("nan") if pd.isna(last) else float(last),
        ranks(times),
        agreement(times, published.learning_times()),
        None if by_frequency is None else agreement(times, by_frequency),
    )


def _by_frequency(series: Series, frame: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame | None:
    if properties.lacking(series, SPECIFICATION.name, FREQUENCY):
        return None
    try:
        return frequency.order(beyond_frequency.words_of(series, frame, items))
    except CannotBeTold:
        return None
