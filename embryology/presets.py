"""A preset: everything that decides what a run becomes, and apart from it how fast it gets there."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from embryology.errors import EmbryologyError
from embryology.files import read_yaml, sha256_of

Share = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """Base of every section: unknown keys are refused, so that a misspelt one cannot pass unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Corpus(Section):
    source: str = "bundled"
    path: str | None = None


class Tokenizer(Section):
    pieces: int = Field(ge=100, le=1_000_000)


class Model(Section):
    """An ALBERT: ``layers`` passes through one shared layer (Lan et al. 2020, section 3.1)."""

    layers: PositiveInt
    width: PositiveInt
    feed_forward: PositiveInt
    heads: PositiveInt
    embedding: PositiveInt
    initializer_range: PositiveFloat
    dropout: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "Model":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class Objective(Section):
    masked_share: Share
    """Of the pieces of a sequence, how many are to be predicted."""
    longest_ngram: PositiveInt
    """Spans of 1 to this many words are masked, n words with probability proportional to 1/n."""
    order_weight: float = Field(ge=0)
    """Weight of the sentence-order loss beside the masked loss."""


class Optimizer(Section):
    """AdamW with linear warm-up and linear decay to zero."""

    peak_rate: PositiveFloat
    warm_up: PositiveInt
    weight_decay: float = Field(ge=0)
    betas: tuple[float, float]
    clip: PositiveFloat
    """Greatest norm of the gradient."""


class Outcome(Section):
    """All that the weights depend on. Its hash names the experiment; a resume with another one is refused."""

    corpus: Corpus
    tokenizer: Tokenizer
    model: Model
    objective: Objective
    optimizer: Optimizer
    steps: PositiveInt
    sequences: PositiveInt
    """Sequences a step."""
    sequence_length: int = Field(ge=16)
    """Pieces a sequence, ``[CLS]`` and both ``[SEP]`` included."""
    held_out_sequences: PositiveInt
    """How many held-out sequences an evaluation reads."""
    checkpoints: list[int]
    """The steps at which the model is saved and evaluated, from 0 to ``steps``."""
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _grid_spans_training(self) -> "Outcome":
        grid = self.checkpoints
        if grid != sorted(set(grid)) or grid[0] != 0 or grid[-1] != self.steps:
            raise ValueError(f"checkpoints must rise from 0 to steps ({self.steps})")
        return self


class Speed(Section):
    """What may change between resumes. The thread count does change the last bits of the weights."""

    threads: PositiveInt = 2
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    resume_every: PositiveInt = 250
    """Steps between two resume points, beside those at checkpoints."""


class Preset(Section):
    name: str
    outcome: Outcome
    probes: dict[str, dict] = {}
    """Settings by probe, checked by the probe itself; their own hash is in every measurement's key."""
    speed: Speed = Speed()

    @property
    def outcome_sha256(self) -> str:
        return sha256_of(self.outcome.model_dump(mode="json"))

    def with_seed(self, seed: int) -> "Preset":
        return self.model_copy(update={"outcome": self.outcome.model_copy(update={"seed": seed})})


def names() -> list[str]:
    """The presets that come with the package."""
    folder = resources.files("embryology") / "presets"
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def load(preset: str) -> Preset:
    """A preset by its name, or from a person's own YAML file by its path.

    Raises:
        EmbryologyError: there is none, or a key is unknown, missing or of a wrong value.
    """
    if preset in names():
        file = Path(str(resources.files("embryology") / "presets" / f"{preset}.yaml"))
    else:
        file = Path(preset).expanduser()
        if file.suffix not in {".yaml", ".yml"}:
            raise EmbryologyError(f"there is no preset {preset!r}; choose one of {', '.join(names())}, or a .yaml file")
    return validated({"name": file.stem} | (read_yaml(file) or {}), origin=str(file))


def validated(values: dict, origin: str) -> Preset:
    """``values`` as a preset; ``origin`` names the file in the error."""
    try:
        return Preset.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        reason = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"].lower()
        raise EmbryologyError(f"{origin}: {place}: {reason}") from error
