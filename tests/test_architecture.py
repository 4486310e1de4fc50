"""The picture of the rooms is what the imports are, and the pages about the code name what is there."""

import re
import runpy
import xml.etree.ElementTree as ElementTree
from importlib import import_module

import networkx
import pytest

from embryology.runs.paths import ROOT
from tests.test_project import MODULES, NOTEBOOKS, code_of, station, stations

SVG = "{http://www.w3.org/2000/svg}"
FILE = ROOT / "book" / "_static" / "architecture.svg"
DOCUMENTED = re.compile(r"^\.\. auto\w+:: (\S+)(?:\n   :members: (.*))?", re.MULTILINE)
NAMED = re.compile(r"\{class\}`~?([\w.]+)`")


@pytest.fixture(scope="module")
def picture():
    return ElementTree.fromstring(FILE.read_text())


def graph():
    """The imports between rooms, by those who test the order of the rooms; without those that follow from others."""
    found = networkx.DiGraph()
    sources = [(station(file), file.read_text()) for file in MODULES]
    for room, source in [*sources, *(("notebooks", code_of(notebook)) for notebook in NOTEBOOKS)]:
        found.add_edges_from((room, other) for other in stations(source) - {room})
    found.remove_node("__main__")
    return networkx.transitive_reduction(found)


def test_the_picture_is_what_the_script_draws_of_the_imports_of_today():
    drawn = runpy.run_path(str(ROOT / "book" / "architecture.py"))["svg"]()
    assert FILE.read_text() == drawn, "run python book/architecture.py"


def test_the_picture_has_every_room_and_an_arrow_for_every_import_that_does_not_follow(picture):
    places = {text.text: (float(text.get("x")), float(text.get("y"))) for text in picture.iter(f"{SVG}text")}
    imports = graph()
    assert places.keys() == set(imports)
    arrows = set()
    for path in picture.findall(f"{SVG}path"):
        start, *_, end = re.findall(r"(-?\d+) (-?\d+)(?=C|$)", path.get("d"))
        (room,) = (name for name, (x, y) in places.items() if (f"{x:.0f}", f"{y + 10:.0f}") == start)
        (other,) = (name for name, (x, y) in places.items() if (f"{x:.0f}", f"{y - 20:.0f}") == end)
        assert places[room][1] < places[other][1]
        arrows.add((room, other))
    assert arrows == set(imports.edges)


def test_no_box_lies_on_another_or_beyond_the_edge(picture):
    ground, *boxes = (
        [float(box.get(name, 0)) for name in ("x", "y", "width", "height")] for box in picture.iter(f"{SVG}rect")
    )
    for number, (x, y, width, height) in enumerate(boxes):
        assert 0 <= x <= ground[2] - width
        assert 0 <= y <= ground[3] - height
        for a, b, _, _ in boxes[number + 1 :]:
            assert abs(a - x) >= width or abs(b - y) >= height


def resolved(name):
    """What a dotted name stands for."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError:
        return getattr(resolved(module), attribute)


def test_what_the_pages_document_is_there_and_has_a_docstring():
    documented = DOCUMENTED.findall((ROOT / "book" / "api.md").read_text())
    assert len(documented) > 10
    for name, members in documented:
        for each in [
            resolved(name),
            *(getattr(resolved(name), member) for member in filter(None, members.split(", "))),
        ]:
            assert each.__doc__
    named = NAMED.findall((ROOT / "book" / "architecture.md").read_text())
    assert named
    assert set(named) <= {name for name, _ in documented}
