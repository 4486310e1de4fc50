"""Readers of GLUE's and SQuAD's files, the bundled task, and the official metrics."""

import gzip
import io
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from embryology import intervals
from embryology.corpus import articles
from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.tasks import Example, catalogue, glue, scores, squad, topics

COVERS = (
    "embryology/tasks/glue.py",
    "embryology/tasks/hub.py",
    "embryology/tasks/scores.py",
    "embryology/tasks/squad.py",
    "embryology/tasks/topics.py",
)
RTE = 'index\tsentence1\tsentence2\tlabel\n0\tIt rains.\tThe "grass is wet.\tnot_entailment\n1\tA.\tB.\tentailment\n'


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "dev"):
        write(tmp_path / "RTE" / f"{split}.tsv", RTE)
    return tmp_path


def test_pairs_are_read_with_their_labels_as_numbers(folder):
    task = glue.read(folder, "RTE")
    first, second = task.train.examples
    assert (first.first, first.second, first.label) == ("It rains.", 'The "grass is wet.', 0)  # quotes are text
    assert (second.second, second.label) == ("B.", 1)
    assert task.classes == ("not_entailment", "entailment")
    assert list(task.dev) == ["dev"]


def test_cola_has_no_header_and_sts_b_a_score(tmp_path):
    for split in ("train", "dev"):
        write(tmp_path / "CoLA" / f"{split}.tsv.gz", "gj04\t1\t\tThey drank.\ngj04\t0\t*\tThey drank the.\n")
        write(tmp_path / "STS-B" / f"{split}.tsv", "index\tsentence1\tsentence2\tscore\n0\tA.\tB.\t3.25\n")
    cola, similarity = (glue.read(tmp_path, name) for name in ("CoLA", "STS-B"))
    assert [(example.first, example.label) for example in cola.dev["dev"].examples] == [
        ("They drank.", 1),
        ("They drank the.", 0),
    ]
    assert similarity.train.examples[0].label == 3.25
    assert similarity.classes == ()


def test_mnli_has_two_development_sets_and_parts_are_told(tmp_path):
    text = "sentence1\tsentence2\tgold_label\nA.\tB.\tneutral\n"
    write(tmp_path / "MNLI" / "dev_matched.tsv", text)
    write(tmp_path / "MNLI" / "train-part.tsv", text)
    task = glue.read(tmp_path, "MNLI")
    assert task.train.part
    assert list(task.dev) == ["matched"]
    write(tmp_path / "MNLI" / "dev_mismatched.tsv", "\ufeff" + text)  # some copies begin with a byte order mark
    assert list(glue.read(tmp_path, "MNLI").dev) == ["matched", "mismatched"]


def test_the_whole_train_set_is_read_where_a_part_is_there_too(folder):
    write(folder / "RTE" / "train-part.tsv", RTE[: RTE.index("1\tA.")])
    task = glue.read(folder, "RTE")
    assert (len(task.train.examples), task.train.part) == (2, False)


METRICS = {
    "CoLA": ("matthews",),
    "SST-2": ("accuracy",),
    "MRPC": ("accuracy", "f1"),
    "STS-B": ("pearson", "spearman"),
    "QQP": ("accuracy", "f1"),
    "MNLI": ("accuracy",),
    "QNLI": ("accuracy",),
    "RTE": ("accuracy",),
    "WNLI": ("accuracy",),
}
"""GLUE's, of table 1 of its paper."""


def test_tasks_have_glues_metrics_and_class_one_is_that_of_f1():
    assert {name: layout.metrics for name, layout in glue.TASKS.items()} == METRICS
    assert {layout.classes.index("1") for layout in glue.TASKS.values() if "1" in layout.classes} == {1}
    assert {name for name, layout in glue.TASKS.items() if layout.second is None} == {"CoLA", "SST-2"}
    assert glue.TASKS["MNLI"].dev == ("dev_matched", "dev_mismatched")


def test_a_task_without_a_train_set_has_none(folder):
    (folder / "RTE" / "train.tsv").unlink()
    assert glue.read(folder, "RTE").train is None


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("train.tsv", RTE + "2\tA.\tB.\n", r"train\.tsv, line 4: ragged line: 3 fields instead of 4"),
        ("train.tsv", RTE + "2\tA.\tB.\tmaybe\n", r"train\.tsv, line 4: unknown label: 'maybe' is none of not_ent"),
        ("train.tsv", "index\tsentence1\tlabel\n", r"train\.tsv, line 1: no column sentence2"),
        ("dev.tsv", RTE.splitlines()[0], r"dev\.tsv holds no examples"),
        ("dev.tsv", "", r"dev\.tsv holds no examples"),
    ],
)
def test_what_is_malformed_is_said_with_file_and_line(folder, file, text, message):
    write(folder / "RTE" / file, text)
    with pytest.raises(EmbryologyError, match=message):
        glue.read(folder, "RTE")


def test_a_score_outside_the_task_and_a_missing_development_set_are_said(tmp_path):
    write(tmp_path / "STS-B" / "dev.tsv", "sentence1\tsentence2\tscore\nA.\tB.\t5.5\n")
    with pytest.raises(EmbryologyError, match=r"dev\.tsv, line 2: no score: '5\.5' is no number from 0 to 5"):
        glue.read(tmp_path, "STS-B")
    (tmp_path / "STS-B" / "dev.tsv").unlink()
    with pytest.raises(EmbryologyError, match=r"STS-B holds no dev\.tsv"):
        glue.read(tmp_path, "STS-B")


def test_bad_lines_are_counted_where_that_is_asked_for(folder):
    write(folder / "RTE" / "train.tsv", RTE + "2\tA.\n3\tA.\tB.\tmaybe\n")
    task = glue.read(folder, "RTE", skip_bad=True)
    assert len(task.train.examples) == 2
    assert task.train.skipped == {"ragged line": 1, "unknown label": 1}


@given(st.lists(st.binary(max_size=40), max_size=4))
@settings(max_examples=100)
def test_only_our_own_error_comes_out_of_any_bytes(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("glue")
    write(folder / "RTE" / "dev.tsv", RTE)
    (folder / "RTE" / "train.tsv").write_bytes(RTE.encode() + b"\n".join(lines))
    (folder / "dev.json").write_bytes(b"\n".join(lines))
    for read in (lambda: glue.read(folder, "RTE"), lambda: squad.read(folder / "dev.json")):
        try:
            assert read()
        except EmbryologyError:
            continue


def test_topics_are_told_of_articles_that_were_held_out(monkeypatch):
    """A topic of exactly the fewest held-out articles is a class, one of less is none however many are read."""
    monkeypatch.setattr(articles, "is_held_out", lambda title: title.startswith("out"))
    of_topics = {"Arts": (20, 30), "Maths": (19, 300), "Zoos": (25, 40), topics.NONE: (50, 50)}
    titles = [
        (f"{side}{n}", topic)
        for topic, both in of_topics.items()
        for side, m in zip(("out", "in"), both, strict=True)
        for n in range(m)
    ]
    found = [articles.Article(f"{topic} {title}", title, f"text of {title}") for title, topic in titles]
    found[0] = articles.Article("Arts out0", "out0", " ")  # without text
    monkeypatch.setattr(articles, "bundled", lambda: iter(found))
    monkeypatch.setattr(articles, "descriptions", lambda: ((title, "", topic) for title, topic in titles))
    assert topics.read().classes == ("Zoos",)
    found[0] = articles.Article("Arts out0", "out0", "text")
    task = topics.read()
    assert task.classes == ("Arts", "Zoos")
    for split, side, (arts, zoos) in ((task.train, "in", (30, 40)), (task.dev["dev"], "out", (20, 25))):
        assert [example.id for example in split.examples] == [
            *(f"Arts {side}{n}" for n in range(arts)),
            *(f"Zoos {side}{n}" for n in range(zoos)),
        ]
        assert [example.label for example in split.examples] == [0] * arts + [1] * zoos


def test_the_bundled_articles_have_topics_enough():
    task = topics.read()
    assert len(task.classes) >= 5
    assert len(task.train.examples) > 10 * len(task.dev["dev"].examples)


def question(answers=(("Denver Broncos", 4),), context="The Denver Broncos won.", impossible=False):
    given = [{"text": text, "answer_start": start} for text, start in answers]
    asked = {"id": "q1", "question": "Who won?", "is_impossible": impossible, "answers": given}
    return {"version": "v2.0", "data": [{"title": "x", "paragraphs": [{"context": context, "qas": [asked]}]}]}


def test_questions_are_read_from_squads_layout(tmp_path):
    write(tmp_path / "dev.json.gz", json.dumps(question()))
    (asked,) = squad.read(tmp_path / "dev.json.gz")
    assert asked.answers == (("Denver Broncos", 4),)
    write(tmp_path / "dev.json", json.dumps(question([], impossible=True)))
    assert squad.read(tmp_path / "dev.json")[0].answers == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            json.dumps(question((("Broncos", 4),))),
            r"dev\.json, question q1: the answer 'Broncos' does not stand at char",
        ),
        (json.dumps(question((("x", -1),))), "does not stand at character -1"),
        (json.dumps(question(())), "question q1: it is answerable and has no answer"),
        ('{"data": []}', "holds no questions"),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', r"data\.0\.paragraphs\.0\.context: Field required"),
        ("{broken", "Invalid JSON"),
    ],
)
def test_what_is_no_squad_is_said(tmp_path, content, message):
    write(tmp_path / "dev.json", content)
    with pytest.raises(EmbryologyError, match=message):
        squad.read(tmp_path / "dev.json")


@pytest.mark.parametrize(
    ("answers", "prediction", "exact", "f1"),
    [
        ((("Denver Broncos", 0),), "the denver  broncos!", 1, 1),
        ((("Denver Broncos", 0),), "Broncos", 0, 2 / 3),
        ((("Denver", 0), ("Broncos", 0)), "Broncos", 1, 1),  # the best of its answers
        ((("Denver", 0),), "", 0, 0),
        ((), "", 1, 1),
        ((), "Denver", 0, 0),
        ((("the", 0),), "", 1, 1),  # an answer of articles alone is none
        ((("a a b", 0),), "b b", 0, 2 / 3),
        ((("two two b", 0),), "two c two d", 0, 4 / 7),
        ((("b", 0), ("two c", 0)), "two", 0, 2 / 3),
    ],
)
def test_the_metric_is_that_of_hand_checked_answers(answers, prediction, exact, f1):
    asked = [squad.Question("q", "?", "", answers)]
    assert squad.by_question(asked, {"q": prediction}).tolist() == [[exact, pytest.approx(f1)]]
    both = squad.by_question([*asked, replace(asked[0], id="other")], {"q": prediction, "other": "x y"})
    assert both[0].tolist() == squad.by_question(asked, {"q": prediction})[0].tolist()
    assert squad.by_question(asked, {}).tolist() == squad.by_question(asked, {"q": ""}).tolist()


OFFICIAL = {
    "bert_single": (78.742, 81.775, 74.106, 80.182, 83.364),
    "nlnet_single": (75.828, 78.778, 69.619, 75.528, 82.019),
    "bidaf_selfatt_elmo_single": (65.704, 67.876, 61.420, 65.772, 69.975),
}
"""Exact and F1 of all, of answerable questions, and of the others, as the data's README has them."""


@pytest.mark.skipif(data_folder() is None, reason="EMBRYOLOGY_DATA is not set")
def test_three_systems_get_their_official_scores():
    questions = squad.find().dev
    answerable = np.array([bool(question.answers) for question in questions])
    parts = (np.full(len(questions), True), answerable, ~answerable)
    for name, known in OFFICIAL.items():
        file = data_folder() / squad.FOLDER / "predictions" / f"{name}.json.gz"
        scores_by_question = 100 * squad.by_question(questions, json.loads(gzip.decompress(file.read_bytes())))
        of_all, of_answerable, (of_others, _) = (scores_by_question[part].mean(axis=0) for part in parts)
        assert tuple(np.round([*of_all, *of_answerable, of_others], 3)) == known


@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_their_definitions(seed):
    rng = np.random.default_rng(seed)
    gold, predicted = rng.integers(0, 2, (2, 60))
    (tp, fp), (fn, tn) = [[((gold == g) & (predicted == p)).sum() for g in (1, 0)] for p in (1, 0)]
    of = scores.METRICS
    assert of["accuracy"](gold, predicted) == pytest.approx((tp + tn) / 60)
    assert of["f1"](gold, predicted) == pytest.approx(2 * tp / (2 * tp + fp + fn))
    spread = np.sqrt(float(tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert of["matthews"](gold, predicted) == pytest.approx((tp * tn - fp * fn) / spread)
    gold, predicted = rng.normal(size=(2, 60))
    ranks = [values.argsort().argsort() for values in (gold, predicted)]
    assert of["pearson"](gold, predicted) == pytest.approx(np.corrcoef(gold, predicted)[0, 1])
    assert of["spearman"](gold, predicted) == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_means_have_the_intervals_of_resampled_items():
    right = np.random.default_rng(0).random((200, 2)) < (0.2, 0.7)
    rows = scores.means("x", ("exact", "f1"), right.astype(float))
    assert [row["metric"] for row in rows] == ["exact", "f1", "score"]
    for row, values in zip(rows, [right[:, 0], right[:, 1], right.mean(axis=1)], strict=True):
        spread = 1.96 * values.std() / np.sqrt(200)
        assert (row["value"], row["n"]) == (pytest.approx(values.mean()), 200)
        assert row["low"] == pytest.approx(values.mean() - spread, abs=0.2 * spread)
        assert row["high"] == pytest.approx(values.mean() + spread, abs=0.2 * spread)
    for row in scores.means("x", ("exact",), np.ones((9, 1))):  # where all are alike nothing else is drawn
        assert (row["value"], row["low"], row["high"]) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("metrics", [("accuracy",), ("f1", "accuracy")])
def test_intervals_are_those_of_items_drawn_one_by_one(metrics, monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 200)
    gold, predicted = np.random.default_rng(1).integers(0, 2, (2, 60))
    rng, draws = np.random.default_rng(intervals.SEED), []
    for pick in rng.integers(0, 60, (intervals.RESAMPLES, 60)):
        right, both = (gold[pick] == predicted[pick]).sum(), (gold[pick] * predicted[pick]).sum()
        f1 = 2 * both / (gold[pick].sum() + predicted[pick].sum())
        draws.append([{"accuracy": right / 60, "f1": f1}[metric] for metric in metrics])
    expected = np.column_stack([np.array(draws), np.mean(draws, axis=1)])
    found = scores.rows(SimpleNamespace(name="x", metrics=metrics), "", gold, predicted)
    assert [row["metric"] for row in found] == [*metrics, "score"]
    low, high = np.quantile(expected, [0.025, 0.975], axis=0, method="inverted_cdf")
    assert [row["low"] for row in found] == pytest.approx(list(low))
    assert [row["high"] for row in found] == pytest.approx(list(high))
    f1 = 2 * (gold * predicted).sum() / (gold.sum() + predicted.sum())
    values = [{"accuracy": (gold == predicted).mean(), "f1": f1}[metric] for metric in metrics]
    assert [row["value"] for row in found] == pytest.approx([*values, np.mean(values)])
    assert values[0] != values[-1] or len(metrics) == 1


def test_predictions_that_are_all_alike_have_no_correlation():
    gold = np.array([0, 1, 1, 0])
    for name in ("matthews", "pearson", "spearman"):
        assert scores.METRICS[name](gold, np.ones(4, int)) == 0
    assert scores.METRICS["f1"](gold, np.zeros(4, int)) == 0


def test_tasks_come_from_the_hub_too(monkeypatch):
    def load_dataset(name, config):
        assert (name, config) == ("nyu-mll/glue", "mnli")
        row = {"idx": 3, "premise": "A.", "hypothesis": "B.", "label": 2}
        hidden = [row | {"label": -1}]
        validation = {"validation_matched": [row], "validation_mismatched": [row | {"idx": 4}]}
        return {"train": [row, row], "test_matched": hidden, "test_mismatched": hidden} | validation

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    task = catalogue.find("hub:MNLI")
    assert task.name == "MNLI"
    assert [len(task.train.examples), *map(len, (split.examples for split in task.dev.values()))] == [2, 1, 1]
    assert task.dev["mismatched"].examples == [Example("4", "A.", "B.", 2)]
    assert catalogue.identity("hub:MNLI") == {"hub": "nyu-mll/glue"}

    def unreachable(*_):
        raise ConnectionError("no\nnetwork")

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", unreachable)
    with pytest.raises(EmbryologyError, match=r"nyu-mll/glue cannot be had from the Hub \(ConnectionError: no network"):
        catalogue.find("hub:SST-2")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(EmbryologyError, match="need the package 'datasets'"):
        catalogue.find("hub:SST-2")


def test_unknown_and_missing_tasks_are_said(monkeypatch):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    with pytest.raises(EmbryologyError, match="there is no task 'x'; choose one of CoLA"):
        catalogue.find("x")
    with pytest.raises(EmbryologyError, match="the task 'RTE' needs downstream/glue/RTE"):
        catalogue.find("RTE")


@pytest.mark.skipif(data_folder() is None, reason="EMBRYOLOGY_DATA is not set")
def test_known_counts_hold_and_what_is_missing_is_said():
    console = Console(file=io.StringIO(), width=200)
    catalogue.check(console)
    printed = console.file.getvalue()
    assert "CoLA: train 8,551, dev 1,043" in printed
    assert "QNLI: dev 5,463, no train set, not run" in printed
    assert "MNLI: train 3,000 (a part), matched 9,815" in printed
    assert "SQuAD dev: 11,873 questions, 5,945 without an answer" in printed
