"""Presets × seeds as factors: what each run of a study has, what it lacks, and what it ends as."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from embryology import intervals
from embryology.analysis import over_seeds
from embryology.runs import measurements
from embryology.runs.series import Series, thinned

NOT_ASKED = ("precision", "training text")
"""Of settings and data: how it was computed, and what the model had read."""


@dataclass(frozen=True)
class Factors:
    """Runs by preset and seed. :func:`read` makes it."""

    presets: tuple[str, ...]
    seeds: tuple[int, ...]
    cells: pd.DataFrame
    """A row a ``preset``, ``seed`` and ``probe``: of how many ``wanted`` checkpoints so many are ``measured``; none of
    a run that is not there."""
    ends: pd.DataFrame
    """A row a ``measure``, ``preset`` and ``seed``: its ``value`` at the last checkpoint that all runs of the preset
    were measured at, and which ``step`` that is; nan of what is missing. Of measures that several presets have, taken
    with the same settings on the same data."""
    levels: dict[str, dict[str, float]]
    """By measure the baselines of the first run."""
    remarks: tuple[str, ...]
    """What else is missing, and why: sentences."""


def crossed(series: Sequence[Series]) -> dict[str, dict[int, Series]]:
    """By preset and seed those that say both; a preset is called as its runs are, without their seeds."""
    found: dict[str, dict[int, Series]] = {}
    labels: dict[str, str] = {}
    for each in series:
        if each.recipe is not None and each.seed is not None:
            label = labels.setdefault(each.recipe, each.name.removesuffix(f"-seed{each.seed}"))
            if [*labels.values()].count(label) > 1:  # the name of another recipe's run
                label = labels[each.recipe] = each.name
            found.setdefault(label, {}).setdefault(each.seed, each)
    return found


def are_crossed(series: Sequence[Series]) -> bool:
    """Whether these are of several presets, of which one at least has several seeds."""
    found = crossed(series)
    return len(found) > 1 and max(map(len, found.values())) > 1


def apart(study: Factors) -> tuple[int, int]:
    """Of how many measures all seeds of one preset end beyond all of another's, and how many have two presets with
    two seeds or more."""
    beyond = compared = 0
    for _, rows in study.ends.dropna(subset=["value"]).groupby("measure"):
        ends = [own for _, own in rows.groupby("preset")["value"] if len(own) > 1]
        compared += len(ends) > 1
        beyond += any(one.min() > other.max() for one in ends for other in ends)
    return beyond, compared


def read(series: Sequence[Series], steps: str = "all") -> Factors:
    """What runs of several presets and seeds have, and what they end as.

    Args:
        series: the runs.
        steps: which checkpoints of the first seed of each preset the last one is of.

    Raises:
        EmbryologyError: measurements are damaged, or of other weights than those that are there now.
    """
    found = crossed(series)
    seeds = tuple(sorted({seed for by_seed in found.values() for seed in by_seed}))
    measured = {
        (preset, seed, probe): _steps(each, probe)
        for preset, by_seed in found.items()
        for seed, each in by_seed.items()
        for probe in measurements.standing(each.folder)
    }
    probes = tuple(dict.fromkeys(probe for *_, probe in measured))
    rows = []
    for preset, by_seed in found.items():
        for probe in probes:
            wanted = _wanted(preset, by_seed, probe, measured)
            for seed in seeds:
                there = len(wanted & measured.get((preset, seed, probe), set()))
                rows.append((preset, seed, probe, there, len(wanted)))
    cells = pd.DataFrame(rows, columns=["preset", "seed", "probe", "measured", "wanted"])
    ends, levels, remarks = _ends(found, seeds, steps)
    return Factors(tuple(found), seeds, cells, ends, levels, remarks)


def _steps(series: Series, probe: str) -> set[int]:
    return set(measurements.read(series, probe)["step"]) if measurements.lacking(series, probe) is None else set()


def _wanted(
    preset: str, by_seed: dict[int, Series], probe: str, measured: dict[tuple[str, int, str], set[int]]
) -> set[int]:
    """The checkpoints that a probe is to measure: as the runs say, else those that it measured of any of them."""
    for each in by_seed.values():
        if each.manifest is not None and probe in each.manifest.probes:
            every = each.manifest.probes[probe].get("every", 1)
            return set(thinned(each.manifest.outcome.checkpoints, every))
    own = set().union(*(steps for (name, _, of), steps in measured.items() if (name, of) == (preset, probe)))
    return own or set().union(*(steps for (*_, of), steps in measured.items() if of == probe))


def _ends(
    found: dict[str, dict[int, Series]], seeds: Sequence[int], steps: str
) -> tuple[pd.DataFrame, dict[str, dict[str, float]], tuple[str, ...]]:
    rows, remarks = [], []
    levels: dict[str, dict[str, float]] = {}
    known: dict[str, tuple[str, object]] = {}
    for preset, by_seed in found.items():
        alike = dict(over_seeds.HEADLINES)
        for probe in over_seeds.HEADLINES:
            for each in by_seed.values():
                if (own := asked(each, probe)) and known.setdefault(probe, (preset, own))[1] != own:
                    alike.pop(probe, None)
                    remarks.append(
                        f"{preset} is not held against others for probe {probe}: {each.name} was measured with other "
                        f"settings or data than {known[probe][0]}."
                    )
                    break
        over = over_seeds.read([*by_seed.values()], alike, steps)
        remarks += over.remarks
        levels = over.levels | levels
        for measure, curves in over.curves.groupby("measure", sort=False):
            values = curves.pivot(index="step", columns="seed", values="value").dropna()
            for seed in values if len(values) else ():
                rows.append((measure, preset, seed, int(values.index[-1]), float(values[seed].iloc[-1])))
    ends = pd.DataFrame(rows, columns=["measure", "preset", "seed", "step", "value"])
    presets = ends.groupby("measure", sort=False)["preset"].nunique()
    if len(alone := presets[presets < 2]):
        remarks.append(f"Of one preset alone, and so not drawn: {'; '.join(alone.index)}.")
    ends = ends[~ends["measure"].isin(alone.index)]
    pairs = dict.fromkeys(zip(ends["measure"], ends["preset"], strict=True))
    wanted = [(*pair, seed) for pair in pairs for seed in seeds]
    places = pd.DataFrame(wanted, columns=["measure", "preset", "seed"])
    return places.merge(ends, how="left"), levels, tuple(dict.fromkeys(remarks))


def asked(series: Series, probe: str) -> tuple[object, object] | None:
    """Settings and data of what a probe measured, as far as they say what was asked; None where it did not."""
    configuration = measurements.standing(series.folder).get(probe)
    if configuration is None:
        return None
    data = {name: value for name, value in (configuration.data or {}).items() if name not in NOT_ASKED}
    return {name: value for name, value in configuration.settings.items() if name not in NOT_ASKED}, data


def spread(ends: pd.DataFrame) -> pd.DataFrame:
    """A row a ``measure`` and ``preset``: the mean of its ``seeds``, with its 95% t interval from three on, and the
    ``range`` of seeds.

    Args:
        ends: of :class:`Factors`.
    """
    rows = []
    for (measure, preset), values in ends.dropna(subset=["value"]).groupby(["measure", "preset"], sort=False)["value"]:
        array = values.to_numpy(float)
        low = high = float("nan")
        if len(array) > 2 and array.min() < array.max():
            low, high = (float(end[0]) for end in intervals.of_mean(array[:, None], array[:, None] * 0 + 1))
        rows.append((measure, preset, len(array), array.mean(), low, high, array.max() - array.min()))
    return pd.DataFrame(rows, columns=["measure", "preset", "seeds", "mean", "low", "high", "range"])


def read_crossed(series: Sequence[Series], steps: str = "all") -> Factors | None:
    """As :func:`read`; None where there are not several presets and seeds."""
    return read(series, steps) if are_crossed(series) else None
