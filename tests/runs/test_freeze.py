"""What is frozen gives the figures' input exactly, holds no text, and is whole or not there."""

import io
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from embryology.analysis import curves, plateau
from embryology.analysis.learning_order import learning_times
from embryology.errors import EmbryologyError
from embryology.probes.runner import run_probes
from embryology.report import summary
from embryology.runs import freeze as freezing
from embryology.runs import measurements
from embryology.runs.checkpoints import Series
from embryology.runs.freeze import freeze
from embryology.runs.paths import RunFolder
from embryology.storage.files import read_yaml, write_table, write_yaml
from tests.synthetic import GOLD, STEPS, make_run


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "runs" / "baby", sentences=30, source=GOLD)


@pytest.fixture
def frozen(run, tmp_path):
    return RunFolder(freeze(run.root, tmp_path / "results" / "baby-seed0"))


def told(root):
    console = Console(width=120, file=io.StringIO())
    for table in summary.tables(root):
        console.print(table)
    return console.file.getvalue()


def test_what_figures_are_made_of_is_the_same_before_and_after(run, frozen):
    for read in (measurements.read, curves.read, plateau.read):
        before, after = read(run.root), read(frozen.root)
        assert set(after["series"]) == {"baby-seed0"}
        pd.testing.assert_frame_equal(before.drop(columns="series"), after.drop(columns="series"))
    items = [measurements.read_items(folder.root, "tokens") for folder in (run, frozen)]
    assert items[1].dtypes.equals(items[0].dtypes[items[1].columns])
    for task in ("reconstruction", "mask-prediction"):
        before, after = (
            learning_times(curves.read(folder.root), table, task)
            for folder, table in zip((run, frozen), items, strict=True)
        )
        assert before["low"].notna().any()
        pd.testing.assert_frame_equal(before, after, check_exact=True)
    assert told(frozen.root).split("\n", 1)[1] == told(run.root).split("\n", 1)[1]  # but for the name above
    assert [checkpoint.step for checkpoint in Series.open(frozen.root).checkpoints] == list(STEPS)


def test_a_probe_of_some_checkpoints_is_held_to_those(run, tmp_path):
    manifest = read_yaml(run.manifest)
    for file in run.root.glob(f"measurements/**/edges/{STEPS[1]:08d}-*"):
        file.unlink()
    with pytest.raises(EmbryologyError, match="probe edges has not measured step 20;"):
        freeze(run.root, tmp_path / "results" / "x")
    write_yaml(run.manifest, manifest | {"probes": {"edges": {"every": 2}}})
    frozen = RunFolder(freeze(run.root, tmp_path / "results" / "x"))
    assert STEPS[1] not in set(measurements.read(frozen.root, probe="edges")["step"])


def test_no_text_is_kept_and_what_was_left_out_is_said(frozen):
    table = pq.read_table(frozen.frozen_details("tokens"))
    assert table.column_names == [column for column in freezing.ITEM_COLUMNS if column in table.column_names]
    assert "word" not in table.column_names
    said = read_yaml(frozen.frozen)
    assert said["command"] == "embryology freeze baby"
    assert said["left_out"][-1] == "of the items of probe tokens: word, log_probability"


def test_a_probe_can_be_left_out_and_that_is_said(run, tmp_path):
    manifest = read_yaml(run.manifest)
    write_yaml(run.manifest, manifest | {"probes": {"tokens": {}, "unmeasured": {}}})
    with pytest.raises(EmbryologyError, match="probe unmeasured has not measured"):
        freeze(run.root, tmp_path / "results" / "x")
    kept = RunFolder(freeze(run.root, tmp_path / "results" / "x", without=["unmeasured", "edges"]))
    assert {file.parent.name for file in kept.measurements.glob("*/all.parquet")} == {
        "tokens",
        "knowledge",
        "frozen",
        "finetune",
    }
    said = read_yaml(kept.frozen)
    assert said["command"] == "embryology freeze baby --without unmeasured --without edges"
    assert "the measurements of probe edges" in said["left_out"]


def test_checkpoints_of_a_probe_can_be_left_out(run, tmp_path):
    gone, unwanted = STEPS[1:3]
    for file in run.root.glob(f"measurements/**/tokens/{gone:08d}-*"):
        file.unlink()
    without = [f"tokens:{gone},{unwanted}"]
    kept = RunFolder(freeze(run.root, tmp_path / "results" / "x", without=without))
    steps = set(STEPS) - {gone, unwanted}
    assert set(measurements.read(kept.root, probe="tokens")["step"]) == steps
    assert set(measurements.read_items(kept.root, "tokens")["step"]) == steps
    assert set(measurements.read(kept.root, probe="edges")["step"]) == set(STEPS)
    assert f"the measurements of probe tokens at step {gone},{unwanted}" in read_yaml(kept.frozen)["left_out"]
    with pytest.raises(EmbryologyError, match="--without tokens:x: steps are numbers"):
        freeze(run.root, tmp_path / "results" / "y", without=["tokens:x"])


def test_places_on_the_machine_are_not_kept(run, tmp_path):
    manifest = read_yaml(run.manifest)
    command = "embryology pretrain /home/jo/my.yaml --run ~/runs/baby"
    manifest["outcome"]["corpus"] = {"path": "/data/wiki"}
    write_yaml(run.manifest, manifest | {"sessions": [{"command": command, "system": "Linux/6.1"}]})
    kept = read_yaml(RunFolder(freeze(run.root, tmp_path / "frozen")).manifest)
    assert kept["sessions"] == [{"command": "embryology pretrain my.yaml --run baby", "system": "Linux/6.1"}]
    assert kept["outcome"]["corpus"] == {"path": "wiki"}


@pytest.mark.parametrize("name", ["baby", "baby-seed0"])
def test_the_folder_is_named_by_run_and_seed(name, tmp_path, monkeypatch):
    monkeypatch.setattr(freezing, "ROOT", tmp_path)
    run = make_run(tmp_path / name, steps=(0, 20), sentences=5)
    assert freeze(run.root) == tmp_path / "results" / "baby-seed0"


def test_a_frozen_run_is_replaced_only_where_that_is_asked_for(run, frozen):
    before = frozen.frozen.stat().st_mtime_ns
    with pytest.raises(EmbryologyError, match="is there already; --replace takes its place"):
        freeze(run.root, frozen.root)
    assert frozen.frozen.stat().st_mtime_ns == before
    (frozen.root / "old").touch()
    freeze(run.root, frozen.root, replace=True)
    assert not (frozen.root / "old").exists()
    shutil.rmtree(frozen.measurements)
    frozen.frozen.unlink()
    with pytest.raises(EmbryologyError, match="holds no frozen run, give another --to"):
        freeze(run.root, frozen.root, replace=True)


def test_what_fails_half_way_leaves_nothing_behind_and_the_old_one_in_place(run, frozen, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(freezing, "write_yaml", fail)
    with pytest.raises(EmbryologyError, match="No space left"):
        freeze(run.root, frozen.root, replace=True)
    assert [path.name for path in frozen.root.parent.iterdir()] == ["baby-seed0"]
    assert frozen.frozen.exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("manifest", r"there is no run at .*baby: it has no run\.yaml"),
        ("checkpoint", r"baby is unfinished: it lacks step 2000 of its 9 checkpoints; go on with"),
        ("measurement", r"baby: probe tokens has not measured step 2000; measure it: embryology probe baby"),
        ("items", r"baby: probe tokens has not measured step 2000; measure it: embryology probe baby"),
        ("probe", r"baby: probe facts has not measured step 0, 20, 40, 80 …; measure it"),
        ("all", r"run baby has no measurements of any probe; make them"),
        ("text", r"measured on different text"),
    ],
)
def test_a_run_that_is_not_whole_is_refused(damage, message, run, tmp_path):
    place = ("tokens", 2000, f"{2000:064x}")
    match damage:
        case "manifest":
            run.manifest.unlink()
        case "checkpoint":
            shutil.rmtree(run.checkpoint(2000))
        case "measurement":
            run.measurement(*place).unlink()
        case "items":
            run.details(*place).unlink()
        case "probe":
            write_yaml(run.manifest, read_yaml(run.manifest) | {"probes": {"tokens": {}, "facts": {}}})
        case "all":
            shutil.rmtree(run.measurements)
        case "text":
            write_table(run.details(*place), pd.read_parquet(run.details(*place)).assign(source="other"))
    with pytest.raises(EmbryologyError, match=message) as error:
        freeze(run.root, tmp_path / "results" / "baby")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()


def test_a_frozen_run_is_neither_frozen_nor_probed_again(frozen, tmp_path):
    with pytest.raises(EmbryologyError, match="is frozen already; copy the folder"):
        freeze(frozen.root, tmp_path / "other")
    with pytest.raises(EmbryologyError, match="baby-seed0 is frozen: its measurements are kept and its checkpoints"):
        run_probes(Series.open(frozen.root), {"tokens": {}})
