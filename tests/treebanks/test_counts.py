"""Counts of edge sets, printed and held against those that are known."""

import os
from collections import Counter

import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.treebanks import Edge, Reading, Sentence, counts, edge_sets
from embryology.treebanks.edge_sets import EdgeSet

ROLE = Edge("role", "ARG0", (0, 1), (0, 1))
POS = Edge("pos", "NNS", (0, 1))
READING = Reading(
    [Sentence("a", "Cats", (), (POS, ROLE, ROLE)), Sentence("b", "Dogs", (), (POS, ROLE))],
    skipped=Counter({"ragged columns": 2, "empty span": 3}),
    left_out=Counter({"role C-V": 3, "constituent TOP": 2, "constituent of one word": 5}),
    counts=Counter({"predicates": 1}),
)


def edge_set(name, split="test", reading=READING):
    return EdgeSet(name, split, "", ("role",), dict, lambda skip_bad: reading)


@pytest.fixture
def check(monkeypatch, capsys):
    """Run the check on one set of one sentence; what it prints."""

    def check(name):
        monkeypatch.setattr(edge_sets, "NAMES", (name,))
        monkeypatch.setattr(edge_sets, "splits", lambda name: ("test",))
        monkeypatch.setattr(edge_sets, "find", edge_set)
        counts.check(Console())
        return capsys.readouterr().out.splitlines()

    return check


def test_everything_is_printed_of_a_set_and_known_counts_hold(check, monkeypatch):
    monkeypatch.setitem(counts.KNOWN, "toy", (("sentences", "role", "predicates"), {"test": (2, 3, 1)}))
    assert check("toy") == [
        "toy test: sentences 2, skipped 5; pos 2, role 3",
        "  skipped: empty span 3, ragged columns 2",
        "  makes no edge: constituent TOP 2, constituent of one word 5, role C-V 3",
        "  counted besides: predicates 1",
        "  known counts: all 3 hold",
    ]
    for known, said in (((2, 1_000), "3 role instead of 1,000"), ((1, 3), "2 sentences instead of 1")):
        monkeypatch.setitem(counts.KNOWN, "toy", (("sentences", "role"), {"test": known}))
        with pytest.raises(EmbryologyError, match=f"1 known counts do not hold: toy test has {said}"):
            check("toy")


def test_ontonotes_is_counted_as_it_was_published(check):
    assert check("ontonotes")[-1].endswith(
        "pos 2 (212,121), constituent 7 (190,535), role 6 (61,716), coreference 0 (27,800)"
    )


def test_malformed_sentences_are_left_out_where_that_is_asked_for(monkeypatch):
    asked = []
    chosen = EdgeSet("toy", "test", "", ("role",), dict, lambda skip_bad: asked.append(skip_bad) or READING)
    monkeypatch.setattr(edge_sets, "NAMES", ("gentle",))
    monkeypatch.setattr(edge_sets, "find", lambda name, split: chosen)
    for skip_bad in (False, True):
        counts.check(Console(quiet=True), skip_bad)
    assert asked == [False, True]


TOTALS = {
    "ewt": {"sentences": 16_622, "pos": 254_818},
    "ewt-propbank": {
        "documents": 1_174,
        "sentences": 16_552,
        "pos": 254_061,
        "constituent": 170_779,
        "role": 100_145,
        "predicates": 50_187,
    },
    "gum": {
        "documents": 237,
        "sentences": 13_263,
        "pos": 233_926,
        "entity": 65_473,
        "mentions": 30_719,
        "chains": 7_016,
        "chains of one": 10,
    },
    "gentle": {
        "documents": 26,
        "sentences": 1_334,
        "pos": 17_799,
        "entity": 5_680,
        "mentions": 1_909,
        "chains": 455,
        "chains of one": 2,
    },
}
"""Of all splits, as the description of the data has them in a column of their own."""


def test_known_counts_add_up_to_those_of_whole_sets():
    """And all words but the root of each sentence depend on another."""
    for name, (columns, splits) in counts.KNOWN.items():
        totals = {column: sum(row[place] for row in splits.values()) for place, column in enumerate(columns)}
        if "dependency" in columns:
            for row in splits.values():
                counted = dict(zip(columns, row, strict=True))
                assert counted["pos"] - counted["dependency"] == counted["sentences"]
            del totals["dependency"]
        assert totals == TOTALS[name]


def test_a_set_that_is_not_there_is_said_once(monkeypatch, capsys):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    monkeypatch.setattr(edge_sets, "NAMES", ("gum",))
    counts.check(Console())
    assert capsys.readouterr().out.startswith("the edge set 'gum' is not there: set EMBRYOLOGY_DATA")


@pytest.mark.skipif(not os.environ.get("EMBRYOLOGY_DATA"), reason="needs EMBRYOLOGY_DATA")
def test_real_treebanks_have_the_counts_of_their_description():
    joined = Counter()
    for name in ("ewt-propbank", "gum", "gentle"):
        for split in edge_sets.splits(name):
            chosen = edge_sets.find(name, split)
            reading = chosen.read()
            assert counts.differences(chosen, reading) == []
            if name == "ewt-propbank":
                joined += Counter(joined=len(reading.sentences)) + reading.skipped
    assert joined["joined"] == 16_552
    assert joined.total() == 16_622
    assert counts.KNOWN["ewt-propbank"][1]["test"] == (316, 2_058, 24_944, 16_283, 9_321, 4_795)
