import math

import numpy as np
import pytest
import torch

from embryology.pretraining import heldout
from embryology.pretraining.batches import Batches
from embryology.pretraining.heldout import OBJECTIVE, SEED, HeldOut
from embryology.pretraining.objectives import IGNORED
from embryology.pretraining.trainee import Trainee, build
from tests.pretraining.test_trainee import FAMILIES
from tests.synthetic import store_of
from tests.training import small_preset

DOCUMENTS = [[9, 8, 7, 12], [20, 5, 6], [3, 3]] * 10


@pytest.fixture
def outcome(tmp_path):
    return small_preset(tmp_path, sequence_length=32, held_out_sequences=64).outcome


def trainee_of(family, tokenizer):
    return Trainee(build(FAMILIES[family], len(tokenizer), 32, seed=0))


def test_held_out_values_against_a_plain_computation(outcome, tokenizer):
    train, unseen, trainee = store_of([[5, 5]]), store_of(DOCUMENTS * 4), trainee_of("albert", tokenizer)
    held_out = HeldOut.of(outcome, unseen, train, tokenizer)
    assert len(held_out.batches) == 2
    values = held_out.evaluate(trainee, torch.device("cpu"))
    assert trainee.training
    batches = Batches(unseen, tokenizer, OBJECTIVE, batch_size=8, length=32, seed=SEED)  # in other portions
    losses, hits, unigrams, pairs = [], [], [], []
    counts = np.bincount(train.pieces, minlength=len(tokenizer)) + 1
    trainee.eval()
    for step in range(8):
        batch = batches[step]
        with torch.inference_mode():
            outputs = trainee.outputs(batch)
            masked = outputs.masked()
        for row, label in zip(masked, batch.labels.tolist(), strict=True):
            if label != IGNORED:
                losses.append(-float(row.log_softmax(-1)[label]))
                hits.append(int(row.argmax()) == label)
                unigrams.append(-math.log(counts[label] / counts.sum()))
        for row, label in zip(outputs.pair, batch.pair_labels.tolist(), strict=True):
            if label != IGNORED:
                pairs.append(int(row.argmax()) == label)
    assert values["held_out_masked_loss"] == pytest.approx(np.mean(losses), abs=1e-4)
    assert values["held_out_masked_loss_low"] < np.mean(losses) < values["held_out_masked_loss_high"]
    assert values["held_out_places"] == len(losses)
    assert values["held_out_masked_accuracy"] == pytest.approx(np.mean(hits))
    assert values["held_out_pair_accuracy"] == pytest.approx(np.mean(pairs))
    assert values["held_out_pairs"] == len(pairs)
    assert values["unigram_loss"] == pytest.approx(np.mean(unigrams), abs=1e-6)
    assert values["held_out_replaced_accuracy"] is None


def test_all_families_are_asked_for_the_same_words(outcome, tokenizer):
    unseen, labels = store_of(DOCUMENTS * 4), {}
    for family, pair in {"albert": "sop", "bert": "nsp", "electra": "none"}.items():
        asked = outcome.model_copy(update={"objective": outcome.objective.model_copy(update={"pair": pair})})
        held_out = HeldOut.of(asked, unseen, store_of([[5, 5]]), tokenizer)
        values = held_out.evaluate(trainee_of(family, tokenizer), torch.device("cpu"))
        labels[family] = torch.cat([batch.labels for batch in held_out.batches])
        assert (values["held_out_pair_accuracy"] is None) == (family == "electra")
        assert (values["held_out_replaced_accuracy"] is None) == (family != "electra")
    assert torch.equal(labels["albert"], labels["bert"])
    assert torch.equal(labels["albert"], labels["electra"])
    assert 0 < values["held_out_original_share"] < 1


def test_the_unigram_line_is_that_of_all_pieces_however_they_are_sliced(outcome, tokenizer, monkeypatch):
    store = store_of(DOCUMENTS * 4)
    whole = HeldOut.of(outcome, store, store, tokenizer)
    monkeypatch.setattr(heldout, "PIECES_A_SLICE", 7)
    sliced = HeldOut.of(outcome, store, store, tokenizer)
    assert (sliced.unigram_loss, sliced.unigram_accuracy) == (whole.unigram_loss, whole.unigram_accuracy)
    labels = torch.cat([batch.labels for batch in whole.batches]).numpy()
    labels = labels[labels != IGNORED]
    counts = np.bincount(store.pieces, minlength=len(tokenizer)) + 1
    assert whole.unigram_loss == pytest.approx(-np.log(counts[labels] / counts.sum()).mean())
