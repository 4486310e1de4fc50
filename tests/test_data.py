import gzip
import hashlib
import io

import pytest

from embryology import data
from embryology.errors import EmbryologyError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def one_file(monkeypatch):
    """A catalogue of one set of one file, and a network that serves it."""
    content = b"# a treebank\n"
    one = data.DataSet(
        name="toy",
        serves="tests",
        files="toy/*.gz",
        instead="nothing",
        licence="none",
        urls=(("https://example.org/toy", "toy/toy.conllu.gz", hashlib.sha256(content).hexdigest()),),
    )
    monkeypatch.setattr(data, "SETS", (one,))
    served = {"content": content}
    monkeypatch.setattr(data.urllib.request, "urlopen", lambda url, timeout: io.BytesIO(served["content"]))
    return served


def test_a_set_is_fetched_once_and_held_against_its_hash(folder, one_file):
    (file,) = data.get("toy")
    assert gzip.decompress(file.read_bytes()) == b"# a treebank\n"
    assert data.SETS[0].present() == [file]
    assert data.get("toy") == []


def test_other_bytes_are_refused_and_not_written(folder, one_file):
    one_file["content"] = b"<html>moved</html>"
    with pytest.raises(EmbryologyError, match="gave other bytes than expected"):
        data.get("toy")
    assert not (folder / "toy").exists()


def test_what_cannot_be_fetched_is_said(folder, one_file, monkeypatch):
    def refuse(url, timeout):
        raise OSError("no network")

    monkeypatch.setattr(data.urllib.request, "urlopen", refuse)
    with pytest.raises(EmbryologyError, match=r"cannot be fetched .no network.; fetch it by hand to .*toy"):
        data.get("toy")
    with pytest.raises(EmbryologyError, match="no data set 'tyo'; choose one of toy"):
        data.get("tyo")
    monkeypatch.delenv("EMBRYOLOGY_DATA")
    with pytest.raises(EmbryologyError, match="set EMBRYOLOGY_DATA"):
        data.get("toy")


def test_a_set_without_address_is_put_there_by_hand(folder):
    with pytest.raises(EmbryologyError, match=r"put it under EMBRYOLOGY_DATA as wikipedia/\*\.parquet"):
        data.get("wikipedia")
