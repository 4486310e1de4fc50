"""The plan of a study: its cells, the jobs that measure them, and which of both are done.

Everything that runs a study asks here: ``embryology study run``, and ``workflow/Snakefile``, which reads what
:func:`as_json` gives. What is done is seen in what lies on disk, by content, and in nothing else; so a plan may be made
anew at any time, whoever did the work.
"""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from embryology.corpus import store
from embryology.errors import EmbryologyError
from embryology.presets import Corpus, Tokenizer
from embryology.probes import runner
from embryology.runs import manifest, measurements
from embryology.runs.checkpoints import Checkpoint
from embryology.runs.measurements import Configuration
from embryology.runs.paths import RunFolder, runs_folder
from embryology.runs.series import Series, thinned
from embryology.specs import ProbeSettings
from embryology.specs.imports import source_of
from embryology.storage.files import sha256_of, sha256_of_file
from embryology.study.description import BOOK, CORPUS, FREEZE, KINDS, MEASURE, PRETRAIN, Described, Kind, Member
from embryology.tasks import texts

MEASURED, MISSING, CHANGED = "measured", "missing", "source changed, version not raised"
"""States of a cell."""
MADE_OF = "made_of.txt"
"""In the study's folder: the hash of what its book was made of."""


class Cell(NamedTuple):
    """A checkpoint × a probe."""

    run: str
    probe: str
    step: int
    state: str


@dataclass(frozen=True)
class Job:
    """What is done in one go, by ``embryology study job FILE NAME``."""

    name: str
    """Of its kind, its run and its checkpoints; the same in every plan of the study."""
    kind: Kind
    needs: tuple[str, ...]
    """Names of jobs that come before."""
    done: bool
    member: Member | None = None
    """None of the book."""
    cells: tuple[Cell, ...] = ()
    """Of a job that measures."""

    def lacking(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.state != MEASURED]


def compared(run: RunFolder, configuration: Configuration, checkpoint: Checkpoint) -> Path:
    """There where the probe's source of today gave what an earlier one had measured."""
    name = f"{source_of(configuration.probe)[:16]}-{checkpoint.step:08d}-{checkpoint.sha256[:12]}"
    return configuration.folder(run) / "compared" / name


def state(run: RunFolder, configuration: Configuration, checkpoint: Checkpoint) -> str:
    """Of a cell. A measurement that does not say which source it is of, as of earlier versions, counts as measured."""
    rows, _ = configuration.files(run, checkpoint)
    if not rows.exists():
        return MISSING
    if measurements.source(rows) in (None, source_of(configuration.probe)):
        return MEASURED
    return MEASURED if compared(run, configuration, checkpoint).exists() else CHANGED


class OfMember:
    """What is known of a run or series of the study, before and after it is trained."""

    def __init__(self, described: Described, member: Member):
        self.member, self.folder, self.study = member, member.folder, described.study
        self.probes: dict[str, ProbeSettings] = described.probes_of(member)
        self.groups = described.groups_of(member)
        preset = member.preset
        self.is_trained = preset is None or manifest.is_complete(self.folder, preset)
        self.series = Series.open(member.place) if self.is_trained else None
        grid = preset.outcome.checkpoints if preset else [each.step for each in self._opened.checkpoints]
        chosen = self.study.checkpoints
        if chosen != "all" and (lacking := sorted({*chosen} - {*grid})):
            raise EmbryologyError(
                f"{described.file}: checkpoints {', '.join(map(str, lacking))} are none of {member.source}"
            )
        self.steps = {
            name: thinned(grid, settings.every) if chosen == "all" else sorted({*chosen})
            for name, settings in self.probes.items()
        }
        """By probe those that it is to measure."""

    @property
    def _opened(self) -> Series:
        assert self.series is not None
        return self.series

    @cached_property
    def configurations(self) -> dict[str, Configuration]:
        if self.series is None:
            return {}
        return {each.configuration.probe: each.configuration for each in runner.configured(self.series, self.probes)}

    def cell(self, probe: str, step: int) -> Cell:
        found = MISSING
        if self.series is not None:
            (checkpoint,) = (each for each in self.series.checkpoints if each.step == step)
            found = state(self.folder, self.configurations[probe], checkpoint)
        return Cell(self.member.name, probe, step, found)

    def chunks(self, group: Sequence[str]) -> Iterator[tuple[str, list[Cell]]]:
        """A job's name and cells each: so many checkpoints of a group of probes."""
        steps = sorted({step for probe in group for step in self.steps[probe]})
        for first in range(0, len(steps), self.study.chunk):
            chunk = steps[first : first + self.study.chunk]
            cells = [self.cell(probe, step) for step in chunk for probe in group if step in self.steps[probe]]
            yield f"{chunk[0]}-{chunk[-1]}", cells

    def is_frozen(self, frozen: RunFolder) -> bool:
        """Whether the frozen run is of the weights and the configurations that are asked for."""
        if self.series is None or not frozen.frozen.exists():
            return False
        names = [f"{folder.name}/checkpoint.json" for folder in sorted(self.folder.checkpoints.glob("step-*"))]
        files = [(frozen.checkpoints / name, self.folder.checkpoints / name) for name in names]
        same = all(one.exists() and sha256_of_file(one) == sha256_of_file(other) for one, other in files)
        return same and measurements.standing(frozen) == self.configurations


@dataclass(frozen=True)
class Plan:
    described: Described
    jobs: dict[str, Job]
    """By name, each after those that it needs."""

    @property
    def todo(self) -> list[Job]:
        return [job for job in self.jobs.values() if not job.done]

    @property
    def cells(self) -> list[Cell]:
        return [cell for job in self.jobs.values() for cell in job.cells]

    def job(self, name: str) -> Job:
        """
        Raises:
            EmbryologyError: there is none of that name.
        """
        if name not in self.jobs:
            raise EmbryologyError(f"{self.described.file} has no job {name!r}; `embryology study plan` lists them")
        return self.jobs[name]


def reported(described: Described) -> list[str]:
    """The places of what the book is of: frozen runs, and series of others."""
    return [str(frozen(described, member)) if member.preset else member.place for member in described.members]


def frozen(described: Described, member: Member) -> Path:
    return described.folder / "frozen" / member.name


def made_of(described: Described) -> str:
    """The hash of all measurements and records that the book is of, and of what the report was asked for."""
    files: dict[str, str] = {}
    for member in described.members:
        root = frozen(described, member) if member.preset else member.folder.measurements
        read = [file for file in sorted(root.rglob("*")) if file.is_file() and not file.name.startswith(".")]
        files |= {f"{member.name}/{file.relative_to(root).as_posix()}": sha256_of_file(file) for file in read}
    return sha256_of([files, list(described.study.parameters)])


def make(described: Described, only: str | None = None) -> Plan:
    """The jobs of a study, and which of them are done.

    Args:
        described: the study.
        only: the name of a job, where that one is wanted and nothing is asked about runs that are not its own.

    Raises:
        EmbryologyError: a run's folder holds something else, data are missing, or measurements are damaged.
    """
    members, jobs = described.members, dict[str, Job]()
    if only is not None:
        own = only.split("/")[1] if "/" in only else None
        members = tuple(member for member in members if own in (None, member.name) or only.startswith(f"{CORPUS}/"))
    known = {member.name: OfMember(described, member) for member in members}
    corpora: dict[str, list[str]] = {}
    for member in members:
        if member.preset:
            corpora.setdefault(_corpus(member), []).append(member.name)
    for name, of in corpora.items():
        trained = all(known[run].is_trained for run in of)
        jobs[name] = Job(
            name, CORPUS, (), trained or place_of_corpus(known[of[0]].member).is_dir(), known[of[0]].member
        )
    last: list[str] = []
    for name, each in known.items():
        before: tuple[str, ...] = ()
        preset = each.member.preset
        if preset:
            pretrain = f"{PRETRAIN}/{name}"
            origin = preset.origin.run if preset.origin else None
            branched = [f"{PRETRAIN}/{origin}"] if origin in known else []
            jobs[pretrain] = Job(pretrain, PRETRAIN, (_corpus(each.member), *branched), each.is_trained, each.member)
            before = (pretrain,)
        measuring = []
        for group, probes in each.groups.items():
            for chunk, cells in each.chunks(probes):
                job = Job(
                    f"{MEASURE}/{name}/{group}/{chunk}",
                    MEASURE,
                    before,
                    all(cell.state == MEASURED for cell in cells),
                    each.member,
                    tuple(cells),
                )
                jobs[job.name] = job
                measuring.append(job)
        names = tuple(job.name for job in measuring)
        if preset:
            freeze = f"{FREEZE}/{name}"
            done = all(job.done for job in measuring) and each.is_frozen(RunFolder(frozen(described, each.member)))
            jobs[freeze] = Job(freeze, FREEZE, names, done, each.member)
            names = (freeze,)
        last += names
    if only in (None, BOOK):
        record = described.folder / MADE_OF
        done = all(job.done for job in jobs.values()) and record.exists()
        done = done and record.read_text(encoding="utf-8").strip() == made_of(described)
        jobs[BOOK] = Job(BOOK, BOOK, tuple(last), done)
    order = sorted(jobs.values(), key=lambda job: KINDS.index(job.kind))
    return Plan(described, {job.name: job for job in _branches_last(order)})


def _branches_last(jobs: list[Job]) -> Iterator[Job]:
    """Each after those that it needs: of one kind alone a branch needs another."""
    waiting, given = list(jobs), set[str]()
    while waiting:
        ready = [
            job for job in waiting if not {need for need in job.needs if need not in given} & {w.name for w in waiting}
        ]
        if not ready:
            raise EmbryologyError(
                f"runs that start from one another in a ring: {', '.join(job.name for job in waiting)}"
            )
        for job in ready:
            given.add(job.name)
            waiting.remove(job)
            yield job


def _corpus(member: Member) -> str:
    """The name of the job that prepares the corpus of a run."""
    corpus, tokenizer = corpus_of(member)
    return f"{CORPUS}/{sha256_of([corpus.model_dump(mode='json'), tokenizer.model_dump(mode='json')])[:12]}"


def corpus_of(member: Member) -> tuple[Corpus, Tokenizer]:
    assert member.preset is not None
    return member.preset.outcome.corpus, member.preset.outcome.tokenizer


def place_of_corpus(member: Member) -> Path:
    corpus, tokenizer = corpus_of(member)
    return store.place(corpus.source, corpus.path, tokenizer, texts.read(corpus.leave_out), every=corpus.every)


def refuse_impossible(plan: Plan, gigabytes: float, environment: Mapping[str, str] = os.environ) -> None:
    """What can be known to go wrong before anything is run or submitted.

    Args:
        gigabytes: that are to be written.

    Raises:
        EmbryologyError: the disk has no room, or, where Slurm is, it has no such partition.
    """
    folder = next(each for each in [runs_folder().resolve(), *runs_folder().resolve().parents] if each.exists())
    free = shutil.disk_usage(folder).free / 1e9
    if gigabytes > free:
        raise EmbryologyError(
            f"{folder} has {free:,.2f} GB free and the study writes about {gigabytes:,.2f}; free some space, or set "
            "EMBRYOLOGY_RUNS"
        )
    wanted = {plan.described.study.resources_of(job.kind).partition for job in plan.todo} - {None}
    if wanted and (sinfo := shutil.which("sinfo", path=environment.get("PATH"))):
        answer = subprocess.run([sinfo, "--noheader", "--format=%R"], capture_output=True, text=True)
        if answer.returncode:
            raise EmbryologyError(f"Slurm does not answer: {' '.join(answer.stderr.split())}")
        there = sorted({*answer.stdout.split()})
        if lacking := sorted(str(each) for each in wanted - {*there}):
            raise EmbryologyError(
                f"{plan.described.file}: the cluster has no partition {', '.join(lacking)}; it has {', '.join(there)}"
            )


def as_json(plan: Plan) -> dict[str, Any]:
    """What Snakemake needs: the jobs that are to do, and where their marks and logs go.

    A mark only tells Snakemake, within one go, that a job has ended. So that none of an earlier go is taken for one of
    this, marks lie in a folder named by all that is to do; of a later number where that holds some of jobs that are
    to do again.
    """
    todo = {job.name for job in plan.todo}
    folder = plan.described.folder
    for number in itertools.count():
        marks = folder / "marks" / sha256_of([sorted(todo), number])[:12]
        if not any((marks / name).exists() for name in todo):
            break
    jobs = [
        {
            "name": job.name,
            "kind": job.kind,
            "needs": [str(marks / need) for need in job.needs if need in todo],
            "mark": str(marks / job.name),
            "log": str(folder / "logs" / f"{job.name}.log"),
            "threads": threads(plan, job),
            "resources": plan.described.study.resources_of(job.kind).model_dump(),
            "sources": {name: source_of(name) for name in sorted({cell.probe for cell in job.cells})},
        }
        for job in plan.todo
    ]
    study = {"study": str(plan.described.file), "folder": str(folder), "marks": str(marks), "kinds": list(KINDS)}
    return study | {"jobs": jobs}


def threads(plan: Plan, job: Job) -> int:
    preset = job.member.preset if job.member and job.kind == PRETRAIN else None
    return preset.speed.threads if preset else plan.described.study.threads
