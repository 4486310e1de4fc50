"""The forgetting probe: what fine-tuning for tags keeps of what was pretrained, and gives to another language."""

from typing import Literal, get_args

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from embryology.specs import (
    BOTH_DIRECTIONS,
    HIDDEN_STATES,
    MASKED_HEAD,
    NATS,
    SHARE,
    Meaning,
    ProbeSettings,
    Specification,
)

Method = Literal["plain", "replay", "gem"]
PLAIN, REPLAY, GEM = get_args(Method)
LEARNT, OTHER = "learnt", "other"
"""Groups of words: of the language whose tags are learnt, and of the one of which no tag is shown."""
ACCURACY, MASKED_LOSS, FORGOTTEN, SHARE_UNALIGNED = "accuracy", "masked_loss", "forgotten", "share_unaligned"
BEFORE, UNIGRAM, MAJORITY = "before", "unigram", "majority"


class ForgettingSettings(ProbeSettings):
    treebank: str = "auto"
    """Whose universal tags are learnt: ``ewt``, ``silver`` (both English), ``auto``, which is the first of them that is
    there, or the path of a treebank of one's own in CoNLL-U, with ``{split}`` in it."""
    other: str | None = None
    """The path of a treebank in another language, to be told without an example of it; None asks in none."""
    methods: tuple[Method, ...] = (PLAIN, REPLAY, GEM)
    share: float = Field(0.2, gt=0, lt=1)
    """Of all sequences read, how many are masked ones of the run's own texts; of ``plain`` none are."""
    train: PositiveInt = 2000
    """At most so many sentences to learn from, drawn evenly."""
    sentences: PositiveInt = 500
    """At most so many of each test split, drawn evenly."""
    seeds: PositiveInt = 3
    """Of the head, the order of sentences and dropout."""
    learning_rate: PositiveFloat = 2e-4
    epochs: PositiveInt = 3
    batch_size: PositiveInt = 32

    @field_validator("treebank", "other")
    @classmethod
    def _may_be(cls, value: str | None) -> str | None:
        """Said before a run is trained, not after it."""
        if value not in (None, "auto", "ewt", "silver") and not value.endswith((".conllu", ".conllu.gz")):
            raise ValueError(f"there is no treebank {value!r} with universal tags; give a path to .conllu")
        return value

    @model_validator(mode="after")
    def _remembers_something(self) -> "ForgettingSettings":
        if self.share / (1 - self.share) * self.batch_size < 1:
            raise ValueError(
                f"a share of {self.share:g} beside {self.batch_size} sentences is less than one remembered sequence a "
                "step; raise it"
            )
        return self


SPECIFICATION = Specification(
    name="forgetting",
    version=1,
    tasks={
        PLAIN: "fine-tuned plainly",
        REPLAY: "with replay of masked words",
        GEM: "with gradient episodic memory",
    },
    baselines={
        BEFORE: "before it was fine-tuned",
        UNIGRAM: "frequency of pieces in that text",
        MAJORITY: "most frequent tag",
    },
    language=None,
    settings=ForgettingSettings,
    needs=frozenset({MASKED_HEAD, HIDDEN_STATES, BOTH_DIRECTIONS}),
    probe="embryology.probes.forgetting:ForgettingProbe",
    kept_items=("item_id", "task", "group", "seed", "correct", "source", "step"),
    metrics={
        ACCURACY: Meaning("words whose universal tag is told from their first piece, of all that own pieces", SHARE),
        MASKED_LOSS: Meaning(
            "mean cross-entropy of masked pieces of the held-out side of the text that is the group", NATS
        ),
        FORGOTTEN: Meaning("masked_loss after fine-tuning less that before, at the same places", NATS),
        SHARE_UNALIGNED: Meaning("words that own no pieces of the input, and so are not scored, of all words", SHARE),
    },
    resampled=("word", "sentence", "sequence"),
    expensive=True,
)
