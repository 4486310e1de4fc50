"""What a series says in plain sentences at every checkpoint, in the form in which a page's script reads it."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from embryology.specs.completions import ANSWER, GAP, RECONSTRUCTION


def packed(items: pd.DataFrame, percent: Callable[[float], str]) -> dict[str, Any]:
    """All answers of a series, each text once.

    Args:
        items: of the completions probe.
        percent: how a probability is written.

    Returns:
        ``steps``; ``texts``, every answer once; ``sentences``, each with its ``text``, its ``words`` as (start, end)
        and its ``gap``, that and the number of pieces; ``given``, by step and sentence a number a word, -1 where it is
        right, else of the answer in ``texts``; ``answers``, by step and sentence (number in ``texts``, probability to
        three decimals and in words, whether it is right, 0 or 1) by rank; and ``own``, the probability of the word
        itself, in words.
    """
    texts: dict[str, int] = {}

    def number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    steps = sorted(int(step) for step in items["step"].unique())
    tables = {task: dict(iter(own.groupby(["step", "sentence"]))) for task, own in items.groupby("task")}
    first = items[(items["step"] == steps[0]) & items["task"].isin([GAP, RECONSTRUCTION])]
    names = sorted(first["sentence"].unique())
    given: list[list[list[int]]] = []
    answers: list[list[list[list[Any]]]] = []
    own: list[list[str]] = []
    sentences = []
    for name in names:
        words, gap = (_of(tables, task, steps[0], name) for task in (RECONSTRUCTION, GAP))
        text = (words if len(words) else gap)["text"].iloc[0]
        spans = [[int(word.start), int(word.end)] for word in words.itertuples()]
        about = [[int(row.start), int(row.end), int(row.pieces)] for row in gap.itertuples()]
        sentences.append({"text": text, "words": spans, "gap": about[0] if about else None})
    for step in steps:
        given.append([])
        answers.append([])
        own.append([])
        for name in names:
            words, said, gap = (_of(tables, task, step, name) for task in (RECONSTRUCTION, ANSWER, GAP))
            given[-1].append([-1 if word.correct else number(word.answer) for word in words.itertuples()])
            answers[-1].append(
                [
                    [number(row.answer), round(row.probability, 3), percent(row.probability), int(row.correct)]
                    for row in said.itertuples()
                ]
            )
            own[-1].append(percent(gap["probability"].iloc[0]) if len(gap) else "")
    told = {"given": given, "answers": answers, "own": own}
    return {"steps": steps, "texts": [*texts], "sentences": sentences, **told}


def halfway(items: pd.DataFrame) -> int:
    """The first step at which at least half as many words are given back as at the last one; there a page opens."""
    words = items[items["task"] == RECONSTRUCTION]
    right = words.groupby("step")["correct"].sum()
    return int(right.index[right >= right.iloc[-1] / 2][0] if len(right) else items["step"].max())


def _of(tables: dict[Any, dict[Any, pd.DataFrame]], task: str, step: int, sentence: str) -> pd.DataFrame:
    """The items of a task at a checkpoint, of one sentence: by rank, or by place."""
    columns = ["text", "start", "end", "pieces", "rank", "answer", "probability", "correct"]
    there = tables.get(task, {}).get((step, sentence))
    return pd.DataFrame(columns=columns) if there is None else there.sort_values(["rank", "start"])
