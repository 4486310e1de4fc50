"""The tokens probe: which words a model reconstructs and predicts, by part of speech (section 3 of the paper)."""

from typing import Literal

from pydantic import PositiveInt

from embryology.specs import MASKED_HEAD, UNTRAINED, AlignmentMethod, ProbeSettings, Specification

RECONSTRUCTION, MASK_PREDICTION, ALIGNMENT = "reconstruction", "mask-prediction", "alignment"
ACCURACY, LOG_PROBABILITY, SHARE_UNALIGNED = "accuracy", "log_probability", "share_unaligned"
FREQUENT_WORD, FREQUENT_IN_GROUP = "most-frequent-word", "most-frequent-in-group"


class TokensSettings(ProbeSettings):
    treebank: Literal["auto", "ewt", "silver"] = "auto"
    split: Literal["train", "dev", "test"] = "test"
    sentences: PositiveInt | None = None
    """At most so many sentences, drawn evenly; None takes all."""
    mask_words_per_tag: PositiveInt | None = None
    """At most so many words of each tag for mask prediction, as each is a sequence of its own; None takes all."""
    alignment: AlignmentMethod = "running"


SPECIFICATION = Specification(
    name="tokens",
    version=1,
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
    kept_items=("item_id", "sentence", "group", "task", "correct", "source", "step"),
    resampled="sentences",
    pages=("tokens",),
)
