"""Fine-tuning that keeps what was pretrained: masked text is read beside the sentences whose tags are learnt.

Either its loss is a part of the one that is minimised (replay), or no step may raise it (gradient episodic memory,
Lopez-Paz and Ranzato 2017). With one memory the quadratic program of the latter has a closed form, the projection of
A-GEM (Chaudhry et al. 2019), which reads a batch of the memory a step, as is done here.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embryology.models.encoder import Encoder
from embryology.models.finetuning import Finetuned, Inputs, Recipe, fit

IGNORED = -100
"""Of labels: no word begins here, or nothing is masked; ``cross_entropy``'s default."""


class MaskedBatch(Protocol):
    """Sequences with masked places, as :class:`embryology.pretraining.batches.Batch` has them."""

    @property
    def input_ids(self) -> Tensor: ...
    @property
    def token_type_ids(self) -> Tensor: ...
    @property
    def attention_mask(self) -> Tensor: ...
    @property
    def positions(self) -> Tensor:
        """Flat, as many a sequence."""

    @property
    def labels(self) -> Tensor:
        """The true pieces there, or IGNORED."""


def masked_head(model: nn.Module) -> nn.Module | None:
    """What makes logits of vectors in transformers' ALBERT and BERT; None of other models."""
    return getattr(model, "predictions", None) or getattr(model, "cls", None)


class Tagger(Finetuned):
    """A class for every piece: a linear layer on its vector. The pretrained masked-word head stays beside it, as it is
    but for the embeddings that it shares with the body."""

    def __init__(self, encoder: Encoder, outputs: int, recipe: Recipe):
        super().__init__(encoder, recipe, out=(encoder.model.config.hidden_size, outputs))

    @property
    def device(self) -> torch.device:
        return self.out.weight.device

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> Tensor:
        """(sentences, length, classes) float32."""
        return self.out(self.dropped(self.vectors(ids, types, mask, first=False)))

    def masked_losses(self, batch: MaskedBatch) -> tuple[Tensor, Tensor]:
        """(sequences,) the summed cross-entropy of a sequence's masked pieces, nats, and how many they are."""
        head = masked_head(self.model)
        assert head is not None  # the probe has looked
        vectors = self.vectors(batch.input_ids, batch.token_type_ids, batch.attention_mask, first=False)
        losses = functional.cross_entropy(head(vectors.flatten(0, 1)[batch.positions]), batch.labels, reduction="none")
        rows = len(batch.input_ids)
        return losses.view(rows, -1).sum(dim=1), (batch.labels != IGNORED).view(rows, -1).sum(dim=1)


class Replay:
    """The loss that is minimised has the masked loss in it, by its share of all sequences read."""

    def __init__(self, read: Callable[[int, int], MaskedBatch], share: float):
        """
        Args:
            read: the remembered sequences from one number to before another.
            share: of all sequences that are read, the remembered ones, rounded; but at every step one at least.
        """
        self.read, self.share = read, share
        self.examples = self.remembered = 0
        """Sentences and remembered sequences read so far."""

    def remembered_loss(self, model: Tagger, examples: int) -> Tensor:
        """The mean masked loss, without dropout, of what is remembered at a step that reads so many sentences."""
        self.examples += examples
        first = self.remembered
        self.remembered = max(first + 1, round(self.examples * self.share / (1 - self.share)))
        model.eval()
        sums, counts = model.masked_losses(self.read(first, self.remembered))
        model.train()
        return sums.sum() / counts.sum()

    def mixed(self, loss: Tensor, model: Tagger, examples: int) -> Tensor:
        return (1 - self.share) * loss + self.share * self.remembered_loss(model, examples)

    def step(self, optimizer: torch.optim.Optimizer, model: Tagger) -> None:
        optimizer.step()


class EpisodicMemory(Replay):
    """No step raises the remembered loss to first order.

    It is the step that is projected, not the gradient: Adam's steps go elsewhere than the gradient that it is given, so
    that one which was projected before it would promise nothing. Of gradient descent both are the same.
    """

    reference: Sequence[Tensor | None]
    """The gradient of the remembered loss by parameter, where the step begins."""

    def mixed(self, loss: Tensor, model: Tagger, examples: int) -> Tensor:
        remembered = self.remembered_loss(model, examples)
        self.reference = torch.autograd.grad(remembered, model.trained(), allow_unused=True)
        return loss

    def step(self, optimizer: torch.optim.Optimizer, model: Tagger) -> None:
        before = [parameter.detach().clone() for parameter in model.trained()]
        optimizer.step()
        project(model.trained(), before, self.reference)


@torch.no_grad()
def project(parameters: Sequence[Tensor], before: Sequence[Tensor], reference: Sequence[Tensor | None]) -> None:
    """Turn a step to the nearest one along which a loss does not rise to first order.

    With its gradient r, a step d for which d·r > 0 becomes d - (d·r / r·r) r; any other stays.

    Args:
        parameters: where the step ends; changed in place.
        before: where it began.
        reference: r; None where the loss does not depend on a parameter.
    """
    known = [(p, b, r) for p, b, r in zip(parameters, before, reference, strict=True) if r is not None]
    rise = sum(float(((p - b).double() * r).sum()) for p, b, r in known)
    if rise > 0:
        length = sum(float(r.double().square().sum()) for _, _, r in known)
        for p, _, r in known:
            p -= rise / length * r


def learn(model: Tagger, examples: Inputs, labels: np.ndarray, recipe: Recipe, memory: Replay | None = None) -> None:
    """Train a tagger in place, from (sentences, longest) classes of pieces; without a ``memory`` plainly."""
    targets = torch.from_numpy(labels).to(model.device)

    def loss(predicted: Tensor, chosen: list[int]) -> Tensor:
        return functional.cross_entropy(predicted.transpose(1, 2), targets[chosen, : predicted.shape[1]])

    fit(model, examples, loss, recipe, memory)
