"""What one more reading of a word or a fact does, on the axis of its own exposures.

Every epoch reads the training text in an order drawn by chance, so that of words that are read equally often in all it
is chance which are read between two checkpoints and which are not: the second are what the first would be without.
Frequency, and how far training is, are held equal by comparing within an interval and within a quarter of an octave of
sequences read in the whole run. Units are word types, and of facts their objects.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from embryology import intervals
from embryology.analysis.exposed import BANDS, Exposed
from embryology.analysis.frequency import DRAWS, FEWEST, OCTAVE
from embryology.analysis.two_states import next_rate

AROUND = (-2, -1, 0, 1, 2, 3, 4)
"""Checkpoints after the one before an interval: 1 is the one that ends it."""
ITERATIONS = 60


@dataclass(frozen=True)
class Effect:
    """The mean difference of two sets of units that are as frequent, cell by cell."""

    value: float
    low: float
    high: float
    """95% bootstrap interval over what is resampled; nan of fewer than :data:`intervals.LEAST_OF_BOOTSTRAP` of it on
    either side."""
    units: int
    """Different units of the first set that others were found for."""

    @property
    def told(self) -> bool:
        return bool(np.isfinite(self.low))

    @property
    def differs(self) -> bool:
        return self.told and (self.low > 0 or self.high < 0)


def effect(
    values: np.ndarray,
    one: np.ndarray,
    other: np.ndarray,
    cells: np.ndarray,
    clusters: np.ndarray,
    draws: int = DRAWS,
    seed: int = intervals.SEED,
) -> Effect:
    """The mean of ``one`` less that of ``other``, within cells.

    A cell counts by ``n m / (n + m)`` of its n and m rows of the two, which is the difference that least squares find
    with a constant for every cell.

    Args:
        values: (units, intervals).
        one, other: (units, intervals) bool, never both.
        cells: (units, intervals) int: rows of one cell are comparable.
        clusters: (units,) int: what is resampled.
        draws, seed: of the bootstrap.
    """
    unit, _ = np.nonzero(one | other)
    first = one[one | other]
    value, cell = values[one | other], cells[one | other]
    shared = np.intersect1d(cell[first], cell[~first])
    kept = np.isin(cell, shared)
    if not kept.any():
        return Effect(np.nan, np.nan, np.nan, 0)
    unit, first, value, cell = unit[kept], first[kept], value[kept], np.searchsorted(shared, cell[kept])
    names, cluster = np.unique(clusters[unit], return_inverse=True)
    weights = np.concatenate([np.ones((1, len(names))), intervals.resamples(len(names), draws, seed)]).T
    shape = len(shared), len(names)
    sizes, sums = [], []
    for side in (first, ~first):
        at = cell[side], cluster[side]
        sizes.append(sparse.csr_array((np.ones(side.sum()), at), shape=shape) @ weights)
        sums.append(sparse.csr_array((value[side], at), shape=shape) @ weights)
    weight = np.divide(sizes[0] * sizes[1], sizes[0] + sizes[1], out=np.zeros(sizes[0].shape), where=sizes[0] > 0)
    means = [np.divide(each, n, out=np.zeros(n.shape), where=n > 0) for each, n in zip(sums, sizes, strict=True)]
    total = weight.sum(axis=0)
    drawn = np.divide(
        (weight * (means[0] - means[1])).sum(axis=0), total, out=np.full(draws + 1, np.nan), where=total > 0
    )
    low, high = intervals.percentile_interval(drawn[1:])
    if min(len(np.unique(cluster[side])) for side in (first, ~first)) < intervals.LEAST_OF_BOOTSTRAP:
        low = high = np.array(np.nan)
    return Effect(float(drawn[0]), float(low), float(high), len(np.unique(unit[first])))


ASKED, SHOWN, ANY = "read and asked for", "read, never asked for", "read"
READINGS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    ANY: lambda read, masked: read > 0,
    ASKED: lambda read, masked: masked > 0,
    SHOWN: lambda read, masked: (read > 0) & (masked == 0),
}


def around(exposed: Exposed, reading: str) -> pd.DataFrame:
    """Log-probability before and after an interval in which units are read, less that of as frequent ones that are not.

    Between the interval and another checkpoint none of either is read again, so that what is left of a reading is seen
    and no later one.

    Args:
        exposed: of :func:`words` or :func:`facts`.
        reading: of :data:`READINGS`.

    Returns:
        A row for each of :data:`AROUND` that can be told: ``checkpoint``, ``value``, ``low``, ``high``, ``units``; 0 at
        the checkpoint before the interval, which all are compared with.
    """
    rows = []
    last = len(exposed.steps) - 1
    for lag in AROUND:
        begins = np.arange(max(0, -lag), min(last, last - lag + 1))
        if not lag or not len(begins):
            rows += [] if lag else [(0, Effect(0.0, 0.0, 0.0, 0))]
            continue
        quiet = np.ones((len(exposed.clusters), len(begins)), bool)
        for between in range(1, lag) if lag > 0 else range(lag, 0):
            quiet &= exposed.read[:, begins + between] == 0
        read, masked = exposed.read[:, begins], exposed.masked[:, begins]
        values = exposed.log_probability[:, begins + lag] - exposed.log_probability[:, begins]
        found = effect(
            values,
            quiet & READINGS[reading](read, masked),
            quiet & (read == 0),
            _cells(exposed, begins),
            exposed.clusters,
        )
        if found.units:
            rows.append((lag, found))
    return pd.DataFrame([(lag, each.value, each.low, each.high, each.units) for lag, each in rows], columns=COLUMNS)


COLUMNS = ["checkpoint", "value", "low", "high", "units"]


def _cells(exposed: Exposed, begins: np.ndarray) -> np.ndarray:
    """(units, begins): those of one interval that are read as often in all, and were as often before it.

    Of units that are read as often in all, those that are not read now were more often before, and forget that now.
    """
    so_far = _octave(exposed.own[:, begins])
    cells: np.ndarray = (_octave(exposed.total)[:, None] * (so_far.max() + 1) + so_far) * len(exposed.steps) + begins
    return cells


def _octave(counts: np.ndarray) -> np.ndarray:
    """Numbers of quarters of an octave."""
    octave: np.ndarray = (np.log2(counts + 1) / OCTAVE).round().astype(int)
    return octave


def of_reading(exposed: Exposed, reading: str = ANY) -> Effect:
    """What an interval with a reading adds to the log-probability, over an interval without one."""
    begins = np.arange(len(exposed.steps) - 1)
    one = READINGS[reading](exposed.read, exposed.masked)
    change = np.diff(exposed.log_probability, axis=1)
    return effect(change, one, exposed.read == 0, _cells(exposed, begins), exposed.clusters)


def of_asking(exposed: Exposed) -> Effect:
    """What being asked for adds to being read, in as many sequences of an interval."""
    begins = np.arange(len(exposed.steps) - 1)
    cells = _cells(exposed, begins) * (exposed.read.max() + 1) + exposed.read
    asked, shown = (READINGS[each](exposed.read, exposed.masked) for each in (ASKED, SHOWN))
    return effect(np.diff(exposed.log_probability, axis=1), asked, shown, cells, exposed.clusters)


def over_training(exposed: Exposed) -> pd.DataFrame:
    """:func:`of_reading` of every interval: ``step`` that ends it, ``value``, ``low``, ``high``, ``units``."""
    rows = []
    for at, step in enumerate(exposed.steps[1:]):
        change, begins = np.diff(exposed.log_probability, axis=1)[:, [at]], np.array([at])
        read = exposed.read[:, [at]]
        found = effect(change, read > 0, read == 0, _cells(exposed, begins), exposed.clusters)
        if found.told:
            rows.append((step, found.value, found.low, found.high, found.units))
    return pd.DataFrame(rows, columns=["step", *COLUMNS[1:]])


def bins(own: np.ndarray) -> np.ndarray:
    """Own exposures in octaves: 0, 1, 2 to 3, 4 to 7, …"""
    numbers: np.ndarray = np.floor(np.log2(np.maximum(own, 0.5))).astype(int) + 1
    return numbers


def by_own(exposed: Exposed) -> pd.DataFrame:
    """Log-probability by how often units had been read, of each band of frequency.

    Returns:
        ``band`` (its least sequences in the run), ``own`` (least of the octave), ``value``, ``low``, ``high`` (t over
        what stands and falls together), ``units``; octaves of fewer than :data:`FEWEST` units are left out.
    """
    rows = []
    octaves = bins(exposed.own)
    for number, least in enumerate(BANDS):
        of_band = exposed.band == number
        for octave in np.unique(octaves[of_band]):
            at = (octaves == octave) & of_band[:, None]
            unit, _ = np.nonzero(at)
            if (units := len(np.unique(unit))) < FEWEST:
                continue
            sums, counts = intervals.by_unit(exposed.log_probability[at], exposed.clusters[unit])
            low, high = intervals.of_mean(sums, counts)
            rows.append((least, 2 ** (octave - 1) if octave else 0, sums.sum() / counts.sum(), low, high, units))
    return pd.DataFrame(rows, columns=["band", "own", "value", "low", "high", "units"])


def of_rarity(exposed: Exposed) -> list[Effect]:
    """Read as often so far, how much likelier each band is than the next, more frequent one; of all but the last band.

    The rarer are read as often later in training, and are words or facts of another kind.
    """
    octaves, band = bins(exposed.own), exposed.band[:, None]
    bands = [np.broadcast_to(band == number, octaves.shape) for number in range(len(BANDS))]
    return [
        effect(exposed.log_probability, rarer, other, octaves, exposed.clusters)
        for rarer, other in itertools.pairwise(bands)
    ]


@dataclass(frozen=True)
class Until:
    """How many, or how long; infinite where that is not reached."""

    value: float
    low: float
    high: float
    units: int
    """Of which it is told."""
    reached: int


def until_known(exposed: Exposed, band: int, draws: int = DRAWS, seed: int = intervals.SEED) -> Until:
    """After how many own exposures half of a band's units stay right, to the end and at two checkpoints or more.

    Units that do not are censored at all that were read (Kaplan and Meier 1958); a unit is known at most as early as at
    the checkpoint that shows it.
    """
    of_band = exposed.band == band
    wrong = ~exposed.right[of_band][:, ::-1]
    lasting = np.where(wrong.any(axis=1), wrong.argmax(axis=1), exposed.right.shape[1])
    known = lasting > 1
    at = np.where(known, len(exposed.steps) - lasting, len(exposed.steps) - 1)
    own = exposed.own[of_band][np.arange(of_band.sum()), at]
    if not len(own):
        return Until(np.nan, np.nan, np.nan, 0, 0)
    names, cluster = np.unique(exposed.clusters[of_band], return_inverse=True)
    weights = np.concatenate([np.ones((1, len(names))), intervals.resamples(len(names), draws, seed)])[:, cluster]
    times = np.unique(own)
    place = np.searchsorted(times, own)
    events, ended = (
        np.stack([np.bincount(place, row * which, len(times)) for row in weights])
        for which in (known, np.ones(len(own)))
    )
    at_risk = ended[:, ::-1].cumsum(axis=1)[:, ::-1]
    survival = np.cumprod(1 - np.divide(events, at_risk, out=np.zeros(events.shape), where=at_risk > 0), axis=1)
    half = survival <= 0.5
    medians = np.where(half.any(axis=1), times[half.argmax(axis=1)], np.inf)
    low, high = intervals.percentile_interval(medians[1:])
    if len(names) < intervals.LEAST_OF_BOOTSTRAP:
        low = high = np.array(np.nan)
    return Until(float(medians[0]), float(low), float(high), len(own), int(known.sum()))


def until_lost(exposed: Exposed, read: bool, draws: int = DRAWS, seed: int = intervals.SEED) -> Until:
    """After how many steps half of what is right is not, at one rate, in intervals with a reading or without any.

    That one ends is seen between two checkpoints alone.
    """
    right, chosen = exposed.right, (exposed.read > 0) == read
    ended, lasted = right[:, :-1] & ~right[:, 1:] & chosen, right[:, :-1] & right[:, 1:] & chosen
    units = len(np.unique(exposed.clusters))
    sums = [intervals.by_unit(each, exposed.clusters)[0] for each in (ended, lasted)]
    at_risk = (sums[0] + sums[1]).sum(axis=1) > 0
    weights = np.concatenate([np.ones((1, units)), intervals.resamples(units, draws, seed)])
    widths = np.diff(exposed.steps)
    rate = np.full(len(weights), 1 / widths.mean())
    for _ in range(ITERATIONS):
        rate = next_rate(rate, weights @ sums[0], weights @ sums[1], widths)
    with np.errstate(divide="ignore"):
        lives = np.log(2) / rate
    low, high = intervals.percentile_interval(lives[1:])
    if at_risk.sum() < intervals.LEAST_OF_BOOTSTRAP:
        low = high = np.array(np.nan)
    value = lives[0] if at_risk.any() else np.nan
    return Until(float(value), float(low), float(high), int(at_risk.sum()), int(ended.sum()))


def losing(exposed: Exposed) -> Effect:
    """How much likelier right answers are lost in an interval without a reading than, as frequent ones, with one."""
    begins = np.arange(len(exposed.steps) - 1)
    known = exposed.right[:, :-1]
    lost = (~exposed.right[:, 1:]).astype(float)
    return effect(
        lost, known & (exposed.read == 0), known & (exposed.read > 0), _cells(exposed, begins), exposed.clusters
    )
