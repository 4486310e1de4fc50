"""The recipe study: variants of `tiny` at equal text, and which of them differ from it by more than seeds do."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from embryology.analysis.plateau import plateau
from embryology.errors import EmbryologyError
from embryology.runs.paths import STUDIES
from embryology.storage.files import read_table, read_yaml

FILE = STUDIES / "recipes" / "runs.parquet"
COLUMNS = {
    "factor": "string",
    "setting": "string",
    "seed": "int64",
    "budget": "int64",
    "step": "int64",
    "tokens": "int64",
    "held_out_masked_loss": "float64",
    "held_out_masked_accuracy": "float64",
    "unigram_loss": "float64",
    "gradient_norm": "float64",
}
"""A row an evaluation: what was changed and to what, the seed, how many steps of `tiny` the text of a run
would be, and of ``losses.parquet`` the columns of these names."""
BASE = ("tiny", "as it is")


def read(file: Path = FILE) -> pd.DataFrame:
    """The evaluations of all runs, in the order of the study.

    Raises:
        EmbryologyError: the file is missing.
    """
    if not file.is_file():
        raise EmbryologyError(f"{file} is missing; restore it from the repository, or run benchmarks/recipes.py")
    return read_table(file).to_pandas()


def made(file: Path = FILE) -> dict[str, str]:
    """The command that made the study, the machine and the versions."""
    return dict(read_yaml(file.with_name("study.yaml")))


def compared(runs: pd.DataFrame) -> pd.DataFrame:
    """How far each variant ends below its unigram line, and how much further than `tiny`.

    Args:
        runs: of :func:`read`, with at least two seeds.

    Returns:
        A row a variant in the order of the study: ``factor``, ``setting``; ``below``, mean over seeds of
        unigram cross-entropy minus held-out masked loss (nats), and ``seeds``, a tuple with that of each seed;
        ``difference`` from `tiny` with ``low`` and ``high``, simultaneous 95% intervals of Dunnett (1955), which
        take it that seeds vary alike in all variants (nan of `tiny` itself); ``left``, a tuple with the
        tokens (millions) where each seed was 0.1 nats below, nan where it never was.
    """
    rows = []
    for (factor, setting), variant in runs.groupby(["factor", "setting"], sort=False):
        seeds = [seed.sort_values("step") for _, seed in variant.groupby("seed")]
        ends = [seed.iloc[-1] for seed in seeds]
        rows.append(
            {
                "factor": factor,
                "setting": setting,
                "seeds": tuple(end["unigram_loss"] - end["held_out_masked_loss"] for end in ends),
                "left": tuple(_left(seed) for seed in seeds),
            }
        )
    table = pd.DataFrame(rows)
    table["below"] = table["seeds"].map(np.mean)
    base = (table["factor"] == BASE[0]) & (table["setting"] == BASE[1])
    control = table.loc[base, "seeds"].item()
    comparison = stats.dunnett(*table.loc[~base, "seeds"], control=control, rng=np.random.default_rng(0))
    interval = comparison.confidence_interval(0.95)
    table["difference"] = table["below"] - np.mean(control)
    table.loc[~base, ["low", "high"]] = np.column_stack([interval.low, interval.high])
    return table


def _left(run: pd.DataFrame) -> float:
    """Millions of tokens at which the plateau was left, linear between evaluations."""
    step = plateau(run).left
    return np.nan if step is None else float(np.interp(step, run["step"], run["tokens"])) / 1e6
