import math

import numpy as np
import pytest
import torch

from embryology.presets import Model, Objective
from embryology.pretraining.batches import Batches
from embryology.pretraining.heldout import HeldOut
from embryology.pretraining.models import Trainee, build
from embryology.pretraining.objectives import IGNORED
from tests.test_batches import store_of

SETTINGS = Model(layers=2, width=32, feed_forward=64, heads=2, embedding=16, initializer_range=0.05)


@pytest.fixture
def batches(tokenizer):
    store = store_of([[9, 8, 7, 12], [20, 5, 6], [11, 3, 9]] * 10)
    objective = Objective(masked_share=0.2, longest_ngram=2, pair_weight=1)
    return Batches(store, tokenizer, objective, sequences=6, length=32, seed=0)


@pytest.fixture
def trainee(tokenizer):
    return Trainee(build(SETTINGS, len(tokenizer), 32, seed=0)).eval()


def test_losses_are_those_of_transformers_with_logits_everywhere(trainee, batches):
    batch = batches[0]
    labels = torch.full(batch.input_ids.shape, IGNORED).flatten()
    used = batch.labels != IGNORED
    labels[batch.positions[used]] = batch.labels[used]
    ordered = batch.pair_labels != IGNORED
    assert ordered.any()
    with torch.inference_mode():
        ours = trainee(batch)
        theirs = trainee.model(
            input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, attention_mask=batch.attention_mask,
            labels=labels.view(batch.input_ids.shape), sentence_order_label=batch.pair_labels,
        )  # fmt: skip
    whole = ours.masked_loss(batch) + ours.pair_loss(batch)
    assert torch.allclose(whole, theirs.loss, atol=1e-5)
    assert torch.allclose(ours.masked_logits, theirs.prediction_logits.flatten(0, 1)[batch.positions], atol=1e-5)


def test_low_precision_casts_once_and_gradients_reach_every_parameter(trainee, batches):
    outputs = trainee.run(batches[0], torch.bfloat16)
    (outputs.masked_loss(batches[0]) + outputs.pair_loss(batches[0])).backward()
    for name, parameter in trainee.named_parameters():
        assert parameter.dtype == parameter.grad.dtype == torch.float32, name
        assert parameter.grad.abs().sum() > 0 or "token_type" in name, name
    reference = trainee.run(batches[0], torch.float32).masked_loss(batches[0])
    assert outputs.masked_loss(batches[0]).item() == pytest.approx(reference.item(), abs=0.05)


def test_a_batch_of_single_sentences_has_no_pair_loss(trainee, batches):
    batch = batches[0]
    batch.pair_labels.fill_(IGNORED)
    assert trainee(batch).pair_loss(batch).item() == 0


def test_the_seed_decides_the_parameters(tokenizer):
    first, same, other = (build(SETTINGS, len(tokenizer), 32, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(*(s["albert.embeddings.word_embeddings.weight"] for s in (first, other)))


def test_held_out_values_against_a_plain_computation(trainee, batches, tokenizer):
    train = store_of([[5, 5]])
    held_out = HeldOut.of(batches, count=12, train=train, vocabulary=len(tokenizer))
    assert len(held_out.batches) == 2
    values = held_out.evaluate(trainee, torch.float32, torch.device("cpu"))
    losses, hits, unigrams = [], [], []
    counts = np.bincount(train.pieces, minlength=len(tokenizer)) + 1
    for step in range(2):
        batch = batches[step]
        with torch.inference_mode():
            logits = trainee(batch).masked_logits
        for row, label in zip(logits, batch.labels.tolist(), strict=True):
            if label != IGNORED:
                losses.append(-float(row.log_softmax(-1)[label]))
                hits.append(int(row.argmax()) == label)
                unigrams.append(-math.log(counts[label] / counts.sum()))
    assert values["held_out_masked_loss"] == pytest.approx(np.mean(losses), abs=1e-4)
    assert values["held_out_masked_loss_low"] < np.mean(losses) < values["held_out_masked_loss_high"]
    assert values["held_out_places"] == len(losses)
    assert values["held_out_masked_accuracy"] == pytest.approx(np.mean(hits))
    assert values["unigram_loss"] == pytest.approx(np.mean(unigrams), abs=1e-6)
    assert 0 <= values["held_out_pair_accuracy"] <= 1
    assert trainee.training
