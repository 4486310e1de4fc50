"""What a report was made from: the run, its text, its checkpoints and its measurements, as tables."""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML

from embryology.errors import EmbryologyError
from embryology.figures import style
from embryology.runs import measurements
from embryology.runs.paths import RunFolder
from embryology.storage.files import read_json, read_yaml

UNKNOWN = "not recorded"


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
    return style.table(
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
    return style.table(table)


def about(name: str | Path) -> HTML:
    """Which run a page is about, and whether it is frozen: a sentence or two."""
    facts = {key: html.escape(value) for key, value in _facts(name).items()}
    frozen = (
        " It was not trained for this build. It is frozen: its measurements are kept, its checkpoints are not."
        if RunFolder.named(name).frozen.exists()
        else ""
    )
    return HTML(
        f"<p>This page is about the run <strong>{facts['run']}</strong>, made by <code>{facts['command']}</code> with "
        f"seed {facts['seed']} on {facts['machine']}. It read {facts['tokens read']} tokens.{frozen}</p>"
    )


def side_by_side(name: str | Path, compare: Sequence[str | Path] = ()) -> HTML:
    """Where runs come from, a column each: machine, command, seed, tokens, size, text."""
    facts = [_facts(each) for each in dict.fromkeys([name, *compare])]
    table = pd.DataFrame(facts).set_index("run").T.reset_index(names="run").rename_axis(columns=None)
    return style.table(table)


def _facts(name: str | Path) -> dict[str, str]:
    """What a manifest, the facts of the text and the losses say of a run; parts may be missing."""
    folder = RunFolder.named(name)
    manifest = read_yaml(folder.manifest) if folder.manifest.is_file() else {}
    text = read_json(folder.corpus) if folder.corpus.is_file() else {}
    outcome, session = manifest.get("outcome", {}), (manifest.get("sessions") or [{}])[0]
    model, train = outcome.get("model", {}), text.get("train", {})
    losses = measurements.read_losses(name) if folder.losses.is_file() else pd.DataFrame()
    tokens = losses["tokens"].iloc[-1] if len(losses) else None
    speed = losses["tokens_per_second"].median() if len(losses) else None
    found = {
        "run": folder.name,
        "origin": "frozen, not trained for this build" if folder.frozen.exists() else "the runs folder",
        "command": session.get("command"),
        "machine": session.get("device"),
        "threads": session.get("speed", {}).get("threads"),
        "sessions of training": len(manifest.get("sessions", [])) or None,
        "commit": (session.get("commit") or "")[:12] or None,
        "seed": outcome.get("seed"),
        "model": f"{model['num_hidden_layers']} layers of hidden size {model['hidden_size']}" if model else None,
        "pieces of the vocabulary": text.get("vocab_size"),
        "text": text.get("source"),
        "words of training text": train.get("words"),
        "steps": outcome.get("steps"),
        "tokens read": tokens,
        "time of training, by median speed": _hours(tokens / speed) if speed else None,
        "checkpoints": len(outcome.get("checkpoints", [])) or None,
    }
    return {key: _said(value) for key, value in found.items()}


def _said(value) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds > 2 * 3600 else f"{seconds / 60:.0f} minutes"


def _settings(values: dict) -> HTML:
    return style.table(pd.DataFrame(list(_flat(values)), columns=["setting", "value"]))


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


def _absent(sentence: str) -> HTML:
    return HTML(f"<p>{html.escape(sentence)}</p>")
