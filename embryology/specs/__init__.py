"""What each probe is called, needs, costs, resamples and shows, and which settings it has; importable without torch.

One file a probe. The words in it are those of the tables: probes write them, analysis and figures read them, and none
of the three has to know the others. :mod:`embryology.specs.registry` finds the specifications.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt

Precision = Literal["auto", "bfloat16", "float32"]
Float32 = Annotated[Literal["float32"], BeforeValidator(lambda value: "float32" if value == "auto" else value)]
"""The precision of a probe whose numbers would be others in bfloat16: ``auto`` is float32 too."""
"""``auto`` is bfloat16 where the device computes in it, which is faster and gives slightly other numbers."""
AlignmentMethod = Literal["running", "words"]
"""Whether a sentence is tokenised as running text, or word by word as in the paper's released scripts."""

MASKED_HEAD, HIDDEN_STATES, ATTENTIONS = "masked-head", "hidden-states", "attentions"
BOTH_DIRECTIONS = "both-directions"
NEEDS = {
    MASKED_HEAD: "trained masked-word head",
    HIDDEN_STATES: "hidden states",
    ATTENTIONS: "attention weights",
    BOTH_DIRECTIONS: "attention in both directions, so that its first vector would know the sentence",
}
"""What a probe may need of a model, in words."""
UNTRAINED = "untrained"
"""The baseline of every probe that measures step 0: the same curve's value there."""
UNITS = {
    "word": "words",
    "sentence": "sentences",
    "document": "documents",
    "sequence": "sequences of held-out text",
    "object": "objects in their relation",
    "pair": "pairs within their paradigms",
    "item": "development items",
    "seed": "seeds",
}
"""What may be resampled, or counted: by name how it is called in prose. The items of one unit are not independent."""
NOT_APPLICABLE = "not applicable"
"""The metric of the one row that says why a probe has nothing to measure."""


class Meaning(NamedTuple):
    """What a metric or a column is, as a data dictionary says it."""

    text: str
    unit: str | None = None


SHARE, NATS = "share, 0 to 1", "nats"
"""Units of metrics."""
ITEM_COLUMNS = {
    "item_id": Meaning("name of the item, the same at every checkpoint and in every series with the same data"),
    "step": Meaning("of the checkpoint, as in the measurements"),
    "task": Meaning("as in the measurements"),
    "group": Meaning("as in the measurements"),
    "sentence": Meaning("name of the sentence that the item stands in"),
    "correct": Meaning("whether the model's answer is right"),
    "source": Meaning("which data were asked about, in words"),
    "seed": Meaning("which of several trainings on the checkpoint, as in the measurements"),
}
"""What a column of that name holds in the item tables of all probes."""


class ProbeSettings(BaseModel):
    """Base of every probe's settings, the preset's section of its name; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: PositiveInt = 1
    """Of all checkpoints, every how many-th is measured; the last one always is, and those that are asked for."""
    precision: Precision = "float32"
    """Of the model's body."""
    seed: int = Field(0, ge=0)
    """Of every draw: samples of the data, initial weights, resamples of intervals."""


@dataclass(frozen=True)
class Specification:
    """A probe as everybody but itself has to know it."""

    name: str
    version: int
    """Raised whenever the same input would give other numbers."""
    settings: type[ProbeSettings]
    needs: frozenset[str]
    """Of :data:`NEEDS`."""
    probe: str
    """``module:Class`` of what measures; imported where something is measured, as it may load torch."""
    kept_items: tuple[str, ...]
    """Columns of its item table that stay when a run is frozen: no text, as that may not be ours to publish."""
    resampled: tuple[str, ...]
    """The units that its intervals resample, or count, of :data:`UNITS`; of several each row names its own."""
    tasks: dict[str, str]
    """Labels by the names of its tasks, in the order in which they are shown."""
    baselines: dict[str, str]
    """Labels by the names of its baselines."""
    language: str | None = None
    """Of its data, as ISO 639-1 has it; None where it asks in none."""
    expensive: bool = False
    """Whether it takes minutes a checkpoint, and so is to be asked for where no preset does."""
    metrics: Mapping[str, Meaning] = field(default_factory=dict)
    """What its metrics are, by name."""
    columns: Mapping[str, Meaning] = field(default_factory=dict)
    """What the columns of its item table hold, those beside :data:`ITEM_COLUMNS`."""
    properties: tuple[str, ...] = ()
    """Kinds of properties that are counted of its items, of :data:`embryology.specs.properties.VERSIONS`."""
    rounded: tuple[str, ...] = ()
    """Of the columns that are kept, those that are kept to two decimals, which takes a fourth of the room."""
    pages: tuple[str | Path, ...] = ()
    """Notebooks about it: names of those in ``notebooks/``, or paths of a plug-in's."""

    def __post_init__(self) -> None:
        if unknown := set(self.needs) - set(NEEDS):
            raise ValueError(f"{self.name} needs {', '.join(sorted(unknown))}; models have {', '.join(NEEDS)}")
        if unknown := set(self.resampled) - set(UNITS):
            raise ValueError(f"{self.name} resamples {', '.join(sorted(unknown))}; units are {', '.join(UNITS)}")
        if unknown := set(self.rounded) - set(self.kept_items):
            raise ValueError(f"{self.name} rounds {', '.join(sorted(unknown))}, which it does not keep")

    def load(self) -> Any:
        """The probe itself, an instance of :class:`embryology.probes.Probe`."""
        module, _, name = self.probe.partition(":")
        return getattr(import_module(module), name)()


class NotApplicable(Exception):  # noqa: N818 - an outcome, not an error
    """Raised by a probe that has nothing to measure of a model; the message is the reason, as a clause."""
