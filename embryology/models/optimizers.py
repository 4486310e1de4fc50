"""Optimizers and the schedule of their rate."""

import math

import torch
from torch import nn

from embryology.presets import Optimizer, Stage


def scheduled_rate(settings: Optimizer, step: int, steps: int) -> float:
    """The learning rate of step number ``step``, from 0: linear warm-up, then linear decay to zero at ``steps``."""
    return _rate(settings.learning_rate, settings.warmup_steps, step, steps)


def stage_rate(stage: Stage, step: int) -> float:
    """The learning rate of step number ``step``, from 0, of a run, which is within ``stage``."""
    falls_after = None if stage.falls_to is None else stage.falls_to - stage.rises_from
    return _rate(stage.learning_rate, stage.warmup_steps, step - stage.rises_from, falls_after)


def _rate(peak: float, warmup: int, step: int, steps: int | None) -> float:
    rising = (step + 1) / warmup if warmup else 1.0
    return peak * min(rising, 1.0 if steps is None else (steps - step) / max(1, steps - warmup))


def optimizer_for(model: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    """AdamW or LAMB; biases and the gains of layer norms are not decayed, as in BERT's recipe.

    LAMB is that of ``lamb_optimizer.py`` in google-research/albert: decay within the update whose norm it balances, no
    bias correction (You et al. 2020, version 3), and neither biases nor gains are scaled by the trust ratio.
    """
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate, betas, epsilon = settings.learning_rate, settings.betas, settings.epsilon
    if settings.name == "lamb":
        from pytorch_optimizer import Lamb  # late: it loads a hundred optimizers

        class Uncapped(Lamb):
            clamp = math.inf  # the library's own cap on the norm of weights, 10, is below that of most of a model's

        groups[1]["adam"] = True  # a trust ratio of 1
        # adam_debias means here: no correction.
        return Uncapped(groups, lr=rate, betas=betas, eps=epsilon, weight_decouple=False, adam_debias=True)
    return torch.optim.AdamW(groups, lr=rate, betas=betas, eps=epsilon, fused=True)
