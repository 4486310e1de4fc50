"""Formulas are MathML that a browser shows by itself, and Thebe's scripts are on no page."""

from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
import yaml

from embryology.errors import EmbryologyError
from embryology.report import offline
from embryology.runs.paths import ROOT


@pytest.mark.parametrize(
    ("tex", "said", "tags"),
    [
        (r"k(t-k)/t", "k(t−k)/t", set()),
        (r"u \cdot v", "u⋅v", set()),
        (r"\frac{a}{b_2}", "ab2", {"mfrac", "msub"}),
        (r"\log_2 n < 5", "log2n<5", {"msub"}),
    ],
)
@pytest.mark.parametrize("displayed", [False, True])
def test_a_formula_is_well_formed_and_says_what_it_said(tex, said, tags, displayed):
    root = ElementTree.fromstring(offline.mathml(tex, displayed))
    name = "{http://www.w3.org/1998/Math/MathML}"
    assert "".join("".join(root.itertext()).split()).replace("\u2061", "") == said
    assert {element.tag.removeprefix(name) for element in root.iter()} >= tags
    assert (root.get("display") == "block") is displayed


def test_a_formula_that_cannot_be_converted_is_refused_with_its_text():
    with pytest.raises(EmbryologyError, match=r"the formula \$\\unknown x\$ has no MathML"):
        offline.mathml(r"\unknown x", False)


def test_the_book_takes_this_renderer():
    sphinx = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]
    assert offline.__name__ in sphinx["extra_extensions"]
    assert sphinx["config"]["html_math_renderer"] == offline.RENDERER


def test_thebe_and_what_a_page_has_twice_are_left_out():
    def file(name, **attributes):
        return SimpleNamespace(filename=name, attributes=attributes)

    scripts = [
        file("_static/doctools.js"),
        file(None, body="let a = 1"),
        file(None, body='const THEBE_JS_URL = "https://unpkg.com/thebe"'),
        file("_static/sphinx-thebe.js"),
        file(None, body="let a = 1"),
        file("_static/design-tabs.js"),
    ]
    context = {"script_files": scripts, "css_files": [file("_static/basic.css"), file("_static/sphinx-thebe.css")]}
    offline.leave_out(None, "page", "page.html", context, None)
    kept = [each.filename or each.attributes["body"] for each in context["script_files"]]
    assert kept == ["_static/doctools.js", "let a = 1", "_static/design-tabs.js"]
    assert [each.filename for each in context["css_files"]] == ["_static/basic.css"]
