"""Files of a checkpoint by name and range, counted, and remembered by one hash."""

import pytest

from embryology.runs import contents as module
from embryology.runs.contents import Counted, Folder, Stored


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c").write_bytes(b"not of this checkpoint")
    (tmp_path / "b").write_bytes(b"0123456789")
    (tmp_path / "a").write_bytes(b"")
    return Folder(tmp_path)


def test_a_folder_lists_its_own_files_and_reads_ranges(folder):
    assert folder.files() == {"a": Stored(0), "b": Stored(10)}
    assert folder.read("b") == b"0123456789"
    assert folder.read("b", 3) == b"3456789"
    assert folder.read("b", 3, 5) == b"34"
    assert folder.read("b", 8, 20) == b"89"


def test_what_tells_a_file_apart_is_its_sha256_or_the_id_of_its_blob():
    assert Stored(3, "sha", "blob").identity == "sha"
    assert Stored(3, git="blob").identity == "blob"
    assert Stored(3).identity is None


def test_bytes_are_counted(folder, monkeypatch):
    counted = Counted(folder)
    assert counted.size == 10
    assert counted.read("b", 2, 4) == b"23"
    assert counted.bytes_read == 2
    monkeypatch.setattr(module, "BLOCK", 4)
    before = counted.sha256
    assert list(counted.blocks("b")) == [b"0123", b"4567", b"89"]
    assert counted.bytes_read == 12
    assert counted.sha256 == before


def test_the_hash_is_of_what_was_read_and_of_nothing_else(folder):
    def read(*ranges):
        counted = Counted(folder)
        for start, end in ranges:
            counted.read("b", start, end)
        return counted.sha256

    hashes = [read(), read((0, 4)), read((0, 5)), read((1, 4)), read((0, 2), (2, 4))]
    assert len(set(hashes)) == 5
    (folder.path / "b").write_bytes(b"01234X6789")
    assert read((0, 4)) == hashes[1]
    assert read((0, 5)) == hashes[2]
    assert read((0, 6)) not in hashes
    (folder.path / "b").write_bytes(b"01X3456789")
    assert read((0, 4)) != hashes[1]
