"""One checkpoint fine-tuned for one task: labels of sentences, or of pairs of them, in; predictions out.

The head is the same for every family, so that their curves compare: a dense layer with tanh on the first vector, then
a linear one, both new. Examples of like length are trained together, parameters are kept in float32 and cast once a
step, and the last layer is computed at the first vector alone.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from embryology.encoder import Encoder
from embryology.precision import Precision, resolve
from embryology.presets import Optimizer
from embryology.pretraining import forward
from embryology.pretraining.optimizers import learning_rate, optimizer_for

POOL = 50
"""Batches of examples that are sorted by length together."""


@dataclass(frozen=True)
class Recipe:
    """How a model is fine-tuned: Adam with decoupled weight decay, warm-up, linear decay, a few epochs."""

    rate: float = 2e-4
    epochs: int = 3
    batch: int = 32
    warm_up: float = 0.1
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
    found = tokenizer(
        list(firsts), pairs, truncation="longest_first", max_length=longest, return_token_type_ids=True
    )  # fmt: skip
    return Inputs(found["input_ids"], found["token_type_ids"])


class Classifier(nn.Module):
    """A pretrained body with a new head; the same seed gives the same head."""

    def __init__(self, encoder: Encoder, outputs: int, recipe: Recipe):
        super().__init__()
        self.model = deepcopy(encoder.model)
        self.config = self.model.config
        width = self.config.hidden_size
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.dense, self.out = nn.Linear(width, width), nn.Linear(width, outputs)
            for part in (self.dense, self.out):
                nn.init.normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)
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
        return [*self._body.values(), *self.dense.parameters(), *self.out.parameters()]

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> Tensor:
        """(examples, outputs) float32."""
        cast = {name: parameter.to(self.precision) for name, parameter in self._body.items()}
        if forward.computes(self.config):
            first = torch.arange(0, ids.numel(), ids.shape[1], device=ids.device)
            vectors = forward.encode(cast, self.config, ids, types, mask, self.training, at=first)[:, 0]
        else:
            vectors = self._of_others(cast, ids, types, mask)
        x = functional.dropout(vectors.float(), self.dropout, self.training)
        x = functional.dropout(torch.tanh(self.dense(x)), self.dropout, self.training)
        return self.out(x)

    def _of_others(self, cast: dict[str, Tensor], ids: Tensor, types: Tensor, mask: Tensor) -> Tensor:
        body, prefix = self.model.base_model, f"{self.model.base_model_prefix}."
        own = {name.removeprefix(prefix): parameter for name, parameter in cast.items()}
        arguments = {"input_ids": ids, "attention_mask": mask.long()}
        if getattr(self.config, "type_vocab_size", 0) > 1:
            arguments["token_type_ids"] = types
        return functional_call(body, own, kwargs=arguments)[0][:, 0]


def train(encoder: Encoder, examples: Inputs, labels: np.ndarray, outputs: int, recipe: Recipe) -> Classifier:
    """Fine-tune a copy of a checkpoint.

    Args:
        encoder: the checkpoint; it stays as it is.
        examples: of training.
        labels: (examples,) int64 classes, or float scores where ``outputs`` is 1.
        outputs: how many classes, or 1.
        recipe: how. The same recipe, with the same number of threads, gives the same weights.
    """
    model = Classifier(encoder, outputs, recipe).train()
    batches = -(-len(examples) // recipe.batch)
    steps = recipe.epochs * batches
    settings = Optimizer(
        peak_rate=recipe.rate, warm_up=max(1, round(recipe.warm_up * steps)), weight_decay=0.01, betas=(0.9, 0.999),
        epsilon=1e-8, clip=1.0,
    )  # fmt: skip
    holder = nn.ParameterList(model.trained())
    optimizer = optimizer_for(holder, settings)
    padding, targets = model.config.pad_token_id or 0, torch.from_numpy(labels).to(encoder.device)
    order = np.random.default_rng(recipe.seed)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)  # of dropout
        for step, chosen in enumerate(_epochs(examples, recipe, order)):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings, step, steps)
            found = model(*examples.padded(chosen, padding, encoder.device))
            loss = _loss(found, targets[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(holder, settings.clip)
            optimizer.step()
    return model.eval()


def _loss(found: Tensor, targets: Tensor) -> Tensor:
    if found.shape[1] == 1:
        return functional.mse_loss(found[:, 0], targets.float())
    return functional.cross_entropy(found, targets)


def _epochs(examples: Inputs, recipe: Recipe, order: np.random.Generator) -> Iterator[list[int]]:
    """Every example once an epoch, in batches of like length in random order."""
    lengths = np.array([len(ids) for ids in examples.ids])
    for _ in range(recipe.epochs):
        shuffled, batches = order.permutation(len(lengths)), []
        for first in range(0, len(shuffled), POOL * recipe.batch):
            pool = shuffled[first : first + POOL * recipe.batch]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            batches += [pool[at : at + recipe.batch].tolist() for at in range(0, len(pool), recipe.batch)]
        yield from (batches[i] for i in order.permutation(len(batches)))


@torch.inference_mode()
def outputs_of(model: Classifier, examples: Inputs, batch: int = 64) -> np.ndarray:
    """(examples, outputs) float32 of a trained classifier."""
    found = np.empty((len(examples), model.out.out_features), np.float32)
    padding, device = model.config.pad_token_id or 0, str(model.out.weight.device)
    by_length = sorted(range(len(examples)), key=lambda i: len(examples.ids[i]))
    for first in range(0, len(by_length), batch):
        chosen = by_length[first : first + batch]
        found[chosen] = model(*examples.padded(chosen, padding, device)).float().cpu().numpy()
    return found
