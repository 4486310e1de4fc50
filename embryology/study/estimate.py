"""Hours and disk of what is left to do of a study: from its own finished jobs, else from measurements of ``tiny``."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from embryology.presets import Model, Preset
from embryology.storage.files import read_json
from embryology.study.description import BOOK, CORPUS, FREEZE, MEASURE, PRETRAIN
from embryology.study.plan import Job, Plan

MEASURED_ON = "two cores of an Intel Xeon with AMX, used by others too"
SECONDS_A_CHECKPOINT = {
    "tokens": 5.6,
    "edges": 13.0,
    "knowledge": 6.2,
    "frozen": 6.7,
    "finetune": 29.0,
    "attention": 2.0,
    "grammar": 2.0,
    "similarity": 2.0,
}
"""By probe, of ``tiny`` with its settings on :data:`MEASURED_ON`: ``make book`` on a slow day, divided by checkpoints.
The last three were not timed apart; all of them took what was left of that run."""
OTHER_PROBE = 10.0
SECONDS_A_JOB = {CORPUS: 60.0, PRETRAIN: 10.0, MEASURE: 10.0, FREEZE: 20.0, BOOK: 600.0}
"""Beside what depends on the model: loading libraries and data."""
TINY = 3 * 256 * 256
FLOPS = 220e9
"""A second in pretraining, of :data:`embryology.pretraining.cost.HARDWARE`'s two cores."""
BYTES_A_CHECKPOINT = 600_000
"""Of measurements of all probes, ``tiny``; more where a probe asks more."""


@dataclass(frozen=True)
class Estimate:
    hours: float
    """Of jobs one after the other."""
    gigabytes: float
    """That are still to be written."""
    files: int
    basis: str
    """What the hours are from, as a clause."""


def estimate(plan: Plan) -> Estimate:
    """What is left to do; an order of magnitude where no job of the study's own has ended."""
    spent = _spent(plan)
    seconds, own = 0.0, 0
    for job in plan.todo:
        if similar := spent.get(_like(job)):
            own += 1
            seconds += statistics.median(similar) * max(1, len(job.lacking()))
        else:
            seconds += _seconds(job)
    total = len(plan.todo)
    basis = f"{own} of {total} jobs as long as others of the study" if own else ""
    if own < total:
        rest = f"as `tiny` measured on {MEASURED_ON}, by the model's size"
        basis = f"{basis}, the others {rest}" if own else rest
    return Estimate(seconds / 3600, _gigabytes(plan.todo), _files(plan.todo), basis)


def _spent(plan: Plan) -> dict[tuple[str, ...], list[float]]:
    """Seconds of jobs that ended, by what they are like; of those that measure, a cell."""
    jobs = {job.name: job for job in plan.jobs.values()}
    spent: dict[tuple[str, ...], list[float]] = {}
    for file in sorted((plan.described.folder / "times").glob("*.json")):
        record = read_json(file)
        if job := jobs.get(record["name"]):
            spent.setdefault(_like(job), []).append(record["seconds"] / max(1, record["cells"]))
    return spent


def _like(job: Job) -> tuple[str, ...]:
    """Jobs of one kind, preset and group of probes take as long."""
    preset = job.member.preset.name if job.member and job.member.preset else job.member.name if job.member else ""
    group = job.name.split("/")[2:3]
    return job.kind, preset, *group


def size(model: Model) -> int:
    """Multiplications of a token in the layers, up to a factor that is the same for all models."""
    return model.num_hidden_layers * model.hidden_size**2


def _seconds(job: Job) -> float:
    preset = job.member.preset if job.member else None
    seconds = SECONDS_A_JOB[job.kind]
    if job.kind == PRETRAIN and preset:
        outcome = preset.outcome
        tokens = sum((stage.after - stage.first) * stage.batch_size * stage.sequence_length for stage in outcome.course)
        seconds += 6 * (12 * size(outcome.model)) * tokens / FLOPS
    scale = size(preset.outcome.model) / TINY if preset else 1.0
    probes: Iterable[str] = (cell.probe for cell in job.lacking())
    return seconds + max(scale, 0.05) * sum(SECONDS_A_CHECKPOINT.get(probe, OTHER_PROBE) for probe in probes)


def _parameters(preset: Preset) -> int:
    model = preset.outcome.model
    layers = 1 if model.family == "albert" else model.num_hidden_layers
    return preset.outcome.tokenizer.vocab_size * model.embedding_size + layers * 12 * model.hidden_size**2


def _gigabytes(jobs: Iterable[Job]) -> float:
    written = 0.0
    for job in jobs:
        preset = job.member.preset if job.member else None
        if job.kind == PRETRAIN and preset:  # weights, and two states with the optimizer's moments
            written += _parameters(preset) * 4 * (len(preset.outcome.checkpoints) + 2 * 3)
        written += BYTES_A_CHECKPOINT / len(SECONDS_A_CHECKPOINT) * len(job.lacking())
        written += 60e6 if job.kind == BOOK else 0
    return written / 1e9


def _files(jobs: Iterable[Job]) -> int:
    """Two a cell, of rows and items, three a job, and seven a checkpoint of a run."""
    trained = (job.member.preset for job in jobs if job.kind == PRETRAIN and job.member and job.member.preset)
    return sum(2 * len(job.lacking()) + 3 for job in jobs) + sum(7 * len(each.outcome.checkpoints) for each in trained)
