"""Fine-tuning: against transformers' vectors and a plain training, and what its seed decides."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from embryology.models import finetuning
from embryology.models.encoder import Encoder
from embryology.models.finetuning import Recipe, inputs
from embryology.tasks import Example, Split, Task
from tests.conftest import tiny_model

WORDS = ("city", "music", "people", "film", "house", "water", "large", "known", "year", "world")


def examples(n, seed, pairs=False):
    """Whether a sentence holds "music"; of pairs, the second does."""
    rng = np.random.default_rng(seed)
    drawn = []
    for number in range(n):
        words = list(rng.choice([word for word in WORDS if word != "music"], rng.integers(3, 9)))
        label = int(rng.random() < 0.5)
        words[1] = "music" if label else words[1]
        text = "The " + " ".join(words) + " ."
        drawn.append(Example(str(number), "It is so." if pairs else text, text if pairs else None, label))
    return drawn


def task(name="made-up", pairs=False, classes=("no", "yes"), metrics=("accuracy",), dev=("dev",)):
    development = {part: Split(examples(60, number + 1, pairs)) for number, part in enumerate(dev)}
    return Task(name, "made up", classes, metrics, Split(examples(160, 0, pairs)), development)


def read(tokenizer, sentences):
    """Examples of single sentences as a model reads them, and their labels."""
    given = inputs(tokenizer, [example.first for example in sentences], [None] * len(sentences), 64)
    return given, np.array([example.label for example in sentences])


def test_padding_is_what_no_example_says():
    given = inputs_of([[2, 7, 8, 3], [2, 3], [2, 9, 3]], [[0, 0, 1, 1], [0, 0], [0, 1, 1]])
    ids, types, seen = given.padded([1, 0, 2], 9, "cpu")
    assert ids.tolist() == [[2, 3, 9, 9], [2, 7, 8, 3], [2, 9, 3, 9]]
    assert types.tolist() == [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]]
    assert seen.int().tolist() == [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]]


IDS, TYPES = [[2, 30, 31, 3, 40, 3], [2, 50, 3], [2, 60, 61, 3, 62]], [[0, 0, 0, 0, 1, 1], [0, 0, 0], [0, 0, 1, 1, 1]]


def inputs_of(ids, types):
    return finetuning.Inputs(ids, types)


def alone(body, number):
    """The last layer's vectors of one example by transformers, which need no mask."""
    with torch.no_grad():
        return body(input_ids=torch.tensor([IDS[number]]), token_type_ids=torch.tensor([TYPES[number]]))[0][0]


@pytest.mark.parametrize("computed", [True, False])
@pytest.mark.parametrize("kind", ["albert", "bert"])
def test_outputs_are_those_of_transformers_vectors_of_each_example_alone(kind, computed, monkeypatch):
    model = tiny_model(kind).eval()
    encoder = Encoder(model, frozenset(), "cpu")
    if not (computed and kind == "albert"):
        monkeypatch.setattr(finetuning.forward, "computes", lambda config: False)
    given, body = inputs_of(IDS, TYPES), model.base_model
    classifier = finetuning.Classifier(encoder, 3, Recipe()).eval()
    reader = finetuning.SpanReader(encoder, Recipe()).eval()
    with torch.no_grad():
        for layer in (classifier.dense, classifier.out, reader.out):
            torch.nn.init.normal_(layer.weight, std=0.5)
            torch.nn.init.normal_(layer.bias)
        classified = [classifier.out(torch.tanh(classifier.dense(alone(body, n)[0]))) for n in range(3)]
        placed = [reader.out(alone(body, n)) for n in range(3)]
        padded = reader(*given.padded([0, 1, 2], 0, "cpu"))
    for batch in (1, 2, 3):
        outputs = finetuning.outputs_of(classifier, given, batch)
        np.testing.assert_allclose(outputs, torch.stack(classified), atol=1e-5, rtol=1e-4)
        for ours, theirs in zip(finetuning.scores_of_places(reader, given, batch), placed, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-4)
    assert (padded[1, 3:] == -torch.inf).all()  # no answer begins or ends in padding
    assert padded[0].isfinite().all()


# Of 10 examples in batches of 4: three steps an epoch, nine in three, of which the rate rises for three.
RATES = [1 / 3, 2 / 3, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]


def plainly(initial, batches, given, labels, loss):
    """Trained by transformers' model and torch's AdamW, an example at a time, with the rates that a table has."""
    model = deepcopy(initial)
    head = [model.dense, model.out] if hasattr(model, "dense") else [model.out]
    body = model.model.base_model
    parameters = [*body.parameters(), *(parameter for layer in head for parameter in layer.parameters())]
    groups = [{"params": [p for p in parameters if p.ndim > 1]}, {"params": [p for p in parameters if p.ndim == 1]}]
    groups[1]["weight_decay"] = 0.0
    optimizer = torch.optim.AdamW(groups, lr=1.0, weight_decay=0.01, betas=(0.9, 0.999), eps=1e-8)
    norms = []
    for batch, rate in zip(batches, RATES, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * rate
        losses = []
        for i in batch:
            vectors = body(input_ids=torch.tensor([given.ids[i]]), token_type_ids=torch.tensor([given.types[i]]))[0][0]
            output = model.out(torch.tanh(model.dense(vectors[0]))) if len(head) == 2 else model.out(vectors)
            losses.append(loss(output, torch.as_tensor(labels[i])))
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(parameters, 1.0)))
        optimizer.step()
    return model, norms


LOSSES = {
    "classes": (3, lambda output, label: -output.log_softmax(-1)[label]),
    "scores": (1, lambda output, label: (output[0] - label) ** 2),
    "places": (2, lambda output, label: -output.log_softmax(0)[label, torch.arange(2)].mean()),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_weights_are_those_of_a_plain_training(kind, monkeypatch):
    rng = np.random.default_rng(0)
    ids = [[2, *rng.integers(5, 1000, length), 3] for length in rng.integers(2, 9, 10)]
    given = inputs_of(ids, [[0] * (len(one) - 2) + [1] * 2 for one in ids])
    labels = {
        "classes": rng.integers(0, 3, 10),
        "scores": (50 * rng.normal(size=10)).astype(np.float32),  # whose gradients are long
        "places": rng.integers(0, 4, (10, 2)),
    }[kind]
    outputs, loss = LOSSES[kind]
    encoder = Encoder(tiny_model().eval(), frozenset(), "cpu")
    checkpoint = deepcopy(encoder.model.state_dict())
    recipe = Recipe(learning_rate=1e-3, batch_size=4, warmup_ratio=0.3, dropout=0.0, seed=5)
    kept, batches, padded = [], [], finetuning.Inputs.padded
    trained = finetuning.Finetuned.trained
    monkeypatch.setattr(
        finetuning.Finetuned, "trained", lambda self: kept.append(deepcopy(self)) or trained(self)
    )  # as it begins
    monkeypatch.setattr(finetuning.Inputs, "padded", lambda *a: batches.append(a[1]) or padded(*a))
    ours = finetuning.train(encoder, given, labels, outputs, recipe)
    assert all(torch.equal(weights, checkpoint[name]) for name, weights in encoder.model.state_dict().items())
    (initial,) = kept
    theirs, norms = plainly(initial, batches, given, labels, loss)
    assert kind != "scores" or min(norms) > 1  # so that it is seen how they are clipped
    before, after = dict(initial.named_parameters()), dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        if not name.endswith("key.bias") and (kind, name) != ("places", "out.bias"):  # gradients of rounding alone
            moved = (after[name] - before[name]).norm()
            assert (parameter - after[name]).norm() <= 0.02 * moved, name
    head = [name for name in before if name.startswith(("out", "dense"))]
    assert all((after[name] - before[name]).any() for name in [*head, "model.albert.embeddings.word_embeddings.weight"])
    assert not (after["model.predictions.dense.weight"] - before["model.predictions.dense.weight"]).any()


def test_a_seed_is_that_of_the_head_of_the_order_and_of_dropout(monkeypatch):
    """Each of them alone, as one of them suffices to give other numbers."""
    encoder = Encoder(tiny_model().eval(), frozenset(), "cpu")
    ids = [[2, 5 + number, 3] for number in range(12)]
    given, labels = inputs_of(ids, [[0] * 3] * 12), np.arange(12) % 2
    seen = {"head": [], "order": [], "dropout": [], "outputs": []}
    padded, dropout = finetuning.Inputs.padded, torch.nn.functional.dropout

    def remembered(self, chosen, *rest):
        seen["order"][-1].append(tuple(chosen))
        return padded(self, chosen, *rest)

    def kept(self, x):
        mask = dropout(torch.ones_like(x), self.dropout, self.training)
        seen["dropout"][-1].append(tuple(mask.flatten().tolist()))
        return x * mask

    monkeypatch.setattr(finetuning.Inputs, "padded", remembered)
    monkeypatch.setattr(finetuning.Finetuned, "dropped", kept)
    for seed in (0, 1, 2, 1):
        for kind in ("order", "dropout"):
            seen[kind].append([])
        recipe = Recipe(epochs=2, batch_size=4, dropout=0.5, seed=seed)
        seen["head"].append(finetuning.Classifier(encoder, 2, recipe).dense.weight.flatten().tolist())
        outputs = finetuning.outputs_of(finetuning.train(encoder, given, labels, 2, recipe), given)
        seen["outputs"].append(outputs.tolist())
    for kind, of_runs in seen.items():
        assert of_runs[1] == of_runs[3], kind
        assert of_runs[0] != of_runs[1] != of_runs[2] != of_runs[0], kind
    (*trained, first, second) = seen["dropout"][0]  # two masks a batch: under the dense layer and over it
    assert len(trained) == 2 * 2 * 3
    assert len(set(trained)) == len(trained)
    assert all(set(mask) == {0.0, 2.0} for mask in trained)
    assert set(first) == set(second) == {1.0}  # evaluation drops nothing
    epochs = [sorted(i for batch in seen["order"][0][start : start + 3] for i in batch) for start in (0, 3)]
    assert epochs == [list(range(12))] * 2


def test_every_example_is_read_once_an_epoch_in_batches_of_like_length(tokenizer):
    given, _ = read(tokenizer, examples(101, 0))
    batches = list(finetuning._epochs(given, Recipe(epochs=2, batch_size=8), np.random.default_rng(0)))
    assert len(batches) == 2 * 13
    for epoch in (batches[:13], batches[13:]):
        assert sorted(i for batch in epoch for i in batch) == list(range(101))
    first, second = ({frozenset(batch) for batch in epoch} for epoch in (batches[:13], batches[13:]))
    assert len(first & second) <= 2  # other batches, not only another order of them
    lengths = [len(given.ids[batch[0]]) for batch in batches[:13]]
    assert sorted(lengths) != lengths != sorted(lengths)[::-1]
    spread = [np.ptp([len(given.ids[i]) for i in batch]) for batch in batches]
    assert max(spread) <= 2


def test_pairs_are_cut_to_what_the_model_reads(tokenizer):
    given = inputs(tokenizer, ["city " * 50, "A"], ["B", "film " * 50], 20)
    assert [len(ids) for ids in given.ids] == [20, 20]
    assert given.types[0][-2:] == [1, 1]  # the short second sentence stays
    assert given.types[1][:3] == [0, 0, 0]  # and the short first one, of two pieces less
    both = inputs(tokenizer, ["city " * 50], ["film " * 50], 20)
    assert both.types[0].count(1) in (9, 10)
    alone = inputs(tokenizer, ["city " * 50, "A"], [None, None], 20)
    assert ([len(ids) for ids in alone.ids], set(alone.types[0])) == ([20, len(tokenizer("A")["input_ids"])], {0})
