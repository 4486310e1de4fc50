import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from embryology import intervals
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
    assert "held_out_replaced_accuracy" not in values


def test_all_families_are_asked_for_the_same_words(outcome, tokenizer):
    unseen, labels = store_of(DOCUMENTS * 4), {}
    for family, pair in {"albert": "sop", "bert": "nsp", "electra": "none"}.items():
        asked = outcome.model_copy(
            update={"objective": outcome.objective.model_copy(update={"pair": pair}), "model": FAMILIES[family]}
        )
        held_out = HeldOut.of(asked, unseen, store_of([[5, 5]]), tokenizer)
        values = held_out.evaluate(trainee_of(family, tokenizer), torch.device("cpu"))
        labels[family] = torch.cat([batch.labels for batch in held_out.batches])
        used = labels[family] != IGNORED
        shown = torch.cat([batch.input_ids.flatten()[batch.positions] for batch in held_out.batches])[used]
        assert (shown == tokenizer.mask_token_id).all()  # what is seen could be copied
        assert (values["held_out_pair_accuracy"] is None) == (family == "electra")
        assert ("held_out_replaced_accuracy" in values) == (family == "electra")
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


def test_a_discriminator_is_held_against_the_frequency_of_pieces(outcome, tokenizer):
    changes = {"objective": outcome.objective.model_copy(update={"pair": "none"}), "model": FAMILIES["electra"]}
    asked = outcome.model_copy(update=changes)
    unseen, train, trainee = store_of(DOCUMENTS * 4), store_of([[5, 50]]), trainee_of("electra", tokenizer)
    held_out = HeldOut.of(asked, unseen, train, tokenizer)
    values = held_out.evaluate(trainee, torch.device("cpu"))
    counts = np.bincount(train.pieces, minlength=len(tokenizer)) + 1
    trainee.eval()
    logits, replaced, shown, sequences = [], [], [], []
    for number, batch in enumerate(held_out.batches):
        with torch.inference_mode():
            outputs = trainee.outputs(batch)
        for row in range(len(batch.input_ids)):
            mask = batch.attention_mask[row]
            logits += outputs.replaced[row][mask].tolist()
            replaced += outputs.is_replaced[row][mask].tolist()
            shown += np.log(counts)[outputs.shown[row][mask].numpy()].tolist()
            sequences += [number * 32 + row] * int(mask.sum())
            masked = batch.input_ids[row] == 4
            assert not (outputs.shown[row] == 4).any()
            assert torch.equal(outputs.shown[row][~masked & mask], batch.input_ids[row][~masked & mask])
    model, frequency = roc_auc_score(replaced, logits), roc_auc_score(replaced, shown)
    assert values["held_out_replaced_auc"] == pytest.approx(model, abs=1e-6)
    assert values["held_out_frequency_auc"] == pytest.approx(max(frequency, 1 - frequency), abs=1e-6)
    assert values["held_out_original_share"] == pytest.approx(1 - np.mean(replaced))
    gains, sequences = [], np.array(sequences)
    for weights in intervals.resamples(64, seed=SEED)[:1000]:
        of_pieces = weights[sequences]
        gain = [roc_auc_score(replaced, scores, sample_weight=of_pieces) for scores in (logits, shown)]
        gains.append(gain[0] - (gain[1] if frequency >= 0.5 else 1 - gain[1]))
    ends = np.quantile(gains, [0.025, 0.975], method="inverted_cdf")
    assert [values["held_out_auc_gain_low"], values["held_out_auc_gain_high"]] == pytest.approx(ends, abs=1e-6)


@pytest.mark.parametrize(("pair", "label"), [("sop", "held_out_surface_accuracy"), ("none", None)])
def test_the_surface_rule_stands_beside_pairs(outcome, tokenizer, pair, label):
    asked = outcome.model_copy(update={"objective": outcome.objective.model_copy(update={"pair": pair})})
    store = store_of([[9, 30, 2, 14], [20, 5, 6, 1, 8]] * 60)
    held_out = HeldOut.of(asked, store, store, tokenizer)
    if label is None:
        assert held_out.surface_accuracy is None
    else:
        assert 0.3 < held_out.surface_accuracy <= 1
        assert (
            held_out.evaluate(trainee_of("albert", tokenizer), torch.device("cpu"))[label] == held_out.surface_accuracy
        )
