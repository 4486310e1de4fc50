"""``embryology verify``: a run, or any folder of checkpoints, held against its own records. Nothing is written."""

import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from safetensors import SafetensorError, safe_open

from embryology.errors import EmbryologyError
from embryology.runs import losses, measurements
from embryology.runs.checkpoints import RECORD, TOKENIZER_FILES, WEIGHTS, Checkpoint, sha256_of_weights, weight_files_in
from embryology.runs.hub import revisions
from embryology.runs.manifest import Manifest, steps_done
from embryology.runs.packed import series as packed_series
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.storage.files import PART, read_json, read_table, sha256_of_file

RECORDED = {"step", "tokens", "held_out", "sha256"}
HELD_OUT = [column for column in losses.COLUMNS if column.startswith(("held_out", "unigram"))]


def verify(folder: RunFolder, console: Console) -> None:
    """Print a line for everything that does not hold, or one that says what was found to hold.

    Raises:
        EmbryologyError: something does not hold, or there are no checkpoints.
    """
    findings, held = check(folder)
    for line in findings or [f"everything holds: {held}"]:
        console.print(f"{folder.name}: {line}", highlight=False, markup=False, soft_wrap=True)
    if findings:
        raise EmbryologyError(
            f"{folder.root}: findings: {len(findings)}; restore what is named from a copy, or train into another folder"
        )


def check(folder: RunFolder) -> tuple[list[str], str]:
    """Hold a run, frozen or not, or a folder of ``save_pretrained`` folders, against its own records.

    A run that was killed and not resumed is sound, but for half-written files: what stands beyond its last
    state is made again by a resume, and is not asked for here.

    Returns:
        What does not hold, a line each; and what holds where there are no such lines.

    Raises:
        EmbryologyError: there are no checkpoints, or names of a plain folder do not give their steps.
    """
    is_run, is_frozen = folder.checkpoints.is_dir(), folder.frozen.exists()
    if is_run:
        paths = sorted(folder.checkpoints.glob("step-*"))
        places = {step: path for path in paths if (step := _step(path)) is not None}
    if not is_run or not places:
        opened = Series.open(folder.root).checkpoints
        places = {checkpoint.step: checkpoint.location for checkpoint in opened}
        if (folder.root / revisions.RECORD).exists():  # weights are on the Hub, by commits that do not change
            listed = {each.step: {"step": each.step, "tokens": each.tokens, "sha256": each.sha256} for each in opened}
            return [*_leftovers(folder), *_measurements(folder, listed)], f"the commits of {len(opened)} checkpoints"
    records = {step: _record(place, is_run) for step, place in places.items()}
    recorded = {step: record for step, record in records.items() if isinstance(record, dict)}
    findings = [f"{places[step].name}: {record}" for step, record in records.items() if isinstance(record, str)]
    if not is_frozen:
        findings += [*_weights(places, recorded), *_lacking_files(folder, places)]
    findings += [*_leftovers(folder), *_measurements(folder, recorded)]
    held = f"{len(places)} checkpoints with different weights"
    if is_frozen:
        held = f"the records of {len(places)} checkpoints"
        findings += _packed(folder)
    if not is_run:
        return findings, f"{held}, {len(recorded)} of them with a recorded hash"
    try:
        manifest = Manifest.read(folder)
    except EmbryologyError as error:
        return [*findings, f"{error}; nothing else can be held against it"], held
    if manifest is None:
        return [*findings, f"{folder.manifest.name} is missing: nothing else can be held against it"], held
    grid, steps = manifest.outcome.checkpoints, manifest.outcome.steps
    try:
        logged = losses.read(folder)
    except EmbryologyError as error:
        logged = pd.DataFrame(columns=list(losses.COLUMNS))
        if steps_done(folder) or max(places) > grid[1]:  # else it was not yet to be written
            findings.append(str(error))
    done = steps_done(folder) or int(logged["step"].max() if len(logged) else 0)
    findings += [*_gaps(folder, places, grid, done), *_loss_rows(logged, recorded, grid, done)]
    if not is_frozen:
        findings += [*_corpus(folder), *_states(folder)]
    return findings, f"{held}, {len(logged)} rows of losses, at step {done} of {steps}"


def _packed(folder: RunFolder) -> Iterator[str]:
    """The weights that a frozen run keeps, if it does."""
    if folder.packed.is_dir():
        try:
            for _ in packed_series.read(folder.packed).checkpoints():
                pass
        except EmbryologyError as error:
            yield str(error)


def _step(path: Path) -> int | None:
    number = path.name.removeprefix("step-")
    return int(number) if number.isdigit() and path.is_dir() else None


def _record(place: Path, is_run: bool) -> dict[str, Any] | str | None:
    """What a checkpoint's record says, or what is wrong with it; None where a plain folder has none."""
    if not is_run and not (place / RECORD).exists():
        return None
    try:
        record = read_json(place / RECORD)
    except EmbryologyError as error:
        return str(error)
    lacking = RECORDED - record.keys() if isinstance(record, dict) else RECORDED
    return f"{RECORD} lacks {', '.join(sorted(lacking))}" if lacking else record


def _measurements(folder: RunFolder, recorded: dict[int, dict[str, Any]]) -> Iterator[str]:
    """What counts has to be there, of the weights that are there, and with the keys that its configuration gives."""
    try:
        standing = measurements.standing(folder)
    except EmbryologyError as error:
        yield str(error)
        return
    for probe, configuration in standing.items():
        files = sorted(configuration.folder(folder).glob("*.parquet"))
        if not files:
            yield f"{folder.standing.name} names measurements of probe {probe} that are not there"
        for file in files:
            name = file.relative_to(folder.root)
            try:
                table = read_table(file, schema=measurements.SCHEMA).to_pandas()
            except EmbryologyError as error:
                yield str(error)
                continue
            for (step, key), _ in table.groupby(["step", "key"]):
                record = recorded.get(step)  # None of a checkpoint that was removed since
                if record is not None and not is_key(configuration, record, key):
                    yield f"{name}: the key of step {step} is not that of its weights, tokenizer, data and settings"


def is_key(configuration: measurements.Configuration, record: dict[str, Any], key: str) -> bool:
    """Whether a measurement of the recorded weights has this key; yes where the data were not recorded."""
    checkpoint = Checkpoint(record["step"], record["tokens"], Path(), record["sha256"])
    return configuration.data is None or configuration.key(checkpoint) == key


def _weights(places: dict[int, Path], recorded: dict[int, dict[str, Any]]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for step, place in places.items():
        names = weight_files_in(place) or [WEIGHTS]
        if missing := [name for name in names if not (place / name).is_file()]:
            yield f"{place.name}: {', '.join(missing)} is missing"
            continue
        sha256 = sha256_of_weights({name: sha256_of_file(place / name) for name in names})
        if step in recorded and recorded[step]["sha256"] != sha256:
            yield f"{place.name}: {WEIGHTS} has another sha256 than {RECORD} records"
        if step in recorded and recorded[step]["step"] != step:
            yield f"{place.name}: {RECORD} says step {recorded[step]['step']}"
        for name in names if step not in recorded else []:
            try:
                if name.endswith(".safetensors"):
                    safe_open(place / name, framework="numpy")  # reads the header and compares it with the length
            except SafetensorError as error:
                yield f"{place.name}: {name} is damaged ({error})"
        if sha256 in seen:
            yield f"{place.name}: {names[0]} is the same as in {seen[sha256]}"
        seen.setdefault(sha256, place.name)


def _lacking_files(folder: RunFolder, places: dict[int, Path]) -> Iterator[str]:
    names = {step: {path.name for path in place.iterdir()} for step, place in places.items()}
    for step, here in names.items():
        # Weights and manifest are named elsewhere.
        for name in sorted(set().union(*names.values()) - here - {WEIGHTS, RECORD}):
            yield f"{places[step].name}: {name} is missing, which other checkpoints have"
    if not folder.checkpoints.is_dir():
        for config in sorted(folder.root.glob("*/config.json")):
            if config.parent != folder.tokenizer and not weight_files_in(config.parent):
                yield f"{config.parent.name}: {WEIGHTS} is missing"
        for step, place in places.items():
            if not names[step].intersection(TOKENIZER_FILES) and not folder.tokenizer.is_dir():
                yield f"{place.name}: there is no tokenizer, neither in it nor in {folder.tokenizer}"


def _leftovers(folder: RunFolder) -> Iterator[str]:
    for path in sorted(folder.root.rglob(f".*{PART}")):
        yield f"{path.relative_to(folder.root)} is half-written, by a process that died or is writing now"


def _gaps(folder: RunFolder, places: dict[int, Path], grid: list[int], done: int) -> Iterator[str]:
    for step in grid:
        if step <= done and step not in places:
            yield f"{folder.checkpoint(step).name} is missing"
    for path in sorted(folder.checkpoints.glob("step-*")):
        if _step(path) not in grid:
            yield f"{path.name} is not on the preset's grid"


def _loss_rows(logged: pd.DataFrame, recorded: dict[int, dict[str, Any]], grid: list[int], done: int) -> Iterator[str]:
    name = "losses.parquet"
    if not len(logged):
        return
    for column in ("step", "tokens"):
        for earlier, later in itertools.pairwise(logged[column].tolist()):
            if later <= earlier:
                yield f"{name}: {column} {later} comes after {earlier}"
    rows = logged.drop_duplicates("step").set_index("step")
    expected = {step for step in grid if step <= done} | set(range(0, done + 1, losses.LOG_EVERY))
    for step in sorted(expected - set(rows.index)):
        yield f"{name}: the row of step {step} is missing"
    for step in sorted(recorded.keys() & set(rows.index)):
        if step > done:  # between the losses and the state the run was killed
            continue
        ours = pd.Series({"tokens": recorded[step]["tokens"]} | recorded[step]["held_out"], dtype=float)
        theirs = rows.loc[step, ["tokens", *HELD_OUT]].astype(float)
        ours = ours.reindex(theirs.index)
        wrong = theirs.index[(ours != theirs) & ~(ours.isna() & theirs.isna())]
        if len(wrong):
            yield f"{name}: the row of step {step} and {RECORD} disagree in {', '.join(wrong)}"


def _corpus(folder: RunFolder) -> Iterator[str]:
    try:
        recorded = read_json(folder.corpus)["tokenizer_sha256"]
    except (EmbryologyError, KeyError, TypeError):
        yield f"{folder.corpus.name} is missing or damaged"
        return
    tokenizer = folder.tokenizer / "tokenizer.json"
    if not tokenizer.is_file():
        yield f"{tokenizer.relative_to(folder.root)} is missing"
    elif sha256_of_file(tokenizer) != recorded:
        yield f"{tokenizer.relative_to(folder.root)} has another sha256 than {folder.corpus.name} records"


def _states(folder: RunFolder) -> Iterator[str]:
    for file in sorted(folder.state.glob("step-*.pt")):
        try:
            with zipfile.ZipFile(file) as archive:  # torch writes a zip; its checksums tell without loading torch
                damaged = archive.testzip()
        except (OSError, zipfile.BadZipFile):
            damaged = file.name
        if damaged:
            yield f"{file.relative_to(folder.root)} is damaged"
