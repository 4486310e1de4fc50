"""One checkpoint fine-tuned for one task: labels of sentences or pairs, or places of answers, in; predictions out.

The head is new, and the same for every family, so that their curves compare. Examples of like length are trained
together, parameters are kept in float32 and cast once a step, and of labels the last layer is computed at the first
vector alone.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from embryology.models import forward
from embryology.models.encoder import Encoder
from embryology.models.optimizers import optimizer_for, scheduled_rate
from embryology.models.precision import resolve
from embryology.presets import Optimizer
from embryology.specs import Precision

POOL = 50
"""Batches of examples that are sorted by length together."""


@dataclass(frozen=True)
class Recipe:
    """How a model is fine-tuned: Adam with decoupled weight decay, warm-up, linear decay, a few epochs."""

    learning_rate: float = 2e-4
    epochs: int = 3
    batch_size: int = 32
    warmup_ratio: float = 0.1
    """Share of the steps."""
    dropout: float = 0.1
    """In the head; a model's own stays as it was trained."""
    precision: Precision = "float32"
    seed: int = 0


@dataclass(frozen=True)
class Inputs:
    """Examples as a model reads them."""

    ids: list[list[int]]
    types: list[list[int]]
    """Segment numbers."""

    def __len__(self) -> int:
        return len(self.ids)

    def padded(self, chosen: Sequence[int], padding: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
        """(examples, length) ids, segment numbers and what is no padding."""
        longest = max(len(self.ids[i]) for i in chosen)
        lengths = torch.tensor([len(self.ids[i]) for i in chosen], device=device)
        ids, types = (
            torch.tensor([[*rows[i], *[fill] * (longest - len(rows[i]))] for i in chosen], device=device)
            for rows, fill in ((self.ids, padding), (self.types, 0))
        )
        return ids, types, torch.arange(longest, device=device) < lengths[:, None]


def inputs(
    tokenizer: PreTrainedTokenizerFast, firsts: Sequence[str], seconds: Sequence[str | None], longest: int
) -> Inputs:
    """Tokenise sentences or pairs; of what is longer than ``longest`` ids the longer of the two is cut at its end."""
    if not firsts:
        return Inputs([], [])
    pairs = None if seconds[0] is None else list(seconds)
    encoded = tokenizer(list(firsts), pairs, truncation="longest_first", max_length=longest, return_token_type_ids=True)
    return Inputs(encoded["input_ids"], encoded["token_type_ids"])


class Finetuned(nn.Module):
    """A pretrained body under a new head; the same seed gives the same head."""

    out: nn.Linear
    """The last layer, which every head has."""

    def __init__(self, encoder: Encoder, recipe: Recipe, **shapes: tuple[int, int]):
        """
        Args:
            encoder: the checkpoint; its model is copied.
            recipe: how it is trained.
            shapes: of the head's linear layers, by name: the sizes of what goes in and of what comes out.
        """
        super().__init__()
        self.model = deepcopy(encoder.model)
        self.config = self.model.config
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            layers = {name: nn.Linear(*shape) for name, shape in shapes.items()}
            for name, layer in layers.items():
                self.add_module(name, layer)
                nn.init.normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        self.to(encoder.device)
        self.dropout = recipe.dropout
        self.precision = getattr(torch, resolve(recipe.precision, encoder.device))
        body = f"{self.model.base_model_prefix}."
        self._body = {
            name: parameter
            for name, parameter in self.model.named_parameters()
            if name.startswith(body) or self.model.base_model is self.model
        }

    def trained(self) -> list[nn.Parameter]:
        """The parameters of the body and the head; those of other heads are left alone."""
        head = (parameter for name, parameter in self.named_parameters() if not name.startswith("model."))
        return [*self._body.values(), *head]

    def vectors(self, ids: Tensor, types: Tensor, mask: Tensor, first: bool) -> Tensor:
        """(examples, length, hidden size) float32 of the last layer; of the ``first`` piece alone length is 1."""
        cast = {name: parameter.to(self.precision) for name, parameter in self._body.items()}
        if not forward.computes(self.config):
            return self._of_others(cast, ids, types, mask)[:, : 1 if first else None].float()
        at = torch.arange(0, ids.numel(), ids.shape[1], device=ids.device) if first else None
        return forward.encode(cast, self.config, ids, types, mask, self.training, at).float()

    def dropped(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)

    def _of_others(self, cast: dict[str, Tensor], ids: Tensor, types: Tensor, mask: Tensor) -> Tensor:
        body, prefix = self.model.base_model, f"{self.model.base_model_prefix}."
        parameters = {name.removeprefix(prefix): parameter for name, parameter in cast.items()}
        arguments = {"input_ids": ids, "attention_mask": mask.long()}
        if getattr(self.config, "type_vocab_size", 0) > 1:
            arguments["token_type_ids"] = types
        return functional_call(body, parameters, kwargs=arguments)[0]


class Classifier(Finetuned):
    """Classes or a score: a dense layer with tanh on the first vector, then a linear one."""

    dense: nn.Linear

    def __init__(self, encoder: Encoder, outputs: int, recipe: Recipe):
        hidden_size = encoder.model.config.hidden_size
        super().__init__(encoder, recipe, dense=(hidden_size, hidden_size), out=(hidden_size, outputs))

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> Tensor:
        """(examples, outputs) float32."""
        x = self.dropped(self.vectors(ids, types, mask, first=True)[:, 0])
        return self.out(self.dropped(torch.tanh(self.dense(x))))


class SpanReader(Finetuned):
    """Where an answer begins and ends: a linear layer on every vector, as in BERT (Devlin et al. 2019, section 4.3)."""

    def __init__(self, encoder: Encoder, recipe: Recipe):
        super().__init__(encoder, recipe, out=(encoder.model.config.hidden_size, 2))

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> Tensor:
        """(examples, length, 2) float32: of the answer's first piece and of its last; padding is neither."""
        scores = self.out(self.dropped(self.vectors(ids, types, mask, first=False)))
        return scores.masked_fill(~mask[..., None], -torch.inf)


def train(encoder: Encoder, examples: Inputs, labels: np.ndarray, outputs: int, recipe: Recipe) -> Finetuned:
    """Fine-tune a copy of a checkpoint.

    Args:
        encoder: the checkpoint; it stays as it is.
        examples: of training.
        labels: (examples,) int64 classes, or float scores where ``outputs`` is 1; or (examples, 2) int64, the first
            and the last piece of an answer.
        outputs: how many classes, or 1; of answers it is not read.
        recipe: how. The same recipe, with the same number of threads, gives the same weights.

    Returns:
        A :class:`SpanReader` for answers, else a :class:`Classifier`.
    """
    model = (SpanReader(encoder, recipe) if labels.ndim == 2 else Classifier(encoder, outputs, recipe)).train()
    targets = torch.from_numpy(labels).to(encoder.device)
    fit(model, examples, lambda predicted, chosen: _loss(predicted, targets[chosen]), recipe)
    return model.eval()


class Memory(Protocol):
    """What is done at each step so that something else is not forgotten."""

    def mixed(self, loss: Tensor, model: Any, examples: int) -> Tensor:
        """The loss that is minimised at a step which reads so many examples."""

    def step(self, optimizer: torch.optim.Optimizer, model: Any) -> None:
        """Let the optimizer change the parameters."""


def fit(
    model: Finetuned,
    examples: Inputs,
    loss_of: Callable[[Tensor, list[int]], Tensor],
    recipe: Recipe,
    memory: Memory | None = None,
) -> None:
    """Train a model in place; it has to be in training mode.

    Args:
        model: a checkpoint under a new head.
        examples: of training.
        loss_of: the loss, from what the model gives for a batch and the numbers of its examples.
        recipe: how.
        memory: what is not to be forgotten; None is nothing.
    """
    batches = -(-len(examples) // recipe.batch_size)
    steps = recipe.epochs * batches
    settings = Optimizer(
        learning_rate=recipe.learning_rate,
        warmup_steps=max(1, round(recipe.warmup_ratio * steps)),
        weight_decay=0.01,
        betas=(0.9, 0.999),
        epsilon=1e-8,
        max_grad_norm=1.0,
    )
    holder = nn.ParameterList(model.trained())
    optimizer = optimizer_for(holder, settings)
    padding, device = model.config.pad_token_id or 0, str(model.out.weight.device)
    order = np.random.default_rng(recipe.seed)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)  # of dropout
        for step, chosen in enumerate(_epochs(examples, recipe, order)):
            for group in optimizer.param_groups:
                group["lr"] = scheduled_rate(settings, step, steps)
            loss = loss_of(model(*examples.padded(chosen, padding, device)), chosen)
            loss = memory.mixed(loss, model, len(chosen)) if memory else loss
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(holder, settings.max_grad_norm)
            if memory:
                memory.step(optimizer, model)
            else:
                optimizer.step()


def _loss(predicted: Tensor, targets: Tensor) -> Tensor:
    if predicted.shape[1] == 1:
        return functional.mse_loss(predicted[:, 0], targets.float())
    return functional.cross_entropy(predicted, targets)  # of answers the pieces are the classes


def _epochs(examples: Inputs, recipe: Recipe, order: np.random.Generator) -> Iterator[list[int]]:
    """Every example once an epoch, in batches of like length in random order."""
    lengths = np.array([len(ids) for ids in examples.ids])
    for _ in range(recipe.epochs):
        shuffled, batches = order.permutation(len(lengths)), []
        for first in range(0, len(shuffled), POOL * recipe.batch_size):
            pool = shuffled[first : first + POOL * recipe.batch_size]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            batches += [pool[at : at + recipe.batch_size].tolist() for at in range(0, len(pool), recipe.batch_size)]
        yield from (batches[i] for i in order.permutation(len(batches)))


def outputs_of(model: Finetuned, examples: Inputs, batch: int = 64) -> np.ndarray:
    """(examples, outputs) float32 of a trained classifier."""
    return np.stack(_outputs(model, examples, batch))


def scores_of_places(model: Finetuned, examples: Inputs, batch: int = 64) -> list[np.ndarray]:
    """Of every example (its pieces, 2) float32: what a trained reader gives each as the answer's first and last."""
    padded = _outputs(model, examples, batch)
    return [scores[: len(ids)] for scores, ids in zip(padded, examples.ids, strict=True)]


@torch.inference_mode()
def _outputs(model: Finetuned, examples: Inputs, batch: int) -> list[np.ndarray]:
    outputs: list[np.ndarray] = [np.empty(0)] * len(examples)
    padding, device = model.config.pad_token_id or 0, str(model.out.weight.device)
    by_length = sorted(range(len(examples)), key=lambda i: len(examples.ids[i]))
    for first in range(0, len(by_length), batch):
        chosen = by_length[first : first + batch]
        predicted = model(*examples.padded(chosen, padding, device)).float().cpu().numpy()
        for i, output in zip(chosen, predicted, strict=True):
            outputs[i] = output
    return outputs
