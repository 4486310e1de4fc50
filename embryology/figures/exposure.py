"""What one more reading of a word or a fact does, on the axis of its own exposures."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from embryology.analysis import exposure
from embryology.analysis.exposed import BANDS, Exposed
from embryology.analysis.exposure import ASKED, SHOWN, Effect, Until
from embryology.analysis.frequency import DRAWS, FEWEST
from embryology.figures import answers, style
from embryology.intervals import LEAST_OF_BOOTSTRAP, SEED
from embryology.runs.series import Series

OVER = {"word types": "word types", "facts": "objects of facts"}
BOOTSTRAP = f"bootstrap over word types and objects of facts ({DRAWS:,} resamples, seed {SEED})"
Told = Sequence[Exposed | str]
"""Words and facts of one run, of :mod:`embryology.analysis.exposed`; clauses where nothing can be told."""


def _panels(told: Told, height: float) -> tuple:
    drawn = [each for each in told if isinstance(each, Exposed)]
    figure, axes = style.panels(1, max(len(drawn), 1), 4.6 * max(len(drawn), 1), height)
    return figure, axes, drawn


def _nothing(told: Told, series: str) -> HTML:
    return style.paragraph(f"Not told for {series}: {'; '.join(each for each in told if isinstance(each, str))}.")


@style.styled
def own(told: Told, series: str) -> HTML:
    """Log-probability against how often each was read so far, a line a band of frequency.

    Args:
        told: words and facts.
        series: what the run is called.
    """
    figure, axes, drawn = _panels(told, 4.4)
    if not drawn:
        return _nothing(told, series)
    data = []
    for axis, each in zip(axes, drawn, strict=True):
        table = exposure.by_own(each)
        data.append(table.assign(of=each.name))
        for number, (least, line) in enumerate(zip(BANDS, style.LINES, strict=False)):
            rows = table[table["band"] == least]
            if len(rows):
                style.curve(axis, rows.assign(step=_place(rows["own"])), line, _band(number))
        untrained = each.log_probability[:, 0].mean()
        if each.steps[0] == 0:
            axis.axhline(untrained, color=style.INK, linestyle=style.DOTTED, linewidth=1.3, label="untrained model")
            data.append(pd.DataFrame({"of": [each.name], "baseline": "untrained model", "value": untrained}))
        axis.set_title(each.name)
        _octaves(axis, int(_place(table["own"]).max()) if len(table) else 1)
        axis.set_xlabel("own exposures so far: sequences read")
    axes[0].set_ylabel("mean log-probability, nats")
    style.legend(figure, axes, 3)
    answer = "Of those read as often so far, " + "; ".join(f"of {each.name} {_rarity(each)}" for each in drawn)
    return style.show(
        figure,
        "exposure-own",
        answer,
        pd.concat(data),
        f"How likely is what was read so often? Masked words and facts' objects at every checkpoint of {series}, by "
        "how many sequences with them were read until then; a line a band of how often they are read in the whole run. "
        "Bands: 95% t intervals over word types and objects. If own exposures were all that counts, lines would lie on "
        "each other. Sequences are those that have the word, or subject and object; octaves of fewer than "
        f"{FEWEST} are left out.",
        f"Line charts of mean log-probability against own exposures. {answer}.",
    )


def _place(own: pd.Series | np.ndarray) -> np.ndarray:
    """0 for none, 1 for one, 2 for 2 to 3, …"""
    return exposure.bins(np.asarray(own))


def _octaves(axis: Axes, last: int) -> None:
    axis.set_xticks([*range(0, last + 1, 1 + last // 8)])
    axis.xaxis.set_major_formatter(FuncFormatter(lambda at, _: style.short(2 ** (at - 1)) if at > 0 else "0"))
    axis.xaxis.set_minor_locator(NullLocator())


def _band(number: int) -> str:
    if number + 1 == len(BANDS):
        return f"{BANDS[number]:,} or more in the run"
    return f"{BANDS[number]:,} to {BANDS[number + 1] - 1:,} in the run"


def _rarity(each: Exposed) -> str:
    told = [(number, found) for number, found in enumerate(exposure.of_rarity(each)) if found.told]
    if not told:
        return "whether rarer ones differ cannot be told"
    apart = [
        f"those of {_band(number)} are {'likelier' if found.value > 0 else 'less likely'} than those of "
        f"{_band(number + 1)} ({_nats(found)})"
        for number, found in told
        if found.differs
    ]
    return style.listed(apart) if apart else "that rarer ones differ from more frequent ones is not shown"


def _nats(found: Effect) -> str:
    return style.ranged(pd.Series(vars(found)), "+.2f", " nats")


@style.styled
def around(told: Told, series: str) -> HTML:
    """Log-probability before and after a reading, less that of as frequent ones that were not read. As :func:`own`."""
    figure, axes, drawn = _panels(told, 4)
    if not drawn:
        return _nothing(told, series)
    data = []
    for axis, each in zip(axes, drawn, strict=True):
        for reading, line in zip((ASKED, SHOWN), style.LINES, strict=False):
            rows = exposure.around(each, reading)
            data.append(rows.assign(of=each.name, reading=reading))
            rows = rows[rows["low"].notna()]
            style.curve(axis, rows.assign(step=rows["checkpoint"]), line, reading)
        axis.axhline(0, color=style.INK, linestyle=style.DOTTED, linewidth=1.3, label="not read, as frequent")
        axis.axvspan(0, 1, color=style.GRID, alpha=0.6, linewidth=0, label="the interval with the reading")
        axis.set_xticks([*exposure.AROUND])
        axis.set_title(each.name)
        axis.set_xlabel("checkpoints after the one before it")
    axes[0].set_ylabel("difference in log-probability, nats")
    style.legend(figure, axes, 2)
    answer = "; ".join(f"{_upper(each.name)}: {_reading(each)}" for each in drawn)
    return style.show(
        figure,
        "exposure-around",
        answer,
        pd.concat(data),
        f"What does one more reading do in {series}? Log-probability of words and facts that are read between two "
        "checkpoints, less that of as frequent ones that are not. Before the interval there should be no difference. "
        f"Bands: 95% {BOOTSTRAP}. Which of two equally frequent ones is read is chance, as every epoch has an order of "
        "its own. Compared are changes since the checkpoint before, within the same interval and quarters of an octave "
        "of how often they are read in all and were before, as long as none is read again; nothing is drawn of fewer "
        f"than {LEAST_OF_BOOTSTRAP} on either side.",
        f"Line charts of the difference in log-probability around a reading. {answer}.",
    )


def _reading(each: Exposed) -> str:
    asked, shown = exposure.of_reading(each, ASKED), exposure.of_reading(each, SHOWN)
    if not asked.told:
        return f"what a reading does cannot be told (of {asked.units} that others are found for)"
    first = (
        f"asked for in an interval they gain {_nats(asked)}"
        if asked.differs
        else f"that being asked for changes anything is not shown ({_nats(asked)})"
    )
    if not shown.told:
        return first
    return f"{first}, only shown {_nats(shown)}" + ("" if shown.differs else ", which may be nothing")


@style.styled
def over_training(told: Told, series: str) -> HTML:
    """What a reading does in each interval between checkpoints. Arguments as of :func:`own`."""
    figure, axes, drawn = _panels(told, 3.8)
    if not drawn:
        return _nothing(told, series)
    data, answers = [], []
    for axis, each in zip(axes, drawn, strict=True):
        rows = exposure.over_training(each)
        data.append(rows.assign(of=each.name))
        if len(rows):
            style.curve(axis, rows, style.LINES[0], "read, less not read")
            style.training_axis(axis, each.steps, "training step that ends the interval")
            most = rows.loc[rows["value"].idxmax()]
            answers.append(f"{each.name} by most at step {most['step']:,.0f} ({style.ranged(most, '+.2f', ' nats')})")
        axis.axhline(0, color=style.INK, linestyle=style.DOTTED, linewidth=1.3, label="not read, as frequent")
        axis.set_title(each.name)
    axes[0].set_ylabel("difference in log-probability, nats")
    style.legend(figure, axes, 2)
    answer = f"A reading changes {style.listed(answers)}" if answers else "In no interval can it be told"
    return style.show(
        figure,
        "exposure-training",
        answer,
        pd.concat(data),
        f"When in training does a reading count? For {series}: the change of log-probability from checkpoint to "
        "checkpoint, of words and facts that were read in between less that of as frequent ones that were not. "
        f"Bands: 95% {BOOTSTRAP}. Intervals with fewer than {LEAST_OF_BOOTSTRAP} on either side are left out; they are "
        "longer later in training, and a longer one leaves more time after a reading.",
        f"Line charts of what a reading adds over training. {answer}.",
    )


def table(told: Told, series: str) -> HTML:
    """After how many own exposures half are known, and after how many steps half of what is right is lost."""
    rows = []
    for each in told:
        if isinstance(each, str):
            continue
        for number in range(len(BANDS)):
            until = exposure.until_known(each, number)
            if until.units:
                rows.append(
                    {
                        "of": each.name,
                        "read": _band(number),
                        "of them known": f"{until.reached:,} of {until.units:,}",
                        "exposures until half are known": _until(until, "sequences"),
                    }
                )
    return style.table(pd.DataFrame(rows)) if rows else _nothing(told, series)


def _until(until: Until, unit: str) -> str:
    if np.isnan(until.value):
        return "cannot be told"
    value = f"{until.value:,.0f} {unit}" if np.isfinite(until.value) else "not reached"
    if np.isnan(until.low):
        return f"{value} (too few for an interval)"
    if not np.isfinite(until.low):
        return value
    return (
        f"{value} ({until.low:,.0f} to {until.high:,.0f})"
        if np.isfinite(until.high)
        else f"{value} ({until.low:,.0f} or more)"
    )


NUMBERS = ("words", "facts", "asking_words", "asking_facts", "lost_words", "lost_facts")


def numbers(words: Exposed | str, facts: Exposed | str) -> dict[str, str]:
    """What the page says, by name."""
    said: dict[str, str] = {}
    for name, each in (("words", words), ("facts", facts)):
        if isinstance(each, str):
            said |= {name: f"Of {name} nothing can be told: {each}.", f"asking_{name}": "", f"lost_{name}": ""}
            continue
        never = (each.total == 0).mean()
        said[name] = (
            f"{len(each.total):,} {each.name}, of which {never:.0%} are never read: {_reading(each)}. "
            f"{_before(each)} {_left(each)}"
        )
        said[f"asking_{name}"] = _asking(exposure.of_asking(each), each.name)
        said[f"lost_{name}"] = _losing(each)
    return {f"exposure_{key}": value for key, value in said.items()}


def answer(series: Series, words: Exposed | str, facts: Exposed | str) -> Markdown:
    """What a reading does to words, and to facts; arguments as of :func:`numbers`."""
    told = {
        name: f"{answers.UNTOLD}: {each}" if isinstance(each, str) else _upper(_reading(each))
        for name, each in (("Words", words), ("Facts", facts))
    }
    return answers.said(
        "What does one more reading of a word or a fact do?",
        " ".join(f"{name}: {said[:1].lower()}{said[1:]}." for name, said in told.items()),
        answers.of_one(series, "word types, and objects of facts"),
    )


def _before(each: Exposed) -> str:
    """Whether those that are asked for differed before."""
    rows = exposure.around(each, ASKED).set_index("checkpoint")
    if -1 not in rows.index or not np.isfinite(rows.loc[-1, "low"]):
        return "Whether they differed before the interval cannot be told."
    row = rows.loc[-1]
    size = style.ranged(row, "+.2f", " nats")
    if row["low"] > 0 or row["high"] < 0:
        return f"They differed by {size} from one checkpoint before it on, so that as much may not be the reading's."
    return f"That they differed before the interval is not shown ({size})."


def _left(each: Exposed) -> str:
    """What is left of a reading one checkpoint later, where it was not read again."""
    rows = exposure.around(each, ASKED).set_index("checkpoint")
    later = [at for at in (2, 3, 4) if at in rows.index and np.isfinite(rows.loc[at, "low"])]
    if not later or not np.isfinite(rows.loc[1, "low"]):
        return "What is left of it later cannot be told."
    row = rows.loc[later[-1]]
    clear = "" if row["low"] > 0 or row["high"] < 0 else ", which may be nothing"
    return (
        f"Where they are not read again, {style.ranged(row, '+.2f', ' nats')} are left {later[-1] - 1} "
        f"checkpoint{'s' if later[-1] > 2 else ''} later{clear}."
    )


def _asking(found: Effect, name: str) -> str:
    if not found.told:
        return f"Of {name} it cannot be told whether being asked for adds to being read."
    if not found.differs:
        return f"Of {name}, that being asked for adds to being read as often is not shown ({_nats(found)})."
    return f"Of {name} that are read as often in an interval, those that are asked for change by {_nats(found)} more."


def _losing(each: Exposed) -> str:
    """How long right answers last, read and not."""
    without, found = exposure.until_lost(each, read=False), exposure.losing(each)
    if np.isnan(without.low) or not found.told:
        return (
            f"How long right answers last without a reading cannot be told of {each.name}: it takes "
            f"{LEAST_OF_BOOTSTRAP} that are right and then not read, and there are {without.units}."
        )
    more = style.ranged(pd.Series(vars(found)), "+.1f", " points", scale=100)
    return (
        f"Half of what is right among {each.name} is wrong after {_until(without, 'steps')} without a reading; in an "
        f"interval without one it is lost by {more} more often than in one with."
    )


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
