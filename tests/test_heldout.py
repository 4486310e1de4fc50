import numpy as np

from embryology.presets import Objective
from embryology.pretraining import heldout
from embryology.pretraining.batches import Batches
from embryology.pretraining.heldout import HeldOut
from tests.test_batches import LENGTH, store_of


def test_the_unigram_line_is_that_of_all_pieces_however_they_are_sliced(tokenizer, monkeypatch):
    store = store_of([[20, 21, 22]] * 10)
    objective = Objective(masked_share=0.15, longest_ngram=1, order_weight=1)
    source = Batches(store, tokenizer, objective, sequences=4, length=LENGTH, seed=0)
    whole = HeldOut.of(source, 8, store, len(tokenizer))
    monkeypatch.setattr(heldout, "PIECES_A_SLICE", 7)
    sliced = HeldOut.of(source, 8, store, len(tokenizer))
    assert (sliced.unigram_loss, sliced.unigram_accuracy) == (whole.unigram_loss, whole.unigram_accuracy)
    labels = np.concatenate([batch.labels for batch in whole.batches])
    labels = labels[labels >= 0]
    counts = np.bincount(store.pieces, minlength=len(tokenizer)) + 1
    assert np.isclose(whole.unigram_loss, -np.log(counts[labels] / counts.sum()).mean())
