"""What a report was made from: the run, its text, its checkpoints and its measurements, as tables."""

import html
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from embryology.errors import EmbryologyError
from embryology.figures import audit, chart, looks, origin, style
from embryology.runs import measurements, misfit
from embryology.runs.checkpoints import RECORD
from embryology.runs.series import Series
from embryology.runs.steps import SAID
from embryology.specs import NOT_APPLICABLE
from embryology.storage.files import read_json

UNKNOWN = "not recorded"


def run(series: Series) -> HTML:
    """Preset, settings and sessions of a series, from its ``run.yaml``; of others' what is said of it."""
    if series.manifest is None:
        name = series.folder.manifest.name
        said = style.paragraph(f"This series has no {name}, as it was not trained here.")
        record = series.record.model_dump(mode="json", exclude_defaults=True)
        return HTML(said.data + (_settings(record).data if record else ""))
    return _settings(series.manifest.model_dump(mode="json", exclude_unset=True))


def corpus(series: Series) -> HTML:
    """Source, counts and hashes of the text, from ``corpus.json``."""
    text = _text(series)
    if not text:
        return style.paragraph(
            f"This series has no {series.folder.corpus.name}: on which text it was trained is not recorded here."
        )
    return _settings(text)


def checkpoints(series: Series, steps: str = "all") -> HTML:
    """Step, tokens, held-out loss and weights' hash of chosen checkpoints, as far as they were recorded.

    Of others' checkpoints also their names and, on the Hub, their commits, and no column of which nothing is known.
    """
    rows = []
    step = "step" if series.unit == "step" else f"step ({style.STEPS[series.unit][0]})"
    for checkpoint in series.select(str(steps)):
        file = checkpoint.location / RECORD
        record = read_json(file) if checkpoint.recorded and file.is_file() else {}
        rows.append(
            {
                step: f"{checkpoint.step:,}",
                "tokens": _value(checkpoint.tokens),
                "epoch": f"{record['epoch']:.2f}" if "epoch" in record else UNKNOWN,
                "held-out masked loss": _loss(record),
                "sha256 of the weights": checkpoint.recorded[:16] if checkpoint.recorded else UNKNOWN,
            }
        )
    table = pd.DataFrame(rows)
    if series.manifest is None:
        chosen = series.select(str(steps))
        table.insert(1, "name", [checkpoint.label for checkpoint in chosen])
        table.insert(2, "commit", [checkpoint.commit[:12] or UNKNOWN for checkpoint in chosen])
        table = table.loc[:, (table != UNKNOWN).any()]
    return style.table(table)


def measured(series: Series) -> HTML:
    """Which probes measured which checkpoints, and the keys of the measurements."""
    try:
        frame = measurements.read(series)
    except EmbryologyError as error:
        return style.paragraph(str(error))
    nothing = frame[frame["metric"] == NOT_APPLICABLE]
    groups = frame.drop(nothing.index).groupby(["probe", "step"], sort=True)
    table = groups.agg(values=("value", "size"), key=("key", lambda keys: ", ".join(sorted({k[:16] for k in keys}))))
    table = table.reset_index()
    table["step"] = [f"{step:,}" for step in table["step"]]
    lacking = nothing.groupby(["probe", "reason"], as_index=False).agg(step=("step", "nunique"))
    lacking["step"] = [f"{count:,} checkpoints" for count in lacking["step"]]
    lacking = lacking.assign(values="does not apply: " + lacking["reason"], key="").drop(columns="reason")
    table = pd.concat([table, lacking])
    aside = measurements.set_aside(series)
    listed = "; ".join(f"{probe} at step {', '.join(f'{step:,}' for step in aside[probe])}" for probe in aside)
    note = f"<p>Set aside, as they are of other settings, data or weights: {listed}.</p>" if aside else ""
    return HTML(style.table(table).data + note)


def about(series: Sequence[Series], *probes: str) -> HTML:
    """Which series a page is about, and whether it is frozen.

    What has to be known of the ``probes``' measurements of any of ``series`` stands below every figure from here on.
    """
    note(series, *probes)
    return HTML(f"<p>{' '.join(filter(None, [_about(series[0]), html.escape(audit.warning(series[0]))]))}</p>")


def note(series: Sequence[Series], *probes: str) -> None:
    """Let every figure from here on say where data do not fit, measurements were not taken alike, or a step is none."""
    remarks = [remark for each in series for remark in _remarks(each, probes)]
    for unit, sentence in SAID.items():
        if unit != "step" and (counting := [each.name for each in series if each.unit == unit]):
            remarks.append(sentence.format(style.some(counting)))
    if probes and (others := [each.name for each in series if each.manifest is None]):
        remarks.append(f"whether {style.some(others)} read the test text in training is not known")
    if probes and (late := [each.name for each in series if each.checkpoints[0].step != 0]):
        remarks.append(f"without a checkpoint at step 0 there is no untrained model beside {style.some(late)}")
    others = [each.name for each in series if each.losses is not None and each.version != series[0].version]
    if others:
        remarks.append(
            f"held-out losses of {style.listed(others)} are not drawn beside those of {series[0].name}: another "
            "version of training asked otherwise"
        )
    style.note(" ".join(f"Note: {remark}." for remark in remarks))
    style.counts(series[0].unit)
    origin.told([_numbers(each) for each in series])
    chart.know(series)
    looks.know(series)


def _remarks(series: Series, probes: Sequence[str]) -> Iterator[str]:
    standing = measurements.standing(series.folder)
    for probe in probes:
        if probe not in standing:
            continue
        if wrong := misfit.misfit(series, standing[probe]):
            yield f"{series.name}: {wrong}"
        frame = measurements.read(series, probe)
        if set(frame["model"]) == {"electra"} and set(frame["objective"]) == {"masked"} and series.manifest:
            yield f"{probe} read the generator of {series.name}, as its discriminator predicts no words"
        if differences := measurements.machines(frame):
            yield (
                f"the checkpoints of {series.name} were measured by {probe} with {', '.join(differences)}, so that "
                "small differences between them may be rounding"
            )


def _about(series: Series) -> str:
    values = {key: html.escape(value) for key, value in _numbers(series).items()}
    if series.manifest is None:
        first, last = (f"{checkpoint.step:,}" for checkpoint in (series.checkpoints[0], series.checkpoints[-1]))
        counted = f" {SAID[series.unit].format('this series')}." if series.unit != "step" else ""
        return (
            f"This page is about the checkpoints <strong>{values['run']}</strong>, {values['checkpoints']} of them, "
            f"from step {first} to step {last}. They were not trained here.{counted[:2].upper()}{counted[2:]}"
        )
    frozen = (
        " It was not trained for this build. It is frozen: its measurements are kept, its checkpoints are not."
        if series.is_frozen
        else ""
    )
    origin = series.manifest.origin
    begun = ""
    if origin and origin.state_sha256:
        begun = f" Up to step {origin.step:,} it is the run {html.escape(origin.run)}."
    elif origin:
        begun = f" It began with the weights of {html.escape(origin.run)} at step {origin.step:,}, made larger."
    return (
        f"This page is about the run <strong>{values['run']}</strong>, made by <code>{values['command']}</code> "
        f"with seed {values['seed']} on {values['machine']}. It read {values['tokens read']} tokens.{begun}{frozen}"
    )


def side_by_side(series: Sequence[Series]) -> HTML:
    """Where series come from, a column each: machine, command, seed, tokens, size, text."""
    columns = pd.DataFrame([_numbers(each) for each in series])
    return style.table(columns.set_index("run").T.reset_index(names="run").rename_axis(columns=None))


def _numbers(series: Series) -> dict[str, str]:
    """What the manifest, the record of the text and the losses say of a series; each may be missing."""
    values: dict[str, Any] = {"run": series.name, "origin": _origin(series)}
    values |= dict.fromkeys(["command", "machine", "threads", "sessions of training", "commit", "seed", "model"])
    text = _text(series)
    values |= {
        "pieces of the vocabulary": text.get("vocab_size"),
        "text": text.get("source"),
        "words of training text": text.get("train", {}).get("words"),
        "steps": series.checkpoints[-1].step,
        "tokens read": series.checkpoints[-1].tokens,
        "time of training, by median speed": None,
        "checkpoints": len(series.checkpoints),
    }
    if series.losses is not None and len(series.losses):
        tokens, speed = series.losses["tokens"].iloc[-1], series.losses["tokens_per_second"].median()
        values["tokens read"] = tokens
        values["time of training, by median speed"] = _hours(tokens / speed) if speed else None
    if series.manifest is not None:
        outcome, sessions = series.manifest.outcome, series.manifest.sessions
        values |= {
            "sessions of training": len(sessions) or None,
            "seed": outcome.seed,
            "model": f"{outcome.model.num_hidden_layers} layers of hidden size {outcome.model.hidden_size}",
            "steps": outcome.steps,
            "checkpoints": len(outcome.checkpoints),
        }
        if sessions:
            values |= {
                "command": sessions[0].command,
                "machine": sessions[0].device,
                "threads": sessions[0].speed.threads,
                "commit": (sessions[0].commit or "")[:12] or None,
            }
    return {key: _value(value) for key, value in values.items()}


def _origin(series: Series) -> str:
    if series.is_frozen:
        return "frozen, not trained for this build"
    return "the runs folder" if series.manifest else "checkpoints made by others"


def _text(series: Series) -> dict[str, Any]:
    """The record of the training text; empty where there is none."""
    return read_json(series.folder.corpus) if series.folder.corpus.is_file() else {}


def _value(value: Any) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds > 2 * 3600 else f"{seconds / 60:.0f} minutes"


def _settings(values: dict[str, Any]) -> HTML:
    return style.table(pd.DataFrame(list(_flat(values)), columns=["setting", "value"]))


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
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


def _loss(record: dict[str, Any]) -> str:
    """The held-out masked loss of a checkpoint's record, in nats."""
    if not record:
        return UNKNOWN
    loss = record.get("held_out", {}).get("held_out_masked_loss")
    return "none" if loss is None else f"{loss:.3f}"
