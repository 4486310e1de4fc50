"""The two probes of downstream tasks: fine-tuned, and a linear model on the frozen checkpoint (section 5)."""

from dataclasses import replace
from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from embryology.specs import BOTH_DIRECTIONS, HIDDEN_STATES, SHARE, Meaning, ProbeSettings, Specification
from embryology.specs.properties import OVERLAP

PROGRAMS = {
    "parity": "even number of a's (parity)",
    "majority-vote": "more a's than b's (majority)",
    "range": "number within a range",
    "regular": "regular language a+b+c+d+",
    "sorted": "digits in order (sorting)",
}
"""Tasks of no language, made by program."""
TASKS = {
    "CoLA": "acceptability (CoLA)",
    "SST-2": "sentiment (SST-2)",
    "MRPC": "paraphrase (MRPC)",
    "STS-B": "similarity (STS-B)",
    "QQP": "same question (QQP)",
    "MNLI": "inference (MNLI)",
    "QNLI": "answer in sentence (QNLI)",
    "RTE": "inference (RTE)",
    "WNLI": "pronouns (WNLI)",
    "SQuAD": "questions on a text (SQuAD 2.0)",
    "topic": "topic of an article",
} | PROGRAMS
SCORED = ("STS-B",)
"""Tasks whose answers are near the truth or far from it, not right or wrong."""
SCORE, COLLAPSED = "score", "collapsed"
"""The mean of a task's metrics, what GLUE averages over tasks; and whether all answers are alike."""
MAJORITY, TF_IDF = "majority", "tf-idf"
BASELINES = {MAJORITY: "most frequent class", TF_IDF: "linear model on tf-idf"}
FINETUNE, FROZEN = "finetune", "frozen"
CORRELATION = "correlation, -1 to 1"
METRICS = {
    SCORE: Meaning("mean of the task's other metrics but `collapsed`, what GLUE averages over tasks"),
    "accuracy": Meaning("development items whose class is right, of all", SHARE),
    "f1": Meaning("F1 of the second class; of SQuAD the mean over questions of the F1 of the answer's words", SHARE),
    "exact": Meaning("questions whose answer is right but for articles and punctuation, of all", SHARE),
    "matthews": Meaning("Matthews' correlation of predicted and true classes", CORRELATION),
    "pearson": Meaning("Pearson's correlation of predicted and true scores", CORRELATION),
    "spearman": Meaning("Spearman's correlation of predicted and true scores", CORRELATION),
}


class FrozenSettings(ProbeSettings):
    tasks: tuple[str, ...] | Literal["auto"] = "auto"
    """Of :data:`TASKS`; ``auto`` takes GLUE's tasks whose train sets are there, without WNLI as in the paper, and for
    fine-tuning SQuAD; else the topic of an article."""
    train: PositiveInt | None = None
    """At most so many training examples, drawn evenly; None takes all."""
    max_length: PositiveInt = 128
    """Most pieces an input has, if the model reads as many."""


class FinetuneSettings(FrozenSettings):
    seeds: PositiveInt = 3
    """Of the head, the order of examples and dropout."""
    learning_rate: PositiveFloat = 2e-4
    epochs: PositiveInt = 3
    batch_size: PositiveInt = 32


FROZEN_SPECIFICATION = Specification(
    name=FROZEN,
    version=1,
    tasks=TASKS,
    baselines=BASELINES,
    language="en",
    settings=FrozenSettings,
    needs=frozenset({HIDDEN_STATES}),
    probe="embryology.probes.frozen:FrozenProbe",
    kept_items=(),
    metrics=METRICS,
    resampled=("item",),
)
FINETUNE_SPECIFICATION = replace(
    FROZEN_SPECIFICATION,
    name=FINETUNE,
    settings=FinetuneSettings,
    needs=frozenset({HIDDEN_STATES, BOTH_DIRECTIONS}),
    probe="embryology.probes.finetune:FinetuneProbe",
    kept_items=("item_id", "task", "seed", "correct", "source", "step"),
    metrics=METRICS | {COLLAPSED: Meaning("1 where all answers are alike, else 0")},
    columns={
        "correct": Meaning("whether the answer is right; of scores, whether it is the same to the last digit"),
        "prediction": Meaning("class, by its number, or score; of SQuAD the F1 of the answer's words"),
    },
    expensive=True,
    properties=(OVERLAP,),
    pages=("downstream",),
)
