"""What of the optional data is there, and that what is fetched is what was promised."""

import gzip
import hashlib
import io
from pathlib import Path

import pytest

from embryology import data
from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.specs.sources import Data, Source


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    return tmp_path


def data_set(name, *contents):
    urls = tuple(
        (f"https://example.org/{name}/{number}", f"{name}/{number}.conllu.gz", hashlib.sha256(content).hexdigest())
        for number, content in enumerate(contents)
    )
    return data.DataSet(name, f"{name} serves", f"{name}/*.gz", f"{name} instead", f"{name} licence", urls)


@pytest.fixture
def served(monkeypatch):
    """A catalogue of two sets, and a network that serves them by address."""
    sets = data_set("other", b"# other\n"), data_set("toy", b"# train\n", b"# test\n")
    monkeypatch.setattr(data, "SETS", sets)
    served = {"https://example.org/other/0": b"# other\n"}
    served |= {"https://example.org/toy/0": b"# train\n", "https://example.org/toy/1": b"# test\n"}
    monkeypatch.setattr(data.urllib.request, "urlopen", lambda url, timeout: io.BytesIO(served[url]))
    return served


def test_a_set_is_fetched_once_and_held_against_its_hash(folder, served):
    files = data.get("toy")
    assert files == [folder / "toy" / "0.conllu.gz", folder / "toy" / "1.conllu.gz"]
    assert [gzip.decompress(file.read_bytes()) for file in files] == [b"# train\n", b"# test\n"]
    assert [file.read_bytes()[4:8] for file in files] == [bytes(4)] * 2  # no time: always the same bytes
    assert data.SETS[1].present() == files
    assert data.get("toy") == []
    files[0].write_bytes(b"my own")
    files[1].unlink()
    assert data.get("toy") == files[1:]
    assert files[0].read_bytes() == b"my own"


@pytest.mark.parametrize("content", [b"<html>moved</html>", b"# tes\n", b"", b"# test\n\n", b"# Test\n", b"# train\n"])
def test_other_bytes_are_refused_and_not_written(folder, served, content):
    served["https://example.org/toy/1"] = content
    with pytest.raises(EmbryologyError, match="toy/1 gave other bytes than expected"):
        data.get("toy")
    assert [file.name for file in (folder / "toy").iterdir()] == ["0.conllu.gz"]


def test_the_catalogue_says_what_is_there_and_what_stands_in(folder, served, monkeypatch):
    data.get("toy")
    assert [[*column.cells] for column in data.table().columns] == [
        ["other", "toy"],
        ["other serves", "toy serves"],
        ["no", "yes, 2 files"],
        ["other instead", "toy instead"],
        ["other licence", "toy licence"],
    ]
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(folder / "my runs"))
    places = dict(data.places())
    assert places["runs (EMBRYOLOGY_RUNS)"] == str(folder / "my runs")
    assert places["optional data (EMBRYOLOGY_DATA)"] == str(folder)
    assert Path(places["bundled articles"]).is_file()
    monkeypatch.delenv("EMBRYOLOGY_DATA")
    assert dict(data.places())["optional data (EMBRYOLOGY_DATA)"] == "not set"


def test_the_sources_of_plug_ins_are_told_by_the_files_of_their_first_part(served, monkeypatch):
    def find(name, part):
        if name == "lost":
            raise EmbryologyError("it is not there")
        return Data(name, name, tuple(map(Path, {"train": "ab", "test": "c"}.get(part, ""))), dict, list)

    sources = [
        Source("treebank", "trees", find, parts=("train", "test")),
        Source("facts", "lost", find),
        Source("corpus", "mail", find),
        Source("edges", "by-path", find, takes=lambda name: "/" in name),
    ]
    monkeypatch.setattr(data.registry, "of_plugins", lambda: [(source, "reader") for source in sources])
    names, serves, there, *_ = ([*column.cells] for column in data.table().columns)
    assert dict(zip(names, there, strict=True)) == {
        "other": "no",
        "toy": "no",
        "trees": "yes, 2 files",
        "lost": "no",
        "mail": "where its path is",
        "by-path": "where its path is",
    }
    assert serves[-2] == "corpus source of a plug-in"


LAYOUT = {
    "wikipedia": ("wikipedia/a.parquet", "wikipedia/b.parquet"),
    "ewt": ("treebanks/UD_English-EWT/en_ewt-ud-train.conllu.gz", "treebanks/UD_English-EWT/en_ewt-ud-test.conllu"),
    "propbank": (
        "treebanks/propbank-release/data/google/ewt/email.gold_skel.gz",
        "treebanks/propbank-release/data/google/ewt/answers/00/a.gold_skel",
    ),
    "gum": ("treebanks/gum/dep/train.conllu.gz", "treebanks/gum/coref/gum/conll/train.conll.gz"),
    "ontonotes": ("treebanks/ontonotes/train/bc/cctv/00/cctv_0000.v4_gold_conll",),
    "lama": ("knowledge/LAMA/relations.jsonl.gz", "knowledge/LAMA/TREx/P17.jsonl"),
    "pararel": ("knowledge/pararel/graphs_json/P17.jsonl.gz",),
    "blimp": ("grammar/blimp/data/anaphor_agreement.jsonl.gz", "grammar/blimp/data/passive_1.jsonl"),
    "glue": ("downstream/glue/CoLA/dev.tsv.gz", "downstream/glue/RTE/train.tsv"),
    "squad": ("downstream/squad/dev-v2.0.json.gz",),
}
"""Files by set, as a person would put them there."""


def test_each_set_is_found_where_it_is_put(folder):
    assert list(LAYOUT) == [each.name for each in data.SETS]
    for names in LAYOUT.values():
        for name in (*names, f"{Path(names[0]).parent}/README.md"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    for each in data.SETS:
        assert sorted(file.relative_to(folder).as_posix() for file in each.present()) == sorted(LAYOUT[each.name])


def ewt():
    (urls,) = (each.urls for each in data.SETS if each.name == "ewt")
    return {place.split("-")[-1].partition(".")[0]: (url, place, sha256) for url, place, sha256 in urls}


def test_each_split_is_fetched_from_its_own_file():
    assert list(ewt()) == ["train", "dev", "test"]
    for split, (url, place, _) in ewt().items():
        assert url.endswith(f"/UD_English-EWT/r2.16/en_ewt-ud-{split}.conllu")
        assert place == f"treebanks/UD_English-EWT/en_ewt-ud-{split}.conllu.gz"


@pytest.mark.skipif(data_folder() is None, reason="EMBRYOLOGY_DATA is not set")
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_the_hashes_are_those_of_the_files(split):
    _, place, sha256 = ewt()[split]
    assert hashlib.sha256(gzip.decompress((data_folder() / place).read_bytes())).hexdigest() == sha256


def test_what_cannot_be_fetched_is_said(folder, served, monkeypatch):
    def refuse(url, timeout):
        raise OSError("no network")

    monkeypatch.setattr(data.urllib.request, "urlopen", refuse)
    with pytest.raises(EmbryologyError, match=r"cannot be fetched .no network.; fetch it by hand to .*toy/0"):
        data.get("toy")
    with pytest.raises(EmbryologyError, match="no data set 'tyo'; choose one of other, toy"):
        data.get("tyo")
    monkeypatch.delenv("EMBRYOLOGY_DATA")
    with pytest.raises(EmbryologyError, match="set EMBRYOLOGY_DATA"):
        data.get("toy")


def test_a_set_without_address_is_put_there_by_hand(folder):
    with pytest.raises(EmbryologyError, match=r"put it under EMBRYOLOGY_DATA as wikipedia/\*\.parquet"):
        data.get("wikipedia")
