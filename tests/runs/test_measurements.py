"""Which measurements count, what names them, and what a row may say."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.checkpoints import RECORD, Checkpoint
from embryology.runs.measurements import Configuration
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.storage.files import read_json, write_json
from tests.synthetic import configuration, measure

ROW = measurements.row("reconstruction", "DT", "accuracy", 0.5, (0.4, 0.6), 10) | {
    "series": "s", "step": 3, "tokens": 100, "model": "albert", "objective": "masked", "probe": "tokens", "key": "k",
}  # fmt: skip


@pytest.fixture
def series(tmp_path):
    """Two checkpoints, nothing measured."""
    folder = RunFolder(tmp_path / "run")
    for step in (0, 20):
        write_json(folder.checkpoint(step) / RECORD, {"step": step, "tokens": step * 100, "sha256": f"{step:064x}"})
    return Series.open(folder.root)


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
    assert [file.parent.name for file in measurements.files(series)[3:]] == ["items", "items"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, r"missing or unknown.*extra"),
        ({"value": None}, "value: it is missing"),
        ({"metric": "not applicable"}, "value: it is missing, or there although the probe does not apply"),
        ({"series": None}, r"series: string.* non-nullable"),
        ({"low": 0.55}, "does not contain its value"),
        ({"high": 0.45}, "does not contain its value"),
        ({"step": "three"}, "three"),
    ],
)
def test_a_table_that_breaks_the_contract_is_refused(tmp_path, change, message):
    path = tmp_path / "table.parquet"
    for rows in ([ROW | change], [ROW, ROW | change, ROW]):
        with pytest.raises(ValueError, match=message):
            measurements.write(path, rows)
    assert not path.exists()


def test_a_row_says_what_it_was_given():
    given = {"layer": 2, "seed": 1, "baseline": "b", "reason": "r", "unit": "word"}
    expected = {"task": "t", "group": "g", "metric": "m", "value": 0.5, "low": 0.25, "high": 0.75, "n": 3} | given
    assert measurements.row("t", "g", "m", 0.5, (0.25, 0.75), 3, **given) == expected
    empty = dict.fromkeys(["value", "low", "high", *given]) | {"n": 0}
    assert measurements.row("t", "g", "m", None) == expected | empty


@pytest.mark.parametrize(
    ("interval", "ends"),
    [
        ((0.50000001, 0.4), (0.5, 0.5)),
        ((np.float64(0.1), np.array(0.4)), (0.1, 0.5)),
        ((0.6, 0.7), (0.5, 0.7)),
        ((0.1, 0.9), (0.1, 0.9)),
        ((np.nan, np.nan), (None, None)),
    ],
)
def test_a_row_holds_its_value_within_its_interval(interval, ends):
    row = measurements.row("t", "g", "m", np.float64(0.5), interval, 3)
    assert (row["low"], row["high"]) == ends


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


BASE = configuration("tokens", sentences=1, words=9)
OTHERS = {
    "probe": "edges",
    "version": 99,
    "settings": {"sentences": 1, "words": 8},
    "data": {"made": "up", "more": 1},
    "tokenizer": "1" * 64,
}
ONE = Checkpoint(20, 100, Path("here"), "d" * 64)
RETRAINED = replace(ONE, recorded="e" * 64)
ELSEWHERE = Checkpoint(40, None, Path("there"), "d" * 64, "words", "f" * 64)
"""The same weights."""


def test_the_key_of_a_measurement_depends_on_all_that_the_number_does_and_on_nothing_else():
    assert OTHERS.keys() == Configuration.model_fields.keys()
    others = [BASE.model_copy(update={name: value}) for name, value in OTHERS.items()]
    keys = [BASE.key(ONE), BASE.key(RETRAINED), *(other.key(ONE) for other in others)]
    assert len(set(keys)) == len(keys)
    assert BASE.key(ELSEWHERE) == BASE.key(ONE)
    assert Configuration.model_validate(dict(reversed(BASE.model_dump(mode="json").items()))).key(ONE) == BASE.key(ONE)


def test_a_configuration_s_name_depends_on_all_of_it():
    every = [BASE, *(BASE.model_copy(update={name: value}) for name, value in OTHERS.items())]
    assert len({each.sha256 for each in every}) == len(every)
    run = RunFolder(Path("run"))
    assert len({each.folder(run) for each in every}) == len({each.properties(run) for each in every}) == len(every)
    files = {file for each in (ONE, RETRAINED, replace(ONE, step=40)) for file in BASE.files(run, each)}
    assert len(files) == 6
    assert Configuration.model_validate(BASE.model_dump(mode="json")).sha256 == BASE.sha256


def test_the_key_of_a_part_depends_on_what_it_is_and_on_no_settings():
    others = [BASE.model_copy(update={name: OTHERS[name]}) for name in ("probe", "version", "tokenizer")]
    parts = [{"data": "a", "number": 0}, {"data": "a", "number": 1}, {"data": "b", "number": 0}, {}]
    keys = [*(BASE.key(ONE, **part) for part in parts), BASE.key(RETRAINED, **parts[0])]
    keys += [other.key(ONE, **parts[0]) for other in others]
    assert len(set(keys)) == len(keys)
    for name in ("settings", "data"):
        assert BASE.model_copy(update={name: OTHERS[name]}).key(ONE, **parts[0]) == BASE.key(ONE, **parts[0])
    assert BASE.key(ELSEWHERE, **parts[0]) == BASE.key(ONE, **parts[0])


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


def test_a_probe_of_which_one_task_does_not_apply_applies(series):
    reason = measurements.row("mask-prediction", "", "not applicable", None, reason="its model has no head")
    measure(series.folder, "tokens", 0, [reason, *rows(0.1)])
    assert measurements.lacking(series, "tokens") is None
    assert len(measurements.read(series, "tokens")) == 3


def test_measurements_are_of_these_weights_though_others_are_the_only_ones(series):
    """Checkpoints of others have no recorded weights, which are read where there is a choice alone."""
    measure(series.folder, "tokens", 0, rows(0.1), items(0))
    first = replace(series.checkpoints[0], recorded=None)
    assert values(replace(series, checkpoints=(first,))) == [[0, 0.1]]
    record = series.folder.checkpoint(0) / RECORD
    for order in ("0", "f"):  # files of other weights may come before those of the right ones, or after
        write_json(record, read_json(record) | {"sha256": order * 64})
        measure(series.folder, "tokens", 0, rows(0.2), items(1))
    write_json(record, read_json(record) | {"sha256": "7" * 64})
    measure(series.folder, "tokens", 0, rows(0.7), items(7))
    again = Series.open(series.folder.root)
    assert values(again) == [[0, 0.7]]
    assert measurements.read_items(again, "tokens")["item_id"].tolist() == ["7:0"]


@pytest.mark.parametrize("name", ["device", "precision", "torch", "threads"])
def test_what_differs_between_the_machines_of_checkpoints_is_named(name):
    alike = {"device": "a card", "precision": "float32", "torch": "2", "threads": 2}
    frame = pd.DataFrame([alike, alike | {name: None}, alike])
    assert measurements.machines(frame) == []
    frame = pd.DataFrame([alike, alike | {name: 1}, alike])
    assert measurements.machines(frame) == [f"{name} 1 and {alike[name]}"]


def test_text_of_two_kinds_is_not_joined():
    assert measurements.source_of(pd.DataFrame({"source": ["a", "a"]})) == "a"
    with pytest.raises(EmbryologyError, match="measured on different text"):
        measurements.source_of(pd.DataFrame({"source": ["a", "b"]}))


def test_an_interval_names_its_unit():
    rows = pd.DataFrame([measurements.row("t", "", "m", 0.5, (0.4, 0.6), 9), measurements.row("t", "", "n", 0.5, n=9)])
    units = measurements.with_units(rows, "knowledge")["unit"]
    assert units[0] == "object"
    assert pd.isna(units[1])
    with pytest.raises(ValueError, match="probe tokens has intervals over"):
        measurements.with_units(rows, "tokens")  # words or sentences
    assert measurements.with_units(rows.assign(unit="word"), "tokens")["unit"].fillna("").tolist() == ["word", ""]
    with pytest.raises(ValueError, match="declares object"):
        measurements.with_units(rows.assign(unit="word"), "knowledge")
