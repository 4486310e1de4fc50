"""Every chosen checkpoint × every chosen probe, measured once."""

import itertools
import json
import traceback
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.probes import WHOLE, Probe
from embryology.progress import Progress
from embryology.runs import measurements, plugins
from embryology.runs.checkpoints import TOKENIZER_FILES, Checkpoint
from embryology.runs.measurements import Configuration
from embryology.runs.misfit import misfit
from embryology.runs.series import Series, thinned
from embryology.specs import MASKED_HEAD, NEEDS, NOT_APPLICABLE, NotApplicable, ProbeSettings, registry
from embryology.specs.imports import source_of
from embryology.storage.files import read_table, refusal, sha256_of, sha256_of_file, write_table, written_whole

if TYPE_CHECKING:
    from embryology.models.encoder import Encoder

Measured = tuple[list[dict[str, Any]], pd.DataFrame | None]


@dataclass(frozen=True)
class Asked:
    """A probe that is to measure a series, and under which configuration."""

    probe: Probe
    settings: ProbeSettings
    configuration: Configuration


def chosen_settings(
    series: Series, names: list[str] | None = None, preset: str | None = None
) -> dict[str, ProbeSettings]:
    """Settings by probe, as the run's preset gave them when it was trained.

    Args:
        series: settings are the defaults where it was not trained here.
        names: of the probes; None takes those of the preset, and all but the expensive ones where it has none.
        preset: whose settings are taken instead, by name or path.

    Raises:
        EmbryologyError: a probe or setting is unknown.
    """
    recorded = series.manifest.probes if series.manifest else {}
    return registry.asked_for(names, presets.load(preset).probes if preset else recorded)


def run_probes(
    series: Series,
    probes: dict[str, ProbeSettings],
    steps: str = "all",
    console: Console | None = None,
    device: str = "auto",
    threads: int | None = None,
    keep: bool = False,
    only: Collection[int] | None = None,
) -> int:
    """Measure checkpoints; what was measured before is skipped. Interrupted, it resumes where it was.

    A measurement is known by the hash of the weights, the tokenizer, the data, the settings, and the
    probe's name and version. What was asked for last counts for readers. Nothing heavy is loaded where all is there.

    Args:
        series: whose checkpoints.
        probes: settings by the name of the probe, as of :func:`chosen_settings`.
        steps: which checkpoints, as in :meth:`Series.select`.
        console: where progress is shown; None shows none.
        device: a torch device name, or ``auto``.
        threads: of the processor; None leaves torch's own number.
        keep: whether checkpoints that are fetched stay on this machine when they are measured.
        only: of the checkpoints so chosen those at these steps, a part that one of several jobs measures.

    Returns:
        How many measurements were taken.

    Raises:
        EmbryologyError: a step is unknown, data are missing, the checkpoints have different tokenizers or two of them
            the same weights, or the run is frozen; or, after all others were measured, the list of checkpoints that
            could not be.
    """
    console = console or Console(quiet=True)
    if series.is_frozen:
        raise EmbryologyError(
            f"{series.name} is frozen: its measurements are kept and its checkpoints are not, so that nothing more can "
            f"be measured; {series.folder.manifest} has the command that trains it again"
        )
    chosen = series.select(steps)
    series.refuse_repeated(chosen)
    tokenizer, tokenizer_sha256 = _tokenizer(series)
    asked = [_asked(series, name, settings, tokenizer_sha256) for name, settings in probes.items()]
    done: list[tuple[Checkpoint, Asked]] = []
    todo: list[tuple[Checkpoint, Asked]] = []
    for checkpoint in chosen if only is None else [each for each in chosen if each.step in only]:
        for each in asked:
            if steps != "all" or checkpoint in thinned(series.checkpoints, each.settings.every):
                rows, _ = each.configuration.files(series.folder, checkpoint)
                (done if rows.exists() else todo).append((checkpoint, each))
    plugins.keep(series.folder)
    for each in asked:
        if any(other is each for _, other in done):
            measurements.let_stand(series.folder, each.configuration)
    failed = _changed({checkpoint for checkpoint, _ in done})
    if done:
        console.print(
            f"{series.name}: {len(done)} of {len(done) + len(todo)} measured before (same weights, tokenizer, data, "
            "settings), skipped",
            highlight=False,
            soft_wrap=True,
        )
    for each in asked:
        if wrong := misfit(series, each.configuration):
            console.print(f"{series.name}: {wrong}", highlight=False, soft_wrap=True)
    if todo:
        failed += _Measuring(series, tokenizer, console, device, threads, keep).all(todo)
    if failed:
        raise EmbryologyError(f"{series.name}: could not be measured: {'; '.join(failed)}")
    return len(todo)


def configured(series: Series, probes: dict[str, ProbeSettings]) -> list[Asked]:
    """The probes of :func:`run_probes` and their configurations; nothing is measured.

    Raises:
        EmbryologyError: data are missing, or the checkpoints have different tokenizers.
    """
    _, tokenizer_sha256 = _tokenizer(series)
    return [_asked(series, name, settings, tokenizer_sha256) for name, settings in probes.items()]


def _asked(series: Series, name: str, settings: ProbeSettings, tokenizer_sha256: str) -> Asked:
    probe = registry.get(name).load()
    configuration = Configuration(
        probe=name,
        version=registry.version(name),
        settings=settings.model_dump(mode="json", exclude={"every"}),
        data=json.loads(json.dumps(probe.inputs(settings, series))),
        tokenizer=tokenizer_sha256,
    )
    return Asked(probe, settings, configuration)


def _changed(checkpoints: set[Checkpoint]) -> list[str]:
    """What is wrong with checkpoints that were measured: their measurements are of other bytes than those there now."""
    wrong = []
    for checkpoint in sorted(checkpoints, key=lambda checkpoint: checkpoint.step):
        try:
            checkpoint.verify()
        except EmbryologyError as error:
            wrong.append(f"step {checkpoint.step}: {error}")
    return wrong


def _tokenizer(series: Series) -> tuple[Path, str]:
    """The folder of the series' tokenizer, that of a checkpoint or of the run, and the hash of its files."""
    by_sha256: dict[str, tuple[str, Path]] = {}
    for checkpoint in series.checkpoints:
        for folder in (checkpoint.location, series.folder.tokenizer):
            hashes = {name: sha256_of_file(folder / name) for name in TOKENIZER_FILES if (folder / name).is_file()}
            if hashes:
                name = checkpoint.name if folder == checkpoint.location else str(folder)
                by_sha256.setdefault(sha256_of(hashes), (name, folder))
                break
        else:
            raise EmbryologyError(
                f"neither {checkpoint.location} nor {series.folder.tokenizer} holds a tokenizer; say where it is with "
                "--tokenizer"
            )
    if len(by_sha256) > 1:
        (one, _), (other, _), *_ = by_sha256.values()
        raise EmbryologyError(
            f"{one} and {other} have different tokenizers, so no curve can join what is measured of them; give all "
            "checkpoints the same tokenizer files"
        )
    ((tokenizer_sha256, (_, folder)),) = by_sha256.items()
    return folder, tokenizer_sha256


class _Measuring:
    """Checkpoints that are loaded one after the other, and what is prepared once for all of them."""

    def __init__(self, series: Series, tokenizer: Path, console: Console, device: str, threads: int | None, keep: bool):
        self.series, self.tokenizer, self.console = series, tokenizer, console
        self.device, self.threads, self.keep = device, threads, keep
        self.pieces: int | None = None
        """How many ids the tokenizer has, once it was asked for."""
        self.examples: dict[str, Any] = {}
        """By probe; or why there are none, an exception."""
        self.said: set[str] = set()
        self.generator: tuple[Checkpoint, Encoder] | None = None
        """Of the checkpoint that is being measured, once it was asked for."""

    def all(self, cells: list[tuple[Checkpoint, Asked]]) -> list[str]:
        """Returns what was wrong with the checkpoints that could not be measured."""
        from embryology.models.encoder import Encoder  # late: it loads torch

        failed: dict[str, list[int]] = {}
        measured = 0
        with Progress(self.console, "{task.completed} of {task.total} measurements") as progress:
            task = progress.add_task(self.series.name, total=len(cells))
            for checkpoint, group in itertools.groupby(cells, key=lambda cell: cell[0]):
                probes = [asked for _, asked in group]
                progress.update(task, description=f"{self.series.name} step {checkpoint.step}")
                with ExitStack() as stack:
                    try:
                        here = stack.enter_context(checkpoint.fetched(self.keep))
                        encoder = Encoder.load(here, device=self.device, threads=self.threads)
                        self._refuse_larger_tokenizer(encoder)
                    except Exception as error:  # one checkpoint's failure is no other's
                        failed.setdefault(self._failure(error, checkpoint, "load"), []).append(checkpoint.step)
                        progress.update(task, advance=len(probes))
                        continue
                    for asked in probes:
                        name = asked.configuration.probe
                        progress.update(task, description=f"{self.series.name} step {checkpoint.step} {name}")
                        try:
                            result = self._measured(checkpoint, asked, encoder)
                        except Exception as error:
                            if refusal(error):
                                raise  # a part could not be written, and so nothing else can
                            failed.setdefault(self._failure(error, checkpoint, name), []).append(checkpoint.step)
                        else:
                            self._write(checkpoint, asked, *result)
                            measured += 1
                        progress.update(task, advance=1)
        self.console.print(f"{self.series.name}: {measured} of {len(cells)} measured", highlight=False, soft_wrap=True)
        return [f"step {', '.join(map(str, steps))}: {reason}" for reason, steps in failed.items()]

    def _refuse_larger_tokenizer(self, encoder: "Encoder") -> None:
        from embryology.corpus import tokenizer as tokenizers  # late: it loads torch

        if self.pieces is None:
            self.pieces = max(tokenizers.load(self.tokenizer).get_vocab().values()) + 1
        if self.pieces > encoder.vocabulary:
            raise EmbryologyError(
                f"the tokenizer in {self.tokenizer} has {self.pieces:,} pieces and the model vectors for "
                f"{encoder.vocabulary:,}, so that it is not this model's"
            )

    def _failure(self, error: Exception, checkpoint: Checkpoint, doing: str) -> str:
        """Why something failed; where it is no error of a kind that we know, all that Python said is kept."""
        if isinstance(error, EmbryologyError):
            return str(error)
        log = self.series.folder.failure(doing, checkpoint.step)
        with written_whole(log) as temporary:
            temporary.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        first_line = str(error).partition("\n")[0]
        return f"{doing}: {type(error).__name__}: {first_line} (all of it in {log.parent})"

    def _measured(self, checkpoint: Checkpoint, asked: Asked, encoder: "Encoder") -> tuple["Encoder", Measured]:
        """What a probe says of a checkpoint, and of which model; that it does not apply is said once for all."""
        name = asked.configuration.probe
        needs = registry.get(name).needs
        if MASKED_HEAD in needs - encoder.has and checkpoint.generator is not None:
            encoder = self._generator(checkpoint.generator)
        try:
            if lacking := sorted(needs - encoder.has):
                raise NotApplicable(f"its model has no {' and no '.join(NEEDS[need] for need in lacking)}")
            if name not in self.examples:
                self.examples[name] = self._prepared(asked)
            if isinstance(self.examples[name], Exception):
                raise self.examples[name]
            return encoder, self._parts(checkpoint, asked, encoder, self.examples[name])
        except NotApplicable as reason:
            line = f"{self.series.name}: probe {name} does not apply: {reason}"
            if line not in self.said:
                self.console.print(line, highlight=False, soft_wrap=True)
                self.said.add(line)
            return encoder, ([measurements.row("", "", NOT_APPLICABLE, None, reason=str(reason))], None)

    def _generator(self, checkpoint: Checkpoint) -> "Encoder":
        from embryology.models.encoder import Encoder  # late: it loads torch

        if self.generator is None or self.generator[0] != checkpoint:
            self.generator = checkpoint, Encoder.load(checkpoint, device=self.device, threads=self.threads)
        return self.generator[1]

    def _prepared(self, asked: Asked) -> Any:
        """The examples of a probe, or why there are none: it would fail in the same way for the next checkpoint."""
        from embryology.corpus import tokenizer as tokenizers  # late: it loads torch

        try:
            return asked.probe.prepare(asked.settings, tokenizers.load(self.tokenizer), self.series)
        except Exception as error:
            return error

    def _parts(self, checkpoint: Checkpoint, asked: Asked, encoder: "Encoder", examples: Any) -> Measured:
        """A measurement of several parts is put together of them, each kept as soon as it is there."""
        parts = asked.probe.parts(asked.settings, self.series)
        if parts.keys() == {WHOLE}:
            return asked.probe.measure(encoder, examples)
        rows: list[dict[str, Any]] = []
        items = []
        for part, depends_on in parts.items():
            key = asked.configuration.key(checkpoint, part=depends_on)
            files = [self.series.folder.part(asked.configuration.probe, key, table) for table in ("rows", "items")]
            if not all(file.exists() for file in files):
                measured_rows, measured_items = asked.probe.measure(encoder, examples, part)
                for file, table in zip(files, (pd.DataFrame(measured_rows), measured_items), strict=True):
                    write_table(file, table)
            kept_rows, kept_items = (read_table(file).to_pandas() for file in files)
            rows += kept_rows.to_dict("records")
            items.append(kept_items)
        return rows, pd.concat(items, ignore_index=True)

    def _write(
        self,
        checkpoint: Checkpoint,
        asked: Asked,
        encoder: "Encoder",
        measured: Measured,
    ) -> None:
        rows, items = measured
        rows_file, items_file = asked.configuration.files(self.series.folder, checkpoint)
        # Items first, so that a measurement that is there implies them.
        if items is not None:
            write_table(items_file, items.assign(step=checkpoint.step))
        columns = {
            "series": self.series.name,
            "step": checkpoint.step,
            "tokens": checkpoint.tokens,
            "model": encoder.model_type,
            "objective": encoder.objective,
            "probe": asked.configuration.probe,
            "key": asked.configuration.key(checkpoint),
            **encoder.machine(asked.settings.precision),
        }
        rows = measurements.with_units(pd.DataFrame(rows), asked.configuration.probe)
        measurements.write(rows_file, rows.assign(**columns), source_of(asked.configuration.probe))
        measurements.let_stand(self.series.folder, asked.configuration)
