"""Grown models compute what the smaller ones do, by transformers' own forward pass."""

import re

import numpy as np
import pytest
import torch
from transformers import AlbertForPreTraining

from embryology.errors import EmbryologyError
from embryology.presets import GrownFrom, Model, load, validated
from embryology.pretraining import growing, loop
from embryology.pretraining.trainee import build
from embryology.runs import losses
from embryology.runs.manifest import Manifest
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.runs.verify import check
from tests.training import SHORT, small_preset, train

SMALL = {"num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
SMALL |= {"initializer_range": 0.3}
ALBERT = Model(family="albert", embedding_size=8, **SMALL)
BERT = Model(family="bert", embedding_size=16, **SMALL)
LARGER = {
    "albert, wider": (ALBERT, {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}),
    "albert, embeddings too": (ALBERT, {"hidden_size": 48, "num_attention_heads": 6, "embedding_size": 16}),
    "bert, wider": (BERT, {"hidden_size": 32, "embedding_size": 32, "num_attention_heads": 4, "intermediate_size": 50}),
    "bert, deeper": (BERT, {"num_hidden_layers": 5}),
    "bert, both": (
        BERT,
        {"hidden_size": 32, "embedding_size": 32, "num_attention_heads": 4, "num_hidden_layers": 3},
    ),
}


def models(source, changes, **settings):
    """A small model with parameters of all sorts, and the larger one grown from it."""
    small = build(source, 50, 12, 0)["model"]
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    large = build(source.model_copy(update=changes), 50, 12, 5)["model"]
    grown = growing.parameters(small, large.config, GrownFrom(run="small", step=1, **settings), seed=3)
    with torch.no_grad():
        for name, parameter in large.named_parameters():
            parameter.copy_(grown.pop(name))
    assert not grown
    return small.eval(), large.eval()


def answers(model):
    ids = torch.randint(4, 50, (6, 12), generator=torch.Generator().manual_seed(2))
    mask, types = torch.ones_like(ids), torch.zeros_like(ids)
    mask[0, 7:], types[:, 6:] = 0, 1
    with torch.no_grad():
        output = model(input_ids=ids, attention_mask=mask, token_type_ids=types)
    pairs = output.sop_logits if isinstance(model, AlbertForPreTraining) else output.seq_relationship_logits
    return torch.cat([output.prediction_logits[mask.bool()].flatten(), pairs.flatten()])


@pytest.mark.parametrize("split", ["even", "uneven"])
@pytest.mark.parametrize("case", LARGER)
def test_logits_stay_when_a_model_is_grown(case, split):
    source, changes = LARGER[case]
    small, large = models(source, changes, split=split)
    before, after = answers(small), answers(large)
    assert sum(p.numel() for p in large.parameters()) > sum(p.numel() for p in small.parameters())
    assert before.std() > 0.5
    assert float((before - after).abs().max()) < 1e-4


def test_units_of_the_layer_above_change_the_function_and_stand_where_they_are_added():
    source, changes = LARGER["bert, wider"]
    small, large = models(source, changes, by="aki")
    assert float((answers(small) - answers(large)).abs().max()) > 0.01
    below, above = small.bert.encoder.layer
    for part, own in (("intermediate.dense", 24), ("attention.self.value", 16), ("output.dense", 16)):
        grown = large.bert.encoder.layer[0].get_submodule(part)
        weights = grown.bias[own:]
        source_biases = above.get_submodule(part).bias
        assert torch.equal(grown.bias[:own], below.get_submodule(part).bias)
        assert set(weights.tolist()) <= set(source_biases.tolist())
    last = large.bert.encoder.layer[1].intermediate.dense.bias  # no layer is above the last
    assert set(last[24:].tolist()) <= set(above.intermediate.dense.bias.tolist())
    norm = large.bert.encoder.layer[0].output.LayerNorm.weight
    assert set(norm[16:].tolist()) == set(below.output.LayerNorm.weight.tolist())


def test_copies_stand_in_order_once_and_then_equally_often():
    drawn = growing.copies(5, 17, np.random.default_rng(0))
    assert drawn[:5].tolist() == [0, 1, 2, 3, 4]
    assert sorted(np.bincount(drawn).tolist()) == [3, 3, 3, 4, 4]
    assert drawn[5:10].tolist() != [0, 1, 2, 3, 4]


def trained_apart(split):
    """How far two copies of a unit are from each other after some steps without dropout."""
    source, changes = LARGER["albert, wider"]
    _, large = models(source, changes, split=split)
    twins = growing.Widths.of(build(source, 50, 12, 0)["model"].config, large.config, False, 3).by_kind["hidden"]
    first, second = np.flatnonzero(twins == 0)
    optimizer = torch.optim.AdamW(large.parameters(), lr=1e-3)
    ids = torch.randint(4, 50, (6, 12), generator=torch.Generator().manual_seed(2))
    for _ in range(5):
        optimizer.zero_grad()
        pairs = torch.zeros(6, dtype=torch.long)
        large.train()(input_ids=ids, labels=ids, sentence_order_label=pairs).loss.backward()
        optimizer.step()
    rows = large.albert.encoder.embedding_hidden_mapping_in.weight.detach()
    return float((rows[first] - rows[second]).abs().max())


def test_copies_that_are_read_alike_are_trained_alike_and_others_are_not():
    """Why the variant has uneven shares: where nothing is dropped, a published copy never becomes a unit of its own."""
    assert trained_apart("even") < 1e-5
    assert trained_apart("uneven") > 1e-3


REFUSED = {
    "family": (ALBERT, {"family": "bert", "embedding_size": 16}, {}, "an? albert cannot become a bert"),
    "nothing": (ALBERT, {}, {}, "both are of one shape"),
    "hidden": (ALBERT, {"hidden_size": 24, "num_attention_heads": 3}, {}, "hidden_size 24 is no multiple of 16"),
    "narrower": (
        ALBERT,
        {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 20},
        {},
        "20 is less than 24",
    ),
    "heads": (ALBERT, {"hidden_size": 32}, {}, "heads have 8 and 16 units each"),
    "passes": (ALBERT, {"num_hidden_layers": 3}, {}, "an albert's layers are one"),
    "above": (ALBERT, {"intermediate_size": 48}, {"by": "aki"}, "an albert's layers are one"),
    "electra": (
        Model(family="electra", embedding_size=8, generator_size=0.5, **SMALL),
        {"intermediate_size": 48},
        {},
        "an electra cannot be grown",
    ),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_cannot_grow_is_refused(wrong):
    source, changes, settings, message = REFUSED[wrong]
    reason = growing.refusal(source, source.model_copy(update=changes), GrownFrom(run="small", step=1, **settings))
    assert reason is not None
    assert re.search(message, reason)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("grown")
        patch.setenv("EMBRYOLOGY_RUNS", str(folder))
        train(preset_of(folder), folder / "narrow-seed0")
        yield folder


WIDE = {"hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128}
GROWN = {"run": "narrow-seed{seed}", "step": 20}


def preset_of(home, wide=None, **changes):
    model = small_preset(home).outcome.model.model_dump() | (wide or {})
    return small_preset(home, 75, model=model, **{"steps": 20, "checkpoints": [0, 5, 20]} | SHORT | changes)


def test_a_run_begins_as_good_as_the_smaller_one_ended_and_resumes_without_it(home, monkeypatch):
    small = losses.read(RunFolder(home / "narrow-seed0"))
    preset = preset_of(home, WIDE, grown_from=GROWN)
    whole = train(preset, home / "whole")
    began = losses.read(whole).set_index("step")["held_out_masked_loss"][0]
    assert began == pytest.approx(small.set_index("step")["held_out_masked_loss"][20], abs=1e-4)
    assert began < small.set_index("step")["held_out_masked_loss"][0] - 0.1
    assert check(whole)[0] == []
    recorded = Manifest.read(whole).origin
    assert (recorded.run, recorded.step, recorded.state_sha256) == ("narrow-seed0", 20, None)
    assert recorded.checkpoint_sha256 == Series.open(home / "narrow-seed0").checkpoints[-1].sha256
    real = loop.Run._step

    def die(self, index, *rest):
        if index == 15:
            raise MemoryError
        return real(self, index, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "_step", die)
        with pytest.raises(MemoryError):
            train(preset, home / "killed")
    (home / "narrow-seed0").rename(home / "away")
    resumed = train(preset, home / "killed", resume=True)
    (home / "away").rename(home / "narrow-seed0")
    ends = [Series.open(folder.root).checkpoints[-1].sha256 for folder in (whole, resumed)]
    assert ends[0] == ends[1]


WRONG = {
    "no run": ({"grown_from": GROWN | {"run": "nowhere"}}, r"grown_from: there is no run in .*nowhere; train it"),
    "no step": ({"grown_from": GROWN | {"step": 7}}, r"narrow-seed0 has no checkpoint of step 7; name one of"),
    "other pieces": ({"grown_from": GROWN, "tokenizer": {"vocab_size": 500}}, "the other has another tokenizer"),
    "longer": ({"grown_from": GROWN, "sequence_length": 64}, "longest sequences have 32 and 64 pieces"),
    "no larger": ({"grown_from": GROWN, "wide": {}}, "both are of one shape"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_run_that_cannot_be_grown_is_refused_in_one_line(home, wrong):
    changes, message = WRONG[wrong]
    wide = changes.get("wide", WIDE)
    preset = preset_of(home, wide, **{name: value for name, value in changes.items() if name != "wide"})
    with pytest.raises(EmbryologyError, match=message) as caught:
        train(preset, home / "refused")
    assert "\n" not in str(caught.value)
    assert not (home / "refused").exists()


def test_growing_is_part_of_the_outcome_and_nothing_else_is_renamed(home):
    plain = load("tiny")
    assert plain.outcome_sha256 == validated(plain.model_dump(), "again").outcome_sha256
    hashes = {
        preset_of(home, WIDE, grown_from=GROWN | change).outcome_sha256
        for change in ({}, {"step": 5}, {"split": "uneven"}, {"by": "aki"})
    }
    assert len(hashes | {preset_of(home, WIDE).outcome_sha256}) == 5
