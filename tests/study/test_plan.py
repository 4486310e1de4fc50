"""The plan of a study against what lies on disk: which cells there are, which are done, what is to do again."""

import json
import os
import shutil
import stat

import pandas as pd
import pytest
from rich.console import Console

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.probes import measuring
from embryology.runs import measurements
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.study import comparing, description, estimate, jobs, plan, running

COVERS = (
    "embryology/study/comparing.py",
    "embryology/study/commands.py",
    "embryology/study/estimate.py",
    "embryology/study/jobs.py",
    "embryology/study/running.py",
)
QUIET = Console(quiet=True)
CHUNKS = {"0-5": (0, 5), "10-20": (10, 20)}
STEPS = {"tokens": (0, 5, 10, 20), "knowledge": (0, 20)}
"""By probe, as ``every`` of it has them."""


def states(described):
    return {cell[:3]: cell.state for cell in plan.make(described).cells}


@pytest.fixture(scope="module")
def measured(described):
    """Seed 0 trained and measured, job by job; seed 1 not begun."""
    for name in [*plan.make(described).jobs]:
        if "seed1" not in name and not name.startswith(("freeze", "book")):
            jobs.run(described, name, QUIET)
    return described


@pytest.fixture
def again(measured, write_study, tmp_path, monkeypatch):
    """The same in a copy, for tests that change it."""
    shutil.copytree(os.environ["EMBRYOLOGY_RUNS"], tmp_path / "runs")
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    return measured


def test_before_anything_is_done_there_are_all_cells_and_each_job_follows_what_it_needs(
    write_study, tmp_path, monkeypatch
):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    made = plan.make(description.load(write_study(tmp_path)))
    assert {cell[:3] for cell in made.cells} == {
        (f"small-seed{seed}", probe, step) for seed in (0, 1) for probe, steps in STEPS.items() for step in steps
    }
    assert len(made.cells) == 12
    assert {cell.state for cell in made.cells} == {"missing"}
    assert not any(job.done for job in made.jobs.values())
    corpus, *others = made.jobs
    assert corpus.startswith("corpus/")
    assert others == [
        *(f"pretrain/small-seed{seed}" for seed in (0, 1)),
        *(f"measure/small-seed{seed}/probes/{chunk}" for seed in (0, 1) for chunk in CHUNKS),
        *(f"freeze/small-seed{seed}" for seed in (0, 1)),
        "book",
    ]
    needs = {name: job.needs for name, job in made.jobs.items()}
    assert needs["pretrain/small-seed1"] == (corpus,)
    assert needs["measure/small-seed1/probes/10-20"] == ("pretrain/small-seed1",)
    assert needs["freeze/small-seed1"] == tuple(f"measure/small-seed1/probes/{chunk}" for chunk in CHUNKS)
    assert needs["book"] == ("freeze/small-seed0", "freeze/small-seed1")
    of_job = {(cell.probe, cell.step) for cell in made.jobs["measure/small-seed0/probes/10-20"].cells}
    assert of_job == {("tokens", 10), ("tokens", 20), ("knowledge", 20)}
    assert not (tmp_path / "runs").exists()


def test_what_was_done_is_seen_on_disk_and_nothing_of_it_is_to_do(measured):
    made = plan.make(measured)
    assert {name for name, job in made.jobs.items() if job.done and "seed" in name} == {
        "pretrain/small-seed0",
        *(f"measure/small-seed0/probes/{chunk}" for chunk in CHUNKS),
    }
    assert {cell.run for cell in made.cells if cell.state == "measured"} == {"small-seed0"}
    assert {cell.run for cell in made.cells if cell.state == "missing"} == {"small-seed1"}


def test_a_study_measures_what_the_command_of_that_name_measures(measured, tmp_path):
    from embryology.probes.runner import chosen_settings, run_probes

    studied = Series.open("small-seed0")
    apart = shutil.copytree(studied.folder.root, tmp_path / "apart")
    shutil.rmtree(apart / "measurements")
    plain = Series.open(apart)
    run_probes(plain, chosen_settings(plain), threads=1)
    one, other = (measurements.read(series).drop(columns="series") for series in (studied, plain))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert len(one) > 10
    for probe in STEPS:
        assert tuple(sorted(set(one.loc[one["probe"] == probe, "step"]))) == STEPS[probe]


def test_a_measurement_that_is_gone_is_the_one_cell_and_the_one_job_to_do(again):
    before = states(again)
    shutil.rmtree(again.folder)  # what is neither a run nor a measurement counts for nothing
    assert states(again) == before
    (gone,) = RunFolder.named("small-seed0").measurements.glob("tokens/*/00000010-*.parquet")
    gone.unlink()
    after = states(again)
    assert {cell for cell in before if before[cell] != after[cell]} == {("small-seed0", "tokens", 10)}
    assert [job.name for job in plan.make(again).todo if "measure/small-seed0" in job.name] == [
        "measure/small-seed0/probes/10-20"
    ]


def test_other_settings_and_a_raised_version_are_measured_anew(again, write_study, monkeypatch):
    folder = again.file.parent
    tokens = {"treebank": str(folder / "treebank.conllu"), "seed": 1}
    other = description.load(write_study(folder, probes={"tokens": tokens, "knowledge": {"facts": 10, "every": 3}}))
    assert {cell[1] for cell, state in states(other).items() if state == "measured"} == {"knowledge"}
    real = plan.runner.registry.version
    monkeypatch.setattr(plan.runner.registry, "version", lambda name: 99 if name == "knowledge" else real(name))
    assert {cell[1] for cell, state in states(again).items() if state == "measured"} == {"tokens"}


@pytest.fixture
def edited(monkeypatch):
    """As if the source of the probe ``tokens`` had been changed."""
    real = plan.source_of
    for module in (plan, measuring):
        monkeypatch.setattr(module, "source_of", lambda probe: "f" * 64 if probe == "tokens" else real(probe))


def test_a_changed_source_names_exactly_the_cells_of_that_probe(again, edited):
    changed = {cell for cell, state in states(again).items() if state == plan.CHANGED}
    assert changed == {("small-seed0", "tokens", step) for step in STEPS["tokens"]}
    assert plan.CHANGED == "source changed, version not raised"


def test_equal_values_of_a_changed_source_keep_the_measurement(again, edited):
    files = sorted(RunFolder.named("small-seed0").measurements.rglob("*.parquet"))
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    jobs.run(again, "measure/small-seed0/probes/0-5", QUIET)
    found = states(again)
    assert [found["small-seed0", "tokens", step] == "measured" for step in STEPS["tokens"]] == [
        True,
        True,
        False,
        False,
    ]
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files} == before
    assert not list((again.folder / "comparing").iterdir())


@pytest.mark.parametrize("table", ["rows", "items"])
def test_other_values_of_a_changed_source_ask_for_a_new_version(again, edited, table):
    folder = RunFolder.named("small-seed0").measurements
    (file,) = folder.glob(f"tokens/*/{'items/' if table == 'items' else ''}00000005-*.parquet")
    frame = measurements.read_table(file).to_pandas()
    column = "value" if table == "rows" else "log_probability"
    frame.loc[2, column] = frame.loc[2, column] - 1e-6
    frame.loc[2, [name for name in ("low", "high") if name in frame]] = None
    if table == "rows":
        measurements.write(file, frame, source="0" * 64)
    else:
        measuring.write_table(file, frame)
    said = r"small-seed0: the changed source of probe tokens gives other numbers at step 5 "
    with pytest.raises(EmbryologyError, match=rf"{said}\({table}: .* became .*\); raise its version, which is 2"):
        jobs.run(again, "measure/small-seed0/probes/0-5", QUIET)
    assert states(again)["small-seed0", "tokens", 0] == "measured"
    pd.testing.assert_frame_equal(measurements.read_table(file).to_pandas(), frame)


def test_what_another_machine_measured_cannot_be_compared(again, edited):
    (file,) = RunFolder.named("small-seed0").measurements.glob("tokens/*/00000000-*.parquet")
    measuring.write_table(file, measurements.read_table(file).to_pandas().assign(torch="0.1"))
    series = Series.open("small-seed0")
    cells = [plan.Cell("small-seed0", "tokens", 0, plan.CHANGED)]
    (member, _) = again.members
    # A table without a source is of before that was recorded: it counts, and is not compared by a job.
    with pytest.raises(EmbryologyError, match=r"it cannot be told, as it was measured on .*0\.1"):
        comparing.compare(series, again.probes_of(member), cells, again.folder / "comparing", QUIET, 1)


def test_marks_are_of_one_go_and_none_is_taken_for_one_of_another(again):
    first = plan.as_json(plan.make(again))
    assert json.loads(json.dumps(first)) == first
    names = [job["name"] for job in first["jobs"]]
    assert names[-1] == "book"
    assert not any("measure/small-seed0" in name for name in names)
    by_name = {job["name"]: job for job in first["jobs"]}
    assert by_name["freeze/small-seed0"]["needs"] == []  # all before it is done
    assert by_name["measure/small-seed1/probes/0-5"]["needs"] == [by_name["pretrain/small-seed1"]["mark"]]
    assert by_name["measure/small-seed1/probes/0-5"]["sources"].keys() == {"tokens", "knowledge"}
    assert plan.as_json(plan.make(again)) == first  # broken off before any job ended
    mark = again.folder / "marks" / first["marks"] / "pretrain/small-seed1"
    mark.parent.mkdir(parents=True)
    mark.touch()  # it ended, and what it made is gone again
    assert plan.as_json(plan.make(again))["marks"] != first["marks"]


def test_freezing_is_the_last_job_of_a_run(again):
    jobs.run(again, "freeze/small-seed0", QUIET)
    assert plan.make(again).jobs["freeze/small-seed0"].done
    folder = again.folder / "frozen" / "small-seed0"
    one, other = (measurements.read(Series.open(place)) for place in ("small-seed0", folder))
    pd.testing.assert_frame_equal(one, other)
    record = RunFolder(folder).standing
    record.write_text(record.read_text().replace('"version": 2', '"version": 1'))
    assert not plan.make(again).jobs["freeze/small-seed0"].done


def test_a_job_that_fails_leaves_out_what_needs_it_and_no_other(again, monkeypatch):
    done = []

    def run(made, job):
        done.append(job.name)
        return "it broke" if job.name == "measure/small-seed1/probes/0-5" else None

    monkeypatch.setattr(running, "_run", run)
    with pytest.raises(EmbryologyError) as error:
        running.run(again, QUIET, jobs=2)
    assert str(error.value) == (
        f"1 of {len(done) + 2} jobs failed: measure/small-seed1/probes/0-5: it broke; not begun, as they need these: "
        "freeze/small-seed1, book"
    )
    assert sorted(done) == [
        "freeze/small-seed0",
        *(f"measure/small-seed1/probes/{chunk}" for chunk in CHUNKS),
        "pretrain/small-seed1",
    ]
    done.clear()
    running.run(again, QUIET, jobs=2, until="pretrain")
    assert done == ["pretrain/small-seed1"]


def test_jobs_that_ended_say_how_long_the_others_take(again):
    made = plan.make(again)
    assert estimate.estimate(made).basis.startswith("3 of 6 jobs as long as others of the study, the others as `tiny`")
    for file in (again.folder / "times").glob("measure*"):
        file.unlink()
    record = {"name": "measure/small-seed0/probes/0-5", "kind": "measure", "cells": 3, "seconds": 3600.0}
    (again.folder / "times" / "a.json").write_text(json.dumps(record))
    hours = estimate.estimate(made).hours  # two jobs with three cells each, of twenty minutes
    assert 2 <= hours < 2.3


def test_a_larger_model_takes_longer_by_its_multiplications():
    tiny, base = presets.load("tiny").outcome.model, presets.load("albert-base").outcome.model
    assert estimate.size(base) / estimate.size(tiny) == (12 * 768 * 768) / (3 * 256 * 256)


def test_too_little_disk_and_an_unknown_partition_are_said_before_anything_is_submitted(again, write_study, tmp_path):
    with pytest.raises(EmbryologyError, match=r"GB free and the study writes about 1,000,000,000\.00; free some space"):
        plan.refuse_impossible(plan.make(again), 1e9)
    sinfo = tmp_path / "sinfo"
    sinfo.write_text("#!/bin/sh\necho main\necho long\n")
    sinfo.chmod(sinfo.stat().st_mode | stat.S_IXUSR)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    asked = {"measure": {"partition": "gpu", "gpus": 1}, "pretrain": {"partition": "main"}}
    made = plan.make(description.load(write_study(again.file.parent, resources=asked)))
    with pytest.raises(EmbryologyError, match=r"seeds\.yaml: the cluster has no partition gpu; it has long, main$"):
        plan.refuse_impossible(made, 0, path)
    plan.refuse_impossible(made, 0, {"PATH": "/nowhere"})  # a laptop, which cannot know


def test_a_job_that_there_is_not(measured):
    with pytest.raises(
        EmbryologyError, match="has no job 'measure/small-seed0/probes/7'; `embryology study plan` lists"
    ):
        jobs.run(measured, "measure/small-seed0/probes/7", QUIET)
