"""Checkpoints as somebody else makes them: a BERT with its own tokenizer, by transformers and tokenizers alone."""

from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from embryology.corpus.articles import articles


def save_bert(folder: Path, steps: tuple[int, ...] = (0, 500)) -> Path:
    """Folders ``checkpoint-<step>`` of a BERT of 2 layers × 32 with random parameters."""
    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator([article.text for article in list(articles("bundled"))[:200]], vocab_size=800)
    special = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces._tokenizer, mask_token="[MASK]", model_max_length=64, **special
    )
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    for step in steps:
        torch.manual_seed(step)
        model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **shape))
        model.save_pretrained(folder / f"checkpoint-{step}")
        tokenizer.save_pretrained(folder / f"checkpoint-{step}")
    return folder
