"""Fine-tuning and frozen vectors: what is trained on, with which recipe, and every row by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression

from embryology import intervals
from embryology.models import finetuning
from embryology.models.encoder import Encoder
from embryology.probes import finetune, frozen
from embryology.probes.finetune import FinetuneProbe
from embryology.probes.frozen import FrozenProbe
from embryology.specs.downstream import FinetuneSettings, FrozenSettings
from embryology.tasks import Example, Split, catalogue, squad, windows
from embryology.tasks.squad import Question
from tests.models.test_finetuning import task

COVERS = ("embryology/probes/finetune.py", "embryology/probes/frozen.py")


@pytest.fixture(scope="module")
def encoder(tiny_series):
    return Encoder.load(tiny_series.checkpoints[0], device="cpu")


@pytest.fixture
def tasks(monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 20)
    made = {"made-up": task(), "pairs": task("pairs", pairs=True, dev=("matched", "mismatched"))}
    made["score"] = task("score", classes=(), metrics=("pearson",))
    monkeypatch.setattr(catalogue, "find", made.get)
    monkeypatch.setattr(catalogue, "identity", lambda name: {name: 1})
    return made


def planted(ids, width):
    """Answers that depend on what is asked alone."""
    return np.stack([np.random.default_rng(one).normal(size=width) for one in ids])


@pytest.fixture
def trained(monkeypatch):
    """What each training was given; no model learns anything, and answers are planted."""
    given = []

    def train(encoder, inputs, labels, outputs, recipe):
        given.append((inputs, labels, recipe))
        return outputs

    monkeypatch.setattr(finetuning, "train", train)
    monkeypatch.setattr(finetuning, "outputs_of", lambda width, inputs: planted(inputs.ids, width))
    return given


def ids_of(tokenizer, examples):
    pairs = [[example.second for example in examples]] if examples[0].second is not None else []
    return tokenizer([example.first for example in examples], *pairs)["input_ids"]


def measured(probe, encoder, settings, tokenizer, series):
    examples = probe.prepare(settings, tokenizer, series)
    told = {part: probe.measure(encoder, examples, part) for part in probe.parts(settings, series)}
    return {part: (pd.DataFrame(rows), items) for part, (rows, items) in told.items()}


def value_of(rows, metric, group="", baseline=None):
    of = rows[(rows["metric"] == metric) & (rows["group"] == group)]
    return of[of["baseline"].isna() if baseline is None else of["baseline"] == baseline]["value"].item()


def test_training_gets_the_train_set_and_the_recipe_that_was_asked_for(tasks, trained, encoder, tokenizer, tiny_series):
    asked = {"learning_rate": 0.125, "epochs": 5, "batch_size": 7, "precision": "bfloat16"}
    settings = FinetuneSettings(tasks=("made-up", "score"), seeds=3, seed=10, **asked)
    measured(FinetuneProbe(), encoder, settings, tokenizer, tiny_series)
    expected = finetuning.Recipe(**asked)
    assert [recipe for _, _, recipe in trained] == [replace(expected, seed=seed) for seed in (10, 11, 12)] * 2
    training = tasks["made-up"].train.examples
    for inputs, labels, _ in trained:
        assert inputs.ids == ids_of(tokenizer, training)
        assert labels.tolist() == [example.label for example in training]
    assert [labels.dtype for _, labels, _ in trained] == [np.int64] * 3 + [np.float32] * 3


@pytest.mark.parametrize(("probe", "settings"), [(FinetuneProbe, FinetuneSettings), (FrozenProbe, FrozenSettings)])
def test_examples_are_drawn_by_seed_and_cut_where_they_are_too_long(
    tasks, tokenizer, tiny_series, monkeypatch, probe, settings
):
    def prepared(**changes):
        made = probe().prepare(settings(tasks=("made-up",), **changes), tokenizer, tiny_series)
        return made if isinstance(made, frozen.Examples) else made[1]["made-up"]

    def inputs(made):
        return list(made.sentences.values()) if isinstance(made, frozen.Examples) else made.train.ids

    def drawn(made):
        return (made.tasks["made-up"] if isinstance(made, frozen.Examples) else made).examples

    assert [example.id for example in drawn(prepared(train=9))] != [
        example.id for example in drawn(prepared(train=9, seed=1))
    ]
    assert max(map(len, inputs(prepared()))) > 9
    assert max(map(len, inputs(prepared(max_length=9)))) == 9
    module = finetune if probe is FinetuneProbe else frozen
    monkeypatch.setattr(module, "longest_input", lambda *_: 8)
    assert max(map(len, inputs(prepared(max_length=9)))) == 8


def test_rows_of_cells_are_their_answers_counted(tasks, trained, encoder, tokenizer, tiny_series):
    names = ("made-up", "pairs", "score")
    told = measured(FinetuneProbe(), encoder, FinetuneSettings(tasks=names, seeds=2, seed=5), tokenizer, tiny_series)
    assert [*told] == [f"{name}-{seed}" for name in names for seed in (0, 1)]
    for name in ("made-up", "pairs"):
        rows, items = told[f"{name}-0"]
        sets = tasks[name].dev
        shares = []
        for dev, split in sets.items():
            answers = planted(ids_of(tokenizer, split.examples), 2).argmax(1)
            right = [answer == example.label for answer, example in zip(answers, split.examples, strict=True)]
            group = dev if len(sets) > 1 else ""
            shares.append(np.mean(right))
            for metric in ("accuracy", "score"):
                assert value_of(rows, metric, group) == pytest.approx(shares[-1])
            assert value_of(rows, "collapsed", group) == 0
            own = items[items["item_id"].str.startswith(f"{name}:{dev}:")]
            assert own["item_id"].tolist() == [f"{name}:{dev}:{example.id}" for example in split.examples]
            assert own["correct"].tolist() == right
            assert own["prediction"].tolist() == answers.tolist()
        assert value_of(rows, "score") == pytest.approx(np.mean(shares))
        assert not items["item_id"].duplicated().any()
    rows, items = told["score-0"]
    examples = tasks["score"].dev["dev"].examples
    answers = planted(ids_of(tokenizer, examples), 1)[:, 0]
    assert items["prediction"].tolist() == pytest.approx(answers.tolist())
    expected = stats.pearsonr(answers, [example.label for example in examples]).statistic
    assert value_of(rows, "pearson") == pytest.approx(expected)
    for part, (rows, items) in told.items():
        seed = int(part[-1])
        assert set(rows["seed"]) == set(items["seed"]) == {seed}  # its number, which figures pair runs by
        assert set(rows["baseline"].dropna()) == ({"majority", "tf-idf"} if seed == 0 else set())


def test_a_model_that_answers_all_alike_has_collapsed(tasks, trained, encoder, tokenizer, tiny_series, monkeypatch):
    monkeypatch.setattr(finetuning, "outputs_of", lambda width, inputs: np.tile(np.arange(width), (len(inputs), 1)))
    told = measured(FinetuneProbe(), encoder, FinetuneSettings(tasks=("made-up",), seeds=1), tokenizer, tiny_series)
    rows, items = told["made-up-0"]
    assert value_of(rows, "collapsed") == 1
    assert (items["prediction"] == 1).all()
    tasks["made-up"].dev["dev"].examples[:] = [replace(each, label=1) for each in tasks["made-up"].dev["dev"].examples]
    monkeypatch.setattr(finetuning, "outputs_of", lambda width, inputs: planted(inputs.ids, width))
    told = measured(FinetuneProbe(), encoder, FinetuneSettings(tasks=("made-up",), seeds=1), tokenizer, tiny_series)
    assert value_of(told["made-up-0"][0], "collapsed") == 0  # of the answers, whatever the truth


def test_questions_on_paragraphs_are_scored_beside_no_answer(trained, encoder, tokenizer, tiny_series, monkeypatch):
    words = ["the", "old", "city", "had", "music", "and", "people", "in", "the", "night"]
    text = " ".join(words)
    dev = [
        Question("exact", "Who was it?", text, (("old city", 4),)),
        Question("half", "Who was it?", text, (("old city had music", 4),)),
        Question("wrong", "Who was it?", text, (("night", text.index("night")),)),
        Question("none", "Who was it?", text, ()),
    ]
    monkeypatch.setattr(squad, "find", lambda: squad.Data(dev[:2], dev))
    monkeypatch.setattr(catalogue, "identity", lambda name: {name: 1})
    settings = FinetuneSettings(tasks=("SQuAD",), seeds=2)
    examples = FinetuneProbe().prepare(settings, tokenizer, tiny_series)
    cut = examples[1]["SQuAD"].dev

    def scores(model, inputs):
        """The same span everywhere, and of the last question none."""
        label, found = windows._label(cut.places[0], dev[0]), []
        for number, ids in enumerate(inputs.ids):
            one = np.zeros((len(ids), 2), np.float32)
            one[label[0], 0] = one[label[1], 1] = -1 if number == 3 else 1
            found.append(one)
        return found

    monkeypatch.setattr(finetuning, "scores_of_places", scores)
    rows, items = FinetuneProbe().measure(encoder, examples, "SQuAD-0")
    rows = pd.DataFrame(rows)
    half = 2 * 1 * 0.5 / 1.5  # all that was said is right, and half of what is right was said
    assert value_of(rows, "exact") == pytest.approx(2 / 4)
    assert value_of(rows, "f1") == pytest.approx((1 + half + 0 + 1) / 4)
    assert value_of(rows, "exact", baseline="majority") == value_of(rows, "f1", baseline="majority") == 1 / 4
    assert value_of(rows, "collapsed") == 0
    assert items["item_id"].tolist() == [f"SQuAD:dev:{question.id}" for question in dev]
    assert items["correct"].tolist() == [True, False, False, True]
    assert items["prediction"].tolist() == pytest.approx([1, half, 0, 1])
    again = pd.DataFrame(FinetuneProbe().measure(encoder, examples, "SQuAD-1")[0])
    assert again["baseline"].isna().all()
    assert [labels.shape for _, labels, _ in trained] == [(2, 2)] * 2
    monkeypatch.setattr(
        finetuning, "scores_of_places", lambda _, inputs: [np.zeros((len(one), 2)) for one in inputs.ids]
    )
    rows = pd.DataFrame(FinetuneProbe().measure(encoder, examples, "SQuAD-0")[0])
    assert value_of(rows, "collapsed") == 1


def flipped(made):
    """A task whose development labels are all the other ones."""
    sets = {
        dev: Split([replace(example, label=1 - example.label) for example in split.examples])
        for dev, split in made.dev.items()
    }
    return replace(made, dev=sets)


@pytest.mark.parametrize(
    ("probe", "settings"),
    [
        (FinetuneProbe(), FinetuneSettings(tasks=("made-up",), seeds=1, epochs=1, batch_size=8, train=24)),
        (FrozenProbe(), FrozenSettings(tasks=("made-up",), train=24)),
    ],
)
def test_development_labels_change_no_model_and_no_baseline(tasks, encoder, tokenizer, tiny_series, probe, settings):
    ours = measured(probe, encoder, settings, tokenizer, tiny_series)
    tasks["made-up"] = flipped(tasks["made-up"])
    theirs = measured(probe, encoder, settings, tokenizer, tiny_series)
    for part, (rows, items) in ours.items():
        others, other_items = theirs[part]
        if items is not None:
            assert items["prediction"].tolist() == other_items["prediction"].tolist()
        for baseline in (None, "majority", "tf-idf"):
            told = value_of(rows, "accuracy", baseline=baseline)
            assert 0 < told < 1
            assert told + value_of(others, "accuracy", baseline=baseline) == pytest.approx(1)


def test_another_seed_is_another_fine_tuning_and_the_same_one_repeats(tasks, encoder, tokenizer, tiny_series):
    def predictions(part, **changes):
        settings = FinetuneSettings(tasks=("score",), seeds=2, epochs=1, batch_size=8, **changes)
        _, items = FinetuneProbe().measure(encoder, FinetuneProbe().prepare(settings, tokenizer, tiny_series), part)
        return items["prediction"].to_numpy()

    tasks["score"].train.examples[40:] = []
    first, second, from_one = predictions("score-0"), predictions("score-1"), predictions("score-0", seed=1)
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(second, from_one)


def plain_vector(model, tokenizer, text):
    """The mean of the last layer over all but the special pieces, a sentence at a time."""
    ids = tokenizer(text)["input_ids"]
    with torch.no_grad():
        states = model.base_model(torch.tensor([ids]))[0][0]
    return (states[1:-1] if len(ids) > 2 else states[-1:]).mean(0).numpy()


def plain_features(model, tokenizer, examples):
    rows = []
    for example in examples:
        u = plain_vector(model, tokenizer, example.first)
        if example.second is None:
            rows.append(u)
        else:
            v = plain_vector(model, tokenizer, example.second)
            rows.append(np.concatenate([u, v, abs(u - v), u * v]))
    return np.stack(rows)


def test_frozen_models_are_plain_regressions_on_mean_vectors(tasks, encoder, tokenizer, tiny_series, monkeypatch):
    monkeypatch.setattr(frozen, "AT_ONCE", 7)
    for made in tasks.values():
        for split, most in ((made.train, 40), *((split, 20) for split in made.dev.values())):
            some = split.examples[:most]
            if made.name == "pairs":  # whose first sentences are all the same
                some = [replace(one, first=other.second) for one, other in zip(some, some[::-1], strict=True)]
            split.examples[:] = some
    tasks["made-up"].dev["dev"].examples[3] = Example("3", "", None, 0)
    answers, rows_of = {}, frozen.scores.rows

    def listening(task, dev, gold, predicted, baseline=None):
        if baseline is None:
            answers[task.name, dev] = gold, predicted
        return rows_of(task, dev, gold, predicted, baseline)

    settings = FrozenSettings(tasks=("made-up", "pairs", "score"), seed=4)
    examples = FrozenProbe().prepare(settings, tokenizer, tiny_series)
    monkeypatch.setattr(frozen.scores, "rows", listening)
    rows, _ = FrozenProbe().measure(encoder, examples)
    assert {one["seed"] for one in rows} == {4}
    assert {one["baseline"] for one in rows} == {None, "majority", "tf-idf"}
    for name, made in tasks.items():
        features = plain_features(encoder.model, tokenizer, made.train.examples)
        mean, deviation = features.mean(0), features.std(0)
        scaled, labels = (features - mean) / deviation, np.array([each.label for each in made.train.examples])
        for dev, split in made.dev.items():
            new = (plain_features(encoder.model, tokenizer, split.examples) - mean) / deviation
            if name == "score":  # ridge regression in closed form
                weights = np.linalg.solve(
                    scaled.T @ scaled + 100 * np.eye(scaled.shape[1]), scaled.T @ (labels - labels.mean())
                )
                expected = new @ weights + labels.mean()
            else:
                expected = LogisticRegression(C=0.1, max_iter=500).fit(scaled, labels).predict(new)
            gold, predicted = answers[name, dev if len(made.dev) > 1 else ""]
            assert gold.tolist() == [example.label for example in split.examples]
            np.testing.assert_allclose(predicted, expected, atol=1e-3)
    totals = {(one["task"], one["group"]): one for one in rows if (one["metric"], one["baseline"]) == ("score", None)}
    assert {key: one["n"] for key, one in totals.items()} == {
        ("made-up", ""): 20,
        ("score", ""): 20,
        ("pairs", ""): 40,
        ("pairs", "matched"): 20,
        ("pairs", "mismatched"): 20,
    }
    halves = [totals["pairs", dev]["value"] for dev in ("matched", "mismatched")]
    assert totals["pairs", ""]["value"] == pytest.approx(np.mean(halves))
    data = examples.tasks["made-up"]
    model = frozen._fitted(frozen._features(data.examples, frozen._means(encoder, examples)), data)
    features = plain_features(encoder.model, tokenizer, tasks["made-up"].train.examples)
    scaled = (features - features.mean(0)) / features.std(0)
    oracle = LogisticRegression(C=0.1, max_iter=500).fit(scaled, data.labels)
    np.testing.assert_allclose(model[-1].coef_, oracle.coef_, atol=1e-3)


def test_frozen_vectors_are_of_the_precision_that_was_asked_for(tasks, encoder, tokenizer, tiny_series):
    vectors = []
    for precision in ("float32", "bfloat16"):
        settings = FrozenSettings(tasks=("made-up",), train=8, precision=precision)
        means = frozen._means(encoder, FrozenProbe().prepare(settings, tokenizer, tiny_series))
        vectors.append(np.stack([*means.values()]))
    assert not np.array_equal(*vectors)
    np.testing.assert_allclose(*vectors, atol=0.1)
