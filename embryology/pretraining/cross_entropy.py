"""The cross-entropy over a vocabulary and its gradient, in one pass over the logits.

Of a small model the logits are its largest tensor: apart from the products that make them, loss and gradient
cost the reading and writing of memory. Here a few rows at a time are made, turned into their gradient in place and
multiplied on, while they are in the cache. torch has the same idea as ``linear_cross_entropy`` with options; in
bfloat16 it also adds the loss up in bfloat16, which is wrong in the second digit (torch 2.13).
"""

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from embryology.pretraining.objectives import IGNORED

ROWS_AT_ONCE, LOGITS_ON_AN_ACCELERATOR = 400, 2**28
"""What a processor was fastest with, of vocabularies of 8,192 and 30,000, and what keeps an accelerator busy."""


def linear_cross_entropy(vectors: Tensor, weight: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropies (nats) of ``labels`` under the logits ``vectors @ weight.T + bias``, summed.

    Args:
        vectors: (places, hidden size).
        weight: (vocabulary, hidden size).
        bias: (vocabulary,).
        labels: (places,) int64; IGNORED ones count nothing.

    Returns:
        A scalar in float32, or in float64 if the vectors are. It can be derived once.
    """
    if torch.compiler.is_compiling():
        # The compiler fuses these itself, and torch 2.11 makes wrong code of what is written in place below.
        logits = functional.linear(vectors, weight, bias)
        precise = torch.promote_types(logits.dtype, torch.float32)
        return functional.cross_entropy(logits.to(precise), labels, ignore_index=IGNORED, reduction="sum")
    return _LinearCrossEntropy.apply(vectors, weight, bias, labels)


class _LinearCrossEntropy(Function):
    @staticmethod
    def forward(ctx, vectors: Tensor, weight: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
        rows = max(1, LOGITS_ON_AN_ACCELERATOR // len(weight)) if vectors.is_cuda else ROWS_AT_ONCE
        precise = torch.promote_types(vectors.dtype, torch.float32)
        total = torch.zeros((), dtype=precise, device=vectors.device)
        of_weight, of_bias = (torch.zeros_like(each, dtype=precise) for each in (weight, bias))
        of_vectors = []
        for some, true in zip(vectors.split(rows), labels.split(rows), strict=True):
            logits = functional.linear(some, weight, bias)
            total += _into_gradient(logits, true)
            of_vectors.append(logits @ weight)
            if logits.dtype == precise:
                of_weight.addmm_(logits.T, some)  # without a copy of its size
            else:
                of_weight += logits.T @ some
            of_bias += logits.sum(0)
        ctx.save_for_backward(torch.cat(of_vectors), of_weight.to(weight.dtype), of_bias.to(bias.dtype))
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return *((saved * gradient).to(saved.dtype) for saved in ctx.saved_tensors), None


def _into_gradient(logits: Tensor, true: Tensor) -> Tensor:
    """The sum of the cross-entropies of some rows, whose logits become their gradient."""
    precise = torch.promote_types(logits.dtype, torch.float32)
    used, true = (true != IGNORED)[:, None], true.clamp(min=0)[:, None]
    # The logarithm of the normaliser by the likeliest piece, as the true one's probability may be 0 in float32.
    likeliest, own = (each.to(precise) for each in (logits.amax(-1, keepdim=True), logits.gather(1, true)))
    gradient = logits if logits.dtype == precise else torch.empty_like(logits, dtype=precise)
    torch.softmax(logits, -1, dtype=precise, out=gradient)
    nats = likeliest - gradient.amax(-1, keepdim=True).log() - own
    gradient.scatter_add_(1, true, -torch.ones_like(true, dtype=precise)).mul_(used)
    if gradient is not logits:
        logits.copy_(gradient)
    return (nats * used).sum()
