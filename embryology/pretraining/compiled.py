"""The compiled step, held against the plain one before it trains anything.

What is right as it stands can be wrong compiled: under torch 2.11 the masked loss trained nothing, and nothing said so.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor
from transformers import PreTrainedModel

from embryology.errors import EmbryologyError
from embryology.presets import Compile
from embryology.pretraining.batches import Batch
from embryology.pretraining.trainee import Trainee

LARGEST = {torch.float32: 1e-4, torch.bfloat16: 0.05}
"""Relative difference that rounding explains, by precision of the forward pass."""
NOISE = 1e-3
"""Share of the norm of the whole gradient below which a parameter's own is not what a difference is relative to: that
of a key's bias is zero but for rounding, as softmax does not see what is added to all scores."""
DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob")


@dataclass(frozen=True)
class Difference:
    """Between a plain and a compiled step."""

    of: str
    """``loss``, or the name of a parameter, for its gradient."""
    relative: float


def compile_step(trainee: Trainee, mode: Compile) -> None:
    """Have torch compile the forward pass of training, and with it the backward pass."""
    trainee.compile(dynamic=False, mode=None if mode is True else mode)


def check(trainee: Trainee, weights: Tensor, batches: Sequence[Batch]) -> Difference:
    """Refuse a compiled step that gives other losses or gradients than the plain one.

    Dropout is off, as compiled code draws other random numbers, and ELECTRA's generator always draws the same piece, as
    rounding may make it draw another. Each batch is used twice: CUDA graphs are captured on the way, then replayed.

    Args:
        trainee: compiled by :func:`compile_step`, on the device and in the precision of the run.
        weights: (4,): of the losses.
        batches: different ones of the shape that is to be trained on, on the device.

    Returns:
        The largest difference that was seen.

    Raises:
        EmbryologyError: a difference is larger than rounding makes it.
    """
    seen: list[Difference] = []
    with _without_dropout(trainee):
        fixed = [replace(batch, noise=torch.zeros_like(batch.noise)) for batch in batches]
        plain = [_step(trainee, trainee.forward, weights, batch) for batch in fixed]
        for _ in range(2):
            for batch, expected in zip(fixed, plain, strict=True):
                seen += _differences(_step(trainee, trainee, weights, batch), expected)
    worst = max(seen, key=lambda difference: difference.relative)
    largest = LARGEST[trainee.precision]
    if not worst.relative <= largest:
        what = "the loss" if worst.of == "loss" else f"the gradient of {worst.of}"
        raise EmbryologyError(
            f"compiled by torch {torch.__version__} the step is wrong: {what} differs from that of the plain step by "
            f"{worst.relative:.2g} of its size, and rounding explains {largest:g}; set speed.compile to false, or use "
            "another version of torch"
        )
    return worst


@contextmanager
def _without_dropout(trainee: Trainee) -> Iterator[None]:
    """In training mode all the same: where a preset has no dropout, what is checked is the very code that trains."""
    models = [cast(PreTrainedModel, model) for model in trainee.models.children()]
    configs = {id(model.config): model.config for model in models}.values()
    before = [{name: getattr(config, name, None) for name in DROPOUTS} for config in configs]
    try:
        for config in configs:
            config.update(dict.fromkeys(DROPOUTS, 0.0))
        yield
    finally:
        for config, values in zip(configs, before, strict=True):
            config.update(values)


def _step(trainee: Trainee, forward: Callable[[Batch], Tensor], weights: Tensor, batch: Batch) -> dict[str, Tensor]:
    """The loss of a step and its gradients, by name of the parameter."""
    parameters = dict(trainee.models.named_parameters())
    loss = (forward(batch) / batch.counts.clamp(min=1) * weights).sum()
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True, materialize_grads=True)
    # Copied: with CUDA graphs the next step writes where this one's results are.
    return {"loss": loss.detach().clone()} | {
        name: gradient.clone() for name, gradient in zip(parameters, gradients, strict=True)
    }


def _differences(step: dict[str, Tensor], expected: dict[str, Tensor]) -> Iterator[Difference]:
    norms = {name: float(torch.linalg.vector_norm(value)) for name, value in expected.items()}
    whole = math.hypot(*(norm for name, norm in norms.items() if name != "loss"))
    for name, value in step.items():
        difference = float(torch.linalg.vector_norm(value - expected[name]))
        size = norms[name] if name == "loss" else max(norms[name], NOISE * whole)
        relative = difference / size if size else math.inf if difference else 0.0
        yield Difference(name, math.inf if math.isnan(relative) else relative)
