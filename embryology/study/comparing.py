"""A probe whose source changed while its version did not: does it still give the same numbers?"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.probes.runner import configured, run_probes
from embryology.runs.measurements import MACHINE, Configuration
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs import ProbeSettings
from embryology.storage.files import read_table, written_whole
from embryology.study.plan import Cell, compared


def compare(
    series: Series,
    probes: dict[str, ProbeSettings],
    cells: Sequence[Cell],
    folder: Path,
    console: Console,
    threads: int | None = None,
) -> None:
    """Measure cells anew in a temporary place, and hold them against what was measured before, which stays.

    Args:
        series: whose measurements.
        probes: settings of all probes of the cells.
        cells: whose probe has another source than the one that measured them.
        folder: where the temporary place is made.
        console, threads: as of :func:`embryology.probes.runner.run_probes`.

    Raises:
        EmbryologyError: some give other numbers, so that the probe needs a new version; or as of ``run_probes``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    different = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"{series.folder.name}-") as temporary:
        apart = replace(series, folder=RunFolder(Path(temporary)))
        for path in series.folder.root.iterdir():
            if path != series.folder.measurements:
                os.symlink(path.resolve(), apart.folder.root / path.name)
        configurations = {each.configuration.probe: each.configuration for each in configured(series, probes)}
        for probe in dict.fromkeys(cell.probe for cell in cells):
            steps = [cell.step for cell in cells if cell.probe == probe]
            asked = ",".join(map(str, steps))
            run_probes(apart, {probe: probes[probe]}, asked, console, threads=threads)
            for checkpoint in apart.select(asked):
                configuration = configurations[probe]
                before, now = (configuration.files(each.folder, checkpoint) for each in (series, apart))
                if why := _difference(before, now):
                    different.append(_named(configuration, checkpoint.step, why))
                else:
                    with written_whole(compared(series.folder, configuration, checkpoint)) as empty:
                        empty.touch()
    if different:
        raise EmbryologyError(f"{series.name}: {'; '.join(different)}")


def _named(configuration: Configuration, step: int, why: str) -> str:
    return (
        f"the changed source of probe {configuration.probe} gives other numbers at step {step} ({why}); raise its "
        f"version, which is {configuration.version}, and what was measured is measured anew"
    )


def _difference(before: tuple[Path, Path], now: tuple[Path, Path]) -> str | None:
    """The first thing in which two measurements differ, of rows and of items; None where they are the same."""
    for what, one, other in zip(("rows", "items"), before, now, strict=True):
        if one.exists() != other.exists():
            return f"{what} are there {'before' if one.exists() else 'now'} alone"
        if not one.exists():
            continue
        tables = [read_table(file).to_pandas() for file in (one, other)]
        machines = [table[[*MACHINE]].iloc[0].tolist() for table in tables if what == "rows"]
        if machines and machines[0] != machines[1]:
            listed = [", ".join(map(str, machine)) for machine in machines]
            return f"it cannot be told, as it was measured on {listed[0]} and now on {listed[1]}; compare it there"
        if why := _first(*tables):
            return f"{what}: {why}"
    return None


def _first(one: pd.DataFrame, other: pd.DataFrame) -> str | None:
    if [*one] != [*other] or len(one) != len(other):
        return f"{len(one):,} with {len([*one])} columns, and now {len(other):,} with {len([*other])}"
    for column in one:
        unequal = ~((one[column] == other[column]) | (one[column].isna() & other[column].isna()))
        if unequal.any():
            place = unequal.idxmax()
            return f"{column} {one[column][place]} became {other[column][place]}"
    return None
