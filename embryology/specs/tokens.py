"""The tokens probe: which words a model reconstructs and predicts, by part of speech (section 3 of the paper)."""

from typing import Literal

from pydantic import PositiveInt, field_validator

from embryology.specs import (
    MASKED_HEAD,
    NATS,
    SHARE,
    UNTRAINED,
    AlignmentMethod,
    Meaning,
    ProbeSettings,
    Specification,
    registry,
)
from embryology.specs.properties import EXPOSURE, FREQUENCY, NGRAMS, OVERLAP

RECONSTRUCTION, MASK_PREDICTION, ALIGNMENT = "reconstruction", "mask-prediction", "alignment"
ACCURACY, LOG_PROBABILITY, SHARE_UNALIGNED = "accuracy", "log_probability", "share_unaligned"
FREQUENT_WORD, FREQUENT_IN_GROUP = "most-frequent-word", "most-frequent-in-group"

UNIVERSAL_TAGS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
"""Of Universal Dependencies 2, in the column UPOS."""


class TokensSettings(ProbeSettings):
    treebank: str = "auto"
    """``ewt``, ``silver``, ``auto``, which is the first of them that is there, the path of a treebank of one's own
    in CoNLL-U, with ``{split}`` in it where there is a file for each, or a plug-in's. Words are grouped by Penn tags
    (XPOS), or where it has none by universal ones (UPOS)."""
    split: Literal["train", "dev", "test"] = "test"
    sentences: PositiveInt | None = None
    """At most so many sentences, drawn evenly; None takes all."""
    mask_words_per_tag: PositiveInt | None = None
    """At most so many words of each tag for mask prediction, as each is a sequence of its own; None takes all."""
    alignment: AlignmentMethod = "running"

    @field_validator("treebank")
    @classmethod
    def _may_be(cls, value: str) -> str:
        """Said before a run is trained, not after it; whether the data are there is seen when it is measured."""
        names = ("auto", "ewt", "silver", *registry.sources("treebank", ()))
        if value not in names and not value.endswith((".conllu", ".conllu.gz")):
            raise ValueError(f"there is no treebank {value!r}; choose {', '.join(names)}, or a path to .conllu")
        return value


SPECIFICATION = Specification(
    name="tokens",
    version=2,
    tasks={RECONSTRUCTION: "reconstruction", MASK_PREDICTION: "mask prediction"},
    baselines={
        FREQUENT_WORD: "most frequent word of the set",
        FREQUENT_IN_GROUP: "most frequent word of the group",
        UNTRAINED: "untrained model (step 0)",
    },
    language="en",
    settings=TokensSettings,
    needs=frozenset({MASKED_HEAD}),
    probe="embryology.probes.tokens:TokensProbe",
    kept_items=(
        *("item_id", "sentence", "group", "task", "correct", FREQUENT_WORD, FREQUENT_IN_GROUP),
        *("log_probability", "source", "step"),
    ),
    metrics={
        ACCURACY: Meaning("words all of whose pieces have the largest logit over the vocabulary, of all words", SHARE),
        LOG_PROBABILITY: Meaning("mean over words of the mean log-probability of a word's true pieces", NATS),
        SHARE_UNALIGNED: Meaning("words that own no pieces of the input, and so are not scored, of all words", SHARE),
    },
    columns={
        "word": Meaning("as it is written"),
        FREQUENT_WORD: Meaning("whether the most frequent word of the set would be right"),
        FREQUENT_IN_GROUP: Meaning("whether the most frequent word of its group would be right"),
        "log_probability": Meaning("mean over the word's true pieces", NATS),
    },
    resampled=("word", "sentence"),
    rounded=("log_probability",),
    properties=(FREQUENCY, OVERLAP, EXPOSURE, NGRAMS),
    pages=("tokens", "frequency", "phases"),
)
