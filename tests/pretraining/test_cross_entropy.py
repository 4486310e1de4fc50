import pytest
import torch
from torch.nn import functional

from embryology.pretraining import cross_entropy
from embryology.pretraining.cross_entropy import linear_cross_entropy
from embryology.pretraining.objectives import IGNORED

LABELS = torch.tensor([3, IGNORED, 0, 6, 3])


@pytest.fixture(params=[1, 2, 10**6], ids=["a row", "two rows", "all rows"])
def drawn(request, monkeypatch):
    """Vectors, weight and bias in float64, read so many rows at a time."""
    monkeypatch.setattr(cross_entropy, "ROWS_AT_ONCE", request.param)
    draw = torch.Generator().manual_seed(0)
    shapes = (5, 4), (7, 4), (7,)
    return [torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_() for shape in shapes]


def plain(vectors, weight, bias):
    logits = functional.linear(vectors, weight, bias)
    return functional.cross_entropy(logits, LABELS, ignore_index=IGNORED, reduction="sum")


def test_loss_and_gradients_are_those_of_the_plain_cross_entropy(drawn):
    ours, theirs = linear_cross_entropy(*drawn, LABELS), plain(*drawn)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    pairs = zip(torch.autograd.grad(ours / 3, drawn), torch.autograd.grad(theirs / 3, drawn), strict=True)
    assert all(torch.allclose(mine, other, rtol=1e-12, atol=1e-14) for mine, other in pairs)
    assert torch.autograd.gradcheck(lambda *parts: linear_cross_entropy(*parts, LABELS), drawn)


def test_in_low_precision_loss_and_gradients_are_added_up_in_float32():
    draw = torch.Generator().manual_seed(0)
    vectors, weight = (torch.randn(500, 8, generator=draw).bfloat16().requires_grad_() for _ in range(2))
    labels, bias = torch.arange(500), torch.zeros(500).bfloat16().requires_grad_()
    total = linear_cross_entropy(vectors, weight, bias, labels)
    assert total.dtype == torch.float32
    logits = functional.linear(vectors, weight, bias).detach().double().requires_grad_()
    exact = functional.cross_entropy(logits, labels, reduction="sum")
    assert total.item() == pytest.approx(exact.item(), rel=1e-5)
    exact.backward()
    of_logits = logits.grad.bfloat16().double()
    wanted = of_logits @ weight.double(), of_logits.T @ vectors.double(), of_logits.sum(0)
    for mine, other in zip(torch.autograd.grad(total, [vectors, weight, bias]), wanted, strict=True):
        assert mine.dtype == torch.bfloat16
        assert (mine.double() - other).norm() < 0.01 * other.norm()


def test_a_logit_far_from_the_others_gives_a_finite_loss():
    weight = torch.tensor([[0.0], [1000.0]])
    total = linear_cross_entropy(torch.ones(1, 1), weight, torch.zeros(2), torch.tensor([0]))
    assert total.item() == pytest.approx(1000)
