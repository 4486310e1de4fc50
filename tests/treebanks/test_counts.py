"""Counts of edge sets, printed and held against those that are known."""

import os
from collections import Counter

import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.specs.sources import Source, differences
from embryology.treebanks import Edge, Reading, Sentence, counts, edge_sets, gum, propbank
from embryology.treebanks.sets import EdgeSet

ROLE = Edge("role", "ARG0", (0, 1), (0, 1))
POS = Edge("pos", "NNS", (0, 1))
READING = Reading(
    [Sentence("a", "Cats", (), (POS, ROLE, ROLE)), Sentence("b", "Dogs", (), (POS, ROLE))],
    skipped=Counter({"ragged columns": 2, "empty span": 3}),
    left_out=Counter({"role C-V": 3, "constituent TOP": 2, "constituent of one word": 5}),
    counts=Counter({"predicates": 1}),
)


def edge_set(name, split="test", reading=READING):
    return EdgeSet(name, "", (), dict, lambda skip_bad: reading, split, ("role",))


def source(name, **known):
    """A set of one split."""
    return Source("edges", name, edge_set, parts=("test",), known={"test": known} if known else {})


@pytest.fixture
def check(monkeypatch, capsys):
    """Run the check on one set of one sentence; what it prints."""

    def check(name, **known):
        monkeypatch.setattr(edge_sets, "OWN", (source(name, **known),))
        counts.check(Console())
        return capsys.readouterr().out.splitlines()

    return check


def test_everything_is_printed_of_a_set_and_known_counts_hold(check):
    assert check("toy", sentences=2, role=3, predicates=1) == [
        "toy test: sentences 2, skipped 5; pos 2, role 3",
        "  skipped: empty span 3, ragged columns 2",
        "  makes no edge: constituent TOP 2, constituent of one word 5, role C-V 3",
        "  counted besides: predicates 1",
        "  known counts: all 3 hold",
    ]
    for sentences, role, said in ((2, 1_000, "3 role instead of 1,000"), (1, 3, "2 sentences instead of 1")):
        with pytest.raises(EmbryologyError, match=f"1 known counts do not hold: toy test has {said}"):
            check("toy", sentences=sentences, role=role)


def test_ontonotes_is_counted_as_it_was_published(check):
    assert check("ontonotes")[-1].endswith(
        "pos 2 (212,121), constituent 7 (190,535), role 6 (61,716), coreference 0 (27,800)"
    )


def test_malformed_sentences_are_left_out_where_that_is_asked_for(monkeypatch):
    asked = []
    chosen = EdgeSet("toy", "", (), dict, lambda skip_bad: asked.append(skip_bad) or READING, "test", ("role",))
    monkeypatch.setattr(edge_sets, "OWN", (Source("edges", "toy", lambda name, split: chosen, parts=("test",)),))
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
    known = {each.name: each.known for each in edge_sets.OWN if each.known}
    assert known.keys() == TOTALS.keys()
    for name, splits in known.items():
        totals = sum(map(Counter, splits.values()), Counter())
        if "dependency" in totals:
            for counted in splits.values():
                assert counted["pos"] - counted["dependency"] == counted["sentences"]
            del totals["dependency"]
        assert totals == TOTALS[name]


def test_a_set_that_is_not_there_is_said_once(monkeypatch, capsys):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    monkeypatch.setattr(edge_sets, "OWN", gum.SOURCES[:1])
    counts.check(Console())
    assert capsys.readouterr().out.startswith("the edge set 'gum' is not there: set EMBRYOLOGY_DATA")


@pytest.mark.skipif(not os.environ.get("EMBRYOLOGY_DATA"), reason="needs EMBRYOLOGY_DATA")
def test_real_treebanks_have_the_counts_of_their_description():
    joined = Counter()
    for source in (propbank.SOURCE, *gum.SOURCES):
        for split in source.parts:
            reading = source.find(source.name, split).read()
            assert differences(source, split, counts.counted(reading)) == []
            if source is propbank.SOURCE:
                joined += Counter(joined=len(reading.sentences)) + reading.skipped
    assert joined["joined"] == 16_552
    assert joined.total() == 16_622
    assert [*propbank.SOURCE.known["test"].values()] == [316, 2_058, 24_944, 16_283, 9_321, 4_795]
