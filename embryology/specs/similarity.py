"""The similarity probe: how a layer's vectors change over training (Raghu et al. 2017; Morcos et al. 2018)."""

from typing import Literal

from pydantic import Field, PositiveInt

from embryology.specs import HIDDEN_STATES, SHARE, UNTRAINED, Float32, Meaning, ProbeSettings, Specification

LAYERS, LAST, BEFORE, SHAPE, NOISE = "layers", "last", "before", "shape", "noise"
CKA, PWCCA, KEPT = "cka", "pwcca", "variance_kept"
COSINE, PARTICIPATION, DIMENSION = "mean_cosine", "participation_ratio", "intrinsic_dimension"
ACCURACY, SURVIVED = "accuracy", "noise_survived"
SHUFFLED, MAJORITY = "shuffled-words", "majority"
REFERENCE = "reference"
"""In what identifies the data: ``step`` and ``sha256`` of the checkpoint that others are compared with."""
FEWEST_WORDS = 30
"""Of fewer no similarity is told."""
LEVELS = tuple(2.0 ** (half / 2) for half in range(-8, 13))
"""Deviations of noise that are tried, in units of a dimension's own; what survives the last is not told."""


class SimilaritySettings(ProbeSettings):
    treebank: str = "auto"
    """As of the tokens probe: ``ewt``, ``silver``, ``auto``, the path of a CoNLL-U file, or a plug-in's."""
    split: Literal["train", "dev", "test"] = "test"
    words: int = Field(1000, ge=FEWEST_WORDS)
    """At most so many, no two of one sentence or of one form."""
    components: PositiveInt = 50
    """First principal components of a layer that PWCCA reads: of more its correlations are fitted to chance."""
    precision: Float32 = "float32"
    """``auto`` is that too: in bfloat16 vectors that differ little are the same."""


SPECIFICATION = Specification(
    name="similarity",
    version=1,
    tasks={
        LAYERS: "layers of one checkpoint",
        LAST: "with the last checkpoint",
        BEFORE: "with the checkpoint before",
        SHAPE: "isotropy and dimension",
        NOISE: "noise that part of speech survives",
    },
    baselines={
        SHUFFLED: "shuffled words",
        MAJORITY: "most frequent tag",
        UNTRAINED: "untrained model (step 0)",
    },
    language="en",
    settings=SimilaritySettings,
    needs=frozenset({HIDDEN_STATES}),
    probe="embryology.probes.similarity:SimilarityProbe",
    kept_items=("item_id", "task", "layer", "without", CKA, PWCCA, "words", "source", "step"),
    metrics={
        CKA: Meaning("linear centred kernel alignment of two layers' vectors, unbiased estimates", "-1 to 1"),
        PWCCA: Meaning("projection-weighted canonical correlation of two layers' first principal components", "0 to 1"),
        KEPT: Meaning("variance of a layer's vectors that its first principal components hold", SHARE),
        COSINE: Meaning("mean cosine of two words' vectors", "-1 to 1"),
        PARTICIPATION: Meaning(
            "squared sum of the covariance's eigenvalues over the sum of their squares", "dimensions"
        ),
        DIMENSION: Meaning("intrinsic dimension by the two nearest neighbours (TwoNN)", "dimensions"),
        ACCURACY: Meaning(
            "words whose part of speech a linear classifier trained on other documents gets right", SHARE
        ),
        SURVIVED: Meaning(
            "noise on the vectors at which that accuracy is halfway down to the most frequent tag's",
            "standard deviations of a dimension",
        ),
    },
    columns={
        "layer": Meaning("0 are the embeddings"),
        "without": Meaning("the group of documents that is left out, from 1; 0 where none is"),
        "words": Meaning("that are in that group; of 0 all that are measured"),
        CKA: Meaning("as the metric, without the group"),
        PWCCA: Meaning("as the metric, without the group"),
    },
    resampled=("document", "sentence"),
    pages=("similarity",),
)
