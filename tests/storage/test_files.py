import errno
import hashlib
import json
import os
import re
import shutil

import pytest
import torch
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
    files.remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == []


def test_what_a_process_of_the_same_number_left_is_not_taken_over(tmp_path):
    (tmp_path / f".a.{os.getpid()}.part").mkdir()
    with files.written_whole(tmp_path / "a") as temporary:
        temporary.write_text("x")
    assert os.listdir(tmp_path) == ["a"]


def test_hashes_do_not_depend_on_the_order_of_keys():
    assert files.sha256_of({"a": 1, "b": [2.5, None]}) == files.sha256_of({"b": [2.5, None], "a": 1})
    assert files.sha256_of({"a": 1}) != files.sha256_of({"a": 2})


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


def test_json_round_trip(tmp_path):
    files.write_json(tmp_path / "v.json", {"é": [1, None]})
    assert files.read_json(tmp_path / "v.json") == {"é": [1, None]} == json.loads((tmp_path / "v.json").read_text())
