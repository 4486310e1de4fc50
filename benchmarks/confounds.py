"""What one setting of training does to the words that a model knows: two runs that differ in it alone.

    embryology pretrain tiny-once --run tiny-once
    embryology pretrain tiny-epochs --run tiny-epochs
    embryology probe RUN --probe tokens
    python benchmarks/confounds.py RUN RUN [RUN …]

Runs are finished or frozen. Each effect that two of them tell takes the place of the one that is in
``embryology/studies/confounds/pairs.yaml``, with the commands that trained the two; the page "Twelve claims" shows it.
"""

import itertools
from typing import Annotated, Any

import torch
import typer

from embryology.analysis.claims import confounds
from embryology.runs import manifest
from embryology.runs.series import Series
from embryology.storage.files import read_yaml, write_yaml


def main(runs: Annotated[list[str], typer.Argument(help="Names or paths.")]) -> None:
    series = Series.open_all(runs)
    by_name = {each.name: each for each in series}
    kept = read_yaml(confounds.FILE)["pairs"] if confounds.FILE.exists() else []
    told: dict[str, list[dict[str, Any]]] = {}
    for setting in confounds.SETTINGS:
        found = confounds.pair(series, setting)
        if isinstance(found, str):
            print(f"{setting.name}: {found}")
            continue
        told[setting.name] = []
        for task, effect in found.items():
            trained = [by_name[name].manifest for name in effect.of.split(", ")]
            told[setting.name].append(
                {"confound": setting.name, "task": task, "of": effect.of}
                | {name: round(getattr(effect, name), 4) for name in ("value", "low", "high")}
                | {"trained by": [f"embryology pretrain {each.preset} --seed {each.outcome.seed}" for each in trained]}
                | {"machines": sorted({session.device for each in trained for session in each.sessions})}
                | {"commit": manifest.commit(), "torch": str(torch.__version__)}
            )
            print(f"{setting.name}, {task}: {effect.value:+.2f} ({effect.low:+.2f} to {effect.high:+.2f}){effect.unit}")
    if told:
        kept = [each for each in kept if each["confound"] not in told]
        write_yaml(confounds.FILE, {"pairs": [*kept, *itertools.chain.from_iterable(told.values())]})


if __name__ == "__main__":
    typer.run(main)
