"""A preset: everything that decides what a run becomes, and apart from it how fast it gets there."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from embryology.errors import EmbryologyError, problems
from embryology.presets.files import values_of
from embryology.presets.others import GrownFrom, Order, StartsFrom
from embryology.presets.sections import Corpus, Model, Objective, Optimizer, Section, Tokenizer, Typing
from embryology.specs import Precision, registry
from embryology.storage.files import sha256_of

Compile = bool | Literal["reduce-overhead"]
VERSION = 3
"""Of what a batch, a step and a held-out question are: raised whenever the same settings give other weights or other
held-out values. Up to 1 a chunk was cut before its segments were swapped, which gave their order away, and LAMB was not
ALBERT's. Up to 2 a tenth of the held-out places were shown as they are, where a model need only copy."""


class Part(Section):
    """A text of a phase that reads several."""

    corpus: Corpus | None = None
    """None is the run's own."""
    weight: PositiveFloat
    """Of its sequences among all, beside the others' weights."""


class Phase(Section):
    """Some steps of a run; what a phase does not say is as in the run."""

    steps: PositiveInt
    corpus: Corpus | None = None
    mixture: tuple[Part, ...] = ()
    """Several texts by weight, instead of one ``corpus``."""
    objective: Objective | None = None
    rate: Literal["schedule", "constant", "decay"] = "schedule"
    """``schedule`` is the optimizer's over the whole run; else ``constant``, or linear ``decay`` to zero at the end of
    the phase. The run's first steps are a warm-up with each."""
    learning_rate: PositiveFloat | None = None
    """At the peak of a constant rate or a decay."""
    warmup_steps: NonNegativeInt = 0
    """Of a later phase, within a constant rate or a decay; the first has the optimizer's."""
    batch_size: PositiveInt | None = None
    sequence_length: int | None = Field(None, ge=16)


@dataclass(frozen=True)
class Stage:
    """A phase with all that it has of the run: steps ``first`` to ``after`` - 1, counted from 0."""

    number: int
    """From 1."""
    first: int
    after: int
    texts: tuple[tuple[Corpus, float], ...]
    """What is read, each with its weight."""
    objective: Objective
    batch_size: int
    sequence_length: int
    learning_rate: float
    """At the peak, which warm-up reaches after ``warmup_steps`` steps from ``rises_from`` on."""
    warmup_steps: int
    rises_from: int
    falls_to: int | None
    """The step at which the rate is zero; None where it is constant."""

    @property
    def shape(self) -> tuple[Objective, int, int]:
        """What a step costs."""
        return self.objective, self.batch_size, self.sequence_length

    @property
    def reads(self) -> tuple[tuple[tuple[Corpus, float], ...], Objective, int, int]:
        """What makes batches those that they are, beside their numbers."""
        return self.texts, *self.shape


class Outcome(Section):
    """All that the weights depend on. Its hash names the experiment; a resume with another one is refused."""

    corpus: Corpus
    tokenizer: Tokenizer
    model: Model
    objective: Objective
    optimizer: Optimizer
    steps: PositiveInt
    batch_size: PositiveInt
    """Sequences a step, over all devices."""
    sequence_length: int = Field(ge=16)
    """Pieces a sequence, ``[CLS]`` and both ``[SEP]`` included."""
    phases: tuple[Phase, ...] = ()
    """One after the other, from step 0 to ``steps``; none is one phase with the optimizer's schedule."""
    grown_from: GrownFrom | None = None
    """None where it begins with random parameters."""
    order: Order | None = None
    """In which the sequences of all steps are read; None is that of chance."""
    replaced: dict[NonNegativeInt, NonNegativeInt] = Field({})
    """Sequences, by their number among all that the run reads, that are not read: in the place of each a chunk of the
    held-out text, by its number, cut to the same length. All others stay as they are."""
    held_out_sequences: PositiveInt
    """How many held-out sequences an evaluation reads."""
    checkpoints: list[int]
    """The steps at which the model is saved and evaluated, from 0 to ``steps``."""
    evaluate_every: PositiveInt | None = None
    """Steps between evaluations beside those at checkpoints: whether a loss still falls shows in many of them alone."""
    seed: int = Field(0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _long_is_two_phases(cls, values: Any) -> Any:
        """Longer sequences from a step on were a key of their own, and stand in the records of all runs until then."""
        if not isinstance(values, dict) or "long" not in values:
            return values
        values = dict(values)
        if long := values.pop("long"):
            first = long.get("from_step", 0)
            second = {key: value for key, value in long.items() if key != "from_step"}
            values["phases"] = [{"steps": first}, {"steps": values.get("steps", first) - first, **second}]
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> "Outcome":
        grid = self.checkpoints
        if grid != sorted(set(grid)) or grid[0] != 0 or grid[-1] != self.steps:
            raise ValueError(f"checkpoints must rise from 0 to steps ({self.steps})")
        for objective in (self.objective, *(stage.objective for stage in self.course)):
            if self.model.family == "electra" and (objective.pair != "none" or not objective.rtd_weight):
                raise ValueError("an electra is trained with pair: none, pair_weight: 0 and an rtd_weight above 0")
            if self.model.family != "electra" and objective.rtd_weight:
                raise ValueError("rtd_weight is of electra alone, as no other model tells what was replaced")
            if objective.typing and objective.typing != self.typing:
                raise ValueError("all phases with typing have the same, as they train the same head")
        if self.typing and self.model.family == "electra":
            raise ValueError("typing is not of electra, whose discriminator does not read the text as it is")
        if self.replaced and max(self.replaced) >= self.sequences:
            raise ValueError(f"replaced {max(self.replaced)} is no number of its {self.sequences} sequences, from 0")
        if self.replaced and any(stage.objective.pair == "nsp" for stage in self.course):
            raise ValueError(
                "replaced sequences are not for pair: nsp, which would add held-out text of other articles"
            )
        if self.order and len({stage.reads for stage in self.course}) > 1:
            raise ValueError("order is of all sequences of a run, so that its phases have to read alike")
        if self.order and len(self.course[0].texts) > 1:
            raise ValueError("order is of a run that reads one text")
        for problem in self._problems_of_phases():
            raise ValueError(problem)
        return self

    def _problems_of_phases(self) -> Iterator[str]:
        if not self.phases:
            return
        if (steps := sum(phase.steps for phase in self.phases)) != self.steps:
            yield f"phases have {steps} steps together, and the run has {self.steps}"
        if len({phase.rate == "schedule" for phase in self.phases}) > 1:
            yield "each phase has a rate of its own, constant or decay, or none has"
        for stage, phase in zip(self.course, self.phases, strict=True):
            name = f"phase {stage.number}"
            if phase.corpus and phase.mixture:
                yield f"{name} has a corpus and a mixture; give one of them"
            if len({corpus for corpus, _ in stage.texts}) < len(stage.texts):
                yield f"{name} has a corpus twice in its mixture; give each once, with its weight"
            if phase.rate == "schedule" and (phase.learning_rate or phase.warmup_steps):
                yield f"{name} has a learning_rate or warmup_steps, which are of a rate: constant or decay"
            if stage.number == 1 and phase.warmup_steps:
                yield f"{name} has the optimizer's warmup_steps; leave out its own"
            if phase.rate != "schedule" and stage.warmup_steps > phase.steps:
                yield f"{name} has {phase.steps} steps, and its warm-up of {stage.warmup_steps} does not end within"

    @property
    def course(self) -> tuple[Stage, ...]:
        """The phases, at least one, in their order."""
        stages, first = [], 0
        for number, phase in enumerate(self.phases or (Phase(steps=self.steps),), 1):
            whole, after = phase.rate == "schedule", first + phase.steps
            stages.append(
                Stage(
                    number=number,
                    first=first,
                    after=after,
                    texts=tuple((part.corpus or self.corpus, part.weight) for part in phase.mixture)
                    or ((phase.corpus or self.corpus, 1.0),),
                    objective=phase.objective or self.objective,
                    batch_size=phase.batch_size or self.batch_size,
                    sequence_length=phase.sequence_length or self.sequence_length,
                    learning_rate=phase.learning_rate or self.optimizer.learning_rate,
                    warmup_steps=self.optimizer.warmup_steps if whole or number == 1 else phase.warmup_steps,
                    rises_from=0 if whole else first,
                    falls_to=self.steps if whole else after if phase.rate == "decay" else None,
                )
            )
            first = after
        return tuple(stages)

    @property
    def typing(self) -> Typing | None:
        """Of the phases that train latent types; None where none does."""
        return next((stage.objective.typing for stage in self.course if stage.objective.typing), None)

    @property
    def other_corpora(self) -> tuple[Corpus, ...]:
        """Those that phases read beside the run's own, in the order in which they come."""
        read = dict.fromkeys(corpus for stage in self.course for corpus, _ in stage.texts)
        return tuple(corpus for corpus in read if corpus != self.corpus)

    @property
    def sequences(self) -> int:
        """How many are read in all steps, one as often as it is read."""
        return self.sequences_until(self.steps)

    def sequences_until(self, step: int) -> int:
        """How many are read in the first ``step`` steps."""
        return sum(max(0, min(step, stage.after) - stage.first) * stage.batch_size for stage in self.course)

    @property
    def longest(self) -> int:
        """Pieces of the longest sequence that the model must be able to read."""
        return max(self.sequence_length, *(stage.sequence_length for stage in self.course))


class Speed(Section):
    """What may change between resumes. The thread count does change the last bits of the weights."""

    threads: PositiveInt = 2
    precision: Precision = "auto"
    compile: Compile = False
    """Whether torch compiles the step, and ``reduce-overhead`` for CUDA graphs as well, which small models gain from;
    needs a C++ compiler. The compiled step is held against the plain one before it trains. Changes the last bits of the
    weights too."""
    gradient_accumulation_steps: PositiveInt = 1
    """Parts in which a device works through its share of a step, where the whole does not fit."""
    workers: NonNegativeInt = 0
    """Processes a device that make batches. 0 takes a thread, which keeps up with a processor but no accelerator."""
    resume_every: PositiveInt = 250
    """Steps between two resume points, beside those at checkpoints and ends of phases."""
    keep_states: tuple[PositiveInt, ...] = ()
    """Checkpoints whose resume points are kept, so that other runs can start from them; else the last two are."""


class Preset(Section):
    name: str
    outcome: Outcome
    starts_from: StartsFrom | None = None
    """Of a branch, whose outcome is the same up to there as the other run's: it is not part of what a run becomes."""
    probes: dict[str, dict[str, Any]] = Field({})
    """Settings by probe, checked by the probe itself; their own hash is in every measurement's key."""
    speed: Speed = Speed()

    @model_validator(mode="after")
    def _keeps_what_there_is(self) -> "Preset":
        if lacking := sorted({*self.speed.keep_states} - {*self.outcome.checkpoints}):
            raise ValueError(f"speed.keep_states {lacking} are no checkpoints")
        if self.starts_from and self.starts_from.step not in self.outcome.checkpoints[:-1]:
            raise ValueError(f"starts_from.step {self.starts_from.step} is no checkpoint before the last")
        return self

    @model_validator(mode="after")
    def _compiles_what_draws_nothing(self) -> "Preset":
        if self.speed.compile and self.outcome.typing:
            raise ValueError(
                "speed.compile is not for typing, as a compiled step cannot be held against draws of types"
            )
        return self

    @property
    def origin(self) -> StartsFrom | None:
        """The run and step that this one begins with, by its name for this seed."""
        begins = self.starts_from or self.outcome.grown_from
        if begins is None:
            return None
        return StartsFrom(run=begins.run.replace("{seed}", str(self.outcome.seed)), step=begins.step)

    @property
    def outcome_sha256(self) -> str:
        """Defaults are left out, so that a setting which is added later does not rename what was run before."""
        return sha256_of({"version": VERSION} | self.outcome.model_dump(mode="json", exclude_defaults=True))

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
    file = _file(preset, Path())
    return validated({"name": file.stem} | values_of(file, _file), origin=str(file))


def _file(preset: str, folder: Path) -> Path:
    """Of a preset by its name, or by a path from ``folder`` on."""
    if preset in names():
        return Path(str(resources.files("embryology") / "presets" / f"{preset}.yaml"))
    file = folder / Path(preset).expanduser()
    if file.suffix not in {".yaml", ".yml"}:
        raise EmbryologyError(f"there is no preset {preset!r}; choose one of {', '.join(names())}, or a .yaml file")
    return file


def validated(values: dict[str, Any], origin: str) -> Preset:
    """``values`` as a preset; ``origin`` names the file in the error."""
    try:
        preset = Preset.model_validate(values)
    except ValidationError as error:
        raise EmbryologyError(f"{origin}: {problems(error)}") from error
    for probe, settings in preset.probes.items():  # now, and not when the run is trained
        try:
            registry.settings_of(probe, settings)
        except EmbryologyError as error:
            raise EmbryologyError(f"{origin}: {error}") from error
    return preset
