"""Fine-tuning that remembers: against transformers' logits, SciPy's solution of GEM's program, and plain lines."""

from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from transformers import AlbertForMaskedLM, BertForMaskedLM

from embryology.models import remembering
from embryology.models.encoder import Encoder
from embryology.models.finetuning import Inputs, Recipe
from embryology.models.remembering import IGNORED, EpisodicMemory, Replay, Tagger, learn, project
from tests.conftest import tiny_model

COVERS = ("embryology/models/finetuning.py",)
RNG = np.random.default_rng(0)
IDS = [[2, *RNG.integers(5, 1000, length).tolist(), 3] for length in (3, 5, 8, 4, 6, 7, 3, 5, 6, 4)]
EXAMPLES = Inputs(IDS, [[0] * len(ids) for ids in IDS])
LABELS = np.full((10, 10), IGNORED)
for _row, _ids in enumerate(IDS):
    LABELS[_row, 1 : len(_ids) - 1 : 2] = RNG.integers(0, 3, len(LABELS[_row, 1 : len(_ids) - 1 : 2]))


def encoder_of(kind="albert"):
    """transformers' masked model with the parameters of a whole one, as a checkpoint is loaded."""
    whole = tiny_model(kind)
    model = {"albert": AlbertForMaskedLM, "bert": BertForMaskedLM}[kind](whole.config)
    model.load_state_dict(whole.state_dict(), strict=False)
    return Encoder(model.eval(), frozenset(), "cpu")


def masked(first, after):
    """Sequences of 9 pieces of which two are masked, of every third only one; the same of the same number."""
    ids, positions, labels = [], [], []
    for row, number in enumerate(range(first, after)):
        rng = np.random.default_rng(number)
        pieces = [2, *rng.integers(5, 1000, 7), 3]
        at = [1 + number % 3, 5]
        labels += [pieces[at[0]], IGNORED if number % 3 == 0 else pieces[5]]
        pieces[at[0]] = 4
        ids.append(pieces)
        positions += [9 * row + at[0], 0 if number % 3 == 0 else 9 * row + 5]
    ids, positions, labels = map(torch.tensor, (ids, positions, labels))
    return SimpleNamespace(
        input_ids=ids,
        token_type_ids=torch.zeros_like(ids),
        attention_mask=torch.ones_like(ids, dtype=torch.bool),
        positions=positions,
        labels=labels,
    )


def loss_by_transformers(model, batch):
    """Mean cross-entropy of the masked pieces, by transformers' own forward pass."""
    logits = model(input_ids=batch.input_ids).logits.flatten(0, 1)[batch.positions].log_softmax(-1)
    known = batch.labels != IGNORED
    return -logits[known, batch.labels[known]].mean()


@pytest.mark.parametrize("kind", ["albert", "bert"])
def test_masked_losses_and_scores_are_transformers_own(kind):
    tagger = Tagger(encoder_of(kind), 3, Recipe()).eval()
    batch = masked(0, 4)
    with torch.no_grad():
        sums, counts = tagger.masked_losses(batch)
        assert counts.tolist() == [1, 2, 2, 1]
        for row in range(4):
            alone = masked(row, row + 1)
            assert float(sums[row] / counts[row]) == pytest.approx(
                float(loss_by_transformers(tagger.model, alone)), rel=1e-4
            )
        ids = torch.tensor([IDS[1]])
        vectors = tagger.model.base_model(input_ids=ids)[0]
        scores = tagger(ids, torch.zeros_like(ids), torch.ones_like(ids, dtype=torch.bool))
        expected = vectors @ tagger.out.weight.T + tagger.out.bias
        torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_a_step_is_turned_to_what_the_quadratic_program_of_gem_gives(seed):
    rng = np.random.default_rng(seed)
    step, gradient = rng.normal(size=6), rng.normal(size=6)
    before = [torch.from_numpy(rng.normal(size=(2, 3))), torch.from_numpy(rng.normal(size=4))]
    after = [before[0] + torch.from_numpy(step).view(2, 3), before[1] + 1.5]
    project(after, before, [torch.from_numpy(gradient).view(2, 3), None])
    turned = (after[0] - before[0]).flatten().numpy()
    best = minimize(
        lambda x: ((x - step) ** 2).sum(), np.zeros(6), constraints={"type": "ineq", "fun": lambda x: -x @ gradient}
    )
    np.testing.assert_allclose(turned, best.x, atol=1e-5)
    assert turned @ gradient <= 1e-12
    assert (turned @ gradient == pytest.approx(0, abs=1e-12)) == (step @ gradient > 0)
    np.testing.assert_allclose((after[1] - before[1]).numpy(), 1.5)  # what the loss does not depend on


def one_step(memory, rate):
    """A tagger trained by one step on all sentences, whose remembered loss of sequences 0 to 2 is to be told."""
    tagger = Tagger(encoder_of(), 3, Recipe(dropout=0.0)).train()
    with torch.no_grad():
        torch.nn.init.normal_(tagger.out.weight)
    initial = deepcopy(tagger)
    learn(tagger, EXAMPLES, LABELS, Recipe(rate, epochs=1, batch_size=10, warmup_ratio=0, dropout=0.0), memory)
    return initial, tagger


def rise(rate, memory):
    """How a step of Adam changes the loss of sequences 0 and 1, by transformers: to first order, as the cosine of the
    step and the gradient, and measured."""
    before, after = one_step(memory, rate)
    batch, parameters = masked(0, 2), list(before.eval().model.parameters())
    loss = loss_by_transformers(before.model, batch)
    gradient = torch.autograd.grad(loss, parameters, allow_unused=True)
    with torch.no_grad():
        moved = zip(parameters, after.eval().model.parameters(), gradient, strict=True)
        moved = [((new - old).double().flatten(), r.double().flatten()) for old, new, r in moved if r is not None]
        step, gradient = (torch.cat(parts) for parts in zip(*moved, strict=True))
        return torch.cosine_similarity(step, gradient, 0), loss_by_transformers(after.model, batch) - loss


def test_no_step_of_adam_raises_the_remembered_loss_to_first_order():
    """What is left is of second order: of a tenth of the step a hundredth."""
    (cosine, long), (_, short) = (rise(rate, None) for rate in (1e-3, 1e-4))
    assert cosine > 0.05
    assert short > long / 20 > 0  # plainly it does
    (cosine, long), (smaller, short) = (rise(rate, EpisodicMemory(masked, 1 / 6)) for rate in (1e-3, 1e-4))
    assert max(abs(cosine), abs(smaller)) < 1e-5
    assert short < long / 80


def test_gradient_descent_with_a_projected_step_is_gem_as_published():
    """A step of SGD along the gradient of the tags, projected on that of the memory by A-GEM's formula."""
    tagger = Tagger(encoder_of(), 3, Recipe(dropout=0.0)).train()
    plain = deepcopy(tagger)
    memory = EpisodicMemory(masked, 0.25)
    sgd = torch.optim.SGD(tagger.trained(), 0.1)
    loss_of = lambda model: model(*EXAMPLES.padded([0, 1, 2], 0, "cpu"))[:, 1, 0].sum()  # noqa: E731
    loss = memory.mixed(loss_of(tagger), tagger, 3)
    loss.backward()
    memory.step(sgd, tagger)
    parameters = plain.trained()
    own = torch.autograd.grad(loss_of(plain), parameters, allow_unused=True)
    theirs = torch.autograd.grad(loss_by_transformers(plain.model, masked(0, 1)), parameters, allow_unused=True)
    own, theirs = (
        [torch.zeros_like(p) if g is None else g for g, p in zip(gs, parameters, strict=True)] for gs in (own, theirs)
    )
    along, length = (sum(float((a * b).sum()) for a, b in zip(one, theirs, strict=True)) for one in (own, theirs))
    for after, before, g, r in zip(tagger.trained(), parameters, own, theirs, strict=True):
        expected = before - 0.1 * (g - min(0, along / length) * r)
        torch.testing.assert_close(after, expected, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    ("share", "batch_size", "expected"), [(0.5, 4, 30), (0.4, 4, 20), (0.36, 5, 17), (0.6, 3, 45), (0.2, 4, 9)]
)
def test_what_is_remembered_has_its_share_of_all_sequences_and_is_read_in_turn(share, batch_size, expected):
    """Beside ten sentences three times: 30 of 60, 20 of 50, 17 of 47, 45 of 75; of the last every step reads its one,
    that of the two sentences at an epoch's end too."""
    for kind in (Replay, EpisodicMemory):
        read = []
        memory = kind(lambda *numbers, read=read: read.append(numbers) or masked(*numbers), share)
        learn(Tagger(encoder_of(), 3, Recipe()).train(), EXAMPLES, LABELS, Recipe(batch_size=batch_size), memory)
        steps = 3 * -(-10 // batch_size)
        assert len(read) == steps
        assert [first for first, _ in read] == [0, *(after for _, after in read[:-1])]
        assert min(after - first for first, after in read) >= 1
        assert read[-1][1] == expected


def test_replay_minimises_both_losses_by_their_shares_without_dropout_in_the_memory():
    encoder = encoder_of()
    encoder.model.config.hidden_dropout_prob = 0.5
    tagger = Tagger(encoder, 3, Recipe()).train()
    mixed = Replay(masked, 0.4).mixed(torch.tensor(7.0), tagger, 3)
    assert tagger.training
    remembered = loss_by_transformers(tagger.eval().model, masked(0, 2))
    torch.testing.assert_close(mixed, 0.6 * 7 + 0.4 * remembered, atol=0, rtol=1e-4)


def test_tags_are_learnt_at_the_pieces_that_have_one(monkeypatch):
    """The loss of the first step is the mean over words of all sentences."""
    seen = []
    monkeypatch.setattr(remembering, "fit", lambda *given: seen.append(given))
    tagger = Tagger(encoder_of(), 3, Recipe())
    learn(tagger, EXAMPLES, LABELS, Recipe())
    model, examples, loss_of, _, memory = seen[0]
    predicted = torch.randn(3, 8, 3)
    chosen = [4, 1, 0]
    words = [(row, at) for row, i in enumerate(chosen) for at in range(8) if LABELS[i, at] != IGNORED]
    expected = -np.mean([float(predicted[row, at].log_softmax(-1)[LABELS[chosen[row], at]]) for row, at in words])
    assert (model, examples, memory) == (tagger, EXAMPLES, None)
    assert float(loss_of(predicted, chosen)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [None, Replay, EpisodicMemory])
def test_the_same_seed_gives_the_same_bits(kind):
    weights = []
    for seed in (1, 1, 2):
        tagger = Tagger(encoder_of(), 3, Recipe(seed=seed)).train()
        learn(tagger, EXAMPLES, LABELS, Recipe(1e-3, batch_size=4, seed=seed), kind and kind(masked, 0.3))
        weights.append(torch.cat([parameter.flatten() for parameter in tagger.trained()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
