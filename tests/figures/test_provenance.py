"""What a report was made from, of series that are made by hand."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from embryology.errors import EmbryologyError
from embryology.figures import provenance as drawn
from embryology.figures import style
from embryology.runs import measurements
from embryology.runs.checkpoints import RECORD, Checkpoint
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.runs.steps import Record
from embryology.storage.files import read_json, write_json
from tests.figures.reading import cells_of
from tests.synthetic import PROBES, make_run, measure


def session(command, device, commit=None):
    return SimpleNamespace(command=command, device=device, speed=SimpleNamespace(threads=4), commit=commit)


def made(folder, name="one", **changes):
    """A series that was trained in two sessions; its speed is 400 as a median, 500 as a mean."""
    model = SimpleNamespace(num_hidden_layers=3, hidden_size=64)
    outcome = SimpleNamespace(seed=7, model=model, steps=2000, checkpoints=[0, 10, 2000, 3000])
    sessions = [session("embryology pretrain one", "a card", "0123456789abcdef"), session("--resume", "a processor")]
    checkpoints = [SimpleNamespace(step=step, tokens=step * 100) for step in (0, 10, 2000)]
    values = {
        "name": name,
        "folder": RunFolder(folder / name),
        "checkpoints": checkpoints,
        "losses": pd.DataFrame({"tokens": [0, 1000, 4_000_000], "tokens_per_second": [100.0, 400, 1000]}),
        "manifest": SimpleNamespace(outcome=outcome, sessions=sessions, origin=None),
        "is_frozen": False,
        "version": 2,
        "unit": "step",
        "recipe": None,
        "seed": 7,
    }
    series = SimpleNamespace(**values | changes)
    write_json(
        series.folder.corpus,
        {"source": "text of " + name, "vocab_size": 8000, "train": {"words": 1234}, "held_out": {"words": 5}},
    )
    return series


def test_each_series_has_a_column_of_its_own_numbers(tmp_path):
    others = {"losses": None, "manifest": None}
    rows = cells_of(drawn.side_by_side([made(tmp_path), made(tmp_path, "other", **others)]).data)
    unknown = drawn.UNKNOWN
    assert rows == [
        ["origin", "the runs folder", "checkpoints made by others"],
        ["command", "embryology pretrain one", unknown],
        ["machine", "a card", unknown],
        ["threads", "4", unknown],
        ["sessions of training", "2", unknown],
        ["commit", "0123456789ab", unknown],
        ["seed", "7", unknown],
        ["model", "3 layers of hidden size 64", unknown],
        ["pieces of the vocabulary", "8,000", "8,000"],
        ["text", "text of one", "text of other"],
        ["words of training text", "1,234", "1,234"],
        ["steps", "2,000", "2,000"],
        ["tokens read", "4,000,000", "200,000"],
        ["time of training, by median speed", "2.8 hours", unknown],
        ["checkpoints", "4", "3"],
    ]


@pytest.mark.parametrize(
    ("seconds", "said"), [(90, "2 minutes"), (7200, "120 minutes"), (7560, "2.1 hours"), (36_000, "10.0 hours")]
)
def test_times_are_in_minutes_up_to_two_hours(seconds, said):
    assert drawn._hours(seconds) == said


def test_a_page_says_what_it_is_about(tmp_path):
    series = made(tmp_path)
    assert drawn.about([series]).data == (
        "<p>This page is about the run <strong>one</strong>, made by <code>embryology pretrain one</code> with seed 7 "
        "on a card. It read 4,000,000 tokens.</p>"
    )
    series.manifest.origin = SimpleNamespace(run="constant-seed7", step=1200, state_sha256="0")
    assert drawn.about([series]).data.endswith("tokens. Up to step 1,200 it is the run constant-seed7.</p>")
    series.manifest.origin.state_sha256 = None
    grown = "tokens. It began with the weights of constant-seed7 at step 1,200, made larger.</p>"
    assert drawn.about([series]).data.endswith(grown)
    series.is_frozen = True
    assert "It is frozen: its measurements are kept" in drawn.about([series]).data
    assert cells_of(drawn.side_by_side([series]).data)[0][1] == "frozen, not trained for this build"
    series.manifest = series.losses = None
    assert drawn.about([series]).data == (
        "<p>This page is about the checkpoints <strong>one</strong>, 3 of them, from step 0 to step 2,000. They were "
        "not trained here.</p>"
    )


def test_losses_of_another_version_and_checkpoints_that_are_no_steps_are_noted(tmp_path):
    first = made(tmp_path)
    others = [
        made(tmp_path, "older", version=1),
        made(tmp_path, "alike"),
        made(tmp_path, "unknown", version=1, losses=None),
        made(tmp_path, "words", unit="words"),
    ]
    drawn.note([first, *others])
    assert style._note == (
        "Note: the checkpoints of words say how many words were read, which is here the step. Note: held-out losses of "
        "older are not drawn beside those of one: another version of training asked otherwise."
    )
    drawn.note([first, others[1]])
    assert style._note == ""


def test_settings_have_their_dotted_names():
    values = {"seed": 0, "model": {"layers": 3, "sizes": [1, 2]}, "phases": [{"steps": 10}, {"steps": None}]}
    assert list(drawn._flat(values)) == [
        ("seed", "0"),
        ("model.layers", "3"),
        ("model.sizes", "1, 2"),
        ("phases 1.steps", "10"),
        ("phases 2.steps", "none"),
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", steps=(0, 20, 2000), sentences=3)


def test_checkpoints_are_told_as_they_were_recorded(run):
    rows = cells_of(drawn.checkpoints(run).data)
    recorded = read_json(run.checkpoints[2].location / RECORD)["held_out"]["held_out_masked_loss"]
    assert rows[2] == ["2,000", "4,096,000", "4.00", f"{recorded:.3f}", f"{2000:064x}"[:16]]
    assert [row[0] for row in cells_of(drawn.checkpoints(run, "0,2000").data)] == ["0", "2,000"]
    unknown = [drawn.UNKNOWN] * 4
    without = replace(run, checkpoints=tuple(replace(each, tokens=None, recorded=None) for each in run.checkpoints))
    assert [row[1:] for row in cells_of(drawn.checkpoints(without).data)] == [unknown] * 3
    assert drawn._loss({"step": 0, "held_out": {}}) == "none"


def test_what_was_measured_is_counted_by_probe_and_step(run):
    rows = {(row[0], row[1]): row[2:] for row in cells_of(drawn.measured(run).data)}
    frame = measurements.read(run, "tokens")
    last = frame[frame["step"] == 2000]
    assert rows["tokens", "2,000"] == [str(len(last)), last["key"].iloc[0][:16]]
    assert len(rows) == len(PROBES) * 3


def test_a_run_has_its_settings_and_its_text(run):
    settings = dict(cells_of(drawn.run(run).data))
    assert settings["outcome.steps"] == "2000"
    assert settings["outcome.checkpoints"] == "0, 20, 2000"
    assert settings["sessions 1.command"] == "embryology pretrain synthetic"
    assert dict(cells_of(drawn.corpus(run).data)) == {"source": "bundled &lt;text&gt;", "train.words": "10"}


def test_what_is_not_there_is_said(run, tmp_path):
    others = replace(run, manifest=None, folder=RunFolder(tmp_path))
    for table in (drawn.run, drawn.corpus):
        assert table(others).data.startswith("<p>This series has no ")
    assert drawn.about([others]).data.endswith("from step 0 to step 2,000. They were not trained here.</p>")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurements, "read", refuse)
        assert drawn.measured(others).data == "<p>it was not measured</p>"


def test_of_checkpoints_made_by_others_there_is_what_is_known(tmp_path):
    series = make_run(tmp_path / "theirs", steps=(0, 20, 2000), sentences=3)
    shutil.rmtree(series.folder.checkpoint(0))
    for file in series.folder.measurements.glob(f"*/*/{0:08d}-*"):
        file.unlink()
    for file in (series.folder.manifest, series.folder.losses, series.folder.corpus):
        file.unlink()
    record = Record(recipe="bert", seed=3)
    others = replace(Series.open(series.folder.root), record=record)
    assert dict(cells_of(drawn.run(others).data)) == {"recipe": "bert", "seed": "3"}
    weights = [f"{step:064x}"[:16] for step in (20, 2000)]
    bare = tuple(
        Checkpoint(each.step, None, tmp_path / f"trained_{each.step}", each.recorded, "epochs")
        for each in others.checkpoints
    )
    rows = cells_of(drawn.checkpoints(replace(others, checkpoints=bare)).data)
    assert rows == [["20", "trained_20", weights[0]], ["2,000", "trained_2000", weights[1]]]
    assert "step (epoch)" in drawn.checkpoints(replace(others, checkpoints=bare)).data
    drawn.about([replace(others, checkpoints=bare)], "tokens")
    assert style._note == (
        "Note: the checkpoints of theirs say their epoch, which is here the step, and epoch 0 the untrained model. "
        "Note: whether theirs read the test text in training is not known. Note: without a checkpoint at step 0 "
        "there is no untrained model beside theirs."
    )
    assert style.counted("a training step of the training steps") == "a epoch of the epochs"
    drawn.note([replace(others, name=name) for name in "abcdef"], "tokens")
    assert style._note.startswith("Note: whether a, b and 4 others read the test text in training is not known. ")
    drawn.note([others])
    assert (style._note, style.counted("training step")) == ("", "training step")


def test_that_a_probe_does_not_apply_is_one_row_with_its_reason(tmp_path):
    series = make_run(tmp_path / "run", steps=(0, 20, 2000), sentences=3)
    for step in (0, 20, 2000):
        nothing = measurements.row("", "", "not applicable", None, reason="it has no head")
        measure(series.folder, "tokens", step, [nothing])
    rows = [row for row in cells_of(drawn.measured(series).data) if row[0] == "tokens"]
    assert rows == [["tokens", "3 checkpoints", "does not apply: it has no head", ""]]


def refuse(series):
    raise EmbryologyError("it was not measured")


def test_series_of_one_name_stay_apart(run, tmp_path):
    other = make_run(tmp_path / "synthetic", steps=(0, 20), sentences=2)
    pair = Series.open_all([Path(run.folder.root), other.folder.root])
    table = drawn.side_by_side(pair).data
    assert all(series.name in table for series in pair)
    assert "4,096,000" in table
