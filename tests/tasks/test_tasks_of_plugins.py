"""A plug-in's task: found, read and counted, and refused in one line where it cannot be trained for."""

import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.specs import registry
from embryology.tasks import catalogue as tasks
from embryology.tasks import glue, prepared
from tests.plug_ins import forget


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forget()
    yield
    forget()


TASK = """
from pathlib import Path

from embryology.specs.sources import Data, Source
from embryology.tasks import Example, Split, Task

def split(file):
    lines = [line.split(" ", 1) for line in file.read_text().splitlines()]
    return Split([Example(str(number), text, None, float(label)) for number, (label, text) in enumerate(lines)])

def find(name, part):
    files = [Path(__file__).with_name(f"{split}.txt") for split in ("train", "dev")]

    def read(skip_bad):
        train, dev = map(split, files)
        return Task(name, "mine", ("no", "yes"), ("accuracy",), train, {"dev": dev})

    return Data(name, "mine", tuple(files), dict, read)

SOURCES = (Source("task", "polarity", find, known={"dev": {"examples": 2}}),)
"""


def test_a_plugins_task_is_found_read_and_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    (tmp_path / "train.txt").write_text("1 good\n0 bad\n1 fine\n")
    (tmp_path / "dev.txt").write_text("0 worse\n1 better\n")
    with pytest.raises(
        EmbryologyError, match=r"there is no task 'polarity'; choose one of CoLA, .*, topic, hub: before one of"
    ):
        prepared.chosen(("polarity",), spans=False)
    (tmp_path / "mine.py").write_text(TASK)
    registry.add(tmp_path / "mine.py")
    assert prepared.chosen(("polarity", "topic"), spans=False) == ("polarity", "topic")
    assert [example.first for example in tasks.find("polarity").train.examples] == ["good", "bad", "fine"]
    before = tasks.identity("polarity")
    assert before.keys() == {"files", "alone", "reader"}
    monkeypatch.setattr(tasks, "OWN", glue.SOURCES[:1])
    tasks.check(Console())
    assert "polarity: train 3, dev 2" in capsys.readouterr().out
    (tmp_path / "dev.txt").write_text("0 worse\n")
    with pytest.raises(EmbryologyError, match="polarity dev has 1 examples instead of 2"):
        tasks.check(Console())
    assert tasks.identity("polarity") != before
    (tmp_path / "mine.py").write_text(TASK.replace("return Task(", "return ("))
    forget()
    registry.add(tmp_path / "mine.py")
    with pytest.raises(EmbryologyError, match="the task 'polarity' of a plug-in is no Task"):
        tasks.find("polarity")


@pytest.mark.parametrize(
    ("classes", "metrics", "listed"),
    [
        ('("no", "yes")', '("acuracy",)', "acuracy; choose of those of 2 classes: accuracy, f1, matthews"),
        ('("no", "yes")', '("accuracy", "pearson")', "accuracy, pearson; choose of those of 2 classes: accuracy, f1, "),
        ('("no", "yes")', "()", "none; choose of those of 2 classes"),
        ('("no", "so", "yes")', '("f1",)', "f1; choose of those of 3 classes: accuracy, matthews"),
        ("()", '("accuracy",)', "accuracy; choose of those of scores: pearson, spearman"),
        ('("no", "yes")', '("accuracy", "f1", "matthews")', None),
        ('("no", "so", "yes")', '("matthews",)', None),
        ("()", '("spearman",)', None),
    ],
)
def test_metrics_that_a_plugins_task_cannot_have_are_one_line(tmp_path, monkeypatch, classes, metrics, listed):
    for split in ("train", "dev"):
        (tmp_path / f"{split}.txt").write_text("1 good\n0 bad\n")
    text = TASK.replace('("no", "yes"), ("accuracy",)', f"{classes}, {metrics}")
    (tmp_path / "mine.py").write_text(text)
    registry.add(tmp_path / "mine.py")
    monkeypatch.setattr(tasks, "OWN", glue.SOURCES[:1])
    for ask in (lambda: tasks.find("polarity"), lambda: tasks.check(Console(quiet=True))):
        if listed is None:
            ask()
            continue
        with pytest.raises(EmbryologyError) as refused:
            ask()
        assert str(refused.value).startswith(f"the task 'polarity' of a plug-in asks for the metrics {listed}")


@pytest.mark.parametrize(
    ("classes", "train", "dev", "said"),
    [
        (
            '("no", "yes")',
            "1 good\n2 bad\n",
            "0 worse\n",
            "has the label 2.0 at example '1' of train; labels are 0 to 1",
        ),
        ('("no", "yes")', "1 good\n", "0 worse\n-1 bad\n", "has the label -1.0 at example '1' of dev"),
        ('("no", "yes")', "0.5 good\n", "0 worse\n", "has the label 0.5 at example '0' of train"),
        ('("no", "yes")', "nan good\n", "0 worse\n", "has the label nan at example '0' of train"),
        ('("no", "yes")', "1 good\n", "", "has no examples in dev"),
        ("()", "0.5 good\n", "inf worse\n", "has the label inf at example '0' of dev; labels are finite numbers"),
        ("()", "0.5 good\n", "-7 worse\n", None),
    ],
)
def test_labels_that_a_plugins_task_cannot_have_are_one_line_before_anything_is_trained(
    tmp_path, classes, train, dev, said
):
    (tmp_path / "train.txt").write_text(train)
    (tmp_path / "dev.txt").write_text(dev)
    metrics = '("accuracy",)' if classes != "()" else '("pearson",)'
    (tmp_path / "mine.py").write_text(TASK.replace('("no", "yes"), ("accuracy",)', f"{classes}, {metrics}"))
    registry.add(tmp_path / "mine.py")
    if said is None:
        assert tasks.find("polarity").dev["dev"].examples[0].label == -7
        return
    with pytest.raises(EmbryologyError) as refused:
        tasks.find("polarity")
    assert str(refused.value).startswith(f"the task 'polarity' of a plug-in {said}")


def test_a_plugins_task_whose_labels_are_words_is_refused(tmp_path):
    for split in ("train", "dev"):
        (tmp_path / f"{split}.txt").write_text("yes good\n")
    (tmp_path / "mine.py").write_text(TASK.replace("float(label)", "label"))
    registry.add(tmp_path / "mine.py")
    with pytest.raises(EmbryologyError, match="has the label 'yes' at example '0' of train; labels are 0 to 1"):
        tasks.find("polarity")
