"""Which facts a model knows: clozes with the object masked (section 6 of the paper).

The paper's protocol: relations of the types 1-1 and N-1, the subject in the template, the object masked and one piece,
right where the largest logit over the whole vocabulary is the object. Beside it stand ranks over the vocabulary and
over the relation's own objects, objects of several pieces, paraphrases where a relation has several templates, and what
the template alone gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt

from embryology import intervals
from embryology.alignment import align, longest_input
from embryology.checkpoints import Series
from embryology.errors import EmbryologyError
from embryology.facts import OBJECT, SUBJECT, Fact, Relation, bundled, fact_sets
from embryology.precision import Precision, resolve
from embryology.probes import ProbeSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.encoder import Encoder

GOLD, BUNDLED = ("trex",), ("bundled",)
MAJORITY, TEMPLATE = "most-common-object", "without-subject"
MULTI = "several pieces"


class KnowledgeSettings(ProbeSettings):
    sets: tuple[str, ...] | Literal["auto"] = "auto"
    """Of ``embryology.facts.fact_sets``; ``auto`` takes LAMA's T-REx where it is there, else the bundled facts."""
    kinds: tuple[Literal["1-1", "N-1", "N-M", ""], ...] = ("1-1", "N-1", "")
    """Types of relations; ParaRel does not say its."""
    facts: PositiveInt | None = None
    """At most so many of a relation, drawn evenly; None takes all."""
    precision: Precision = "float32"
    seed: int = Field(0, ge=0)


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
    alone: list[Question]
    """By template, without the subject; what is masked is one piece."""
    named: np.ndarray
    """(facts,) bool: whether the object's name stands in the subject's."""
    held_out: np.ndarray
    """(facts,) bool: whether the fact's article was kept out of training on bundled text."""


@dataclass(frozen=True)
class Examples:
    settings: KnowledgeSettings
    sets: dict[str, tuple[str, list[Asked]]]
    """By name the label and the relations."""
    excluded: dict[str, dict[str, Counter[str]]]
    """By set and relation how many facts are not asked for, by reason."""


class KnowledgeProbe:
    name = "knowledge"
    version = 1
    needs = frozenset({"masked-head"})
    Settings = KnowledgeSettings

    def inputs(self, settings: KnowledgeSettings, series: Series) -> dict:
        found = {name: fact_sets.find(name).identity() for name in _sets(settings)}
        return found | {"precision": resolve(settings.precision)}

    def prepare(self, settings: KnowledgeSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        longest = longest_input(tokenizer, series.checkpoints[0].location)
        sets, excluded = {}, {}
        for name in _sets(settings):
            chosen = fact_sets.find(name)
            asked, excluded[name] = [], {}
            for relation in chosen.read().relations:
                if relation.kind in settings.kinds:
                    why = excluded[name].setdefault(relation.name, Counter())
                    asked.append(ask(relation, settings, tokenizer, longest, why))
            if not any(one.facts for one in asked):
                raise EmbryologyError(f"{name}: the tokenizer's pieces represent the object of none of its facts")
            sets[name] = chosen.label, [one for one in asked if one.facts]
        return Examples(settings, sets, excluded)

    def measure(self, encoder: Encoder, examples: Examples) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Scores by relation and in total, and every fact's own.

        Of objects of one piece: ``accuracy`` (P@1) and ``precision_at_10`` over the whole vocabulary, both with
        Wilson's interval; ``accuracy_of_candidates`` (P@1) among the relation's own objects; ``reciprocal_rank`` and
        ``log_probability`` (nats), with a bootstrap over facts. Where a relation has several templates these are means
        over them, and ``consistency`` is the share of pairs of templates that get the same answer among the
        relation's objects (Elazar et al. 2021). Objects of several pieces have a task of their own with
        ``log_probability`` alone, scored left to right within the word (Kauf and Ivanova 2023). Baselines: the
        relation's most common object, and the template without a subject. Facts whose object stands in the subject's
        name are in the totals, and left out in the task ``…/not named``.
        """
        rows, items = [], []
        for name, (label, relations) in examples.sets.items():
            scored = pd.concat(
                [_scored(encoder, asked, examples.settings.precision) for asked in relations], ignore_index=True
            )
            parts = {name: scored, f"{name}/not named": scored[~scored["named"]]}
            if scored["held_out"].any():
                parts |= {
                    f"{name}/held out": scored[scored["held_out"]],
                    f"{name}/not held out": scored[~scored["held_out"]],
                }
            for task, part in parts.items():
                rows += _summaries(task, part[part["pieces"] == 1], examples.settings.seed)
            rows += _log_probabilities(f"{name}/{MULTI}", scored[scored["pieces"] > 1], examples.settings.seed)
            rows += [
                _row(name, relation, f"excluded: {reason}", count, None, None, count)
                for relation, reasons in examples.excluded[name].items()
                for reason, count in reasons.items()
            ]
            items.append(scored.assign(task=name, source=label))
        table = pd.concat(items, ignore_index=True)
        return (
            pd.DataFrame(rows).assign(layer=None, seed=examples.settings.seed),
            table.drop(columns=["majority", "alone", "candidate_right"]),
        )


def _sets(settings: KnowledgeSettings) -> tuple[str, ...]:
    if settings.sets != "auto":
        return settings.sets
    try:
        for name in GOLD:
            fact_sets.find(name)
    except EmbryologyError:
        return BUNDLED
    return GOLD


def ask(
    relation: Relation, settings: KnowledgeSettings, tokenizer: PreTrainedTokenizerFast, longest: int,
    excluded: Counter[str],
) -> Asked:  # fmt: skip
    """Fill every template with every subject, and mask the object.

    Args:
        relation: its facts, of which at most ``settings.facts`` are drawn.
        settings: how many, and the seed of the draw.
        tokenizer: the models'.
        longest: most ids a model reads.
        excluded: where facts that cannot be asked for are counted by reason.
    """
    facts = list(relation.facts)
    if settings.facts and settings.facts < len(facts):
        chosen = np.random.default_rng(settings.seed).permutation(len(facts))[: settings.facts]
        excluded["not drawn"] += len(facts) - len(chosen)
        facts = [facts[i] for i in np.sort(chosen)]
    by_template = [
        _questions([(fact.subject, fact.object) for fact in facts], template, tokenizer, longest)
        for template in relation.templates
    ]
    whole = []
    for number, questions in enumerate(zip(*by_template, strict=True)):
        reasons = {question for question in questions if isinstance(question, str)}
        if reasons:
            excluded[min(reasons)] += 1
        else:
            whole.append(number)
    kept = [facts[number] for number in whole]
    common = Counter(fact.object for fact in kept).most_common(1)
    alone = [
        _questions([("", common[0][0])], template, tokenizer, longest)[0] if kept else ""
        for template in relation.templates
    ]
    return Asked(
        relation,
        kept,
        [[questions[number] for number in whole] for questions in by_template],
        [question for question in alone if not isinstance(question, str)],
        np.array([fact.object.lower() in fact.subject.lower() for fact in kept], bool),
        np.array(bundled.held_out(kept), bool),
    )


def _questions(
    pairs: Sequence[tuple[str, str]], template: str, tokenizer: PreTrainedTokenizerFast, longest: int
) -> list[Question | str]:
    """A question a pair of subject and object, or the reason why there is none."""
    texts, spans = [], []
    for subject, answer in pairs:
        before, after = (part.replace(SUBJECT, subject) for part in template.split(OBJECT))
        before = before.lstrip()  # where the subject is left out
        start, end = len(before), len(before) + len(answer)
        texts.append(before + answer + after)
        spans.append([(0, start), (start, end), (end, len(texts[-1]))])
    found: list[Question | str] = []
    for aligned in align(tokenizer, texts, spans, max_length=longest):
        positions = aligned.words[1]
        pieces = tuple(aligned.ids[position] for position in positions)
        if not positions:
            found.append("object shares a piece with its neighbours, or is beyond the input")
        elif tokenizer.unk_token_id in pieces:
            found.append("object has an unknown piece")
        else:
            ids = list(aligned.ids)
            for position in positions:
                ids[position] = tokenizer.mask_token_id
            found.append(Question(ids, positions, pieces))
    return found


def _scored(encoder: Encoder, asked: Asked, precision: Precision) -> pd.DataFrame:
    """A row a fact; values are means over templates, ``correct`` and ``top`` those of the first template."""
    n = len(asked.facts)
    one = np.array([len(question.pieces) == 1 for question in asked.questions[0]])
    candidates = np.unique(
        [question.pieces[0] for question, single in zip(asked.questions[0], one, strict=True) if single]
    )
    numbers = {name: np.full((len(asked.questions), n), np.nan) for name in ("rank", "log_probability", "candidate")}
    tops = np.full((len(asked.questions), n), -1)
    alone = np.full(n, False)
    for template, questions in enumerate(asked.questions):
        single = [question for question, own in zip(questions, one, strict=True) if own]
        if single:
            logits, which = _logits(encoder, single, precision)
            targets = np.array([question.pieces[0] for question in single])
            true = logits[which, targets]
            numbers["rank"][template, one] = 1 + (logits[which] > true[:, None]).sum(1)
            numbers["log_probability"][template, one] = true - np.logaddexp.reduce(logits, axis=1)[which]
            numbers["candidate"][template, one] = candidates[logits[which][:, candidates].argmax(1)]
            tops[template, one] = logits[which].argmax(1)
        several = [question for question, own in zip(questions, one, strict=True) if not own]
        if several:
            numbers["log_probability"][template, ~one] = _left_to_right(encoder, several, precision)
    pieces = [question.pieces for question in asked.questions[0]]
    targets = np.array([own[0] if len(own) == 1 else -1 for own in pieces])
    if asked.alone and one.any():
        logits, _ = _logits(encoder, asked.alone[:1], precision)
        alone = targets == logits[0].argmax()
    common = Counter(fact.object for fact, single in zip(asked.facts, one, strict=True) if single).most_common(1)
    with np.errstate(invalid="ignore"):
        right = np.where(one, numbers["rank"] == 1, False)
    return pd.DataFrame(
        {
            "item_id": [f"{asked.relation.name}:{fact.id}" for fact in asked.facts],
            "sentence": [fact.id for fact in asked.facts],
            "tag": asked.relation.name,
            "pieces": [len(own) for own in pieces],
            "correct": right[0],
            "accuracy": right.mean(0),
            "precision_at_10": np.where(one, numbers["rank"] <= 10, False).mean(0),
            "reciprocal_rank": (1 / numbers["rank"]).mean(0),
            "rank": numbers["rank"][0],
            "log_probability": numbers["log_probability"].mean(0),
            "candidate_right": (numbers["candidate"] == targets).mean(0),
            "consistency": _consistency(numbers["candidate"]),
            "top": tops[0],
            "named": asked.named,
            "held_out": asked.held_out,
            "majority": [bool(common) and fact.object == common[0][0] for fact in asked.facts],
            "alone": alone,
        }
    )


def _logits(encoder: Encoder, questions: Sequence[Question], precision: Precision) -> tuple[np.ndarray, np.ndarray]:
    """(distinct questions, vocabulary) logits at the first mask, and which of them each question is."""
    distinct: dict[tuple[int, ...], int] = {}
    which = np.array(
        [distinct.setdefault((question.positions[0], *question.ids), len(distinct)) for question in questions]
    )
    logits = encoder.logits([ids for _, *ids in distinct], [position for position, *_ in distinct], precision)
    return logits.numpy(), which


def _left_to_right(encoder: Encoder, questions: Sequence[Question], precision: Precision) -> np.ndarray:
    """Log-probabilities of objects of several pieces: each given those before it, those after it masked."""
    sequences, places, targets = [], [], []
    for question in questions:
        ids = list(question.ids)
        for position, piece in zip(question.positions, question.pieces, strict=True):
            sequences.append(list(ids))
            places.append([position])
            targets.append([piece])
            ids[position] = piece
    log_probability = encoder.predict(sequences, places, targets, precision).log_probability
    lengths = np.array([len(question.pieces) for question in questions])
    return np.add.reduceat(log_probability.astype(np.float64), np.cumsum(lengths) - lengths)


def _consistency(answers: np.ndarray) -> np.ndarray:
    """(facts,) share of pairs of templates with the same answer, of (templates, facts); nan for a single template."""
    templates, facts = answers.shape
    if templates == 1:
        return np.full(facts, np.nan)
    same = (answers[:, None] == answers[None]).sum((0, 1)) - templates
    return np.where(np.isnan(answers[0]), np.nan, same / (templates * (templates - 1)))


def _summaries(task: str, scored: pd.DataFrame, seed: int) -> list[dict]:
    rows = []
    for item, part in [("", scored), *scored.groupby("tag")]:
        n = len(part)
        if n == 0:
            continue
        for metric, column, baseline in (
            ("accuracy", "accuracy", None),
            ("precision_at_10", "precision_at_10", None),
            ("accuracy_of_candidates", "candidate_right", None),
            ("accuracy", "majority", MAJORITY),
            ("accuracy", "alone", TEMPLATE),
        ):
            right = float(part[column].sum())
            low, high = intervals.wilson(round(right), n)
            rows.append(_row(task, item, metric, right / n, float(low), float(high), n, baseline))
        for metric in ("reciprocal_rank", "log_probability", "consistency"):
            values = part[metric].to_numpy(float)
            if not np.isnan(values).any():  # a single template has no consistency
                rows.append(_mean(task, item, metric, values, seed))
    return rows


def _log_probabilities(task: str, scored: pd.DataFrame, seed: int) -> list[dict]:
    rows = []
    for item, part in [("", scored), *scored.groupby("tag")]:
        if len(part):
            rows.append(_mean(task, item, "log_probability", part["log_probability"].to_numpy(float), seed))
    return rows


def _mean(task: str, item: str, metric: str, values: np.ndarray, seed: int) -> dict:
    draws = intervals.resamples(len(values), seed=seed) @ values / len(values)
    low, high = intervals.percentile_interval(draws)
    return _row(task, item, metric, values.mean(), float(low), float(high), len(values))


def _row(
    task: str, item: str, metric: str, value: float, low: float | None, high: float | None, n: int,
    baseline: str | None = None,
) -> dict:  # fmt: skip
    if low is not None:  # rounding, and the percentiles of a few skewed facts, can pass the value by
        low, high = min(low, value), max(high, value)
    return {
        "task": task, "item": item, "metric": metric, "value": float(value), "low": low, "high": high, "n": int(n),
        "baseline": baseline,
    }  # fmt: skip
