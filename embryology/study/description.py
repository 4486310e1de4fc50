"""``study.yaml``: what a study is made of, checked before anything is done."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from embryology import presets
from embryology.errors import EmbryologyError, problems
from embryology.presets import Preset
from embryology.runs.paths import HUB, RunFolder, runs_folder
from embryology.specs import ProbeSettings, registry
from embryology.storage.files import read_yaml

Kind = Literal["corpus", "pretrain", "measure", "freeze", "book"]
CORPUS: Final = "corpus"
PRETRAIN: Final = "pretrain"
MEASURE: Final = "measure"
FREEZE: Final = "freeze"
BOOK: Final = "book"
KINDS: tuple[Kind, ...] = (CORPUS, PRETRAIN, MEASURE, FREEZE, BOOK)
"""Of jobs, in the order of their work."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Resources(Section):
    """What a job of one kind asks of a cluster; a local run takes no notice."""

    minutes: PositiveInt = 240
    memory_mb: PositiveInt = 8000
    gpus: int = Field(0, ge=0)
    partition: str | None = None


class Study(Section):
    name: Name
    presets: tuple[str, ...] = ()
    """By name, or paths of YAML files, which count from the folder of the study's file."""
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    overrides: dict[Name, dict[str, Any]] = {}
    """By a name that runs get, dotted keys of a preset and their values; none is the presets as they are."""
    series: tuple[str, ...] = ()
    """Of others: folders of checkpoints, or descriptions of series on the Hub."""
    probes: dict[str, dict[str, Any]] | None = None
    """Settings by probe; None takes each preset's own, and of other series all probes that are not expensive."""
    checkpoints: Literal["all"] | tuple[int, ...] = "all"
    """Those that are measured; of all, a probe takes every so-many-th where its settings say so."""
    chunk: PositiveInt = 8
    """Checkpoints a job, each of which is loaded once for all probes of the job."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Probes that are jobs of their own, such as those that take hours; the others are one."""
    threads: PositiveInt = 2
    """A job's, as the same number gives the same bits; pretraining has those of its preset."""
    parameters: tuple[str, ...] = ()
    """``name=value`` for the notebooks of the report."""
    resources: dict[Kind, Resources] = {}

    def resources_of(self, kind: Kind) -> Resources:
        return self.resources.get(kind, Resources())


@dataclass(frozen=True)
class Member:
    """A run that the study trains, or a series that it measures alone."""

    name: str
    """The name of the run's folder; of a series of others, its folder's."""
    place: str
    """What :meth:`embryology.runs.series.Series.open` takes."""
    preset: Preset | None
    """None of a series of others."""
    source: str
    """Where it comes from, for errors."""

    @property
    def folder(self) -> RunFolder:
        return RunFolder.named(self.place)


@dataclass(frozen=True)
class Described:
    """A study with the file that describes it."""

    study: Study
    file: Path

    @property
    def folder(self) -> Path:
        """Where its logs, frozen runs and its book go."""
        return runs_folder().resolve() / ".studies" / self.study.name

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Presets × overrides × seeds, then the series of others.

        Raises:
            EmbryologyError: a preset or a key is unknown, a value wrong, or two have one name.
        """
        members = [*self._trained(), *(self._of_others(place) for place in self.study.series)]
        by_name: dict[str, Member] = {}
        for member in members:
            other = by_name.setdefault(member.name, member)
            if other is not member:
                raise EmbryologyError(
                    f"{self.file}: {other.source} and {member.source} are both called {member.name!r}; rename one"
                )
        return tuple(members)

    def _trained(self) -> Iterator[Member]:
        for place in self.study.presets:
            base = presets.load(self._beside(place) if place.endswith((".yaml", ".yml")) else place)
            overrides: dict[str, dict[str, Any]] = self.study.overrides or {"": {}}
            for (label, changes), seed in itertools.product(overrides.items(), self.study.seeds):
                origin = f"{self.file}: {place}" + (f" with overrides.{label}" if label else "")
                preset = _overridden(base, label, changes, origin).with_seed(seed)
                if self.study.probes is not None:
                    preset = preset.model_copy(update={"probes": self.study.probes})
                name = f"{preset.name}-seed{seed}"
                source = " ".join(filter(None, ["preset", place, label, f"seed {seed}"]))
                yield Member(name, name, preset, source)

    def _of_others(self, place: str) -> Member:
        found = place if place.startswith(HUB) else self._beside(place)
        return Member(RunFolder.named(found).name, found, None, f"series {place}")

    def _beside(self, place: str) -> str:
        """A path that counts from the study's folder; a bare name of a run is one."""
        beside = self.file.parent / Path(place).expanduser()
        return str(beside.resolve()) if beside.exists() or place.endswith((".yaml", ".yml")) else place

    def probes_of(self, member: Member) -> dict[str, ProbeSettings]:
        """The probes that are to measure a member, in the order of their groups.

        Raises:
            EmbryologyError: a probe or setting is unknown.
        """
        recorded = member.preset.probes if member.preset else self.study.probes or {}
        return registry.asked_for(None, recorded)

    def groups_of(self, member: Member) -> dict[str, tuple[str, ...]]:
        """By name of each group its probes: those of ``groups``, and all others."""
        asked = self.probes_of(member)
        groups = {"+".join(group): tuple(name for name in group if name in asked) for group in self.study.groups}
        others = tuple(name for name in asked if not any(name in group for group in self.study.groups))
        return {name: group for name, group in [("probes", others), *groups.items()] if group}


def load(place: str | Path) -> Described:
    """A study from its file, with all that can be known to be wrong before anything is run.

    Raises:
        EmbryologyError: a key is unknown, missing or of a wrong value; a preset, probe, setting or checkpoint is
            unknown; or two runs have one name.
    """
    file = Path(place).expanduser().resolve()
    values = read_yaml(file) or {}
    if not isinstance(values, dict):
        raise EmbryologyError(f"{file} holds no study: it is one {type(values).__name__}, and not keys with values")
    try:
        study = Study.model_validate({"name": file.stem} | values)
    except ValidationError as error:
        raise EmbryologyError(f"{file}: {problems(error)}") from error
    described = Described(study, file)
    if not described.members:
        raise EmbryologyError(f"{file}: there are neither presets nor series, and so nothing to do")
    try:
        for name, settings in (study.probes or {}).items():
            registry.settings_of(name, settings)
        grouped = [name for group in study.groups for name in group]
        for name in grouped:
            registry.get(name)
    except EmbryologyError as error:
        raise EmbryologyError(f"{file}: {error}") from error
    if twice := sorted({name for name in grouped if grouped.count(name) > 1}):
        raise EmbryologyError(f"{file}: groups have {', '.join(twice)} twice, which would measure it twice")
    for member in described.members:
        if member.preset and study.checkpoints != "all":
            lacking = sorted({*study.checkpoints} - {*member.preset.outcome.checkpoints})
            if lacking:
                raise EmbryologyError(
                    f"{file}: checkpoints {', '.join(map(str, lacking))} are none of {member.source}, which has "
                    f"{', '.join(map(str, member.preset.outcome.checkpoints))}"
                )
    return described


def _overridden(preset: Preset, label: str, changes: dict[str, Any], origin: str) -> Preset:
    """``preset`` with other values of some keys, under a name of its own."""
    if not label:
        return preset
    values = preset.model_dump(mode="json", exclude_unset=True)
    for key, value in changes.items():
        *path, last = key.split(".")
        if path[:1] not in (["outcome"], ["speed"], ["probes"]):
            raise EmbryologyError(f"{origin}: {key} is no setting; one begins with outcome, speed or probes")
        section = values
        for part in path:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise EmbryologyError(f"{origin}: {key} is no setting, as {part} has no keys")
        section[last] = value
    return presets.validated(values | {"name": f"{preset.name}-{label}"}, origin)
