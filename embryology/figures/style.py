"""How figures look, and how they get into a page: SVG, the same bytes for the same inputs."""

import base64
import functools
import html
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from embryology.figures import captions, chart, looks, origin
from embryology.figures.looks import ALERT, BASELINE_LINES, DASHED, DOTTED, GRID, INK, LINES, MUTED
from embryology.runs.steps import Unit

__all__ = ["ALERT", "BASELINE_LINES", "DASHED", "DOTTED", "GRID", "INK", "LINES", "MUTED"]

SHARES = [0, 0.25, 0.5, 0.75, 1], ["0", "¼", "½", "¾", "1"]
"""Ticks, and their labels, of an axis that shows the share of the steps."""

STEPS: dict[Unit, tuple[str, str]] = {
    "step": ("training step", "training steps"),
    "tokens": ("tokens read", "tokens read"),
    "words": ("words read", "words read"),
    "epochs": ("epoch", "epochs"),
    "order": ("checkpoint, in order", "checkpoints in order"),
}
"""What a training step and training steps are called, by what the steps of a series count."""
AT: dict[Unit, str] = {
    "step": r"step \1",
    "tokens": r"\1 tokens",
    "words": r"\1 words",
    "epochs": r"epoch \1",
    "order": r"checkpoint \1",
}
"""What step 7, say, is called in the answer above a figure."""

OTHER_DASHES = (DOTTED, (0, (3, 1, 1, 1)), (0, (8, 2, 2, 2)), (0, (1, 1, 4, 1)), (0, (2, 3)), DASHED)
"""For lines that would look alike."""
MOST_CELLS = 1000
"""Of a map that is drawn as shapes; more would make a page of megabytes, and are a picture."""

_note = ""
_unit: Unit = "step"


def styled(draw: Callable[..., HTML]) -> Callable[..., HTML]:
    """Let a function draw in the style of this module, whatever a notebook has set."""

    @functools.wraps(draw)
    def in_style(*args: Any, **kwargs: Any) -> HTML:
        with looks.theme():
            return draw(*args, **kwargs)

    return in_style


def panels(rows: int, columns: int, width: float, height: float, **kwargs: Any) -> tuple[Figure, np.ndarray]:
    """A figure of ``rows`` × ``columns`` panels, ``width`` × ``height`` inches, and its axes in reading order.

    It does not go through pyplot: nothing stays open, and Jupyter does not show it a second time.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **kwargs)
    return figure, axes.ravel()


def grid(
    count: int, columns: int, height: float, width: float = 9, margin: float = 1.1, **kwargs: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of as many rows of panels as ``count`` of them need, and the axes of these; the rest shows nothing.

    Args:
        count: of panels.
        columns: in a row.
        height: of a row, inches.
        width: of the figure, inches.
        margin: what the legend takes, inches.
        kwargs: of ``Figure.subplots``.
    """
    rows = -(-count // columns)
    figure, axes = panels(rows, columns, width, height * rows + margin, **kwargs)
    for axis in axes[count:]:
        axis.set_axis_off()
    return figure, axes[:count]


def _tell_apart(axes: Sequence[Axes]) -> None:
    """Give lines of another name other dashes where they would look like one that was drawn before."""
    looks_taken: dict[Any, str] = {}
    for line in (line for axis in axes for line in axis.get_lines() if not str(line.get_label()).startswith("_")):
        label = str(line.get_label())
        for dashes in (line.get_linestyle(), *OTHER_DASHES):
            look = (line.get_color(), line.get_marker(), str(chart.dashes(line)))
            if looks_taken.setdefault(look, label) == label:
                break
            line.set_linestyle(dashes)


def legend(figure: Figure, axes: Iterable[Axes], columns: int, without: Sequence[str] = ()) -> None:
    """One legend below the panels, every label once, but for those that stand elsewhere."""
    axes = list(axes)
    _tell_apart(axes)
    found = [pair for axis in axes for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    handles = {label: handle for handle, label in found if label not in without}
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=columns, handlelength=3.4)


def short(number: float) -> str:
    """A count for an axis: 500, 1k, 2.5M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:g}"


def training_axis(axis: Axes, values: Sequence[float] | np.ndarray, label: str) -> None:
    """Steps or tokens from 0 on: logarithmic, as learning is fast early, but linear up to the second checkpoint.

    Args:
        axis: whose x axis.
        values: of the checkpoints, all that are drawn.
        label: of the axis; "training step" becomes what the steps of the series count, see :func:`counts`.
    """
    at = np.unique(np.asarray(values, float))
    axis.set_xlabel(counted(label))
    positive = at[at > 0]
    if _unit == "order":  # no distance to show
        axis.set_xlim(at[0] - 0.5, at[-1] + 0.5)
        axis.set_xticks(at[:: -(-len(at) // 10)])
    elif len(positive) < 2:  # nothing to spread
        axis.set_xlim(min(at[0], 0) - 1, at[-1] * 1.1 + 1)
        axis.set_xticks(at)
    else:
        first, last = positive[0], positive[-1]
        axis.set_xscale("symlog", linthresh=first, linscale=0.4)
        axis.set_xlim(-0.15 * first if at[0] == 0 else first * 0.9, last * 1.15)
        decades = 10.0 ** np.arange(np.ceil(np.log10(first * 2)), np.log10(last * 1.1))
        ends = [last] if not len(decades) or last > 2.5 * decades[-1] else []
        ticks = [*at[at == 0], *ends, first, *decades[::-1]]
        axis.set_xticks(looks.clear(axis, {tick: short(tick) for tick in ticks}))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))  # after the scale, which sets its own
    axis.xaxis.set_minor_locator(NullLocator())
    chart.of_training(axis)


def room(axis: Axes, last: float) -> None:
    """Widen an axis of :func:`training_axis` beyond its last checkpoint, for words about what was not reached."""
    left, _ = axis.get_xlim()
    # An order is not logarithmic: four times its end would be mostly room.
    axis.set_xlim(right=last + 0.35 * (last - left) if axis.get_xscale() == "linear" else max(last, 1) * 4)


def counts(unit: Unit) -> None:
    """Let every figure from here on call training steps what the steps of its series count."""
    global _unit
    _unit = unit


def counted(text: str) -> str:
    """A text about training steps as one about what is counted in their place, tokens or epochs say."""
    for name, known in zip(STEPS[_unit], STEPS["step"], strict=True):
        text = re.sub(rf"\b{known}\b", name, text)
    return text


def training_x(frame: pd.DataFrame) -> tuple[str, str]:
    """The column for the x axis and its label: runs of different batch sizes are compared at equal tokens.

    A run alone, or one whose tokens are not known, is shown by its steps.
    """
    by_tokens = frame["series"].nunique() > 1 and frame["tokens"].notna().all()
    return ("tokens", "tokens read") if by_tokens else ("step", counted("training step"))


def curve(
    axis: Axes,
    rows: pd.DataFrame,
    line: tuple[str, str, Any],
    name: str,
    x: str = "step",
    band: bool = True,
    scale: float = 1,
) -> None:
    """A curve with the band of its interval, where all of its values have one.

    Args:
        axis: where it is drawn.
        rows: ``value``, ``low``, ``high`` and the column ``x``.
        line: one of :data:`LINES`.
        name: for the legend.
        x: of the x axis.
        band: whether to draw the interval.
        scale: what values are multiplied by, 100 for points.
    """
    colour, marker, dashes = line
    at = rows[x].astype(float)
    (line_drawn,) = axis.plot(at, scale * rows["value"], color=colour, marker=marker, linestyle=dashes, label=name)
    chart.remember(line_drawn, rows, scale)
    if band and rows["low"].notna().all():
        ends = (scale * rows[end].astype(float) for end in ("low", "high"))
        axis.fill_between(at, *ends, color=colour, alpha=0.22, linewidth=0)


def baseline(axis: Axes, rows: pd.DataFrame, name: str, label: str, x: str = "step") -> None:
    """A baseline over training; nothing where it was not measured.

    Args:
        axis: where it is drawn.
        rows: ``value`` and the column ``x``.
        name: one of :data:`BASELINE_LINES`.
        label: for the legend.
        x: of the x axis.
    """
    if len(rows):
        colour, dashes = BASELINE_LINES[name]
        look: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 1.3}
        (line,) = axis.plot(rows[x].astype(float), rows["value"], **look, label=label)
        chart.remember(line, rows)


def level(axis: Axes, value: float, name: str, label: str, width: float = 1.3) -> None:
    """A baseline that is one number; arguments as of :func:`baseline`."""
    colour, dashes = BASELINE_LINES[name]
    axis.axhline(value, color=colour, linestyle=dashes, linewidth=width, label=label)


def heat(axis: Axes, table: pd.DataFrame, **kwargs: Any) -> None:
    """A heat map of a table, whose cells a reader can point at; ``kwargs`` as of ``seaborn.heatmap``."""
    sns.heatmap(table, ax=axis, **({"cmap": "cividis", "rasterized": table.size > MOST_CELLS} | kwargs))
    axis.grid(False)
    axis.tick_params(length=0)
    axis.tick_params(axis="y", rotation=0)
    chart.remember_cells(axis, table)


def write_in(axis: Axes, table: pd.DataFrame, said: pd.DataFrame) -> None:
    """Write words into the cells of a map, readable on their colours; ``said`` has the places of ``table``."""
    (mesh,) = (each for each in axis.collections if isinstance(each, QuadMesh))
    for (row, column), text in np.ndenumerate(said.to_numpy()):
        value = table.iat[row, column]
        red, green, blue, _ = mesh.to_rgba(value) if np.isfinite(value) else (1, 1, 1, 1)
        colour = "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.45 else INK
        axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=colour)


def ranged(row: pd.Series, form: str, unit: str = "", scale: float = 1) -> str:
    """A value with its interval in prose: "0.50 nats (0.40 to 0.60)"; the value alone where it has none.

    Args:
        row: ``value``, ``low`` and ``high``.
        form: of the numbers, as in a format string.
        unit: what stands behind the value.
        scale: what the numbers are multiplied by, 100 for points.
    """
    value, low, high = (format(scale * row[name], form) for name in ("value", "low", "high"))
    return f"{value}{unit} ({low} to {high})" if np.isfinite(row["low"]) else f"{value}{unit}"


def stepped(row: pd.Series, count: Callable[[float], str] = "{:,.0f}".format) -> str:
    """A step with its interval: "1,653 (1,000 to 2,000)", or "(1,000 or later)" where that has no end.

    Args:
        row: ``step``, ``low`` and ``high``.
        count: how numbers are written.
    """
    low = count(row["low"]) if np.isfinite(row["low"]) else "the first or earlier"
    high = f"to {count(row['high'])}" if np.isfinite(row["high"]) else "or later"
    return f"{count(row['step'])} ({low} {high})"


def note(text: str) -> None:
    """What stands below every figure that is drawn from here on, as plain text; empty for nothing."""
    global _note
    _note = text


def show(figure: Figure, name: str, answer: str, data: pd.DataFrame, caption: str, alt: str) -> HTML:
    """A figure as HTML that needs no server and no other file, in Jupyter and in the book.

    Args:
        figure: drawn within :func:`styled`.
        name: of the files a reader saves.
        answer: the one that the figure gives: a title above it, as text, which a phone can break into lines. Where it
            is longer than :data:`captions.CHARACTERS`, the whole stands in the fold.
        data: all that was drawn, behind the link to the CSV.
        caption: plain text that stands alone: question, intervals, baselines, data; its first sentences, of
            :data:`captions.WORDS` words at most, stand below the figure, and the others in the fold.
        alt: plain text for those who do not see the figure.

    Returns:
        A ``<figure>`` with the SVG inside; the same inputs give the same bytes.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": name})
    svg = _data_uri("image/svg+xml", buffer.getvalue())
    alt = re.sub(r"^1 (small )?(line chart|heat map|panel)s\b", r"1 \1\2", alt)
    answer, alt = (re.sub(r"\bstep (\d[\d,]*)\b", AT[_unit], counted(text)) for text in (answer, alt))
    shown, more = captions.caption(counted(caption))
    title = captions.title(answer)
    fold = captions.fold(answer if title != answer else "", more, _note, noted=bool(_note))
    name, shown, alt, title = (html.escape(text, quote=True) for text in (name, shown, alt, title))
    # Below about 66 pixels an inch the labels cannot be read: a phone scrolls the figure, not the page.
    width = round(figure.get_figwidth() * 66)
    return HTML(
        f'<figure class="embryology-figure" id="figure-{name}">'
        f"<p><strong>{title}</strong></p>"
        f'<div style="overflow-x: auto" tabindex="0" role="region" aria-label="figure {name}">'
        f'<img class="dark-light" src="{svg}" alt="{alt}" '
        f'style="width: 100%; min-width: {width}px; max-width: {2 * width}px; background: #fff"/></div>'
        f"<figcaption>{shown}{fold} "
        f"{csv_link(data, name, 'Data (CSV)')} · "
        f'<a href="{svg}" download="{name}.svg">Figure (SVG)</a>{origin.fold([*data])}</figcaption>'
        f"{chart.script(figure)}</figure>"
    )


def csv_link(data: pd.DataFrame, name: str, said: str) -> str:
    """A link that saves a table as a file of this name, as HTML; the table is in the link."""
    address = _data_uri("text/csv", data.to_csv(index=False).encode())
    return f'<a href="{address}" download="{name}.csv">{said}</a>'


def table(table: pd.DataFrame) -> HTML:
    """A table as HTML."""
    # A long hash or command scrolls within its table, not the page.
    with pd.option_context("display.max_colwidth", None):
        body = table.to_html(index=False, border=0, escape=True, justify="left", classes="embryology-provenance")
    return HTML(f'<div style="overflow-x: auto" tabindex="0">{body}</div>')


def searchable(table: pd.DataFrame, name: str, caption: str) -> HTML:
    """A table that a reader can search, sort and page through, in a page that needs no server and no network.

    Args:
        table: any; its index is not shown.
        name: of the table; the same inputs give the same bytes.
        caption: plain text below it.
    """
    import itables.options
    from itables.javascript import generate_init_offline_itables_html, to_html_datatable

    body = to_html_datatable(
        table,
        connected=False,
        table_id=f"table-{name}",
        showIndex=False,
        classes="display compact nowrap",
        maxBytes=0,
        allow_html=False,
        style="table-layout:auto;width:100%;margin:0",
    )
    script = generate_init_offline_itables_html(itables.options.dt_bundle)
    return HTML(
        f'<div class="embryology-table" style="overflow-x: auto">{script}{body}</div><p>{html.escape(caption)}</p>'
    )


def paragraph(sentence: str) -> HTML:
    """A sentence that stands where there is nothing to draw."""
    return HTML(f"<p>{html.escape(sentence)}</p>")


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def few(values: Sequence[int], most: int) -> list[int]:
    """At most so many, evenly, the first and the last among them."""
    at = np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int))
    return [values[i] for i in at]


def plural(number: int, what: str) -> str:
    """ "1 line chart", "3 line charts"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def some(names: Sequence[str]) -> str:
    """As :func:`listed`, the first ones of many: "a, b and 23 others"."""
    return listed(names if len(names) < 5 else [*names[:2], f"{len(names) - 2} others"])


def listed(names: Sequence[str]) -> str:
    """Names in prose: "a", "a and b", "a, b and c"; "none" of none."""
    *others, last = names or ["none"]
    return f"{', '.join(others)} and {last}" if others else str(last)
