"""What a task's measurements depend on: each of its files alone, and nothing else."""

import gzip
import io
import json
import os
from dataclasses import replace

import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.tasks import catalogue, glue, squad, topics
from tests.edited import edit

COVERS = ("embryology/tasks/catalogue.py",)
FILES = {
    "RTE": ("train.tsv", "dev.tsv"),
    "MNLI": ("train.tsv.gz", "dev_matched.tsv", "dev_mismatched.tsv.gz"),
    "CoLA": ("train-part.tsv", "dev.tsv"),
    "SQuAD": ("train-v2.0.json", "dev-v2.0.json"),
}


def folder_of(data, name):
    return data / (squad.FOLDER if name == "SQuAD" else f"{glue.PLACE}/{name}")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Every file with bytes of its own, of which an identity reads no more."""
    data = tmp_path / "data"
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(data))
    for name, files in FILES.items():
        for file in files:
            path = folder_of(data, name) / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{name} {file}".encode())
    return data


def keys():
    return {name: json.dumps(catalogue.identity(name), sort_keys=True) for name in (*FILES, "topic", "hub:RTE")}


@pytest.mark.parametrize(("name", "file"), [(name, file) for name, files in FILES.items() for file in files])
def test_a_key_changes_with_each_of_the_tasks_files_alone(data, name, file):
    before, path = keys(), folder_of(data, name) / file
    edit(path, path.read_bytes()[:-1] + b"#")
    assert [other for other, key in keys().items() if key != before[other]] == [name]


def test_keys_differ_by_task_and_stay_where_nothing_that_is_read_changes(data, tmp_path, monkeypatch):
    before = keys()
    assert len(set(before.values())) == len(before)
    (data / glue.PLACE / "README.md").write_text("read me")
    (folder_of(data, "RTE") / "notes.txt").write_text("note")
    (folder_of(data, "SQuAD") / "train-part-v2.0.json").write_text("not read where the whole set is there")
    for file in data.rglob("*.tsv*"):
        os.utime(file, (0, 0))
    data.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path / "elsewhere"))
    assert keys() == before


def test_keys_of_what_comes_with_a_package_or_from_the_hub(data, monkeypatch):
    before = keys()
    monkeypatch.setattr(topics.metadata, "version", lambda name: "99")
    monkeypatch.setattr(glue, "HUB", "another/copy")
    assert [name for name, key in keys().items() if key != before[name]] == ["topic", "hub:RTE"]
    assert catalogue.identity("hub:SQuAD") == {"hub": "rajpurkar/squad_v2"}


def test_tasks_are_trainable_whose_whole_sets_are_there(data):
    assert catalogue.trainable() == ["MNLI", "RTE", "SQuAD"]  # of CoLA there is a part
    (folder_of(data, "MNLI") / "dev_mismatched.tsv.gz").unlink()
    (folder_of(data, "SQuAD") / "train-v2.0.json").unlink()
    assert catalogue.trainable() == ["RTE"]
    (folder_of(data, "RTE") / "train.tsv").unlink()
    assert catalogue.trainable() == []


def test_known_counts_are_those_of_the_papers():
    """Of all labelled examples that are published; MNLI's two sets have 9,815 and 9,832."""
    published = {"CoLA": 9_594, "SST-2": 68_221, "MRPC": 4_076, "STS-B": 7_249, "QQP": 404_276, "QNLI": 110_206}
    published |= {"MNLI": 392_702 + 19_647, "RTE": 2_767, "WNLI": 706}
    assert {name: sum(parts.values()) for name, parts in glue.EXAMPLES.items()} == published
    assert squad.SOURCES[0].known == {"dev": {"questions": 5_928 + 5_945, "without an answer": 5_945}}


def questions(n, unanswerable):
    asked = [
        {"id": str(i), "question": "Who?", "is_impossible": i < unanswerable}
        | {"answers": [] if i < unanswerable else [{"text": "A", "answer_start": 0}]}
        for i in range(n)
    ]
    return json.dumps({"data": [{"paragraphs": [{"context": "A paragraph.", "qas": asked}]}]})


RTE = "index\tsentence1\tsentence2\tlabel\n" + "0\tA.\tB.\tentailment\n" * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, ""),
        ({"RTE train": 2}, "RTE train has 3 examples instead of 2"),
        ({"RTE dev": 4}, "RTE dev has 3 examples instead of 4"),
        ({"questions": 6}, "SQuAD dev has 5 questions instead of 6"),
        ({"questions": 4}, "SQuAD dev has 5 questions instead of 4"),
        ({"without an answer": 1}, "SQuAD dev has 2 without an answer instead of 1"),
    ],
)
def test_counts_that_are_known_have_to_hold(tmp_path, monkeypatch, changes, message):
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    for name, text in (("train.tsv", RTE), ("dev.tsv", RTE), ("train-part.tsv", RTE[:-1])):
        path = folder_of(tmp_path, "RTE") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder_of(tmp_path, "SQuAD").mkdir(parents=True)
    for name, n in (("train", 9), ("dev", 5)):  # of the training set no count is known
        (folder_of(tmp_path, "SQuAD") / f"{name}-v2.0.json.gz").write_bytes(gzip.compress(questions(n, 2).encode()))
    known = {"RTE train": 3, "RTE dev": 3, "questions": 5, "without an answer": 2} | changes
    rte = next(source for source in glue.SOURCES if source.name == "RTE")
    rte = replace(rte, known={part: {"examples": known[f"RTE {part}"]} for part in ("train", "dev")})
    answers = {"dev": {what: known[what] for what in ("questions", "without an answer")}}
    monkeypatch.setattr(squad, "SOURCES", (replace(squad.SOURCES[0], known=answers),))
    monkeypatch.setattr(catalogue, "OWN", (rte, *squad.SOURCES))
    console = Console(file=io.StringIO(), width=200)
    if message:
        with pytest.raises(EmbryologyError, match=f"^1 known counts do not hold: {message};"):
            catalogue.check(console)
    else:
        catalogue.check(console)
    assert "RTE: train 3, dev 3\n" in console.file.getvalue()
    (folder_of(tmp_path, "RTE") / "dev.tsv").write_text(RTE + "3\tA.\tB.\tperhaps\n")
    with pytest.raises(EmbryologyError, match="perhaps"):
        catalogue.check(Console(quiet=True))
    assert "SQuAD dev: 5 questions, 2 without an answer" in console.file.getvalue()
