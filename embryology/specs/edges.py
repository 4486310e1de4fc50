"""The edges probe: what every layer knows of syntax and semantics (section 4 of the paper)."""

from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from embryology.specs import HIDDEN_STATES, SHARE, UNTRAINED, AlignmentMethod, Meaning, ProbeSettings, Specification
from embryology.specs.properties import OVERLAP

POS, CONSTITUENT, DEPENDENCY = "pos", "constituent", "dependency"
ENTITY, COREFERENCE, ROLE = "entity", "coreference", "role"
F1_MICRO, F1_MACRO, F1 = "f1_micro", "f1_macro", "f1"
SELECTIVITY, COMPRESSION, SHARE_UNREAD = "selectivity", "compression", "share_unread"
MAJORITY, CONTROL, STATIC = "majority", "control", "static"
FREQUENCIES = "label-frequencies"
RECURRING = "recurring"
"""The group of edges whose words are those of an edge of training, so that a control label can be known by heart."""
STATIC_LAYER = 0
"""The layer of embeddings that know no context: the baseline ``static`` of every other layer."""
PUBLISHED = {POS: 212_121, CONSTITUENT: 190_535, ROLE: 61_716, COREFERENCE: 27_800}
"""Targets of the OntoNotes test set in the edge probing of Tenney et al. (2019), as they are commonly cited. Not
confirmed from the paper; the numerators of the published curves agree with each of them modulo 1,024."""


class EdgesSettings(ProbeSettings):
    sets: tuple[str, ...] | Literal["auto"] = "auto"
    """Of ``embryology.treebanks.edge_sets``; ``auto`` takes the gold ones where both are there, else silver."""
    train_sentences: PositiveInt | None = None
    """At most so many to learn from, drawn evenly; None takes all. The test split is always whole."""
    protocol: Literal["fast", "paper"] = "fast"
    """How classifiers are trained: ``embryology.models.linear.fit``, or ``fit_published``, which takes hours."""
    steps: PositiveInt = 600
    """This and the next two are of ``fast``, and of the description length."""
    batch_size: PositiveInt = 1024
    learning_rate: PositiveFloat = 0.03
    codelength: bool = True
    """Whether the minimum description length of the training labels is measured too; doubles the time."""
    seeds: PositiveInt = 1
    """Classifiers trained a layer and task, from ``seed`` on; the first gives the items."""
    alignment: AlignmentMethod = "running"


SPECIFICATION = Specification(
    name="edges",
    version=2,
    tasks={
        POS: "part of speech",
        CONSTITUENT: "constituent",
        DEPENDENCY: "dependency",
        ENTITY: "entity",
        COREFERENCE: "coreference",
        ROLE: "semantic role",
    },
    baselines={
        MAJORITY: "most frequent label",
        STATIC: "static embeddings (layer 0)",
        UNTRAINED: "untrained model (step 0), same layer",
        CONTROL: "control: labels by heart",
        FREQUENCIES: "label frequencies alone",
    },
    language="en",
    settings=EdgesSettings,
    needs=frozenset({HIDDEN_STATES}),
    probe="embryology.probes.edges:EdgesProbe",
    kept_items=("item_id", "sentence", "group", "task", "correct", "layers", "source", "step"),
    metrics={
        F1_MICRO: Meaning("edges whose label a linear classifier on the layer's vectors gets right, of all", SHARE),
        F1_MACRO: Meaning("mean F1 of the labels of the test split", SHARE),
        F1: Meaning("F1 of the label that is the group", SHARE),
        SELECTIVITY: Meaning(
            "micro F1 less that of the control task, whose labels are drawn for each sequence of words",
            "difference of two shares",
        ),
        COMPRESSION: Meaning(
            "uniform code length of the training labels over their minimum description length given the vectors",
            "ratio",
        ),
        SHARE_UNREAD: Meaning("edges that lie beyond what the model reads, and so count as wrong, of all", SHARE),
    },
    columns={
        "group": Meaning("the true label; `not in training` where the training split has none such"),
        "correct": Meaning("whether the classifier of the last layer is right"),
        "layers": Meaning("bit k (of value 2 to the power k) says whether the classifier of layer k is right", "bits"),
    },
    resampled=("document", "sentence"),
    expensive=True,
    properties=(OVERLAP,),
    pages=("edges", "layers"),
)
