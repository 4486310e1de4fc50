"""A loaded checkpoint against the same one as transformers loads it, a sequence at a time."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AutoModelForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForPreTraining,
    GPT2Config,
    GPT2LMHeadModel,
)

from embryology.errors import EmbryologyError
from embryology.models.encoder import Encoder, _batches
from embryology.runs.checkpoints import WEIGHTS
from embryology.runs.series import Series
from embryology.specs import BOTH_DIRECTIONS


def random_sequences(count=23, seed=0):
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(5, 1000, length).tolist() for length in rng.integers(3, 40, count)]
    positions = [sorted(rng.choice(len(ids), rng.integers(0, len(ids)), replace=False).tolist()) for ids in sequences]
    targets = [rng.integers(0, 1000, len(places)).tolist() for places in positions]
    return sequences, positions, targets


def slowly(model, sequences, positions, targets):
    """One sequence at a time, logits everywhere."""
    top, log_probability = [], []
    with torch.no_grad():
        for ids, places, true in zip(sequences, positions, targets, strict=True):
            table = model(torch.tensor([ids])).logits[0].log_softmax(-1)
            top += [int(table[place].argmax()) for place in places]
            log_probability += [float(table[place, target]) for place, target in zip(places, true, strict=True)]
    return np.array(top), np.array(log_probability)


def save_as_series(folder, model):
    model.save_pretrained(folder / "checkpoint-1")
    return Series.open(folder)


@pytest.fixture(scope="module", params=["albert", "bert", "distilbert"])
def checkpoint(request, make_series, tmp_path_factory):
    if request.param == "distilbert":  # a head that is not known by name
        torch.manual_seed(0)
        config = DistilBertConfig(vocab_size=1000, dim=32, n_layers=2, n_heads=2, hidden_dim=64, initializer_range=0.3)
        return save_as_series(tmp_path_factory.mktemp("other"), DistilBertForMaskedLM(config)).checkpoints[0]
    return make_series(request.param, steps=(0,)).checkpoints[0]


@pytest.fixture(scope="module")
def encoder(checkpoint):
    return Encoder.load(checkpoint, device="cpu")


@pytest.fixture(scope="module")
def plain(checkpoint):
    """As transformers loads it, with its own activations."""
    return AutoModelForMaskedLM.from_pretrained(checkpoint.location).eval()


def test_predictions_are_those_of_the_whole_model(encoder, plain):
    asked = random_sequences()
    top, log_probability = slowly(plain, *asked)
    predicted = encoder.predict(*asked)
    np.testing.assert_array_equal(predicted.top, top)
    np.testing.assert_allclose(predicted.log_probability, log_probability, atol=2e-5)
    assert len(set(top.tolist())) > 10, "a test in which every answer is the same tests nothing"


@pytest.mark.parametrize("tokens_per_batch", [1, 100, 100_000])
def test_batches_change_nothing(encoder, tokens_per_batch):
    asked = random_sequences()
    predicted, again = encoder.predict(*asked), encoder.predict(*asked, tokens_per_batch=tokens_per_batch)
    np.testing.assert_array_equal(predicted.top, again.top)
    np.testing.assert_allclose(predicted.log_probability, again.log_probability, atol=2e-5)


def test_order_changes_nothing(encoder):
    sequences, positions, targets = random_sequences()
    backwards = encoder.predict(sequences[::-1], positions[::-1], targets[::-1])
    lengths = [len(places) for places in positions[::-1]]
    parts = np.split(backwards.log_probability, np.cumsum(lengths)[:-1])
    forwards = encoder.predict(sequences, positions, targets).log_probability
    np.testing.assert_allclose(np.concatenate(parts[::-1]), forwards, atol=2e-5)


def test_chunks_of_logits_change_nothing(encoder, monkeypatch):
    asked = random_sequences()
    predicted = encoder.predict(*asked)
    monkeypatch.setattr("embryology.models.encoder.LOGITS_PER_CHUNK", 3000)
    np.testing.assert_allclose(encoder.predict(*asked).log_probability, predicted.log_probability, atol=2e-5)


def test_bfloat16_is_near_and_casts_once(encoder):
    asked = random_sequences()
    exact, near = encoder.predict(*asked), encoder.predict(*asked, precision="bfloat16")
    difference = np.abs(exact.log_probability - near.log_probability)
    assert 0 < difference.max() < 1.0
    assert near.log_probability.dtype == np.float32
    first = encoder._reduced
    encoder.predict(*asked, precision="bfloat16")
    assert encoder._reduced is first
    assert next(encoder.model.parameters()).dtype == torch.float32


def test_nothing_asked_nothing_answered(encoder):
    assert encoder.predict([], [], []).top.shape == (0,)
    assert encoder.predict([[2, 7, 3]], [[]], [[]]).log_probability.shape == (0,)


def test_what_models_have(tiny_series, tmp_path, capfd):
    shape = {"vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    discriminator = ElectraForPreTraining(ElectraConfig(**shape, intermediate_size=8, embedding_size=8))
    decoder = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=1))
    masked = tiny_series.checkpoints[0]
    replaced = save_as_series(tmp_path / "replaced", discriminator).checkpoints[0]
    other = save_as_series(tmp_path / "other", decoder).checkpoints[0]
    capfd.readouterr()
    encoders = [Encoder.load(checkpoint, device="cpu") for checkpoint in (masked, replaced, other)]
    assert capfd.readouterr() == ("", ""), "loading says nothing"
    assert [(e.model_type, e.objective, "masked-head" in e.has) for e in encoders] == [
        ("albert", "masked", True),
        ("electra", "replaced", False),
        ("gpt2", "other", False),
    ]
    assert all("hidden-states" in e.has and not e.model.training for e in encoders)
    assert [BOTH_DIRECTIONS in e.has for e in encoders] == [True, True, False]


def test_damaged_checkpoints_are_refused(make_series, tmp_path):
    (checkpoint,) = make_series(steps=(0,)).checkpoints
    content = bytearray((checkpoint.location / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (checkpoint.location / WEIGHTS).write_bytes(content)
    with pytest.raises(EmbryologyError, match="was changed after it was written"):
        Encoder.load(checkpoint)

    shape = {"vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = ElectraForPreTraining(ElectraConfig(**shape, intermediate_size=8, embedding_size=8))
    state = {name: tensor for name, tensor in model.state_dict().items() if "attention" not in name}
    model.save_pretrained(tmp_path / "part" / "checkpoint-1", state_dict=state)
    with pytest.raises(EmbryologyError, match=r"lacks the weights electra\.encoder"):
        Encoder.load(Series.open(tmp_path / "part").checkpoints[0])

    model.save_pretrained(tmp_path / "cut" / "checkpoint-1")
    weights = tmp_path / "cut" / "checkpoint-1" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(EmbryologyError, match="cannot be loaded"):
        Encoder.load(Series.open(tmp_path / "cut").checkpoints[0])


@pytest.mark.parametrize("form", ["shards", "pickled"])
def test_other_forms_of_weights_are_the_same_model(form, encoder, plain, tmp_path):
    plain.save_pretrained(tmp_path / "checkpoint-1", max_shard_size="50KB")
    if form == "pickled":
        for file in tmp_path.glob("*/*.safetensors*"):
            file.unlink()
        torch.save(plain.state_dict(), tmp_path / "checkpoint-1" / "pytorch_model.bin")
    files = {file.name for file in tmp_path.glob("*/*")}
    assert WEIGHTS not in files
    assert ("pytorch_model.bin" in files) == (form == "pickled")
    again = Encoder.load(Series.open(tmp_path).checkpoints[0], device="cpu")
    asked = random_sequences(5)
    np.testing.assert_array_equal(again.predict(*asked).log_probability, encoder.predict(*asked).log_probability)
    assert again.has == encoder.has
    assert again.vocabulary == 1000


def test_what_is_no_model_is_refused_in_a_line(encoder, plain, tmp_path):
    place = tmp_path / "checkpoint-1"
    plain.save_pretrained(place)
    (place / WEIGHTS).unlink()
    torch.save(print, place / "pytorch_model.bin")
    with pytest.raises(EmbryologyError, match=r"cannot be loaded: its pytorch_model\.bin holds something else than"):
        Encoder.load(Series.open(tmp_path).checkpoints[0])
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "m.M"}, "architectures": None}))
    with pytest.raises(EmbryologyError, match=r"checkpoint-1 needs code of its own \(auto_map in its config\.json\)"):
        Encoder.load(Series.open(tmp_path).checkpoints[0])


@pytest.mark.parametrize("tokens_per_batch", [1, 100, None])
def test_the_head_makes_the_whole_models_logits_of_vectors(encoder, plain, tokens_per_batch):
    sequences, *_ = random_sequences()
    places = [len(ids) * 2 // 3 for ids in sequences]
    vectors = encoder.vectors(sequences, places, tokens_per_batch=tokens_per_batch)
    assert vectors.shape == (len(sequences), encoder.hidden_size)
    with torch.no_grad():
        alone = [plain(torch.tensor([ids])).logits[0, place] for ids, place in zip(sequences, places, strict=True)]
    torch.testing.assert_close(encoder.head(vectors), torch.stack(alone), atol=1e-4, rtol=0)
    rough = encoder.head(encoder.vectors(sequences, places, "bfloat16", tokens_per_batch)) - torch.stack(alone)
    assert 0 < rough.abs().mean() < 0.2


def test_where_it_computes_is_recorded_as_it_was(encoder):
    found = encoder.machine("float32")
    assert (found["precision"], found["torch"]) == ("float32", torch.__version__)
    assert found["threads"] == torch.get_num_threads()
    assert encoder.machine("bfloat16")["precision"] == "bfloat16"


def test_hidden_states_are_those_of_each_sequence_alone(encoder, plain):
    sequences, *_ = random_sequences()
    states = encoder.hidden_states(sequences, tokens_per_batch=60)
    body = plain.base_model
    with torch.no_grad():
        alone = [body(torch.tensor([ids]), output_hidden_states=True).hidden_states for ids in sequences]
    expected = torch.cat([torch.stack(layers)[:, 0] for layers in alone], dim=1)
    assert states.shape == expected.shape
    assert torch.allclose(states, expected, atol=1e-5)
    assert not torch.allclose(states[0], states[-1])
    assert encoder.hidden_states(sequences, "bfloat16").dtype == torch.bfloat16


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 60))
def test_a_batch_is_one_sequence_or_within_the_budget_padding_included(lengths, budget):
    sequences, chosen = [[0] * length for length in lengths], np.arange(len(lengths))
    batches = list(_batches(chosen, sequences, budget))
    assert sorted(number for batch in batches for number in batch) == chosen.tolist()
    widths = [max(lengths[number] for number in batch) for batch in batches]
    assert all(len(batch) == 1 or len(batch) * width <= budget for batch, width in zip(batches, widths, strict=True))
    # And no two neighbours would have gone together.
    both = [len(one) + 1 for one in batches[:-1]]
    narrowest = [min(lengths[number] for number in batch) for batch in batches[1:]]
    assert all(number * width > budget for number, width in zip(both, narrowest, strict=True))
