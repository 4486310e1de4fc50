"""Spans written as brackets, and the edges they make."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embryology.storage.lines import MalformedError
from embryology.treebanks import Edge
from embryology.treebanks.spans import bracketed, constituents, coreference, mentions, roles


def column(*cells):
    return list(enumerate(cells, start=1))


def test_every_link_of_a_unary_chain_is_a_constituent_but_top_and_single_words():
    left_out = Counter()
    edges = constituents(column("(TOP(S(VP(NP*", "*))", "(NP*)))"), left_out)
    assert [(edge.label, edge.first) for edge in edges] == [("NP", (0, 2)), ("VP", (0, 2)), ("S", (0, 3))]
    assert left_out == {"constituent TOP": 1, "constituent of one word": 1}


def test_roles_go_from_the_verb_and_its_particle_to_each_argument():
    left_out = Counter()
    cells = column("(ARG1*)", "(V*", "*)", "(R-ARG1*", "*)", "(C-ARG1*)", "(C-V*)")
    edges = roles(cells, left_out, 1)
    assert edges == [
        Edge("role", label, (1, 3), span)
        for label, span in (
            ("ARG1", (0, 1)),
            ("R-ARG1", (3, 5)),
            ("C-ARG1", (5, 6)),
        )
    ]
    assert left_out == {"role V": 1, "role C-V": 1}
    assert roles(cells, Counter(), 6)[0].first == (6, 7)  # V is elsewhere: the predicate is its own word
    assert roles(cells, Counter(), 2)[0].first == (1, 3)  # the particle's row
    assert roles(cells, Counter())[0].first == (1, 3)
    twice = roles(column("(V*)", "(ARG0*)", "(V*)"), Counter(), 2)
    assert [(edge.first, edge.second) for edge in twice] == [((2, 3), (1, 2))]
    assert roles(column("(ARG0*)", "*"), left_out) == []
    assert left_out["role of no predicate"] == 1


@pytest.mark.parametrize(
    ("cells", "message", "line"),
    [
        (("(S*", "(NP*"), r"unbalanced brackets: \(NP is never closed", 2),
        (("(S*", "*))"), r"unbalanced brackets: '\*\)\)' closes more", 2),
        (("(S*)", "(S"), r"malformed brackets: '\(S' is not of the form", 2),
        (("(S*)(NP*)",), "malformed brackets", 1),
        (("(*)",), "malformed brackets", 1),
        (("",), "malformed brackets", 1),
    ],
)
def test_malformed_brackets_name_the_line(cells, message, line):
    with pytest.raises(MalformedError, match=message) as caught:
        bracketed(column(*cells), nested=True)
    assert caught.value.line == line


@pytest.mark.parametrize("cells", [("(ARG0*", "(ARG1*)", "*)"), ("(ARG0(ARG1*))",)])
def test_spans_that_may_not_nest_do_not_overlap(cells):
    assert len(bracketed(column(*cells), nested=True)) == 2
    with pytest.raises(MalformedError, match="overlapping spans: ARG1 opens within ARG0"):
        bracketed(column(*cells), nested=False)


def test_mentions_nest_cross_and_open_twice():
    marks = [(0, 1, "(1"), (1, 2, "(2"), (2, 3, "(2"), (3, 4, "1)"), (4, 5, "2)"), (5, 6, "2)"), (6, 7, "(3)")]
    spans, broken = mentions(marks)
    assert spans == [("1", (0, 4)), ("2", (2, 5)), ("2", (1, 6)), ("3", (6, 7))]
    assert broken == []
    spans, broken = mentions([(0, 1, "(1"), (1, 2, "2)"), (2, 3, "(1")])
    assert spans == []
    assert [(str(error), error.line) for error in broken] == [
        ("unbalanced brackets: 2 is closed and was not opened", 2),
        ("unbalanced brackets: 1 is never closed", 1),
        ("unbalanced brackets: 1 is never closed", 3),
    ]


def test_all_pairs_of_mentions_are_edges():
    edges = coreference([("2", (3, 4)), ("1", (0, 2)), ("1", (3, 4)), ("1", (0, 2))])
    assert edges == [
        Edge("coreference", "1", (0, 2), (3, 4)),
        Edge("coreference", "0", (0, 2), (3, 4)),
        Edge("coreference", "0", (3, 4), (3, 4)),  # chains 1 and 2 both have it
    ]


@st.composite
def trees(draw, depth=3):
    """Cells of a random tree, and the labels and spans that are in it, inner ones first."""
    cells, spans = [], []

    def grow(depth):
        start, label = len(cells), draw(st.sampled_from(["NP", "VP", "-LRB-", "S|x"]))
        before = len(cells)
        for _ in range(draw(st.integers(1, 3))):
            if depth and draw(st.booleans()):
                grow(depth - 1)
            else:
                cells.append("*")
        cells[before] = f"({label}{cells[before]}"
        cells[-1] += ")"
        spans.append((label, (start, len(cells))))

    grow(depth)
    return cells, spans


@given(trees())
def test_trees_are_read_as_they_were_written(tree):
    cells, spans = tree
    assert bracketed(column(*cells), nested=True) == spans
