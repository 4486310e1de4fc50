"""Steps, schedule, evaluation, checkpoints: one run from random parameters to its last step."""

import math
import os
import shutil
import time
import typing
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import filelock
import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from embryology import intervals
from embryology.corpus import several, tokenizer
from embryology.errors import EmbryologyError
from embryology.models import processor
from embryology.models.optimizers import optimizer_for, stage_rate
from embryology.models.precision import resolve
from embryology.presets import Preset, Stage
from embryology.pretraining import branching, compiled, growing, order, state
from embryology.pretraining.batches import Batch
from embryology.pretraining.curriculum import Curriculum, divide
from embryology.pretraining.devices import Devices, expected_processes, refuse_unknown_tracker, sharing_cores, speaks
from embryology.pretraining.heldout import HeldOut
from embryology.pretraining.interrupt import Interrupt
from embryology.pretraining.trainee import PARTS, Trainee, build
from embryology.progress import Progress
from embryology.runs import checkpoints, losses, manifest
from embryology.runs.paths import RunFolder
from embryology.storage.files import read_json, refusal, removed_whole, write_json, written_whole
from embryology.tasks import texts


def pretrain(
    preset: Preset,
    folder: RunFolder,
    *,
    resume: bool,
    console: Console,
    track: str | None = None,
    until: int | None = None,
) -> None:
    """Train ``preset`` into ``folder``, or resume an unfinished run there; a finished one is left as it is.

    Args:
        resume: whether to resume. Without it an unfinished run is an error, lest one is resumed by mistake.
        console: takes the progress.
        track: a tracker of accelerate that is to see what ``losses.parquet`` gets, such as ``tensorboard``.
        until: the step after which to end, at which a row of losses ends; it can be resumed from there. None is the
            last.

    Raises:
        EmbryologyError: a run of another experiment or an unfinished one is there, another process
            trains in it, its corpus has changed, the run that it starts from is not there or not as it was, the loss
            is not finite, or Ctrl-C (after saving); or what the preset asks of this machine it cannot do.
    """
    _refuse_impossible(preset)
    refuse_unknown_tracker(track)
    if manifest.is_complete(folder, preset) or manifest.steps_done(folder) >= (until or math.inf):
        return
    if manifest.Manifest.read(folder) and not resume:
        raise EmbryologyError(
            f"{folder.root} holds an unfinished run at step {manifest.steps_done(folder)} of "
            f"{preset.outcome.steps}; resume it with --resume, or give another --run"
        )
    origin = branching.origin_of(preset, folder)
    order.refuse_unfit_teacher(preset.outcome, folder)
    quiet = Console(quiet=True)
    speaking = console if speaks() else quiet
    # Before processes are joined, as those wait for each other half an hour, and this may take longer.
    say = partial(_say, speaking, folder.name)
    corpus = several.prepare(preset.outcome, texts.read, say, speaking)
    devices = Devices(track, folder.root / "tracking")
    with devices.on_main(lambda: _lock(folder)) or nullcontext():
        Run(sharing_cores(preset), folder, corpus, devices, console if devices.is_main else quiet, origin).train(until)


def _refuse_impossible(preset: Preset) -> None:
    """Said before anything is written, rather than at the step where it shows."""
    for stage in preset.outcome.course:
        divide(stage.batch_size, expected_processes(), preset.speed.gradient_accumulation_steps)
    if preset.speed.compile and not torch.cuda.is_available():
        if preset.speed.compile is not True:
            raise EmbryologyError(
                f"speed.compile {preset.speed.compile} needs a GPU, and there is none; set it to true or false"
            )
        if not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))):
            raise EmbryologyError(
                "speed.compile needs a C++ compiler, and there is none; install g++ or set it to false"
            )


def _stalled(held_out: dict[str, float | None], norm: float) -> Iterator[str]:
    """What a model that is past its warm-up has not learnt, of all that it is trained on."""
    values = {name: value for name, value in held_out.items() if value is not None}
    if values["held_out_masked_loss"] > values["unigram_loss"] - 0.02 and norm < losses.STALLED_NORM:
        yield "stalled at the unigram line: smaller initializer_range or more warmup_steps may free it"
    if "held_out_pair_accuracy" in values and values["held_out_pairs"]:
        low, _ = intervals.wilson(
            round(values["held_out_pair_accuracy"] * values["held_out_pairs"]), int(values["held_out_pairs"])
        )
        if low <= values.get("held_out_surface_accuracy", 0.5):
            yield "pairs of segments are told no better than by a rule that reads no words"
    if values.get("held_out_auc_gain_low", 1) <= 0:
        yield "what was replaced is told no better than by the frequency of pieces"


def _counted(parts: list[Batch]) -> Tensor:
    """(4,): what the losses of a step are means of, in this process."""
    return sum((part.counts for part in parts[1:]), start=parts[0].counts)


def _say(console: Console, name: str, line: str) -> None:
    console.print(f"{name}: {line}", highlight=False, soft_wrap=True)


def _lock(folder: RunFolder) -> AbstractContextManager:
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder.lock).acquire(blocking=False)
    except filelock.Timeout as error:
        raise EmbryologyError(f"another process is training in {folder.root}; wait, or give another --run") from error
    except OSError as error:
        raise EmbryologyError(f"cannot write to {folder.root}: {refusal(error) or error}") from error


class Run:
    """One training run: what it is made of, and its loop."""

    def __init__(
        self,
        preset: Preset,
        folder: RunFolder,
        corpus: several.Corpora,
        devices: Devices,
        console: Console,
        origin: manifest.Origin | None = None,
    ):
        outcome = preset.outcome
        self.course, self.origin = outcome.course, origin
        self.preset, self.outcome, self.folder, self.devices, self.console = preset, outcome, folder, devices, console
        self.say = partial(_say, console, folder.name)
        processor.prepare(preset.speed.threads)
        transformers_logging.disable_progress_bar()  # one a checkpoint, over ours
        self.device = devices.device
        precision = resolve(preset.speed.precision, self.device.type)
        devices.on_main(lambda: self._open(corpus, precision))
        self.tokenizer = tokenizer.load(folder.tokenizer)
        self.curriculum = Curriculum.of(outcome, corpus, self.tokenizer, self._surprisals(corpus))
        self.trainee = Trainee(self._built(), getattr(torch, precision)).to(self.device)
        if preset.speed.compile:
            compiled.compile_step(self.trainee, preset.speed.compile)
        self.shared = devices.share(self.trainee)
        self.optimizer = optimizer_for(self.trainee, outcome.optimizer)
        objectives = [stage.objective for stage in self.course]
        weights = [
            (1.0, objective.pair_weight, objective.rtd_weight, float(objective.typing is not None))
            for objective in objectives
        ]
        self.weights = torch.tensor(weights, device=self.device)
        if devices.is_main:
            self.held_out = HeldOut.of(outcome, corpus.own.held_out, corpus.own.train, self.tokenizer)
        self.tokens = 0
        self.rows: list[dict] = []

    def _built(self) -> nn.ModuleDict:
        models = build(
            self.outcome.model, len(self.tokenizer), self.outcome.longest, self.outcome.seed, self.outcome.typing
        )
        grown = self.outcome.grown_from
        if grown and self.origin and self.preset.starts_from is None and not manifest.steps_done(self.folder):
            model = typing.cast(PreTrainedModel, models["model"])
            source = growing.grow(model, branching.smaller(self.origin, self.folder), grown, self.outcome.seed)
            apart = growing.difference(source, model, self.curriculum.phases[0].batches[0])
            self.say(f"grown from step {grown.step} of {self.origin.run}; logits differ by at most {apart:.1g}")
        return models

    def _surprisals(self, corpus: several.Corpora) -> np.ndarray | None:
        """What the teacher of the run's order answers, asked once, before the first step."""
        teacher = order.teacher_of(self.outcome)
        if teacher and not manifest.steps_done(self.folder):
            as_they_come = self.outcome.model_copy(update={"order": None})
            batches = Curriculum.of(as_they_come, corpus, self.tokenizer).phases[0].batches
            self.say(f"asking step {teacher.step} of {teacher.run} how hard sequences are")
            self.devices.on_main(lambda: order.ask_teacher(self.outcome, self.folder, batches))
        return order.recorded(self.folder)

    def _open(self, corpus: several.Corpora, precision: str) -> None:
        device = torch.cuda.get_device_name() if self.device.type == "cuda" else manifest.processor()
        manifest.open_session(self.folder, self.preset, precision, device, self.devices.processes, self.origin)
        self._adopt(corpus)
        if leaked := corpus.leaked():
            self.say(f"{leaked:,} sentences of the held-out text are trained on, in the texts of its phases")
        if self.origin and self.preset.starts_from and not manifest.steps_done(self.folder):
            branching.begin(self.origin, self.folder, self.outcome)
            self.say(f"starts from step {self.origin.step} of {self.origin.run}")

    def _adopt(self, corpus: several.Corpora) -> None:
        """Copy tokenizer and record of the corpus into the run, or hold them against what it began with."""
        if not self.folder.corpus.exists():
            if not self.folder.tokenizer.exists():
                with written_whole(self.folder.tokenizer) as temporary:
                    shutil.copytree(corpus.own.tokenizer_folder, temporary)
            write_json(self.folder.corpus, corpus.record)
        elif read_json(self.folder.corpus) != corpus.record:
            raise EmbryologyError(
                f"the corpus of {self.folder.root} has changed since the run began; restore the text, "
                "or give another --run"
            )

    def train(self, until: int | None = None) -> None:
        """From the last resume point, or from random parameters, to the last step or another."""
        until = until or self.outcome.steps
        done, self.tokens = state.load(self.folder.state, self.trainee, self.optimizer, self.device)
        self.devices.on_main(lambda: self._begin(done))
        with (
            self.devices.tracking(self.folder.name, self.preset),
            Interrupt.watched() as interrupt,
            Progress(self.console, "step {task.completed:,} of {task.total:,}{task.fields[seen]}") as progress,
        ):
            bar = progress.add_task(self.folder.name, total=until, completed=done, seen="")
            show = lambda step, seen: progress.update(bar, completed=step, seen=f", {seen}")  # noqa: E731
            self._steps(done, until, interrupt, show)
        self.say(f"done at step {until}")

    def _begin(self, done: int) -> None:
        for later in self.folder.checkpoints.glob("step-*"):  # beyond the resume point: made again
            if int(later.name.removeprefix("step-")) > done or done == 0:
                removed_whole(later)
        if done:
            logged = losses.read(self.folder)
            self.rows = logged[logged["step"] <= done].to_dict("records")
            self.say(f"resumed from step {done}")
        else:
            start = {"step": 0, "tokens": 0, "phase": 1}
            self.rows.append(start | self._checkpoint(start))

    def _stage(self, index: int) -> Stage:
        """Of step number ``index``, from 0."""
        return next(stage for stage in self.course if index < stage.after)

    def _steps(self, done: int, until: int, interrupt: Interrupt, show: Callable[[int, str], None]) -> None:
        """Rows are logged every ``losses.LOG_EVERY`` steps, at evaluations and where a phase ends; states are saved
        only where a row ends.

        Between two rows nothing waits for the device.
        """
        devices, last_row, last_save, since = self.devices, done, done, time.perf_counter()
        sums, norms = torch.zeros(len(PARTS), device=self.device), torch.zeros((), device=self.device)
        pieces = torch.zeros((), dtype=torch.int64, device=self.device)
        speed = self.preset.speed
        division = (devices.process, devices.processes, speed.gradient_accumulation_steps)
        ends = {until, *(stage.after for stage in self.course)}
        shapes = self.curriculum.samples(done, *division) if speed.compile else {}
        for index, parts in enumerate(self.curriculum.ahead(done, *division, speed.workers), done):
            if index in shapes:
                self._check_compiled(index, shapes[index]())
            counts = devices.total(_counted(parts).to(self.device, non_blocking=True))
            means, norm = self._step(index, parts, counts)
            sums, norms, pieces = sums + means, norms + norm, pieces + counts[2].long()
            step, every = index + 1, self.outcome.evaluate_every
            at_checkpoint = step in self.outcome.checkpoints
            evaluated = at_checkpoint or (every is not None and step % every == 0)
            if step % losses.LOG_EVERY and not evaluated and step not in ends:
                continue
            interrupted = bool(devices.total(torch.tensor(float(interrupt.seen), device=self.device)))
            row = self._row(
                step, devices.total(sums) / (step - last_row), norms / (step - last_row), int(pieces), since
            )
            self._refuse_not_finite(row)
            show(step, f"loss {row['masked_loss']:.2f}, {row['tokens_per_second'] / 1000:.1f}k tokens/s")
            if evaluated:
                measure = partial(self._checkpoint, row) if at_checkpoint else self._evaluate
                row |= devices.on_main(measure) or {}
            self.rows.append(row)
            devices.log(row)
            if at_checkpoint or step in ends or interrupted or step - last_save >= speed.resume_every:
                devices.on_main(partial(self._save, step))
                last_save = step
            if interrupted and step < self.outcome.steps:
                raise EmbryologyError(
                    f"interrupted at step {step} of {self.outcome.steps}, everything is saved; resume it with "
                    "the same command and --resume"
                )
            if step == until:
                return
            last_row, since = step, time.perf_counter()
            sums, norms, pieces = (torch.zeros_like(value) for value in (sums, norms, pieces))

    def _check_compiled(self, index: int, batches: list[Batch]) -> None:
        weights = self.weights[self._stage(index).number - 1]
        worst = compiled.check(self.trainee, weights, [batch.to(self.device) for batch in batches])
        self.say(f"the compiled step agrees with the plain one within {worst.relative:.1g} ({worst.of})")

    def _step(self, index: int, parts: list[Batch], counts: Tensor) -> tuple[Tensor, Tensor]:
        """One update.

        Args:
            index: of the step, counted from 0.
            parts: this process's share of the step's sequences.
            counts: (4,): what the step's losses are means of, over all parts and processes.

        Returns:
            (4,): this process's share of the mean losses (nats), and the gradient's norm before clipping.
        """
        # Dropout depends on seed, step and process alone, so a resume needs no random state. All else that is random
        # depends on the place in the batch instead.
        torch.manual_seed(
            int(np.random.SeedSequence([self.outcome.seed, index, self.devices.process]).generate_state(1)[0])
        )
        stage = self._stage(index)
        rate = stage_rate(stage, index)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        means = torch.zeros(len(PARTS), device=self.device)
        for number, part in enumerate(parts, 1):
            with self.devices.together(self.shared, last=number == len(parts)):
                shares = self.shared(part.to(self.device)) / counts.clamp(min=1)
                # Gradients are averaged over processes, and these shares are to be summed.
                ((shares * self.weights[stage.number - 1]).sum() * self.devices.processes).backward()
            means += shares.detach()
        norm = clip_grad_norm_(self.trainee.parameters(), self.outcome.optimizer.max_grad_norm, foreach=True)
        self.optimizer.step()
        return means, norm

    def _row(self, step: int, means: Tensor, norm: Tensor, pieces: int, since: float) -> dict:
        self.tokens += pieces
        stage = self._stage(step - 1)
        pair, replaced = stage.objective.pair != "none", "generator" in self.trainee.models
        asked = {"masked": True, "pair": pair, "replaced": replaced, "typing": stage.objective.typing is not None}
        parts = zip(PARTS, means.tolist(), strict=True)
        return {
            "step": step,
            "tokens": self.tokens,
            "phase": stage.number,
            "learning_rate": stage_rate(stage, step - 1),
            "loss": float((means * self.weights[stage.number - 1]).sum()),
            **{f"{part}_loss": mean if asked[part] else None for part, mean in parts},
            "gradient_norm": float(norm),
            "tokens_per_second": pieces / (time.perf_counter() - since),
        }

    def _refuse_not_finite(self, row: dict) -> None:
        if not all(map(math.isfinite, (row["loss"], row["gradient_norm"]))):
            last = max(step for step in self.outcome.checkpoints if step < row["step"])
            raise EmbryologyError(
                f"{self.folder.name}: the loss is not finite at step {row['step']}; the last good checkpoint is that "
                f"of step {last}. Likely learning_rate is too high or warmup_steps are too few: fix the "
                "preset, give another --run"
            )

    def _evaluate(self) -> dict:
        """Values on held-out text."""
        return self.held_out.evaluate(self.trainee, self.device)

    def _checkpoint(self, row: dict) -> dict:
        """Evaluate, write the checkpoint, say how it stands. Returns the held-out values."""
        held_out, step = self._evaluate(), row["step"]
        record = {"step": step, "tokens": row["tokens"], "epoch": self.curriculum.epoch(step), "held_out": held_out}
        checkpoints.write(self.folder.checkpoint(step), dict(self.trainee.models), self.tokenizer, record)
        loss, unigram = held_out["held_out_masked_loss"], held_out["unigram_loss"]
        self.say(
            f"step {step}, held-out masked loss {loss:.3f} (unigram {unigram:.3f}), "
            f"accuracy {held_out['held_out_masked_accuracy']:.3f}"
            + (f", {row['tokens_per_second']:,.0f} tokens/s" if step else "")
        )
        if step > 3 * self.outcome.optimizer.warmup_steps:
            for stalled in _stalled(held_out, row["gradient_norm"]):
                self.say(stalled)
        return held_out

    def _save(self, step: int) -> None:
        losses.write(self.folder, self.rows)
        kept = self.preset.speed.keep_states
        state.save(self.folder.state, step, self.tokens, self.trainee, self.optimizer, kept)
