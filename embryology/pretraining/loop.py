"""Steps, schedule, evaluation, checkpoints: one run from random parameters to its last step."""

import shutil
import time
from collections.abc import Callable
from functools import partial

import filelock
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.nn.utils import clip_grad_norm_
from transformers.utils import logging as transformers_logging

from embryology import losses
from embryology.checkpoints import MANIFEST, WEIGHTS
from embryology.corpus import store, tokenizer
from embryology.errors import EmbryologyError
from embryology.files import read_json, refusal, removed_whole, sha256_of_file, write_json, written_whole
from embryology.paths import RunFolder
from embryology.precision import resolve
from embryology.presets import Objective, Optimizer, Preset
from embryology.pretraining import heldout, manifest, state
from embryology.pretraining.batches import Batch, Batches
from embryology.pretraining.heldout import HeldOut
from embryology.pretraining.interrupt import Interrupt
from embryology.pretraining.models import Trainee, build

LOG_EVERY = losses.LOG_EVERY


def learning_rate(settings: Optimizer, step: int, steps: int) -> float:
    """Of step number ``step``, counted from 0: linear warm-up, then linear decay to zero at ``steps``."""
    return settings.peak_rate * min((step + 1) / settings.warm_up, (steps - step) / max(1, steps - settings.warm_up))


def optimizer_for(model: torch.nn.Module, settings: Optimizer) -> torch.optim.AdamW:
    """AdamW; biases and the gains of layer norms are not decayed, as in BERT's recipe."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.peak_rate, betas=settings.betas, fused=True)


def pretrain(preset: Preset, folder: RunFolder, *, resume: bool, console: Console) -> None:
    """Train ``preset`` into ``folder``, or go on with an unfinished run there; a finished one is left as it is.

    Args:
        resume: whether to go on. Without it an unfinished run is an error, lest one is gone on with
            by mistake.
        console: takes the progress.

    Raises:
        EmbryologyError: a run of another experiment or an unfinished one is there, another process
            trains in it, its corpus has changed, the loss is not finite, or Ctrl-C (after saving).
    """
    begun = manifest.refuse_another(folder, preset)
    if manifest.is_complete(folder, preset):
        return
    if begun and not resume:
        raise EmbryologyError(
            f"{folder.root} holds an unfinished run at step {manifest.steps_done(folder)} of "
            f"{preset.outcome.steps}; go on with --resume, or give another --run"
        )
    say = partial(_say, console, folder.name)
    source = preset.outcome.corpus
    corpus = store.prepare(source.source, source.path, preset.outcome.tokenizer.pieces, say)
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder.lock).acquire(blocking=False)
    except filelock.Timeout as error:
        raise EmbryologyError(f"another process is training in {folder.root}; wait, or give another --run") from error
    except OSError as error:
        raise EmbryologyError(f"cannot write to {folder.root}: {refusal(error) or error}") from error
    with lock:
        Run(preset, folder, corpus, console).train()


def _say(console: Console, name: str, line: str) -> None:
    console.print(f"{name}: {line}", highlight=False, soft_wrap=True)


class Run:
    """One training run: what it is made of, and its loop."""

    def __init__(self, preset: Preset, folder: RunFolder, corpus: store.PreparedCorpus, console: Console):
        outcome = preset.outcome
        self.preset, self.outcome, self.folder, self.console = preset, outcome, folder, console
        self.say = partial(_say, console, folder.name)
        torch.set_num_threads(preset.speed.threads)
        transformers_logging.disable_progress_bar()  # one a checkpoint, over ours
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        precision = resolve(preset.speed.precision, self.device.type)
        self.precision = getattr(torch, precision)
        device = torch.cuda.get_device_name() if self.device.type == "cuda" else manifest.processor()
        manifest.open_session(folder, preset, precision, device)
        self._adopt(corpus)
        self.tokenizer = tokenizer.load(folder.tokenizer)
        self.batches = self._batches(corpus.train, outcome.objective, outcome.seed)
        unseen = self._batches(corpus.held_out, heldout.OBJECTIVE, heldout.SEED)
        self.held_out = HeldOut.of(unseen, outcome.held_out_sequences, corpus.train, len(self.tokenizer))
        model = build(outcome.model, len(self.tokenizer), outcome.sequence_length, outcome.seed)
        self.trainee = Trainee(model).to(self.device)
        self.optimizer = optimizer_for(self.trainee, outcome.optimizer)
        self.tokens = 0
        self.rows: list[dict] = []

    def _batches(self, side: store.TokenStore, objective: Objective, seed: int) -> Batches:
        shape = {"sequences": self.outcome.sequences, "length": self.outcome.sequence_length}
        return Batches(side, self.tokenizer, objective, seed=seed, **shape)

    def _adopt(self, corpus: store.PreparedCorpus) -> None:
        """Copy tokenizer and facts of the corpus into the run, or hold them against what it began with."""
        if not self.folder.corpus.exists():
            if not self.folder.tokenizer.exists():
                with written_whole(self.folder.tokenizer) as temporary:
                    shutil.copytree(corpus.tokenizer_folder, temporary)
            write_json(self.folder.corpus, corpus.facts)
        elif read_json(self.folder.corpus) != corpus.facts:
            raise EmbryologyError(
                f"the corpus of {self.folder.root} has changed since the run began; restore the text, "
                "or give another --run"
            )

    def train(self) -> None:
        """From the last resume point, or from random parameters, to the last step."""
        done, self.tokens = state.load(self.folder.state, self.trainee, self.optimizer, self.device)
        for later in self.folder.checkpoints.glob("step-*"):  # beyond the resume point: made again
            if int(later.name.removeprefix("step-")) > done or done == 0:
                removed_whole(later)
        if done:
            logged = losses.read(self.folder)
            self.rows = logged[logged["step"] <= done].to_dict("records")
            self.say(f"going on from step {done}")
        else:
            start = {"step": 0, "tokens": 0}
            self.rows.append(start | self._checkpoint(start))
        columns = [
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[seen]}"),
            TimeRemainingColumn(),
        ]
        with Interrupt.watched() as interrupt, Progress(*columns, console=self.console, transient=True) as progress:
            bar = progress.add_task(self.folder.name, total=self.outcome.steps, completed=done, seen="")
            self._steps(done, interrupt, lambda step, seen: progress.update(bar, completed=step, seen=seen))
        self.say(f"done at step {self.outcome.steps}")

    def _steps(self, done: int, interrupt: Interrupt, show: Callable[[int, str], None]) -> None:
        """Rows are logged every LOG_EVERY steps and at checkpoints; states are saved only where a row ends."""
        sums, since = torch.zeros(4, device=self.device), time.perf_counter()
        last_row, tokens_then, last_save = done, self.tokens, done
        for index, batch in enumerate(self.batches.ahead(done, self.outcome.steps), done):
            self.tokens += int(batch.attention_mask.sum())
            sums += self._step(index, batch.to(self.device))
            step, at_checkpoint = index + 1, index + 1 in self.outcome.checkpoints
            if step % LOG_EVERY and not at_checkpoint:
                continue
            speed = (self.tokens - tokens_then) / (time.perf_counter() - since)
            rate = learning_rate(self.outcome.optimizer, index, self.outcome.steps)
            means = (sums / (step - last_row)).tolist()
            row = dict(zip(losses.COLUMNS, [step, self.tokens, rate, *means, speed], strict=False))
            self._refuse_not_finite(row)
            show(step, f"loss {row['masked_loss']:.2f}, {speed / 1000:.1f}k tokens/s")
            self.rows.append(row | (self._checkpoint(row) if at_checkpoint else {}))
            if at_checkpoint or interrupt.seen or step - last_save >= self.preset.speed.resume_every:
                self._save(step)
                last_save = step
            if interrupt.seen and step < self.outcome.steps:
                raise EmbryologyError(
                    f"interrupted at step {step} of {self.outcome.steps}, everything is saved; go on with the same "
                    "command and --resume"
                )
            sums.zero_()
            last_row, tokens_then, since = step, self.tokens, time.perf_counter()

    def _step(self, index: int, batch: Batch) -> torch.Tensor:
        """One update. Returns (4,): loss, masked loss, order loss (nats) and gradient norm before clipping."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.outcome.optimizer, index, self.outcome.steps)
        outputs = self.trainee.run(batch, self.precision)
        masked, order = outputs.masked_loss(batch), outputs.order_loss(batch)
        loss = masked + self.outcome.objective.order_weight * order
        self.optimizer.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(self.trainee.parameters(), self.outcome.optimizer.clip, foreach=True)
        self.optimizer.step()
        return torch.stack([loss, masked, order, norm]).detach()

    def _refuse_not_finite(self, row: dict) -> None:
        if not all(map(torch.isfinite, torch.tensor([row["loss"], row["gradient_norm"]]))):
            raise EmbryologyError(
                f"{self.folder.name}: the loss is not finite at step {row['step']}; earlier checkpoints are intact. "
                "Likely the peak rate is too high or the warm-up too short: mend the preset, give another --run"
            )

    def _checkpoint(self, row: dict) -> dict:
        """Evaluate, write the checkpoint, say how it stands. Returns the held-out values."""
        held_out = self.held_out.evaluate(self.trainee, self.precision, self.device)
        step, destination = row["step"], self.folder.checkpoint(row["step"])
        with written_whole(destination) as temporary:
            self.trainee.model.save_pretrained(temporary)
            self.tokenizer.save_pretrained(temporary)
            facts = {
                "step": step,
                "tokens": row["tokens"],
                "epoch": self.batches.epoch(step),
                "held_out": held_out,
                "sha256": sha256_of_file(temporary / WEIGHTS),
            }
            write_json(temporary / MANIFEST, facts)
        loss, unigram = held_out["held_out_masked_loss"], held_out["unigram_loss"]
        self.say(
            f"step {step}, held-out masked loss {loss:.3f} (unigram {unigram:.3f}), "
            f"accuracy {held_out['held_out_masked_accuracy']:.3f}"
            + (f", {row['tokens_per_second']:,.0f} tokens/s" if step else "")
        )
        past_warm_up = step > 3 * self.outcome.optimizer.warm_up
        if past_warm_up and loss > unigram - 0.02 and row["gradient_norm"] < losses.STALLED_NORM:
            self.say("stalled at the unigram line: smaller initializer_range or longer warm_up may free it")
        return held_out

    def _save(self, step: int) -> None:
        losses.write(self.folder, self.rows)
        state.save(self.folder.state, step, self.tokens, self.trainee, self.optimizer)
