import os

import pandas as pd
import pytest

from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.paths import RunFolder
from embryology.storage.files import write_table

ROW = {
    "series": "s", "step": 3, "tokens": 100, "model": "albert", "objective": "masked", "probe": "tokens",
    "task": "reconstruction", "item": "DT", "layer": None, "metric": "accuracy", "value": 0.5, "low": 0.4,
    "high": 0.6, "n": 10, "seed": None, "baseline": None, "key": "k",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def test_what_is_written_is_read(folder):
    measurements.write(
        folder.measurement("tokens", 3, "a" * 64), [ROW, ROW | {"item": "CC", "low": None, "high": None}]
    )
    frame = measurements.read(folder.root)
    assert frame.columns.tolist() == measurements.SCHEMA.names
    assert frame["item"].tolist() == ["CC", "DT"]
    assert frame["low"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, r"missing or unknown.*extra"),
        ({"value": None}, r"value: double.* non-nullable"),
        ({"series": None}, r"series: string.* non-nullable"),
        ({"low": 0.55}, "does not contain its value"),
        ({"step": "three"}, "three"),
    ],
)
def test_a_table_that_breaks_the_contract_is_refused(folder, change, message):
    path = folder.measurement("tokens", 3, "a" * 64)
    with pytest.raises(ValueError, match=message):
        measurements.write(path, [ROW | change])
    assert not path.exists()


def test_of_two_measurements_of_a_checkpoint_the_newest_stands(folder):
    for age, value in ((100, 0.5), (50, 0.55)):
        path = folder.measurement("tokens", 3, f"{age}" * 32)
        measurements.write(path, [ROW | {"value": value}])
        os.utime(path, (1e9 - age, 1e9 - age))
    assert measurements.read(folder.root, probe="tokens")["value"].tolist() == [0.55]


def test_items_are_read_over_checkpoints_and_apart_from_measurements(folder):
    for step in (3, 5):
        measurements.write(folder.measurement("tokens", step, "b" * 64), [ROW | {"step": step}])
        write_table(folder.details("tokens", step, "b" * 64), pd.DataFrame({"item_id": ["1:0"], "step": [step]}))
    assert measurements.read_items(folder.root, "tokens")["step"].tolist() == [3, 5]
    assert len(measurements.read(folder.root)) == 2
    assert len(measurements.files_read(folder.root, "tokens")) == 4


def test_what_is_missing_is_said(folder, tmp_path):
    with pytest.raises(EmbryologyError, match="there is no run at"):
        measurements.read(folder.root)
    folder.root.mkdir()
    with pytest.raises(EmbryologyError, match="has no measurements of probe tokens; make them: embryology probe"):
        measurements.read(folder.root, probe="tokens")
    with pytest.raises(EmbryologyError, match=r"has no losses\.parquet"):
        measurements.read_losses(folder.root)
