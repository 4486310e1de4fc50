"""Facts -> questions: a template filled with a subject, and as many masks as the object has pieces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from embryology.facts import OBJECT, SUBJECT, Fact, Relation, bundled
from embryology.models.alignment import align

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TOO_LONG = "question is longer than the model reads with its context"
BEFORE_A_STOP = re.compile(r" (?=[.,;:?!](\s|$))")
"""LAMA's templates are tokenised ("born in [Y] ."). Of that space SentencePiece makes a piece that no stop of running
text has before it, and a small model then knows nothing (``benchmarks/README.md``)."""


@dataclass(frozen=True)
class Question:
    """One template filled with one subject."""

    ids: list[int]
    """The object masked with as many masks as it has pieces."""
    positions: tuple[int, ...]
    """Of the masks."""
    pieces: tuple[int, ...]
    """The object's."""


@dataclass(frozen=True)
class Asked:
    """A relation's facts that can be asked for, with a question a template each."""

    relation: Relation
    facts: list[Fact]
    questions: list[list[Question]]
    """By template, as many as ``facts``."""
    alone: Question | None
    """The first template without a subject; None where facts have sentences of their own."""
    named: np.ndarray
    """(facts,) bool: whether the object's name stands in the subject's."""
    held_out: np.ndarray
    """(facts,) bool: whether the fact's article was kept out of training on bundled text."""


def ask(
    relation: Relation,
    tokenizer: PreTrainedTokenizerFast,
    longest: int,
    excluded: Counter[str],
    most: int | None = None,
    seed: int = 0,
    contexts: Mapping[str, str] | None = None,
) -> Asked:
    """Fill every template with every subject, write it as running text, and mask the object.

    Args:
        relation: its facts.
        tokenizer: the models'.
        longest: most ids a model reads.
        excluded: where facts that are not asked for are counted by reason.
        most: of the facts, drawn evenly; None takes all.
        seed: of the draw.
        contexts: by id of each fact the text that stands before its questions, though not before the template alone;
            a question that is longer with it than ``longest`` is not asked, and never cut. None is no text.
    """
    facts = list(relation.facts)
    if most and most < len(facts):
        chosen = np.random.default_rng(seed).permutation(len(facts))[:most]
        excluded["not drawn"] += len(facts) - len(chosen)
        facts = [facts[i] for i in np.sort(chosen)]
    by_template = [
        _questions(facts, template, tokenizer, longest, contexts) for template in relation.templates or (None,)
    ]
    complete = []
    for number, questions in enumerate(zip(*by_template, strict=True)):
        reasons = {question for question in questions if isinstance(question, str)}
        if reasons:
            excluded[min(reasons)] += 1
        else:
            complete.append(number)
    kept = [facts[number] for number in complete]
    answerable = [
        [question for number in complete if isinstance(question := questions[number], Question)]
        for questions in by_template
    ]
    alone = None
    if kept and relation.templates:
        of_one_piece = (n for n, question in zip(complete, answerable[0], strict=True) if len(question.pieces) == 1)
        first = replace(facts[next(of_one_piece, complete[0])], subject="")
        (alone,) = _questions([first], relation.templates[0], tokenizer, longest)
    return Asked(
        relation,
        kept,
        answerable,
        None if isinstance(alone, str) else alone,
        np.array([fact.object.lower() in fact.subject.lower() for fact in kept], bool),
        np.array(bundled.held_out(kept), bool),
    )


def filled(fact: Fact, template: str | None) -> str:
    """A fact in words, as running text; ``template`` is None for facts with their own sentences."""
    before, after = _around(fact, template)
    return before + fact.object + after


def _around(fact: Fact, template: str | None) -> tuple[str, str]:
    """What stands before the object and after it."""
    sentence = fact.sentence if template is None else template
    assert sentence is not None  # a relation without templates has facts with their own sentences
    before, _, after = BEFORE_A_STOP.sub("", sentence).partition(OBJECT)
    if template is not None:  # after the split: a subject may look like a place for the object
        before, after = (part.replace(SUBJECT, fact.subject) for part in (before, after))
    return before.lstrip(), after  # where the subject is left out, a space would stand first


def _questions(
    facts: Sequence[Fact],
    template: str | None,
    tokenizer: PreTrainedTokenizerFast,
    longest: int,
    contexts: Mapping[str, str] | None = None,
) -> list[Question | str]:
    """A question a fact, or the reason why there is none; ``template`` is None for facts with their own sentences."""
    texts, spans = [], []
    for fact in facts:
        before, after = _around(fact, template)
        if contexts is not None:
            before = f"{contexts[fact.id]} {before}"
        start, end = len(before), len(before) + len(fact.object)
        texts.append(before + fact.object + after)
        spans.append([(0, start), (start, end), (end, len(texts[-1]))])
    questions: list[Question | str] = []
    for aligned in align(tokenizer, texts, spans, max_length=longest if contexts is None else None):
        positions = aligned.words[1]
        pieces = tuple(aligned.ids[position] for position in positions)
        if contexts is not None and len(aligned.ids) > longest:
            questions.append(TOO_LONG)
        elif not positions:
            questions.append("object shares a piece with its neighbours, or is beyond the input")
        elif tokenizer.unk_token_id in pieces:
            questions.append("object has an unknown piece")
        else:
            ids = list(aligned.ids)
            for position in positions:
                ids[position] = tokenizer.mask_token_id
            questions.append(Question(ids, positions, pieces))
    return questions
