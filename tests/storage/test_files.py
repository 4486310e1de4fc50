"""Files are whole or absent, are read as they were written, and hashes are of all of them."""

import errno
import hashlib
import json
import os
import re
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from safetensors import SafetensorError

from embryology.errors import EmbryologyError
from embryology.storage import files


def test_a_file_that_fails_half_way_leaves_nothing_and_keeps_what_was_there(tmp_path):
    target = tmp_path / "value.json"
    target.write_text("old")

    def fail_half_way():
        with files.written_whole(target) as temporary:
            temporary.write_text("new")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["value.json"]


def test_a_folder_appears_whole(tmp_path):
    target = tmp_path / "folder"
    with files.written_whole(target) as temporary:
        (temporary / "inner").mkdir(parents=True)
        (temporary / "inner" / "file").write_text("x")
        assert not target.exists()
    assert (target / "inner" / "file").read_text() == "x"


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail_with(error):
    raise error


def fail_over(call, error):
    try:
        call()
    finally:
        raise error


class Unwritable:
    write = full


@pytest.mark.parametrize(
    "write",
    [
        full,
        lambda: torch.save(torch.zeros(10_000), Unwritable()),
        lambda: fail_with(SafetensorError("Error while serializing: I/O error: No space left (os error 28)")),
        lambda: fail_with(shutil.Error([("from", "to", "[Errno 28] No space left on device: 'from' -> 'to'")])),
        lambda: fail_with(OSError("400000 requested and 131072 written")),  # numpy
        lambda: fail_over(full, ValueError("cannot serialize")),  # hides what the system said
    ],
)
def test_a_full_disk_is_one_line_whoever_writes(tmp_path, write):
    with pytest.raises(EmbryologyError) as error, files.written_whole(tmp_path / "a"):
        write()
    assert str(error.value) == (
        f"cannot write {tmp_path}/a: No space left on device; free some space, "
        "then give the same command again (`embryology pretrain` with --resume)"
    )
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EDQUOT, "free some space, or have the quota raised"),
        (errno.EFBIG, "raise the limit on the size of files (ulimit -f)"),
        (errno.EACCES, "see to its permissions, or choose another folder"),
        (errno.EROFS, "choose a folder on a disk that can be written"),
        (errno.EIO, "see to the disk"),
    ],
)
def test_the_advice_fits_what_the_system_said(number, advice):
    reason = files.refusal(OSError(number, "x"))
    assert reason.startswith(f"{os.strerror(number)}; {advice}, then give the same command again")


@pytest.mark.parametrize("number", files.ADVICE)
def test_whatever_the_system_refuses_is_one_line_even_where_only_the_flush_shows_it(tmp_path, monkeypatch, number):
    (tmp_path / "a").write_text("old")

    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(
        EmbryologyError, match=f"cannot write .*a: {os.strerror(number)}; {re.escape(files.ADVICE[number])}"
    ):
        files.write_json(tmp_path / "a", 1)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize(
    "defect",
    [
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 640 vs 598"),
        SafetensorError("Error while serializing: InvalidTensorView"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        EmbryologyError("said already"),
        TypeError("28"),
    ],
)
def test_what_the_system_did_not_refuse_is_left_as_it_is(tmp_path, defect):
    with pytest.raises(type(defect)) as error, files.written_whole(tmp_path / "a"):
        raise defect
    assert error.value is defect


def test_a_thing_is_removed_whole_and_so_are_leftovers(tmp_path, monkeypatch):
    for name in ("thing", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    files.removed_whole(tmp_path / "thing")
    assert os.listdir(tmp_path) == ["other"]
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", full)
        with pytest.raises(OSError, match="No space"):
            files.removed_whole(tmp_path / "other")
    (left,) = files.leftovers(tmp_path)
    assert os.listdir(tmp_path) == [left.name]
    for name in ("first", "second"):
        (tmp_path / name / ".x.1.part").mkdir(parents=True)  # of another process
        (tmp_path / name / "x.part").touch()
    assert [path.name for path in files.leftovers(tmp_path / "first")] == [".x.1.part"]
    files.remove_leftovers(tmp_path, tmp_path / "first", tmp_path / "second")
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["first", "first/x.part", "second", "second/x.part"]


def test_two_machines_whose_processes_have_one_number_write_under_different_names(tmp_path):
    with files.written_whole(tmp_path / "a") as first:
        first.write_text("first")
        with files.written_whole(tmp_path / "a") as second:
            second.write_text("second")
        assert (tmp_path / "a").read_text() == "second"
    assert (tmp_path / "a").read_text() == "first"
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_that_is_there_is_not_added_to(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    refused = pytest.raises(EmbryologyError, match=r"cannot write .*: Directory not empty; move away what is there")
    with refused, files.written_whole(tmp_path / "a") as temporary:
        temporary.mkdir()
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == ["old"]


def test_what_a_process_of_the_same_number_left_or_is_writing_is_not_touched(tmp_path):
    (tmp_path / f".a.{os.getpid()}.part" / "half").mkdir(parents=True)
    with files.written_whole(tmp_path / "a") as temporary:
        temporary.mkdir(exist_ok=True)
        (temporary / "whole").touch()
    assert sorted(os.listdir(tmp_path)) == [f".a.{os.getpid()}.part", "a"]
    assert os.listdir(tmp_path / f".a.{os.getpid()}.part") == ["half"]
    assert os.listdir(tmp_path / "a") == ["whole"]


def test_hashes_do_not_depend_on_the_order_of_keys_but_on_all_else():
    value = {"a": {"x": 1, "y": "é"}, "b": [2.5, None]}
    assert files.sha256_of(value) == files.sha256_of({"b": [2.5, None], "a": {"y": "é", "x": 1}})
    canonical = '{"a":{"x":1,"y":"é"},"b":[2.5,null]}'  # what was hashed once must keep its name
    assert files.sha256_of(value) == hashlib.sha256(canonical.encode()).hexdigest()
    others = [
        {"a": {"x": 1, "y": "è"}, "b": [2.5, None]},
        {"a": {"x": 1, "y": "é"}, "b": [None, 2.5]},
        {"a": {"x": "1", "y": "é"}, "b": [2.5, None]},
        {"a": {"x": 1, "y": "é"}},
    ]
    assert len({files.sha256_of(each) for each in (value, *others)}) == 5


@pytest.mark.parametrize("place", [0, 70_000, 2**20 + 1, -1])
def test_the_hash_of_a_file_is_of_all_its_bytes(tmp_path, place):
    content = bytearray(b"line\n" * 300_000)
    (tmp_path / "x").write_bytes(content)
    assert files.sha256_of_file(tmp_path / "x") == hashlib.sha256(content).hexdigest()
    content[place] ^= 1
    (tmp_path / "x").write_bytes(content)
    assert files.sha256_of_file(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def test_a_table_is_read_as_it_was_written_and_later_columns_are_null(tmp_path):
    file = tmp_path / "x.parquet"
    files.write_table(file, pd.DataFrame({"step": [3, 1], "loss": [1 / 3, None], "name": ["é", None]}, index=[7, 2]))
    rows = [{"step": 3, "loss": 1 / 3, "name": "é"}, {"step": 1, "loss": None, "name": None}]
    assert files.read_table(file).to_pylist() == pq.read_table(file).to_pylist() == rows
    assert files.read_table(file, ["name", "step"]).to_pylist() == [{"name": "é", "step": 3}, {"name": None, "step": 1}]
    schema = pa.schema([("step", pa.int16()), ("later", pa.string()), ("loss", pa.float64())])
    table = files.read_table(file, schema=schema)
    assert table.schema == schema
    assert table.to_pylist() == [{"step": 3, "later": None, "loss": 1 / 3}, {"step": 1, "later": None, "loss": None}]


def test_a_table_may_be_made_smaller(tmp_path):
    table = pa.table({"item": [f"{number % 999}:{number % 7}" for number in range(9_000)]})
    sizes = []
    for level in (None, 19):
        files.write_table(tmp_path / "x.parquet", table, level)
        assert files.read_table(tmp_path / "x.parquet") == table
        sizes.append((tmp_path / "x.parquet").stat().st_size)
    assert sizes[1] < 0.95 * sizes[0]


def test_a_changed_number_in_a_table_is_found(tmp_path):
    """Noise is not compressed, so that a changed byte is a changed number and nothing else."""
    numbers = pa.table({"value": np.random.default_rng(0).random(99)})
    file = tmp_path / "x.parquet"
    files.write_table(file, numbers)
    content = file.read_bytes()
    assert files.read_table(file) == numbers
    wrong = 0
    for place in range(100, 700, 30):
        file.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            wrong += pq.read_table(file) != numbers
        except OSError:
            continue  # loud without a checksum too
        with pytest.raises(EmbryologyError, match=r"x\.parquet is damaged"):
            files.read_table(file)
    assert wrong > 10
    with pytest.raises(EmbryologyError, match="y is missing"):
        files.read_table(tmp_path / "y")


def test_text_in_a_table_that_is_no_text_is_found(tmp_path):
    """As another program may write it, with a checksum that holds."""
    bytes_ = pa.array([b"a\xff"], pa.binary())
    pq.write_table(pa.table({"name": pa.Array.from_buffers(pa.string(), 1, bytes_.buffers())}), tmp_path / "x.parquet")
    with pytest.raises(EmbryologyError, match=r"x\.parquet is damaged"):
        files.read_table(tmp_path / "x.parquet")


def test_files_of_one_name_are_told_apart_by_their_folders_wherever_those_lie(tmp_path):
    hashes = []
    for home in ("here", "there"):
        folder = tmp_path / home
        for name in ("one", "other"):
            (folder / name).mkdir(parents=True)
            (folder / name / "x").write_text(name)
        hashes.append(files.sha256_of_files(folder, sorted(folder.rglob("x"))))
    expected = {f"{name}/x": hashlib.sha256(name.encode()).hexdigest() for name in ("one", "other")}
    assert hashes == [expected, expected]
    with pytest.raises(EmbryologyError, match="here/none cannot be read"):
        files.sha256_of_files(tmp_path / "here", [tmp_path / "here" / "none"])


@pytest.mark.parametrize(("reader", "text"), [(files.read_json, "{"), (files.read_yaml, "a: [")])
def test_what_cannot_be_parsed_is_named(tmp_path, reader, text):
    file = tmp_path / "broken"
    with pytest.raises(EmbryologyError, match="broken is missing"):
        reader(file)
    file.write_text(text)
    with pytest.raises(EmbryologyError, match="broken is not valid"):
        reader(file)


def test_records_keep_their_values_and_the_order_of_their_keys(tmp_path):
    value = {"z": [1, None], "é": 0.1, "a": {"y": "é", "x": True}}
    for write, read, parsed in (
        (files.write_json, files.read_json, json.loads),
        (files.write_yaml, files.read_yaml, yaml.safe_load),
    ):
        write(tmp_path / "v", value)
        text = (tmp_path / "v").read_text(encoding="utf-8")
        for again in (read(tmp_path / "v"), parsed(text)):
            assert again == value
            assert (list(again), list(again["a"])) == (["z", "é", "a"], ["y", "x"])
        assert "é" in text  # for a person to read
    files.write_json(tmp_path / "v", value["a"])
    assert (tmp_path / "v").read_text(encoding="utf-8") == '{\n  "y": "é",\n  "x": true\n}\n'
