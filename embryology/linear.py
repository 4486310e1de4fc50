"""Linear classifiers for all layers at once: frozen vectors in, labels out.

The classifiers of all layers read the same items in the same order, so that one batched matrix product is a
step of them all. Vectors are standardised on the training items, layer by layer, which a linear classifier
can undo; it makes one learning rate fit all layers and checkpoints.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def span_means(states: Tensor, spans: Sequence[np.ndarray]) -> Tensor:
    """The vectors of spans, or of tuples of spans: the means over their pieces, one after the other.

    Args:
        states: (layers, pieces, width).
        spans: one array for each span of an item, (items, 2): its first piece and the one past its last.

    Returns:
        (layers, items, spans × width), in the precision of ``states``.
    """
    parts = []
    for bounds in spans:
        lengths = bounds[:, 1] - bounds[:, 0]
        offsets = np.cumsum(lengths) - lengths
        pieces = torch.from_numpy(np.arange(lengths.sum()) - np.repeat(offsets - bounds[:, 0], lengths))
        bags = torch.from_numpy(offsets)
        parts.append(torch.stack([functional.embedding_bag(pieces, layer, bags, mode="mean") for layer in states]))
    return torch.cat(parts, dim=-1)


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


PORTIONS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Of the items, where one block of the online code ends and the next one begins."""


def codelength(vectors: Tensor, labels: Tensor, classes: int, recipe: Recipe) -> Tensor:
    """Bits that it takes to send the labels to somebody who has the vectors (Voita and Titov 2020, section 2.2.2).

    Online code: the first block of items costs log2(classes) each, every further one its cross-entropy under
    classifiers trained on all blocks before it, with steps in proportion (at least a twentieth of the recipe's).

    Args:
        vectors: (layers, items, width).
        labels: (items,) int64.
        classes: number of labels.
        recipe: how, of all items.

    Returns:
        (layers,) float64.
    """
    items = vectors.shape[1]
    order = torch.randperm(items, generator=torch.Generator().manual_seed(recipe.seed))
    ends = [max(1, round(items * portion)) for portion in PORTIONS]
    bits = torch.full((len(vectors),), ends[0] * math.log2(classes), dtype=torch.float64)
    for portion, end, after in zip(PORTIONS, ends, ends[1:], strict=False):
        seen, new = order[:end], order[end:after]
        own = replace(recipe, steps=max(1, round(recipe.steps * max(portion, 1 / 20))))
        logits = fit(vectors[:, seen], labels[seen], classes, own).logits(vectors[:, new])
        chances = logits.log_softmax(-1).gather(-1, labels[new].expand(len(vectors), -1)[..., None])
        bits -= chances.double().sum((1, 2)) / math.log(2)
    return bits
