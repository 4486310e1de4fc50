"""A series as a terminal shows it: how it learnt, what was measured, and in which order words were learnt."""

import pandas as pd
from rich.table import Table

from embryology.analysis import curves, tables
from embryology.analysis.learning_order import REACHED, in_order, learning_times, ranks
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import registry, tokens


def summary(series: Series) -> list[Table | str]:
    """What ``embryology show`` prints: held-out values, what was measured, and the learning order, of what there is."""
    shown: list[Table | str] = []
    if series.losses is not None:
        shown.append(held_out(series.losses, series.name))
    shown.append(measured(series))
    if series.unit != "step":
        shown.append(f"The checkpoints say how many {series.unit} were read, which is here the step.")
    if measurements.lacking(series, tokens.SPECIFICATION.name) is None:
        frame = tables.read([series], tokens.SPECIFICATION.name)
        items = measurements.read_items(series, tokens.SPECIFICATION.name)
        shown += [order(frame, items, task) for task in tokens.SPECIFICATION.tasks]
    return shown


def held_out(losses: pd.DataFrame, name: str) -> Table:
    """A row a checkpoint."""
    rows = losses.dropna(subset=["held_out_masked_loss"])
    unigram = f"{rows['unigram_loss'].iloc[-1]:.3f}" if len(rows) else "?"
    table = Table(title=f"{name}: held-out text (unigram cross-entropy {unigram} nats)")
    shown = {"step": "{:,}", "tokens": "{:,}", "held_out_masked_loss": "{:.3f}", "held_out_masked_accuracy": "{:.3f}"}
    asked = [
        *("held_out_pair_accuracy", "held_out_surface_accuracy", "held_out_replaced_accuracy"),
        *("held_out_original_share", "held_out_replaced_auc", "held_out_frequency_auc"),
    ]
    shown |= {column: "{:.3f}" for column in asked if column in rows and rows[column].notna().any()}
    for column in shown:
        words = column.removeprefix("held_out_").replace("_", " ")
        table.add_column(f"{words} (nats)" if words.endswith("loss") else words, justify="right")
    for row in rows.to_dict("records"):
        table.add_row(*(form.format(row[column]) for column, form in shown.items()))
    return table


def measured(series: Series) -> Table:
    """A row a probe: at how many checkpoints it measured what, what does not count, or why there is nothing."""
    table = Table(title=f"{series.name}: {len(series.checkpoints)} checkpoints, measured by")
    for column in ("probe", "checkpoints", "steps", ""):
        table.add_column(column, justify="right" if column == "checkpoints" else "left")
    aside, standing = measurements.set_aside(series), measurements.standing(series.folder)
    for name in registry.specifications():
        reason = measurements.lacking(series, name)
        if reason:
            table.add_row(name, "", "", reason)
        else:
            frame = measurements.read(series, name)
            steps = sorted(frame["step"].unique())
            notes = [f"taken with {difference}" for difference in measurements.machines(frame)]
            if wrong := measurements.misfit(series, standing[name]):
                notes.append(wrong)
            if name in aside:
                listed = ", ".join(f"{step:,}" for step in aside[name])
                notes.append(f"set aside, of other settings, data or weights: step {listed}")
            table.add_row(name, str(len(steps)), f"{steps[0]:,} to {steps[-1]:,}", "; ".join(notes))
    return table


def order(frame: pd.DataFrame, items: pd.DataFrame, task: str) -> Table:
    """A row a group, first learnt first; groups of one rank are not told apart."""
    times, names = learning_times(frame, items, task), curves.groups(frame)
    rank = {tag: str(number) for number, tags in enumerate(ranks(times), start=1) for tag in tags}
    table = Table(title=f"{task}: halfway from the best blind answer to the end, {measurements.source_of(items)}")
    for column in ("group", "rank", "step", "95% interval", "blind", "final", "words"):
        table.add_column(column, justify="right" if column != "group" else "left")
    for tag in in_order(times):
        row = times.loc[tag]
        step = f"{row['step']:,.0f}" if row["state"] == REACHED else row["state"]
        interval = f"{row['low']:,.0f} to {row['high']:,.0f}" if row["state"] == REACHED else ""
        numbers = f"{row['blind']:.2f}", f"{row['final']:.2f}", f"{row['n']:,}"
        table.add_row(f"{tag} {names[tag]}", rank.get(tag, ""), step, interval.replace("to inf", "or later"), *numbers)
    return table
