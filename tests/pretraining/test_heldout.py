"""Held-out values against transformers' models, scikit-learn and a few lines by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from embryology import intervals, presets
from embryology.pretraining import heldout
from embryology.pretraining.batches import Batches
from embryology.pretraining.heldout import OBJECTIVE, SEED, HeldOut
from embryology.pretraining.objectives import IGNORED
from embryology.pretraining.trainee import Trainee, build, replace
from tests.pretraining.test_trainee import FAMILIES, inputs
from tests.synthetic import store_of
from tests.training import small_preset

DOCUMENTS = [[9, 8, 7, 12], [20, 5, 6], [3, 3]] * 10
PAIRS = {"albert": "sop", "bert": "nsp", "electra": "none"}


@pytest.fixture
def outcome(tmp_path):
    return small_preset(tmp_path, sequence_length=32, held_out_sequences=64).outcome


def asked_of(outcome, family):
    """The outcome of a run of another family."""
    objective = outcome.objective.model_copy(update={"pair": PAIRS[family]})
    return outcome.model_copy(update={"objective": objective, "model": FAMILIES[family]})


def trainee_of(family, tokenizer):
    """In training mode, with dropout; frequent pieces are what it answers mostly, so that some answers are right."""
    models = build(FAMILIES[family], len(tokenizer), 32, seed=0)
    model = models["generator" if family == "electra" else "model"]
    with torch.no_grad():
        model.get_output_embeddings().bias[10:13] += torch.tensor([3.0, 4.0, 2.0])
    return Trainee(models)


def skewed(store, most=10):
    """The same sentences of pieces of which few are frequent, and one more than all others."""
    store.pieces[:] = 9 + np.random.default_rng(1).geometric(0.25, len(store.pieces))
    store.pieces[store.pieces == 10] = most
    return store


def batches_in_other_portions(store, tokenizer, pair):
    batches = Batches(
        store, tokenizer, OBJECTIVE.model_copy(update={"pair": pair}), batch_size=16, length=32, seed=SEED
    )
    return [batches[step] for step in range(4)]


@torch.inference_mode()
def answers(trainee, batch):
    """What transformers' models give, (places, vocabulary), for pairs and for pieces, and what the last ones read."""
    trainee.models.eval()
    ids = told = pairs = None
    if "generator" in trainee.models:
        masked = trainee.models["generator"](**inputs(batch)).logits.flatten(0, 1)[batch.positions]
        ids, replaced = replace(batch, masked, trainee.noise)
        told = (trainee.model(**inputs(batch, ids)).logits, replaced)
    else:
        answer = trainee.model(**inputs(batch))
        masked = answer.prediction_logits.flatten(0, 1)[batch.positions]
        pairs = answer.get("sop_logits", answer.get("seq_relationship_logits"))
    trainee.train()
    return masked, pairs, told, ids


@pytest.mark.parametrize("family", FAMILIES)
def test_held_out_values_are_those_of_transformers(family, outcome, tokenizer, monkeypatch):
    asked, trainee = asked_of(outcome, family), trainee_of(family, tokenizer)
    train, unseen = skewed(store_of([[50, 5]]), most=12), skewed(store_of(DOCUMENTS * 4))
    about_pairs = batches_in_other_portions(unseen, tokenizer, PAIRS[family])
    if family != "electra":  # some answers are one, some the other
        head = {"albert": "sop_classifier.classifier", "bert": "cls.seq_relationship"}[family]
        told = torch.cat([answers(trainee, batch)[1] for batch in about_pairs])
        trainee.model.get_submodule(head).bias.data -= told.median(dim=0).values
    held_out = HeldOut.of(asked, unseen, train, tokenizer)
    resampled = []
    real = intervals.resamples
    monkeypatch.setattr(
        intervals, "resamples", lambda *n, **options: resampled.append(real(*n, **options)) or resampled[-1]
    )
    values = held_out.evaluate(trainee, torch.device("cpu"))
    assert trainee.training
    losses, hits, labels, pairs = [], [], [], []
    for batch in batches_in_other_portions(unseen, tokenizer, "sop"):
        masked, told, _, _ = answers(trainee, batch)
        for logits, true in zip(masked.view(16, -1, 1000), batch.labels.view(16, -1), strict=True):
            used = true != IGNORED
            losses.append(functional.cross_entropy(logits[used], true[used], reduction="none").tolist())
            hits += (logits[used].argmax(-1) == true[used]).tolist()
            labels += true[used].tolist()
    for batch in about_pairs:
        told = answers(trainee, batch)[1]
        pairs += [] if told is None else (told.argmax(-1) == batch.pair_labels)[batch.pair_labels != IGNORED].tolist()
    places, everything = np.array(list(map(len, losses))), np.concatenate(losses)
    assert len(set(places)) > 1
    assert values["held_out_masked_loss"] == pytest.approx(everything.mean(), abs=1e-4)
    (weights,) = resampled
    assert weights.shape == (1000, 64)
    means = [np.repeat(draw, places) @ everything / (draw @ places) for draw in weights]
    ends = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
    assert [values["held_out_masked_loss_low"], values["held_out_masked_loss_high"]] == pytest.approx(ends, abs=1e-4)
    assert values["held_out_places"] == len(hits)
    assert values["held_out_masked_accuracy"] == pytest.approx(np.mean(hits))
    assert 0.05 < np.mean(hits) < 0.95
    assert values["held_out_pairs"] == len(pairs)
    if pairs:
        read = (torch.cat([batch.input_ids for batch in batches]) for batches in (held_out.pairs, about_pairs))
        assert torch.equal(*read)
    assert values["held_out_pair_accuracy"] == (pytest.approx(np.mean(pairs)) if pairs else None)
    counts = np.ones(1000) + np.bincount(train.pieces, minlength=1000)
    assert values["unigram_loss"] == pytest.approx(-np.log(counts[labels] / counts.sum()).mean(), abs=1e-6)
    assert values["unigram_accuracy"] == pytest.approx(np.mean(np.array(labels) == counts.argmax()))
    assert 0.05 < values["unigram_accuracy"] < np.bincount(labels).max() / len(labels)
    assert ("held_out_replaced_accuracy" in values) == (family == "electra")


def test_no_held_out_text_is_read_twice_nor_by_another_seed(outcome, tokenizer):
    """Three batches and a little of text; where there is less than one, that one is filled up."""
    of_seeds = []
    for seed in (0, 1):
        asked = outcome.model_copy(update={"held_out_sequences": 1000, "seed": seed})
        held_out = HeldOut.of(asked, store_of([[31]] * 110), store_of([[5, 5]]), tokenizer)
        of_seeds.append(torch.cat([batch.input_ids for batch in held_out.batches]))
    assert torch.equal(*of_seeds)
    masked = of_seeds[0] == tokenizer.mask_token_id
    known = [tuple(row[1:4].tolist()) for row, hidden in zip(of_seeds[0], masked, strict=True) if not hidden[1:4].any()]
    assert len(of_seeds[0]) == 96
    assert len(known) > 40
    assert len(set(known)) == len(known)
    few = HeldOut.of(outcome, store_of([[31]] * 20), store_of([[5, 5]]), tokenizer)
    assert len(few.batches) == 1


def test_all_families_are_asked_for_the_same_words(outcome, tokenizer):
    unseen, labels = store_of(DOCUMENTS * 4), {}
    for family in FAMILIES:
        # Longer sequences later ask for no other held-out text.
        phases = presets.Phase(steps=30), presets.Phase(steps=30, batch_size=8, sequence_length=64)
        asked = asked_of(outcome, family).model_copy(update={"phases": phases})
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


def test_a_discriminator_is_held_against_the_frequency_of_pieces(outcome, tokenizer, monkeypatch):
    real = intervals.resamples
    monkeypatch.setattr(intervals, "resamples", lambda clusters, seed: real(clusters, 50, seed))
    unseen, train, trainee = store_of(DOCUMENTS * 4), store_of([[5, 50]]), trainee_of("electra", tokenizer)
    held_out = HeldOut.of(asked_of(outcome, "electra"), unseen, train, tokenizer)
    values = held_out.evaluate(trainee, torch.device("cpu"))
    counts = np.bincount(train.pieces, minlength=len(tokenizer)) + 1
    logits, replaced, shown, sequences = [], [], [], []
    for number, batch in enumerate(held_out.batches):
        assert not batch.attention_mask.all()
        _, _, (told, is_replaced), ids = answers(trainee, batch)
        for row, mask in enumerate(batch.attention_mask):
            logits += told[row][mask].tolist()
            replaced += is_replaced[row][mask].tolist()
            shown += np.log(counts)[ids[row][mask].numpy()].tolist()
            sequences += [number * 32 + row] * int(mask.sum())
            masked = batch.input_ids[row] == 4
            assert not (ids[row] == 4).any()
            assert torch.equal(ids[row][~masked & mask], batch.input_ids[row][~masked & mask])
    assert values["held_out_pieces"] == len(replaced)
    assert values["held_out_original_share"] == pytest.approx(1 - np.mean(replaced))
    assert values["held_out_replaced_accuracy"] == pytest.approx(np.mean((np.array(logits) > 0) == replaced))
    model, frequency = roc_auc_score(replaced, logits), roc_auc_score(replaced, shown)
    assert values["held_out_replaced_auc"] == pytest.approx(model, abs=1e-6)
    assert values["held_out_frequency_auc"] == pytest.approx(max(frequency, 1 - frequency), abs=1e-6)
    gains, sequences = [], np.array(sequences)
    for weights in real(64, 50, SEED):
        of_pieces = weights[sequences]
        gain = [roc_auc_score(replaced, scores, sample_weight=of_pieces) for scores in (logits, shown)]
        gains.append(gain[0] - (gain[1] if frequency >= 0.5 else 1 - gain[1]))
    ends = np.quantile(gains, [0.025, 0.975], method="inverted_cdf")
    assert [values["held_out_auc_gain_low"], values["held_out_auc_gain_high"]] == pytest.approx(ends, abs=1e-6)


@pytest.mark.parametrize("pair", ["sop", "none"])
def test_the_rule_that_reads_no_words_is_learnt_from_the_training_text(pair, outcome, tokenizer):
    asked = outcome.model_copy(update={"objective": outcome.objective.model_copy(update={"pair": pair})})
    train, unseen = store_of([[5, 20]] * 3000), store_of([[20, 5]] * 70)
    alike = HeldOut.of(asked, train, train, tokenizer)
    other = HeldOut.of(asked, unseen, train, tokenizer)
    values = alike.evaluate(trainee_of("albert", tokenizer), torch.device("cpu"))
    assert values["held_out_surface_accuracy"] == alike.surface_accuracy
    if pair == "none":
        assert alike.surface_accuracy is None
    else:
        assert alike.surface_accuracy > 0.98
        labels = torch.cat([batch.pair_labels for batch in other.pairs]).numpy()
        assert (
            other.surface_accuracy == max(labels.mean(), 1 - labels.mean()) < 0.7
        )  # wrong everywhere: one answer is better
