"""Properties of items that no checkpoint changes, such as how often the training text has a word; numbers, never text.

They lie beside the measurements of the same configuration, so that a frozen run has them, whose weights are gone::

    measurements/<probe>/<configuration>/properties/<kind>-<version>.parquet

One row an item: ``item_id``, ``task`` where an id is that of several items, and columns of numbers. Exposures have one
an item and checkpoint, whose ``step`` they say. :mod:`embryology.probes.properties` counts them.
"""

from pathlib import Path

import pandas as pd

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.measurements import Configuration
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs.properties import EXPOSURE, VERSIONS
from embryology.storage.files import read_table, write_table


def file_of(run: RunFolder, configuration: Configuration, kind: str) -> Path:
    """Where the properties of a kind are, those of the items of one configuration."""
    return configuration.properties(run) / f"{kind}-{VERSIONS[kind]}.parquet"


def write(run: RunFolder, configuration: Configuration, kind: str, table: pd.DataFrame) -> None:
    """Keep the properties of a kind.

    Raises:
        ValueError: there is a column of text beside the items' names, which may not be ours to publish, or an item
            has two rows: defects of what counted them.
    """
    columns = [column for column in table if column not in ("item_id", "task")]
    if text := [column for column in columns if not pd.api.types.is_numeric_dtype(table[column])]:
        raise ValueError(f"properties are numbers, and these columns are not: {', '.join(text)}")
    if table.duplicated([column for column in ("task", "item_id", "step") if column in table]).any():
        raise ValueError("an item has two rows of properties")
    write_table(file_of(run, configuration, kind), table, level=19)


def read(series: Series, probe: str, kind: str) -> pd.DataFrame:
    """The properties of a kind of the items whose measurements count.

    Raises:
        EmbryologyError: they were not counted.
    """
    if reason := lacking(series, probe, kind):
        raise EmbryologyError(f"run {series.name}: {reason}")
    return read_table(file_of(series.folder, measurements.standing(series.folder)[probe], kind)).to_pandas()


def counted(series: Series, kind: str) -> list[str]:
    """The probes of whose items there are properties of a kind."""
    return [probe for probe in measurements.standing(series.folder) if lacking(series, probe, kind) is None]


def lacking(series: Series, probe: str, kind: str) -> str | None:
    """Why there are no such properties, as a clause; None where there are."""
    if reason := measurements.lacking(series, probe) or impossible(series, kind):
        return reason
    if why := uncounted(series, measurements.standing(series.folder)[probe], kind):
        return told(series, f"the {kind} of its items", f"{why} for probe {probe}")
    return None


def uncounted(series: Series, configuration: Configuration, kind: str) -> str | None:
    """Why properties that may be there do not count; None where they do.

    Exposures are of the intervals between checkpoints, and a run that was counted may have been trained further.
    """
    file = file_of(series.folder, configuration, kind)
    if not file.is_file():
        return "not counted"
    if kind == EXPOSURE:
        counted = set(read_table(file, columns=["step"])["step"].to_pylist())
        if counted != {checkpoint.step for checkpoint in series.checkpoints if checkpoint.step > 0}:
            return "counted at other checkpoints than there are now"
    return None


def told(series: Series, what: str, why: str = "not counted") -> str:
    """That something was not counted, as a clause, and whether it can be: in a training text that is known."""
    if series.manifest is None and not series.folder.corpus.is_file():
        return f"{what} cannot be counted, as on which text it was trained is not known"
    return f"{what} was {why} (embryology count RUN)"


def impossible(series: Series, kind: str) -> str | None:
    """Why such properties cannot be counted of any probe's items, as a clause; None where they may be.

    Which batches a run of an earlier version read is not known: they would be drawn otherwise now.
    """
    manifest = series.manifest
    if kind == EXPOSURE and manifest is not None and manifest.version != presets.VERSION:
        return (
            f"it was trained by an earlier version of training ({manifest.version}, and this is {presets.VERSION}), "
            "so that when it read what is not known"
        )
    return None
