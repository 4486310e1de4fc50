"""How much of a run's order of learning is that of frequency, in a line: for the front page, and beside other runs."""

from collections.abc import Sequence

import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import frequency
from embryology.analysis.beyond_frequency import TYPE, WORD, Brief
from embryology.analysis.frequency import PART_OF_SPEECH
from embryology.analysis.learning_order import Agreement
from embryology.analysis.side_by_side import Learnt
from embryology.figures import answers, style
from embryology.figures.frequency import adds
from embryology.figures.side_by_side import in_short
from embryology.runs.series import Series

COLUMNS = [
    "τ with frequency's order",
    "τ with the published order",
    "τ of these two",
    *(f"{what} adds, nats a {kind}" for kind in (TYPE, WORD) for what in ("part of speech", "frequency")),
]


def beside_it(brief: Brief | str) -> str:
    """A sentence for the front page: how much of the order of learning is that of frequency.

    Args:
        brief: of :func:`embryology.analysis.beyond_frequency.brief`.
    """
    if isinstance(brief, str):
        return f"How much of this order is that of frequency is not told: {brief}."
    orders = brief.orders
    return (
        "Is it just frequency? Ranked by how often the training text has their words, and by nothing else, the groups "
        f"have τ = {_tau(orders.run_and_frequency)} with this run's order and {_tau(orders.published_and_frequency)} "
        f"with the published one, which has {_tau(orders.run_and_published)} with this run's. Of words that were held "
        f"out, {adds(brief.gains[TYPE], TYPE)}."
    )


def answer(series: Sequence[Series], runs: dict[str, Learnt], briefs: dict[str, Brief | str]) -> Markdown:
    """Which words come first in all runs, and whether that is frequency.

    Args:
        series: all.
        runs: of :func:`embryology.analysis.side_by_side.read`.
        briefs: of :func:`embryology.analysis.beyond_frequency.brief`, by name.
    """
    return answers.said(
        "Which words come first, and is it just frequency?",
        f"{in_short(runs)}. {in_runs(briefs)}",
        f"{answers.of_several(series)}; orders by an exact permutation test, gains over word types",
    )


def of_runs(briefs: dict[str, Brief | str]) -> HTML:
    """A row a run: its order beside that of frequency, and what each adds to the other.

    Args:
        briefs: of :func:`embryology.analysis.beyond_frequency.brief`, by name of the run.
    """
    rows = []
    for name, brief in briefs.items():
        if isinstance(brief, str):
            rows.append({"run": name, **dict.fromkeys(COLUMNS, ""), COLUMNS[0]: brief})
            continue
        orders = (brief.orders.run_and_frequency, brief.orders.run_and_published, brief.orders.published_and_frequency)
        added = [
            style.ranged(brief.gains[kind].loc[what], ".3f")
            for kind in (TYPE, WORD)
            for what in (PART_OF_SPEECH, frequency.FREQUENCY)
        ]
        rows.append({"run": name, **dict(zip(COLUMNS, [*map(_tau, orders), *added], strict=True))})
    return style.table(pd.DataFrame(rows))


def in_runs(briefs: dict[str, Brief | str]) -> str:
    """In how many runs part of speech tells more than frequency, as a sentence; of :func:`of_runs`'s briefs."""
    told = [brief for brief in briefs.values() if not isinstance(brief, str)]
    if not told:
        return "How much of these orders is that of frequency cannot be told."
    counts = [sum(brief.gains[kind].loc[PART_OF_SPEECH, "low"] > 0 for brief in told) for kind in (TYPE, WORD)]
    return (
        f"Of word types that were held out, part of speech is shown to tell more than frequency alone in {counts[0]} "
        f"of {len(told)} runs; of single words in {counts[1]}."
    )


def _tau(alike: Agreement) -> str:
    return "undefined" if alike.tau is None else f"{alike.tau:.2f}"
