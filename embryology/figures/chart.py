"""The data of a drawn figure as the book's script reads them: to point at, and to draw over another axis.

``book/_static/embryology.js`` says the value, interval and number of items of what a reader points at, and draws
figures over training by steps, tokens, or nats below the unigram cross-entropy. Without it figures stand as they are.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.scale import SymmetricalLogTransform

from embryology.analysis import training
from embryology.errors import EmbryologyError
from embryology.runs.series import Series

AXES = {"step": "training steps", "tokens": "tokens read", "nats": "nats below the unigram cross-entropy"}
"""What a figure over training can be drawn by, as buttons call it."""
DIGITS = 5
"""Significant ones, of all numbers."""


class Remembered(NamedTuple):
    """What an artist does not keep of the rows that it was drawn of, in the units of its axis."""

    low: Sequence[float]
    high: Sequence[float]
    n: Sequence[float]
    across: bool
    """Whether values, and so intervals, lie on the x axis."""


_rows: WeakKeyDictionary[Artist, Remembered] = WeakKeyDictionary()
_cells: WeakKeyDictionary[Axes, tuple[pd.DataFrame, pd.DataFrame | None]] = WeakKeyDictionary()
_training: WeakKeyDictionary[Axes, bool] = WeakKeyDictionary()
_choices: WeakKeyDictionary[Figure, dict[str, Any]] = WeakKeyDictionary()
_series: dict[str, dict[str, list[float]]] = {}


def remember(artist: Artist, rows: pd.DataFrame, scale: float = 1, across: bool = False) -> None:
    """Keep intervals and numbers of items of the points of a line, one for each of ``rows``, if they have any."""
    nothing = np.full(len(rows), np.nan)
    low, high = (scale * rows[end].to_numpy(float) if end in rows else nothing for end in ("low", "high"))
    n = rows["n"].to_numpy(float) if "n" in rows else nothing
    _rows[artist] = Remembered(low.tolist(), high.tolist(), n.tolist(), across)


def remember_cells(axis: Axes, table: pd.DataFrame, said: pd.DataFrame | None = None) -> None:
    """Keep the values of a map, with the names of its rows and columns, and what is said of each, if more."""
    _cells[axis] = table, said


def of_training(axis: Axes) -> None:
    """Say that the x axis is one of training."""
    _training[axis] = True


def offer(figure: Figure, choices: dict[str, Any]) -> None:
    """Let readers choose what is drawn in the first panel of a figure; see :mod:`embryology.figures.chosen`."""
    _choices[figure] = choices


def know(series: Sequence[Series]) -> None:
    """Let every figure from here on be drawn by all of :data:`AXES` that are known of these series."""
    _series.clear()
    for each in series:
        steps = [float(checkpoint.step) for checkpoint in each.checkpoints]
        table = pd.DataFrame(dict.fromkeys(("step", "low", "high"), steps))
        for name in AXES:
            with suppress(EmbryologyError):  # tokens or losses are not known
                _series.setdefault(each.name, {})[name] = training.on_axis(each, table, name)["step"].tolist()


def script(figure: Figure) -> str:
    """The element of a drawn figure that holds :func:`data`; nothing where there is nothing to point at."""
    found = data(figure)
    return (
        packed(found, "embryology-chart") if any(panel["lines"] or "map" in panel for panel in found["panels"]) else ""
    )


def packed(content: dict[str, Any], name: str) -> str:
    """JSON in a page, compressed: an element that nothing but the script reads. The same content, the same bytes."""
    text = json.dumps(_rounded(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    body = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return f'<script type="text/plain" class="{name}">{body}</script>'


def _rounded(value: Any) -> Any:
    """With numbers of few digits, and null for those that are not finite."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    if isinstance(value, float | np.floating):
        short = float(f"{value:.{DIGITS}g}")
        return None if not np.isfinite(value) else int(short) if short == int(short) else short
    return int(value) if isinstance(value, np.integer) else value


def data(figure: Figure) -> dict[str, Any]:
    """What a figure shows, after it was laid out: its size, its panels, and on which axes of training it can stand."""
    shown = [axis for axis in figure.axes if axis.axison and (axis.lines or axis in _cells)]
    of_tokens = any("tokens read" in axis.get_xlabel() for axis in shown)
    found: dict[str, Any] = {
        "size": [float(inch) for inch in figure.get_size_inches()],
        "panels": [_panel(axis) for axis in shown],
        "by": "tokens" if of_tokens else "step",
    }
    if _series and any(axis in _training for axis in shown):
        found |= {"training": _series, "axes": AXES}
    if figure in _choices:
        found["choices"] = _choices[figure]
    return found


def _panel(axis: Axes) -> dict[str, Any]:
    place = axis.get_position()
    panel: dict[str, Any] = {
        "title": axis.get_title(loc="left") or axis.get_title(),
        "labels": [axis.get_xlabel(), axis.get_ylabel()],
        "box": [place.x0, 1 - place.y1, place.width, place.height],
        "x": _scale(axis.get_xscale(), axis.xaxis, axis.get_xlim()),
        "y": _scale(axis.get_yscale(), axis.yaxis, axis.get_ylim()),
        "training": axis in _training,
        "lines": [line for each in axis.lines if (line := _line(axis, each))],
    }
    if axis in _cells:
        table, said = _cells[axis]
        names = [[str(name) for name in index] for index in (table.columns, table.index)]
        panel |= {"map": (table.astype(float) if said is None else said).to_numpy().tolist(), "names": names}
    return panel


def _scale(kind: str, axis: Any, limits: tuple[float, float]) -> dict[str, Any]:
    low, high = sorted(limits)
    places = axis.get_majorticklocs()
    labels = zip(places, axis.get_major_formatter().format_ticks(places), strict=True)
    ticks = [[float(at), label] for at, label in labels if low <= at <= high]
    scale: dict[str, Any] = {"kind": kind, "limits": [float(end) for end in limits], "ticks": ticks}
    transform = axis.get_transform()
    if isinstance(transform, SymmetricalLogTransform):
        scale |= {"linear": float(transform.linthresh), "wide": float(transform.linscale)}
    return scale


def _line(axis: Axes, line: Line2D) -> dict[str, Any] | None:
    """A line with its points; one with a place on one axis alone, as a baseline has, as a ``level``."""
    label = str(line.get_label())
    if label.startswith("_") and line not in _rows:
        return None
    found: dict[str, Any] = {
        "label": label.lstrip("_"),
        "colour": to_hex(line.get_color()),
        "width": line.get_linewidth(),
    }
    found |= {"dashes": dashes(line), "mark": line.get_marker() not in (None, "", "None", " ")}
    on_x, on_y = line.get_transform().contains_branch_seperately(axis.transData)
    x, y = (np.asarray(values, float).tolist() for values in (line.get_xdata(), line.get_ydata()))
    if not on_x:
        return found | {"level": y[0]}
    if not on_y:
        return None
    series = next((name for name in _series if label == name or label.startswith((f"{name},", f"{name}:"))), None)
    found |= {"x": x, "y": y, "series": series}
    if line in _rows:
        kept = _rows[line]._asdict()
        found |= {name: values for name, values in kept.items() if name == "across" or np.isfinite(values).any()}
    return found


def dashes(line: Line2D) -> list[float] | None:
    """Lengths in points; None of a line that joins nothing, empty of one that is whole."""
    if line.get_linestyle() in ("None", "", " "):
        return None
    _, pattern = line._dash_pattern  # type: ignore[attr-defined]  # has no public name
    return list(pattern or [])
