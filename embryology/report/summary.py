"""A series as a terminal shows it: how it learnt, what was measured, and in which order words were learnt."""

from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from embryology.analysis import counterfactual, curves, tables
from embryology.analysis.learning_order import REACHED, in_order, learning_times, ranks
from embryology.runs import counterfactuals as replayed
from embryology.runs import measurements, misfit, steps
from embryology.runs.series import Series
from embryology.specs import registry, tokens

HELD_OUT = "held_out_"
TOKENS = tokens.SPECIFICATION


def summary(series: Series) -> list[Table | str]:
    """What ``embryology show`` prints: held-out values, what was measured, and the learning order, of what there is."""
    shown: list[Table | str] = []
    if series.losses is not None:
        shown.append(held_out(series.losses, series.name))
    shown.append(measured(series))
    if series.unit != "step":
        said = steps.SAID[series.unit].format(series.name)
        shown.append(f"{said[0].upper()}{said[1:]}.")
    if measurements.lacking(series, TOKENS.name) is None:
        frame = tables.read([series], TOKENS.name)
        items = measurements.read_items(series, TOKENS.name)
        shown += [order(frame, items, task) for task in TOKENS.tasks]
    return shown


def as_json(series: Series) -> dict[str, Any]:
    """What ``embryology show --json`` prints: the numbers of :func:`summary`, as JSON has them.

    What is not known, or no number, is None: so is the ``step`` of a group whose ``state`` is not ``reached``, and the
    upper end of an interval that has none.
    """
    orders = {}
    if measurements.lacking(series, TOKENS.name) is None:
        frame = tables.read([series], TOKENS.name)
        items = measurements.read_items(series, TOKENS.name)
        for task in TOKENS.tasks:
            orders[task] = {"source": measurements.source_of(items), "groups": _records(_order(frame, items, task))}
    rows = pd.DataFrame() if series.losses is None else _evaluated(series.losses)
    values = [column for column in rows if column.startswith(HELD_OUT) or column in ("step", "tokens", "unigram_loss")]
    return {
        "series": series.name,
        "counts": series.unit,
        "checkpoints": [checkpoint.step for checkpoint in series.checkpoints],
        "held_out": _records(rows[values]),
        "measured": _measured(series),
        "order": orders,
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Of a frame; JSON has neither ``nan`` nor ``inf``."""
    rows = frame.replace([np.inf, -np.inf], np.nan).to_dict("records")
    return [{key: None if pd.isna(value) else value for key, value in row.items()} for row in rows]


def _evaluated(losses: pd.DataFrame) -> pd.DataFrame:
    return losses.dropna(subset=[f"{HELD_OUT}masked_loss"])


def held_out(losses: pd.DataFrame, name: str) -> Table:
    """A row a checkpoint."""
    rows = _evaluated(losses)
    unigram = f"{rows['unigram_loss'].iloc[-1]:.3f}" if len(rows) else "?"
    table = Table(title=f"{name}: held-out text (unigram cross-entropy {unigram} nats)")
    shown = {"step": "{:,}", "tokens": "{:,}", "held_out_masked_loss": "{:.3f}", "held_out_masked_accuracy": "{:.3f}"}
    asked = [
        *("held_out_pair_accuracy", "held_out_surface_accuracy", "held_out_replaced_accuracy"),
        *("held_out_original_share", "held_out_replaced_auc", "held_out_frequency_auc"),
    ]
    shown |= {column: "{:.3f}" for column in asked if column in rows and rows[column].notna().any()}
    for column in shown:
        words = column.removeprefix(HELD_OUT).replace("_", " ")
        table.add_column(f"{words} (nats)" if words.endswith("loss") else words, justify="right")
    for row in rows.to_dict("records"):
        table.add_row(*(form.format(row[column]) for column, form in shown.items()))
    return table


def measured(series: Series) -> Table:
    """A row a probe: at how many checkpoints it measured what, what does not count, or why there is nothing."""
    table = Table(title=f"{series.name}: {len(series.checkpoints)} checkpoints, measured by")
    for column in ("probe", "checkpoints", "steps", ""):
        table.add_column(column, justify="right" if column == "checkpoints" else "left")
    for row in _measured(series):
        if row["lacking"]:
            table.add_row(row["probe"], "", "", row["lacking"])
        else:
            notes = [f"taken with {difference}" for difference in row["taken_with"]]
            notes += [row["misfit"]] if row["misfit"] else []
            if row["set_aside"]:
                listed = ", ".join(f"{step:,}" for step in row["set_aside"])
                notes.append(f"set aside, of other settings, data or weights: step {listed}")
            steps = row["steps"]
            table.add_row(row["probe"], str(len(steps)), f"{steps[0]:,} to {steps[-1]:,}", "; ".join(notes))
    return table


def _measured(series: Series) -> list[dict[str, Any]]:
    """A row a probe, all with the same keys."""
    aside, standing, rows = measurements.set_aside(series), measurements.standing(series.folder), []
    for name in registry.specifications():
        row: dict[str, Any] = {"probe": name, "lacking": measurements.lacking(series, name)}
        row |= {"steps": [], "set_aside": aside.get(name, []), "taken_with": [], "misfit": None}
        if not row["lacking"]:
            frame = measurements.read(series, name)
            row["steps"] = sorted(frame["step"].unique().tolist())
            row |= {"taken_with": measurements.machines(frame), "misfit": misfit.misfit(series, standing[name])}
        rows.append(row)
    return rows


def order(frame: pd.DataFrame, items: pd.DataFrame, task: str) -> Table:
    """A row a group, first learnt first; groups of one rank are not told apart."""
    table = Table(title=f"{task}: halfway from the best blind answer to the end, {measurements.source_of(items)}")
    for column in ("group", "rank", "step", "95% interval", "blind", "final", "words"):
        table.add_column(column, justify="right" if column != "group" else "left")
    for row in _order(frame, items, task).to_dict("records"):
        reached = row["state"] == REACHED
        step = f"{row['step']:,.0f}" if reached else row["state"]
        interval = f"{row['low']:,.0f} to {row['high']:,.0f}".replace("to inf", "or later") if reached else ""
        rank = "" if row["rank"] is None else str(row["rank"])
        numbers = f"{row['blind']:.2f}", f"{row['final']:.2f}", f"{row['n']:,}"
        table.add_row(f"{row['group']} {row['name']}", rank, step, interval, *numbers)
    return table


def _order(frame: pd.DataFrame, items: pd.DataFrame, task: str) -> pd.DataFrame:
    """A row a group, first learnt first; step and interval of those alone that were reached."""
    times, names = learning_times(frame, items, task), curves.groups(frame)
    rank = {tag: number for number, tags in enumerate(ranks(times), start=1) for tag in tags}
    rows = []
    for tag in in_order(times):
        row = times.loc[tag]
        reached = row["state"] == REACHED
        ends = {column: float(row[column]) if reached else None for column in ("step", "low", "high")}
        known = {"group": tag, "name": names[tag], "rank": rank.get(tag), "state": row["state"], **ends}
        rows.append(known | {"blind": float(row["blind"]), "final": float(row["final"]), "n": int(row["n"])})
    return pd.DataFrame(rows, dtype=object)


def counterfactuals(series: Series, start: int) -> Table:
    """A row a thing that was not read after step ``start``, as its items stand at the last checkpoint."""
    effects = replayed.read(series, start)
    table = Table(
        title=f"{series.name} from step {start}: without one thing, in nats at step {effects['step'].max():,}"
    )
    for column in ("not read", "sequences", "asked for in", "items", "effect", "noise floor", "95% of other items"):
        table.add_column(column, justify="left" if column == "not read" else "right")
    for row in counterfactual.of_things(effects).itertuples():
        own = [f"{value:+.3f}" if np.isfinite(value) else "not asked" for value in (row.without, row.floor)]
        noise = f"{row.low:+.3f} to {row.high:+.3f}" if np.isfinite(row.low) else ""
        table.add_row(row.query, f"{row.sequences:,}", f"{row.masked:,}", f"{row.items:,}", *own, noise)
    return table
