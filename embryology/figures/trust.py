"""How far the numbers of the book can be trusted: seeds, labels, what intervals are over, and how many there are."""

from collections.abc import Sequence

import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import tables
from embryology.analysis.claims import CLAIMS
from embryology.analysis.claims.decisions import FEWEST_SEEDS, LEVEL
from embryology.analysis.claims.verdicts import recipes
from embryology.figures import answers, style
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import UNITS
from embryology.specs.tokens import SPECIFICATION as TOKENS

UNRECORDED = "not recorded"


def answer(series: Sequence[Series]) -> Markdown:
    """How many recipes have seeds enough, and what an interval says of the others.

    Args:
        series: all at hand.
    """
    groups = recipes(series)
    enough = [name for name, seeds in groups.items() if len(seeds) >= FEWEST_SEEDS]
    told = answers.of(len(enough), len(groups))
    return answers.said(
        "Can I trust a number of this book?",
        f"As a statement about the named run and test items: yes, within its interval. About training in general: "
        f"{told.lower()}, as {len(enough)} of {answers.count(len(groups), 'recipe')} "
        f"{'has' if len(enough) == 1 else 'have'} {FEWEST_SEEDS} seeds or more"
        f"{f' ({style.listed(enough)})' if enough else ''}",
        f"{answers.of_several(series)}; seeds below are those at hand",
    )


def runs(series: Sequence[Series], steps: str = "all") -> HTML:
    """A row a run: the seeds of its recipe, whose labels its words have, and what its intervals are over.

    Args:
        series: all at hand, that which is reported on first.
        steps: which checkpoints of the first.
    """
    groups = recipes(series)
    rows = []
    for name, seeds in groups.items():
        for each in seeds:
            counted = _with_interval(each, steps if each is series[0] else "all")
            rows.append(
                {
                    "run": each.name,
                    "recipe": name,
                    "seeds of it": len(seeds),
                    "labels of words": _labels(each),
                    "values with an interval": f"{len(counted):,}",
                    "over": style.listed(sorted(counted["over"].unique())) if len(counted) else "none",
                }
            )
    return style.table(pd.DataFrame(rows))


def counted(series: Sequence[Series], steps: str = "all") -> Markdown:
    """How many values with an interval there are, and how many of these would miss by chance; as of :func:`runs`."""
    first, *others = series
    values = len(_with_interval(first, steps)) + sum(len(_with_interval(each)) for each in others)
    return Markdown(
        f"The measurements of these {answers.count(len(series), 'run')} hold {values:,} values of the model with a 95% "
        f"interval. Were each right in itself, some {LEVEL * values:,.0f} would still miss what they estimate. Beside "
        f"them {len(CLAIMS)} claims are tested, together at a level of {LEVEL:g}."
    )


def _with_interval(series: Series, steps: str = "all") -> pd.DataFrame:
    """The rows of all probes that are about the model itself and have an interval, with what it is ``over``."""
    if not measurements.standing(series.folder):
        return pd.DataFrame(columns=["over"])
    frame = tables.select(measurements.read(series), series, steps)
    kept = frame[frame["low"].notna() & frame["baseline"].isna()]
    return kept.assign(over=[UNITS.get(unit, UNRECORDED) for unit in kept["unit"].fillna("")])


def _labels(series: Series) -> str:
    if reason := measurements.lacking(series, TOKENS.name):
        return reason
    return measurements.source_of(measurements.read_items(series, TOKENS.name))
