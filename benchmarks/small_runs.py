"""Small models that are really trained, in many ways, with checkpoints at many steps: for ``benchmarks/audit.py``."""

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from safetensors.torch import save
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForPreTraining,
    ElectraConfig,
    ElectraForPreTraining,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

WIDTH, LAYERS, LENGTH, BATCH, PIECES, MASK = 80, 2, 32, 16, 257, 256
TIME = 240
"""Steps of training."""
SHAPE = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "vocab_size": PIECES}
BODY = SHAPE | {"intermediate_size": 2 * WIDTH, "max_position_embeddings": 64}
GPT = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": 2, "n_positions": 64, "vocab_size": PIECES}
ENDS = {"bos_token_id": None, "eos_token_id": None}
FAMILIES: dict[str, tuple[Callable[[], torch.nn.Module], list[str]]] = {
    "ALBERT": (lambda: AlbertForMaskedLM(AlbertConfig(**BODY, embedding_size=WIDTH)), ["predictions.dense.weight"]),
    "BERT": (lambda: BertForPreTraining(BertConfig(**BODY)), ["cls.predictions.transform.dense.weight"]),
    "ELECTRA": (
        lambda: ElectraForPreTraining(ElectraConfig(**BODY, embedding_size=WIDTH)),
        ["discriminator_predictions.dense.weight"],
    ),
    "GPT-2": (lambda: GPT2LMHeadModel(GPT2Config(**GPT, **ENDS)), []),
    "GPT-NeoX": (lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**BODY, **ENDS)), ["lm_head.weight"]),
    "Llama": (lambda: LlamaForCausalLM(LlamaConfig(**BODY, **ENDS)), ["lm_head.weight"]),
    "RoBERTa": (lambda: RobertaForMaskedLM(RobertaConfig(**BODY)), ["lm_head.dense.weight"]),
}
"""By name how a model is made, and the matrices of a head of its own."""
SPACINGS = EVENLY, DENSE_EARLY, UNEVEN = "evenly", "dense early", "unevenly"
SCHEDULES = ("constant", "linear", "cosine", "warm-up, stable, decay", "optimizer restarted")

State = dict[str, torch.Tensor]
Files = dict[str, bytes]
Series = list[tuple[int, Files]]


@dataclass(frozen=True)
class Recipe:
    family: str
    optimizer: str
    rate: float
    decay: float
    schedule: str
    spacing: str
    first: int
    """The first step that is kept, 0 or later."""
    dtype: torch.dtype


def drawn(draw: random.Random, number: int) -> Recipe:
    families, optimizer = sorted(FAMILIES), draw.choice(["AdamW", "AdamW", "AdamW", "SGD"])
    return Recipe(
        families[number % len(families)],
        optimizer,
        10 ** (draw.uniform(-3.5, -2.2) if optimizer == "AdamW" else draw.uniform(-1.5, -0.7)),
        draw.choice([0.0, 0.01, 0.1, 0.5]),
        SCHEDULES[number % len(SCHEDULES)],
        SPACINGS[number % 3],
        draw.choice([0, 0, 0, 1]),
        draw.choice([torch.float32, torch.float32, torch.bfloat16, torch.float16]),
    )


def steps_of(recipe: Recipe, spacing: str, draw: random.Random) -> list[int]:
    """Which steps a series of a recipe keeps."""
    if spacing == EVENLY:
        apart = draw.choice([10, 20, 24])
        steps = list(range(0, TIME + 1, apart))
    elif spacing == DENSE_EARLY:
        steps = [0, 1, 2, 4, 8, 16, 32, 64, 128, TIME]
    else:
        steps = sorted({0, TIME, *draw.sample(range(2, TIME, 2), draw.randint(6, 14))})
    return steps[recipe.first :]


def factor(recipe: Recipe, step: int) -> float:
    """Of the learning rate."""
    warm, share = 20, step / TIME
    if recipe.schedule == "linear":
        after = 1 - share
    elif recipe.schedule == "cosine":
        after = 0.1 + 0.45 * (1 + math.cos(math.pi * share))
    elif recipe.schedule.startswith("warm-up"):
        after = min(1.0, 5 * (1 - share))
    else:
        after = 1.0
    since = step - TIME // 2 if recipe.schedule == "optimizer restarted" and step >= TIME // 2 else step
    return min(1.0, (since + 1) / warm) * after


def batch(text: torch.Tensor, generator: torch.Generator, family: str) -> dict[str, torch.Tensor]:
    starts = torch.randint(len(text) - LENGTH, (BATCH,), generator=generator)
    pieces = torch.stack([text[start : start + LENGTH] for start in starts])
    if family in ("GPT-2", "GPT-NeoX", "Llama"):
        return {"input_ids": pieces, "labels": pieces}
    chosen = torch.rand(pieces.shape, generator=generator) < 0.15
    if family == "ELECTRA":
        other = torch.randint(MASK, pieces.shape, generator=generator)
        return {"input_ids": torch.where(chosen, other, pieces), "labels": chosen.long()}
    labels = {"labels": pieces.masked_fill(~chosen, -100), "next_sentence_label": torch.arange(BATCH) % 2}
    if family != "BERT":
        labels.pop("next_sentence_label")
    return {"input_ids": pieces.masked_fill(chosen, MASK)} | labels


def train(recipe: Recipe, text: torch.Tensor, begin: int, order: int) -> dict[int, State]:
    """The weights at every other step, and at step 1."""
    torch.manual_seed(begin)
    model = FAMILIES[recipe.family][0]()
    generator = torch.Generator().manual_seed(order)
    kinds = {"AdamW": torch.optim.AdamW, "SGD": torch.optim.SGD}
    options = {"lr": recipe.rate, "weight_decay": recipe.decay * (1 if recipe.optimizer == "AdamW" else 0.01)}
    make = lambda: kinds[recipe.optimizer](model.parameters(), **options)  # noqa: E731
    optimizer, kept = make(), {}
    for step in range(TIME + 1):
        if step in (1, *range(0, TIME + 1, 2)):
            kept[step] = {name: tensor.to(recipe.dtype) for name, tensor in stored(model).items()}
        if step == TIME // 2 and recipe.schedule == "optimizer restarted":
            optimizer = make()
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * factor(recipe, step)
        torch.manual_seed(order * 1000 + step)  # of dropout
        loss = model(**batch(text, generator, recipe.family)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return kept


def stored(model: torch.nn.Module) -> State:
    """What ``save_pretrained`` would store: of tied tensors the first."""
    seen: set[int] = set()
    state = {}
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            state[name] = tensor.detach().clone().contiguous()
    return state


def files_of(state: State, vocabulary: str = "one") -> Files:
    """A checkpoint in two shards with the small files beside it."""
    names = sorted(state)
    half = len(names) // 2
    shards = [{name: state[name] for name in part} for part in (names[:half], names[half:])]
    small = {
        "config.json": json.dumps({"hidden_size": WIDTH}),
        "tokenizer.json": json.dumps(
            {"model": {"type": "WordPiece", "vocab": {f"{vocabulary}{n}": n for n in range(9)}}}
        ),
    }
    named = {f"model-0000{n}-of-00002.safetensors": save(shard) for n, shard in enumerate(shards, start=1)}
    return named | {name: text.encode() for name, text in small.items()}
