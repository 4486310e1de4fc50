"""What each job of a study does; one call a kind, of what the commands of the same names call."""

import time
from pathlib import Path

from rich.console import Console

from embryology.corpus import store
from embryology.probes import properties
from embryology.probes.runner import run_probes
from embryology.report.build import report
from embryology.runs.freeze import freeze
from embryology.runs.series import Series
from embryology.storage.files import remove_leftovers, write_json, written_whole
from embryology.study import comparing, plan
from embryology.study.description import CORPUS, FREEZE, MEASURE, PRETRAIN, Described, Member
from embryology.tasks import texts


def run(described: Described, name: str, console: Console) -> None:
    """Do a job; what of it was done before is skipped.

    Raises:
        EmbryologyError: there is no such job, or as of what it calls.
    """
    job = plan.make(described, only=name).job(name)
    began = time.perf_counter()
    if job.member is None:
        _book(described, console)
    elif job.kind == CORPUS:
        _corpus(job.member, console)
    elif job.kind == PRETRAIN:
        _pretrain(job.member, console)
    elif job.kind == MEASURE:
        _measure(described, job, console)
    elif job.kind == FREEZE:
        _freeze(described, job.member, console)
    spent = {"name": name, "kind": job.kind, "cells": len(job.lacking()), "seconds": time.perf_counter() - began}
    if not job.done:
        write_json(described.folder / "times" / f"{name.replace('/', '_')}.json", spent)


def _corpus(member: Member, console: Console) -> None:
    corpus, tokenizer = plan.corpus_of(member)

    def say(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True)

    leave_out = texts.read(corpus.leave_out)
    store.prepare(corpus.source, corpus.path, tokenizer, say, console, leave_out, every=corpus.every)


def _pretrain(member: Member, console: Console) -> None:
    from embryology.pretraining.loop import pretrain  # late: it loads torch

    assert member.preset is not None
    pretrain(member.preset, member.folder, resume=True, console=console)


def _measure(described: Described, job: plan.Job, console: Console) -> None:
    assert job.member is not None
    series, probes = Series.open(job.member.place), described.probes_of(job.member)
    threads = described.study.threads
    changed = [cell for cell in job.cells if cell.state == plan.CHANGED]
    if changed:
        comparing.compare(series, probes, changed, described.folder / "comparing", console, threads)
    chosen = described.study.checkpoints
    steps = chosen if chosen == "all" else ",".join(map(str, chosen))
    asked = {name: probes[name] for name in dict.fromkeys(cell.probe for cell in job.cells)}
    run_probes(series, asked, steps, console, threads=threads, only={cell.step for cell in job.cells})


def _freeze(described: Described, member: Member, console: Console) -> None:
    series = Series.open(member.place)
    assert series.manifest is not None
    properties.count(series, console, prepare=False)
    # All jobs that measure it have ended, so what is half-written is of those that died.
    folders = [folder for folder in series.folder.measurements.rglob("*") if folder.is_dir()]
    remove_leftovers(series.folder.measurements, *folders)
    of = plan.OfMember(described, member)
    without = [probe for probe in series.manifest.probes if probe not in of.probes]
    grid = [checkpoint.step for checkpoint in series.checkpoints]
    for probe, steps in of.steps.items():
        if lacking := sorted({*grid} - {*steps}) if described.study.checkpoints != "all" else []:
            without.append(f"{probe}:{','.join(map(str, lacking))}")
    freeze(series, plan.frozen(described, member), replace=True, without=without)


def _book(described: Described, console: Console) -> Path:
    index = report(
        plan.reported(described),
        described.study.parameters,
        console,
        jobs=described.study.threads,
        to=described.folder / "book",
    )
    with written_whole(described.folder / plan.MADE_OF) as temporary:
        temporary.write_text(plan.made_of(described) + "\n", encoding="utf-8")
    return index
