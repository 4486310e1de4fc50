"""Attention of all layers and heads, summed up on the device: no map leaves it but those that are asked for.

How much of it goes where is told of pieces, as a model reads them (:func:`statistics`). Which word another one attends
to is told of words, whose pieces are put together as in Clark et al. (2019): attention to a word is the sum over its
pieces, attention from a word the mean over them (:func:`between_words`). Special tokens are none of the words.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils import logging

from embryology.models.encoder import ON_AN_ACCELERATOR, TOKENS_PER_BATCH, Encoder
from embryology.specs import NotApplicable

HELD_AT_ONCE = 2**27
"""Numbers of all layers' and heads' attention: half a gigabyte in float32."""
NOWHERE = -1
"""The answer of a word that attends to no other, or to several of them alike."""

Batch = tuple[list[int], Tensor, tuple[Tensor, ...]]


@torch.inference_mode()
def attentions(
    encoder: Encoder, sequences: Sequence[Sequence[int]], tokens_per_batch: int | None = None
) -> Iterator[Batch]:
    """All layers' attention, a batch at a time, in float32 on the encoder's device.

    Args:
        encoder: whose; its fused kernels (SDPA, flash) keep weights to themselves, so that it computes eagerly
            meanwhile.
        sequences: input ids, special tokens included; of any lengths.
        tokens_per_batch: padded ids a batch, None for as many as fit; results depend on it in rounding alone.

    Yields:
        The numbers of the batch's sequences; (sequences, length) bool, what is no padding; and for each layer
        (sequences, heads, length, length), from a token (third axis) to all (last), which sums to 1. Rows of padding
        mean nothing.

    Raises:
        NotApplicable: the architecture has no weights from token to token.
    """
    body, config = encoder.body("float32"), encoder.model.config
    heads = getattr(config, "num_hidden_layers", 1) * getattr(config, "num_attention_heads", 1)
    longest = max(map(len, sequences))
    default = ON_AN_ACCELERATOR if encoder.device.startswith("cuda") else TOKENS_PER_BATCH
    budget = tokens_per_batch or max(longest, min(default, HELD_AT_ONCE // (heads * longest)))
    with _eager(body):
        for batch, ids, mask in encoder.batches(np.arange(len(sequences)), sequences, budget):
            layers = getattr(body(input_ids=ids, attention_mask=mask, output_attentions=True), "attentions", None)
            square = (len(batch), ids.shape[1], ids.shape[1])
            if not layers or any(layer is None or (len(layer), *layer.shape[2:]) != square for layer in layers):
                raise NotApplicable(f"a model of the kind {encoder.model_type} has no attention from token to token")
            yield batch, mask.bool(), tuple(layers)


@contextmanager
def _eager(body: PreTrainedModel) -> Iterator[None]:
    before, verbosity = body.config._attn_implementation, logging.get_verbosity()
    logging.set_verbosity_error()  # of kinds that know one implementation alone
    try:
        body.set_attn_implementation("eager")
        yield
    finally:
        body.set_attn_implementation(before)
        logging.set_verbosity(verbosity)


def uniform(seen: Tensor, causal: bool) -> Tensor:
    """What a head would be that attends to all tokens alike, in a causal model to those up to its own.

    Args:
        seen: (sequences, length) bool, what is no padding.
        causal: whether a token does not see later ones.

    Returns:
        (sequences, 1, length, length) float32.
    """
    allowed = seen[:, None, None].expand(-1, 1, seen.shape[1], -1).float()
    allowed = allowed.tril() if causal else allowed
    return allowed / allowed.sum(-1, keepdim=True).clamp(min=1)


def statistics(attention: Tensor, seen: Tensor, inside: Tensor) -> Tensor:
    """Where each head attends in each sequence, a mean over its pieces; in the order of the specification.

    A piece is a token that is no special one. Attention to the piece before is a mean over the pieces that have one;
    to the first token (a special one, where the tokenizer puts one there) over all pieces but itself; to separators,
    the special tokens behind the first, over all pieces. Entropy, in nats, is of the attention to all tokens.
    Distance, in tokens, is the mean over pairs of pieces, weighted by attention (Vig and Belinkov 2019).

    Args:
        attention: (sequences, heads, length, length).
        seen: (sequences, length) bool, what is no padding.
        inside: (sequences, length) bool, its pieces.

    Returns:
        (7, sequences, heads) float32; nan where a sequence has nothing of the kind, as no separator.
    """
    seen, inside = seen.float(), inside.float()
    places = torch.arange(seen.shape[1], device=seen.device)
    special = seen - inside
    special[:, 0] = 0
    pairs = inside[:, :-1] * inside[:, 1:]
    behind = inside * (places > 0)
    to_separators = (attention * special[:, None, None]).sum(-1)
    among = attention * inside[:, None, :, None] * inside[:, None, None]
    far = (places[:, None] - places).abs()

    def mean(values: Tensor, of: Tensor) -> Tensor:
        return (values * of[:, None]).sum(-1) / of.sum(-1)[:, None]

    return torch.stack(
        [
            mean(attention.diagonal(dim1=-2, dim2=-1), inside),
            mean(attention.diagonal(-1, dim1=-2, dim2=-1), pairs),
            mean(attention.diagonal(1, dim1=-2, dim2=-1), pairs),
            mean(attention[..., 0], behind),
            mean(to_separators, inside).where(special.any(-1)[:, None], torch.nan),
            mean(torch.special.entr(attention).sum(-1), inside),
            (among * far).sum((-2, -1)) / among.sum((-2, -1)),
        ]
    )


def between_words(attention: Tensor, words: Sequence[Sequence[Sequence[int]]]) -> tuple[Tensor, Tensor]:
    """Attention from each word to each other one.

    Args:
        attention: (sequences, heads, length, length).
        words: for every sequence the positions of each word's pieces; a word without pieces is none.

    Returns:
        (sequences, heads, words, words), padded: the mean over a word's pieces of the sum over another's. And
        (sequences, words, words) bool: whether both are words of the sequence, and not the same.
    """
    size = (len(words), max(map(len, words)), attention.shape[-1])
    of_word = np.zeros(size, np.float32)
    for row, positions in enumerate(words):
        for number, of_one in enumerate(positions):
            of_word[row, number, list(of_one)] = 1
    member = torch.from_numpy(of_word).to(attention.device)
    pieces = member.sum(-1)
    mean = member / pieces.clamp(min=1)[..., None]
    maps = mean[:, None] @ attention @ member.transpose(-1, -2)[:, None]
    are = pieces > 0
    apart = are[:, :, None] & are[:, None] & ~torch.eye(size[1], dtype=torch.bool, device=attention.device)
    return maps, apart


def strongest(maps: Tensor, apart: Tensor) -> Tensor:
    """Which other word each word attends to most, and by which other word it is attended to most.

    Args:
        maps, apart: of :func:`between_words`.

    Returns:
        (2, sequences, heads, words) int64: the word's number, or :data:`NOWHERE` where that is 0 (a causal model sees
        no later word) or where several are attended to alike, as then no word is meant.
    """
    among = maps.masked_fill(~apart[:, None], 0)
    answers = []
    for each in (among, among.transpose(-1, -2)):
        most, which = each.max(-1)
        single = (each == most[..., None]).sum(-1) == 1
        answers.append(which.masked_fill((most <= 0) | ~single, NOWHERE))
    return torch.stack(answers)
