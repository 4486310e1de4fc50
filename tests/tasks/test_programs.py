"""Tasks made by program: answers by regular expressions, sorting and counting, none of which the makers use."""

import hashlib
import re
from collections import Counter
from itertools import pairwise

import pytest

from embryology.errors import EmbryologyError
from embryology.tasks import catalogue, prepared, programs

ANSWERS = {
    "parity": lambda text: text.count("a") % 2 == 0,
    "majority-vote": lambda text: Counter(text.split()).most_common(1)[0][0] == "a",
    "range": lambda text: int(text.split()[0]) in range(int(text.split()[1]), int(text.split()[2]) + 1),
    "regular": lambda text: bool(re.fullmatch("a+b+c+d+", text.replace(" ", ""))),
    "sorted": lambda text: text.split() == sorted(text.split()),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_right_balanced_and_of_different_sequences(name):
    task = catalogue.find(name)
    train, dev = task.train.examples, task.dev["dev"].examples
    assert (len(train), len(dev)) == (4000, 1000)
    every = train + dev
    assert [bool(example.label) for example in every] == [ANSWERS[name](example.first) for example in every]
    assert {sum(example.label for example in part) / len(part) for part in (train, dev)} == {0.5}
    assert len({example.first for example in every}) == len({example.id for example in every}) == 5000
    again = programs.read(name)
    assert [example.first for example in again.train.examples] == [example.first for example in train]


MADE = {1: "134cbe3f4ded9877"}
"""Of all examples, by version: a measurement is kept for as long as the version is the same."""


def test_examples_are_those_of_their_version():
    made = [
        (name, example.id, example.first, int(example.label))
        for name in sorted(ANSWERS)
        for split in (programs.read(name).train, programs.read(name).dev["dev"])
        for example in split.examples
    ]
    assert {programs.VERSION: hashlib.sha256(repr(made).encode()).hexdigest()[:16]} == MADE


@pytest.mark.parametrize(("name", "fewest", "most"), [("regular", 8, 20), ("sorted", 6, 9)])
def test_sequences_are_as_long_as_is_said(name, fewest, most):
    lengths = {len(example.first.split()) for example in catalogue.find(name).train.examples}
    assert lengths == set(range(fewest, most + 1))


@pytest.mark.parametrize("name", ["regular", "sorted"])
def test_symbols_are_no_help_where_only_their_order_counts(name):
    """A wrong sequence has the counts that a right one has, and differs from it in two neighbours."""
    for example in catalogue.find(name).dev["dev"].examples:
        symbols = example.first.split()
        inversions = sum(one > other for one, other in pairwise(symbols))
        assert inversions == (0 if example.label else 1)


def test_numbers_outside_a_range_are_near_it():
    apart = []
    for example in catalogue.find("range").train.examples:
        number, low, high = map(int, example.first.split())
        assert 0 <= low < high <= 99
        apart.append(max(low - number, number - high))
        assert apart[-1] <= max(1, (high - low) // 2)
    assert min(apart) < 0 < max(apart)


def test_a_tokenizer_that_knows_no_symbols_is_refused(tokenizer, monkeypatch):
    data = prepared.read("parity", 50, 0, tokenizer, 64)
    assert len(data.examples) == 50
    assert data.label == "even number of a's (parity), 50 of 4,000 training examples"
    assert {row["baseline"] for row in data.baselines} == {"majority", "tf-idf"}
    accuracy = [row["value"] for row in data.baselines if row["baseline"] == "majority" and row["metric"] == "accuracy"]
    assert accuracy == [0.5]
    with pytest.raises(EmbryologyError, match="'parity' has sequences of more than 10 pieces; raise max_length"):
        prepared.read("parity", 50, 0, tokenizer, 10)
    monkeypatch.setattr(programs, "_parity", None)
    monkeypatch.setitem(programs.MAKERS, "parity", lambda rng: (f"\u2603 {rng.integers(10**6)}", rng.random() < 0.5))
    with pytest.raises(EmbryologyError, match="'parity' has symbols for which the tokenizer has no piece"):
        prepared.read("parity", 50, 0, tokenizer, 64)
