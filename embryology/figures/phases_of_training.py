"""What a figure of losses shows of the phases of a run, and whether its loss stopped falling at a constant rate."""

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes

from embryology.analysis.plateau import FEWEST, MARGIN, STOPPED, fall, plateau
from embryology.figures import style


def mark(axes: Iterable[Axes], rows: pd.DataFrame, x: str) -> str:
    """Draw a line where each phase but the last ends; returns what the caption says of it.

    Args:
        axes: of training.
        rows: the losses of one run.
        x: the column on the horizontal axes, ``step`` or ``tokens``.
    """
    ends = rows.groupby("phase")[["step", "tokens"]].max().iloc[:-1]
    for axis in axes:
        for number, at in enumerate(ends[x]):
            label = "_" if number else "a phase ends"
            axis.axvline(at, label=label, color=style.MUTED, linestyle="-.", linewidth=1.3)
    steps = style.listed([f"{step:,}" for step in ends["step"]])
    return f" Vertical, dot-dashed: phases end at step {steps}." if len(ends) else ""


def stopped(rows: pd.DataFrame) -> str:
    """Whether the held-out loss of one run had stopped falling, a sentence."""
    fell = fall(rows)
    if fell is None:
        return (
            "No phase of this run ends at a constant rate, so whether its loss has stopped falling cannot be told: a "
            "falling rate makes a plateau by itself."
        )
    quarter = f"the last quarter at a constant rate, steps {fell.first:,.0f} to {fell.last:,}"
    if fell.nats is None:
        return (
            f"Whether its loss has stopped falling cannot be told: {quarter}, has {fell.evaluations} of the {FEWEST} "
            "evaluations that are needed."
        )
    verdict = {
        True: f"less than {STOPPED} nats, so it had stopped falling",
        False: f"not less than {STOPPED} nats, so it was still falling",
        None: f"whether that is less than {STOPPED} nats, the rule for having stopped, cannot be told",
    }[fell.stopped]
    return (
        f"Over {quarter}, the held-out loss fell by {fell.nats:.3f} nats (95% interval {fell.low:.3f} to "
        f"{fell.high:.3f}, of a line through {fell.evaluations} evaluations): {verdict}."
    )


def around_the_unigram_line(table: pd.DataFrame) -> str:
    """Where the held-out loss stays at what frequency alone gives, as a clause."""
    stay = plateau(table)
    if stay.entered is None:
        return "the held-out loss has not come down to the unigram line"
    first = table.dropna(subset=["held_out_masked_loss"])["step"].min()
    if stay.left is not None and stay.left <= first:
        return f"the held-out loss is below the unigram line at the first checkpoint shown, step {first:,}"
    if stay.left is None:
        return f"from step {stay.entered:,.0f} on the held-out loss is within {MARGIN} nats of the unigram line"
    if stay.within < 2:
        before, after = stay.bracket
        return f"the held-out loss crosses the unigram line between steps {before:,.0f} and {after:,.0f}"
    return (
        f"the held-out loss is within {MARGIN} nats of the unigram line from step {stay.entered:,.0f} to "
        f"{stay.left:,.0f}, then falls"
    )
