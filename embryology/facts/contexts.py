"""What a knowledge base says of a fact, put before its question: the same model, nothing trained.

Knowledge at hand rather than in the weights, as in part of what Yang et al. (2110.00269) survey. The knowledge base is
the bundled articles. Most of them are training text too, so that a context says again what may have been read; and
nobody who asks for an object could look up its article, so that ``sentence`` is what the best retrieval would give, and
``subject_sentence`` what any could.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from embryology.corpus import articles, sentences
from embryology.facts import Fact
from embryology.facts.questions import Asked, ask

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NOTHING_SAID = {
    "types": "the subject has no article with a topic",
    "sentence": "the object has no article",
    "subject_sentence": "the subject has no article",
}
NO_OTHER = "no fact with another object has a context without this one's"
SEVERAL_PIECES = "the object has several pieces"
NO_TOPIC = "Uncategorized"


@dataclass(frozen=True)
class InContext:
    """The same facts of a relation, in the same order, asked by its first template in three ways."""

    without: Asked
    right: Asked
    """Each with its own context."""
    wrong: Asked
    """Each with that of a fact with another object, in which its own does not stand."""
    holds: np.ndarray
    """(facts,) bool: whether the object stands in the fact's own context, in any spelling and within other words."""


def of_set(
    relations: Sequence[Asked], kind: str, tokenizer: PreTrainedTokenizerFast, longest: int, seed: int
) -> tuple[list[InContext], dict[str, Counter[str]]]:
    """:func:`in_context` of all relations that have any, and by relation how many facts have none, by reason."""
    given, excluded = [], {}
    for asked in relations:
        why: Counter[str] = Counter()
        given.append(in_context(asked, kind, tokenizer, longest, why, seed))
        excluded[asked.relation.name] = +why
    return [one for one in given if one is not None], excluded


def in_context(
    asked: Asked, kind: str, tokenizer: PreTrainedTokenizerFast, longest: int, excluded: Counter[str], seed: int
) -> InContext | None:
    """Those of the facts of a relation that have contexts which a model can read; None where there are none.

    Args:
        asked: the facts without a context; of them those with objects of one piece are taken.
        kind: ``types``, ``sentence`` or ``subject_sentence``.
        tokenizer: the models'.
        longest: most ids a model reads.
        excluded: where the others are counted by reason.
        seed: of the draw of wrong contexts.
    """
    relation = replace(asked.relation, templates=asked.relation.templates[:1])
    asked = replace(asked, relation=relation, questions=asked.questions[:1])
    one = [fact for fact, question in zip(asked.facts, asked.questions[0], strict=True) if len(question.pieces) == 1]
    excluded[SEVERAL_PIECES] += len(asked.facts) - len(one)
    own = {fact.id: text for fact in one if (text := context(fact, kind))}
    excluded[NOTHING_SAID[kind]] += len(one) - len(own)
    right = _again(asked, own, tokenizer, longest, excluded)
    others = _others(right.facts, own, seed)
    excluded[NO_OTHER] += len(right.facts) - len(others)
    wrong = _again(asked, others, tokenizer, longest, excluded)
    if not wrong.facts:
        return None
    kept = {fact.id for fact in wrong.facts}
    holds = np.array([_stands(fact.object, own[fact.id]) for fact in wrong.facts])
    return InContext(_of(asked, kept), _of(right, kept), wrong, holds)


def context(fact: Fact, kind: str) -> str | None:
    """What the bundled articles say of a fact; None where they say nothing. Names are looked up as they are written."""
    title = fact.object if kind == "sentence" else fact.article or fact.subject
    found = _articles().get(title)
    if found is None:
        return None
    text, topic = found
    if kind == "types":
        return None if topic == NO_TOPIC else f"{fact.subject} ({topic.lower()})."
    return next(iter(sentences.split(text)), None)


def identity() -> Any:
    """What contexts depend on beside the facts."""
    return articles.fingerprint("bundled")


@cache
def _articles() -> dict[str, tuple[str, str]]:
    """By title its text and its topic."""
    topics = {title: topic for title, _, topic in articles.descriptions()}
    return {article.title: (article.text, topics[article.title]) for article in articles.bundled()}


def _again(
    asked: Asked,
    contexts: Mapping[str, str],
    tokenizer: PreTrainedTokenizerFast,
    longest: int,
    excluded: Counter[str],
) -> Asked:
    """The facts that have a context, asked with it; the template alone as it was."""
    facts = tuple(fact for fact in asked.facts if fact.id in contexts)
    again = ask(replace(asked.relation, facts=facts), tokenizer, longest, excluded, contexts=contexts)
    return replace(again, alone=asked.alone)


def _others(facts: Sequence[Fact], contexts: Mapping[str, str], seed: int) -> dict[str, str]:
    """By id of a fact the context of a drawn one that has another object and does not name the fact's own."""
    rng, others = np.random.default_rng(seed), {}
    for fact in facts:
        drawn = (facts[number] for number in rng.permutation(len(facts)))
        texts = (contexts[other.id] for other in drawn if _plain(other.object) != _plain(fact.object))
        text = next((text for text in texts if not _stands(fact.object, text)), None)
        if text is not None:
            others[fact.id] = text
    return others


def _stands(name: str, text: str) -> bool:
    return _plain(name) in _plain(text)


@cache
def _plain(text: str) -> str:
    """Without capitals and accents, as tokenizers may read it."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))


def _of(asked: Asked, ids: Collection[str]) -> Asked:
    """Those of the facts."""
    kept = [number for number, fact in enumerate(asked.facts) if fact.id in ids]
    return replace(
        asked,
        facts=[asked.facts[number] for number in kept],
        questions=[[questions[number] for number in kept] for questions in asked.questions],
        named=asked.named[kept],
        held_out=asked.held_out[kept],
    )
