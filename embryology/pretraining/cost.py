"""What a preset costs before anything is trained: parameters, memory, FLOPs, and days on named hardware."""

from collections import Counter

import torch
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from embryology.presets import Objective, Preset
from embryology.pretraining.batches import SPECIALS, Batch
from embryology.pretraining.trainee import Trainee, build

HARDWARE = {
    "two laptop cores with AVX512-BF16": 220e9,
    "one NVIDIA A100 (40 GB)": 312e12 * 0.4,
    "one NVIDIA H100 (80 GB)": 989e12 * 0.4,
    "eight NVIDIA H100": 8 * 989e12 * 0.4,
}
"""FLOP a second in bfloat16 that training is expected to reach. The cores: as ``benchmarks/README.md`` measured
them. The accelerators: 40% of the dense peak on their data sheets, an assumption and no measurement."""
BYTES_A_PARAMETER = 4 + 4 + 8 + 2
"""Weight, gradient, two moments of the optimizer, and the copy in bfloat16."""


def empty_batch(objective: Objective, sequences: int, length: int) -> Batch:
    """A batch of the shapes of a step, with no content, on torch's meta device."""
    places = sequences * max(1, round(objective.mlm_probability * (length - SPECIALS)))
    shape = (sequences, length)
    with torch.device("meta"):
        return Batch(
            input_ids=torch.empty(shape, dtype=torch.int64),
            token_type_ids=torch.empty(shape, dtype=torch.int64),
            attention_mask=torch.empty(shape, dtype=torch.bool),
            positions=torch.empty(places, dtype=torch.int64),
            labels=torch.empty(places, dtype=torch.int64),
            pair_labels=torch.empty(sequences, dtype=torch.int64),
            noise=torch.empty(places, dtype=torch.int64),
        )


def step_cost(models: nn.ModuleDict, objective: Objective, sequences: int, length: int) -> tuple[float, float]:
    """FLOPs of the matrix products of a step, and bytes that it keeps for its backward pass.

    FLOPs are counted on one sequence, forward and backward, and what is kept as what a second one adds: weights in the
    precision of products are kept once, and are in :data:`BYTES_A_PARAMETER`. Fused attention, which an accelerator
    uses, keeps less.
    """
    trainee = Trainee(models, torch.bfloat16).train()
    one, two = (empty_batch(objective, number, length) for number in (1, 2))
    with FlopCounterMode(display=False) as counter:
        trainee(one).sum().backward()
    return counter.get_total_flops() * sequences, (_kept(trainee, two) - _kept(trainee, one)) * sequences


def _kept(trainee: Trainee, batch: Batch) -> int:
    """Bytes that a forward pass keeps; what several operations keep counts once."""
    storages: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage  # itself too, so that its place in memory is not given to another
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        trainee(batch)
    return sum(storage.nbytes() for storage in storages.values())


def table(preset: Preset) -> Table:
    """A row a number, for reading."""
    rows = Table("", "", title=f"{preset.name}, not trained", show_header=False)
    for name, value in estimate(preset).items():
        rows.add_row(name, value)
    return rows


def estimate(preset: Preset) -> dict[str, str]:
    """Numbers of a preset by their names, written out."""
    outcome = preset.outcome
    with torch.device("meta"):
        models = build(outcome.model, outcome.tokenizer.vocab_size, outcome.longest, outcome.seed, outcome.typing)
    steps_of: Counter[tuple[Objective, int, int]] = Counter()
    for stage in outcome.course:
        steps_of[stage.shape] += stage.after - stage.first
    parameters = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
    distinct = sum(p.numel() for p in models.parameters())
    costs = {reads: step_cost(models, *reads) for reads in steps_of}
    flops = sum(steps * costs[reads][0] for reads, steps in steps_of.items())
    tokens = sum(steps * sequences * length for (_, sequences, length), steps in steps_of.items())
    activations = max(kept for _, kept in costs.values()) / preset.speed.gradient_accumulation_steps
    rows = {f"parameters of the {name}": f"{count:,}" for name, count in parameters.items()}
    if len(parameters) > 1:
        rows["parameters, shared ones once"] = f"{distinct:,}"
    rows["tokens"] = f"{tokens / 1e6:,.1f} million in {outcome.steps:,} steps"
    gigabytes = len(outcome.checkpoints) * sum(parameters.values()) * 4 / 1e9
    rows["checkpoints"] = f"{len(outcome.checkpoints)}, {gigabytes:,.2f} GB"
    rows["memory, parameters and optimizer"] = f"{distinct * BYTES_A_PARAMETER / 1e9:,.2f} GB"
    rows["memory, activations on one device"] = (
        f"{activations / 1e9:,.2f} GB, gradient_accumulation_steps {preset.speed.gradient_accumulation_steps}"
    )
    for (_, sequences, length), (cost, _) in costs.items():
        rows[f"FLOPs a step, {sequences} × {length}"] = f"{cost:.3g}"
    for name, flops_a_second in HARDWARE.items():
        rows[f"time on {name}"] = _spelt(flops / flops_a_second)
    return rows


def _spelt(seconds: float) -> str:
    for unit, length in {"days": 86400, "hours": 3600, "minutes": 60}.items():
        if seconds >= length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:,.1f} seconds"
