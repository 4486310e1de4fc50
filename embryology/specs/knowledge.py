"""The knowledge probe: which facts a model knows (section 6 of the paper)."""

from typing import Literal

from pydantic import PositiveInt, field_validator

from embryology.specs import MASKED_HEAD, UNTRAINED, ProbeSettings, Specification
from embryology.specs.properties import OVERLAP

NOT_NAMED, HELD_OUT, NOT_HELD_OUT, SEVERAL_PIECES = "not named", "held out", "not held out", "several pieces"
"""Parts of a set of facts; the task is ``set/part``."""
ACCURACY, KNOWN, AT_10, OF_CANDIDATES = "accuracy", "known", "precision_at_10", "accuracy_of_candidates"
RECIPROCAL_RANK, LOG_PROBABILITY, GAIN = "reciprocal_rank", "log_probability", "gain"
OF_TEMPLATES, CONSISTENCY, EXCLUDED = "accuracy_of_templates", "consistency", "excluded"
MAJORITY, TEMPLATE, SHUFFLED = "most-common-object", "without-subject", "shuffled-subjects"
COPY = "copy"
NO_OBJECT = -1
"""An answer that is none of the relation's objects, or that was not asked for."""


class KnowledgeSettings(ProbeSettings):
    sets: tuple[str, ...] | Literal["auto"] = "auto"
    """Of ``embryology.facts.fact_sets``; ``auto`` takes LAMA's T-REx and ParaRel where they are there, else the
    bundled facts."""
    kinds: tuple[Literal["1-1", "N-1", "N-M", ""], ...] = ("1-1", "N-1", "")
    """Types of relations; ParaRel and SQuAD do not say theirs."""
    facts: PositiveInt | None = None
    """At most so many of a relation, drawn evenly; None takes all."""
    precision: Literal["float32"] = "float32"
    """``auto`` is that too: ranks and choices in bfloat16 would be others, and are no faster."""

    @field_validator("precision", mode="before")
    @classmethod
    def _automatic(cls, value: object) -> object:
        return "float32" if value == "auto" else value


SPECIFICATION = Specification(
    name="knowledge",
    version=6,
    tasks={
        "trex": "LAMA T-REx",
        "google-re": "LAMA Google-RE",
        "squad": "LAMA SQuAD",
        "pararel": "ParaRel",
        "bundled": "short descriptions of vital articles",
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
    ),
    resampled=("object",),
    rounded=("log_probability", "gain"),
    properties=(OVERLAP,),
    pages=("knowledge",),
)
"""``tasks``: the sets, in the order in which a report takes them: the first one of a run is followed fact by fact."""
