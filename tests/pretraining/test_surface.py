"""The rule that reads no words, on text that gives order away and on text that does not."""

import numpy as np
import pytest

from embryology.presets import Objective
from embryology.pretraining import surface
from embryology.pretraining.batches import Batches
from tests.synthetic import store_of

OBJECTIVE = Objective(mlm_probability=0.15, max_ngram=1, pair_weight=1)


def batches_of(store, tokenizer):
    return Batches(store, tokenizer, OBJECTIVE, batch_size=8, length=32, seed=0)


def test_pieces_that_end_a_sentence(tokenizer):
    ends = surface.ends_sentence(tokenizer)
    known = dict(zip(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))), ends, strict=True))
    assert known["."]
    assert not known["▁the"]
    assert not known["[SEP]"]
    assert 1 <= sum(ends) < 20


def test_order_that_lengths_give_away_is_found(tokenizer):
    """Where short sentences always stand before long ones, the shorter segment is the first one; of few questions, too,
    as the rule is learnt from 40 times as many."""
    store = store_of([[3, 20], [4, 19], [3, 22], [5, 18]] * 200)
    assert surface.accuracy(batches_of(store, tokenizer), store, tokenizer, OBJECTIVE, 32) == 1


def test_order_that_nothing_gives_away_is_not(tokenizer):
    rng = np.random.default_rng(0)
    known, asked = (store_of([rng.integers(3, 12, 5).tolist() for _ in range(2000)]) for _ in range(2))
    assert surface.accuracy(batches_of(asked, tokenizer), known, tokenizer, OBJECTIVE, 400) == pytest.approx(
        0.5, abs=0.05
    )


def test_the_surface_of_a_pair(tokenizer):
    store = store_of([[6, 9]])
    batches = batches_of(store, tokenizer)
    ends = np.zeros(1000, bool)
    ends[10 + 14] = True  # the last piece of the text
    features, labels = surface.pairs(batches, ends, range(20))
    seen = {tuple(row) for row in np.column_stack([features, labels]).astype(int).tolist()}
    assert seen == {(0, 1, 6, 9, 15, 0), (1, 0, 9, 6, 15, 1)}


def test_text_without_pairs_has_no_rule(tokenizer):
    single = store_of([[9]] * 50)
    assert surface.accuracy(batches_of(single, tokenizer), single, tokenizer, OBJECTIVE, 32) is None


def test_the_line_is_never_below_one_answer_everywhere(tokenizer):
    """Of one question the more frequent answer is always right, whatever the rule learnt from other text."""
    train, asked = store_of([[3, 20], [4, 19]] * 200), store_of([[20, 3], [19, 4]] * 20)
    for number in (1, 3, 9):
        _, labels = surface.pairs(batches_of(asked, tokenizer), np.zeros(1000, bool), range(number))
        most = max(np.bincount(labels)) / number
        assert surface.accuracy(batches_of(asked, tokenizer), train, tokenizer, OBJECTIVE, number) == most
