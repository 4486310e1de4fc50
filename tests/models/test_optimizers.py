"""Optimizers against their definitions, and the schedule of their rate."""

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


class PlainLamb:
    """``LAMBOptimizer`` of google-research/albert, one parameter after the other, in float64."""

    def __init__(self, weights):
        self.weights = [weight.double() for weight in weights]
        self.m = [torch.zeros_like(weight) for weight in self.weights]
        self.v = [torch.zeros_like(weight) for weight in self.weights]

    def step(self, gradients, rate):
        for i, gradient in enumerate(map(torch.Tensor.double, gradients)):
            excluded = self.weights[i].ndim == 1  # "LayerNorm", "layer_norm", "bias"
            self.m[i] = 0.9 * self.m[i] + 0.1 * gradient
            self.v[i] = 0.99 * self.v[i] + 0.01 * gradient**2
            update = self.m[i] / (self.v[i] ** 0.5 + 1e-6)
            if not excluded:
                update = update + 0.01 * self.weights[i]
            ratio = 1.0
            if not excluded:
                w_norm, g_norm = self.weights[i].norm(), update.norm()
                ratio = w_norm / g_norm if w_norm > 0 and g_norm > 0 else 1.0
            self.weights[i] = self.weights[i] - ratio * rate * update


@pytest.mark.parametrize("norm", [0, 1, 10, 100])
def test_lamb_is_alberts(norm):
    generator = torch.Generator().manual_seed(0)

    def of_norm(*shape):
        tensor = torch.randn(*shape, generator=generator)
        return tensor * norm / tensor.norm()

    layer = torch.nn.Linear(64, 32)
    layer.weight.data, layer.bias.data = of_norm(32, 64), of_norm(32)
    settings = SETTINGS.model_copy(update={"name": "lamb"})
    plain, optimizer = PlainLamb([layer.weight.detach(), layer.bias.detach()]), optimizer_for(layer, settings)
    for step in range(20):
        if step == 10:  # resumed
            state, optimizer = optimizer.state_dict(), optimizer_for(layer, settings)
            optimizer.load_state_dict(state)
        gradients = [torch.randn(32, 64, generator=generator), torch.randn(32, generator=generator)]
        layer.weight.grad, layer.bias.grad = (gradient.clone() for gradient in gradients)
        rate = scheduled_rate(settings, step, 20)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        plain.step(gradients, rate)
    for parameter, expected in zip(layer.parameters(), plain.weights, strict=True):
        assert (parameter.double() - expected).norm() <= 1e-6 * expected.norm()


def test_adamw_is_its_definition():
    """Loshchilov and Hutter 2019, algorithm 2, in float64; gradients are so small that epsilon is seen."""
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Linear(4, 3)
    optimizer = optimizer_for(layer, SETTINGS)
    weights = [parameter.detach().double() for parameter in layer.parameters()]
    m, v = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    for step in range(1, 6):
        for i, parameter in enumerate(layer.parameters()):
            gradient = 1e-6 * torch.randn(parameter.shape, generator=generator)
            parameter.grad, gradient = gradient.clone(), gradient.double()
            decay = 0.01 if parameter.ndim == 2 else 0.0
            m[i], v[i] = 0.9 * m[i] + 0.1 * gradient, 0.99 * v[i] + 0.01 * gradient**2
            update = m[i] / (1 - 0.9**step) / ((v[i] / (1 - 0.99**step)).sqrt() + 1e-6)
            weights[i] = weights[i] - 0.1 * (update + decay * weights[i])
        optimizer.step()
    for parameter, expected in zip(layer.parameters(), weights, strict=True):
        torch.testing.assert_close(parameter.detach().double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_biases_are_not_decayed(name):
    groups = optimizer_for(torch.nn.Linear(3, 2), SETTINGS.model_copy(update={"name": name})).param_groups
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0]
    assert [parameter.ndim for group in groups for parameter in group["params"]] == [2, 1]
