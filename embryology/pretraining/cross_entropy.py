"""The cross-entropy over a vocabulary and its gradient, in one pass over the logits.

Of a small model the logits are its largest tensor: apart from the products that make them, loss and gradient
cost the reading and writing of memory. Here a few rows at a time are turned into their gradient in place,
while they are in the cache. torch has the same idea as ``linear_cross_entropy`` with options; in bfloat16 it
also adds the loss up in bfloat16, which is wrong in the second digit (torch 2.13).
"""

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from embryology.pretraining.objectives import IGNORED

LOGITS_AT_ONCE, ON_AN_ACCELERATOR = 2**20, 2**28
"""What fits the cache of a processor, and what keeps an accelerator busy."""


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
        logits = functional.linear(vectors, weight, bias)
        precise = torch.promote_types(logits.dtype, torch.float32)
        total = torch.zeros((), dtype=precise, device=logits.device)
        rows = max(1, (ON_AN_ACCELERATOR if logits.is_cuda else LOGITS_AT_ONCE) // len(weight))
        for chunk, true in zip(logits.split(rows), labels.split(rows), strict=True):
            used, true = (true != IGNORED)[:, None], true.clamp(min=0)[:, None]
            log_probabilities = functional.log_softmax(chunk, -1, dtype=precise)
            total -= (log_probabilities.gather(1, true) * used).sum()
            gradient = log_probabilities.exp_().scatter_add_(1, true, -torch.ones_like(true, dtype=precise))
            chunk.copy_(gradient.mul_(used))
        ctx.save_for_backward(logits @ weight, logits.T @ vectors, logits.sum(0))
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return *((saved * gradient).to(saved.dtype) for saved in ctx.saved_tensors), None
