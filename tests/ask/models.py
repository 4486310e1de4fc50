"""Small random models of each family, as series of a few checkpoints that change little by little."""

import copy
import functools
import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, BertWordPieceTokenizer, Tokenizer
from tokenizers.processors import BertProcessing
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    PreTrainedTokenizerFast,
)

from embryology.corpus import tokenizer as unigram
from embryology.corpus.articles import articles
from embryology.runs import checkpoints
from embryology.runs.checkpoints import Checkpoint
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series

STEPS = (0, 10, 200)
PIECES = 400
SHAPE = {
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 40,
    "initializer_range": 0.4,
    "max_position_embeddings": 128,
}
"""Weights are large, so that what is computed wrongly shows in the logits."""


def texts(count: int = 60) -> list[str]:
    return [article.text for article, _ in zip(articles("bundled"), range(count), strict=False)]


@functools.cache
def unigram_tokenizer(**options: bool) -> Any:
    return unigram.train((line for text in texts() for line in text.split(". ")), PIECES, **options)


@functools.cache
def decomposed_tokenizer() -> Any:
    """Accents are taken apart and stay, so that their order counts."""
    tokenizer = unigram_tokenizer()
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "Lowercase"}]}
    content["model"]["vocab"] += [[mark, -9.0] for mark in "\u0301\u0323\u0334\u0345"]
    special = {"unk_token": "<unk>", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "<pad>"}
    backend = Tokenizer.from_str(json.dumps(content))
    return PreTrainedTokenizerFast(tokenizer_object=backend, mask_token="[MASK]", **special)


@functools.cache
def nested_tokenizer() -> Any:
    """A piece of its own begins as another one does."""
    tokenizer = copy.deepcopy(word_pieces())
    tokenizer.add_tokens([AddedToken(each, normalized=False) for each in ("<the", "<theory", "<the>")])
    return tokenizer


@functools.cache
def word_pieces(lower_case: bool = True) -> Any:
    pieces = BertWordPieceTokenizer(lowercase=lower_case)
    pieces.train_from_iterator(texts(), vocab_size=PIECES, show_progress=False)
    ends = [(sign, pieces.token_to_id(sign)) for sign in ("[SEP]", "[CLS]")]
    pieces._tokenizer.post_processor = BertProcessing(*ends)
    special = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    return PreTrainedTokenizerFast(tokenizer_object=pieces._tokenizer, mask_token="[MASK]", **special)


def albert(vocab_size: int) -> dict[str, Any]:
    config = AlbertConfig(vocab_size=vocab_size, hidden_size=24, embedding_size=12, hidden_act="gelu_new", **SHAPE)
    return {"model": AlbertForMaskedLM(config)}


def bert(vocab_size: int) -> dict[str, Any]:
    return {"model": BertForMaskedLM(BertConfig(vocab_size=vocab_size, hidden_size=24, hidden_act="gelu", **SHAPE))}


def electra(vocab_size: int) -> dict[str, Any]:
    """Generator and discriminator, which share their embeddings as in training."""
    wide = ElectraConfig(vocab_size=vocab_size, hidden_size=24, embedding_size=12, hidden_act="gelu_new", **SHAPE)
    narrow = ElectraConfig(vocab_size=vocab_size, hidden_size=16, embedding_size=12, hidden_act="gelu_new", **SHAPE)
    model, generator = ElectraForPreTraining(wide), ElectraForMaskedLM(narrow)
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        shared = getattr(model.electra.embeddings, name)
        setattr(generator.electra.embeddings, name, shared)
    generator.tie_weights()
    return {"model": model, "generator": generator}


FAMILIES = {"albert": albert, "bert": bert, "electra": electra}


def series(folder: Path, family: str, tokenizer: Any, seed: int = 0) -> Series:
    """A series whose checkpoints are random weights, each the one before with a tenth of noise."""
    torch.manual_seed(seed)
    models, made = FAMILIES[family](len(tokenizer)), []
    for step in STEPS:
        place = folder / f"step-{step:08d}"
        checkpoints.write(place, models, tokenizer, {"step": step, "tokens": step, "held_out": {}})
        made.append(checkpoints.of_run(place))
        with torch.no_grad():
            for parameter in {id(each): each for model in models.values() for each in model.parameters()}.values():
                parameter += 0.04 * torch.randn_like(parameter)
    return Series(folder.name, RunFolder(folder), tuple(made), None)


def loaded(checkpoint: Checkpoint, weights: dict[str, Any], model_class: Any) -> Any:
    """transformers' model of a checkpoint, with other weights of the same names."""
    model = model_class.from_pretrained(checkpoint.location, attn_implementation="eager").eval()
    state = model.state_dict()
    unknown = set(weights) - set(state)
    assert not unknown, unknown
    model.load_state_dict(state | {name: torch.from_numpy(each) for name, each in weights.items()})
    model.tie_weights()
    return model


def again(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint, with what its record says now."""
    return checkpoints.of_run(checkpoint.location)
