"""The chapter on variants: what `embryology/studies/variants/` holds, collected from finished runs.

    python benchmarks/variants.py commands   # which runs the plan needs, in the order in which they can be made
    python benchmarks/variants.py collect    # tables of the runs that are there, for the page "One change at a time"

Runs are called PRESET-seedN. `make variants` trains, measures and collects all. Nothing is trained here.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from embryology import presets
from embryology.analysis import counterfactual, knowledge_base, learning_order, scratch, tables, variants_asked
from embryology.analysis.variants import (
    CONTEXTS,
    FOLDER,
    MADE,
    PLAN,
    SCRATCH,
    TABLES,
    TAGS,
    THINGS,
    TIMES,
    TYPES,
)
from embryology.corpus.people import COUNTRIES, WORK
from embryology.errors import EmbryologyError
from embryology.presets import Outcome
from embryology.pretraining.cost import step_cost
from embryology.pretraining.trainee import build
from embryology.runs import counterfactuals, manifest, measurements
from embryology.runs.misfit import misfit
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs import grammar, knowledge
from embryology.specs import tokens as words
from embryology.storage.files import read_table, read_yaml, write_table, write_yaml
from embryology.tasks import programs

app = typer.Typer(add_completion=False)
CONTROL, TYPED, BILINGUAL = "variant", "variant-typed", "variant-bilingual"
AT_HAND = "variant-knowledge-base"
"""Whose settings ask the control with what a knowledge base says."""
Seeds = Annotated[int, typer.Option(help="Of every preset, from 0 on.")]
NEVER_READ = "counterfactual.yaml"
"""The things that the control is replayed without, and over which steps."""
BUNDLED, FED = "bundled", "fed"
"""Sets of facts."""
REMEMBERED = {
    "tokens": {
        variants_asked.RECONSTRUCTED: ((words.RECONSTRUCTION,), words.ACCURACY),
        variants_asked.MASKED: ((words.MASK_PREDICTION,), words.LOG_PROBABILITY),
    },
    "grammar": {variants_asked.GRAMMAR: (tuple(grammar.SPECIFICATION.tasks), grammar.ACCURACY)},
    "knowledge": {variants_asked.KNOWLEDGE: (tuple(knowledge.SPECIFICATION.tasks), knowledge.LOG_PROBABILITY)},
}
"""By probe what is kept of it: the tasks, of which the first counts that was measured, and the metric."""
COLLECTED = (*REMEMBERED, "finetune", "forgetting")
OF_ONE_RUN = {"training text", "text", "last", "precision", "contexts"}
"""What in the configuration of a probe is of one run or machine, or is asked beside all else, which stays as it is."""


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
    own = {
        stage.number: sum(weight for corpus, weight in stage.texts if corpus == outcome.corpus)
        / sum(weight for _, weight in stage.texts)
        for stage in outcome.course
    }
    read = logged["tokens"].diff().fillna(logged["tokens"])
    logged = logged.assign(own_tokens=(read * logged["phase"].map(own)).cumsum(), all_tokens=logged["tokens"])
    logged = logged.assign(flops=flops(outcome)[logged["step"]])
    if outcome.grown_from and series.manifest.origin:
        smaller = Series.open(RunFolder.named(series.manifest.origin.run).root)
        before = evaluations(smaller).set_index("step").loc[series.manifest.origin.step]
        logged["all_tokens"] += before["all_tokens"]
        logged["flops"] += before["flops"]
    return logged.dropna(subset="held_out_masked_loss")


def refuse_mixed(runs_there: dict[tuple[str, int], Series]) -> None:
    """Runs whose presets ask alike have to have been asked the same.

    Args:
        runs_there: by preset and seed.

    Raises:
        EmbryologyError: a probe took gold data for one of them and bundled data for another, or other settings.
    """
    first: dict[tuple[str, str], tuple[str, dict[str, object]]] = {}
    for (preset, _), series in runs_there.items():
        planned, standing = presets.load(preset).probes, measurements.standing(series.folder)
        for probe in COLLECTED:
            if probe not in standing:
                continue
            asked = {"version": standing[probe].version} | standing[probe].settings | (standing[probe].data or {})
            asked = {name: value for name, value in asked.items() if name not in OF_ONE_RUN}
            other, before = first.setdefault((probe, str(planned.get(probe, preset))), (series.name, asked))
            if differ := sorted(name for name in {*before, *asked} if before.get(name) != asked.get(name)):
                raise EmbryologyError(
                    f"probe {probe} asked {other} and {series.name} different things ({', '.join(differ)}), which no "
                    f"table can hold; measure one of them again as the other was, with EMBRYOLOGY_DATA or without it: "
                    f"embryology probe {series.name} --probe {probe}"
                )


def lacks(series: Series, probe: str) -> bool:
    """Whether there is nothing of a probe that tells anything: it did not measure, or not yet to the end, or asked in
    another language."""
    if measurements.lacking(series, probe):
        return True
    last, end = measurements.read(series, probe)["step"].max(), series.checkpoints[-1].step
    wrong = misfit(series, measurements.standing(series.folder)[probe])
    if last < end:
        wrong = f"probe {probe} has measured step {last} last, and not its end at step {end}"
    if wrong:
        print(f"{series.name}: {wrong}, left out")
    return wrong is not None


def times(series: Series, evaluated: pd.DataFrame) -> pd.DataFrame:
    """The learning time of every group of words, in tokens of the run's own text."""
    if lacks(series, "tokens"):
        return pd.DataFrame(columns=list(TIMES))
    frame, items = tables.read([series], "tokens"), measurements.read_items(series, "tokens")
    made = learning_order.learning_times(frame, items, words.RECONSTRUCTION)
    own = np.interp(made["step"].astype(float), evaluated["step"], evaluated["own_tokens"])
    state = made["state"].where(~((made["state"] == learning_order.REACHED) & (own == 0)), learning_order.BEFORE_FIRST)
    own = np.where(state == learning_order.REACHED, own, np.nan)
    return pd.DataFrame({"group": made.index, "state": state.to_numpy(), "own_tokens": own})


def on_programs(series: Series) -> pd.DataFrame:
    """From which checkpoint on a start beats scratch in tasks made by program."""
    if lacks(series, "finetune"):
        return pd.DataFrame(columns=list(SCRATCH))
    made = scratch.beats_scratch(tables.read([series], "finetune"), series.losses)
    return made[made["task"].isin(programs.MAKERS)]


def values(series: Series, evaluated: pd.DataFrame) -> pd.DataFrame:
    """What was measured at each checkpoint, by the names of :mod:`embryology.analysis.variants_asked`."""
    found = [evaluated.set_index("step")["held_out_masked_loss"].rename(variants_asked.LOSS)]
    for probe, asked in REMEMBERED.items():
        if lacks(series, probe):
            continue
        frame = tables.read([series], probe)
        for name, (tasks, metric) in asked.items():
            there = [task for task in tasks if task != FED and (frame["task"] == task).any()]
            found += [of_all(frame, task, metric, name) for task in there[:1]]
        if probe == "knowledge":
            told = tables.of(frame, FED, knowledge.GAIN)
            found += [rows.set_index("step")["value"].rename(name) for name, rows in told.groupby("group") if name]
            found += facts_beside(series)
    phases = series.losses.set_index("step")["phase"] if series.losses is not None else pd.Series(dtype=int)
    made = pd.concat([one.rename_axis("step").reset_index(name="value").assign(what=one.name) for one in found])
    return made.assign(phase=made["step"].map(phases).fillna(1))


def of_all(frame: pd.DataFrame, task: str, metric: str, name: str) -> pd.Series:
    """By step the value of all groups: what was measured of them together, else their mean weighted by items."""
    rows = tables.of(frame, task, metric)
    rows = rows[rows["group"] == ""] if (rows["group"] == "").any() else rows
    sums = (rows["value"] * rows["n"]).groupby(rows["step"]).sum()
    return (sums / rows.groupby("step")["n"].sum()).rename(name)


def facts_beside(series: Series) -> list[pd.Series]:
    """By step how likely objects of the bundled facts are: those that made-up people have too, and all others."""
    items = measurements.read_items(series, "knowledge", ["task", "object", "step", "log_probability"])
    items = items[items["task"] == BUNDLED].dropna(subset="log_probability")
    near = items["object"].isin([*COUNTRIES, *WORK])
    sides = ((variants_asked.NEIGHBOURS, items[near]), (variants_asked.OTHERS, items[~near]))
    return [rows.groupby("step")["log_probability"].mean().rename(name) for name, rows in sides]


def never_read(series: Series, start: int) -> pd.DataFrame:
    """What each thing taught the control; none where it was not replayed."""
    if not [*counterfactuals.folder(series, start).glob("*.parquet")]:
        return pd.DataFrame(columns=list(THINGS))
    return counterfactual.by_checkpoint(counterfactuals.read(series, start))


def in_context(series: Series) -> pd.DataFrame:
    """What contexts do to facts; none where the probe was last asked without them, which measures the rest alike."""
    if lacks(series, "knowledge"):
        return pd.DataFrame(columns=list(CONTEXTS))
    told = knowledge_base.beside_plain(measurements.read_items(series, "knowledge"))
    if told.empty:
        again = f"embryology probe {series.name} --probe knowledge --preset {AT_HAND}"
        print(f"{series.name}: facts with contexts do not count now, left out ({again} measures nothing twice)")
    return told


def tags(series: Series) -> pd.DataFrame:
    """The rows of fine-tuning for tags."""
    if lacks(series, "forgetting"):
        return pd.DataFrame(columns=list(TAGS))
    return measurements.read(series, "forgetting").rename(columns={"seed": "tuning"})


def file_of_types(run: str) -> Path:
    """Where ``benchmarks/latent_types.py`` is told to leave the types of a run, so that they go where it goes."""
    return RunFolder.named(run).root / "latent-types.parquet"


def types(series: Series) -> pd.DataFrame:
    """How well latent types tell labels at every checkpoint.

    Raises:
        EmbryologyError: they are those of another run.
    """
    file = file_of_types(series.folder.name)
    if not file.is_file():
        return pd.DataFrame(columns=list(TYPES))
    told = read_table(file).to_pandas()
    if {*told["seed"]} != {series.seed} or {*told["step"]} != {each.step for each in series.checkpoints}:
        raise EmbryologyError(
            f"{file} is not of the seed and the checkpoints of {series.name}; remove it, and measure them again: "
            f"python benchmarks/latent_types.py {series.name} --to {file}"
        )
    return told


OF_ONE_PRESET = {"contexts": (CONTROL, in_context), "tags": (BILINGUAL, tags), "types": (TYPED, types)}
"""By table the preset that alone is asked for it, and what tells it of a run."""


@app.command()
def collect(seeds: Seeds = 3, to: Annotated[Path, typer.Option(help="A folder.")] = FOLDER) -> None:
    """Write the tables of all runs that are there."""
    collected: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    replayed = read_yaml(FOLDER / NEVER_READ)
    there: dict[tuple[str, int], Series] = {}
    for preset, seed in runs(seeds):
        if series := finished(preset, seed):
            there[preset, seed] = series
        else:
            print(f"{preset}-seed{seed}: not there yet, left out")
    refuse_mixed(there)
    for (preset, seed), series in there.items():
        evaluated = evaluations(series)
        made = {"evaluations": evaluated, "times": times(series, evaluated), "scratch": on_programs(series)}
        made["values"] = values(series, evaluated)
        if preset == replayed["preset"]:
            made["things"] = never_read(series, replayed["from"])
        for name, (of_preset, ask) in OF_ONE_PRESET.items():
            if preset == of_preset:
                made[name] = ask(series)
        for name, table in made.items():
            collected[name].append(table.assign(preset=preset, seed=seed))
    for name, columns in TABLES.items():
        full = [table for table in collected[name] if len(table)]
        rows = pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=list(columns))
        write_table(to / f"{name}.parquet", rows[list(columns)].astype(columns))
    record = {"command": f"make variants SEEDS={seeds}", "machine": manifest.processor()}
    write_yaml(to / MADE, record | {"torch": str(torch.__version__), "commit": manifest.commit()})


def runs(seeds: int) -> Iterator[tuple[str, int]]:
    """Presets with seeds, as planned: what others begin with comes before these."""
    yield from ((each["preset"], seed) for each in read_yaml(FOLDER / PLAN) for seed in range(seeds))


@app.command()
def commands(seeds: Seeds = 3, program: str = "embryology", python: str = "python") -> None:
    """Print the commands that make the runs, a line each, and measure them.

    A preset without probes is not measured: all that there are ask in English.
    """
    replayed = read_yaml(FOLDER / NEVER_READ)
    for preset, seed in runs(seeds):
        run = f"{preset}-seed{seed}"
        print(f"{program} pretrain {preset} --seed {seed} --run {run} --resume")
        if presets.load(preset).probes:
            print(f"{program} probe {run}")
        if preset == CONTROL:
            print(f"{program} probe {run} --probe finetune --preset variant-programs")
            print(f"{program} probe {run} --probe knowledge --preset {AT_HAND}")
        if preset == BILINGUAL:
            print(f"{program} probe {run} --probe forgetting --preset variant-forgetting")
        if preset == TYPED:
            print(f"{python} benchmarks/latent_types.py {run} --to {shlex.quote(str(file_of_types(run)))}")
        if preset == replayed["preset"] and seed < replayed["seeds"]:
            things = " ".join(f"--without {shlex.quote(thing)}" for thing in replayed["things"])
            print(f"{program} counterfactual {run} --from {replayed['from']} --until {replayed['until']} {things}")


if __name__ == "__main__":
    app()
