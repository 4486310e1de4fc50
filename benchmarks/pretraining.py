"""How fast a step of pretraining is, beside transformers' own Trainer on the same batches from the same weights.

    python benchmarks/pretraining.py [--steps 12] [--rounds 2] [--threads 2] [--workers 0] [CONFIGURATION …]

Ways to train an ALBERT: ``transformers.Trainer`` with ``AlbertForPreTraining`` in float32, with ``bf16=True``, and
compiled as well; this project's step, plain, compiled, and on a GPU in CUDA graphs, in the precision that it picks for
the machine; and its whole loop, batches made by ``--workers`` processes included, as it is faster of these. They take
turns, each in a process of its own; the first steps of a process are not counted (compiling
happens there, and is given apart). Prints a table in Markdown with tokens a second, ratios, shares of the
machine's bfloat16 matrix-product peak as measured between the turns, peak memory, and the loss. Of the two
shares one counts the products of the library's model with logits at masked places (model FLOPs utilisation,
Chowdhery et al. 2022, section 4.1), the other those that our step carries out, which are fewer.
"""

import json
import math
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
from embryology.runs import losses, manifest
from embryology.runs.losses import LOG_EVERY
from embryology.runs.paths import RunFolder
from embryology.tasks import texts

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
COMPILED = {
    "ours, compiled": True,
    "ours, graphs": "reduce-overhead",
    "ours, whole loop": "reduce-overhead" if CUDA else False,
}
"""By way the setting of a preset."""
WAYS = (
    *("Trainer, float32", "Trainer, bf16", "Trainer, bf16, compiled", "ours", "ours, compiled"),
    *(("ours, graphs",) if CUDA else ()),
    "ours, whole loop",
)
SKIPPED = 3
"""Steps at the beginning that are not counted."""


@dataclass(frozen=True)
class Configuration:
    """An intermediate size of four times the hidden size."""

    hidden_size: int
    heads: int
    vocab_size: int
    batch_size: int
    length: int
    layers: int = 6


CONFIGURATIONS = {
    "6 × 256, 8k pieces, 32 × 128": Configuration(256, 4, 8192, 32, 128),
    "6 × 256, 30k pieces, 32 × 128": Configuration(256, 4, 30_000, 32, 128),
    "6 × 128, 8k pieces, 64 × 64": Configuration(128, 2, 8192, 64, 64),
} | (
    {
        "6 × 512, 8k pieces, 128 × 128": Configuration(512, 8, 8192, 128, 128),
        "12 × 768, 30k pieces, 256 × 128": Configuration(768, 12, 30_000, 256, 128, 12),
        "12 × 768, 30k pieces, 64 × 512": Configuration(768, 12, 30_000, 64, 512, 12),
    }
    if CUDA
    else {}
)
"""The text is that of `tiny`, cut into 8,192 pieces: of 30,000 rows of embeddings the others stay unused, which costs
as much."""


def preset_of(name: str, steps: int, threads: int, workers: int, compiled: presets.Compile) -> presets.Preset:
    configuration = CONFIGURATIONS[name]
    outcome = presets.load("tiny").outcome.model_dump(mode="json")
    outcome["model"] |= {
        "num_hidden_layers": configuration.layers,
        "hidden_size": configuration.hidden_size,
        "intermediate_size": 4 * configuration.hidden_size,
        "num_attention_heads": configuration.heads,
        "initializer_range": 0.02,
    }
    outcome["objective"] |= {"mlm_probability": 0.15, "pair_weight": 1}
    outcome["optimizer"] |= {"warmup_steps": 2}
    outcome |= {"batch_size": configuration.batch_size, "sequence_length": configuration.length}
    outcome |= {"steps": steps, "checkpoints": [0, steps], "held_out_sequences": 32}
    speed = {"threads": threads, "workers": workers, "compile": compiled}
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
    seconds, reached = [], []
    for index, parts in enumerate(run.curriculum.ahead(0)):
        begun = time.perf_counter()
        counts = sum(part.counts for part in parts).to(run.device)
        means, _ = run._step(index, parts, counts)
        reached.append(float((means * run.weights[0]).sum()))
        seconds.append(time.perf_counter() - begun)
    batch = parts[0].to(run.device)
    with FlopCounterMode(display=False) as performed:
        run.trainee.outputs(batch).sums(batch).sum().backward()
    with FlopCounterMode(display=False) as of_the_model:
        plain(run.trainee.model, batch).backward()
    return seconds, reached, {"model": of_the_model.get_total_flops(), "done": performed.get_total_flops()}


def plain(model: AlbertForPreTraining, batch: Batch) -> torch.Tensor:
    """Some scalar of all logits that a step needs, by the library's modules."""
    model.set_attn_implementation("eager")  # products that the counter knows
    inputs = {"attention_mask": batch.attention_mask.long(), "token_type_ids": batch.token_type_ids}
    encoded = model.albert(batch.input_ids, **inputs)
    vectors = encoded.last_hidden_state.flatten(0, 1)[batch.positions]
    return model.predictions(vectors).sum() + model.sop_classifier(encoded.pooler_output).sum()


def whole_loop(run: Run) -> tuple[list[float], list[float]]:
    """Seconds a step of each row of losses but the first, with all that stands between two steps, and the losses."""
    run.train()
    rows = losses.read(run.folder)
    seconds = rows["tokens"].diff() / rows["tokens_per_second"] / rows["step"].diff()
    return seconds[2:].tolist(), rows["loss"][1:].tolist()


def theirs(run: Run, bf16: bool, compiled: bool, folder: Path) -> tuple[list[float], list[float]]:
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
        torch_compile=compiled,
        use_cpu=not CUDA,
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


def turn(name: str, way: str, steps: int, threads: int, workers: int) -> dict:
    """One way on one configuration, in this process."""
    # The first row of the whole loop is not counted, and has that many steps.
    skipped = LOG_EVERY if way == "ours, whole loop" else SKIPPED
    preset = preset_of(name, steps + skipped, threads, workers, COMPILED.get(way, False))
    with tempfile.TemporaryDirectory() as home:
        run = prepared(preset, CONFIGURATIONS[name].vocab_size, Path(home))
        flops = None
        if way == "ours, whole loop":
            seconds, reached = whole_loop(run)
        elif way.startswith("ours"):
            seconds, reached, flops = ours(run)
        else:
            seconds, reached = theirs(run, "bf16" in way, way.endswith("compiled"), Path(home))
    memory = torch.cuda.max_memory_allocated() if CUDA else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    first, counted = (math.nan, seconds) if way == "ours, whole loop" else (sum(seconds[:SKIPPED]), seconds[SKIPPED:])
    return {"first": first, "seconds": counted, "loss": reached[-1], "flops": flops, "memory": memory}


def peak(threads: int, hidden_size: int, rows: int) -> float:
    """FLOP a second of the fastest of the model's own matrix products, in bfloat16."""
    torch.set_num_threads(threads)
    fastest = 0.0
    sizes = ((hidden_size, 3 * hidden_size), (hidden_size, 4 * hidden_size), (4 * hidden_size, hidden_size))
    for inner, outer in sizes:
        shapes = (rows, inner), (outer, inner)
        x, weight = (torch.randn(shape, device=DEVICE, dtype=torch.bfloat16) for shape in shapes)
        for _ in range(30):
            begun = time.perf_counter()
            torch.nn.functional.linear(x, weight)
            if CUDA:
                torch.cuda.synchronize()
            fastest = max(fastest, 2 * rows * inner * outer / (time.perf_counter() - begun))
    return fastest


def in_a_process(name: str, way: str, steps: int, threads: int, workers: int) -> dict:
    numbers = ["--steps", str(steps), "--threads", str(threads), "--workers", str(workers)]
    command = [sys.executable, __file__, name, *numbers, "--way", way]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        raise SystemExit(f"{name}, {way}: {process.stderr[-2000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def main(
    configurations: Annotated[list[str] | None, typer.Argument(help="Configurations; all if left out.")] = None,
    steps: Annotated[int, typer.Option(help="Counted steps a turn.")] = 12,
    rounds: Annotated[int, typer.Option(help="Turns of every way.")] = 2,
    threads: Annotated[int, typer.Option(help="Of the processor.")] = 2,
    workers: Annotated[int, typer.Option(help="Processes that make batches for the whole loop.")] = 0,
    way: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    if way:
        print(json.dumps(turn(configurations[0], way, steps, threads, workers)))
        return
    machine = torch.cuda.get_device_name() if CUDA else manifest.processor()
    print(f"{machine}, {threads} threads, {workers} workers, torch {torch.__version__}\n")
    for name in configurations or CONFIGURATIONS:
        configuration = CONFIGURATIONS[name]
        tokens = configuration.batch_size * configuration.length
        turns, peaks = {way: [] for way in WAYS}, []
        for _ in range(rounds):
            for way in WAYS:
                peaks.append(peak(threads, configuration.hidden_size, tokens))
                turns[way].append(in_a_process(name, way, steps, threads, workers))
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
            first = "" if math.isnan(turns_of_way[0]["first"]) else f"{turns_of_way[0]['first']:.1f}"
            print(
                f"| {way} | {tokens / seconds[way]:,.0f} | {seconds[WAYS[0]] / seconds[way]:.2f} | "
                f"{seconds[WAYS[1]] / seconds[way]:.2f} | {share} | {first} | "
                f"{max(turn['memory'] for turn in turns_of_way) / 1e9:.2f} | {turns_of_way[0]['loss']:.3f} |",
                flush=True,
            )
        print(flush=True)


if __name__ == "__main__":
    typer.run(main)
