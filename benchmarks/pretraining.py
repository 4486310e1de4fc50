"""How fast a step of pretraining is, beside transformers' own Trainer on the same batches from the same weights.

    python benchmarks/pretraining.py [--steps 12] [--rounds 2] [--threads 2] [CONFIGURATION …]

Four ways to train an ALBERT: ``transformers.Trainer`` with ``AlbertForPreTraining`` in float32 and with
``bf16=True``, and this project's step, plain and compiled, in the precision that it picks for the machine.
They take turns, each in a process of its own; the first steps of a process are not counted (compiling
happens there, and is given apart). Prints a table in Markdown with tokens a second, ratios, shares of the
machine's bfloat16 matrix-product peak as measured between the turns, peak memory, and the loss. Of the two
shares one counts the products of the library's model with logits at masked places (model FLOPs utilisation,
Chowdhery et al. 2022, section 4.1), the other those that our step carries out, which are fewer.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode
from transformers import AlbertForPreTraining

from embryology import presets
from embryology.corpus import store
from embryology.models.optimizers import optimizer_for, scheduled_rate
from embryology.pretraining.batches import Batch
from embryology.pretraining.devices import Devices
from embryology.pretraining.loop import Run
from embryology.pretraining.objectives import IGNORED
from embryology.pretraining.trainee import build
from embryology.runs import manifest
from embryology.runs.paths import RunFolder
from embryology.tasks import texts

WAYS = ("Trainer, float32", "Trainer, bf16", "ours", "ours, compiled")
SKIPPED = 3
"""Steps at the beginning that are not counted."""


@dataclass(frozen=True)
class Configuration:
    """Six layers, an intermediate size of four times the hidden size."""

    hidden_size: int
    heads: int
    vocab_size: int
    batch_size: int
    length: int


CONFIGURATIONS = {
    "6 × 256, 8k pieces, 32 × 128": Configuration(256, 4, 8192, 32, 128),
    "6 × 256, 30k pieces, 32 × 128": Configuration(256, 4, 30_000, 32, 128),
    "6 × 128, 8k pieces, 64 × 64": Configuration(128, 2, 8192, 64, 64),
}
"""The text is that of `tiny`, cut into 8,192 pieces: of 30,000 rows of embeddings the others stay unused, which costs
as much."""


def preset_of(name: str, steps: int, threads: int, compiled: bool) -> presets.Preset:
    configuration = CONFIGURATIONS[name]
    outcome = presets.load("tiny").outcome.model_dump(mode="json")
    outcome["model"] |= {
        "num_hidden_layers": 6,
        "hidden_size": configuration.hidden_size,
        "intermediate_size": 4 * configuration.hidden_size,
        "num_attention_heads": configuration.heads,
        "initializer_range": 0.02,
    }
    outcome["objective"] |= {"mlm_probability": 0.15, "pair_weight": 1}
    outcome["optimizer"] |= {"warmup_steps": 2}
    outcome |= {"batch_size": configuration.batch_size, "sequence_length": configuration.length}
    outcome |= {"steps": steps, "checkpoints": [0, steps], "held_out_sequences": 32}
    speed = {"threads": threads, "compile": compiled}
    return presets.validated({"name": "benchmark", "outcome": outcome, "speed": speed}, origin="benchmark")


class Enlarged(Run):
    """A run whose model has more rows of embeddings than the tokenizer has pieces."""

    vocab_size: int

    def _built(self):
        return build(self.outcome.model, self.vocab_size, self.outcome.longest, self.outcome.seed)


def prepared(preset: presets.Preset, vocab_size: int, folder: Path) -> Enlarged:
    Enlarged.vocab_size = vocab_size
    source = preset.outcome.corpus
    sets = texts.read(source.leave_out)
    corpus = store.prepare(source.source, source.path, preset.outcome.tokenizer, lambda line: None, leave_out=sets)
    return Enlarged(preset, RunFolder(folder / "run"), corpus, Devices(), Console(quiet=True))


def ours(run: Run) -> tuple[list[float], list[float], dict[str, int]]:
    """Seconds and loss of every step, and the FLOPs of the matrix products of one: the model's, and those done."""
    seconds, losses = [], []
    for index, parts in enumerate(run.curriculum.ahead(0)):
        begun = time.perf_counter()
        counts = sum(part.counts for part in parts)
        means, _ = run._step(index, parts, counts)
        losses.append(float((means * run.weights[0]).sum()))
        seconds.append(time.perf_counter() - begun)
    with FlopCounterMode(display=False) as performed:
        run.trainee.outputs(parts[0]).sums(parts[0]).sum().backward()
    with FlopCounterMode(display=False) as of_the_model:
        plain(run.trainee.model, parts[0]).backward()
    return seconds, losses, {"model": of_the_model.get_total_flops(), "done": performed.get_total_flops()}


def plain(model: AlbertForPreTraining, batch: Batch) -> torch.Tensor:
    """Some scalar of all logits that a step needs, by the library's modules."""
    model.set_attn_implementation("eager")  # products that the counter knows
    inputs = {"attention_mask": batch.attention_mask.long(), "token_type_ids": batch.token_type_ids}
    encoded = model.albert(batch.input_ids, **inputs)
    vectors = encoded.last_hidden_state.flatten(0, 1)[batch.positions]
    return model.predictions(vectors).sum() + model.sop_classifier(encoded.pooler_output).sum()


def theirs(run: Run, bf16: bool, folder: Path) -> tuple[list[float], list[float]]:
    """The same with transformers' Trainer, as its documentation has it."""
    from torch.utils.data import Dataset, SequentialSampler
    from transformers import Trainer, TrainerCallback, TrainingArguments

    outcome, rows = run.outcome, []
    for (batch,) in run.curriculum.ahead(0):
        labels = torch.full((batch.input_ids.numel(),), IGNORED)
        used = batch.labels != IGNORED
        labels[batch.positions[used]] = batch.labels[used]
        columns = {
            "input_ids": batch.input_ids,
            "token_type_ids": batch.token_type_ids,
            "attention_mask": batch.attention_mask.long(),
            "labels": labels.view(batch.input_ids.shape),
            "sentence_order_label": batch.pair_labels,
        }
        rows += [{key: column[row] for key, column in columns.items()} for row in range(len(batch.input_ids))]

    class Rows(Dataset):
        def __len__(self):
            return len(rows)

        def __getitem__(self, index):
            return rows[index]

    class InOrder(Trainer):
        def _get_train_sampler(self, *_):
            return SequentialSampler(self.train_dataset)

    class Clock(TrainerCallback):
        def __init__(self):
            self.seconds, self.losses = [], []

        def on_step_begin(self, *_, **__):
            self.begun = time.perf_counter()

        def on_step_end(self, *_, **__):
            self.seconds.append(time.perf_counter() - self.begun)

        def on_log(self, args, state, control, logs=None, **_):
            if "loss" in logs:
                self.losses.append(float(logs["loss"]))

    model = run.trainee.model
    optimizer = optimizer_for(model, outcome.optimizer)
    peak_rate = outcome.optimizer.learning_rate
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: scheduled_rate(outcome.optimizer, step, outcome.steps) / peak_rate
    )
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=outcome.batch_size,
        max_steps=outcome.steps,
        bf16=bf16,
        use_cpu=True,
        max_grad_norm=outcome.optimizer.max_grad_norm,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=outcome.seed,
    )
    clock = Clock()
    trainer = InOrder(model, arguments, train_dataset=Rows(), optimizers=(optimizer, schedule), callbacks=[clock])
    trainer.train()
    return clock.seconds, clock.losses


def turn(name: str, way: str, steps: int, threads: int) -> dict:
    """One way on one configuration, in this process."""
    preset = preset_of(name, steps + SKIPPED, threads, way == "ours, compiled")
    with tempfile.TemporaryDirectory() as home:
        run = prepared(preset, CONFIGURATIONS[name].vocab_size, Path(home))
        if way.startswith("ours"):
            seconds, losses, flops = ours(run)
        else:
            (seconds, losses), flops = theirs(run, way.endswith("bf16"), Path(home)), None
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    first, counted = sum(seconds[:SKIPPED]), seconds[SKIPPED:]
    return {"first": first, "seconds": counted, "loss": losses[-1], "flops": flops, "memory": memory}


def peak(threads: int, hidden_size: int, rows: int) -> float:
    """FLOP a second of the fastest of the model's own matrix products, in bfloat16."""
    torch.set_num_threads(threads)
    fastest = 0.0
    sizes = ((hidden_size, 3 * hidden_size), (hidden_size, 4 * hidden_size), (4 * hidden_size, hidden_size))
    for inner, outer in sizes:
        x, weight = torch.randn(rows, inner).bfloat16(), torch.randn(outer, inner).bfloat16()
        for _ in range(30):
            begun = time.perf_counter()
            torch.nn.functional.linear(x, weight)
            fastest = max(fastest, 2 * rows * inner * outer / (time.perf_counter() - begun))
    return fastest


def in_a_process(name: str, way: str, steps: int, threads: int) -> dict:
    command = [sys.executable, __file__, name, "--steps", str(steps), "--threads", str(threads), "--way", way]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        raise SystemExit(f"{name}, {way}: {process.stderr[-2000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def main(
    configurations: Annotated[list[str] | None, typer.Argument(help="Configurations; all if left out.")] = None,
    steps: Annotated[int, typer.Option(help="Counted steps a turn.")] = 12,
    rounds: Annotated[int, typer.Option(help="Turns of every way.")] = 2,
    threads: Annotated[int, typer.Option(help="Of the processor.")] = 2,
    way: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    if way:
        print(json.dumps(turn(configurations[0], way, steps, threads)))
        return
    print(f"{manifest.processor()}, {threads} threads, torch {torch.__version__}\n")
    for name in configurations or CONFIGURATIONS:
        configuration = CONFIGURATIONS[name]
        tokens = configuration.batch_size * configuration.length
        turns, peaks = {way: [] for way in WAYS}, []
        for _ in range(rounds):
            for way in WAYS:
                peaks.append(peak(threads, configuration.hidden_size, tokens))
                turns[way].append(in_a_process(name, way, steps, threads))
        flops = turns["ours"][0]["flops"]
        seconds = {way: statistics.median(s for turn in turns[way] for s in turn["seconds"]) for way in WAYS}
        a_token = f"{flops['model'] / tokens / 1e6:.1f} MFLOP a token, {flops['done'] / tokens / 1e6:.1f} of them done"
        print(f"**{name}**: {a_token}, peak {max(peaks) / 1e9:.0f} GFLOP/s\n")
        shares = "model FLOPs of the peak | done, of the peak"
        print(f"| way | tokens/s | × float32 | × bf16 | {shares} | first 3 steps (s) | memory (GB) | loss |")
        print("|---|---|---|---|---|---|---|---|---|")
        for way in WAYS:
            turns_of_way = turns[way]
            shares = [f"{flops[kind] / seconds[way] / max(peaks):.0%}" for kind in ("model", "done")]
            share = " | ".join(shares if way.startswith("ours") else [shares[0], ""])
            print(
                f"| {way} | {tokens / seconds[way]:,.0f} | {seconds[WAYS[0]] / seconds[way]:.2f} | "
                f"{seconds[WAYS[1]] / seconds[way]:.2f} | {share} | {turns_of_way[0]['first']:.1f} | "
                f"{max(turn['memory'] for turn in turns_of_way) / 1e9:.2f} | {turns_of_way[0]['loss']:.3f} |",
                flush=True,
            )
        print(flush=True)


if __name__ == "__main__":
    typer.run(main)
