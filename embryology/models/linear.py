"""Linear classifiers for all layers at once: frozen vectors in, labels out.

The classifiers of all layers read the same items in the same order, so that one batched matrix product is a
step of them all. Vectors are standardised, layer by layer, which a linear classifier can undo; it makes one
learning rate fit all layers and checkpoints. Classifiers are trained where the vectors are.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def span_means(states: Tensor, spans: Sequence[np.ndarray]) -> Tensor:
    """The vectors of spans, or of tuples of spans: the means over their pieces, one after the other.

    Args:
        states: (layers, pieces, hidden size).
        spans: one array for each span of an item, (items, 2): its first piece and the one past its last.

    Returns:
        (layers, items, spans × hidden size), in the precision of ``states``.
    """
    parts = []
    for bounds in spans:
        lengths = bounds[:, 1] - bounds[:, 0]
        offsets = np.cumsum(lengths) - lengths
        pieces = torch.from_numpy(np.arange(lengths.sum()) - np.repeat(offsets - bounds[:, 0], lengths))
        bags = torch.from_numpy(offsets)
        parts.append(torch.stack([functional.embedding_bag(pieces, layer, bags, mode="mean") for layer in states]))
    return torch.cat(parts, dim=-1)


SAMPLE = 16_384
"""Items, drawn evenly, that say how vectors are standardised: all of them took longer than the training."""


@dataclass(frozen=True)
class Recipe:
    """How classifiers are trained: Adam with a rate that falls linearly to zero."""

    learning_rate: float
    batch_size: int
    steps: int
    seed: int = 0
    penalty: float = 0.0
    """Of weights but not of biases: half their squared norm, so many times, is added to the loss of all items
    together. It is the inverse variance of a normal prior."""


@dataclass(frozen=True)
class Classifiers:
    """One linear classifier a layer."""

    mean: Tensor
    """(layers, 1, features), of :data:`SAMPLE` training vectors."""
    deviation: Tensor
    """(layers, 1, features)."""
    weight: Tensor
    """(layers, features, classes)."""
    bias: Tensor
    """(layers, 1, classes)."""

    @torch.inference_mode()
    def logits(self, vectors: Tensor) -> Tensor:
        """(layers, items, classes) of (layers, items, features)."""
        return torch.baddbmm(self.bias, (vectors.float() - self.mean) / self.deviation, self.weight)


def _batches(items: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Numbers of items without end, each once before any comes again."""
    order = torch.empty(0, dtype=torch.int64)
    while True:
        while len(order) < min(size, items):
            order = torch.cat([order, torch.randperm(items, generator=generator)])
        chosen, order = order[:size], order[size:]
        yield chosen


@torch.no_grad()
def fit(vectors: Tensor, labels: Tensor, classes: int, recipe: Recipe) -> Classifiers:
    """Train one classifier a layer, each to the lowest cross-entropy of ``labels``.

    Args:
        vectors: (layers, items, features), in any precision.
        labels: (items,) int64 below ``classes``.
        classes: number of labels.
        recipe: how.
    """
    layers, items, features = vectors.shape
    generator = torch.Generator().manual_seed(recipe.seed)
    sample = vectors[:, torch.randperm(items, generator=generator)[:SAMPLE]].float()
    mean = sample.mean(1, keepdim=True)
    # What torch's own std gives, which takes two to eight times as long.
    deviation = sample.sub_(mean).square_().mean(1, keepdim=True).sqrt_().clamp_(min=1e-6)
    weight, bias = (torch.zeros(layers, rows, classes, device=vectors.device) for rows in (features, 1))
    labels = labels.to(vectors.device)
    optimizer = torch.optim.Adam([weight, bias], lr=recipe.learning_rate, fused=True)
    for step, chosen in zip(range(recipe.steps), _batches(items, recipe.batch_size, generator), strict=False):
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * (1 - step / recipe.steps)
        batch = vectors[:, chosen].float().sub_(mean).div_(deviation)
        # The gradient of each layer's own mean cross-entropy; autograd takes half as long again for the same.
        gradient = torch.baddbmm(bias, batch, weight).softmax(-1)
        gradient[:, torch.arange(len(chosen)), labels[chosen]] -= 1
        gradient /= len(chosen)
        weight.grad, bias.grad = batch.transpose(1, 2) @ gradient, gradient.sum(1, keepdim=True)
        if recipe.penalty:
            weight.grad.add_(weight, alpha=recipe.penalty / items)
        optimizer.step()
    return Classifiers(mean, deviation, weight, bias)


@dataclass(frozen=True)
class Published:
    """How the paper's released ``main.py`` trains a classifier, less what goes wrong there.

    There, the rate is halved at every step once development scores have not risen for a while, a score counts as
    risen against the one before and not against the best, and the best weights are often not restored.
    """

    learning_rate: float = 1e-4
    batch_size: int = 1024
    max_grad_norm: float = 5.0
    """Greatest norm of a classifier's gradient."""
    steps: int = 30_000
    """At most."""
    every: int = 1_000
    """Steps between two development scores."""
    halve_after: int = 5
    """The rate is halved after more scores than these without a new best, counted anew from each halving."""
    stop_after: int = 20
    seed: int = 0


def fit_published(
    vectors: Tensor, labels: Tensor, classes: int, recipe: Published, dev: Tensor, dev_labels: Tensor
) -> Classifiers:
    """Train one classifier a layer as published: each keeps the weights of its best development micro F1.

    Args:
        vectors: (layers, items, features); taken as they are, not standardised.
        labels: (items,) int64 below ``classes``.
        classes: number of labels.
        recipe: how.
        dev: (layers, items, features) of the development split.
        dev_labels: (items,) int64; one below 0 is never right.
    """
    layers, items, features = vectors.shape
    generator = torch.Generator().manual_seed(recipe.seed)
    bound = features**-0.5  # as torch's own linear layers begin
    weights, biases = (
        [
            (torch.rand(shape, generator=generator) * 2 * bound - bound).to(vectors.device).requires_grad_()
            for _ in range(layers)
        ]
        for shape in ((features, classes), (1, classes))
    )
    optimizer = torch.optim.Adam(
        [{"params": pair} for pair in zip(weights, biases, strict=True)], lr=recipe.learning_rate
    )
    labels, dev_labels = labels.to(vectors.device), dev_labels.to(vectors.device)
    best, since_best, since_halved = torch.full((layers,), -1.0), [0] * layers, [0] * layers
    kept = [torch.stack(weights).detach(), torch.stack(biases).detach()]
    active = list(range(layers))
    for step, chosen in zip(range(1, recipe.steps + 1), _batches(items, recipe.batch_size, generator), strict=False):
        bias, weight = (torch.stack([parameters[layer] for layer in active]) for parameters in (biases, weights))
        logits = torch.baddbmm(bias, vectors[:, chosen][active].float(), weight)
        loss = functional.cross_entropy(logits.flatten(0, 1), labels[chosen].repeat(len(active))) * len(active)
        optimizer.zero_grad()
        loss.backward()
        for layer in active:
            torch.nn.utils.clip_grad_norm_([weights[layer], biases[layer]], recipe.max_grad_norm)
        optimizer.step()
        if step % recipe.every and step != recipe.steps:
            continue
        for layer in list(active):
            with torch.inference_mode():
                right = (dev[layer].float() @ weights[layer] + biases[layer]).argmax(-1) == dev_labels
            score = right.float().mean().cpu()
            if score > best[layer]:
                best[layer], since_best[layer], since_halved[layer] = score, 0, 0
                for best_of_layers, parameters in zip(kept, (weights, biases), strict=True):
                    best_of_layers[layer] = parameters[layer].detach()
                continue
            since_best[layer] += 1
            since_halved[layer] += 1
            if since_best[layer] > recipe.stop_after:
                active.remove(layer)
            elif since_halved[layer] > recipe.halve_after:
                since_halved[layer] = 0
                optimizer.param_groups[layer]["lr"] /= 2
        if not active:
            break
    unscaled = (fill(layers, 1, features, device=vectors.device) for fill in (torch.zeros, torch.ones))
    return Classifiers(*unscaled, *kept)


PORTIONS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Of the items, where one block of the online code ends and the next one begins."""


def codelength(vectors: Tensor, labels: Tensor, classes: int, recipe: Recipe) -> Tensor:
    """Bits that it takes to send the labels to somebody who has the vectors (Voita and Titov 2020, section 2.2.2).

    Online code: the first block of items costs log2(classes) each, every further one its cross-entropy under
    classifiers trained on all blocks before it, with steps in proportion (at least a twentieth of the recipe's).

    Args:
        vectors: (layers, items, features).
        labels: (items,) int64.
        classes: number of labels.
        recipe: how, of all items.

    Returns:
        (layers,) float64.
    """
    order, ends = _blocks(vectors.shape[1], recipe.seed)
    bits = torch.full((len(vectors),), ends[0] * math.log2(classes), dtype=torch.float64)
    for portion, end, after in zip(PORTIONS, ends, ends[1:], strict=False):
        seen, new = order[:end], order[end:after]
        shortened = replace(recipe, steps=max(1, round(recipe.steps * max(portion, 1 / 20))))
        logits = fit(vectors[:, seen], labels[seen], classes, shortened).logits(vectors[:, new])
        true = labels[new].to(logits.device).expand(len(vectors), -1)[..., None]
        bits -= logits.log_softmax(-1).gather(-1, true).double().sum((1, 2)).cpu() / math.log(2)
    return bits


def codelength_of_frequencies(labels: Tensor, classes: int, seed: int) -> float:
    """Bits of the same online code where each block is coded by how often labels were seen before, counted once more
    each (Laplace's rule), and no vector is read.

    Args:
        labels: (items,) int64.
        classes: number of labels.
        seed: of the order of items, as of :class:`Recipe`.
    """
    order, ends = _blocks(len(labels), seed)
    bits = ends[0] * math.log2(classes)
    for end, after in itertools.pairwise(ends):
        counts = torch.bincount(labels[order[:end]], minlength=classes).double() + 1
        bits -= float((counts / counts.sum()).log2()[labels[order[end:after]]].sum())
    return bits


def _blocks(items: int, seed: int) -> tuple[Tensor, list[int]]:
    """The order in which items are sent, and where each block ends."""
    order = torch.randperm(items, generator=torch.Generator().manual_seed(seed))
    return order, [max(1, round(items * portion)) for portion in PORTIONS]
