"""Logits, losses and gradients against transformers; what is drawn at the beginning and by the generator."""

import math

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForPreTraining

from embryology.presets import Model
from embryology.pretraining.batches import NOISES
from embryology.pretraining.objectives import IGNORED
from embryology.pretraining.trainee import Trainee, build, gumbel_noise, replace
from embryology.runs import checkpoints

COVERS = ("embryology/models/forward.py",)
SHAPE = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "embedding_size": 16,
    "initializer_range": 0.2,
    "dropout": 0.2,
}
"""With dropout, so that what leaves it on where it belongs off is seen."""
FAMILIES = {
    "albert": Model(**SHAPE),
    "bert": Model(**SHAPE | {"family": "bert", "embedding_size": 32}),
    "electra": Model(**SHAPE, family="electra", generator_size=0.5),
}


@pytest.fixture(params=FAMILIES)
def trainee(request, tokenizer):
    """A model with biases and gains that are not the zeros and ones of the beginning."""
    models = build(FAMILIES[request.param], len(tokenizer), 32, seed=0)
    with torch.no_grad():
        for parameter in models.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return Trainee(models).eval()


def inputs(batch, ids=None):
    return {
        "input_ids": batch.input_ids if ids is None else ids,
        "token_type_ids": batch.token_type_ids,
        "attention_mask": batch.attention_mask,
    }


@torch.inference_mode()
def test_a_saved_checkpoint_gives_our_logits_in_transformers(trainee, batch, tokenizer, tmp_path):
    checkpoints.write(tmp_path / "step-1", dict(trainee.models), tokenizer, {"step": 1})
    model, report = AutoModelForPreTraining.from_pretrained(tmp_path / "step-1", output_loading_info=True)
    assert not report["missing_keys"]
    ours, theirs = trainee.outputs(batch), model.eval()
    if "generator" in trainee.models:
        generator = AutoModelForMaskedLM.from_pretrained(tmp_path / "step-1" / "generator").eval()
        masked = generator(**inputs(batch)).logits
        ids, is_replaced = replace(batch, ours.masked(), trainee.noise)
        assert torch.equal(ours.is_replaced, is_replaced)
        seen = batch.attention_mask
        assert torch.allclose(ours.replaced[seen], theirs(**inputs(batch, ids)).logits[seen], atol=1e-4)
        assert ours.pair is None
    else:
        answer = theirs(**inputs(batch))
        masked, pairs = answer.prediction_logits, answer.get("sop_logits", answer.get("seq_relationship_logits"))
        assert torch.allclose(ours.pair, pairs, atol=1e-4)
        assert ours.replaced is None
    assert torch.allclose(ours.masked(), masked.flatten(0, 1)[batch.positions], atol=1e-4)
    assert ours.masked().std() > 0.1


def test_gradients_are_those_of_transformers(trainee, batch):
    used = batch.labels != IGNORED
    labels = torch.full_like(batch.input_ids, IGNORED)
    labels.flatten()[batch.positions[used]] = batch.labels[used]
    (trainee(batch) / batch.counts.clamp(min=1)).sum().backward()
    ours = {name: parameter.grad.clone() for name, parameter in trainee.named_parameters()}
    trainee.zero_grad()
    if "generator" in trainee.models:
        answer = trainee.models["generator"](**inputs(batch), labels=labels)
        at = answer.logits.detach().flatten(0, 1)[batch.positions]
        ids, is_replaced = replace(batch, at, trainee.noise)
        loss = answer.loss + trainee.model(**inputs(batch, ids), labels=is_replaced.long()).loss
    else:
        order = {"albert": "sentence_order_label", "bert": "next_sentence_label"}[trainee.model.config.model_type]
        loss = trainee.model(**inputs(batch), labels=labels, **{order: batch.pair_labels}).loss
    loss.backward()
    for name, parameter in trainee.named_parameters():
        assert torch.allclose(ours[name], parameter.grad, atol=1e-5), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_all_dropout_is_that_of_the_preset(family, dropout, tokenizer):
    for model in build(FAMILIES[family].model_copy(update={"dropout": dropout}), len(tokenizer), 32, 0).values():
        rates = {key: value for key, value in model.config.to_dict().items() if "dropout" in key}
        rates.pop("summary_last_dropout", None)  # of a head that is not trained here
        assert {"hidden_dropout_prob", "attention_probs_dropout_prob"} < set(rates)
        assert set(rates.values()) == {dropout}, rates


def test_low_precision_leaves_parameters_and_gradients_in_float32(trainee, batch):
    exact = trainee(batch) / batch.counts.clamp(min=1)
    trainee.precision = torch.bfloat16
    rough = trainee(batch) / batch.counts.clamp(min=1)
    rough.sum().backward()
    for name, parameter in trainee.named_parameters():
        assert parameter.dtype == parameter.grad.dtype == torch.float32, name
    assert torch.allclose(rough, exact, rtol=0.1)


def test_losses_of_pairs_that_are_not_asked_for_are_zero(trainee, batch):
    batch.pair_labels.fill_(IGNORED)
    sums = trainee(batch)
    assert sums[1] == 0
    assert sums[0] > 0
    assert (sums[2] > 0) == ("generator" in trainee.models)


def test_dropout_in_training_alone(tokenizer, batch):
    models = build(FAMILIES["bert"].model_copy(update={"dropout": 0.5}), len(tokenizer), 32, seed=0)
    trainee = Trainee(models).train()
    assert not torch.equal(trainee(batch), trainee(batch))
    trainee.eval()
    assert torch.equal(trainee(batch), trainee(batch))


@pytest.mark.parametrize("family", ["albert", "bert"])
def test_what_tells_pairs_drops_out_for_albert_alone_as_in_transformers(tokenizer, batch, family):
    models = build(FAMILIES[family], len(tokenizer), 32, seed=0)
    models["model"].config.hidden_dropout_prob = models["model"].config.attention_probs_dropout_prob = 0.0
    trainee = Trainee(models).train()
    assert torch.equal(trainee.outputs(batch).pair, trainee.outputs(batch).pair) == (family == "bert")
    drops = [name for name, module in models["model"].named_modules() if "sop" in name and "dropout" in name]
    assert bool(drops) == (family == "albert")


def test_the_generator_shares_its_embeddings_and_is_smaller(tokenizer):
    models = build(FAMILIES["electra"], len(tokenizer), 32, seed=0)
    words = models["model"].electra.embeddings.word_embeddings.weight
    assert models["generator"].electra.embeddings.word_embeddings.weight is words
    assert models["generator"].generator_lm_head.weight is words
    assert models["generator"].config.hidden_size == 16


def test_replacements_are_drawn_from_the_generators_distribution(batch):
    places, rounds = len(batch.positions), 500
    logits = torch.tensor([0.0, 1.0, 2.0, -torch.inf]).repeat(places, 1)
    rng, drawn, noise = np.random.default_rng(0), [], gumbel_noise(4)
    used = batch.labels != IGNORED
    for _ in range(rounds):
        batch.noise.copy_(torch.from_numpy(rng.integers(1, NOISES, places)))
        ids, is_replaced = replace(batch, logits, noise)
        drawn.append(ids.flatten()[batch.positions[used]])
        untouched = torch.ones(ids.numel(), dtype=torch.bool)
        untouched[batch.positions[used]] = False
        assert torch.equal(ids.flatten()[untouched], batch.input_ids.flatten()[untouched])
        assert not is_replaced.flatten()[untouched].any()
        assert torch.equal(is_replaced.flatten()[batch.positions[used]], drawn[-1] != batch.labels[used])
    shares = torch.bincount(torch.cat(drawn), minlength=4) / (rounds * int(used.sum()))
    assert torch.allclose(shares, logits[0].softmax(-1), atol=0.015)
    assert math.isclose(float(shares.sum()), 1, abs_tol=1e-6)


def test_a_sample_that_is_the_true_piece_is_no_replacement(batch, tokenizer):
    used = batch.labels != IGNORED
    logits = torch.full((len(batch.positions), len(tokenizer)), -1e9)
    logits[torch.arange(len(logits)), torch.where(used, batch.labels, 0)] = 0
    ids, is_replaced = replace(batch, logits, gumbel_noise(len(tokenizer)))
    assert torch.equal(ids.flatten()[batch.positions[used]], batch.labels[used])
    assert (ids != batch.input_ids).any()
    assert not is_replaced.any()


def test_rounding_hardly_changes_what_is_drawn(batch):
    """A shift of 1e-2 changes a third of what the inverted cumulative distribution draws."""
    rng, noise = np.random.default_rng(0), gumbel_noise(1000)
    logits, changed = torch.randn(len(batch.positions), 1000, generator=torch.Generator().manual_seed(0)), []
    shifted = logits + 1e-2 * torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    used = batch.labels != IGNORED
    for _ in range(50):
        batch.noise.copy_(torch.from_numpy(rng.integers(1, NOISES, len(batch.positions))))
        one, other = (replace(batch, each, noise)[0].flatten()[batch.positions[used]] for each in (logits, shifted))
        changed.append(float((one != other).float().mean()))
    assert 0 < np.mean(changed) < 0.02


@pytest.mark.parametrize("family", FAMILIES)
def test_initial_weights_end_at_two_deviations(tokenizer, family):
    for name, parameter in build(FAMILIES[family], len(tokenizer), 32, seed=0).named_parameters():
        weights = parameter.detach().abs()
        if weights.numel() >= 500 and weights.ndim > 1:
            assert 1.8 * 0.2 < weights.max() <= 2 * 0.2, name
            # The deviation of a normal distribution that is cut off at two of its own is 0.88 of it.
            assert weights[weights > 0].square().mean().sqrt() == pytest.approx(0.88 * 0.2, rel=0.1), name


def test_the_seed_decides_the_parameters(tokenizer):
    first, same, other = (build(FAMILIES["albert"], len(tokenizer), 32, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(*(s["model.albert.embeddings.word_embeddings.weight"] for s in (first, other)))
