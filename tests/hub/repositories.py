"""Files of repositories as their owners left them: small BERTs with random parameters, made by transformers alone."""

import functools
import io
import json
import tempfile
from pathlib import Path

import torch
from transformers import BertConfig, BertForMaskedLM

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "##a", "##e", "the", "of")
TOKENIZER = {
    "vocab.txt": "\n".join(PIECES).encode(),
    "tokenizer_config.json": json.dumps({"tokenizer_class": "BertTokenizer", "model_max_length": 32}).encode(),
}


@functools.cache
def model(seed: int, vocab_size: int = len(PIECES)) -> BertForMaskedLM:
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(seed)
    return BertForMaskedLM(BertConfig(vocab_size=vocab_size, max_position_embeddings=32, **shape)).eval()


@functools.cache
def saved(seed: int, shards: bool = False) -> dict[str, bytes]:
    """Of ``save_pretrained``: ``config.json`` and safetensors, whole or in shards."""
    with tempfile.TemporaryDirectory() as folder:
        model(seed).save_pretrained(folder, max_shard_size="5KB" if shards else "1GB")
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@functools.cache
def pickled(seed: int, vocab_size: int = len(PIECES)) -> dict[str, bytes]:
    """``config.json`` and what torch pickles, as older repositories have it."""
    stream = io.BytesIO()
    torch.save(model(seed, vocab_size).state_dict(), stream)
    config = model(seed, vocab_size).config.to_dict() | {"architectures": ["BertForMaskedLM"]}
    return {"config.json": json.dumps(config).encode(), "pytorch_model.bin": stream.getvalue()}
