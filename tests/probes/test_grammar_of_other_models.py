"""Whom grammar is asked: the generator of an ELECTRA run answers for it; what has no masked-word head does not."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import (
    AutoModelForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    GPT2Config,
    GPT2LMHeadModel,
)

from embryology.corpus import tokenizer as tokenizers
from embryology.figures import provenance
from embryology.grammar import blimp
from embryology.probes.runner import run_probes
from embryology.runs import checkpoints, measurements
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs import registry
from tests.grammar_pairs import SENTENCES, write

SHAPE = {"vocab_size": 1000, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
ELECTRA = ElectraConfig(**SHAPE, intermediate_size=64, embedding_size=32, initializer_range=0.3)
ASKED = registry.asked_for(["grammar"], {"grammar": {"pairs": None}})


@pytest.fixture(autouse=True)
def pairs(tmp_path, monkeypatch):
    write(tmp_path / "data" / blimp.PLACE)
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path / "data"))


def run_of(tmp_path, tokenizer, **models):
    """A run of one checkpoint, as training writes it."""
    folder = RunFolder(tmp_path / "run")
    record = {"step": 10, "tokens": 1000, "epoch": 0.0, "held_out": {}}
    checkpoints.write(folder.checkpoint(10), models, tokenizer, record)
    tokenizer.save_pretrained(folder.tokenizer)
    return Series.open(folder.root)


@torch.no_grad()
def score(model, tokenizer, text):
    """A pseudo-log-likelihood by single passes."""
    ids = tokenizer(text)["input_ids"]
    total = 0.0
    for place in range(1, len(ids) - 1):
        masked = [tokenizer.mask_token_id if at == place else piece for at, piece in enumerate(ids)]
        total += float(model(torch.tensor([masked])).logits[0, place].log_softmax(-1)[ids[place]])
    return total


def test_the_generator_of_an_electra_run_answers_for_grammar_and_is_named(tmp_path, tokenizer):
    torch.manual_seed(0)
    models = {"model": ElectraForPreTraining(ELECTRA), checkpoints.GENERATOR: ElectraForMaskedLM(ELECTRA)}
    series = run_of(tmp_path, tokenizer, **models)
    assert run_probes(series, ASKED, device="cpu", threads=1) == 1
    plain = AutoModelForMaskedLM.from_pretrained(series.checkpoints[0].location / checkpoints.GENERATOR).eval()
    tokenizer = tokenizers.load(series.checkpoints[0].location)
    expected = [
        score(plain, tokenizer, good) - score(plain, tokenizer, bad)
        for own in SENTENCES.values()
        for good, bad, *_ in own
    ]
    items = measurements.read_items(series, "grammar")
    assert items["difference"].tolist() == pytest.approx(expected, abs=2e-4)
    assert set(measurements.read(series, "grammar")["objective"]) == {"masked"}
    ours = replace(series, manifest=SimpleNamespace(corpus=None))  # of a run that was trained here
    assert [*provenance._remarks(ours, ["grammar"])] == [
        "grammar read the generator of run, as its discriminator predicts no words"
    ]


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: ElectraForPreTraining(ELECTRA), id="a discriminator alone"),
        pytest.param(lambda: GPT2LMHeadModel(GPT2Config(vocab_size=1000, n_embd=32, n_layer=2, n_head=2)), id="causal"),
    ],
)
def test_without_a_trained_masked_head_grammar_does_not_apply(tmp_path, tokenizer, made):
    series = run_of(tmp_path, tokenizer, model=made())
    run_probes(series, ASKED, device="cpu", threads=1)
    assert measurements.lacking(series, "grammar") == (
        "probe grammar does not apply: its model has no trained masked-word head"
    )
