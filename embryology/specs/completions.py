"""The completions probe: what a model says in some plain sentences, kept word for word for readers.

Examples, and few: rates over them say little, and other probes measure what a model can.
"""

import re
from typing import Self

from pydantic import PositiveInt, field_validator, model_validator

from embryology.specs import MASKED_HEAD, NATS, SHARE, UNTRAINED, Float32, Meaning, ProbeSettings, Specification

GAP, ANSWER, RECONSTRUCTION, PREFERENCE = "gap", "answer", "reconstruction", "preference"
"""Tasks. Rows of ``answer`` are in the item table alone."""
ACCURACY, AMONG, LOG_PROBABILITY, EXCLUDED = "accuracy", "among_answers", "log_probability", "excluded"
FREQUENT_WORD, CHANCE = "most-frequent-word", "chance"
MARKED = re.compile(r"\[([^\[\]]+)\]")
"""The word of a sentence that is masked."""


class CompletionsSettings(ProbeSettings):
    sentences: tuple[str, ...] | None = None
    """Sentences of one's own, the word that is masked in square brackets; None takes the project's. They are kept,
    and shown, with what is measured."""
    pairs: tuple[tuple[str, str], ...] | None = None
    """Pairs of sentences of one's own, the good one first; None takes the project's, or none beside own sentences."""
    answers: PositiveInt = 5
    """How many of the likeliest words are kept at each mask."""
    language: str = "en"
    """Of the sentences, as ISO 639-1 has it."""
    precision: Float32 = "float32"
    """``auto`` is that too: in bfloat16 other words would be the likeliest."""

    @field_validator("sentences")
    @classmethod
    def _have_a_gap(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for sentence in value or ():
            if len(MARKED.findall(sentence)) != 1 or MARKED.sub("", sentence).strip("[] ") == "":
                raise ValueError(f"{sentence!r} needs one word in square brackets, and others around it")
        if value is not None and (not value or len(set(value)) < len(value)):
            raise ValueError("there are no sentences, or one comes twice")
        return value

    @model_validator(mode="after")
    def _one_language(self) -> Self:
        if self.language != "en" and self.sentences is None:
            raise ValueError("the project's own sentences are English; give others in `sentences`")
        return self


SPECIFICATION = Specification(
    name="completions",
    version=1,
    tasks={
        GAP: "masked word of a sentence",
        ANSWER: "likeliest words at the mask",
        RECONSTRUCTION: "words of whole sentences",
        PREFERENCE: "the better one of two sentences",
    },
    baselines={
        FREQUENT_WORD: "most frequent word of these sentences",
        CHANCE: "chance",
        UNTRAINED: "untrained model (step 0)",
    },
    language="en",
    settings=CompletionsSettings,
    needs=frozenset({MASKED_HEAD}),
    probe="embryology.probes.completions:CompletionsProbe",
    kept_items=(
        *("item_id", "sentence", "task", "text", "other", "start", "end", "word", "pieces", "rank", "answer"),
        *("probability", "difference", "correct", "source", "step"),
    ),
    metrics={
        ACCURACY: Meaning(
            "of gaps: those whose likeliest pieces are its own, all masked at once; of reconstruction: "
            "words all of whose pieces have the largest logit, nothing masked; of preferences: pairs whose better one "
            "has the larger pseudo-log-likelihood, ties are wrong",
            SHARE,
        ),
        AMONG: Meaning("gaps whose word is among the likeliest ones that are kept", SHARE),
        LOG_PROBABILITY: Meaning(
            "mean log-probability of the masked words; of several pieces the sum, all masked at once", NATS
        ),
        EXCLUDED: Meaning("sentences or pairs that were not asked, for the reason given", "sentences"),
    },
    columns={
        "text": Meaning("the sentence; of pairs the better one"),
        "other": Meaning("of pairs the other sentence"),
        "start": Meaning("of the word in the text, from 0", "characters"),
        "end": Meaning("behind its last character", "characters"),
        "word": Meaning("as it is written"),
        "pieces": Meaning("of the word, and so how many masks stand in its place", "pieces"),
        "rank": Meaning("of the answer, 1 for the likeliest; 0 of other tasks"),
        "answer": Meaning(
            "what the model says: as many pieces as the word has, joined to text; a hyphen before one that would go on "
            "within a word where the word begins"
        ),
        "probability": Meaning(
            "of gaps of the word, of answers of the answer, given the sentence with the word's pieces masked: the "
            "product over its pieces; of reconstruction of the word, nothing masked",
            SHARE,
        ),
        "difference": Meaning("of pairs the pseudo-log-likelihood of the better sentence less that of the other", NATS),
        "correct": Meaning("whether the answer is the word, by its pieces; of preferences whether the better one wins"),
    },
    resampled=("sentence", "pair"),
    rounded=("difference",),
    pages=("atlas", "checkpoint"),
)
