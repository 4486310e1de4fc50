"""What lets a small ALBERT leave its plateau: variants of `tiny`, each trained for the same text.

    python benchmarks/recipes.py [--steps 800] [VARIANT …]

Prints a table in Markdown. Each variant reads as many pieces as `tiny` does in that many steps, with the
whole warm-up and decay. Runs go to a temporary folder; the prepared corpus is shared with other runs.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from embryology import losses, presets
from embryology.paths import RunFolder
from embryology.pretraining.loop import pretrain

VARIANTS: dict[str, dict] = {
    "tiny": {},
    "15% masked": {"objective": {"masked_share": 0.15}},
    "30% masked": {"objective": {"masked_share": 0.30}},
    "n-grams to 3": {"objective": {"longest_ngram": 3}},
    "sentence order at weight 1": {"objective": {"pair_weight": 1.0}},
    "32 sequences a step": {"sequences": 32},
    "4 layers": {"model": {"layers": 4}},
    "initial range 0.06": {"model": {"initializer_range": 0.06}},
    "peak rate 2e-3": {"optimizer": {"peak_rate": 2e-3}},
}


def variant(changes: dict, steps: int, seed: int) -> presets.Preset:
    """`tiny` with ``changes`` to its outcome, trained on the pieces of ``steps`` steps of `tiny`."""
    outcome = presets.load("tiny").outcome.model_dump(mode="json")
    own = steps * outcome["sequences"] // changes.get("sequences", outcome["sequences"])
    outcome |= {"steps": own, "checkpoints": [0, own // 2, own], "seed": seed}
    for key, value in changes.items():
        outcome[key] = outcome[key] | value if isinstance(value, dict) else value
    return presets.validated({"name": "variant", "outcome": outcome}, origin="recipes")


def main(
    variants: Annotated[list[str] | None, typer.Argument(help="Names of variants; all if left out.")] = None,
    steps: Annotated[int, typer.Option(help="Steps of `tiny` whose pieces each variant reads.")] = 800,
    seed: int = 0,
) -> None:
    print("| variant | held-out masked loss (nats) | below the unigram line | accuracy |")
    print("|---|---|---|---|", flush=True)
    for name in variants or VARIANTS:
        with tempfile.TemporaryDirectory() as home:
            folder = RunFolder(Path(home) / "run")
            pretrain(variant(VARIANTS[name], steps, seed), folder, resume=False, console=Console(quiet=True))
            logged = losses.read(folder)
        last = logged.iloc[-1]
        below = last["unigram_loss"] - last["held_out_masked_loss"]
        low, high = last["held_out_masked_loss_low"], last["held_out_masked_loss_high"]
        print(
            f"| {name} | {last['held_out_masked_loss']:.3f} ({low:.3f} to {high:.3f}) | {below:.3f} | "
            f"{last['held_out_masked_accuracy']:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    typer.run(main)
