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
    """Where short sentences always stand before long ones, the shorter segment is the first one."""
    store = store_of([[3, 20], [4, 19], [3, 22], [5, 18]] * 200)
    batches = batches_of(store, tokenizer)
    assert surface.accuracy(batches, store, tokenizer, OBJECTIVE, 400) > 0.98


def test_order_that_nothing_gives_away_is_not(tokenizer):
    rng = np.random.default_rng(0)
    known, asked = (store_of([rng.integers(3, 12, 5).tolist() for _ in range(2000)]) for _ in range(2))
    assert surface.accuracy(batches_of(asked, tokenizer), known, tokenizer, OBJECTIVE, 2000) == pytest.approx(
        0.5, abs=0.04
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
    rng = np.random.default_rng(1)
    known, asked = (store_of([rng.integers(3, 12, 5).tolist() for _ in range(500)]) for _ in range(2))
    batches = batches_of(asked, tokenizer)
    _, labels = surface.pairs(batches, np.zeros(1000, bool), range(21))
    assert surface.accuracy(batches, known, tokenizer, OBJECTIVE, 21) >= max(labels.mean(), 1 - labels.mean()) > 0.5
