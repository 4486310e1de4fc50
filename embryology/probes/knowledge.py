"""Which facts a model knows: clozes with the object masked (section 6 of the paper).

The paper's protocol: relations of the types 1-1 and N-1, the subject in the template, the object masked and one piece,
right where the largest logit over the whole vocabulary is the object. Beside it stand ranks over the vocabulary and
over the relation's own objects, objects of several pieces, paraphrases where a relation has several templates, what the
template alone gives, and how often the training text has subject and object in one sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.corpus import several
from embryology.errors import EmbryologyError
from embryology.facts import contexts, fact_sets
from embryology.facts.contexts import InContext
from embryology.facts.questions import Asked, Question, ask, filled
from embryology.facts.together import together
from embryology.models.alignment import longest_input
from embryology.probes import WHOLE, Probe
from embryology.runs.measurements import row
from embryology.runs.series import Series
from embryology.specs import knowledge as spec
from embryology.specs.knowledge import SPECIFICATION, KnowledgeSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.facts.answers import Answers
    from embryology.models.encoder import Encoder

OfUnits = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
GOLD, BUNDLED = ("trex", "pararel"), ("bundled",)
AT_ONCE = 2**26
"""Numbers in the vectors that are kept of questions: 256 MB."""
ITEMS = [
    *("item_id", "group", "task", "source", "subject", "object", "object_number", "pieces", "correct", "chosen"),
    *("answer", "answer_alone", "choice", "choice_alone"),
    *("rank", "log_probability", "gain", "top", "consistency", "common", "named", "held_out", "together"),
]
"""Columns of the item table. ``object_number`` counts a relation's objects, so that facts that share one can be told
without its name; ``chosen`` are those whose object is the likeliest of the relation's objects, ``common`` those of the
most common object. ``answer`` is the number of the object that the likeliest piece is, ``choice`` that of the likeliest
of the relation's objects, and ``…_alone`` the same of the template without its subject; else ``NO_OBJECT``."""


@dataclass(frozen=True)
class Examples:
    settings: KnowledgeSettings
    sets: dict[str, tuple[str, list[Asked]]]
    """By name the label and the relations."""
    excluded: dict[str, dict[str, Counter[str]]]
    """By task and relation how many facts are not asked for, by reason."""
    together: dict[str, np.ndarray]
    """By set how many sentences of the training text hold a fact's subject and object, fact after fact; nan where the
    text is not at hand."""
    in_context: dict[tuple[str, str], list[InContext]]
    """By set and kind of context the relations with facts that have one."""


class KnowledgeProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings: KnowledgeSettings, series: Series) -> dict[str, Any]:
        identities = {name: fact_sets.find(name).identity() for name in _sets(settings)}
        corpus = several.of_run(series.folder)
        text = corpus.text_sha256 if corpus else None
        identities |= {"contexts": contexts.identity()} if settings.contexts else {}
        return identities | {"precision": settings.precision, "training text": text}

    def prepare(self, settings: KnowledgeSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        longest = longest_input(tokenizer, series.checkpoints[0].location)
        corpus = several.of_run(series.folder)
        sets: dict[str, tuple[str, list[Asked]]] = {}
        excluded: dict[str, dict[str, Counter[str]]] = {}
        counts: dict[str, np.ndarray] = {}
        in_context: dict[tuple[str, str], list[InContext]] = {}
        for name in _sets(settings):
            chosen = fact_sets.find(name)
            asked, excluded[name] = [], {}
            for relation in chosen.read().relations:
                if relation.kind in settings.kinds:
                    why = excluded[name].setdefault(relation.name, Counter())
                    asked.append(ask(relation, tokenizer, longest, why, settings.facts, settings.seed))
            if not any(one.facts for one in asked):
                raise EmbryologyError(f"{name}: the tokenizer's pieces represent the object of none of its facts")
            sets[name] = chosen.label, [one for one in asked if one.facts]
            pairs = [(fact.subject, fact.object) for one in asked for fact in one.facts]
            counts[name] = together(corpus.train, tokenizer, pairs) if corpus else np.full(len(pairs), np.nan)
            for kind in settings.contexts:
                in_context[name, kind], excluded[f"{name}/{spec.WITH} {kind}"] = contexts.of_set(
                    sets[name][1], kind, tokenizer, longest, settings.seed
                )
        return Examples(settings, sets, excluded, counts, in_context)

    def texts(self, settings: KnowledgeSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> pd.DataFrame:
        rows = [
            (
                *(name, f"{relation.name}:{fact.id}"),
                *(filled(fact, next(iter(relation.templates), None)), fact.object, fact.subject),
            )
            for name in _sets(settings)
            for relation in fact_sets.find(name).read().relations
            if relation.kind in settings.kinds
            for fact in relation.facts
        ]
        return pd.DataFrame(rows, columns=["task", "item_id", "text", "word", "subject"])

    def measure(
        self, encoder: Encoder, examples: Examples, part: str = WHOLE
    ) -> tuple[list[dict[str, Any]], pd.DataFrame]:
        """Scores by relation and in total, and every fact's own.

        Of objects of one piece, in the relation's first template: ``accuracy`` (P@1) and ``precision_at_10`` over the
        whole vocabulary and ``accuracy_of_candidates`` (P@1) among the relation's own objects; ``known`` are right
        first answers that the template without its subject does not get; ``reciprocal_rank``, ``log_probability``
        (nats); ``gain`` is how much likelier (nats) the object is with the fact's own subject than, on average, with
        those of the relation's subjects that have other objects: 0 for a model that knows nothing of subjects.

        Where a relation has several templates, ``accuracy_of_templates`` is the mean P@1 over them, and ``consistency``
        the share of pairs of templates that get the same answer among the relation's objects (Elazar et al. 2021); its
        baseline is the agreement of two templates asked about different subjects. Objects of several pieces have a
        task of their own with ``log_probability`` alone, scored left to right within the word (Kauf and Ivanova 2023).
        Baselines of ``accuracy``: the relation's most common object, the template without a subject, and a model that
        copies an object that stands in the subject's name. Such facts are in the totals, and left out in the task
        ``…/not named``. All intervals are over objects in their relation, whose facts stand and fall together.

        With ``contexts`` the totals come again of facts that have one: without it, with it, and with another's.
        """
        rows, items, seed = [], [], examples.settings.seed
        for name, (label, relations) in examples.sets.items():
            scored = pd.concat(_scored(encoder, relations), ignore_index=True)
            tables = {name: scored, f"{name}/{spec.NOT_NAMED}": scored[~scored["named"]]}
            if scored["held_out"].any():
                tables |= {
                    f"{name}/{spec.HELD_OUT}": scored[scored["held_out"]],
                    f"{name}/{spec.NOT_HELD_OUT}": scored[~scored["held_out"]],
                }
            for task, table in tables.items():
                rows += _summaries(task, table[table["pieces"] == 1], seed)
            task, several_pieces = f"{name}/{spec.SEVERAL_PIECES}", scored[scored["pieces"] > 1]
            rows += _by_relation(task, spec.LOG_PROBABILITY, several_pieces, intervals.of_mean, seed)
            for kind in examples.settings.contexts:
                if given := examples.in_context[name, kind]:
                    of_context, answers = _in_context(encoder, name, kind, given, seed)
                    rows += of_context
                    scored = scored.merge(answers, on="item_id", how="left", validate="one_to_one")
            rows += [
                row(task, relation, spec.EXCLUDED, count, n=count, seed=seed, reason=reason)
                for task in (name, *(f"{name}/{spec.WITH} {kind}" for kind in examples.settings.contexts))
                for relation, reasons in examples.excluded[task].items()
                for reason, count in reasons.items()
            ]
            items.append(scored.assign(task=name, source=label, together=examples.together[name]))
        table = pd.concat(items, ignore_index=True)
        return rows, table[[*ITEMS, *(column for column in table if column.endswith(examples.settings.contexts))]]


def _sets(settings: KnowledgeSettings) -> tuple[str, ...]:
    if settings.sets != "auto":
        return settings.sets
    return tuple(name for name in GOLD if fact_sets.is_there(name)) or BUNDLED


def _portions(relations: Sequence[Asked], width: int) -> Iterator[list[Asked]]:
    """Relations in order, as many at a time as have :data:`AT_ONCE` numbers in their questions' vectors."""
    portion: list[Asked] = []
    size = 0
    for asked in relations:
        numbers = len(asked.questions) * len(asked.facts) * width
        if portion and size + numbers > AT_ONCE:
            yield portion
            portion, size = [], 0
        portion.append(asked)
        size += numbers
    if portion:
        yield portion


def _scored(encoder: Encoder, relations: Sequence[Asked]) -> Iterator[pd.DataFrame]:
    """For each relation a row a fact."""
    from embryology.facts.answers import Answers  # late: it loads torch, and a start that finds all measured needs none

    for portion in _portions(relations, encoder.hidden_size):
        questions = [question for asked in portion for of_template in asked.questions for question in of_template]
        questions = [question for question in questions if len(question.pieces) == 1]
        questions += [asked.alone for asked in portion if asked.alone is not None]
        answers = Answers(encoder, questions)
        for asked in portion:
            yield _scored_relation(encoder, answers, asked)


def _scored_relation(encoder: Encoder, given: Answers, asked: Asked) -> pd.DataFrame:
    """A row a fact, of the first template but for the means over templates and their consistency."""
    import torch

    pieces = [question.pieces for question in asked.questions[0]]
    one = np.array([len(ids) == 1 for ids in pieces])
    targets = np.array([ids[0] if len(ids) == 1 else -1 for ids in pieces])
    rank, log_probability, gain, several_templates = (np.full(len(pieces), np.nan) for _ in range(4))
    answers = np.full((len(asked.questions), len(pieces)), -1)
    top, top_alone, chosen_alone = np.full(len(pieces), -1), -1, -1
    if one.any():
        candidates, right = np.unique(targets[one]), np.zeros((len(asked.questions), len(pieces)))
        for template, questions in enumerate(asked.questions):
            single = [question for question, is_single in zip(questions, one, strict=True) if is_single]
            logits = given.logits(single)
            best, of_objects = logits.max(1).indices.cpu().numpy(), logits[:, candidates]
            answers[template, one] = candidates[of_objects.max(1).indices.cpu().numpy()]
            right[template, one] = best == targets[one]
            if template == 0:
                true = logits.gather(1, torch.from_numpy(targets[one]).to(logits.device)[:, None])
                rank[one] = 1 + (logits > true).sum(1, dtype=torch.int32).cpu().numpy()
                of_candidates = (of_objects - logits.logsumexp(1, keepdim=True)).cpu().numpy()
                place = np.searchsorted(candidates, targets[one])
                log_probability[one] = of_candidates[np.arange(len(place)), place]
                gain[one] = log_probability[one] - _with_others(of_candidates, place)[place]
                top[one] = best
        if len(asked.questions) > 1:
            several_templates[one] = right.mean(0)[one]
        if asked.alone is not None:
            logits = given.logits([asked.alone])[0].cpu()
            top_alone, chosen_alone = int(logits.argmax()), int(candidates[int(logits[candidates].argmax())])
    if not one.all():
        several = [question for question, is_single in zip(asked.questions[0], one, strict=True) if not is_single]
        log_probability[~one] = _left_to_right(encoder, several)
    consistency, shuffled = _consistency(answers[:, one])
    common = Counter(fact.object for fact, single in zip(asked.facts, one, strict=True) if single).most_common(1)
    objects = {name: number for number, name in enumerate(dict.fromkeys(pieces))}

    def number(ids: Iterable[int]) -> list[int]:
        """Of the objects that pieces are, a fact each."""
        return [objects.get((int(piece),), spec.NO_OBJECT) for piece in ids]

    return pd.DataFrame(
        {
            "item_id": [f"{asked.relation.name}:{fact.id}" for fact in asked.facts],
            "group": asked.relation.name,
            "subject": [fact.subject for fact in asked.facts],
            "object": [fact.object for fact in asked.facts],
            "object_number": [objects[ids] for ids in pieces],
            "pieces": [len(ids) for ids in pieces],
            "correct": rank == 1,
            "right_at_10": rank <= 10,
            "known": (rank == 1) & (top != top_alone),
            "chosen": one & (answers[0] == targets),
            "answer": number(top),
            "answer_alone": number([top_alone] * len(pieces)),
            "choice": number(answers[0]),
            "choice_alone": number([chosen_alone] * len(pieces)),
            "right_of_templates": several_templates,
            "rank": rank,
            "reciprocal_rank": 1 / rank,
            "log_probability": log_probability,
            "gain": gain,
            "top": top,
            "consistency": _spread(consistency, one),
            "shuffled": _spread(shuffled, one),
            "common": [bool(common) and fact.object == common[0][0] for fact in asked.facts],
            "alone": (targets == top_alone) if asked.alone is not None else np.nan,
            "named": asked.named,
            "held_out": asked.held_out,
        }
    )


def _with_others(log_probabilities: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """(objects,) mean log-probability of each object over facts that have another, of (facts, objects); else nan.

    Args:
        log_probabilities: (facts, objects).
        objects: (facts,) which of the objects is a fact's.
    """
    has = np.eye(log_probabilities.shape[1], dtype=bool)[objects]
    n = (~has).sum(axis=0)
    sums = np.where(has, 0, log_probabilities).sum(axis=0)
    means: np.ndarray = np.divide(sums, n, out=np.full(len(n), np.nan), where=n > 0)
    return means


def _spread(values: np.ndarray | float, where: np.ndarray) -> np.ndarray:
    spread = np.full(len(where), np.nan)
    spread[where] = values
    return spread


def _left_to_right(encoder: Encoder, questions: Sequence[Question]) -> np.ndarray:
    """Log-probabilities of objects of several pieces: each given those before it, those after it masked."""
    sequences, places, targets = [], [], []
    for question in questions:
        ids = list(question.ids)
        for position, piece in zip(question.positions, question.pieces, strict=True):
            sequences.append(list(ids))
            places.append([position])
            targets.append([piece])
            ids[position] = piece
    log_probability = encoder.predict(sequences, places, targets).log_probability
    lengths = np.array([len(question.pieces) for question in questions])
    sums: np.ndarray = np.add.reduceat(log_probability.astype(np.float64), np.cumsum(lengths) - lengths)
    return sums


def _consistency(answers: np.ndarray) -> tuple[np.ndarray, float]:
    """How often two templates agree, of (templates, facts) answers: about the same fact, and about any two facts.

    Returns:
        (facts,) share of pairs of templates, and its expectation with each template's facts shuffled; both nan for a
        single template or no fact.
    """
    templates, facts = answers.shape
    if templates == 1 or facts == 0:
        return np.full(facts, np.nan), np.nan
    pairs = templates * (templates - 1)
    same = (answers[:, None] == answers[None]).sum((0, 1)) - templates
    _, numbers = np.unique(answers, return_inverse=True)
    shares = np.stack([np.bincount(row, minlength=numbers.max() + 1) for row in numbers.reshape(answers.shape)]) / facts
    agreement = shares @ shares.T
    return same / pairs, float((agreement.sum() - np.trace(agreement)) / pairs)


SHARES = (
    (spec.ACCURACY, "correct", None),
    (spec.KNOWN, "known", None),
    (spec.AT_10, "right_at_10", None),
    (spec.OF_CANDIDATES, "chosen", None),
    (spec.ACCURACY, "common", spec.MAJORITY),
    (spec.ACCURACY, "alone", spec.TEMPLATE),
    (spec.ACCURACY, "named", spec.COPY),
    (spec.OF_TEMPLATES, "right_of_templates", None),
    (spec.CONSISTENCY, "consistency", None),
)
MEANS = (
    (spec.RECIPROCAL_RANK, "reciprocal_rank", None),
    (spec.LOG_PROBABILITY, "log_probability", None),
    (spec.GAIN, "gain", None),
    (spec.CONSISTENCY, "shuffled", spec.SHUFFLED),
)
"""Metric, column of the facts and baseline of what lies between 0 and 1, and of what does not, or is the same for all
facts of a relation."""


def _summaries(task: str, scored: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    rows = []
    for relation, part in [("", scored), *scored.groupby("group")]:
        for measures, of_units in ((SHARES, intervals.of_share), (MEANS, intervals.of_mean)):
            for metric, column, baseline in measures:
                # Not all facts have all: a relation of one template has no consistency, of one object no gain.
                there = part[part[column].notna()]
                if len(there) and (column != "alone" or len(there) == len(part)):
                    rows.append(_mean(task, relation, metric, there, column, of_units, seed, baseline))
    return rows


def _in_context(
    encoder: Encoder, name: str, kind: str, given: Sequence[InContext], seed: int
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Rows of facts without their contexts, with them and with others'; and a row a fact for the table of items."""
    holds, rows, told = np.concatenate([one.holds for one in given]), [], {}
    for part, way in ((spec.WITHOUT, "without"), (spec.WITH, "right"), (spec.WRONG, "wrong")):
        told[part] = scored = pd.concat(_scored(encoder, [getattr(one, way) for one in given]), ignore_index=True)
        task = f"{name}/{part} {kind}"
        rows += _summaries(task, scored, seed) + _summaries(f"{task}, {spec.NOT_IN_IT}", scored[~holds], seed)
    right, wrong = told[spec.WITH].assign(in_context=holds), told[spec.WRONG]
    rows += _by_relation(f"{name}/{spec.WITH} {kind}", spec.IN_CONTEXT, right, intervals.of_share, seed)
    bools = pd.DataFrame({"in_context": holds, "correct_with": right["correct"], "correct_wrong": wrong["correct"]})
    logs = {f"log_probability_{part}": told[part]["log_probability"] for part in (spec.WITH, spec.WRONG)}
    items = bools.astype("boolean").assign(**logs).rename(columns=lambda column: spec.of_context(column, kind))
    return [one for one in rows if not one["group"]], items.assign(item_id=right["item_id"])


def _by_relation(task: str, metric: str, scored: pd.DataFrame, of_units: OfUnits, seed: int) -> list[dict[str, Any]]:
    """A metric that is the mean of the column of its name, of all relations and of each."""
    return [
        _mean(task, relation, metric, part, metric, of_units, seed)
        for relation, part in [("", scored), *scored.groupby("group")]
        if len(part)
    ]


def _mean(
    task: str,
    relation: str,
    metric: str,
    facts: pd.DataFrame,
    column: str,
    of_units: OfUnits,
    seed: int,
    baseline: str | None = None,
) -> dict[str, Any]:
    """A row, over objects in their relation."""
    values = facts[column].to_numpy(float)
    interval = of_units(*intervals.by_unit(values, facts.groupby(["group", "object_number"]).ngroup().to_numpy()))
    return row(task, relation, metric, values.mean(), interval, len(values), seed=seed, baseline=baseline)
