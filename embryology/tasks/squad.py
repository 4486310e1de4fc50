"""SQuAD 2.0 (Rajpurkar, Jia and Liang 2018): questions on paragraphs, some without an answer, and their metric."""

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.specs.downstream import TASKS as LABELS
from embryology.specs.sources import Data as Found
from embryology.specs.sources import Source
from embryology.storage.files import sha256_of_files
from embryology.storage.lines import found
from embryology.tasks import hub

NAME, HUB = "SQuAD", "rajpurkar/squad_v2"
FOLDER = "downstream/squad"
"""In the folder of data."""
METRICS = ("exact", "f1")
ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class Question:
    id: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]
    """Texts and where they begin in ``context``, in characters; none where the context has no answer."""


@dataclass(frozen=True)
class Data:
    train: list[Question] | None
    """None where there is none: then the task is not run."""
    dev: list[Question]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Answer(_Record):
    text: str
    answer_start: int


class _Asked(_Record):
    id: str
    question: str
    is_impossible: bool
    answers: tuple[_Answer, ...]


class _Paragraph(_Record):
    context: str
    qas: tuple[_Asked, ...]


class _Article(_Record):
    paragraphs: tuple[_Paragraph, ...]


class _File(_Record):
    data: tuple[_Article, ...]


def files() -> dict[str, Path]:
    """The files that are there: ``dev``, and ``train`` or, of a part of it, ``train-part``."""
    data = data_folder()
    if data is None:
        return {}
    stems = ("train", "train-part", "dev")
    paths = {stem: path for stem in stems if (path := found(data / FOLDER / f"{stem}-v2.0.json"))}
    if "train" in paths:
        paths.pop("train-part", None)
    return paths


def find() -> Data:
    """The sets of the folder of data.

    Raises:
        EmbryologyError: there is no development set, or a file is malformed.
    """
    paths = files()
    if "dev" not in paths:
        raise EmbryologyError(
            f"the task {NAME!r} needs {FOLDER} in the folder that EMBRYOLOGY_DATA names, with train-v2.0.json and "
            "dev-v2.0.json (rajpurkar.github.io/SQuAD-explorer)"
        )
    train = paths.get("train") or paths.get("train-part")
    return Data(read(train) if train else None, read(paths["dev"]))


def from_hub() -> Data:
    """The same from the Hub, through ``datasets``.

    Raises:
        EmbryologyError: ``datasets`` is not installed, or the Hub cannot be reached.
    """

    def split(rows: Iterable[Mapping]) -> list[Question]:
        questions = []
        for row in rows:
            answers = tuple(zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True))
            questions.append(Question(row["id"], row["question"], row["context"], answers))
        return questions

    return hub.had(HUB, None, lambda sets: Data(split(sets["train"]), split(sets["validation"])))


def read(path: Path) -> list[Question]:
    """The questions of a file in SQuAD's JSON, optionally compressed.

    Raises:
        EmbryologyError: the file is missing, no such JSON or without questions; or an answer does not stand where it
            is said to, or an answerable question has none. The question is named.
    """
    try:
        with fsspec.open(str(path), "rt", encoding="utf-8", compression="infer") as stream:
            file = _File.model_validate_json(stream.read())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise EmbryologyError(f"{path}: {f'{place}: ' if place else ''}{first['msg']}; it is SQuAD's layout") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise EmbryologyError(f"{path} cannot be read: {error}") from error
    questions = [
        _checked(path, paragraph.context, asked)
        for article in file.data
        for paragraph in article.paragraphs
        for asked in paragraph.qas
    ]
    if not questions:
        raise EmbryologyError(f"{path} holds no questions; restore it")
    return questions


def _checked(path: Path, context: str, asked: _Asked) -> Question:
    answers = () if asked.is_impossible else tuple((answer.text, answer.answer_start) for answer in asked.answers)
    for text, start in answers:
        if start < 0 or context[start : start + len(text)] != text:
            raise EmbryologyError(
                f"{path}, question {asked.id}: the answer {text!r} does not stand at character {start}; fix it"
            )
    if not answers and not asked.is_impossible:
        raise EmbryologyError(f"{path}, question {asked.id}: it is answerable and has no answer; fix it")
    return Question(asked.id, asked.question, context, answers)


def normalised(text: str) -> str:
    """As the official script compares answers: small letters, without punctuation, articles and doubled spaces."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def by_question(questions: Sequence[Question], predictions: Mapping[str, str]) -> np.ndarray:
    """The official metric of each question: (questions, 2), ``exact`` and ``f1`` in [0, 1].

    Their means are the official scores of a set, and over questions with and without an answer those of ``HasAns`` and
    ``NoAns``. A question scores the best of its answers; one without an answer is right where the prediction is empty.
    F1 is that of words.

    Args:
        questions: of :func:`read`.
        predictions: text by id; a question without one counts as answered with nothing.
    """
    return np.array(
        [
            [max(score(gold, predictions.get(question.id, "")) for gold in _golds(question)) for score in (_exact, _f1)]
            for question in questions
        ]
    )


def _golds(question: Question) -> list[str]:
    return [text for text, _ in question.answers if normalised(text)] or [""]


def _exact(gold: str, prediction: str) -> float:
    return float(normalised(gold) == normalised(prediction))


def _f1(gold: str, prediction: str) -> float:
    golds, predicted = normalised(gold).split(), normalised(prediction).split()
    if not golds or not predicted:
        return float(golds == predicted)
    same = (Counter(golds) & Counter(predicted)).total()
    return 2 * same / (len(golds) + len(predicted))


def _find(name: str, part: str) -> Found:
    data, paths = data_folder(), files()
    if data is None or "dev" not in paths:
        find()  # says what is wrong
    assert data is not None
    identity = partial(sha256_of_files, data / FOLDER, tuple(paths.values()))
    return Found(name, LABELS[NAME], tuple(paths.values()), identity, lambda _: find())


def _find_on_hub(name: str, part: str) -> Found:
    return Found(name, LABELS[NAME], (), lambda: {"hub": HUB}, lambda _: from_hub())


SOURCES = (
    Source("task", NAME, _find, known={"dev": {"questions": 11_873, "without an answer": 5_945}}),
    Source("task", "squad-on-the-hub", _find_on_hub, lambda name: name == f"{hub.PREFIX}{NAME}", f"{hub.PREFIX}{NAME}"),
)
"""What they read is a :class:`Data`, and no task of labels."""
