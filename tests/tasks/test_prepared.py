"""A task as models read it: which examples are drawn, what stands beside what, and which texts are looked for."""

import numpy as np
import pytest

from embryology import intervals
from embryology.tasks import Example, Split, Task, baselines, catalogue, drawn, prepared, squad
from embryology.tasks.squad import Data, Question


def examples(n, pairs=False, begin=0):
    """Labels by no rule; lengths differ, so that inputs tell examples apart."""
    return [
        Example(str(i), "The city" + " film" * (i % 7), f"It is {i}." if pairs else None, int(i * i % 5 < 2))
        for i in range(begin, begin + n)
    ]


@pytest.fixture
def made(monkeypatch):
    def task(name, pairs, dev, classes=("no", "yes"), metrics=("accuracy",)):
        development = {part: Split(examples(n, pairs, 50 * number)) for number, (part, n) in enumerate(dev.items(), 1)}
        return Task(name, "made up", classes, metrics, Split(examples(40, pairs)), development)

    tasks = {
        "single": task("single", False, {"dev": 9}),
        "pairs": task("pairs", True, {"matched": 4, "mismatched": 3}),
        "scores": task("scores", True, {"dev": 5}, (), ("pearson",)),
    }
    monkeypatch.setattr(catalogue, "find", lambda name: tasks[name])
    monkeypatch.setattr(intervals, "RESAMPLES", 20)  # of the baselines, whose intervals are tested elsewhere
    return tasks


def test_some_are_drawn_by_a_seed_and_stay_in_their_order():
    draws = [tuple(drawn(range(50), 20, seed)) for seed in (0, 1, 0)]
    assert draws[0] == draws[2] != draws[1]
    assert all(len(set(draw)) == 20 and list(draw) == sorted(draw) for draw in draws)
    assert max(draws[0]) > 25  # not the first ones
    often = np.bincount(np.concatenate([drawn(range(50), 20, seed) for seed in range(100)]), minlength=50)
    assert 20 < often.min() < often.max() < 60  # of 40 that are expected
    assert drawn("abc", None, 0) == drawn("abc", 3, 0) == list("abc")


@pytest.mark.parametrize("name", ["single", "pairs", "scores"])
def test_inputs_stand_beside_their_labels(made, tokenizer, name):
    read, whole = prepared.read(name, 15, 3, tokenizer, 64), made[name]
    assert read.examples == drawn(whole.train.examples, 15, 3) != drawn(whole.train.examples, 15, 0)
    assert read.label == "made up, 15 of 40 training examples"
    assert read.labels.tolist() == [example.label for example in read.examples]
    assert read.labels.dtype == (np.float32 if name == "scores" else np.int64)
    parts = [(read.train, read.examples), *read.dev.values()]
    assert [given for _, given in parts[1:]] == [split.examples for split in whole.dev.values()]
    for inputs, given in parts:
        for ids, types, example in zip(inputs.ids, inputs.types, given, strict=True):
            texts = [example.first] if example.second is None else [example.first, example.second]
            assert ids == tokenizer(*texts)["input_ids"]
            assert types.count(1) == len(ids) - len(tokenizer(example.first)["input_ids"])


def test_baselines_learn_from_the_drawn_examples_alone(made, tokenizer):
    """One of a single class, where all of them have two."""
    of_one = [
        seed for seed in range(2000) if len({e.label for e in drawn(made["single"].train.examples, 3, seed)}) == 1
    ]
    read = prepared.read("single", 3, of_one[0], tokenizer, 64)
    constant = read.examples[0].label
    share = np.mean([example.label == constant for example in made["single"].dev["dev"].examples])
    scores = {row["baseline"]: row["value"] for row in read.baselines if row["metric"] == "accuracy"}
    assert scores == {"majority": pytest.approx(share), "tf-idf": pytest.approx(share)}
    assert read.baselines != baselines.rows(made["single"], made["single"].train.examples)


def test_texts_are_those_that_models_are_scored_on_with_the_ids_of_their_items(made, monkeypatch):
    asked = [Question("q1", "Who?", "A paragraph.", ()), Question("q2", "When?", "Another.", ())]
    monkeypatch.setattr(squad, "find", lambda: Data([Question("t", "Not this.", "Nor this.", ())], asked))
    table = prepared.texts(["single", "pairs", "SQuAD"])
    assert table.columns.tolist() == ["task", "item_id", "text", "word"]
    assert table["item_id"].tolist() == [
        *(f"single:dev:{i}" for i in range(50, 59)),
        *(f"pairs:matched:{i}" for i in range(50, 54)),
        *(f"pairs:mismatched:{i}" for i in range(100, 103)),
        "SQuAD:dev:q1",
        "SQuAD:dev:q2",
    ]
    texts = dict(zip(table["item_id"], table["text"], strict=True))
    assert texts["pairs:mismatched:101"] == "The city" + " film" * 3 + "\nIt is 101."
    assert texts["single:dev:51"] == "The city film film"
    assert texts["SQuAD:dev:q2"] == "When?\nAnother."
    assert set(table["task"]) == {"single", "pairs", "SQuAD"}
    assert set(table["word"]) == {""}


@pytest.mark.parametrize(
    ("there", "spans", "tasks"),
    [
        (["CoLA", "WNLI", "SQuAD"], True, ("CoLA", "SQuAD")),
        (["CoLA", "WNLI", "SQuAD"], False, ("CoLA",)),
        (["WNLI"], True, ("topic",)),
        (["SQuAD"], False, ("topic",)),
        ([], True, ("topic",)),
    ],
)
def test_tasks_are_chosen_as_in_the_paper(monkeypatch, there, spans, tasks):
    monkeypatch.setattr(catalogue, "trainable", lambda: there)
    assert prepared.chosen("auto", spans) == tasks
