"""Colours, marks and dashes of figures, and seaborn's theme as these figures have it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import matplotlib
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties

from embryology.runs.series import Series
from embryology.specs import UNTRAINED, attention, downstream, edges, grammar, knowledge, similarity, tokens

INK, MUTED, GRID, ALERT = "#222222", "#595959", "#dddddd", "#B34700"

# Okabe and Ito's colours (2008) without black and yellow; each comes with its own marker and dashes,
# so that no line is told from another by colour alone.
LINES = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", (0, (6, 1))),
    ("#009E73", "^", (0, (3, 1, 1, 1))),
    ("#CC79A7", "D", (0, (8, 2, 2, 2))),
    ("#56B4E9", "v", (0, (4, 2))),
    ("#E69F00", "P", (0, (2, 1))),
)
DOTTED, DASHED = (0, (1, 1.5)), (0, (5, 2))
BASELINE_LINES = {
    attention.UNIFORM: (INK, DOTTED),
    attention.OFFSET: (INK, DASHED),
    tokens.FREQUENT_WORD: (INK, DOTTED),
    tokens.FREQUENT_IN_GROUP: (INK, DASHED),
    edges.MAJORITY: (INK, DOTTED),  # downstream tasks call theirs by the same name
    edges.STATIC: (INK, DASHED),
    edges.CONTROL: (ALERT, (0, (3, 1.5))),
    edges.FREQUENCIES: (INK, (0, (1, 1, 4, 1))),
    downstream.TF_IDF: (INK, DASHED),
    grammar.CHANCE: (INK, DOTTED),
    grammar.SHORTER: (ALERT, (0, (1, 1))),
    grammar.UNIGRAM: (INK, DASHED),
    knowledge.MAJORITY: (INK, DOTTED),
    knowledge.TEMPLATE: (INK, DASHED),
    knowledge.SHUFFLED: (ALERT, (0, (3, 1.5))),
    knowledge.COPY: (ALERT, (0, (1, 1))),
    similarity.SHUFFLED: (INK, DOTTED),
    UNTRAINED: ("#999999", (0, (7, 1.5, 1, 1.5))),
}
"""Colour and dashes of baselines, by their names in the specifications."""

RC: dict[str, Any] = {
    "svg.hashsalt": "embryology",  # else every file has element ids of its own
    "svg.fonttype": "path",  # an image in a page cannot load fonts
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize"), 10),
    "axes.titlelocation": "left",
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), MUTED),
    **dict.fromkeys(("axes.labelcolor", "text.color", "xtick.labelcolor", "ytick.labelcolor"), INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.bottom": True,
    "ytick.left": True,
    **{f"{axis}tick.major.{what}": value for axis in "xy" for what, value in (("size", 3.5), ("width", 0.8))},
    "image.cmap": "cividis",
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.7,
    "lines.markersize": 3.5,
    "savefig.facecolor": "white",  # a light ground of its own, so that a figure also reads on a dark page
}
"""What differs from seaborn's "whitegrid"."""


@contextmanager
def theme() -> Iterator[None]:
    """Draw in seaborn's theme as changed by :data:`RC`, whatever a notebook has set."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        sns.set_theme(context="paper", style="whitegrid", palette=[colour for colour, _, _ in LINES], rc=RC)
        yield


Line = tuple[str, str, Any]
"""Colour, mark and dashes."""
_recipes: dict[str, str] = {}


def know(series: Sequence[Series]) -> None:
    """Say which series are seeds of one recipe, for every figure from here on."""
    _recipes.clear()
    _recipes.update({each.name: each.recipe or each.name for each in series})


def by_recipe(names: Iterable[str]) -> dict[str, list[str]]:
    """Names of series by what their recipe is called: what the names of its seeds begin with, or the name of one."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_recipes.get(name, name), []).append(name)
    called = {}
    for group in groups.values():
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(min(group), max(group), strict=False))
        shared = "".join(letter for letter, _ in alike).rstrip("-_. ").removesuffix("seed").rstrip("-_. ")
        called[shared if len(group) > 1 and shared and shared not in called else group[0]] = group
    return called


def lines(names: Sequence[str]) -> dict[str, Line]:
    """A line a series, no two alike: one of :data:`LINES`, or, of more, a colour a recipe and dashes a seed."""
    if len(names) <= len(LINES):
        return dict(zip(names, LINES, strict=False))
    groups = by_recipe(names).values()
    colours = sns.color_palette(
        [colour for colour, _, _ in LINES] if len(groups) <= len(LINES) else "husl", len(groups)
    )
    looks = [(mark, dashes) for _, mark, dashes in LINES]
    found = {}
    for colour, group in zip(colours.as_hex(), groups, strict=True):
        for number, name in enumerate(group):
            mark, dashes = looks[number % len(looks)]
            found[name] = (colour, mark, dashes if number < len(looks) else (0, (1, 1 + number)))
    return found


def clear(axis: Axes, labels: Mapping[float, str]) -> list[float]:
    """Of places on the x axis, the most important one first, those whose labels stand clear of all before them.

    Labels are taken to be 0.6 of their height wide a letter, and panels to be as wide as before they are laid out.
    """
    assert axis.figure is not None
    height = FontProperties(size=matplotlib.rcParams["xtick.labelsize"]).get_size_in_points() / 72
    kept: dict[float, tuple[float, float]] = {}
    for at, label in labels.items():
        place = axis.get_xaxis_transform().transform((at, 0))[0] / axis.figure.dpi
        wide = 0.6 * height * (len(label) + 1)
        if all(abs(place - other) >= (wide + as_wide) / 2 for other, as_wide in kept.values()):
            kept[at] = place, wide
    return sorted(kept)
