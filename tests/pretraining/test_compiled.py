"""The compiled step against the plain one, with compilers that need no C++ and can be made to err."""

import shutil

import pytest
import torch
from functorch.compile import make_boxed_func
from torch import nn
from torch._dynamo.backends.common import aot_autograd

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.presets import Model, Objective
from embryology.pretraining import compiled
from embryology.pretraining.batches import Batches
from embryology.pretraining.curriculum import Curriculum
from embryology.pretraining.trainee import Trainee, build
from embryology.runs import losses
from tests.synthetic import store_of
from tests.training import small_preset, train

SHAPE = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
WEIGHTS = torch.tensor([1.0, 1.0, 50.0, 0.0])


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiler(spoil=lambda gradients: gradients, graphs=None):
    """A backend of torch.compile that runs graphs as they are, and does ``spoil`` to gradients."""

    def forward(graph, inputs):
        if graphs is not None:
            graphs.append(graph)
        return make_boxed_func(graph.forward)

    def backward(graph, inputs):
        return make_boxed_func(lambda *arguments: spoil(list(graph.forward(*arguments))))

    return aot_autograd(fw_compiler=forward, bw_compiler=backward)


def spoilt(shape, factor):
    """Gradients of this shape come out ``factor`` times as large."""
    return lambda gradients: [
        gradient * factor if gradient is not None and gradient.shape == shape else gradient for gradient in gradients
    ]


def made(tokenizer, family, precision=torch.float32, dropout=0.0):
    """A model of a family, and two batches."""
    size = {"embedding_size": 32 if family == "bert" else 16, "generator_size": 0.5 if family == "electra" else None}
    model = Model(family=family, **SHAPE, **size, initializer_range=0.1, dropout=dropout)
    trainee = Trainee(build(model, 1000, 32, seed=0), precision)
    asked = {"pair": "none", "pair_weight": 0, "rtd_weight": 50} if family == "electra" else {"pair_weight": 1}
    objective = Objective(mlm_probability=0.2, max_ngram=2, **asked)
    store = store_of([[9, 8, 7, 12], [20, 5, 6], [3, 3]] * 20)
    batches = Batches(store, tokenizer, objective, batch_size=6, length=32, seed=0)
    return trainee, [batches[0], batches[1]]


@pytest.mark.parametrize(
    ("family", "precision"), [("albert", torch.float32), ("bert", torch.bfloat16), ("electra", torch.float32)]
)
def test_a_right_compiler_passes_and_compiles_once(tokenizer, family, precision):
    trainee, batches = made(tokenizer, family, precision, dropout=0.1)
    graphs = []
    trainee.compile(backend=compiler(graphs=graphs), dynamic=False)
    assert compiled.check(trainee, WEIGHTS, batches).relative < compiled.LARGEST[precision]
    assert len(graphs) == 1
    assert {model.config.hidden_dropout_prob for model in trainee.models.children()} == {0.1}


@pytest.mark.parametrize("batch", [0, 1])
@pytest.mark.parametrize(
    ("factor", "message"),
    [(0.0, "differs .* by 1 of its size"), (1.001, "by 0.001 of its size"), (float("nan"), "by inf of its size")],
)
def test_a_wrong_gradient_is_refused_and_the_parameter_is_named(tokenizer, factor, message, batch):
    trainee, batches = made(tokenizer, "albert", dropout=0.5)
    narrow = next(value for name, value in trainee.named_parameters() if name.endswith("ffn.weight"))

    def wrong(given):
        if torch.equal(given.input_ids, batches[batch].input_ids):
            hook = narrow.register_hook(lambda gradient: (hook.remove(), gradient * factor)[1])
        return trainee.forward(given)

    trainee._compiled_call_impl = wrong
    with pytest.raises(EmbryologyError, match=rf"compiled by torch .* the gradient of \S*ffn\.weight .*{message}"):
        compiled.check(trainee, WEIGHTS, batches)


def test_what_differs_is_relative_to_its_size_and_weighed_as_in_the_run(tokenizer):
    trainee, batches = made(tokenizer, "albert")
    off = torch.tensor([0.0, 1e-3, 0.0, 0.0])  # the pair's loss is some 0.69, the masked one 7
    masked, pair, *_ = (trainee(batches[0]) / batches[0].counts.clamp(min=1)).tolist()
    trainee._compiled_call_impl = lambda batch: trainee.forward(batch) + off * batch.counts  # gradients are right
    for weight in (0.1, 0.01):
        loss = masked + weight * pair
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(compiled.LARGEST, torch.float32, 1.0)
            seen = compiled.check(trainee, torch.tensor([1.0, weight, 0.0, 0.0]), batches[:1])
        assert seen.of == "loss"
        assert seen.relative == pytest.approx(1e-3 * weight / loss, rel=0.1)


def test_a_wrong_loss_is_refused(tokenizer):
    trainee, batches = made(tokenizer, "albert")
    trainee._compiled_call_impl = lambda batch: trainee.forward(batch) + 0.01 * batch.counts
    with pytest.raises(EmbryologyError, match="the loss differs"):
        compiled.check(trainee, WEIGHTS, batches)


def test_what_is_wrong_only_when_it_is_used_again_is_refused(tokenizer):
    trainee, batches = made(tokenizer, "albert")
    calls = []

    def replayed(batch):
        calls.append(batch)
        return trainee.forward(batch if len(calls) < 3 else batches[0])

    trainee._compiled_call_impl = replayed
    with pytest.raises(EmbryologyError, match="the step is wrong"):
        compiled.check(trainee, WEIGHTS, batches)


def test_noise_in_a_gradient_that_is_nothing_but_noise_is_let_pass(tokenizer):
    trainee, batches = made(tokenizer, "albert")
    expected = compiled._step(trainee, trainee.forward, WEIGHTS, batches[0])
    key = next(name for name in expected if name.endswith("key.bias"))
    assert expected[key].norm() < 1e-5 * expected[key.replace("bias", "weight")].norm()
    changed = expected | {key: expected[key] * 2}
    assert max(difference.relative for difference in compiled._differences(changed, expected)) < 1e-4


def test_every_shape_still_to_come_is_checked_before_it_is_trained_on(tokenizer, monkeypatch):
    outcome = presets.load("smoke").outcome
    phases = presets.Phase(steps=30), presets.Phase(steps=10, batch_size=4, sequence_length=48)
    outcome = outcome.model_copy(update={"phases": phases, "steps": 40, "checkpoints": [0, 40]})
    curriculum = Curriculum(outcome, store_of([[9, 8, 7, 12], [20, 5, 6], [3, 3]] * 40), tokenizer)
    for done, steps in ((0, [0, 30]), (7, [7, 30]), (30, [30]), (35, [35])):
        samples = curriculum.samples(done, parts=2)
        assert list(samples) == steps
        for step, batches in samples.items():
            first, second = batches()
            length = 48 if step >= 30 else outcome.sequence_length
            assert first.input_ids.shape == (2 if step >= 30 else outcome.batch_size // 2, length)
            assert not torch.equal(first.input_ids, second.input_ids)
            (expected, *_) = next(curriculum.ahead(step, parts=2))
            assert torch.equal(first.input_ids, expected.input_ids)


def with_compiler(preset, monkeypatch, backend):
    own = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: own(self, backend=backend, dynamic=False))
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/c++")
    return preset.model_copy(update={"speed": preset.speed.model_copy(update={"compile": True})})


def test_a_run_with_a_wrong_compiler_is_refused_before_its_first_step(home, monkeypatch):
    preset = small_preset(home, steps=10, checkpoints=[0, 10])
    shape = (preset.outcome.tokenizer.vocab_size, preset.outcome.model.embedding_size)
    preset = with_compiler(preset, monkeypatch, compiler(spoilt(shape, 0.0)))
    with pytest.raises(EmbryologyError, match="the step is wrong: the gradient of"):
        train(preset, home / "runs" / "wrong")
    assert [path.name for path in (home / "runs" / "wrong" / "checkpoints").iterdir()] == ["step-00000000"]


def test_a_run_with_a_right_compiler_trains_as_without(home, monkeypatch):
    preset = small_preset(home, steps=10, checkpoints=[0, 10])
    plain = train(preset, home / "runs" / "plain")
    fast = train(with_compiler(preset, monkeypatch, compiler()), home / "runs" / "fast")
    one, other = losses.read(plain), losses.read(fast)
    assert (one["masked_loss"] - other["masked_loss"]).abs().max() < 1e-3


def test_graphs_without_a_gpu_are_refused(home):
    preset = small_preset(home)
    preset = preset.model_copy(update={"speed": preset.speed.model_copy(update={"compile": "reduce-overhead"})})
    if not torch.cuda.is_available():
        with pytest.raises(EmbryologyError, match=r"speed\.compile reduce-overhead needs a GPU"):
            train(preset, home / "runs" / "graphs")
