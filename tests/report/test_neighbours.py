"""Next and previous stay within a run."""

from types import SimpleNamespace

import pytest

from embryology.report import neighbours


@pytest.mark.parametrize(
    ("page", "other", "leads"),
    [
        ("book/executed/tiny/tokens", "book/executed/tiny/edges", False),
        ("book/executed/tiny/tokens", "book/executed/baby/tokens", True),
        ("book/executed/tiny/tokens", "book/use", False),
        ("book/use", "book/executed/tiny/tokens", False),
        ("book/executed/tiny/tokens", "book/executed/recipes", False),  # a study is of no run
        ("book/executed/tiny/tokens", None, False),
    ],
)
def test_a_neighbour_of_another_run_is_told_from_others(page, other, leads):
    assert neighbours.leads_to_another_run(page, other) is leads


def test_links_to_another_run_are_taken_out_and_others_stay():
    relations = {"book/executed/b/x": ("up", "book/executed/a/y", "book/executed/b/z")}
    app = SimpleNamespace(builder=SimpleNamespace(relations=relations))
    context = {"prev": "left", "next": "right"}
    neighbours.stay(app, "book/executed/b/x", "page.html", context, None)
    assert context == {"prev": None, "next": "right"}
    neighbours.stay(app, "search", "page.html", context, None)
    assert context == {"prev": None, "next": "right"}
