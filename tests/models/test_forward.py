"""The forward pass against transformers' own, in evaluation and in training."""

import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
)

from embryology.models import forward

SHAPE = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 12,
    "initializer_range": 0.5,
    "layer_norm_eps": 0.05,  # so that another one is seen
}
FAMILIES = {
    "albert": (AlbertForMaskedLM, AlbertConfig, {"embedding_size": 8, "hidden_act": "gelu_new"}),
    "bert": (BertForMaskedLM, BertConfig, {"hidden_act": "gelu_new"}),
    "electra": (ElectraForMaskedLM, ElectraConfig, {"embedding_size": 8, "hidden_act": "gelu_pytorch_tanh"}),
}
IDS = torch.tensor([[2, 9, 8, 7, 3, 0, 0], [2, 11, 12, 13, 14, 15, 3], [2, 3, 0, 0, 0, 0, 0]])
TYPES = torch.tensor([[0, 0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0]])
SEEN = torch.arange(7) < torch.tensor([5, 7, 2])[:, None]


def made(family, **settings):
    """A model with biases, gains and norms that are not those of the beginning."""
    model_of, config_of, options = FAMILIES[family]
    torch.manual_seed(0)
    model = model_of._from_config(config_of(**SHAPE | options | settings), attn_implementation="eager")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model


def both(model, training, at=None):
    """(sequences × pieces, hidden size) of ours and of theirs, without padding."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        ours = forward.encode(parameters, model.config, IDS, TYPES, SEEN, training, at)
        body = model.train(training).base_model
        if training and model.config.model_type == "albert":
            # google-research/albert drops what the wide layer gives, as BERT does; transformers forgot it.
            drop = torch.nn.Dropout(model.config.hidden_dropout_prob)
            body.encoder.albert_layer_groups[0].albert_layers[0].ffn_output.register_forward_hook(
                lambda module, given, output: drop(output)
            )
        theirs = body(input_ids=IDS, token_type_ids=TYPES, attention_mask=SEEN.long())[0]
    return ours, theirs


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_those_of_transformers_in_evaluation_whatever_dropout_it_was_trained_with(family):
    model = made(family, hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5)
    ours, theirs = both(model, training=False)
    torch.testing.assert_close(ours[SEEN], theirs[SEEN], atol=1e-5, rtol=1e-4)
    at = torch.tensor([4, 1, 7 + 6, 7 + 0, 14 + 1, 14 + 0])
    some, _ = both(model, training=False, at=at)
    torch.testing.assert_close(some.flatten(0, 1), theirs.flatten(0, 1)[at], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_one_vector_of_each_sequence_is_that_of_transformers_too(family, layers):
    model = made(family, hidden_dropout_prob=0.5, num_hidden_layers=layers).eval()
    at = torch.tensor([4, 6, 1])
    with torch.no_grad():
        ours = forward.read(dict(model.named_parameters()), model.config, IDS, SEEN, at)
        theirs = model.base_model(input_ids=IDS, attention_mask=SEEN.long())[0]
    torch.testing.assert_close(ours, theirs[torch.arange(3), at], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("hidden", "attention"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)], ids=["hidden", "attention", "none"]
)
def test_everything_is_dropped_in_training_that_transformers_drops(family, hidden, attention):
    """Where all is dropped nothing is left to chance."""
    model = made(family, hidden_dropout_prob=hidden, attention_probs_dropout_prob=attention)
    ours, theirs = both(model, training=True)
    torch.testing.assert_close(ours[SEEN], theirs[SEEN], atol=1e-5, rtol=1e-4)
    evaluated, _ = both(model, training=False)
    assert torch.allclose(ours[SEEN], evaluated[SEEN], atol=1e-3) == (hidden == attention == 0)


@pytest.mark.parametrize(("probability", "share"), [(0.1, 0.9), (0.5, 0.5)])
def test_what_dropout_leaves_is_scaled_up(probability, share):
    torch.manual_seed(0)
    kept = forward.dropped(torch.ones(20_000), probability, training=True)
    assert kept.unique().tolist() == [0, pytest.approx(1 / share)]
    assert (kept > 0).float().mean() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("config", "can"),
    [
        (AlbertConfig(), True),
        (AlbertConfig(num_hidden_groups=2), False),
        (AlbertConfig(inner_group_num=2), False),
        (BertConfig(hidden_act="gelu_new"), True),
        (BertConfig(), False),  # with the exact gelu
        (ElectraConfig(hidden_act="relu"), False),
    ],
)
def test_what_is_computed_otherwise_is_left_to_transformers(config, can):
    assert forward.computes(config) == can


def test_queries_of_a_few_places_attend_to_all_that_is_no_padding():
    """Two places that see one: its value, whatever the scores of padding."""
    query, key, value = torch.randn(1, 1, 2, 4), torch.full((1, 1, 3, 4), 50.0), torch.randn(1, 1, 3, 4)
    seen = torch.tensor([[False, True, False]])
    attended = forward.attend(query, key, value, forward.unseen(seen, torch.float32), 0.0)
    torch.testing.assert_close(attended, value[:, :, 1:2].expand(1, 1, 2, 4))
