"""The grammar probe: which of two sentences that differ in little a model prefers."""

from pydantic import PositiveInt

from embryology.specs import MASKED_HEAD, NATS, SHARE, UNTRAINED, Meaning, ProbeSettings, Specification

WHOLE = "whole"
"""What the last checkpoint alone is asked, all pairs of a set; the task is ``set/whole``."""
VERB, DETERMINER, PRONOUN, ORDER = "verb_number", "determiner_number", "pronoun_number", "word_order"
"""Phenomena of the silver set."""
ACCURACY, CORRECTED, CRITICAL = "accuracy", "accuracy_within_word", "accuracy_at_critical_word"
DIFFERENCE, TIES, EXCLUDED = "difference", "ties", "excluded"
CHANCE, SHORTER, UNIGRAM = "chance", "shorter-sentence", "unigram"
PEOPLE = "people"
REFERENCES = {
    "ngram": "5-gram",
    "lstm": "LSTM",
    "transformer-xl": "Transformer-XL",
    "gpt2": "GPT-2",
    PEOPLE: "people, single judgements",
}
"""What others get right of BLiMP's paradigms, as it is published with the set (Warstadt et al. 2020)."""
PHENOMENA = {
    VERB: "number of the verb",
    DETERMINER: "number of the determiner",
    PRONOUN: "number of the pronoun",
    ORDER: "word order",
    "npi_licensing": "NPI licensing",
    "subject_verb_agreement": "subject-verb agreement",
    "filler_gap_dependency": "filler-gap dependency",
    "determiner_noun_agreement": "determiner-noun agreement",
    "control_raising": "control and raising",
}
"""Labels of phenomena whose names do not say it in words."""


class GrammarSettings(ProbeSettings):
    sets: tuple[str, ...] | None = None
    """Of ``embryology.grammar.pair_sets``; None takes BLiMP where it is there, else the silver pairs."""
    pairs: PositiveInt | None = 20
    """At most so many of a paradigm, drawn evenly, the same ones at every checkpoint; None takes all."""
    whole: bool = True
    """Whether the last checkpoint is asked all pairs of the sets of which a sample is drawn."""


SPECIFICATION = Specification(
    name="grammar",
    version=1,
    tasks={"blimp": "BLiMP", "silver": "silver pairs, held-out vital articles"},
    baselines={
        CHANCE: "chance",
        SHORTER: "sentence of fewer pieces",
        UNIGRAM: "sentence of more frequent pieces",
        UNTRAINED: "untrained model (step 0)",
        **REFERENCES,
    },
    language="en",
    settings=GrammarSettings,
    needs=frozenset({MASKED_HEAD}),
    probe="embryology.probes.grammar:GrammarProbe",
    kept_items=(
        *("item_id", "sentence", "task", "group", "correct", "source", "step"),
        *("paradigm", "difference", SHORTER, UNIGRAM),
    ),
    metrics={
        ACCURACY: Meaning(
            "pairs whose grammatical sentence has the larger pseudo-log-likelihood, of all; ties are wrong", SHARE
        ),
        CORRECTED: Meaning(
            "the same where later pieces of a word are masked with each of its pieces, so that it is scored left to "
            "right",
            SHARE,
        ),
        CRITICAL: Meaning(
            "pairs whose critical word is likelier in the grammatical sentence, its pieces left to right, of those "
            "that have one",
            SHARE,
        ),
        DIFFERENCE: Meaning(
            "mean of the pseudo-log-likelihood of the grammatical sentence less that of the other", NATS
        ),
        TIES: Meaning("pairs whose two sentences have the same pseudo-log-likelihood", "pairs"),
        EXCLUDED: Meaning("pairs that were not asked about, for the reason given", "pairs"),
    },
    columns={
        "group": Meaning("the phenomenon"),
        "paradigm": Meaning("the way in which the pair is made; several make a phenomenon"),
        "sentence": Meaning("what the pair was made of: pairs of one are not independent"),
        "correct": Meaning("whether the grammatical sentence has the larger pseudo-log-likelihood"),
        "corrected": Meaning("the same with words scored left to right"),
        "critical": Meaning("whether the critical word is likelier in the grammatical sentence; null: it has none"),
        "difference": Meaning("pseudo-log-likelihood of the grammatical sentence less that of the other", NATS),
        "pieces": Meaning("of both sentences together", "pieces"),
        SHORTER: Meaning("whether the grammatical sentence has fewer pieces; as many: one half", SHARE),
        UNIGRAM: Meaning(
            "whether the grammatical sentence has the larger sum of its pieces' log frequencies in the training text; "
            "the same sum: one half; null: the text was not at hand",
            SHARE,
        ),
    },
    resampled=("pair", "sentence"),
    rounded=("difference",),
    pages=("grammar",),
)
"""``tasks``: the sets, in the order in which a report takes them."""
