"""All tests of one run that ask whether words are learnt in another order than that of their frequency."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology.analysis import acquisition, curves, frequency, matched, published, surprisal, tables
from embryology.analysis.frequency import PART_OF_SPEECH, Units
from embryology.analysis.learning_order import Agreement, agreement, learning_times
from embryology.analysis.matched import Beside
from embryology.analysis.surprisal import Surprisal
from embryology.runs import measurements, properties
from embryology.runs.series import Series
from embryology.specs.properties import FREQUENCY
from embryology.specs.tokens import MASK_PREDICTION, RECONSTRUCTION, SPECIFICATION

TYPE, WORD = "word type", "word"


@dataclass(frozen=True)
class Orders:
    """Kendall's tau of three orders of the groups, two and two."""

    run_and_published: Agreement
    run_and_frequency: Agreement
    published_and_frequency: Agreement


@dataclass(frozen=True)
class Brief:
    """What a run says in a line, beside other runs."""

    orders: Orders
    gains: dict[str, pd.DataFrame]
    """Of :func:`embryology.analysis.frequency.gains`, by :data:`TYPE` or :data:`WORD`."""


@dataclass(frozen=True)
class Tests:
    """What one kind of units says: word types, or every word for itself."""

    units: Units
    nats: dict[str, float]
    """Held-out log-likelihood a unit, by the names of :data:`embryology.analysis.frequency.MODELS`."""
    gains: pd.DataFrame
    """Of :func:`embryology.analysis.frequency.gains`."""
    rank_shares: dict[str, float]
    factors: pd.DataFrame
    """Of :func:`embryology.analysis.matched.factors`."""

    @property
    def adds(self) -> bool:
        """Whether part of speech tells of held-out types what frequency does not."""
        return bool(self.gains.loc[PART_OF_SPEECH, "low"] > 0)

    @property
    def apart(self) -> pd.DataFrame:
        """The rows of groups before or after other words that are as frequent."""
        return self.factors[(self.factors["low"] > 1) | (self.factors["high"] < 1)]

    @property
    def spreads(self) -> tuple[float, float]:
        """The largest factor over the smallest, of groups with an interval: beside all words, and as frequent ones."""
        told = self.factors[self.factors["low"].notna()]
        return tuple(float(told[name].max() / told[name].min()) for name in ("unmatched", "value"))  # type: ignore[return-value]


@dataclass(frozen=True)
class Beyond:
    groups: dict[str, str]
    words: pd.DataFrame
    """Of :func:`embryology.analysis.acquisition.tokens`."""
    types: pd.DataFrame
    """Of :func:`embryology.analysis.acquisition.types`, with ``acquired``, the number of a checkpoint."""
    orders: Orders
    tests: dict[str, Tests]
    """By :data:`TYPE` and :data:`WORD`, of words of one piece."""
    accuracy: Beside
    """Curves of the share of words of one piece that is right."""
    small: list[str]
    """Groups of too few types for an interval or a coefficient."""
    forms: Tests | str
    """Of the verb forms, by type; a clause that says why they tell nothing."""
    surprisal: Surprisal | str
    """Of masked words; a clause that says why it tells nothing."""


def words_of(
    series: Series,
    frame: pd.DataFrame,
    items: pd.DataFrame,
    groups: Iterable[str] | None = None,
    task: str = RECONSTRUCTION,
    values: str = "correct",
) -> pd.DataFrame:
    """The words of some groups with their frequency.

    Args:
        series: whose words.
        frame: of :func:`embryology.analysis.tables.read`, of the tokens probe; decides the checkpoints.
        items: of the same series.
        groups: tags; None takes the nine groups.
        task, values: as of :func:`embryology.analysis.acquisition.tokens`.

    Raises:
        CannotBeTold: as of :func:`embryology.analysis.acquisition.tokens`.
    """
    table = properties.read(series, SPECIFICATION.name, FREQUENCY)
    chosen = list(curves.groups(frame) if groups is None else groups)
    return acquisition.tokens(items[items["step"].isin(frame["step"].unique())], table, task, chosen, values)


def orders(frame: pd.DataFrame, items: pd.DataFrame, words: pd.DataFrame) -> Orders:
    """How alike the orders of the run, the published ALBERT and frequency are."""
    run, other, by_frequency = (
        learning_times(frame, items, RECONSTRUCTION),
        published.learning_times(),
        frequency.order(words),
    )
    return Orders(agreement(run, other), agreement(run, by_frequency), agreement(other, by_frequency))


def brief(series: Series, steps: str = "all", kinds: Iterable[str] = (TYPE, WORD)) -> Brief | str:
    """How much of a run's order is that of frequency, or a clause that says why it cannot be told.

    Args:
        series: measured by the tokens probe.
        steps: which checkpoints, as of :func:`embryology.analysis.tables.read`.
        kinds: of units that are held out.
    """
    if reason := properties.lacking(series, SPECIFICATION.name, FREQUENCY):
        return reason
    frame = tables.read([series], SPECIFICATION.name, steps)
    items = measurements.read_items(series, SPECIFICATION.name)
    try:
        words = words_of(series, frame, items)
        units = {kind: frequency.units(acquisition.of_one_piece(words), by_type=kind == TYPE) for kind in kinds}
        gains = {kind: frequency.gains(frequency.held_out(each)) for kind, each in units.items()}
    except acquisition.CannotBeTold as cause:
        return str(cause)
    return Brief(orders(frame, items, words), gains)


def read(series: Series, steps: str = "all") -> Beyond | str:
    """All tests of a run, or a sentence that says why nothing can be told.

    Args:
        series: measured by the tokens probe, its words counted.
        steps: which checkpoints, as of :func:`embryology.analysis.tables.read`.

    Raises:
        EmbryologyError: words were not counted.
    """
    frame = tables.read([series], SPECIFICATION.name, steps)
    try:
        return _read(series, frame)
    except acquisition.CannotBeTold as reason:
        return f"Not told for {series.name}: {reason}."


def _read(series: Series, frame: pd.DataFrame) -> Beyond:
    items = measurements.read_items(series, SPECIFICATION.name)
    words = words_of(series, frame, items)
    whole = acquisition.of_one_piece(words)
    types, all_types = acquisition.types(whole), acquisition.types(words)
    tests = {
        TYPE: tests_of(frequency.units(whole, by_type=True)),
        WORD: tests_of(frequency.units(whole, by_type=False)),
    }
    large = frequency.large(tests[TYPE].units)
    right = types[acquisition.steps_of(types)].to_numpy()
    return Beyond(
        curves.groups(frame),
        words,
        all_types.assign(acquired=acquisition.acquired(all_types)),
        orders(frame, items, words),
        tests,
        matched.beside(types, right, types["words"].to_numpy(float)),
        [group for group in curves.groups(frame) if group in set(types["group"]) and group not in large],
        _forms(series, frame, items),
        _surprisal(series, frame, items),
    )


def _surprisal(series: Series, frame: pd.DataFrame, items: pd.DataFrame) -> Surprisal | str:
    if series.manifest is None:
        return "the size of its vocabulary is not recorded"
    try:
        words = words_of(series, frame, items, task=MASK_PREDICTION, values="log_probability")
        return surprisal.of_words(acquisition.of_one_piece(words), series.manifest.outcome.tokenizer.vocab_size)
    except acquisition.CannotBeTold as reason:
        return str(reason)


def _forms(series: Series, frame: pd.DataFrame, items: pd.DataFrame) -> Tests | str:
    try:
        words = acquisition.of_one_piece(words_of(series, frame, items, curves.VERB_FORMS))
        return tests_of(frequency.units(words, by_type=True))
    except acquisition.CannotBeTold as reason:
        return str(reason)


def tests_of(units: Units) -> Tests:
    """All tests of units of one kind."""
    told = frequency.held_out(units)
    means = told[[*frequency.MODELS]].sum() / told["words"].sum()
    curves_of_groups = matched.beside(units.types, units.shares, units.sizes)
    return Tests(
        units,
        {str(name): float(value) for name, value in means.items()},
        frequency.gains(told),
        frequency.rank_shares(units),
        matched.factors(curves_of_groups, np.asarray(units.steps, float)),
    )
