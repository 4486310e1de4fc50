"""The knowledge probe: which facts a model knows (section 6 of the paper)."""

from typing import Literal, get_args

from pydantic import Field, PositiveInt

from embryology.specs import MASKED_HEAD, NATS, SHARE, UNTRAINED, Float32, Meaning, ProbeSettings, Specification
from embryology.specs.properties import EXPOSURE, OVERLAP

NOT_NAMED, HELD_OUT, NOT_HELD_OUT, SEVERAL_PIECES = "not named", "held out", "not held out", "several pieces"
"""Parts of a set of facts; the task is ``set/part``."""
Context = Literal["types", "sentence", "subject_sentence"]
CONTEXTS: tuple[Context, ...] = get_args(Context)
WITHOUT, WITH, WRONG, NOT_IN_IT = "without", "with", "wrong", "answer not in it"
"""Facts that have a context, asked without it, with it, and with that of another object: as ``set/with sentence`` all
of them, as ``set/with sentence, answer not in it`` those whose object does not stand in their own."""
IN_CONTEXT = "in_context"
OF_CONTEXT = {
    IN_CONTEXT: Meaning("whether the object stands in the fact's context; null: it has none that fits"),
    "correct_with": Meaning("as correct, with the fact's context before it"),
    "correct_wrong": Meaning("as correct, with the context of a fact with another object"),
    "log_probability_with": Meaning("as log_probability, with the fact's context before it", NATS),
    "log_probability_wrong": Meaning("as log_probability, with the context of a fact with another object", NATS),
}
"""Columns of the items, of each kind of context one: ``correct_with_sentence``."""
ACCURACY, KNOWN, AT_10, OF_CANDIDATES = "accuracy", "known", "precision_at_10", "accuracy_of_candidates"
RECIPROCAL_RANK, LOG_PROBABILITY, GAIN = "reciprocal_rank", "log_probability", "gain"
OF_TEMPLATES, CONSISTENCY, EXCLUDED = "accuracy_of_templates", "consistency", "excluded"
MAJORITY, TEMPLATE, SHUFFLED = "most-common-object", "without-subject", "shuffled-subjects"
COPY = "copy"
NO_OBJECT = -1
"""An answer that is none of the relation's objects, or that was not asked for."""


def of_context(column: str, kind: str) -> str:
    """The name of a column of :data:`OF_CONTEXT`."""
    return f"{column}_{kind}"


class KnowledgeSettings(ProbeSettings):
    sets: tuple[str, ...] | Literal["auto"] = "auto"
    """Of ``embryology.facts.fact_sets``; ``auto`` takes LAMA's T-REx and ParaRel where they are there, else the
    bundled facts."""
    kinds: tuple[Literal["1-1", "N-1", "N-M", ""], ...] = ("1-1", "N-1", "")
    """Types of relations; ParaRel and SQuAD do not say theirs."""
    facts: PositiveInt | None = None
    """At most so many of a relation, drawn evenly; None takes all."""
    precision: Float32 = "float32"
    """``auto`` is that too: ranks and choices in bfloat16 would be others, and are no faster."""
    contexts: tuple[Context, ...] = Field((), exclude_if=lambda contexts: not contexts)
    """What a knowledge base puts before questions, which are asked as they are too: the subject's name and type, the
    first sentence of the object's article, or of the subject's (:mod:`embryology.facts.contexts`). None is not in the
    key of a measurement, so that those from before there was a choice count on."""


SPECIFICATION = Specification(
    name="knowledge",
    version=6,
    tasks={
        "trex": "LAMA T-REx",
        "google-re": "LAMA Google-RE",
        "squad": "LAMA SQuAD",
        "pararel": "ParaRel",
        "bundled": "short descriptions of vital articles",
        "fed": "made-up people",
    },
    baselines={
        MAJORITY: "most common object of the relation",
        TEMPLATE: "template without a subject",
        UNTRAINED: "untrained model (step 0)",
        SHUFFLED: "templates asked about different subjects",
        COPY: "copy of the subject's name",
    },
    language="en",
    settings=KnowledgeSettings,
    needs=frozenset({MASKED_HEAD}),
    probe="embryology.probes.knowledge:KnowledgeProbe",
    kept_items=(
        *("item_id", "group", "task", "correct", "source", "step"),
        *("chosen", "object_number", "pieces", "common", "named", "held_out", "together"),
        *("answer", "answer_alone", "choice", "choice_alone", "log_probability", "gain"),
        *(of_context(column, kind) for kind in CONTEXTS for column in OF_CONTEXT),
    ),
    metrics={
        ACCURACY: Meaning("facts whose object has the largest logit over the whole vocabulary, of all", SHARE),
        KNOWN: Meaning("facts that are right and that the template without its subject gets wrong, of all", SHARE),
        AT_10: Meaning("facts whose object is among the ten likeliest pieces, of all", SHARE),
        OF_CANDIDATES: Meaning("facts whose object is the likeliest of the relation's objects, of all", SHARE),
        RECIPROCAL_RANK: Meaning("mean of one over the rank of the object in the whole vocabulary", SHARE),
        LOG_PROBABILITY: Meaning(
            "mean log-probability of the object; of several pieces their sum, left to right", NATS
        ),
        GAIN: Meaning(
            "mean of how much likelier the object is with the fact's own subject than, on average, with the relation's "
            "subjects that have other objects",
            NATS,
        ),
        OF_TEMPLATES: Meaning("accuracy, as the mean over the relation's templates", SHARE),
        CONSISTENCY: Meaning(
            "pairs of templates that get the same answer among the relation's objects, of all pairs", SHARE
        ),
        IN_CONTEXT: Meaning("facts whose object stands in their context, where it need only be copied", SHARE),
        EXCLUDED: Meaning("facts that were not asked about, for the reason given", "facts"),
    },
    columns={
        "group": Meaning("the relation"),
        "subject": Meaning("of the fact"),
        "object": Meaning("of the fact, what is masked"),
        "object_number": Meaning("of the object among its relation's, so that facts with the same one can be told"),
        "pieces": Meaning("of the object; several are scored by log-probability alone", "pieces"),
        "correct": Meaning("whether the object has the largest logit over the whole vocabulary"),
        "chosen": Meaning("whether the object is the likeliest of the relation's objects"),
        "answer": Meaning(f"number of the object that the likeliest piece is; {NO_OBJECT}: it is none"),
        "answer_alone": Meaning("the same of the template without its subject"),
        "choice": Meaning(f"number of the likeliest of the relation's objects; {NO_OBJECT}: it was not asked for"),
        "choice_alone": Meaning("the same of the template without its subject"),
        "rank": Meaning("of the object in the whole vocabulary, from 1 on"),
        "log_probability": Meaning("of the object; of several pieces their sum, left to right", NATS),
        "gain": Meaning("as the metric of that name, of this fact", NATS),
        "top": Meaning("number of the likeliest piece in the tokenizer's vocabulary; -1: it was not asked for"),
        "consistency": Meaning("as the metric of that name, of this fact", SHARE),
        "common": Meaning("whether the object is the most common one of the relation"),
        "named": Meaning("whether the object stands in the subject's name"),
        "held_out": Meaning("whether the article that the fact is from was held out from training"),
        "together": Meaning("sentences of the training text that have subject and object; null: it was not at hand"),
        **{of_context(column, kind): meaning for kind in CONTEXTS for column, meaning in OF_CONTEXT.items()},
    },
    resampled=("object",),
    rounded=(
        *("log_probability", "gain"),
        *(
            of_context(column, kind)
            for kind in CONTEXTS
            for column, meaning in OF_CONTEXT.items()
            if meaning.unit == NATS
        ),
    ),
    properties=(OVERLAP, EXPOSURE),
    pages=("knowledge",),
)
"""``tasks``: the sets, in the order in which a report takes them: the first one of a run is followed fact by fact."""
