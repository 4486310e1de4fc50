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
from embryology.runs import measurements, paths, verify
from embryology.runs.freeze import freeze
from embryology.runs.packed import series as packed_series
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.storage.files import read_yaml, write_json, write_table, write_yaml
from tests.ask import models
from tests.screen import shown
from tests.synthetic import STEPS, configuration, write_manifest


@pytest.fixture(scope="module")
def frozen(made, tmp_path_factory):
    """For tests that do not write."""
    return Series.open(freeze(made, tmp_path_factory.mktemp("results") / "baby-seed0"))


@pytest.fixture
def frozen_before(run, tmp_path):
    return Series.open(freeze(run, tmp_path / "results" / "baby-seed0"))


def opened(run):
    return Series.open(run.folder.root)


def file_of(run, probe, step, items=False):
    """The file of what a probe measured at a step, or of its items."""
    (checkpoint,) = (checkpoint for checkpoint in run.checkpoints if checkpoint.step == step)
    return configuration(probe).files(run.folder, checkpoint)[items]


def test_what_figures_are_made_of_is_the_same_before_and_after(made, frozen):
    reads = [measurements.read, lambda series: plateau.read([series])]
    reads += [lambda series, probe=probe: tables.read([series], probe) for probe in measurements.standing(made.folder)]
    for read in reads:
        before, after = read(made), read(frozen)
        assert set(after["series"]) == {"baby-seed0"}
        pd.testing.assert_frame_equal(before.drop(columns="series"), after.drop(columns="series"))
    items = [measurements.read_items(series, "tokens") for series in (made, frozen)]
    assert items[1].dtypes.equals(items[0].dtypes[items[1].columns])
    for task in ("reconstruction", "mask-prediction"):
        before, after = (
            learning_times(tables.read([series], "tokens"), table, task)
            for series, table in zip((made, frozen), items, strict=True)
        )
        assert before["low"].notna().any()
        pd.testing.assert_frame_equal(before, after, check_exact=True)
    assert shown(frozen).replace("baby-seed0", "baby").split() == shown(made).split()
    assert [checkpoint.step for checkpoint in frozen.checkpoints] == list(STEPS)
    assert measurements.standing(frozen.folder) == measurements.standing(made.folder)


def test_items_stand_in_their_order_each_with_all_its_checkpoints(made, frozen):
    before, after = (measurements.read_items(series, "tokens") for series in (made, frozen))
    first = before[before["step"] == 0]
    expected = [(*item, step) for item in zip(first["task"], first["item_id"], strict=True) for step in STEPS]
    names = ["task", "item_id", "step"]
    assert list(after[names].itertuples(index=False, name=None)) == expected
    before, after = before.set_index(names), after.set_index(names)
    pd.testing.assert_frame_equal(before.loc[after.index, after.columns], after)


def test_a_file_says_the_name_that_it_was_frozen_under(frozen):
    rows = pd.read_parquet(configuration("tokens").folder(frozen.folder) / "all.parquet")
    assert set(rows["series"]) == {"baby-seed0"}
    assert read_yaml(frozen.folder.manifest)["preset"] == "synthetic"
    pd.testing.assert_frame_equal(frozen.losses, pd.read_parquet(frozen.folder.losses))


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
    assert measurements.standing(kept.folder).keys() == {
        *(
            "attention",
            "completions",
            "divergence",
            "tokens",
            "grammar",
            "knowledge",
            "similarity",
            "frozen",
            "finetune",
        ),
    }
    said = read_yaml(kept.folder.frozen)
    assert said["command"] == "embryology freeze baby --without unmeasured --without edges"
    assert said["left_out"]["measurements"] == {"unmeasured": "all", "edges": "all"}


def test_checkpoints_of_a_probe_can_be_left_out(run, tmp_path):
    gone, unwanted = STEPS[1:3]
    for items in (False, True):
        file_of(run, "tokens", gone, items).unlink()
    without = [f"tokens:{unwanted},{gone}"]
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


@pytest.mark.parametrize("project", ["here", None])
@pytest.mark.parametrize("name", ["baby", "baby-seed3"])
def test_the_folder_is_named_by_run_and_seed(name, project, run, tmp_path, monkeypatch):
    """In the project's folder, or in the current one where there is none."""
    monkeypatch.setattr(paths, "ROOT", project and tmp_path)
    monkeypatch.chdir(run.folder.root.parent if project else tmp_path)
    write_manifest(run.folder, run.manifest.outcome.model_copy(update={"seed": 3}))
    run.folder.root.rename(tmp_path / name)
    assert freeze(Series.open(tmp_path / name), without=["tokens", "edges"]) == tmp_path / "results" / "baby-seed3"


def test_a_frozen_run_is_replaced_only_where_that_is_asked_for(run, frozen_before):
    root = frozen_before.folder.root
    (root / "old").touch()
    with pytest.raises(EmbryologyError, match="is there already; --replace takes its place"):
        freeze(run, root)
    assert (root / "old").exists()
    freeze(run, root, replace=True)
    assert not (root / "old").exists()
    frozen_before.folder.frozen.unlink()
    with pytest.raises(EmbryologyError, match="holds no frozen run, give another --to"):
        freeze(run, root, replace=True)


def test_what_fails_half_way_leaves_nothing_behind_and_the_old_one_in_place(run, frozen_before, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(freezing, "write_yaml", fail)
    with pytest.raises(EmbryologyError, match="No space left"):
        freeze(run, frozen_before.folder.root, replace=True)
    assert [path.name for path in frozen_before.folder.root.parent.iterdir()] == ["baby-seed0"]
    assert frozen_before.folder.frozen.exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("manifest", r"there is no run at .*baby: it has no run\.yaml"),
        ("checkpoint", r"baby is unfinished: it lacks step 2000 of its 9 checkpoints; resume it"),
        ("evaluation", r"baby is unfinished: it lacks step 2000 of its 9 checkpoints; resume it"),
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
        case "evaluation":
            losses = run.losses
            losses.loc[losses["step"] == 2000, "held_out_masked_loss"] = None
            write_table(run.folder.losses, losses)
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
    series = opened(run)
    with pytest.raises(EmbryologyError, match=message) as error:
        freeze(series, tmp_path / "results" / "baby")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()


def test_a_frozen_run_is_neither_frozen_nor_probed_again(frozen, tmp_path):
    with pytest.raises(EmbryologyError, match="is frozen already; copy the folder"):
        freeze(frozen, tmp_path / "other")
    with pytest.raises(EmbryologyError, match="baby-seed0 is frozen: its measurements are kept and its checkpoints"):
        run_probes(frozen, registry.asked_for(["tokens"], {}))


@pytest.mark.parametrize("rounded", [(), ("gain",), ("log_probability", "gain")])
def test_columns_that_say_so_are_rounded_to_hundredths_and_no_others(rounded, tmp_path, monkeypatch):
    specification = replace(registry.get("knowledge"), rounded=rounded)
    monkeypatch.setitem(registry.specifications(), "knowledge", specification)
    exact = {"log_probability": -1.23456, "gain": 0.98765, "answer": 0.12345}
    items = pd.DataFrame([{"item_id": "a", "task": "trex", "step": 0, "secret": "text"} | exact])
    row = measurements.row("trex", "", "accuracy", 0.123456, n=1)
    row |= {"series": "s", "step": 0, "model": "m", "objective": "o", "probe": "knowledge", "key": "k", "tokens": 0}
    folder = RunFolder(tmp_path)
    freezing.write_all(folder, configuration("knowledge"), pd.DataFrame([row]), items)
    place = configuration("knowledge").folder(folder)
    expected = exact | {name: value for name, value in (("log_probability", -1.23), ("gain", 0.99)) if name in rounded}
    assert pd.read_parquet(place / "items" / "all.parquet").to_dict("records") == [
        {"item_id": "a", "task": "trex", "step": 0} | expected
    ]
    assert pd.read_parquet(place / "all.parquet")["value"].tolist() == [0.123456]


def test_weights_are_kept_where_they_are_asked_for(run, tmp_path, monkeypatch):
    source = models.series(tmp_path / "source", "albert", models.unigram_tokenizer())
    packed = packed_series.of_series(source)
    monkeypatch.setattr(freezing.packed_series, "of_series", lambda series: packed)
    bare = Series.open(freeze(run, tmp_path / "bare"))
    assert not bare.folder.packed.exists()
    kept = Series.open(freeze(run, tmp_path / "kept", weights="8bit"))
    for model, tensors in packed_series.of_series(source).weights(10).items():
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(packed_series.read(kept.folder.packed).weights(10)[model][name], tensor)
    said = read_yaml(kept.folder.frozen)
    assert said["command"].endswith("--weights 8bit")
    assert said["left_out"]["files"][0] == "the weights of checkpoints beyond eight bits"
    assert read_yaml(bare.folder.frozen)["left_out"]["files"][0] == "the weights and tokenizers of checkpoints"
    assert verify.check(kept.folder)[0] == verify.check(bare.folder)[0]
    block = kept.folder.packed / "step-00000010.gz"
    block.write_bytes(block.read_bytes()[:-1])
    assert any("step-00000010.gz is damaged" in line for line in verify.check(kept.folder)[0])


def test_weights_that_cannot_be_packed_freeze_nothing(run, tmp_path):
    with pytest.raises(EmbryologyError, match="a checkpoint has no weights"):
        freeze(run, tmp_path / "kept", weights="8bit")
    assert not (tmp_path / "kept").exists()
