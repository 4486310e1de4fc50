"""The picture on the page "How it is built", from the imports: `python book/architecture.py`, after they have changed.

A room stands above all that it imports. An arrow that follows from others is left out: who imports `runs` may import
all that `runs` does.
"""

import ast
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "embryology"
FILE = ROOT / "book" / "_static" / "architecture.svg"
NOTEBOOKS = "notebooks"

WIDTH, LAYER, MARGIN = 760, 74, 16
BOX = (104, 30)
APART = {True: 122, False: 26}
"""Between the middles of two boxes, and of two lines or a line and a box's edge."""
SWEEPS = 60

Graph = dict[str, set[str]]
Place = tuple[str, str] | str
"""A room, or an arrow (from, to) where it passes a layer."""


def imported(source: str) -> Iterator[str]:
    """The rooms of the package that a source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("embryology.") and "__" not in name)


def rooms() -> Graph:
    """By room of the package, and of the notebooks, the other rooms that it imports."""
    sources = [
        (file.relative_to(PACKAGE).parts[0].removesuffix(".py"), file.read_text()) for file in PACKAGE.rglob("*.py")
    ]
    for file in (ROOT / NOTEBOOKS).glob("*.ipynb"):
        cells = json.loads(file.read_text())["cells"]
        sources += [(NOTEBOOKS, "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    graph: Graph = {}
    for room, source in sources:
        if not room.startswith("__"):
            graph.setdefault(room, set()).update(set(imported(source)) - {room})
    return graph


def below(graph: Graph, room: str) -> set[str]:
    """All that a room imports, through others too."""
    return graph[room].union(*(below(graph, other) for other in graph[room]))


def reduced(graph: Graph) -> Graph:
    """The same without what follows."""
    return {
        room: {one for one in others if not any(one in below(graph, other) for other in others)}
        for room, others in graph.items()
    }


def heights(graph: Graph) -> dict[str, int]:
    """The layer of each room, one above the highest that it imports."""
    found: dict[str, int] = {}
    while len(found) < len(graph):
        for room in sorted(graph.keys() - found.keys()):
            if graph[room] <= found.keys():
                found[room] = 1 + max((found[other] for other in graph[room]), default=-1)
    return found


def placed(
    graph: Graph, height: dict[str, int]
) -> tuple[dict[tuple[int, Place], float], list[list[tuple[int, Place]]]]:
    """Where everything stands from left to right, and the way of each arrow through the layers, downwards.

    Each is drawn towards the middle of its neighbours, above and below in turns.
    """
    ways = [
        [
            (height[room], room),
            *((layer, (room, other)) for layer in range(height[room] - 1, height[other], -1)),
            (height[other], other),
        ]
        for room in sorted(graph)
        for other in sorted(graph[room])
    ]
    layers: dict[int, list[tuple[int, Place]]] = {}
    for point in sorted({(height[room], room) for room in graph} | {point for way in ways for point in way}, key=str):
        layers.setdefault(point[0], []).append(point)
    x = {
        point: WIDTH * (number + 1) / (len(layer) + 1)
        for layer in layers.values()
        for number, point in enumerate(layer)
    }
    near: dict[tuple[int, Place], list[tuple[int, Place]]] = {point: [] for point in x}
    for way in ways:
        for upper, lower in pairwise(way):
            near[upper].append(lower)
            near[lower].append(upper)
    for sweep in range(SWEEPS):
        for number in sorted(layers, reverse=bool(sweep % 2)):
            layer = layers[number]
            wanted = {point: mean([x[other] for other in near[point]] or [x[point]]) for point in layer}
            layer.sort(key=lambda point: (wanted[point], str(point)))
            apart = [sum(APART[isinstance(point[1], str)] for point in pair) / 2 for pair in pairwise(layer)]
            places = [wanted[layer[0]]]
            for point, gap in zip(layer[1:], apart, strict=True):
                places.append(max(wanted[point], places[-1] + gap))
            shift = mean(wanted[point] - place for point, place in zip(layer, places, strict=True))
            x.update({point: place + shift for point, place in zip(layer, places, strict=True)})
    left, right = min(x.values()), max(x.values())
    scale = (WIDTH - 2 * MARGIN - BOX[0]) / (right - left)
    return {point: MARGIN + BOX[0] / 2 + (place - left) * scale for point, place in x.items()}, ways


def svg() -> str:
    graph = reduced(rooms())
    height = heights(graph)
    x, ways = placed(graph, height)
    top = max(height.values())
    wide, high = BOX
    total = MARGIN + LAYER * top + high + MARGIN

    def y(layer: int) -> float:
        return MARGIN + LAYER * (top - layer)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}" font-family="sans-serif" '
        'font-size="14">',
        "<title>The rooms of the package and what they import</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#4d4d4d"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{total}" rx="8" fill="#fff"/>',
    ]
    for way in ways:
        path = f"M{x[way[0]]:.0f} {y(way[0][0]) + high:.0f}"
        for upper, lower in pairwise(way):
            start = y(upper[0]) + (high if upper is way[0] else high / 2)
            end = y(lower[0]) + (0 if lower is way[-1] else high / 2)
            middle = (start + end) / 2
            path += f"C{x[upper]:.0f} {middle:.0f} {x[lower]:.0f} {middle:.0f} {x[lower]:.0f} {end:.0f}"
        lines.append(f'<path d="{path}" fill="none" stroke="#4d4d4d" stroke-width="1.2" marker-end="url(#head)"/>')
    for room in sorted(graph):
        middle, upper = x[height[room], room], y(height[room])
        colour = "#fff4d6" if room == NOTEBOOKS else "#dcebf7"
        lines += [
            f'<rect x="{middle - wide / 2:.0f}" y="{upper:.0f}" width="{wide}" height="{high}" rx="5" fill="{colour}" '
            'stroke="#225588"/>',
            f'<text x="{middle:.0f}" y="{upper + 20:.0f}" text-anchor="middle" fill="#111">{room}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    FILE.write_text(svg(), encoding="utf-8")
    print(FILE)
