"""Docstrings as napoleon leaves them, with the extension and without it."""

import pytest
import yaml
from sphinx.ext.napoleon import Config, _process_docstring

from embryology.report.docstrings import without_types
from embryology.runs.paths import ROOT

ATTRIBUTE = ["What figures call it: the folder's name.", "", "Else: another."]
FUNCTION = [
    "Open it: a run.",
    "",
    "Returns:",
    "    A row an item: its ``item_id``.",
    "",
    "Raises:",
    "    ValueError: gone.",
]


class App:
    """With the settings of the book."""

    config = Config(
        napoleon_numpy_docstring=yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"][
            "napoleon_numpy_docstring"
        ]
    )


def shown(what, docstring, extended=True):
    lines = list(docstring)
    if extended:
        without_types(None, what, "Series.name", None, None, lines)
    _process_docstring(App, what, "Series.name", None, None, lines)
    return [line for line in lines if line]


@pytest.mark.parametrize("what", ["attribute", "property", "data"])
def test_an_attribute_s_docstring_is_left_whole(what):
    assert any(":type:" in line for line in shown(what, ATTRIBUTE, extended=False))  # why the extension is there
    assert shown(what, ATTRIBUTE) == [line for line in ATTRIBUTE if line]


@pytest.mark.parametrize("what", ["method", "function"])
def test_what_is_returned_is_left_whole_and_errors_are_read(what):
    assert ":rtype: A row an item" in shown(what, FUNCTION, extended=False)
    first, *others = shown(what, FUNCTION)
    assert first == "Open it: a run."
    assert others == [":returns: A row an item: its ``item_id``.", ":raises ValueError: gone."]


def test_an_attribute_without_a_docstring_stays_so():
    assert shown("attribute", []) == []
