"""What one process does: each checkpoint is loaded once for all probes, and examples are made once for all of them."""

import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from embryology.errors import EmbryologyError
from embryology.probes import WHOLE, Probe
from embryology.runs import measurements
from embryology.runs.checkpoints import Checkpoint
from embryology.runs.measurements import Configuration
from embryology.runs.series import Series
from embryology.specs import MASKED_HEAD, NEEDS, NOT_APPLICABLE, NotApplicable, ProbeSettings, registry
from embryology.specs.imports import source_of
from embryology.storage.files import read_table, refusal, write_table, written_whole

if TYPE_CHECKING:
    from embryology.models.encoder import Encoder

Measured = tuple[list[dict[str, Any]], pd.DataFrame | None]


@dataclass(frozen=True)
class Asked:
    """A probe that is to measure a series, and under which configuration."""

    probe: Probe
    settings: ProbeSettings
    configuration: Configuration


@dataclass(frozen=True)
class News:
    """What is said while a checkpoint is measured."""

    step: int
    probe: str = ""
    """That it measures from now on."""
    over: int = 0
    """How many measurements have ended, one way or the other."""
    failed: str = ""
    """Why these could not be taken."""
    note: str = ""
    """A line for the person, once for all checkpoints."""


Tell = Callable[[News], object]


class Measuring:
    """Checkpoints that are loaded one after the other, and what is prepared once for all of them."""

    def __init__(self, series: Series, tokenizer: Path, device: str, threads: int | None, keep: bool):
        self.series, self.tokenizer = series, tokenizer
        self.device, self.threads, self.keep = device, threads, keep
        self.pieces: int | None = None
        """How many ids the tokenizer has, once it was asked for."""
        self.examples: dict[str, Any] = {}
        """By probe; or why there are none, an exception."""
        self.generator: tuple[Checkpoint, Encoder] | None = None
        """Of the checkpoint that is being measured, once it was asked for."""

    def checkpoint(self, checkpoint: Checkpoint, probes: list[Asked], tell: Tell) -> None:
        """Measure one checkpoint by all that ask for it; what cannot be measured is told, and the others go on.

        Raises:
            Exception: nothing more can be written, whichever checkpoint is next.
        """
        from embryology.models.encoder import Encoder  # late: it loads torch

        step = checkpoint.step
        with ExitStack() as stack:
            try:
                here = stack.enter_context(checkpoint.fetched(self.keep))
                encoder = Encoder.load(here, device=self.device, threads=self.threads)
                self._refuse_larger_tokenizer(encoder)
            except Exception as error:  # one checkpoint's failure is no other's
                tell(News(step, over=len(probes), failed=self._failure(error, checkpoint, "load")))
                return
            for asked in probes:
                name = asked.configuration.probe
                tell(News(step, probe=name))
                try:
                    result = self._measured(checkpoint, asked, encoder, tell)
                except Exception as error:
                    if refusal(error):
                        raise  # a part could not be written, and so nothing else can
                    tell(News(step, over=1, failed=self._failure(error, checkpoint, name)))
                else:
                    self._write(checkpoint, asked, *result)
                    tell(News(step, over=1))

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

    def _measured(
        self, checkpoint: Checkpoint, asked: Asked, encoder: "Encoder", tell: Tell
    ) -> tuple["Encoder", Measured]:
        """What a probe says of a checkpoint, and of which model."""
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
            tell(News(checkpoint.step, note=f"probe {name} does not apply: {reason}"))
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
