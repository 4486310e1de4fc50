"""How many planted faults does ``embryology audit`` find, and how many does it see where there are none?

    python benchmarks/audit.py [--recipes 9] [--plantings 27] [--seed 0]

Recipes are drawn (``small_runs.py``): family, optimizer, rate, decay, weight decay, schedule (one of them throws the
optimizer's state away in the middle and warms up again), and which checkpoints are kept. Each is trained three times on
bytes of the bundled articles: two seeds, and a third run that begins as the first does and reads in another order. With
each kind of spacing all three are sound series, and the first two sound seeds of each other. Then faults are planted in
them, at random places. Prints tables in Markdown.
"""

import itertools
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import typer
from small_runs import FAMILIES, SPACINGS, TIME, Files, Recipe, Series, State, drawn, files_of, steps_of, train

from embryology.corpus.articles import articles
from embryology.runs.audit.observed import Entry
from embryology.runs.audit.result import examine
from embryology.runs.contents import Stored


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
    for audit in audits:
        READ.update(bytes=audit.bytes_read, size=audit.size)
    NOTES[:] = [note for audit in audits for note in audit.notes]
    return [{(each.kind, step) for each in audit.findings for step in each.steps} for audit in audits]


READ: Counter[str] = Counter()
NOTES: list[str] = []
"""Of the last audit."""


@dataclass(frozen=True)
class Trained:
    """The runs of a recipe: by run its weights at every other step."""

    recipe: Recipe
    runs: dict[str, dict[int, State]]
    kept: dict[tuple[str, int], Files]

    def files(self, run: str, step: int) -> Files:
        """As they were saved; each is made once."""
        if (run, step) not in self.kept:
            self.kept[run, step] = files_of(self.runs[run][step])
        return self.kept[run, step]

    def series(self, run: str, steps: list[int]) -> Series:
        return [(step, self.files(run, step)) for step in steps]


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
    series |= {step: trained.files("a", source) for step, source in taken.items()}
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
    series[steps[0]] = trained.files("b", steps[0] if initial else draw.randrange(0, TIME, 2))
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
UNTOLD = {
    swapped: "whether steps",
    gap: "whether a step is missing",
    head: ("whether cls", "whether lm_", "whether pre"),
}
"""How a note begins that says that such a fault could not be seen."""


def main(recipes: int = 9, plantings: int = 27, seed: int = 0) -> None:
    draw = random.Random(seed)
    text = torch.tensor(
        list("\n".join(article.text for article in itertools.islice(articles("bundled"), 300)).encode())
    )
    torch.set_num_threads(1)
    told: Counter = Counter()
    false: list[str] = []
    sound, tried = Counter(), Counter()
    each = -(-plantings // recipes)
    started = time.monotonic()
    for number in range(recipes):
        recipe = drawn(draw, number)
        ways = {"a": (2 * number, number), "b": (2 * number + 1, number + 500), "c": (2 * number, number + 900)}
        trained = Trained(recipe, {name: train(recipe, text, *way) for name, way in ways.items()}, {})
        for spacing in SPACINGS:
            steps = steps_of(recipe, spacing, draw)
            alone = [found(**{name: trained.series(name, steps)}) for name in "abc"]
            wrong = [
                kinds
                for one in [*alone, found(a=trained.series("a", steps), b=trained.series("b", steps))]
                for kinds in one
            ]
            sound[spacing] += len(alone)
            false += [f"{recipe}, {steps}: {sorted(kinds)}" for kinds in wrong if kinds]
        steps = steps_of(recipe, recipe.spacing, draw)
        for fault in FAULTS:
            for _ in range(each):
                if tried[fault] == plantings:
                    continue
                hit, planted, what = fault(trained, steps, draw)
                if not planted:
                    continue
                tried[fault] += 1
                right = bool(hit & planted)
                told.update(
                    {
                        (fault, what, "planted"): 1,
                        (fault, what, "found"): right,
                        (fault, what, "untold"): not right
                        and any(note.startswith(UNTOLD.get(fault, ())) for note in NOTES),
                        (fault, what, "whole"): hit >= planted,
                        (fault, what, "beside"): bool(hit - planted),
                    }
                )
                if not hit >= planted or hit - planted:
                    print(fault.__name__, what, sorted(planted), sorted(hit), steps, NOTES, file=sys.stderr)
        print(f"{number + 1} of {recipes}, {time.monotonic() - started:.0f} s: {recipe}", file=sys.stderr, flush=True)
    names = ("planted", "found", "untold", "whole", "beside")
    print(
        "| fault | how | planted | found | said that it cannot be told | all its steps named | other steps named too |"
    )
    print("|---|---|---|---|---|---|---|")
    for fault in FAULTS:
        for what in sorted({what for each, what, _ in told if each is fault}):
            numbers = " | ".join(str(told[fault, what, name]) for name in names)
            print(f"| {(fault.__doc__ or '').split('.')[0].split(':')[0]} | {what} | {numbers} |")
    print(f"\nSound series: {dict(sound)}; audits with a finding: {len(false)}")
    print("\n".join(false))
    print(f"Bytes read: {READ['bytes'] / 1e6:,.0f} of {READ['size'] / 1e6:,.0f} MB")


if __name__ == "__main__":
    typer.run(main)
