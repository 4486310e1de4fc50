"""What a report was made from: the run, its text, its checkpoints and its measurements, as tables."""

import html
from pathlib import Path

import pandas as pd
from IPython.display import HTML

from embryology import measurements
from embryology.errors import EmbryologyError
from embryology.files import read_json, read_yaml
from embryology.paths import RunFolder


def run(name: str | Path) -> HTML:
    """Preset, settings and sessions of a run, from its ``run.yaml``."""
    file = RunFolder.named(name).manifest
    if not file.is_file():
        return _absent(f"This series has no {file.name}: it was not trained here, or only its measurements are kept.")
    return _settings(read_yaml(file))


def corpus(name: str | Path) -> HTML:
    """Source, counts and hashes of the text, from ``corpus.json``."""
    file = RunFolder.named(name).corpus
    if not file.is_file():
        return _absent(f"This series has no {file.name}: on which text it was trained is not recorded here.")
    return _settings(read_json(file))


def checkpoints(name: str | Path) -> HTML:
    """Step, tokens, held-out loss and weights' hash of every checkpoint, from their ``checkpoint.json``."""
    files = sorted(RunFolder.named(name).checkpoints.glob("step-*/checkpoint.json"))
    if not files:
        return _absent("No checkpoint is kept here.")
    found = [read_json(file) for file in files]
    return _table(
        pd.DataFrame(
            {
                "step": [f"{checkpoint['step']:,}" for checkpoint in found],
                "tokens": [f"{checkpoint['tokens']:,}" for checkpoint in found],
                "epoch": [f"{checkpoint['epoch']:.2f}" for checkpoint in found],
                "held-out masked loss": [
                    _number(checkpoint["held_out"].get("held_out_masked_loss")) for checkpoint in found
                ],
                "sha256 of the weights": [checkpoint["sha256"][:16] for checkpoint in found],
            }
        )
    )


def measured(name: str | Path) -> HTML:
    """Which probes measured which checkpoints, and the keys of the measurements."""
    try:
        frame = measurements.read(name)
    except EmbryologyError as error:
        return _absent(str(error))
    groups = frame.groupby(["probe", "step"], sort=True)
    table = groups.agg(values=("value", "size"), key=("key", lambda keys: ", ".join(sorted({k[:16] for k in keys}))))
    table = table.reset_index()
    table["step"] = [f"{step:,}" for step in table["step"]]
    return _table(table)


def _settings(values: dict) -> HTML:
    return _table(pd.DataFrame(list(_flat(values)), columns=["setting", "value"]))


def _flat(value, name: str = ""):
    """Every leaf of nested mappings and lists with its dotted name; short lists of plain values are leaves."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for number, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{name} {number}")
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value))
    else:
        yield name, "none" if value is None else str(value)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _table(table: pd.DataFrame) -> HTML:
    # A long hash or command scrolls within its table, not the page.
    with pd.option_context("display.max_colwidth", None):
        body = table.to_html(index=False, border=0, escape=True, justify="left", classes="embryology-provenance")
    return HTML(f'<div style="overflow-x: auto">{body}</div>')


def _absent(sentence: str) -> HTML:
    return HTML(f"<p>{html.escape(sentence)}</p>")
