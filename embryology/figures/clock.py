"""One clock: when everything that was measured of a run came, on one axis."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import attention, clock, phases, plateau, training
from embryology.analysis.clock import ATTENTION, FACTS, FREQUENCY, GRAMMAR, KINDS, NGRAMS, WORDS
from embryology.analysis.learning_order import REACHED
from embryology.analysis.suddenness import verdict
from embryology.errors import EmbryologyError
from embryology.figures import answers, chart, style
from embryology.figures.learning_order import doublings
from embryology.figures.phases import NAMES
from embryology.runs.series import Series

DEFINITIONS = (
    "Words, attention, grammar and facts: halfway from the best blind answer to the mean of the last three "
    "checkpoints. Vectors: half of the gain from the first to the last checkpoint. Frequency and n-grams: where "
    "they cross for good"
)
LABELS = {"step": "training step", "tokens": "tokens read", "nats": "nats below the unigram cross-entropy, held-out"}
NORM = "gradient norm"


class Clock(NamedTuple):
    """Of one series, as of :func:`read`."""

    times: pd.DataFrame
    """Of :func:`embryology.analysis.clock.read`, things by the names that people read."""
    series: Series
    losses: pd.DataFrame
    """Of :func:`embryology.analysis.plateau.read`."""


def read(series: Sequence[Series], steps: str = "all") -> list[Clock]:
    """All times of each series.

    Args:
        series: the one that is reported on, then those it is compared with.
        steps: which checkpoints of the first, as of :func:`embryology.analysis.tables.read`.
    """
    return [_read(each, "all" if number else steps) for number, each in enumerate(series)]


def _read(series: Series, steps: str) -> Clock:
    times = clock.read(series, steps)
    names = [
        f"{NAMES[row.what]} explain{'s' if row.what != phases.BOTH else ''} more than frequency"
        if row.kind == NGRAMS
        else row.what
        for row in times.itertuples()
    ]
    return Clock(times.assign(what=names), series, plateau.read([series], steps))


def by_training(clocks: Sequence[Clock]) -> HTML:
    """The times by tokens read, or steps where tokens of any series are not known, below the losses of the first."""
    known = all(each.tokens is not None for told in clocks for each in told.series.checkpoints)
    return _drawn(clocks, "tokens" if known else "step")


def by_loss(clocks: Sequence[Clock]) -> HTML:
    """The times by how far the held-out loss had fallen, on which runs of different size compare."""
    return _drawn(clocks, "nats")


def until(clocks: Sequence[Clock], step: int) -> HTML:
    """The times by steps with a line at ``step``: what has come, and what is to come."""
    return _drawn(clocks, "step", step)


@style.styled
def _drawn(clocks: Sequence[Clock], axis: str, here: int | None = None) -> HTML:
    told, name = clocks[0], clocks[0].series.name
    if not (told.times["state"] == REACHED).any():
        return style.paragraph(f"Not drawn for {name}: nothing that was measured has a time.")
    try:
        table, *others = (_on_axis(each, axis) for each in clocks)
    except EmbryologyError as error:
        return style.paragraph(f"Not drawn: {error}.")
    losses = told.losses if axis != "nats" and here is None else told.losses[:0]
    falls = len(losses) > 0
    height = 1.6 + 0.27 * len(table)
    ratios = [1.3, 1.0, height] if falls else [height]
    figure, panels = style.panels(
        len(ratios), 1, 7.5, sum(ratios) + 0.6, sharex=True, gridspec_kw={"height_ratios": ratios}
    )
    move = _mover(told.series, axis)
    at = np.sort(move(np.array([each.step for each in told.series.checkpoints], float)))
    _times(panels[-1], table, at)
    for number, other in enumerate(others):
        _beside(panels[-1], table, other, number)
    if falls:
        _losses(panels[0], panels[1], losses, move)
    if axis == "nats":
        panels[-1].set_xlabel(LABELS[axis])
    else:
        style.training_axis(panels[-1], at, LABELS[axis])
        for panel in panels[:-1]:
            panel.set_xlabel("")
    if here is not None:
        panels[-1].axvline(here, color=style.ALERT, linestyle=style.DASHED, label=f"step {here:,}")
    style.legend(figure, panels[-1:], 4)
    answer = _answer(told.times) if here is None else _so_far(told.times, here)
    along = " Above, the loss of masked words on held-out text with its unigram line, and the gradient norm." * falls
    beside = f" Hollow: the same of {style.listed([each.series.name for each in clocks[1:]])}." * bool(others)
    return style.show(
        figure,
        f"clock-{axis}",
        answer,
        pd.concat([table, *others, *_beside_losses(losses)], ignore_index=True),
        f"What comes when, in {name}? Each dot is the time at which one thing comes, each bar its 95% interval, whose "
        f"ends are checkpoints.{beside} {DEFINITIONS}.{along}{' Dashed: this checkpoint.' * (here is not None)}",
        f"Dot plot of {len(table)} times with intervals, the earliest on top. {answer}.",
    )


def _on_axis(told: Clock, axis: str) -> pd.DataFrame:
    came = told.times[told.times["state"] == REACHED]
    return training.on_axis(told.series, came, axis).assign(series=told.series.name)


def _mover(series: Series, axis: str) -> Callable[[np.ndarray], np.ndarray]:
    def moved(steps: np.ndarray) -> np.ndarray:
        table = pd.DataFrame({"step": steps, "low": steps, "high": steps})
        return training.on_axis(series, table, axis)["step"].to_numpy(float)

    return moved


def _times(axis: style.Axes, table: pd.DataFrame, at: np.ndarray) -> None:
    """A row a thing, its kind by colour and marker; open ends reach the edge of the checkpoints."""
    lines = dict(zip(KINDS, (("#222222", "X", "-"), *style.LINES), strict=True))
    places = np.arange(len(table))
    for kind in KINDS:
        own = (table["kind"] == kind).to_numpy()
        if own.any():
            colour, marker, _ = lines[kind]
            low, high = (table.loc[own, end].clip(at[0], at[-1]) for end in ("low", "high"))
            axis.hlines(places[own], low, high, color=colour, linewidth=2)
            look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 6, "linestyle": ""}
            (dots,) = axis.plot(table.loc[own, "step"], places[own], **look, label=kind)
            chart.remember(dots, table[own], across=True)
    axis.set_yticks(places, table["what"])
    axis.set_ylim(len(table) - 0.5, -0.5)


def _beside(axis: style.Axes, table: pd.DataFrame, other: pd.DataFrame, number: int) -> None:
    """The times of another series in the rows of the same things, hollow and a little below."""
    rows = {thing: place for place, thing in enumerate(zip(table["kind"], table["what"], strict=True))}
    places = pd.Series(
        [rows.get(thing) for thing in zip(other["kind"], other["what"], strict=True)], other.index, float
    )
    own, at = other[places.notna()], places.dropna().to_numpy() + 0.2 * (number + 1)
    left, right = axis.get_xlim()
    axis.hlines(at, own["low"].clip(left, right), own["high"].clip(left, right), color=style.MUTED, linewidth=1)
    marker = style.LINES[number % len(style.LINES)][1]
    label = str(other["series"].iloc[0]) if len(other) else None
    hollow: dict[str, Any] = {"markerfacecolor": "white", "markersize": 5, "linestyle": "", "color": style.MUTED}
    (dots,) = axis.plot(own["step"], at, marker=marker, label=label, **hollow)
    chart.remember(dots, own, across=True)


def _losses(above: style.Axes, below: style.Axes, losses: pd.DataFrame, move: Callable[..., np.ndarray]) -> None:
    held_out = losses.dropna(subset=["held_out_masked_loss"])
    steps = move(held_out["step"].to_numpy(float))
    above.plot(steps, held_out["held_out_masked_loss"], color=style.INK, marker="o", markersize=3)
    above.plot(steps, held_out["unigram_loss"], color=style.INK, linestyle=style.DASHED, linewidth=1.3)
    above.set_ylabel("loss (nats)")
    norms = losses.dropna(subset=["gradient_norm"])
    below.plot(move(norms["step"].to_numpy(float)), norms["gradient_norm"], color=style.MUTED, linewidth=1)
    below.set_ylabel(NORM)


def _beside_losses(losses: pd.DataFrame) -> list[pd.DataFrame]:
    """What is drawn above the times, for the CSV: a row a value, of which ``what`` says what it is."""
    columns = {"held_out_masked_loss": "held-out masked loss", "unigram_loss": "unigram line", "gradient_norm": NORM}
    rows = (losses.dropna(subset=[column]) for column in columns)
    return [
        pd.DataFrame({"what": what, "step": own["step"], "value": own[column]})
        for (column, what), own in zip(columns.items(), rows, strict=True)
    ]


def _answer(times: pd.DataFrame) -> str:
    """What comes first and what last, and whether intervals tell them apart."""
    came = times[times["state"] == REACHED]
    if came.empty:
        return "Nothing that was measured has a time"
    first, last = came.iloc[0], came.iloc[-1]
    if len(came) == 1:
        return f"One thing has a time: {first['what']}, step {style.stepped(first)}"
    apart = first["high"] <= last["low"]
    told = "" if apart else "; their intervals overlap"
    return (
        f"First comes: {first['what']}, step {style.stepped(first)}; last: {last['what']}, step {style.stepped(last)}"
        f"{told}"
    )


def _so_far(times: pd.DataFrame, step: int) -> str:
    """How many things have come by ``step``, by their whole intervals, and how many are to come."""
    came = times[times["state"] == REACHED]
    if came.empty:
        return "Nothing that was measured has a time"
    before, after = (came["high"] <= step).sum(), (came["low"] >= step).sum()
    open_ = len(came) - before - after
    return (
        f"By step {step:,}, of {len(came)} things that have a time {before} have come, {after} are to come, and of "
        f"{open_} it cannot be told"
    )


def answer(clocks: Sequence[Clock]) -> Markdown:
    """What comes first and last, of the first series."""
    times = clocks[0].times
    came = times[times["state"] == REACHED]
    return answers.said("When does what come?", f"{_answer(times)}. {_kinds(came)}", answers.of_one(clocks[0].series))


def answer_of_runs(clocks: Sequence[Clock]) -> Markdown:
    """Which kind comes before which other in most of the runs that have both."""
    came = [told.times[told.times["state"] == REACHED] for told in clocks]
    pairs = Counter(pair for times in came for pair in _before(times))
    both = {pair: sum(set(pair) <= set(times["kind"]) for times in came) for pair in pairs}
    often = [
        f"{one} before {other} (in {count} of {both[one, other]} runs that have both)"
        for (one, other), count in pairs.most_common()
        if 2 * count > both[one, other]
    ]
    said = f"as a whole come {style.listed(often)}" if often else "no kind comes as a whole before another in most runs"
    if all(times.empty for times in came):
        said = f"{answers.UNTOLD}: nothing that was measured has a time in any run"
    holds = answers.of_several([told.series for told in clocks])
    return answers.said("When does what come?", said, f"{holds}; interval against interval, one run at a time")


def of_runs(clocks: Sequence[Clock]) -> HTML:
    """A row a run and kind: how many things have a time, and the first and the last of them."""
    rows = []
    for told in clocks:
        for kind in KINDS:
            own = told.times[told.times["kind"] == kind]
            came = own[own["state"] == REACHED].sort_values("step", kind="stable")
            if len(own):
                ends = [f"{row['what']}, {style.stepped(row)}" for _, row in came.iterrows()] or ["none"]
                rows.append(
                    {
                        "run": told.series.name,
                        "kind": kind,
                        "with a time": f"{len(came)} of {len(own)}",
                        "first, step": ends[0],
                        "last, step": ends[-1],
                    }
                )
    return style.table(pd.DataFrame(rows)) if rows else HTML("")


def table(clocks: Sequence[Clock]) -> HTML:
    """All that was asked of each series, with its time or the reason why it has none."""
    rows = [
        {
            "run": told.series.name,
            "kind": row.kind,
            "what": row.what,
            "where": row.where,
            "step (95% interval)": style.stepped(pd.Series(row._asdict())) if row.state == REACHED else row.state,
            "from a quarter to three quarters": "" if np.isnan(row.most) else doublings(pd.Series(row._asdict())),
        }
        for told in clocks
        for row in told.times.itertuples()
    ]
    return style.table(pd.DataFrame(rows).drop(columns=[] if len(clocks) > 1 else ["run"]))


def numbers(clocks: Sequence[Clock]) -> dict[str, str]:
    """What the page says of the first series, by name."""
    times = clocks[0].times
    never = times[times["state"] != REACHED]
    return {
        "clock_sudden": _suddenly(times[times["most"].notna()]),
        "clock_frequency": _beside_frequency(times),
        "clock_never": f"{len(never)} of {len(times)} things that were asked have no time, and the table says why."
        if len(never)
        else "All things that were asked have a time.",
    }


def _suddenly(timed: pd.DataFrame) -> str:
    """What comes suddenly and what gradually, and how long each kind takes, as sentences."""
    if timed.empty:
        return "Of nothing can it be told."
    verdicts = timed.apply(verdict, axis=1)
    named = [
        f"{how}: {style.listed(list(timed.loc[verdicts == one, 'what']))}"
        for one, how in (("sudden", "suddenly"), ("gradual", "gradually"))
        if (verdicts == one).any()
    ]
    untold = int(verdicts.isna().sum())
    rest = [f"of {untold} of {len(timed)} it cannot be told"] if untold else []
    lengths = [
        f"{kind} {own.min():.1f}{f' to {own.max():.1f}' if len(own) > 1 else ''}"
        for kind in KINDS
        if len(own := timed.loc[timed["kind"] == kind, "doublings"].dropna())
    ]
    doubled = f" Doublings that they take, without their intervals: {', '.join(lengths)}." if lengths else ""
    return f"{_sentence([*named, *rest])}{doubled}"


def _beside_frequency(times: pd.DataFrame) -> str:
    """What of attention, words, grammar and facts comes before the loss falls below frequency alone, what after."""
    line = times[times["kind"] == FREQUENCY]
    if line.empty or line.iloc[0]["state"] != REACHED:
        why = f": {line.iloc[0]['state']}" if len(line) else ", as its losses are not known"
        return f"That cannot be told{why}."
    frequency = line.iloc[0]
    came = times[(times["state"] == REACHED) & times["kind"].isin([ATTENTION, WORDS, GRAMMAR, FACTS])]
    order = came.apply(lambda row: attention.beside(row, frequency), axis=1) if len(came) else pd.Series(dtype=object)
    named = [
        f"{when} it: {style.listed(list(came.loc[order == when, 'what']))}"
        for when in ("before", "after")
        if (order == when).any()
    ]
    untold = list(came.loc[order.isna(), "what"])
    rest = [f"cannot be told apart from it: {style.listed(untold)}"] if untold else []
    return f"The loss falls below that at step {style.stepped(frequency)}. {_sentence([*named, *rest])}"


def _sentence(parts: list[str]) -> str:
    said = "; ".join(parts) or "nothing else has a time"
    return f"{said[0].upper()}{said[1:]}."


def _before(came: pd.DataFrame) -> list[tuple[str, str]]:
    """Every two kinds of which everything of the first comes before anything of the second, interval by interval."""
    spans = {kind: came[came["kind"] == kind] for kind in KINDS if (came["kind"] == kind).any()}
    return [
        (one, other)
        for one, first in spans.items()
        for other, second in spans.items()
        if one != other and first["high"].max() <= second["low"].min()
    ]


def _kinds(came: pd.DataFrame) -> str:
    """Kinds of which everything comes before anything of another, interval against interval, as a sentence."""
    before = [f"{one} before {other}" for one, other in _before(came)]
    if not before:
        return "No kind comes as a whole before another one, interval against interval."
    return f"As a whole, interval against interval, come {style.listed(before)}."
