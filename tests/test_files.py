import json
import os

import pytest

from embryology import files
from embryology.errors import EmbryologyError


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


def test_a_full_disk_is_one_line(tmp_path):
    with pytest.raises(EmbryologyError, match=r"cannot write .*No space left"), files.written_whole(tmp_path / "a"):
        raise OSError(28, "No space left on device")


def test_hashes_do_not_depend_on_the_order_of_keys():
    assert files.sha256_of({"a": 1, "b": [2.5, None]}) == files.sha256_of({"b": [2.5, None], "a": 1})
    assert files.sha256_of({"a": 1}) != files.sha256_of({"a": 2})


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
