"""Does training's memory grow, with time or with the corpus? Resident memory while batches are drawn.

    python benchmarks/memory.py runs/.corpora/KEY … [--times 10] [--steps 3000]

Prints a table in Markdown. Each prepared corpus is read in a process of its own, and once more with all its
documents ``--times`` times, which are written to a temporary folder. Anonymous memory is what the process
holds; file-backed memory is what the system keeps of the store as long as nobody needs the room. Linux only.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from numpy.lib.format import open_memmap

from embryology import presets
from embryology.corpus import tokenizer
from embryology.corpus.store import TokenStore
from embryology.presets import Objective
from embryology.pretraining.batches import Batches
from embryology.pretraining.heldout import HeldOut

SHAPE = {"batch_size": 16, "length": 64, "seed": 0}
STATIONS = 4
"""How often memory is read while batches are drawn."""


def resident() -> tuple[int, int]:
    """Anonymous and file-backed memory of this process, MB."""
    status = Path("/proc/self/status").read_text()
    return tuple(int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) // 1024 for name in ("RssAnon", "RssFile"))


def repeat(store: TokenStore, times: int, folder: Path) -> None:
    """Write ``store`` with all its documents ``times`` times."""
    for name in ("pieces", "sentences", "documents"):
        array = getattr(store, name)
        ends = 0 if name == "pieces" else 1  # offsets have one more than there are things
        size = len(array) - ends
        repeated = open_memmap(folder / f"{name}.npy", mode="w+", dtype=array.dtype, shape=(times * size + ends,))
        for number in range(times):
            repeated[number * size : (number + 1) * size + ends] = array + (number * array[-1] if ends else 0)
        repeated.flush()


def measure(train: Path, tokenizer_folder: Path, steps: int) -> None:
    """Print one row."""
    store, loaded = TokenStore.open(train), tokenizer.load(tokenizer_folder)
    memory = [resident()]
    batches = Batches(store, loaded, Objective(mlm_probability=0.4, max_ngram=1, pair_weight=0.1), **SHAPE)
    HeldOut.of(presets.load("tiny").outcome, store, store, loaded)  # counts every piece
    for step, _ in enumerate(batches.ahead(0, steps, [range(batches.batch_size)]), 1):
        if step == 1 or step % (steps // STATIONS) == 0:
            memory.append(resident())
    anonymous, of_files = (" → ".join(str(value) for value in column) for column in zip(*memory, strict=True))
    print(f"{len(store.pieces):,} | {len(batches.chunks):,} | {anonymous} | {of_files} |", flush=True)


def main(
    corpora: Annotated[list[Path], typer.Argument(help="Folders of prepared corpora.")],
    times: Annotated[int, typer.Option(help="Each one also so many times over.")] = 10,
    steps: Annotated[int, typer.Option(help="Batches drawn.")] = 3000,
    only: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    if only:
        measure(only, corpora[0] / "tokenizer", steps)
        return
    quarters = " → ".join(f"{steps * part // STATIONS:,}" for part in range(1, STATIONS + 1))
    print(f"| corpus | pieces | sequences an epoch | anonymous MB: before → 1 → {quarters} steps | file-backed MB |")
    print("|---|---|---|---|---|", flush=True)
    for corpus in corpora:
        with tempfile.TemporaryDirectory(dir=corpus.parent) as folder:
            repeat(TokenStore.open(corpus / "train"), times, Path(folder))
            for name, train in ((corpus.name, corpus / "train"), (f"{corpus.name} × {times}", Path(folder))):
                print(f"| {name} | ", end="", flush=True)
                command = [sys.executable, __file__, str(corpus), "--steps", str(steps), "--only", str(train)]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    typer.run(main)
