"""Where a figure comes from, in a fold below its caption: its series, the command that draws it, its columns."""

import html
from collections.abc import Sequence

from embryology.figures.columns import key

COMMAND = "<!--command-->"
"""Where the report puts the line that draws the figure again, which a kernel does not know."""
OF_SERIES = ("run", "seed", "checkpoints", "commit", "command")

_series: list[dict[str, str]] = []


def told(series: Sequence[dict[str, str]]) -> None:
    """What is said of the series of all figures from here on: :data:`OF_SERIES` of each."""
    _series[:] = [{name: each[name] for name in OF_SERIES} for each in series]


def fold(columns: Sequence[str]) -> str:
    """The fold of a figure whose CSV has these columns, as HTML."""
    made = _table(OF_SERIES, [list(each.values()) for each in _series]) if _series else ""
    meanings = _table(("column of the CSV", "holds"), key(columns)) if key(columns) else ""
    return (
        '<details class="embryology-origin"><summary>How it was made, and the columns of its data</summary>'
        f"{made}{COMMAND}{meanings}</details>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    first, *body = (
        "".join(f"<{cell}>{html.escape(text)}</{cell}>" for text in row)
        for cell, row in [("th", head), *(("td", row) for row in rows)]
    )
    lines = "".join(f"<tr>{row}</tr>" for row in body)
    return (
        '<div style="overflow-x: auto" tabindex="0"><table class="dataframe">'
        f"<thead><tr>{first}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
