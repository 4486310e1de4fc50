"""The tokens probe: which words a model reconstructs and predicts, by part of speech (section 3 of the paper)."""

from typing import Literal

from pydantic import Field, PositiveInt

from embryology.specs import MASKED_HEAD, UNTRAINED, AlignmentMethod, ProbeSettings, Specification
from embryology.specs.properties import FREQUENCY, OVERLAP

RECONSTRUCTION, MASK_PREDICTION, ALIGNMENT = "reconstruction", "mask-prediction", "alignment"
ACCURACY, LOG_PROBABILITY, SHARE_UNALIGNED = "accuracy", "log_probability", "share_unaligned"
FREQUENT_WORD, FREQUENT_IN_GROUP = "most-frequent-word", "most-frequent-in-group"

UNIVERSAL_TAGS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
"""Of Universal Dependencies 2, in the column UPOS."""


class TokensSettings(ProbeSettings):
    treebank: str = Field("auto", pattern=r"^(auto|ewt|silver|.*\.conllu(\.gz)?)$")
    """``ewt``, ``silver``, ``auto``, which is the first of them that is there, or the path of a treebank of one's own
    in CoNLL-U, with ``{split}`` in it where there is a file for each. Words are grouped by Penn tags (XPOS), or where
    it has none by universal ones (UPOS)."""
    split: Literal["train", "dev", "test"] = "test"
    sentences: PositiveInt | None = None
    """At most so many sentences, drawn evenly; None takes all."""
    mask_words_per_tag: PositiveInt | None = None
    """At most so many words of each tag for mask prediction, as each is a sequence of its own; None takes all."""
    alignment: AlignmentMethod = "running"


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
    resampled=("word", "sentence"),
    rounded=("log_probability",),
    properties=(FREQUENCY, OVERLAP),
    pages=("tokens", "frequency"),
)
