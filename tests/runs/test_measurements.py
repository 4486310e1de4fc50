import os
import shutil

import numpy as np
import pandas as pd
import pytest

from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.checkpoints import RECORD
from embryology.runs.measurements import Configuration
from embryology.runs.series import Series
from embryology.storage.files import read_json, write_json
from tests.synthetic import configuration, make_run, measure

ROW = measurements.row("reconstruction", "DT", "accuracy", 0.5, (0.4, 0.6), 10) | {
    "series": "s", "step": 3, "tokens": 100, "model": "albert", "objective": "masked", "probe": "tokens", "key": "k",
}  # fmt: skip


@pytest.fixture
def series(tmp_path):
    """Two checkpoints, nothing measured."""
    series = make_run(tmp_path / "run", steps=(0, 20), sentences=5)
    shutil.rmtree(series.folder.measurements)
    return series


def rows(value):
    return [measurements.row("reconstruction", group, "accuracy", value, n=10) for group in ("DT", "CC")]


def items(number):
    return pd.DataFrame({"item_id": [f"{number}:0"], "source": "text"})


def values(series):
    frame = measurements.read(series, "tokens")
    return frame.loc[frame["group"] == "DT", ["step", "value"]].to_numpy().tolist()


def test_what_is_written_is_read(series):
    for step in (20, 0):
        measure(series.folder, "tokens", step, rows(step / 100), items(step))
    frame = measurements.read(series)
    assert frame.columns.tolist() == measurements.SCHEMA.names
    assert frame["group"].tolist() == ["CC", "CC", "DT", "DT"]
    assert frame["step"].tolist() == [0, 20, 0, 20]
    assert frame["low"].isna().all()
    assert measurements.read_items(series, "tokens")["item_id"].tolist() == ["0:0", "20:0"]
    assert measurements.read_items(series, "tokens", ["step"]).columns.tolist() == ["step"]
    assert [file.name for file in measurements.files(series)] == [
        "standing.json",
        *[f"{step:08d}-{0:012x}.parquet" for step in (0, 20, 0, 20)],
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, r"missing or unknown.*extra"),
        ({"value": None}, "value: it is missing"),
        ({"metric": "not applicable"}, "value: it is missing, or there although the probe does not apply"),
        ({"series": None}, r"series: string.* non-nullable"),
        ({"low": 0.55}, "does not contain its value"),
        ({"step": "three"}, "three"),
    ],
)
def test_a_table_that_breaks_the_contract_is_refused(tmp_path, change, message):
    path = tmp_path / "table.parquet"
    with pytest.raises(ValueError, match=message):
        measurements.write(path, [ROW | change])
    assert not path.exists()


def test_a_row_holds_its_value_within_its_interval():
    assert measurements.row("t", "g", "m", 0.5, (0.50000001, 0.4), 3)["low"] == 0.5
    row = measurements.row("t", "g", "m", np.float64(0.5), (np.float64(0.1), np.array(0.4)), 3, seed=1, baseline="b")
    assert (row["low"], row["high"], row["n"], row["seed"], row["baseline"]) == (0.1, 0.5, 3, 1, "b")
    assert measurements.row("t", "g", "m", 0.5)["low"] is None


def test_the_configuration_that_was_let_stand_last_counts_whatever_the_times_of_files(series):
    for sentences, value in ((1, 0.1), (2, 0.2)):
        for step in (0, 20):
            measure(series.folder, "tokens", step, rows(value), items(sentences), {"sentences": sentences})
    assert values(series) == [[0, 0.2], [20, 0.2]]
    measurements.let_stand(series.folder, configuration("tokens", sentences=1))
    for number, file in enumerate(sorted(series.folder.measurements.rglob("*.parquet"))):
        os.utime(file, (1e9 - number, 1e9 - number))
    assert values(series) == [[0, 0.1], [20, 0.1]]
    assert measurements.read_items(series, "tokens")["item_id"].tolist() == ["1:0", "1:0"]


def test_measurements_of_two_configurations_are_never_joined(series):
    measure(series.folder, "tokens", 0, rows(0.1), None, {"sentences": 1})
    measure(series.folder, "tokens", 20, rows(0.2), None, {"sentences": 2})
    assert values(series) == [[20, 0.2]]


def test_a_copied_or_renamed_run_goes_by_its_new_name(series, tmp_path):
    measure(series.folder, "tokens", 0, rows(0.1), items(0))
    shutil.copytree(series.folder.root, tmp_path / "copy")
    copy = Series.open(tmp_path / "copy")
    assert set(measurements.read(copy)["series"]) == {"copy"}
    assert values(copy) == values(series)


def test_measurements_of_weights_that_were_replaced_are_refused_until_measured_again(series):
    for step in (0, 20):
        measure(series.folder, "tokens", step, rows(0.1), items(0))
    record = series.folder.checkpoint(20) / RECORD
    write_json(record, read_json(record) | {"sha256": "f" * 64})
    trained_again = Series.open(series.folder.root)
    with pytest.raises(EmbryologyError, match="step 20 was measured on other weights than those that are there now"):
        measurements.read(trained_again, "tokens")
    measure(series.folder, "tokens", 20, rows(0.3), items(1))
    assert values(trained_again) == [[0, 0.1], [20, 0.3]]
    assert measurements.read_items(trained_again, "tokens")["item_id"].tolist() == ["0:0", "1:0"]


def test_a_key_depends_on_all_that_the_number_does(series):
    one, other = series.checkpoints[0], series.checkpoints[1]
    base = configuration("tokens", sentences=1)
    keys = [
        base.key(one),
        base.key(replace_weights(one)),
        *(base.model_copy(update=change).key(one) for change in (
            {"probe": "edges"}, {"version": 9}, {"settings": {"sentences": 2}}, {"data": {"made": "down"}},
            {"tokenizer": "1" * 64},
        )),
        base.key(one, part={"seed": 0}),
        base.key(one, part={"seed": 1}),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert base.key(other) != base.key(one)
    assert Configuration.model_validate(base.model_dump(mode="json")).sha256 == base.sha256


def replace_weights(checkpoint):
    return type(checkpoint)(checkpoint.step, checkpoint.tokens, checkpoint.location, "e" * 64)


def test_what_is_missing_is_said(series):
    assert measurements.standing(series.folder) == {}
    with pytest.raises(EmbryologyError, match="has no measurements of probe tokens; make them: embryology probe run"):
        measurements.read(series, probe="tokens")
    assert "has not measured it" in measurements.lacking(series, "tokens")
    measure(series.folder, "tokens", 0, rows(0.1))
    assert measurements.lacking(series, "tokens") is None
    with pytest.raises(EmbryologyError, match="has no items of probe tokens"):
        measurements.read_items(series, "tokens")
    reason = measurements.row("", "", "not applicable", None, reason="its model has no head")
    measure(series.folder, "knowledge", 0, [reason])
    assert measurements.lacking(series, "knowledge") == "probe knowledge does not apply: its model has no head"
    series.folder.standing.write_text('{"tokens": {"probe": 1}}')
    with pytest.raises(EmbryologyError, match=r"standing\.json is damaged"):
        measurements.read(series)


def test_text_of_two_kinds_is_not_joined():
    with pytest.raises(EmbryologyError, match="measured on different text"):
        measurements.source_of(pd.DataFrame({"source": ["a", "b"]}))


def test_an_interval_names_its_unit(monkeypatch):
    rows = pd.DataFrame([measurements.row("t", "", "m", 0.5, (0.4, 0.6), 9), measurements.row("t", "", "n", 0.5, n=9)])
    units = measurements.with_units(rows, "knowledge")["unit"]
    assert units[0] == "object"
    assert pd.isna(units[1])
    with pytest.raises(ValueError, match="probe tokens has intervals over"):
        measurements.with_units(rows, "tokens")  # words or sentences
    assert measurements.with_units(rows.assign(unit="word"), "tokens")["unit"].fillna("").tolist() == ["word", ""]
    with pytest.raises(ValueError, match="declares object"):
        measurements.with_units(rows.assign(unit="word"), "knowledge")


def test_ends_that_are_no_numbers_are_no_interval():
    row = measurements.row("t", "g", "m", 0.5, (np.nan, np.nan), 3)
    assert (row["low"], row["high"]) == (None, None)
