"""Lines keep their text and their numbers, and what is malformed is counted by the sentence."""

import gzip
import lzma
from collections import Counter

import pytest

from embryology.errors import EmbryologyError
from embryology.storage.lines import MalformedError, blocks, found, numbered, tolerated


def test_blocks_keep_the_numbers_of_their_lines(tmp_path):
    file = tmp_path / "x.txt"
    file.write_bytes(b"\n\na\r\nb\n \t\nc")
    assert list(blocks(file)) == [[(3, "a"), (4, "b")], [(6, "c")]]
    file.write_bytes(b"a\n\n\n  b\t\r\nc\n\n")
    assert list(blocks(file)) == [[(1, "a")], [(4, "  b\t"), (5, "c")]]  # a column may be empty
    file.write_bytes(b"")
    assert list(blocks(file)) == []


def test_a_file_is_found_with_and_without_gz(tmp_path):
    file = tmp_path / "x.conll"
    assert found(file) is None
    (tmp_path / "x.conll.gz").write_bytes(gzip.compress(b"a\n", mtime=0))
    assert list(numbered(found(file))) == [(1, "a")]
    file.write_text("b")
    assert found(file) == file


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("latin.txt", "ok\nOù\n".encode("latin-1"), r"latin\.txt cannot be read at line 2, which is not UTF-8"),
        ("cut.gz", gzip.compress(b"abc\n" * 99, mtime=0)[:-9], r"cut\.gz cannot be read after line"),
        ("cut.xz", lzma.compress(b"abc\n" * 99)[:-9], r"cut\.xz cannot be read after line"),
        ("no.xz", b"no", r"no\.xz cannot be read after line 0"),
        ("no.gz", b"no", r"no\.gz cannot be read after line 0"),
    ],
)
def test_unreadable_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EmbryologyError, match=message):
        list(numbered(tmp_path / name))
    with pytest.raises(EmbryologyError, match=r"none\.txt is missing"):
        list(numbered(tmp_path / "none.txt"))


def test_what_is_malformed_is_raised_or_counted(tmp_path):
    skipped = Counter()
    refused = pytest.raises(EmbryologyError, match=r"x\.txt, line 7: empty span: 2 to 2; fix it or")
    with refused as caught, tolerated(tmp_path / "x.txt", skipped, skip_bad=False):
        raise MalformedError("empty span", 7, "2 to 2")
    assert "\n" not in str(caught.value)
    with tolerated(tmp_path / "x.txt", skipped, skip_bad=True, sentences=3):
        raise MalformedError("empty span", 7, "2 to 2")
    assert skipped == {"empty span": 3}
    for reason in ("empty span", "no head"):
        with tolerated(tmp_path / "x.txt", skipped, skip_bad=True, sentences=2):
            raise MalformedError(reason, 9, "")
    assert skipped == {"empty span": 5, "no head": 2}
    with pytest.raises(KeyError), tolerated(tmp_path / "x.txt", skipped, skip_bad=True):
        raise KeyError
    assert skipped.total() == 7
