"""Which runs differ by their seed alone."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from embryology.runs.paths import RunFolder
from embryology.storage.files import read_yaml

Run = str | Path


def pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Every two of ``runs`` that differ by their seed alone, in the order given."""
    outcomes = [(run, _outcome(run)) for run in dict.fromkeys(runs)]
    return [
        (one, other)
        for (one, own), (other, its) in combinations(outcomes, 2)
        if own and its and own | {"seed": None} == its | {"seed": None} and own.get("seed") != its.get("seed")
    ]


def _outcome(run: Run) -> dict:
    """What a run was made of; nothing of checkpoints that we did not train."""
    manifest = RunFolder.named(run).manifest
    return read_yaml(manifest).get("outcome", {}) if manifest.is_file() else {}
