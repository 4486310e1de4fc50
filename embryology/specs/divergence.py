"""The divergence probe: how far a model's predictions are from those of n-grams (after Chang and Bergen 2022)."""

from pydantic import PositiveInt

from embryology.specs import MASKED_HEAD, NATS, UNTRAINED, Float32, Meaning, ProbeSettings, Specification

UNIGRAM, LEFT, RIGHT = "unigram", "left", "right"
REFERENCES = (UNIGRAM, LEFT, RIGHT)
DIVERGENCE, CLOSER, OWN, ENTROPY = "divergence", "closer_than_unigram", "closer_than_elsewhere", "entropy"
MODEL = "model"
ELSEWHERE = "another-place"


class DivergenceSettings(ProbeSettings):
    places: PositiveInt = 500
    """At most so many held-out sentences, one place in each."""
    precision: Float32 = "float32"
    """``auto`` is that too: what is summed over a vocabulary are differences of logarithms."""


SPECIFICATION = Specification(
    name="divergence",
    version=1,
    tasks={
        UNIGRAM: "from the frequency of pieces",
        LEFT: "from pieces after the one before",
        RIGHT: "from pieces before the one after",
        MODEL: "of the model's own distribution",
    },
    baselines={ELSEWHERE: "neighbours of another place", UNTRAINED: "untrained model (step 0)"},
    settings=DivergenceSettings,
    needs=frozenset({MASKED_HEAD}),
    probe="embryology.probes.divergence:DivergenceProbe",
    kept_items=("item_id", "sentence", "task", *REFERENCES, "source", "step"),
    rounded=REFERENCES,
    metrics={
        DIVERGENCE: Meaning("Kullback-Leibler divergence of the n-gram's distribution from the model's", NATS),
        CLOSER: Meaning("divergence from the frequency of pieces less that from the bigram", NATS),
        OWN: Meaning("divergence from the bigram with another place's neighbour less that with its own", NATS),
        ENTROPY: Meaning("of the model's distribution over pieces", NATS),
    },
    columns={name: Meaning("divergence of that n-gram's distribution from the model's", NATS) for name in REFERENCES},
    resampled=("sentence",),
)
