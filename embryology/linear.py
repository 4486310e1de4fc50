"""Linear classifiers for all layers at once: frozen vectors in, labels out.

The classifiers of all layers read the same items in the same order, so that one batched matrix product is a
step of them all. Vectors are standardised on the training items, layer by layer, which a linear classifier
can undo; it makes one learning rate fit all layers and checkpoints.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

UNKNOWN = -1
"""A label that no training item has: never predicted."""


@dataclass(frozen=True)
class Recipe:
    """How classifiers are trained: Adam with a rate that falls linearly to zero."""

    rate: float = 0.01
    batch: int = 1024
    steps: int = 600
    seed: int = 0


@dataclass(frozen=True)
class Classifiers:
    """One linear classifier a layer."""

    mean: Tensor
    """(layers, 1, width) of the training vectors."""
    deviation: Tensor
    """(layers, 1, width)."""
    weight: Tensor
    """(layers, width, classes)."""
    bias: Tensor
    """(layers, 1, classes)."""

    @torch.inference_mode()
    def logits(self, vectors: Tensor) -> Tensor:
        """(layers, items, classes) of (layers, items, width)."""
        return torch.baddbmm(self.bias, (vectors.float() - self.mean) / self.deviation, self.weight)


def fit(vectors: Tensor, labels: Tensor, classes: int, recipe: Recipe) -> Classifiers:
    """Train one classifier a layer, each to the lowest cross-entropy of ``labels``.

    Args:
        vectors: (layers, items, width), in any precision.
        labels: (items,) int64 below ``classes``.
        classes: number of labels.
        recipe: how.
    """
    layers, items, width = vectors.shape
    draw = torch.Generator().manual_seed(recipe.seed)
    mean = vectors.float().mean(1, keepdim=True)
    deviation = vectors.float().std(1, keepdim=True, correction=0).clamp(min=1e-6)
    weight = torch.zeros(layers, width, classes).requires_grad_()
    bias = torch.zeros(layers, 1, classes).requires_grad_()
    optimizer = torch.optim.Adam([weight, bias], lr=recipe.rate, fused=True)
    order = torch.empty(0, dtype=torch.int64)
    for step in range(recipe.steps):
        while len(order) < min(recipe.batch, items):
            order = torch.cat([order, torch.randperm(items, generator=draw)])
        chosen, order = order[: recipe.batch], order[recipe.batch :]
        optimizer.param_groups[0]["lr"] = recipe.rate * (1 - step / recipe.steps)
        logits = torch.baddbmm(bias, (vectors[:, chosen].float() - mean) / deviation, weight)
        # Summed over layers, whose classifiers have nothing in common: each follows its own gradient.
        loss = functional.cross_entropy(logits.flatten(0, 1), labels[chosen].repeat(layers)) * layers
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Classifiers(mean, deviation, weight.detach(), bias.detach())
