"""How many planted faults does ``embryology audit`` find, and how many does it see where there are none?

    python benchmarks/audit.py [--recipes 18] [--plantings 50] [--seed 0]

Recipes are drawn: family, optimizer, rate, decay, weight decay, schedule (one of them throws the optimizer's state away
in the middle and warms up again), and which checkpoints are kept. Each is trained three times on bytes of the bundled
articles: two seeds, and a third run that begins as the first does and reads in another order. All three are sound
series, and the first two sound seeds of each other. Then faults are planted in them, at random places. Prints tables in
Markdown.
"""

import itertools
import json
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import typer
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

from embryology.corpus.articles import articles
from embryology.runs.audit.observed import Entry
from embryology.runs.audit.result import examine
from embryology.runs.contents import Stored

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
EVENLY, DENSE_EARLY, UNEVEN = "evenly", "dense early", "unevenly"
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
        [EVENLY, DENSE_EARLY, UNEVEN][number % 3],
        draw.choice([0, 0, 0, 1]),
        draw.choice([torch.float32, torch.float32, torch.bfloat16, torch.float16]),
    )


def steps_of(recipe: Recipe, draw: random.Random) -> list[int]:
    """Which steps a series of a recipe keeps."""
    if recipe.spacing == EVENLY:
        apart = draw.choice([10, 20, 24])
        steps = list(range(0, TIME + 1, apart))
    elif recipe.spacing == DENSE_EARLY:
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


@dataclass(frozen=True)
class Memory:
    """Contents that lie in memory."""

    held: Files

    def files(self) -> Mapping[str, Stored]:
        return {name: Stored(len(content)) for name, content in self.held.items()}

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        return self.held[name][start:end]


def found(**series: Series) -> list[set[tuple[str, int]]]:
    """The kinds of findings with the steps that they are about, by series."""
    entries = {
        name: [Entry(step, f"step-{step}", Memory(files)) for step, files in checkpoints]
        for name, checkpoints in series.items()
    }
    audits = examine(entries)
    global bytes_read, size
    bytes_read += sum(audit.bytes_read for audit in audits)
    size += sum(audit.size for audit in audits)
    return [{(each.kind, step) for each in audit.findings for step in each.steps} for audit in audits]


bytes_read = size = 0


@dataclass(frozen=True)
class Trained:
    """The runs of a recipe: by run its weights at every other step."""

    recipe: Recipe
    runs: dict[str, dict[int, State]]

    def series(self, run: str, steps: list[int]) -> Series:
        return [(step, files_of(self.runs[run][step])) for step in steps]


def either(hit: set, which: set, steps: list[int]) -> set:
    """Where a series is of two sorts, the rarer one is named: of the planted steps and the others, either is right."""
    return which if hit == set(steps) - which else hit


def late(trained: Trained, steps: list[int], draw: random.Random) -> tuple[set, set, str]:
    """Late weights under early names."""
    early = [step for step in steps if step < TIME / 3]
    which = draw.sample(early, draw.randint(1, min(len(early), len(steps) // 3)))
    series = dict(trained.series("a", steps))
    copied = draw.random() < 0.5
    sources = [step for step in steps if step > TIME / 2] if copied else range(TIME // 2, TIME, 2)
    taken = {step: draw.choice(list(sources)) for step in which}
    series |= {step: files_of(trained.runs["a"][source]) for step, source in taken.items()}
    (kinds,) = found(a=list(series.items()))
    hit = {step for kind, step in kinds if kind in ("out of order", "same weights", "foreign weights")}
    hit -= set(taken.values()) - set(which)  # of two that hold the same weights both are named
    return hit, set(which), "of a step that is listed" if copied else "of a step that is not"


def equal(trained: Trained, steps: list[int], draw: random.Random) -> tuple[set, set, str]:
    """Two equal branches."""
    one, other = draw.sample(steps, 2)
    series = dict(trained.series("a", steps))
    series[other] = series[one]
    (kinds,) = found(a=list(series.items()))
    return {step for kind, step in kinds if kind == "same weights"}, {one, other}, ""


def foreign(trained: Trained, steps: list[int], draw: random.Random) -> tuple[set, set, str]:
    """A foreign step 0."""
    series = dict(trained.series("a", steps))
    initial = draw.random() < 0.7
    series[steps[0]] = files_of(trained.runs["b"][steps[0] if initial else draw.randrange(0, TIME, 2)])
    (kinds,) = found(a=list(series.items()))
    what = "the other seed's first" if initial else "another of the other seed's"
    return {step for kind, step in kinds if kind == "foreign weights"}, {steps[0]}, what


def swapped(trained: Trained, steps: list[int], draw: random.Random) -> tuple[set, set, str]:
    """A swapped pair."""
    beside = draw.random() < 0.5
    if beside:
        place = draw.randrange(len(steps) - 1)
        pair = [steps[place], steps[place + 1]]
    else:
        pair = sorted(draw.sample(steps, 2))
    series = dict(trained.series("a", steps))
    series[pair[0]], series[pair[1]] = series[pair[1]], series[pair[0]]
    (kinds,) = found(a=list(series.items()))
    hit = {step for kind, step in kinds if kind == "out of order"}
    return hit if not hit & set(pair) else hit | set(pair), set(pair), "neighbours" if beside else "any two"


def gap(trained: Trained, steps: list[int], draw: random.Random) -> tuple[set, set, str]:
    """A gap."""
    lost = draw.choice(steps[1:-1])
    (kinds,) = found(a=trained.series("a", [step for step in steps if step != lost]))
    return {step for kind, step in kinds if kind == "missing step"}, {lost}, trained.recipe.spacing


def tokenizer(trained: Trained, steps: list[int], draw: random.Random) -> tuple[set, set, str]:
    """Another tokenizer."""
    place, onwards = draw.randrange(1, len(steps)), draw.random() < 0.5
    which = set(steps[place:] if onwards else steps[place : place + 1])
    series = [(step, files_of(trained.runs["a"][step], "other" if step in which else "one")) for step in steps]
    (kinds,) = found(a=series)
    hit = {step for kind, step in kinds if kind == "another tokenizer"}
    return either(hit, which, steps), which, "from a step on" if onwards else "once"


def head(trained: Trained, steps: list[int], draw: random.Random) -> tuple[set, set, str]:
    """A head that was initialised again: left so, or with the other seed's in its place from there on."""
    names = FAMILIES[trained.recipe.family][1]
    if not names:
        return set(), set(), "no head of its own"
    place, onwards = draw.randrange(1, len(steps)), draw.random() < 0.5
    which = set(steps[place:] if onwards else steps[place : place + 1])
    series = []
    for step in steps:
        state = dict(trained.runs["a"][step])
        for name in names if step in which else []:
            new = torch.empty(state[name].shape).normal_(
                0, 0.02, generator=torch.Generator().manual_seed(draw.randrange(10**6))
            )
            state[name] = trained.runs["b"][step][name] if onwards else new.to(state[name].dtype)
        series.append((step, files_of(state)))
    (kinds,) = found(a=series)
    hit = {step for kind, step in kinds if kind == "made anew"}
    what = "and trained from there on" if onwards else "once"
    return either(hit, which, steps), which, what


def shared(trained: Trained, steps: list[int], draw: random.Random) -> tuple[set, set, str]:
    """A shared seed: the same beginning, another order of the text."""
    later = draw.random() < 0.5
    chosen = [step for step in steps if step > 0] if later else steps
    kinds, _ = found(a=trained.series("a", chosen), c=trained.series("c", chosen))
    return {step for kind, step in kinds if kind == "shared seed"}, set(chosen), "without step 0" if later else "whole"


def dtype(trained: Trained, steps: list[int], draw: random.Random) -> tuple[set, set, str]:
    """Another dtype, in the header or in the numbers alone."""
    place, onwards, hidden = draw.randrange(1, len(steps)), draw.random() < 0.5, draw.random() < 0.3
    which = set(steps[place:] if onwards else steps[place : place + 1])
    hidden = hidden and trained.recipe.dtype is torch.float32  # what is narrow already cannot be made so
    before, now = torch.float32, draw.choice([torch.float16, torch.bfloat16])
    series = []
    for step in steps:
        state = {name: tensor.to(before) for name, tensor in trained.runs["a"][step].items()}
        if step in which:
            state = {name: tensor.to(now).to(before if hidden else now) for name, tensor in state.items()}
        series.append((step, files_of(state)))
    (kinds,) = found(a=series)
    hit = {step for kind, step in kinds if kind == "another dtype"}
    what = "numbers alone" if hidden else "header"
    return either(hit, which, steps), which, what


def truncated(trained: Trained, steps: list[int], draw: random.Random) -> tuple[set, set, str]:
    """A truncated or missing shard."""
    step, gone = draw.choice(steps), draw.random() < 0.3
    series = {each: dict(files) for each, files in trained.series("a", steps)}
    shard = draw.choice([name for name in series[step] if name.endswith(".safetensors")])
    if gone:
        del series[step][shard]
    else:
        series[step][shard] = series[step][shard][: draw.randrange(len(series[step][shard]))]
    (kinds,) = found(a=list(series.items()))
    return (
        {each for kind, each in kinds if kind in ("damaged", "missing shard")},
        {step},
        "missing" if gone else "cut off",
    )


FAULTS = (late, equal, foreign, swapped, gap, tokenizer, head, shared, dtype, truncated)


def main(recipes: int = 18, plantings: int = 50, seed: int = 0) -> None:
    draw = random.Random(seed)
    text = torch.tensor(
        list("\n".join(article.text for article in itertools.islice(articles("bundled"), 300)).encode())
    )
    torch.set_num_threads(1)
    told: Counter = Counter()
    false: list[str] = []
    sound, tried = 0, Counter()
    each = -(-plantings // recipes)
    started = time.monotonic()
    for number in range(recipes):
        recipe = drawn(draw, number)
        ways = {"a": (2 * number, number), "b": (2 * number + 1, number + 500), "c": (2 * number, number + 900)}
        trained = Trained(recipe, {name: train(recipe, text, *way) for name, way in ways.items()})
        steps = steps_of(recipe, draw)
        wrong = found(a=trained.series("a", steps), b=trained.series("b", steps)) + found(c=trained.series("c", steps))
        sound += 3
        false += [f"{recipe}: {sorted(kinds)}" for kinds in wrong if kinds]
        for fault in FAULTS:
            for _ in range(each):
                if tried[fault.__name__] == plantings:
                    continue
                hit, planted, what = fault(trained, steps, draw)
                if not planted:
                    continue
                tried[fault.__name__] += 1
                told[fault, what, "planted"] += 1
                told[fault, what, "found"] += bool(hit & planted)
                told[fault, what, "whole"] += hit >= planted
                told[fault, what, "beside"] += bool(hit - planted)
                if not hit >= planted or hit - planted:
                    print(fault.__name__, what, sorted(planted), sorted(hit), steps, file=sys.stderr)
        print(f"{number + 1} of {recipes}, {time.monotonic() - started:.0f} s: {recipe}", file=sys.stderr, flush=True)
    print("| fault | how | planted | found | all its steps named | other steps named too |\n|---|---|---|---|---|---|")
    for fault, what in dict.fromkeys((fault, what) for fault, what, _ in told):
        numbers = " | ".join(str(told[fault, what, name]) for name in ("planted", "found", "whole", "beside"))
        print(f"| {(fault.__doc__ or '').split('.')[0]} | {what} | {numbers} |")
    print(f"\nSound series: {sound}; with a finding: {len(false)}")
    print("\n".join(false))
    print(f"Bytes read: {bytes_read / 1e6:,.0f} of {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    typer.run(main)
