import os
from collections import Counter

import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.treebanks import Edge, Reading, Sentence, counts, edge_sets
from embryology.treebanks.edge_sets import EdgeSet

READING = Reading(
    [Sentence("a", "Cats", (), (Edge("role", "ARG0", (0, 1), (0, 1)),))],
    skipped=Counter({"ragged columns": 2}),
    left_out=Counter({"role C-V": 3}),
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
    monkeypatch.setitem(counts.KNOWN, "toy", (("sentences", "role", "predicates"), {"test": (1, 1, 1)}))
    assert check("toy") == [
        "toy test: sentences 1, skipped 2; role 1",
        "  skipped: ragged columns 2",
        "  makes no edge: role C-V 3",
        "  counted besides: predicates 1",
        "  known counts: all 3 hold",
    ]
    monkeypatch.setitem(counts.KNOWN, "toy", (("sentences", "role"), {"test": (1, 1_000)}))
    with pytest.raises(EmbryologyError, match="1 known counts do not hold: toy test has 1 role instead of 1,000"):
        check("toy")


def test_ontonotes_is_counted_as_it_was_published(check):
    assert check("ontonotes")[-1].endswith(
        "pos 0 (212,121), constituent 0 (190,535), role 4 (61,716), coreference 0 (27,800)"
    )


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
