"""Questions on paragraphs as a model reads them, in windows; and what its scores of places answer.

As in BERT's ``run_squad.py``: a paragraph too long for the model is read in windows that overlap, ``[CLS]`` stands for
"no answer", and the answer is the span of the greatest sum of scores, if that is greater than the sum at ``[CLS]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embryology.errors import EmbryologyError
from embryology.tasks import drawn, squad
from embryology.tasks.squad import Question

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.models.finetuning import Inputs

MOST_PIECES = 30
"""Of an answer."""
NAME, LABEL = "SQuAD", "questions on paragraphs (SQuAD 2.0)"


@dataclass(frozen=True)
class Windows:
    inputs: Inputs
    question: np.ndarray
    """(windows,) int64: of which question each is."""
    places: list[np.ndarray]
    """Of every window (pieces, 2) int64: where in the paragraph each piece begins and ends, in characters; -1 for
    pieces of no paragraph."""
    labels: np.ndarray
    """(windows, 2) int64: the first and the last piece of the question's first answer; 0, which is ``[CLS]``, where the
    window does not hold it."""


@dataclass(frozen=True)
class Prepared:
    train: Windows
    questions: list[Question]
    """Of development."""
    dev: Windows
    label: str
    """For figures: how much of the train set."""


def read(most: int | None, seed: int, tokenizer: PreTrainedTokenizerFast, longest: int, hub: bool = False) -> Prepared:
    """SQuAD, at most ``most`` of its training questions drawn evenly.

    Raises:
        EmbryologyError: its data are malformed or not there, or it has no train set.
    """
    data = squad.from_hub() if hub else squad.find()
    if data.train is None:
        raise EmbryologyError(f"the task {NAME!r} has no train set here, so that nothing can be trained for it")
    questions = drawn(data.train, most, seed)
    label = f"{LABEL}, {len(questions):,} of {len(data.train):,} training questions"
    return Prepared(windows(tokenizer, questions, longest), data.dev, windows(tokenizer, data.dev, longest), label)


def windows(tokenizer: PreTrainedTokenizerFast, questions: Sequence[Question], longest: int) -> Windows:
    """Question and paragraph in windows of at most ``longest`` ids, a quarter of which overlap.

    Of a question longer than half of that the beginning is read.
    """
    from embryology.models.finetuning import Inputs  # late: it loads torch

    alone = tokenizer(
        [question.question for question in questions],
        add_special_tokens=False,
        truncation=True,
        max_length=longest // 2,
        return_offsets_mapping=True,
    )
    texts = [
        question.question[: places[-1][1] if places else 0]
        for question, places in zip(questions, alone["offset_mapping"], strict=True)
    ]
    pairs = tokenizer(
        texts,
        [question.context for question in questions],
        truncation="only_second",
        max_length=longest,
        stride=longest // 4,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
    )
    owners, all_places, labels = pairs["overflow_to_sample_mapping"], [], []
    for number, owner in enumerate(owners):
        places = np.array(pairs["offset_mapping"][number], np.int64)
        places[[side != 1 for side in pairs.sequence_ids(number)]] = -1
        all_places.append(places)
        labels.append(_label(places, questions[owner]))
    inputs = Inputs(pairs["input_ids"], pairs["token_type_ids"])
    return Windows(inputs, np.array(owners), all_places, np.array(labels, np.int64).reshape(-1, 2))


def _label(places: np.ndarray, question: Question) -> tuple[int, int]:
    inside = np.flatnonzero(places[:, 1] > places[:, 0])
    if not question.answers or not len(inside):
        return 0, 0
    text, start = question.answers[0]
    end = start + len(text)
    if places[inside[0], 0] > start or places[inside[-1], 1] < end:
        return 0, 0
    answer = inside[(places[inside, 1] > start) & (places[inside, 0] < end)]
    return (int(answer[0]), int(answer[-1])) if len(answer) else (0, 0)


def answers(cut: Windows, questions: Sequence[Question], scores: Sequence[np.ndarray]) -> dict[str, str]:
    """The answer to every question, by its id; empty for "no answer".

    Args:
        cut: of :func:`windows`.
        questions: the same.
        scores: of every window (pieces, 2): of each piece as the first and as the last of the answer.
    """
    best = np.full(len(questions), -np.inf)
    none = np.full(len(questions), np.inf)
    texts = [""] * len(questions)
    for owner, places, of_window in zip(cut.question, cut.places, scores, strict=True):
        none[owner] = min(none[owner], of_window[0].sum())
        inside = np.flatnonzero(places[:, 1] > places[:, 0])
        if not len(inside):
            continue
        sums = of_window[inside, 0][:, None] + of_window[inside, 1]
        sums[~np.tri(len(inside), k=MOST_PIECES - 1, dtype=bool)] = -np.inf  # ends too far on
        sums[np.tri(len(inside), k=-1, dtype=bool)] = -np.inf  # ends before it begins
        first, last = divmod(int(sums.argmax()), len(inside))
        if sums[first, last] > best[owner]:
            best[owner] = sums[first, last]
            begin, end = places[inside[first], 0], places[inside[last], 1]
            texts[owner] = questions[owner].context[begin:end].strip()
    return {
        question.id: text if high > low else ""
        for question, text, high, low in zip(questions, texts, best, none, strict=True)
    }
