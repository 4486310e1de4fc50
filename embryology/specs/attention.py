"""The attention probe: where each head attends, and whether it finds syntax (Clark et al. 2019)."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from embryology.specs import ATTENTIONS, NATS, SHARE, UNTRAINED, Float32, Meaning, ProbeSettings, Specification

PATTERNS, ATTACHMENT, MAPS = "patterns", "attachment", "maps"
TO_HEAD, TO_DEPENDENT, BEST = "from-dependent", "from-head", "best-head"
"""Parts of the task ``attachment``: the word that a dependent attends to most is taken for its head, or the word that
attends most to the dependent is; and whichever head and direction is best, chosen on other sentences."""
SELF, PREVIOUS, NEXT, FIRST, SEPARATOR = "self", "previous", "next", "first", "separator"
ENTROPY, DISTANCE = "entropy", "distance"
MASSES = (SELF, PREVIOUS, NEXT, FIRST, SEPARATOR)
STATISTICS = (*MASSES, ENTROPY, DISTANCE)
"""Of one head's attention in one sentence, in the order of :func:`embryology.models.attention.statistics`."""
ACCURACY, SHARE_LEFT_OUT = "accuracy", "share_left_out"
UNIFORM, OFFSET = "uniform", "offset"


class AttentionSettings(ProbeSettings):
    treebank: str = "auto"
    """A set of ``embryology.treebanks.edge_sets`` with dependencies; ``auto`` takes ``ewt`` where it is there, else
    ``silver``, whose heads are a parser's."""
    split: Literal["train", "dev", "test"] = "test"
    sentences: PositiveInt = 200
    """At most so many, drawn evenly; a smaller draw lies within a larger one."""
    map_heads: NonNegativeInt = 4
    """Of each layer, so many heads' maps of the project's own sentences are kept, the first ones."""
    precision: Float32 = "float32"
    """``auto`` is that too: in bfloat16 a word's two strongest attentions often tie."""


SPECIFICATION = Specification(
    name="attention",
    version=1,
    tasks={
        PATTERNS: "where heads attend",
        ATTACHMENT: "whether heads find syntactic heads",
        TO_HEAD: "the word that the dependent attends to most",
        TO_DEPENDENT: "the word that attends most to the dependent",
        BEST: "the best head for the relation, chosen on other sentences",
        MAPS: "maps of single sentences",
    },
    baselines={
        UNIFORM: "uniform attention",
        OFFSET: "best fixed offset for the relation, chosen on other sentences",
        UNTRAINED: "untrained model (step 0)",
    },
    language="en",
    settings=AttentionSettings,
    needs=frozenset({ATTENTIONS}),
    probe="embryology.probes.attention:AttentionProbe",
    kept_items=(
        *("item_id", "sentence", "group", "task", *MASSES, "correct", "layers", OFFSET, UNIFORM),
        *("map", "pieces", "source", "step"),
    ),
    metrics={
        SELF: Meaning("attention of a piece to itself, mean over pieces of a sentence, then over sentences", SHARE),
        PREVIOUS: Meaning("attention of a piece to the piece before it, where that is no special token", SHARE),
        NEXT: Meaning("attention of a piece to the piece after it, where that is no special token", SHARE),
        FIRST: Meaning("attention to the first token of the input, [CLS] where a model has it", SHARE),
        SEPARATOR: Meaning("attention to special tokens behind the first, [SEP] where a model has it", SHARE),
        ENTROPY: Meaning("entropy of a piece's attention over all tokens, special ones too", NATS),
        DISTANCE: Meaning("mean distance between pieces, weighted by attention, special tokens apart", "tokens"),
        ACCURACY: Meaning("words whose syntactic head is found, of all that have one and are no punctuation", SHARE),
        SHARE_LEFT_OUT: Meaning("sentences longer than the model reads, or with fewer than two words in it", SHARE),
    },
    columns={
        "group": Meaning("the head as layer-head, from 1, or `uniform` attention; of attachment the relation"),
        **{name: Meaning("as the metric, of one sentence and head, to three decimals", SHARE) for name in MASSES},
        "correct": Meaning("whether the head that was chosen on other sentences finds the syntactic head"),
        "layers": Meaning("bit k (of value 2 to the power k): the same of the head that was chosen in layer k", "bits"),
        OFFSET: Meaning("whether the fixed offset that was chosen on other sentences finds it"),
        UNIFORM: Meaning("chance that a word drawn evenly from the others of the sentence is it", SHARE),
        "map": Meaning("attention from each token (row) to each token (column), two hexadecimal digits each: ff is 1"),
        "pieces": Meaning("the tokens of the map, with a space between"),
    },
    resampled=("sentence",),
    rounded=(UNIFORM,),
    pages=("attention",),
)
