"""What stands in the HTML of a figure, and what it was drawn of."""

import base64
import io
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from embryology.figures import style


def answer_of(figure):
    return re.search(r"<strong>(.*?)</strong>", figure)[1]


def svg_of(figure):
    return base64.b64decode(re.search(r'src="data:image/svg\+xml;base64,([^"]*)"', figure)[1])


def csv_of(figure):
    return pd.read_csv(io.BytesIO(base64.b64decode(re.search(r'href="data:text/csv;base64,([^"]*)"', figure)[1])))


def caption_of(figure):
    return re.search(r"<figcaption>(.*?)<a ", figure)[1]


def cells_of(table):
    """The rows of an HTML table below its head, each a list of texts."""
    rows = re.findall(r"<tr.*?>(.*?)</tr>", table, re.DOTALL)
    return [cells for row in rows if (cells := re.findall(r"<td>(.*?)</td>", row, re.DOTALL))]


@dataclass(frozen=True)
class Shown:
    """What :func:`embryology.figures.style.show` was given."""

    figure: Figure
    name: str
    answer: str
    data: pd.DataFrame
    caption: str
    alt: str

    def panel(self, title):
        """The one whose title begins so."""
        (axis,) = [axis for axis in self.figure.axes if axis.get_title(loc="left").startswith(title)]
        return axis


def seen(draw, *args, **kwargs):
    """What a function draws, before it is a picture, which would take longer than all else."""
    given = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "show", lambda *parts: given.append(Shown(*parts)))
        draw(*args, **kwargs)
    (shown,) = given
    return shown


def line(axis, label):
    """The points of the line with a label, (n, 2); a level's two have its height."""
    (found,) = [line for line in axis.get_lines() if line.get_label() == label]
    return np.column_stack([np.asarray(values, float) for values in found.get_data()])


def bands(axis):
    """Of every band, in the order in which they were drawn: (n, 3) of x, lower and upper end."""
    found = []
    for collection in axis.collections:
        if isinstance(collection, PolyCollection):
            corners = np.concatenate([path.vertices for path in collection.get_paths()])
            at = np.unique(corners[:, 0])
            heights = [corners[corners[:, 0] == x, 1] for x in at]
            found.append(np.array([(x, ys.min(), ys.max()) for x, ys in zip(at, heights, strict=True)]))
    return found


def bars(axis):
    """Of every set of horizontal bars: (n, 3) of height, left and right end; none where there is no interval."""
    sets = [collection.get_segments() for collection in axis.collections if isinstance(collection, LineCollection)]
    return [np.array([(ends[0, 1], ends[0, 0], ends[1, 0]) for ends in segments if len(ends)]) for segments in sets]


def words_in(axis):
    return [text.get_text() for text in axis.texts]


def rows(task, metric, values, steps, width=(0.1, 0.02), tokens=2048, **columns):
    """Measurements made by hand, a row a checkpoint, whose intervals reach farther down than up."""
    values = np.asarray(values, float)
    table = pd.DataFrame({"step": steps, "value": values, "low": values - width[0], "high": values + width[1]})
    known = {"series": "run", "task": task, "metric": metric, "group": "", "baseline": None, "layer": np.nan}
    known |= {"seed": 0, "n": 100, "unit": None, "tokens": table["step"] * tokens}
    return table.assign(**known | columns)
