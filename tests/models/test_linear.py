"""Linear classifiers against scikit-learn's, and codes against their definitions."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from embryology.models import linear
from embryology.models.linear import Recipe, codelength, codelength_of_frequencies, fit


def recipe(**settings):
    return Recipe(**{"learning_rate": 0.03, "batch_size": 1024, "steps": 600} | settings)


def drawn(items=600, layers=3, width=8, classes=4, seed=0):
    """Labels that the first layer tells best and the last one not at all; widths of very different scale."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (items,), generator=draw)
    centres = torch.randn(classes, width, generator=draw)
    noise = torch.tensor([0.3, 1.5, 1.0])[:, None, None]
    vectors = centres[labels] * torch.tensor([1.0, 1.0, 0.0])[:, None, None]
    vectors = vectors + noise * torch.randn(layers, items, width, generator=draw)
    return 5 + vectors * 10.0 ** torch.arange(-3, width - 3), labels


def test_every_layer_is_as_good_as_a_logistic_regression_of_its_own():
    vectors, labels = drawn()
    train, test = slice(0, 400), slice(400, None)
    predicted = fit(vectors[:, train], labels[train], 4, recipe()).logits(vectors[:, test]).argmax(-1)
    ours = (predicted == labels[test]).float().mean(1)
    for layer, accuracy in enumerate(ours.tolist()):
        mean, deviation = vectors[layer, train].mean(0), vectors[layer, train].std(0)
        scaled = ((vectors[layer] - mean) / deviation).numpy()
        oracle = LogisticRegression(C=np.inf, max_iter=1000).fit(scaled[train], labels[train].numpy())
        assert abs(accuracy - oracle.score(scaled[test], labels[test].numpy())) < 0.02
    assert ours[0] > 0.95 > ours[1] > 0.4 > ours[2]


def test_a_width_that_never_changes_does_no_harm():
    vectors, labels = drawn()
    vectors[:, :, 0] = 3.0
    assert fit(vectors, labels, 4, recipe(steps=50)).logits(vectors).isfinite().all()


def test_labels_that_vectors_tell_have_a_short_code_and_others_cost_what_they_are():
    vectors, labels = drawn(items=2000)
    bits = codelength(vectors, labels, 4, recipe(steps=300)) / (2000 * 2)  # of the uniform code
    assert bits[0] < 0.25
    assert bits[0] < bits[1] < bits[2]
    assert 1.0 < bits[2] < 1.2  # nothing to tell them by


def test_the_first_block_costs_the_uniform_code(monkeypatch):
    monkeypatch.setattr(linear, "PORTIONS", (1.0,))
    vectors, labels = drawn()
    assert codelength(vectors, labels, 4, recipe()).tolist() == [1200.0] * 3


def test_a_penalty_is_that_of_a_logistic_regression():
    vectors, labels = drawn(items=120, width=12)
    for penalty in (3.0, 30.0):
        made = recipe(batch_size=120, steps=800, penalty=penalty)
        ours = fit(vectors, labels, 4, made)
        for layer in range(3):
            scaled = ((vectors[layer] - vectors[layer].mean(0)) / vectors[layer].std(0, correction=0)).numpy()
            oracle = LogisticRegression(C=1 / penalty, max_iter=5000, tol=1e-8).fit(scaled, labels.numpy())
            weights = ours.weight[layer].T.numpy()
            assert weights - weights.mean(0) == pytest.approx(oracle.coef_ - oracle.coef_.mean(0), abs=0.01)


def test_a_penalty_keeps_a_small_block_from_being_learnt_by_heart():
    """Sixty-four features and a few hundred items that they say little of."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (400,), generator=draw)
    vectors = torch.randn(2, 400, 64, generator=draw)
    vectors[0, :, :4] += torch.eye(4)[labels]
    free, held = (codelength(vectors, labels, 4, recipe(steps=300, penalty=penalty)) for penalty in (0.0, 64.0))
    assert (held < free).all()
    frequencies = codelength_of_frequencies(labels, 4, 0)
    assert held[0] < frequencies < free.min()
    assert held[1] < 1.15 * frequencies  # nothing to tell them by


def test_a_code_by_label_frequencies_is_laplaces_rule_block_by_block():
    labels = torch.tensor([0] * 70 + [1] * 20 + [2] * 6)[torch.randperm(96, generator=torch.Generator().manual_seed(5))]
    order = torch.randperm(96, generator=torch.Generator().manual_seed(3)).tolist()
    sent = [labels[place].item() for place in order]
    bits, begun = 0.0, 0
    for end in (3, 6, 12, 24, 48, 96):
        for label in sent[begun:end]:
            share = (sent[:begun].count(label) + 1) / (begun + 3)
            bits -= math.log2(share if begun else 1 / 3)
        begun = end
    assert codelength_of_frequencies(labels, 3, seed=3) == pytest.approx(bits)
