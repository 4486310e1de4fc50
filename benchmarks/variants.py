"""The chapter on variants: what `embryology/studies/variants/` holds, collected from finished runs.

    python benchmarks/variants.py commands   # which runs the plan needs, in the order in which they can be made
    python benchmarks/variants.py collect    # tables of the runs that are there, for the page "One change at a time"

Runs are called PRESET-seedN. `make variants` trains, measures and collects all. Nothing is trained here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from embryology import presets
from embryology.analysis import learning_order, scratch, tables
from embryology.analysis.variants import EVALUATIONS, FOLDER, MADE, PLAN, SCRATCH, TIMES
from embryology.presets import Outcome
from embryology.pretraining.cost import step_cost
from embryology.pretraining.trainee import build
from embryology.runs import manifest, measurements
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs.tokens import RECONSTRUCTION
from embryology.storage.files import read_yaml, write_table, write_yaml
from embryology.tasks import programs

app = typer.Typer(add_completion=False)
Seeds = Annotated[int, typer.Option(help="Of every preset, from 0 on.")]


def finished(preset: str, seed: int) -> Series | None:
    """The run of a preset and seed, if it has reached its end."""
    chosen, folder = presets.load(preset).with_seed(seed), RunFolder.named(f"{preset}-seed{seed}")
    if not folder.manifest.exists() or not manifest.is_complete(folder, chosen):
        return None
    return Series.open(folder.root)


def flops(outcome: Outcome) -> np.ndarray:
    """(steps + 1,) of all steps up to each."""
    with torch.device("meta"):
        models = build(outcome.model, outcome.tokenizer.vocab_size, outcome.longest, outcome.seed, outcome.typing)
    costs = np.concatenate(
        [np.full(stage.after - stage.first, step_cost(models, *stage.shape)[0]) for stage in outcome.course]
    )
    return np.concatenate([[0], np.cumsum(costs)])


def evaluations(series: Series) -> pd.DataFrame:
    """Of a run, with what the smaller run cost that it is grown from."""
    assert series.manifest is not None
    assert series.losses is not None
    outcome, logged = series.manifest.outcome, series.losses
    own = {stage.number for stage in outcome.course if stage.texts == ((outcome.corpus, 1.0),)}
    read = logged["tokens"].diff().fillna(logged["tokens"])
    logged = logged.assign(own_tokens=read.where(logged["phase"].isin(own), 0).cumsum(), all_tokens=logged["tokens"])
    logged = logged.assign(flops=flops(outcome)[logged["step"]])
    if outcome.grown_from and series.manifest.origin:
        smaller = Series.open(RunFolder.named(series.manifest.origin.run).root)
        before = evaluations(smaller).set_index("step").loc[series.manifest.origin.step]
        logged["all_tokens"] += before["all_tokens"]
        logged["flops"] += before["flops"]
    return logged.dropna(subset="held_out_masked_loss")


def times(series: Series, evaluated: pd.DataFrame) -> pd.DataFrame:
    """The learning time of every group of words, in tokens of the run's own text."""
    if measurements.lacking(series, "tokens"):
        return pd.DataFrame(columns=list(TIMES))
    frame, items = tables.read([series], "tokens"), measurements.read_items(series, "tokens")
    made = learning_order.learning_times(frame, items, RECONSTRUCTION)
    own = np.interp(made["step"].astype(float), evaluated["step"], evaluated["own_tokens"])
    state = made["state"].where(~((made["state"] == learning_order.REACHED) & (own == 0)), learning_order.BEFORE_FIRST)
    own = np.where(state == learning_order.REACHED, own, np.nan)
    return pd.DataFrame({"group": made.index, "state": state.to_numpy(), "own_tokens": own})


def on_programs(series: Series) -> pd.DataFrame:
    """From which checkpoint on a start beats scratch in tasks made by program."""
    if measurements.lacking(series, "finetune"):
        return pd.DataFrame(columns=list(SCRATCH))
    made = scratch.beats_scratch(tables.read([series], "finetune"), series.losses)
    return made[made["task"].isin(programs.MAKERS)]


@app.command()
def collect(seeds: Seeds = 3, to: Annotated[Path, typer.Option(help="A folder.")] = FOLDER) -> None:
    """Write the tables of all runs that are there."""
    collected: dict[str, list[pd.DataFrame]] = {"evaluations": [], "times": [], "scratch": []}
    for preset, seed in runs(seeds):
        series = finished(preset, seed)
        if series is None:
            print(f"{preset}-seed{seed}: not there yet, left out")
            continue
        evaluated = evaluations(series)
        made = {"evaluations": evaluated, "times": times(series, evaluated), "scratch": on_programs(series)}
        for name, table in made.items():
            collected[name].append(table.assign(preset=preset, seed=seed))
    for name, columns in {"evaluations": EVALUATIONS, "times": TIMES, "scratch": SCRATCH}.items():
        rows = pd.concat(collected[name], ignore_index=True) if collected[name] else pd.DataFrame(columns=list(columns))
        write_table(to / f"{name}.parquet", rows[list(columns)].astype(columns))
    record = {"command": f"make variants SEEDS={seeds}", "machine": manifest.processor()}
    write_yaml(to / MADE, record | {"torch": str(torch.__version__), "commit": manifest.commit()})


def runs(seeds: int) -> Iterator[tuple[str, int]]:
    """Presets with seeds, as planned: what others begin with comes before these."""
    yield from ((each["preset"], seed) for each in read_yaml(FOLDER / PLAN) for seed in range(seeds))


@app.command()
def commands(seeds: Seeds = 3, program: str = "embryology") -> None:
    """Print the commands that make the runs, a line each, and measure them."""
    for preset, seed in runs(seeds):
        run = f"{preset}-seed{seed}"
        print(f"{program} pretrain {preset} --seed {seed} --run {run} --resume")
        print(f"{program} probe {run}")
        if preset == "variant":
            print(f"{program} probe {run} --probe finetune --preset variant-programs")
        if preset == "variant-bilingual":
            print(f"{program} probe {run} --probe forgetting --preset variant-forgetting")


if __name__ == "__main__":
    app()
