"""A finished, measured run -> a small folder that stands in for it where its checkpoints are gone.

It has the layout of a run folder, so that whatever reads a run reads it too: the manifest, the facts of
the corpus, the losses, of every checkpoint its ``checkpoint.json`` alone, and for every probe one table
of measurements and one of items over all checkpoints. ``frozen.yaml`` says what was left out.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from embryology import __version__
from embryology.errors import EmbryologyError
from embryology.runs import losses, measurements
from embryology.runs.checkpoints import MANIFEST, Series, thinned
from embryology.runs.manifest import commit
from embryology.runs.paths import ROOT, RunFolder
from embryology.storage.files import read_yaml, write_table, write_yaml, written_whole

ITEM_COLUMNS = (
    *("item_id", "sentence", "tag", "task", "correct", "source", "step"),
    *("chosen", "object_number", "pieces", "common", "named", "held_out", "together"),  # of facts
)
"""Of the items; no others are kept, so that no text of a treebank or fact gets into the repository with them."""
DIRECTORIES = re.compile(r"""(?<![\w.~/-])[~]?/(?:[^\s'"/]+/)+""")
"""Of an absolute path. Where things lay on that machine repeats nothing, and is not for the public."""


def freeze(
    run: str | Path, to: str | Path | None = None, replace: bool = False, without: Sequence[str] = ()
) -> Path:  # fmt: skip
    """Write the frozen folder of a run, whole or not at all.

    Args:
        run: name or path of a run.
        to: the folder; None takes ``results/<name>-seed<seed>`` in the project's. Its name becomes that
            of the series, so that a reader's own run of the same preset can stand beside it.
        replace: whether a run that was frozen there before gives way.
        without: names of probes whose measurements are left out, whole or not; or ``probe:step,step``, of which
            those at some checkpoints are.

    Returns:
        The folder.

    Raises:
        EmbryologyError: there is no run, it is unfinished, frozen itself or not measured at every
            checkpoint, or the folder is there already.
    """
    folder, left = RunFolder.named(run), _left_out(without)
    if folder.frozen.exists():
        raise EmbryologyError(f"{folder.root} is frozen already; copy the folder")
    steps = _finished(folder)
    frame = measurements.read(folder.root)
    frame = frame[
        [step not in (left.get(probe) or ()) for probe, step in zip(frame["probe"], frame["step"], strict=True)]
    ]
    items = {
        probe: _measured(folder, probe, frame, set(thinned(steps, every)) - left.get(probe, set()))
        for probe, every in _probes(folder, frame)
        if left.get(probe, set()) is not None
    }
    target = RunFolder(Path(to).expanduser().resolve() if to else ROOT / "results" / _name(folder))
    if target.root.exists() and not (replace and target.frozen.exists()):
        hint = "--replace takes its place" if target.frozen.exists() else "it holds no frozen run, give another --to"
        raise EmbryologyError(f"{target.root} is there already; {hint}")

    with written_whole(target.root) as temporary:
        new = RunFolder(temporary)
        for file in (folder.manifest, folder.corpus, *folder.checkpoints.glob(f"step-*/{MANIFEST}")):
            place = temporary / file.relative_to(folder.root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(DIRECTORIES.sub("", file.read_text(encoding="utf-8")), encoding="utf-8")
        shutil.copyfile(folder.losses, new.losses)
        left_out = ["the weights and tokenizers of checkpoints", "the state of training"]
        left_out += [f"the measurements of probe {probe.replace(':', ' at step ')}" for probe in without]
        for probe, table in items.items():
            rows = frame[frame["probe"] == probe].assign(series=target.name)
            measurements.write(new.frozen_measurement(probe), rows)
            if table is not None:
                write_table(new.frozen_details(probe), _kept(table))
                dropped = [column for column in table if column not in ITEM_COLUMNS]
                left_out.append(f"of the items of probe {probe}: {', '.join(dropped) or 'nothing'}")
        write_yaml(
            new.frozen,
            {
                "command": " ".join(["embryology freeze", folder.name, *(f"--without {probe}" for probe in without)]),
                "embryology": __version__,
                "commit": commit(),
                "left_out": left_out,
            },
        )
        if target.root.exists():
            shutil.rmtree(target.root)  # last, when the new one is complete
    return target.root


def _left_out(without: Sequence[str]) -> dict[str, set[int] | None]:
    """The checkpoints that are left out, by probe; None for all of them."""
    found = {}
    for probe, _, steps in (given.partition(":") for given in without):
        try:
            found[probe] = set(map(int, steps.split(","))) if steps else None
        except ValueError as error:
            raise EmbryologyError(f"--without {probe}:{steps}: steps are numbers, such as {probe}:100,200") from error
    return found


def _finished(folder: RunFolder) -> list[int]:
    """The steps of the checkpoints, all that the manifest asks for."""
    if not folder.manifest.exists():
        raise EmbryologyError(f"there is no run at {folder.root}: it has no {folder.manifest.name}")
    wanted = read_yaml(folder.manifest)["outcome"]["checkpoints"]
    there = {checkpoint.step for checkpoint in Series.open(folder.root).checkpoints}
    evaluated = losses.read(folder).dropna(subset=["held_out_masked_loss"])["step"]
    missing = [step for step in wanted if step not in there or step not in set(evaluated)]
    if missing:
        raise EmbryologyError(
            f"{folder.name} is unfinished: it lacks {_steps(missing)} of its {len(wanted)} checkpoints; "
            "go on with: embryology pretrain PRESET --resume"
        )
    return wanted


def _probes(folder: RunFolder, frame: pd.DataFrame) -> list[tuple[str, int]]:
    """Those that measured the run, and those that its preset asks for; and every how many-th checkpoint is to be."""
    settings = read_yaml(folder.manifest).get("probes", {})
    return [(probe, settings.get(probe, {}).get("every", 1)) for probe in sorted({*frame["probe"], *settings})]


def _measured(folder: RunFolder, probe: str, frame: pd.DataFrame, steps: set[int]) -> pd.DataFrame | None:
    """The items of a probe that measured these checkpoints, on the same text; None where it has none."""
    rows, items = frame[frame["probe"] == probe], None
    if any(folder.root.glob(f"measurements/details/{probe}/*")):
        items = measurements.read_items(folder.root, probe)
        items = items[items["step"].isin(rows["step"])]
    for table in (rows, items):
        missing = [] if table is None else sorted(steps - set(table["step"]))
        if missing:
            raise EmbryologyError(
                f"{folder.name}: probe {probe} has not measured {_steps(missing)}; "
                f"measure it: embryology probe {folder.name}"
            )
    if items is not None:
        for _, own in items.groupby("task"):
            measurements.source_of(own)
    return items


def _kept(items: pd.DataFrame) -> pd.DataFrame:
    """The columns to keep, all checkpoints of an item in a row: a tenth of the size, in the same order of items."""
    place = items.groupby(["task", "item_id"], sort=False).ngroup()
    kept = items.assign(place=place).sort_values(["place", "step"], kind="stable", ignore_index=True)
    return kept[[column for column in ITEM_COLUMNS if column in items]]


def _name(folder: RunFolder) -> str:
    seed = f"-seed{read_yaml(folder.manifest)['outcome'].get('seed', 0)}"
    return folder.name.removesuffix(seed) + seed


def _steps(steps: list[int]) -> str:
    return f"step {', '.join(map(str, steps[:4]))}{' …' if len(steps) > 4 else ''}"
