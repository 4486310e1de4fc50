"""The probes of downstream tasks, on tasks that are made up: cells, batches that are interrupted, baselines."""

import signal

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from embryology.errors import EmbryologyError
from embryology.models.encoder import Encoder
from embryology.probes import measuring, runner
from embryology.probes.finetune import FinetuneProbe
from embryology.runs import measurements
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.specs.downstream import FinetuneSettings
from embryology.tasks import Task, baselines, catalogue
from tests.models.test_finetuning import task
from tests.pretraining.test_kills import die_at, halve
from tests.processes import exit_status

COVERS = (
    "embryology/probes/frozen.py",
    "embryology/specs/downstream.py",
    "embryology/tasks/baselines.py",
    "embryology/tasks/prepared.py",
)
SETTINGS = {"tasks": ["made-up"], "seeds": 2, "epochs": 1, "train": 24, "batch_size": 8}


@pytest.fixture(scope="module")
def encoder(tiny_series):
    return Encoder.load(tiny_series.checkpoints[0], device="cpu")


@pytest.fixture
def made_up(monkeypatch):
    tasks = {"made-up": task(), "pairs": task("pairs", pairs=True, dev=("matched", "mismatched"))}
    tasks["score"] = task("score", classes=(), metrics=("pearson", "spearman"))
    monkeypatch.setattr(catalogue, "find", lambda name: tasks[name])
    monkeypatch.setattr(catalogue, "identity", lambda name: {name: 1})
    return tasks


def run(series, **options):
    settings = SETTINGS | options.pop("settings", {})
    return runner.run_probes(series, registry.asked_for(["finetune"], {"finetune": settings}), **options)


def series_at(folder, tiny_series):
    """Two checkpoints whose measurements go to a folder of their own."""
    return Series(folder.name, RunFolder(folder), tiny_series.checkpoints[:2], None)


def test_a_cell_is_trained_and_scored_on_the_whole_development_set(made_up, encoder, tokenizer, tiny_series):
    settings = FinetuneSettings(tasks=("made-up",), seeds=1, learning_rate=3e-3, epochs=2, batch_size=8, train=80)
    examples = FinetuneProbe().prepare(settings, tokenizer, tiny_series)
    rows, items = FinetuneProbe().measure(encoder, examples, "made-up-0")
    by_metric = pd.DataFrame(rows).set_index(["metric", "baseline"])
    assert by_metric.loc[("score", None), "n"].item() == 60 == len(items)
    assert by_metric.loc[("accuracy", None), "value"].item() == pytest.approx(items["correct"].mean())
    assert by_metric.loc[("score", "tf-idf"), "value"].item() > 0.9  # a single word decides
    assert items["source"].unique().tolist() == ["made up, 80 of 160 training examples"]


def test_a_batch_that_is_interrupted_is_resumed_and_a_finished_cell_is_not_run_again(
    made_up, monkeypatch, tiny_series, tmp_path
):
    whole, broken = (series_at(tmp_path / name, tiny_series) for name in ("whole", "broken"))
    assert run(whole) == 2
    cells, measure = [], FinetuneProbe.measure

    def dying(self, encoder, examples, part):
        if len(cells) == 3:
            raise KeyboardInterrupt
        cells.append(part)
        return measure(self, encoder, examples, part)

    monkeypatch.setattr(FinetuneProbe, "measure", dying)
    with pytest.raises(KeyboardInterrupt):
        run(broken)
    cells.append("died")
    run(broken)
    assert cells == ["made-up-0", "made-up-1", "made-up-0", "died", "made-up-1"]
    for read in (measurements.read, lambda series: measurements.read_items(series, "finetune")):
        one, other = (read(series).drop(columns="series", errors="ignore") for series in (whole, broken))
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    cells.clear()
    run(broken, settings={"seeds": 3})
    assert cells == ["made-up-2", "made-up-2"]  # seeds that are there are not run again


def _batch(series, die):
    """The same batch in a process of its own, which ``die`` lets be killed somewhere."""
    catalogue.find, catalogue.identity = {"made-up": task()}.get, lambda name: {name: 1}
    torch.set_num_threads(1)
    die()
    run(series, device="cpu", threads=1)


def _within_the_fourth_cell():
    die_at(torch.optim.AdamW, "step", 3 * 3 + 2)  # three steps a cell


def _between_the_two_files_of_a_cell():
    die_at(measuring, "write_table", 6)


def _while_a_checkpoints_table_is_written():
    die_at(pq, "write_table", 6, lambda _, path: halve(path))  # after two cells of two files each, and the items


def _tables(series):
    folder = series.folder.root
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.parquet"))}


@pytest.fixture(scope="module")
def uninterrupted(tiny_series, tmp_path_factory):
    series = series_at(tmp_path_factory.mktemp("runs") / "own", tiny_series)
    assert exit_status(_batch, series, int) == 0
    return _tables(series)


@pytest.mark.parametrize(
    "die", [_within_the_fourth_cell, _between_the_two_files_of_a_cell, _while_a_checkpoints_table_is_written]
)
def test_a_batch_that_is_killed_gives_the_same_tables_in_the_end(die, uninterrupted, tiny_series, tmp_path):
    series = series_at(tmp_path / "own", tiny_series)
    assert exit_status(_batch, series, die) == -signal.SIGKILL
    assert len(_tables(series)) < len(uninterrupted) == 4 * 2 + 2 * 2  # cells and checkpoints, two files each
    assert exit_status(_batch, series, int) == 0
    assert _tables(series) == uninterrupted


def test_a_task_without_a_train_set_is_refused(made_up, tokenizer, tiny_series):
    made_up["made-up"] = Task("made-up", "made up", ("no", "yes"), ("accuracy",), None, made_up["made-up"].dev)
    with pytest.raises(EmbryologyError, match="'made-up' has no train set here"):
        FinetuneProbe().prepare(FinetuneSettings(tasks=("made-up",)), tokenizer, tiny_series)


def test_baselines_of_a_single_class_and_of_scores():
    made_up = task()
    of_one_class = [example for example in made_up.train.examples if example.label == 1]
    rows = baselines.rows(made_up, of_one_class)
    scores = {row["baseline"]: row["value"] for row in rows if row["metric"] == "score"}
    share = np.mean([example.label for example in made_up.dev["dev"].examples])
    assert scores == {"majority": pytest.approx(share), "tf-idf": pytest.approx(share)}
