import pytest
import torch

from embryology.models.optimizers import optimizer_for, scheduled_rate
from embryology.presets import Optimizer

SETTINGS = Optimizer(
    learning_rate=0.1, warmup_steps=10, weight_decay=0.01, betas=(0.9, 0.99), epsilon=1e-6, max_grad_norm=1
)


def test_the_rate_rises_and_falls():
    settings = SETTINGS.model_copy(update={"learning_rate": 1.0})
    rates = [scheduled_rate(settings, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(1 / 90)


def test_lamb_against_the_formula_of_the_paper():
    model = torch.nn.Linear(3, 2)
    before, gradients = [], [torch.randn(2, 3), torch.randn(2)]
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        parameter.grad = gradient.clone()
        before.append(parameter.detach().clone())
    optimizer_for(model, SETTINGS.model_copy(update={"name": "lamb"})).step()
    for parameter, old, gradient, decay in zip(model.parameters(), before, gradients, (0.01, 0.0), strict=True):
        ratio = 0.1 * gradient / ((0.01 * gradient**2).sqrt() + 1e-6)  # first step: moments from zero
        update = ratio + decay * old
        expected = old - 0.1 * old.norm() / update.norm() * update
        assert torch.allclose(parameter, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_biases_are_not_decayed(name):
    groups = optimizer_for(torch.nn.Linear(3, 2), SETTINGS.model_copy(update={"name": name})).param_groups
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0]
    assert [parameter.ndim for group in groups for parameter in group["params"]] == [2, 1]
