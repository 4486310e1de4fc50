"""Every probe on models of many architectures, made by transformers alone: measured, or "does not apply" and why."""

import functools
import math

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer, SentencePieceUnigramTokenizer
from tokenizers.implementations import BertWordPieceTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, ElectraForPreTraining, PreTrainedTokenizerFast

from embryology import intervals
from embryology.corpus.articles import articles, is_held_out
from embryology.facts import bundled
from embryology.models.alignment import longest_input
from embryology.models.encoder import Encoder
from embryology.probes.runner import run_probes
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.tasks import baselines, topics
from embryology.treebanks import silver

LONGEST = 48
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
T5 = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}
ROBERTA = {**SHAPE, "max_position_embeddings": LONGEST + 2, "pad_token_id": 1}
BERT = {**SHAPE, "max_position_embeddings": LONGEST}
MODELS = {
    "bert": ("wordpiece", BERT),
    "roberta": ("bytes", ROBERTA),
    "distilbert": ("wordpiece", {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64,
                                 "max_position_embeddings": LONGEST}),
    "deberta-v2": ("unigram", {**BERT, "relative_attention": True, "position_buckets": 16,
                               "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}),
    "modernbert": ("bytes", {**BERT, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0,
                             "sep_token_id": 2}),
    "albert": ("unigram", {**BERT, "embedding_size": 16}),
    "electra": ("wordpiece", {**BERT, "embedding_size": 16}),
    "electra-discriminator": ("wordpiece", {**BERT, "embedding_size": 16}),
    "xlm-roberta": ("unigram", ROBERTA),
    "gpt_neox": ("bytes", BERT),
    "gpt2": ("bytes", {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": LONGEST, "n_inner": 64}),
    "t5": ("unigram", T5),
}  # fmt: skip
MASKED = {"bert", "roberta", "distilbert", "deberta-v2", "modernbert", "albert", "electra", "xlm-roberta"}
CAUSAL = {"gpt2", "gpt_neox"}
SETTINGS = {
    "attention": {"sentences": 30},
    "completions": {},
    "tokens": {"sentences": 30, "mask_words_per_tag": 5},
    "edges": {"train_sentences": 100, "steps": 20, "batch_size": 64},
    "similarity": {"words": 30, "components": 5},
    "grammar": {"sets": ("silver",), "pairs": 3, "whole": False},
    "knowledge": {"facts": 5},
    "frozen": {"train": 60},
    "finetune": {"train": 60, "seeds": 1, "epochs": 1},
}


@pytest.fixture(scope="module", autouse=True)
def cheap():
    """What does not depend on the model is made once, from a part of the text, and with few resamples."""
    some = [article for article in articles("bundled") if is_held_out(article.title)][::4]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("EMBRYOLOGY_DATA", raising=False)
        patch.setattr(silver.articles, "articles", lambda *_: iter(some))
        for module, name in ((silver, "read"), (silver, "read_edges"), (bundled, "read"), (topics, "read")):
            patch.setattr(module, name, functools.cache(getattr(module, name)))
        patch.setattr(baselines, "rows", lambda *_: [])
        patch.setattr(intervals, "RESAMPLES", 20)
        yield


@pytest.fixture(scope="module")
def tokenizers_by_kind():
    """By kind: 600 pieces, trained on bundled articles, with the special pieces of the models that use it."""
    text = [article.text for article in list(articles("bundled"))[:150]]
    special = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]",
               "mask_token": "[MASK]"}  # fmt: skip
    roberta = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "unk_token": "<unk>",
               "pad_token": "<pad>", "mask_token": "<mask>"}  # fmt: skip
    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator(text, vocab_size=600, special_tokens=list(special.values()))
    bytes_ = ByteLevelBPETokenizer(add_prefix_space=False)
    bytes_.train_from_iterator(text, vocab_size=600, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    unigram = SentencePieceUnigramTokenizer()
    unigram.train_from_iterator(
        text, vocab_size=600, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], unk_token="<unk>"
    )
    made = {"wordpiece": (pieces, special), "bytes": (bytes_, roberta), "unigram": (unigram, roberta)}
    for kind in ("bytes", "unigram"):
        made[kind][0]._tokenizer.post_processor = TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    return {
        kind: PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer, **names)
        for kind, (tokenizer, names) in made.items()
    }


@pytest.fixture
def series(request, tokenizers_by_kind, tmp_path):
    """One checkpoint of an architecture with random parameters."""
    kind, shape = MODELS[request.param]
    tokenizer = tokenizers_by_kind[kind]
    config = AutoConfig.for_model(request.param.removesuffix("-discriminator"), vocab_size=len(tokenizer), **shape)
    torch.manual_seed(0)
    if request.param == "electra-discriminator":
        model = ElectraForPreTraining(config)
    else:
        model = (AutoModelForMaskedLM if request.param in MASKED else AutoModel).from_config(config)
    folder = tmp_path / request.param
    model.save_pretrained(folder / "checkpoint-10")
    tokenizer.save_pretrained(folder / "checkpoint-10")
    return Series.open(folder)


every_model = pytest.mark.parametrize("series", MODELS, indirect=True)


@every_model
def test_the_longest_input_is_the_most_that_the_model_reads(series):
    (checkpoint,) = series.checkpoints
    tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint.location)
    longest = longest_input(tokenizer, checkpoint.location)
    encoder = Encoder.load(checkpoint, device="cpu")
    if series.name == "t5":
        assert longest > 10**6
        longest = 700
    else:
        assert longest == LONGEST
    ids = [[5 + i % 400 for i in range(longest)]]
    assert torch.isfinite(encoder.hidden_states(ids)).all()
    # Learnt positions end there; relative and rotary ones do not.
    if series.name not in ("t5", "deberta-v2", "modernbert", "gpt_neox"):
        with pytest.raises((IndexError, RuntimeError, ValueError)):
            encoder.hidden_states([[*ids[0], 7]])


@every_model
def test_every_probe_measures_or_says_why_it_does_not_apply(series):
    run_probes(series, registry.asked_for(list(SETTINGS), SETTINGS), device="cpu", threads=1)
    reasons = {name: measurements.lacking(series, name) for name in SETTINGS}
    masked = series.name in MASKED
    assert [name for name, reason in reasons.items() if reason] == [
        name
        for name in SETTINGS
        if (not masked and name in ("completions", "tokens", "grammar", "knowledge"))
        or (series.name in CAUSAL and name == "finetune")
    ]
    for name, reason in reasons.items():
        if reason:
            assert "does not apply" in reason
            continue
        rows = measurements.read(series, name)
        own = rows[rows["baseline"].isna()]
        assert own["value"].map(math.isfinite).all()
        assert own["n"].min() > 0
