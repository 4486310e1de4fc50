"""A finished, measured run -> a small folder that stands in for it where its checkpoints are gone.

It has the layout of a run folder, so that whatever reads a run reads it too: the manifest, the record of
the corpus, the losses, of every checkpoint its ``checkpoint.json`` alone, and for every probe one table
of measurements and one of items over all checkpoints. ``frozen.yaml`` says what was left out. If asked for, the weights
are kept in eight bits (:mod:`embryology.runs.packed`).
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from embryology import __version__
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.checkpoints import RECORD
from embryology.runs.manifest import Manifest, commit
from embryology.runs.measurements import ALL, Configuration
from embryology.runs.packed import series as packed_series
from embryology.runs.paths import RunFolder, home
from embryology.runs.series import Series, thinned
from embryology.specs import Specification, registry
from embryology.storage.files import write_table, write_yaml, written_whole

DIRECTORIES = re.compile(r"""(?<![\w.~/-])[~]?/(?:[^\s'"/]+/)+""")
"""Of an absolute path. Where things lay on that machine repeats nothing, and is not for the public."""
ALL_STEPS = "all"

Weights = Literal["8bit"]
LeftOut = dict[str, list[int] | str]
"""By probe the checkpoints whose measurements are left out, or :data:`ALL_STEPS`."""


def freeze(
    series: Series,
    to: str | Path | None = None,
    replace: bool = False,
    without: Sequence[str] = (),
    weights: Weights | None = None,
) -> Path:
    """Write the frozen folder of a run, whole or not at all.

    Args:
        series: a run.
        to: the folder; None takes ``results/<name>-seed<seed>`` in the project's, or in the current one where there
            is no project. Its name becomes that of the series, so that a reader's own run of the same preset can
            stand beside it.
        replace: whether a run that was frozen there before gives way.
        without: names of probes whose measurements are left out, whole or not; or ``probe:step,step``, of which
            those at some checkpoints are.
        weights: in what form weights and tokenizer are kept, for the page that asks the checkpoints; None keeps none.

    Returns:
        The folder.

    Raises:
        EmbryologyError: the series is no run, unfinished, frozen itself or not measured at every
            checkpoint, the folder is there already, or its weights cannot be packed.
    """
    left_out = _left_out(without)
    if series.is_frozen:
        raise EmbryologyError(f"{series.folder.root} is frozen already; copy the folder")
    manifest = _finished(series)
    tables = {}
    for probe in sorted({*measurements.standing(series.folder), *manifest.probes}):
        gone = left_out.get(probe, [])
        if gone != ALL_STEPS:
            every = manifest.probes.get(probe, {}).get("every", 1)
            tables[probe] = _measured(series, probe, every, {int(step) for step in gone})
    target = RunFolder(Path(to).expanduser().resolve() if to else home() / "results" / _name(series, manifest))
    if target.root.exists() and not (replace and target.frozen.exists()):
        hint = "--replace takes its place" if target.frozen.exists() else "it holds no frozen run, give another --to"
        raise EmbryologyError(f"{target.root} is there already; {hint}")
    packed = packed_series.of_series(series) if weights else None

    with written_whole(target.root) as temporary:
        new = RunFolder(temporary)
        records = series.folder.checkpoints.glob(f"step-*/{RECORD}")
        for file in (series.folder.manifest, series.folder.corpus, *records):
            copy = temporary / file.relative_to(series.folder.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(DIRECTORIES.sub("", file.read_text(encoding="utf-8")), encoding="utf-8")
        shutil.copyfile(series.folder.losses, new.losses)
        for configuration, rows, items in tables.values():
            write_all(new, configuration, rows.assign(series=target.name), items)
            if (counted := configuration.properties(series.folder)).is_dir():
                shutil.copytree(counted, configuration.properties(new))
        measurements.write_standing(new, [configuration for configuration, _, _ in tables.values()])
        if packed:
            packed_series.write(packed, new.packed)
        options = [*(f"--without {probe}" for probe in without), *([f"--weights {weights}"] if weights else [])]
        files = (
            "the weights of checkpoints beyond eight bits" if packed else "the weights and tokenizers of checkpoints"
        )
        write_yaml(
            new.frozen,
            {
                "command": " ".join(["embryology freeze", series.name, *options]),
                "embryology": __version__,
                "commit": commit(),
                "left_out": {
                    "files": [files, "the state of training"],
                    "measurements": left_out,
                    "item_columns": {
                        probe: [column for column in items if column not in registry.get(probe).kept_items]
                        for probe, (_, _, items) in tables.items()
                        if items is not None
                    },
                },
            },
        )
        if target.root.exists():
            shutil.rmtree(target.root)  # last, when the new one is complete
    return target.root


def write_all(folder: RunFolder, configuration: Configuration, rows: pd.DataFrame, items: pd.DataFrame | None) -> None:
    """Write what a probe measured at all checkpoints, a table of rows and one of items."""
    place = configuration.folder(folder)
    measurements.write(place / ALL, rows)
    if items is not None:
        write_table(place / "items" / ALL, _kept(items, registry.get(configuration.probe)), level=19)


def _left_out(without: Sequence[str]) -> LeftOut:
    by_probe: LeftOut = {}
    for probe, _, steps in (given.partition(":") for given in without):
        try:
            by_probe[probe] = sorted(map(int, steps.split(","))) if steps else ALL_STEPS
        except ValueError as error:
            raise EmbryologyError(f"--without {probe}:{steps}: steps are numbers, such as {probe}:100,200") from error
    return by_probe


def _finished(series: Series) -> Manifest:
    """The manifest of a run that has all checkpoints that it asks for."""
    if series.manifest is None:
        raise EmbryologyError(f"there is no run at {series.folder.root}: it has no {series.folder.manifest.name}")
    wanted = series.manifest.outcome.checkpoints
    there = {checkpoint.step for checkpoint in series.checkpoints}
    losses = series.losses
    evaluated = set() if losses is None else set(losses.dropna(subset=["held_out_masked_loss"])["step"])
    missing = [step for step in wanted if step not in there or step not in evaluated]
    if missing:
        raise EmbryologyError(
            f"{series.name} is unfinished: it lacks {_steps(missing)} of its {len(wanted)} checkpoints; "
            "resume it: embryology pretrain PRESET --resume"
        )
    return series.manifest


def _measured(
    series: Series, probe: str, every: int, left_out: set[int]
) -> tuple[Configuration, pd.DataFrame, pd.DataFrame | None]:
    """What a probe measured at every checkpoint that it is to measure, on the same text; None where it has no items."""
    wanted = {checkpoint.step for checkpoint in thinned(series.checkpoints, every)} - left_out
    configuration = measurements.standing(series.folder).get(probe)
    if configuration is None:
        raise EmbryologyError(f"{series.name}: probe {probe} has not measured {_steps(sorted(wanted))}; {_how(series)}")
    rows, items = measurements.read(series, probe), None
    if (configuration.folder(series.folder) / "items").is_dir():
        items = measurements.read_items(series, probe)
    for table in (rows, items):
        missing = [] if table is None else sorted(wanted - set(table["step"]))
        if missing:
            raise EmbryologyError(f"{series.name}: probe {probe} has not measured {_steps(missing)}; {_how(series)}")
    rows = rows[~rows["step"].isin(left_out)]
    if items is not None:
        items = items[~items["step"].isin(left_out)]
        for _, of_task in items.groupby("task"):
            measurements.source_of(of_task)
    return configuration, rows, items


def _kept(items: pd.DataFrame, specification: Specification) -> pd.DataFrame:
    """The columns to keep, all checkpoints of an item in a row: a tenth of the size, in the same order of items."""
    place = items.groupby(["task", "item_id"], sort=False).ngroup()
    kept = items.assign(place=place).sort_values(["place", "step"], kind="stable", ignore_index=True)
    kept = kept[[column for column in specification.kept_items if column in items]]
    return kept.round(dict.fromkeys(specification.rounded, 2))


def _name(series: Series, manifest: Manifest) -> str:
    seed = f"-seed{manifest.outcome.seed}"
    return series.folder.name.removesuffix(seed) + seed


def _steps(steps: list[int]) -> str:
    return f"step {', '.join(map(str, steps[:4]))}{' …' if len(steps) > 4 else ''}"


def _how(series: Series) -> str:
    return f"measure it: embryology probe {series.folder.name}"
