"""What is frozen gives the figures' input exactly, holds no text, and is whole or not there."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from embryology.analysis import plateau, tables
from embryology.analysis.learning_order import learning_times
from embryology.errors import EmbryologyError
from embryology.probes.runner import run_probes
from embryology.runs import freeze as freezing
from embryology.runs import measurements
from embryology.runs.freeze import freeze
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.storage.files import read_yaml, write_json, write_table, write_yaml
from tests.screen import shown
from tests.synthetic import GOLD, STEPS, configuration, make_run, write_manifest


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "runs" / "baby", sentences=30, source=GOLD)


@pytest.fixture
def frozen(run, tmp_path):
    return Series.open(freeze(run, tmp_path / "results" / "baby-seed0"))


def opened(run):
    return Series.open(run.folder.root)


def file_of(run, probe, step, items=False):
    """The file of what a probe measured at a step, or of its items."""
    (checkpoint,) = (checkpoint for checkpoint in run.checkpoints if checkpoint.step == step)
    return configuration(probe).files(run.folder, checkpoint)[items]


def test_what_figures_are_made_of_is_the_same_before_and_after(run, frozen):
    reads = [measurements.read, lambda series: plateau.read([series])]
    reads += [lambda series, probe=probe: tables.read([series], probe) for probe in registry.specifications()]
    for read in reads:
        before, after = read(run), read(frozen)
        assert set(after["series"]) == {"baby-seed0"}
        pd.testing.assert_frame_equal(before.drop(columns="series"), after.drop(columns="series"))
    items = [measurements.read_items(series, "tokens") for series in (run, frozen)]
    assert items[1].dtypes.equals(items[0].dtypes[items[1].columns])
    for task in ("reconstruction", "mask-prediction"):
        before, after = (
            learning_times(tables.read([series], "tokens"), table, task)
            for series, table in zip((run, frozen), items, strict=True)
        )
        assert before["low"].notna().any()
        pd.testing.assert_frame_equal(before, after, check_exact=True)
    assert shown(frozen).replace("baby-seed0", "baby").split() == shown(run).split()
    assert [checkpoint.step for checkpoint in frozen.checkpoints] == list(STEPS)
    assert measurements.standing(frozen.folder) == measurements.standing(run.folder)


def test_a_probe_of_some_checkpoints_is_held_to_those(run, tmp_path):
    for items in (False, True):
        file_of(run, "edges", STEPS[1], items).unlink()
    with pytest.raises(EmbryologyError, match="probe edges has not measured step 20;"):
        freeze(run, tmp_path / "results" / "x")
    write_manifest(run.folder, run.manifest.outcome, {"edges": {"every": 2}})
    frozen = Series.open(freeze(opened(run), tmp_path / "results" / "x"))
    assert STEPS[1] not in set(measurements.read(frozen, probe="edges")["step"])


def test_no_text_is_kept_and_what_was_left_out_is_said(frozen):
    file = configuration("tokens").folder(frozen.folder) / "items" / "all.parquet"
    assert pq.read_table(file).column_names == list(registry.get("tokens").kept_items)
    edges = pq.read_table(configuration("edges").folder(frozen.folder) / "items" / "all.parquet")
    assert "layers" in edges.column_names
    said = read_yaml(frozen.folder.frozen)
    assert said["command"] == "embryology freeze baby"
    assert said["left_out"]["item_columns"]["tokens"] == ["word"]


def test_a_probe_can_be_left_out_and_that_is_said(run, tmp_path):
    write_manifest(run.folder, run.manifest.outcome, {"tokens": {}, "unmeasured": {}})
    with pytest.raises(EmbryologyError, match="probe unmeasured has not measured"):
        freeze(opened(run), tmp_path / "results" / "x")
    kept = Series.open(freeze(opened(run), tmp_path / "results" / "x", without=["unmeasured", "edges"]))
    assert measurements.standing(kept.folder).keys() == {"tokens", "knowledge", "frozen", "finetune"}
    said = read_yaml(kept.folder.frozen)
    assert said["command"] == "embryology freeze baby --without unmeasured --without edges"
    assert said["left_out"]["measurements"] == {"unmeasured": "all", "edges": "all"}


def test_checkpoints_of_a_probe_can_be_left_out(run, tmp_path):
    gone, unwanted = STEPS[1:3]
    for items in (False, True):
        file_of(run, "tokens", gone, items).unlink()
    without = [f"tokens:{gone},{unwanted}"]
    kept = Series.open(freeze(run, tmp_path / "results" / "x", without=without))
    steps = set(STEPS) - {gone, unwanted}
    assert set(measurements.read(kept, probe="tokens")["step"]) == steps
    assert set(measurements.read_items(kept, "tokens")["step"]) == steps
    assert set(measurements.read(kept, probe="edges")["step"]) == set(STEPS)
    assert read_yaml(kept.folder.frozen)["left_out"]["measurements"] == {"tokens": [gone, unwanted]}
    with pytest.raises(EmbryologyError, match="--without tokens:x: steps are numbers"):
        freeze(run, tmp_path / "results" / "y", without=["tokens:x"])


def test_places_on_the_machine_are_not_kept(run, tmp_path):
    manifest = read_yaml(run.folder.manifest)
    manifest["sessions"][0] |= {"command": "embryology pretrain /home/jo/my.yaml --run ~/runs/baby"}
    manifest["outcome"]["corpus"] = {"source": "wikipedia", "path": "/data/wiki"}
    write_yaml(run.folder.manifest, manifest)
    kept = Series.open(freeze(opened(run), tmp_path / "frozen")).manifest
    assert kept.sessions[0].command == "embryology pretrain my.yaml --run baby"
    assert kept.sessions[0].system == "Linux"
    assert kept.outcome.corpus.path == "wiki"


@pytest.mark.parametrize("name", ["baby", "baby-seed0"])
def test_the_folder_is_named_by_run_and_seed(name, tmp_path, monkeypatch):
    monkeypatch.setattr(freezing, "ROOT", tmp_path)
    run = make_run(tmp_path / name, steps=(0, 20), sentences=5)
    assert freeze(run) == tmp_path / "results" / "baby-seed0"


def test_a_frozen_run_is_replaced_only_where_that_is_asked_for(run, frozen):
    root = frozen.folder.root
    (root / "old").touch()
    with pytest.raises(EmbryologyError, match="is there already; --replace takes its place"):
        freeze(run, root)
    assert (root / "old").exists()
    freeze(run, root, replace=True)
    assert not (root / "old").exists()
    frozen.folder.frozen.unlink()
    with pytest.raises(EmbryologyError, match="holds no frozen run, give another --to"):
        freeze(run, root, replace=True)


def test_what_fails_half_way_leaves_nothing_behind_and_the_old_one_in_place(run, frozen, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(freezing, "write_yaml", fail)
    with pytest.raises(EmbryologyError, match="No space left"):
        freeze(run, frozen.folder.root, replace=True)
    assert [path.name for path in frozen.folder.root.parent.iterdir()] == ["baby-seed0"]
    assert frozen.folder.frozen.exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("manifest", r"there is no run at .*baby: it has no run\.yaml"),
        ("checkpoint", r"baby is unfinished: it lacks step 2000 of its 9 checkpoints; resume it"),
        ("measurement", r"baby: probe tokens has not measured step 2000; measure it: embryology probe baby"),
        ("items", r"baby: probe tokens has not measured step 2000; measure it: embryology probe baby"),
        ("probe", r"baby: probe facts has not measured step 0, 20, 40, 80 …; measure it"),
        ("all", r"baby: probe tokens has not measured step 0, 20, 40, 80 …; measure it"),
        ("weights", r"baby: step 20 was measured on other weights than those that are there now"),
        ("text", r"measured on different text"),
    ],
)
def test_a_run_that_is_not_whole_is_refused(damage, message, run, tmp_path):
    rows, items = (file_of(run, "tokens", 2000, items) for items in (False, True))
    match damage:
        case "manifest":
            run.folder.manifest.unlink()
        case "checkpoint":
            shutil.rmtree(run.folder.checkpoint(2000))
        case "measurement":
            rows.unlink()
        case "items":
            items.unlink()
        case "probe":
            write_manifest(run.folder, run.manifest.outcome, {"tokens": {}, "facts": {}})
        case "all":
            shutil.rmtree(run.folder.measurements)
            write_manifest(run.folder, run.manifest.outcome, {"tokens": {}})
        case "text":
            write_table(items, pd.read_parquet(items).assign(source="other"))
        case "weights":
            record = run.folder.checkpoint(20) / "checkpoint.json"
            write_json(record, {"step": 20, "tokens": 40960, "sha256": "f" * 64})
    with pytest.raises(EmbryologyError, match=message) as error:
        freeze(opened(run), tmp_path / "results" / "baby")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()


def test_a_frozen_run_is_neither_frozen_nor_probed_again(frozen, tmp_path):
    with pytest.raises(EmbryologyError, match="is frozen already; copy the folder"):
        freeze(frozen, tmp_path / "other")
    with pytest.raises(EmbryologyError, match="baby-seed0 is frozen: its measurements are kept and its checkpoints"):
        run_probes(frozen, registry.asked_for(["tokens"], {}))


@pytest.mark.parametrize("rounded", [(), ("log_probability",)])
def test_only_columns_that_say_so_are_rounded(rounded, run, tmp_path, monkeypatch):
    specification = replace(registry.get("tokens"), rounded=rounded)
    monkeypatch.setitem(registry.specifications(), "tokens", specification)
    file = file_of(run, "tokens", STEPS[-1], items=True)
    items = pd.read_parquet(file)
    exact = np.random.default_rng(0).normal(-5, 2, len(items))
    items.assign(log_probability=exact).to_parquet(file, index=False)
    kept = measurements.read_items(Series.open(freeze(opened(run), tmp_path / "results" / "x")), "tokens")
    kept = kept[kept["step"] == STEPS[-1]].set_index(["task", "item_id"])["log_probability"]
    expected = pd.Series(exact, pd.MultiIndex.from_frame(items[["task", "item_id"]])).loc[kept.index]
    apart = np.abs(kept - expected).max()
    assert 0.004 < apart <= 0.005 if rounded else apart == 0
