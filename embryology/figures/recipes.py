"""The recipe study: how far below the unigram line each variant of `tiny` ends."""

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import recipes
from embryology.figures import answers, style


def numbers(runs: pd.DataFrame) -> dict[str, str]:
    """What the prose of the page says of the study, by name."""
    read = runs.groupby(["factor", "setting", "seed"])["tokens"].max() / 1e6  # padding left out
    table = recipes.compared(runs)
    half = np.nanmean(table["high"] - table["low"]) / 2
    return {
        "variants": str(len(table) - 1),
        "seeds": str(runs["seed"].nunique()),
        "budget": f"{read.min():.2f} to {read.max():.2f} million pieces",
        "noise": f"{half:.2f} nats",
        "two": _named(table[table["setting"].str.contains(", ")]),
        "worse": _named(table[table["high"] < 0].sort_values("difference")),
        "better": _named(table[table["low"] > 0].sort_values("difference", ascending=False)),
        "stalled": _named(table[table["below"] < 0.02]),
    }


def answer(runs: pd.DataFrame) -> Markdown:
    """Which settings matter; arguments as of :func:`numbers`."""
    values = numbers(runs)
    return answers.said(
        "Which settings let a small ALBERT learn more than how frequent words are?",
        f"Of {values['variants']} variants of tiny these end better beyond what seeds explain: {values['better']}; and "
        f"these worse: {values['worse']}",
        f"{values['seeds']} seeds each, {values['budget']}; simultaneous 95% intervals (Dunnett)",
    )


def made() -> HTML:
    """The command, the machine and the versions of the study."""
    record = recipes.made()
    return style.table(pd.DataFrame({"": record.keys(), "study": record.values()}))


@style.styled
def below_unigram(runs: pd.DataFrame) -> HTML:
    """Nats below the unigram line, a row a variant, a mark a seed.

    Args:
        runs: of :func:`embryology.analysis.recipes.read`.
    """
    table = recipes.compared(runs)
    rows = np.arange(len(table))[::-1]
    figure, (axis,) = style.panels(1, 1, 7.5, 0.34 * len(table) + 1.4)
    base = table["below"].iloc[0]
    axis.axvline(0, color=style.INK, linestyle="--", linewidth=1.3, label="unigram frequencies")
    axis.axvline(base, color=style.MUTED, linestyle=":", linewidth=1.3, label="tiny")
    compared = table["low"].notna().to_numpy()
    low, high = (base + table[end][compared] for end in ("low", "high"))
    bar = {"color": style.LINES[0][0], "linewidth": 5, "alpha": 0.3}
    axis.hlines(rows[compared], low, high, **bar, label="95% interval of the difference from tiny")
    for seed in range(runs["seed"].nunique()):
        mark = {"linestyle": "", "marker": style.LINES[seed][1], "color": style.LINES[0][0]}
        axis.plot([seeds[seed] for seeds in table["seeds"]], rows, **mark, label=f"seed {seed}")
    axis.set_yticks(rows, [_label(row) for row in table.itertuples()])
    axis.set_xlabel("nats below the unigram line on held-out text, at the end")
    style.legend(figure, [axis], 3)
    values = numbers(runs)
    worse, better = (int(apart.sum()) for apart in (table["high"] < 0, table["low"] > 0))
    answer = f"{worse} of {values['variants']} variants end worse than tiny beyond what seeds explain, {better} better"
    return style.show(
        figure,
        "recipes",
        answer,
        table.drop(columns=["seeds", "left"]).join(pd.DataFrame(table["seeds"].to_list()).add_prefix("seed ")),
        f"What lets a small ALBERT leave its plateau? Variants of tiny in one setting or two, each trained from "
        f"random parameters on {values['budget']} with the whole warm-up and decay, {values['seeds']} seeds (marks). "
        f"Baseline, dashed: the unigram cross-entropy at the same held-out places. Bands: simultaneous 95% intervals "
        f"of the difference from tiny (Dunnett), drawn around tiny's mean. All have equal room for text; "
        f"longer sequences leave more of it to padding.",
        f"Dot chart of {values['variants']} variants of tiny. {answer}. Worse: {values['worse']}.",
    )


def table(runs: pd.DataFrame) -> HTML:
    """The same in numbers, and when each seed left the plateau."""
    compared = recipes.compared(runs)
    interval = [
        f"{row.difference:+.3f} ({row.low:+.3f} to {row.high:+.3f})" if not np.isnan(row.low) else ""
        for row in compared.itertuples()
    ]
    return style.table(
        pd.DataFrame(
            {
                "changed": compared["factor"],
                "to": compared["setting"],
                "nats below the unigram line, by seed": [_numbers(seeds, ".3f") for seeds in compared["seeds"]],
                "difference from tiny (95% interval)": interval,
                "0.1 nats below it after (million pieces), by seed": [
                    _numbers(left, ".2f") for left in compared["left"]
                ],
            }
        )
    )


def _label(row: Any) -> str:
    """Of a row of :func:`recipes.compared`, as a named tuple."""
    return (
        "tiny" if (row.factor, row.setting) == recipes.BASE else f"{row.factor} {row.setting}".replace(", ", " with ")
    )


def _named(table: pd.DataFrame) -> str:
    return style.listed([_label(row) for row in table.itertuples()])


def _numbers(values: tuple[float, ...], form: str) -> str:
    return ", ".join("never" if np.isnan(value) else format(value, form) for value in values)
