"""Whether words are learnt in another order than that of their frequency in the training text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML, Markdown
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator

from embryology.analysis import acquisition, frequency
from embryology.analysis.beyond_frequency import TYPE, WORD, Beyond, Tests
from embryology.analysis.frequency import DRAWS, FEWEST, PART_OF_SPEECH
from embryology.analysis.surprisal import Surprisal
from embryology.figures import answers, style
from embryology.figures.learning_order import NAMES, agreement_words
from embryology.intervals import SEED, percentile_interval
from embryology.runs.series import Series

BOOTSTRAP = f"bootstrap over word types ({DRAWS:,} resamples, seed {SEED})"


@style.styled
def dots(beyond: Beyond | str, series: str) -> HTML:
    """A dot a word type: how frequent it is, and from which checkpoint on it stays right; a panel a group.

    Args:
        beyond: of :func:`embryology.analysis.beyond_frequency.read`.
        series: what the run is called.
    """
    if isinstance(beyond, str):
        return style.paragraph(beyond)
    steps, types = acquisition.steps_of(beyond.types)[:-1], beyond.types
    # Spread within their row, as dots would hide each other.
    spread = np.random.default_rng(SEED).uniform(-0.35, 0.35, len(types))
    types = types.assign(row=types["acquired"] + spread, at=types["count"] + 1)
    several = types["pieces"] > 1
    groups = [group for group in beyond.groups if group in set(types["group"])]
    figure, axes = style.grid(len(groups), 3, 2.3, sharex=True, sharey=True)
    figure.set_dpi(144)  # of the dots, which are a picture: thousands of shapes would make a page of megabytes
    last = len(steps)
    ticks = [*range(0, last, max(1, last // 5)), last]
    labels = [*(style.short(steps[tick]) for tick in ticks[:-1]), "not by\nthe end"]
    looks = (
        ("words of other groups", style.GRID, 6, 1),
        ("words of several pieces", style.LINES[1][0], 9, 0.5),
        ("words of one piece", style.LINES[0][0], 12, 0.6),
    )
    for axis, group in zip(axes, groups, strict=True):
        mine = types["group"] == group
        for some, (label, color, size, alpha) in zip((~mine, mine & several, mine & ~several), looks, strict=True):
            look: dict[str, Any] = {"color": color, "s": size, "alpha": alpha, "linewidth": 0, "rasterized": True}
            sns.scatterplot(types[some], x="at", y="row", ax=axis, label=label, legend=False, **look)
        axis.set_title(f"{group} {NAMES.get(group, '')} · {mine.sum():,} types")
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.short(value)))
        axis.set_yticks(ticks, labels)
        axis.set(xlabel="", ylabel="")
    for axis in axes[::3]:
        axis.set_ylabel("stays right from step")
    for axis in axes[-3:]:
        axis.set_xlabel("count in the training text, plus one")
    style.legend(figure, axes, 3)
    never = (types["acquired"] == last).mean()
    of_one, of_several = (
        float(some["frequency"].corr(some["acquired"], method="spearman")) for some in (types[~several], types[several])
    )
    answer = (
        f"Frequency and the step of acquisition have Spearman's ρ = {of_one:.2f} for words of one piece"
        + (f"; {of_several:.2f} for words of several" if np.isfinite(of_several) else "")
        + f"; {never:.0%} of word types are not acquired"
    )
    return style.show(
        figure,
        "frequency-of-words",
        answer,
        types[["group", "pieces", "count"]].assign(step=[*map(_step(steps), types["acquired"])]),
        f"Is a word acquired when its frequency says? Each dot is a word type of {series}, grey those of the other "
        f"groups; across, how often the training text has it; up, the checkpoint from which more than half of its "
        f"words in the test text stay right, at two checkpoints or more (dots are spread within their row). A word of "
        f"several pieces is right where all of them are, and those are more frequent than it is.",
        f"{style.plural(len(groups), 'scatter plot')} of word"
        f" types, frequency against the step of acquisition. {answer}.",
    )


def _step(steps: Sequence[int]) -> Any:
    return lambda place: f"{steps[place]}" if place < len(steps) else "not by the end"


@style.styled
def factors(beyond: Beyond | str, series: str) -> HTML:
    """How many times as late a group is as words of other groups, all of them and as frequent ones.

    Args: as of :func:`dots`.
    """
    if isinstance(beyond, str):
        return style.paragraph(beyond)
    groups = [group for group in beyond.groups if group in beyond.tests[TYPE].factors.index]
    figure, axes = style.panels(1, 2, 8, 0.38 * len(groups) + 1.7, sharey=True, sharex=True)
    places = np.arange(len(groups))
    for axis, (kind, tests) in zip(axes, beyond.tests.items(), strict=True):
        table = tests.factors.reindex(groups)
        axis.axvline(1, color=style.INK, linestyle=style.DASHED, linewidth=1.3, label="as late as those words")
        for prefix, value, offset, line, label in (
            ("unmatched_", "unmatched", -0.16, style.LINES[1], "beside all words of other groups"),
            ("", "value", 0.16, style.LINES[0], "beside words as frequent"),
        ):
            bar = {"color": line[0], "linewidth": 2}
            axis.hlines(places + offset, table[f"{prefix}low"], table[f"{prefix}high"], **bar)
            mark: dict[str, Any] = {"marker": line[1], "color": line[0], "linestyle": "", "markersize": 6}
            axis.plot(table[value], places + offset, **mark, label=label)
        axis.set_title(f"by {kind}")
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(numticks=5))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
        axis.set_xlabel("times as late")
    axes[0].set_yticks(places, [f"{NAMES.get(group, '')} {group}" for group in groups])
    axes[0].set_ylim(len(groups) - 0.5, -0.5)
    style.legend(figure, axes, 3)
    answer = f"Groups lie {_spread(beyond.tests[TYPE])}; by word type"
    tables = [tests.factors.reset_index().assign(by=kind) for kind, tests in beyond.tests.items()]
    left = ", ".join(
        f"{group} {row['matched']:.0f} of {row['types']:.0f}"
        for group, row in beyond.tests[TYPE].factors.reindex(groups).iterrows()
    )
    return style.show(
        figure,
        "matched-frequency",
        answer,
        pd.concat(tables),
        f"Is a part of speech early or late once frequency is held equal? For {series}: the step at which half of a "
        f"group's words are acquired, over that of words of the other groups; circles beside those as frequent. Bars: "
        f"simultaneous 95% intervals, {BOOTSTRAP}. As frequent are those within a quarter of an octave. Half is that "
        f"of the lower of the two last values. Intervals are over the groups; none for fewer than {FEWEST} types"
        f"{f' ({style.listed(beyond.small)})' if beyond.small else ''}. Types left when matched: {left}.",
        f"Dot plot of how late each part of speech is. {answer}.",
    )


def _spread(tests: Tests) -> str:
    unmatched, matched = tests.spreads
    return f"up to {unmatched:.1f}-fold apart beside all other words, {matched:.1f}-fold beside words as frequent"


@style.styled
def predicted(beyond: Beyond | str, series: str) -> HTML:
    """Accuracy of each group, and of words of the other groups of the same frequency.

    Args: as of :func:`dots`.
    """
    if isinstance(beyond, str):
        return style.paragraph(beyond)
    curves, steps = beyond.accuracy, np.array(acquisition.steps_of(beyond.words), float)
    groups = [group for group in beyond.groups if group in curves.groups]
    figure, axes = style.grid(len(groups), 3, 2.3, sharey=True)
    data = []
    for axis, group in zip(axes, groups, strict=True):
        number = curves.groups.index(group)
        axis.set_title(f"{group} {NAMES.get(group, '')} · {curves.matched[number]:,} types")
        for line, label, all_draws in (
            (style.LINES[0], "the group's own words", curves.own_matched),
            (style.LINES[1], "words of other groups, as frequent", curves.others_matched),
        ):
            data.append(_curve(axis, steps, all_draws[:, number], line, label, curves.matched[number] >= FEWEST))
            data[-1].insert(0, "group", group)
        style.training_axis(axis, steps, "")
    for axis in axes[-3:]:
        axis.set_xlabel(style.counted("training step"))
    for axis in axes[::3]:
        axis.set_ylabel("accuracy")
    axes[0].set_ylim(-0.03, 1.03)
    style.legend(figure, axes, 2)
    gaps = {
        group: float(np.abs(curves.own_matched[0, number] - curves.others_matched[0, number]).mean())
        for number, group in enumerate(curves.groups)
    }
    furthest = max(groups, key=lambda group: np.nan_to_num(gaps[group]))
    answer = (
        f"Words of other groups that are as frequent miss a group's accuracy by {np.nanmean(list(gaps.values())):.2f} "
        f"on average; most for {_plural(furthest)} ({gaps[furthest]:.2f})"
    )
    return style.show(
        figure,
        "predicted-by-frequency",
        answer,
        pd.concat(data),
        f"Does frequency alone foretell the curve of a part of speech? Accuracy of reconstruction in {series}, of the "
        f"words of a group and of words of other groups that are as frequent. Of the group are taken those of which "
        f"others have some within a quarter of an octave of frequency, and of those as many at each. "
        f"Bands: 95%, {BOOTSTRAP}; none for fewer than {FEWEST} types.",
        f"{style.plural(len(groups), 'line chart')} of accuracy"
        f", each beside as frequent words of other groups. {answer}.",
    )


def _curve(axis: Axes, steps: np.ndarray, draws: np.ndarray, line: Any, label: str, band: bool) -> pd.DataFrame:
    low, high = percentile_interval(draws[1:]) if band else (np.full(len(steps), np.nan),) * 2
    rows = pd.DataFrame({"step": steps, "value": draws[0], "low": low, "high": high})
    style.curve(axis, rows, line, label)
    return rows.assign(curve=label)


def table(beyond: Beyond | str) -> HTML:
    """What frequency and part of speech tell, by word type and by word."""
    if isinstance(beyond, str):
        return style.paragraph(beyond)
    rows = []
    for kind, tests in beyond.tests.items():
        for name, nats in tests.nats.items():
            share = tests.rank_shares.get(name)
            rows.append(
                {
                    "a unit is a": kind,
                    "told by": name,
                    "log-likelihood of held-out units, nats each": f"{nats:.3f}",
                    "R² of ranks (units that were seen)": "" if share is None else f"{share:.2f}",
                }
            )
    return style.table(pd.DataFrame(rows))


NUMBERS = (
    *("types", "words", "of_one_piece", "never", "small", "verdict", "forms", "surprisal"),
    *("run_and_published", "run_and_frequency", "published_and_frequency", "adds_by_type", "adds_by_word"),
    *("apart_by_type", "apart_by_word", "spread_by_type", "spread_by_word"),
)


def numbers(beyond: Beyond | str) -> dict[str, str]:
    """What the page says, by name."""
    if isinstance(beyond, str):
        return dict.fromkeys(NUMBERS, "what cannot be told") | {"verdict": beyond.rstrip(".")}
    by_type, by_word = beyond.tests[TYPE], beyond.tests[WORD]
    small = f" Groups of fewer than {FEWEST} types, told without interval: {style.listed(beyond.small)}."
    return {
        "types": f"{len(beyond.types):,}",
        "words": f"{len(beyond.words):,}",
        "of_one_piece": f"{len(by_type.units.types):,}",
        "never": f"{(beyond.words['count'] == 0).mean():.0%}",
        "small": small if beyond.small else "",
        "run_and_published": agreement_words(beyond.orders.run_and_published),
        "run_and_frequency": agreement_words(beyond.orders.run_and_frequency),
        "published_and_frequency": agreement_words(beyond.orders.published_and_frequency),
        "adds_by_type": adds(by_type.gains, TYPE),
        "adds_by_word": adds(by_word.gains, WORD),
        "apart_by_type": _apart(by_type),
        "apart_by_word": _apart(by_word),
        "spread_by_type": _spread(by_type),
        "spread_by_word": _spread(by_word),
        "forms": _forms(beyond.forms),
        "surprisal": _likely(beyond.surprisal),
        "verdict": verdict(beyond),
    }


def answer(series: Series, beyond: Beyond | str) -> Markdown:
    """Whether part of speech matters beyond frequency.

    Args:
        series: the first.
        beyond: of :func:`embryology.analysis.beyond_frequency.read`.
    """
    said = f"{answers.UNTOLD}: {beyond}" if isinstance(beyond, str) else verdict(beyond)
    return answers.said("Is it just frequency?", said, answers.of_one(series, "word types and words"))


def adds(gains: pd.DataFrame, unit: str, what: str = "part of speech") -> str:
    """What groups and frequency add to each other, as a clause.

    Args:
        gains: of :func:`embryology.analysis.frequency.gains`.
        unit: of which it is told.
        what: the groups are.
    """
    parts, often = (gains.loc[name] for name in (PART_OF_SPEECH, frequency.FREQUENCY))
    if parts["low"] > 0:
        said = f"{what} tells more than frequency alone"
    elif parts["high"] < 0:
        said = f"what is told by frequency is told worse with {what}"
    else:
        said = f"that {what} tells more than frequency alone is not shown"
    back = "frequency adds" if often["low"] > 0 else "that frequency adds anything is not shown:"
    return (
        f"{said}: {style.ranged(parts, '.3f', ' nats')} a {unit}; to {what} {back} "
        f"{style.ranged(often, '.3f', ' nats')}"
    )


def _forms(tests: Tests | str) -> str:
    """What the page says of verb forms, in sentences."""
    if isinstance(tests, str):
        return f"Of the forms of verbs it cannot be told: {tests}."
    return (
        f"The same of the forms of verbs, by word type: they lie {_spread(tests)}; {_apart(tests)}. Of types that were "
        f"held out, {adds(tests.gains, TYPE, 'the form')}."
    )


def _likely(surprisal: Surprisal | str) -> str:
    """What surprisal says of masked words, in sentences."""
    if isinstance(surprisal, str):
        return f"When masked words become likely cannot be told: {surprisal}."
    types, shares = surprisal.types, surprisal.shares
    told = types["step"].notna().sum()
    said = f"Of {len(types):,} types of masked words of one piece {told:,} become likely within the run"
    if not told:
        return f"{said}."
    by_chance = (types["group"].nunique() - 1) / (len(types) - 1)
    return (
        f"{said}. Of the variance of the ranks of when, frequency alone tells {shares[frequency.FREQUENCY]:.2f}, part "
        f"of speech alone {shares[PART_OF_SPEECH]:.2f} (any groups {by_chance:.2f}), both {shares[frequency.BOTH]:.2f}."
    )


def _apart(tests: Tests) -> str:
    told = int(tests.factors["low"].notna().sum())
    if not told:
        return "no group has enough types to tell"
    if tests.apart.empty:
        return f"none of {told} groups is earlier or later than words of other groups that are as frequent"
    sides = [
        f"{_plural(group)} ({row['value']:.2f} times, {row['low']:.2f} to {row['high']:.2f})"
        for group, row in tests.apart.iterrows()
    ]
    return f"of {told} groups these are earlier or later than words as frequent: {style.listed(sides)}"


def verdict(beyond: Beyond) -> str:
    """Whether the plainest tests agree, and on what; and how much part of speech adds beside what frequency adds."""
    found = {
        "for words that were held out": {kind: tests.adds for kind, tests in beyond.tests.items()},
        "among words as frequent": {kind: not tests.apart.empty for kind, tests in beyond.tests.items()},
    }
    answers = {answer for kinds in found.values() for answer in kinds.values()}
    if answers == {False}:
        return "All four tests agree: beyond frequency, part of speech is not shown to matter"
    added = [
        f"{tests.gains.loc[PART_OF_SPEECH, 'value']:.3f} nats a {kind} where frequency adds "
        f"{tests.gains.loc[frequency.FREQUENCY, 'value']:.3f}"
        for kind, tests in beyond.tests.items()
        if tests.adds
    ]
    size = f". Of words that were held out it adds {' and '.join(added)}" if added else ""
    if answers == {True}:
        return f"All four tests agree: part of speech matters beyond frequency{size}"
    yes, no = (
        " and ".join(
            f"{name} (by {' and by '.join(chosen)})"
            for name, kinds in found.items()
            if (chosen := [kind for kind, answer in kinds.items() if answer is wanted])
        )
        for wanted in (True, False)
    )
    return f"The tests disagree: part of speech matters beyond frequency {yes}; it is not shown to matter {no}{size}"


def _plural(group: str) -> str:
    return f"{NAMES.get(group, group)}s"
