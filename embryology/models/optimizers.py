"""Optimizers and the schedule of their rate."""

import torch
from torch import nn

from embryology.presets import Optimizer


def scheduled_rate(settings: Optimizer, step: int, steps: int) -> float:
    """The learning rate of step number ``step``, from 0: linear warm-up, then linear decay to zero at ``steps``."""
    rising, falling = (step + 1) / settings.warmup_steps, (steps - step) / max(1, steps - settings.warmup_steps)
    return settings.learning_rate * min(rising, falling)


def optimizer_for(model: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    """AdamW or LAMB; biases and the gains of layer norms are not decayed, as in BERT's recipe.

    LAMB decays within the update whose norm it balances, without bias correction (You et al. 2020, version 3).
    """
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate, betas, epsilon = settings.learning_rate, settings.betas, settings.epsilon
    if settings.name == "lamb":
        from pytorch_optimizer import Lamb  # late: it loads a hundred optimizers

        # Which here means: no correction.
        return Lamb(groups, lr=rate, betas=betas, eps=epsilon, weight_decouple=False, adam_debias=True)
    return torch.optim.AdamW(groups, lr=rate, betas=betas, eps=epsilon, fused=True)
