"""Linear classifiers against torch's own layers, one layer and one step after the other."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy import special
from torch import nn

from embryology.models import linear
from embryology.models.linear import Published, Recipe, codelength, fit, fit_published, span_means

COVERS = ("embryology/models/linear.py",)


def drawn(items=60, layers=3, width=5, classes=3, seed=0):
    """Labels that layers tell more or less well, by vectors of unlike scale and far from zero."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (items,), generator=draw)
    vectors = torch.randn(layers, items, width, generator=draw)
    vectors += torch.randn(classes, width, generator=draw)[labels] * torch.arange(layers)[:, None, None]
    return 3 + vectors * torch.arange(1, width + 1), labels


def test_vectors_of_spans_are_means_of_their_pieces_one_after_the_other():
    states = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(0))
    spans = [np.array([[0, 3], [4, 5], [2, 9]]), np.array([[8, 9], [0, 9], [1, 2]])]
    found = span_means(states, spans)
    assert found.shape == (2, 3, 8)
    for layer in range(2):
        for item in range(3):
            parts = [states[layer, slice(*of_item[item])].mean(0) for of_item in spans]
            torch.testing.assert_close(found[layer, item], torch.cat(parts))


@pytest.mark.parametrize("penalty", [0.0, 7.0])
@pytest.mark.parametrize("batch_size", [60, 25])
def test_weights_are_those_of_torchs_own_layers(penalty, batch_size):
    vectors, labels = drawn()
    recipe = Recipe(learning_rate=0.05, batch_size=batch_size, steps=12, seed=4, penalty=penalty)
    ours = fit(vectors, labels, 3, recipe)
    generator = torch.Generator().manual_seed(4)
    torch.randperm(60, generator=generator)  # which items say how vectors are standardised
    chosen = [batch for batch, _ in zip(linear._batches(60, batch_size, generator), range(12), strict=False)]
    for layer in range(3):
        mean, deviation = vectors[layer].mean(0), vectors[layer].std(0, unbiased=False)
        torch.testing.assert_close(ours.mean[layer, 0], mean)
        torch.testing.assert_close(ours.deviation[layer, 0], deviation)
        own = nn.Linear(5, 3)
        for parameter in own.parameters():
            nn.init.zeros_(parameter)
        optimizer = torch.optim.Adam(own.parameters(), lr=0.05)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 12)
        for batch in chosen:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(own((vectors[layer, batch] - mean) / deviation), labels[batch])
            (loss + penalty / 2 * own.weight.square().sum() / 60).backward()
            optimizer.step()
            schedule.step()
        torch.testing.assert_close(ours.weight[layer].T, own.weight.detach(), atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(ours.bias[layer, 0], own.bias.detach(), atol=1e-4, rtol=1e-3)
        # Items are standardised by what was trained on, however many there are.
        logits = ours.logits(vectors[:, :7] + 1)[layer]
        torch.testing.assert_close(logits, own((vectors[layer, :7] + 1 - mean) / deviation).detach(), atol=1e-3, rtol=0)


def test_items_come_in_another_order_each_time():
    batches = linear._batches(10, 4, torch.Generator().manual_seed(0))
    read = torch.cat([next(batches) for _ in range(15)]).view(6, 10).tolist()
    assert all(sorted(epoch) == list(range(10)) for epoch in read)
    assert len({tuple(epoch) for epoch in read}) == 6
    assert list(range(10)) not in read
    assert [len(next(linear._batches(3, 8, torch.Generator()))) for _ in range(2)] == [3, 3]  # all there are


def published(weight, bias, train, dev, recipe):
    """One layer after the published procedure: what it keeps, of which scoring, and the rate and score of each."""
    own = nn.Linear(*weight.shape)
    own.weight.data, own.bias.data = weight.T.clone(), bias.clone()
    optimizer = torch.optim.Adam(own.parameters(), lr=recipe.learning_rate)
    best, kept, kept_at, history, without, since_halved = -1.0, None, 0, [], 0, 0
    for step in range(1, recipe.steps + 1):
        optimizer.zero_grad()
        nn.functional.cross_entropy(own(train[0]), train[1]).backward()
        nn.utils.clip_grad_norm_(own.parameters(), recipe.max_grad_norm)
        optimizer.step()
        if step % recipe.every == 0 or step == recipe.steps:
            score = (own(dev[0]).argmax(1) == dev[1]).float().mean().item()
            history.append((optimizer.param_groups[0]["lr"], score))
            if score > best:
                best, kept, without, since_halved = score, [p.detach().clone() for p in own.parameters()], 0, 0
                kept_at = len(history)
                continue
            without, since_halved = without + 1, since_halved + 1
            if without == recipe.stop_after + 1:
                break
            if since_halved == recipe.halve_after + 1:
                optimizer.param_groups[0]["lr"] /= 2
                since_halved = 0
    return kept, kept_at, history


@pytest.mark.parametrize("max_grad_norm", [5.0, 0.01])
def test_the_published_procedure_is_that_of_each_layer_alone(max_grad_norm):
    """With all items in each batch, so that their order plays no part; the first layer has nothing to learn."""
    vectors, labels = drawn(items=260, layers=4)
    vectors[0] = 0.0
    vectors, other, labels, other_labels = vectors[:, :60], vectors[:, 60:], labels[:60], labels[60:]
    how = {"batch_size": 60, "seed": 3, "max_grad_norm": max_grad_norm}
    recipe = Published(learning_rate=0.02, steps=121, every=2, halve_after=1, stop_after=6, **how)
    still, once = (Published(learning_rate=rate, steps=1, every=2, **how) for rate in (0.0, 0.02))
    begun = fit_published(vectors, labels, 3, still, other, other_labels)
    assert begun.weight.abs().max() <= 5**-0.5
    ended, kept, rates = [], [], []
    for recipe_of_run in (recipe, once):  # whose last step is scored, though no whole round
        ours = fit_published(vectors, labels, 3, recipe_of_run, other, other_labels)
        for layer in range(4):
            train, dev = (vectors[layer], labels), (other[layer], other_labels)
            (weight, bias), at, history = published(
                begun.weight[layer], begun.bias[layer, 0], train, dev, recipe_of_run
            )
            torch.testing.assert_close(ours.weight[layer].T, weight, atol=1e-4, rtol=1e-3)
            torch.testing.assert_close(ours.bias[layer, 0], bias, atol=1e-4, rtol=1e-3)
            ended.append(len(history))
            kept.append(at)
            rates.append(history[at - 1][0])
        assert (ours.mean == 0).all()
        assert (ours.deviation == 1).all()
    assert ended[0] == 1 + 7  # the first score, and more than six without a new best
    assert min(kept[1:4]) >= ended[0]  # others go on learning after it
    assert max_grad_norm < 1 or min(rates) < 0.02 / 7  # the best comes after its rate was halved three times
    assert ended[4:] == kept[4:] == [1] * 4


def test_the_code_of_each_block_is_that_of_classifiers_of_what_was_sent_before():
    vectors, labels = drawn(items=64)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(6))
    bits = np.full(3, 2 * math.log2(3))
    # 200 steps in proportion to the items, at least a twentieth of them.
    for end, after, steps in ((2, 4, 10), (4, 8, 12), (8, 16, 25), (16, 32, 50), (32, 64, 100)):
        classifiers = fit(vectors[:, order[:end]], labels[order[:end]], 3, Recipe(0.03, 1024, steps, seed=6))
        logits = classifiers.logits(vectors[:, order[end:after]]).double().numpy()
        sent = labels[order[end:after]].numpy()
        surprise = special.logsumexp(logits, axis=-1) - logits[:, np.arange(after - end), sent]
        bits += surprise.sum(axis=1) / math.log(2)
    assert codelength(vectors, labels, 3, Recipe(0.03, 1024, 200, seed=6)).tolist() == pytest.approx(
        bits.tolist(), rel=1e-3
    )


def test_the_published_recipe_is_that_of_the_release():
    """Its ``main.py``: Adam at 1e-4, batches of 1,024, a score every 1,000 steps, halved after five, ended after 20."""
    asked = dataclasses.asdict(Published())
    assert asked == {
        "learning_rate": 1e-4,
        "batch_size": 1024,
        "max_grad_norm": 5.0,
        "steps": 30_000,
        "every": 1000,
        "halve_after": 5,
        "stop_after": 20,
        "seed": 0,
    }
