"""What lets a small ALBERT leave its plateau: variants of `tiny`, each trained on as many pieces, at two seeds.

    python benchmarks/recipes.py [--steps 400] [--seeds 2] [--threads 2]

Every variant changes one thing, and reads what `tiny` reads in that many steps, with the whole warm-up and
decay. What is done is in ``embryology/studies/recipes/runs.parquet`` and is not done again, so it can be
interrupted; the page "What lets it learn" of the book draws it. Runs go to a temporary folder; the prepared
corpus is shared with other runs.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer
from rich.console import Console

from embryology import presets
from embryology.analysis.recipes import COLUMNS, FILE, read
from embryology.pretraining.loop import pretrain
from embryology.runs import losses, manifest
from embryology.runs.paths import RunFolder
from embryology.storage.files import write_table, write_yaml

VARIANTS: dict[tuple[str, str], dict] = {
    ("tiny", "as it is"): {},
    ("masked share", "15%"): {"objective": {"mlm_probability": 0.15}},
    ("masked spans", "up to 3 words"): {"objective": {"max_ngram": 3}},
    ("weight of sentence order", "1"): {"objective": {"pair_weight": 1.0}},
    ("pieces a sequence", "128"): {"sequence_length": 128, "batch_size": 8},
    ("pieces a step", "4,096"): {"batch_size": 64},
    ("initial range", "0.01"): {"model": {"initializer_range": 0.01}},
    ("initial range", "0.08"): {"model": {"initializer_range": 0.08}},
    ("layers", "6"): {"model": {"num_hidden_layers": 6}},
    ("layers", "6, range 0.02"): {"model": {"num_hidden_layers": 6, "initializer_range": 0.02}},
    ("width", "128"): {"model": {"hidden_size": 128, "intermediate_size": 512}},
    ("peak rate", "3e-3"): {"optimizer": {"learning_rate": 3e-3}},
    ("peak rate", "3e-3, warm-up 300"): {"optimizer": {"learning_rate": 3e-3, "warmup_steps": 300}},
}
"""By what is changed and to what, the changes to the outcome of `tiny`."""


def variant(changes: dict, steps: int, seed: int, threads: int) -> presets.Preset:
    """`tiny` with ``changes`` to its outcome, trained on the pieces of ``steps`` steps of `tiny`."""
    outcome = presets.load("tiny").outcome.model_dump(mode="json")
    pieces = steps * outcome["batch_size"] * outcome["sequence_length"]
    for key, value in changes.items():
        outcome[key] = outcome[key] | value if isinstance(value, dict) else value
    own_steps = pieces // (outcome["batch_size"] * outcome["sequence_length"])
    outcome |= {"steps": own_steps, "checkpoints": [own_steps * quarter // 4 for quarter in range(5)], "seed": seed}
    outcome["held_out_sequences"] = 256
    values = {"name": "variant", "outcome": outcome, "speed": {"threads": threads}}
    return presets.validated(values, origin="recipes")


def trained(preset: presets.Preset) -> pd.DataFrame:
    """The evaluations of a run that is trained for them alone."""
    with tempfile.TemporaryDirectory() as home:
        folder = RunFolder(Path(home) / "run")
        pretrain(preset, folder, resume=False, console=Console(quiet=True))
        return losses.read(folder).dropna(subset=["held_out_masked_loss"])


def main(
    steps: Annotated[int, typer.Option(help="Steps of `tiny` whose pieces each variant reads.")] = 400,
    seeds: Annotated[int, typer.Option(help="Of every variant, from 0 on.")] = 2,
    threads: Annotated[int, typer.Option(help="Of the processor.")] = 2,
) -> None:
    done = read() if FILE.exists() else pd.DataFrame(columns=list(COLUMNS))
    if set(done["budget"]) - {steps}:
        raise SystemExit(f"{FILE} holds runs of {done['budget'].iloc[0]} steps; move it away, or ask for as many")
    for seed in range(seeds):
        for (factor, setting), changes in VARIANTS.items():
            if ((done["factor"] == factor) & (done["setting"] == setting) & (done["seed"] == seed)).any():
                continue
            run = trained(variant(changes, steps, seed, threads))
            rows = run.assign(factor=factor, setting=setting, seed=seed, budget=steps)[list(COLUMNS)]
            done = pd.concat([done, rows], ignore_index=True).astype(COLUMNS)
            write_table(FILE, done)
            last = rows.iloc[-1]
            print(f"{factor} {setting}, seed {seed}: {last['held_out_masked_loss']:.3f} nats", flush=True)
    record = {
        "command": f"python benchmarks/recipes.py --steps {steps} --seeds {seeds} --threads {threads}",
        "machine": manifest.processor(),
        "torch": str(torch.__version__),
        "commit": manifest.commit(),
    }
    write_yaml(FILE.with_name("study.yaml"), record)


if __name__ == "__main__":
    typer.run(main)
