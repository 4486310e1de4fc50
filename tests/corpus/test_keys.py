"""The key of a prepared corpus: every input alone changes it, and nothing else does."""

import hashlib
import json
import os
import shutil
import sys
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embryology.corpus import articles, overlap, store
from embryology.errors import EmbryologyError
from embryology.presets import Corpus, Tokenizer
from embryology.storage import files
from embryology.storage.files import write_json
from tests.edited import edit

COVERS = ("embryology/corpus/articles.py", "embryology/corpus/overlap.py", "embryology/corpus/store.py")
SETTINGS = Tokenizer(vocab_size=600)
SETS = {"one": ["a text", "another"], "two": ["a third"]}
OTHER_SETTINGS = {
    "vocab_size": 601,
    "lower_case": False,
    "strip_accents": False,
    "learns_from": (Corpus(source="bundled", path="fr"),),
}
OTHER_SETS = (
    None,
    {"one": ["a text", "another"]},
    {"one": ["a text", "anothar"], "two": ["a third"]},
    {"one": ["a text", "another"], "two": ["a fourth"]},
    {"one": ["a text", "another"], "three": ["a third"]},
)
NAMES = {"text": ("a/x.txt", "b/x.txt", "c.txt"), "wikipedia": ("x.parquet", "y.parquet", "z.parquet")}


@pytest.fixture(autouse=True)
def _unmade(tmp_path, monkeypatch):
    """Corpora are named, not made."""
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(store, "_build", lambda folder, *_: write_json(folder / "corpus.json", {}))


def key(source, path, settings=SETTINGS, leave_out=SETS, every=1):
    path = None if path is None else str(path)
    corpus = store.prepare(source, path, settings, print, leave_out=leave_out, every=every)
    return corpus.folder.name


def write(file, number):
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".txt":
        file.write_text(f"Text {number}.")
    else:
        pq.write_table(pa.table({"id": ["0"], "title": ["T"], "text": [f"Text {number}."]}), file)


@pytest.fixture(params=NAMES)
def corpus(request, tmp_path):
    """A source and a folder of it with three files."""
    folder = tmp_path / "corpus"
    for number, name in enumerate(NAMES[request.param]):
        write(folder / name, number)
    return request.param, folder


@pytest.mark.parametrize("which", [0, 1, 2])
def test_an_edit_of_any_file_alone_gives_another_even_where_size_and_time_stay(corpus, which):
    source, folder = corpus
    before, file = key(source, folder), folder / NAMES[source][which]
    alone = key(source, file)
    edit(file, file.read_bytes().replace(f"Text {which}.".encode(), b"Text 9."))
    assert key(source, folder) != before
    assert key(source, file) != alone


def test_names_files_and_their_order_give_another(corpus, tmp_path):
    """Of text files the names are titles; a folder that holds a file alone has other articles than the file."""
    source, folder = corpus
    one, other, last = (folder / name for name in NAMES[source])
    alone = tmp_path / "alone"
    alone.mkdir()
    keys = [key(source, folder), key(source, one), key(source, shutil.copy(one, alone)), key(source, alone)]
    assert keys[1] == keys[2]
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])
    keys.append(key(source, folder))
    last.rename(last.with_name(f"w{last.name}"))
    keys.append(key(source, folder))
    write(folder / f"zz{last.suffix}", 3)
    keys.append(key(source, folder))
    (folder / f"zz{last.suffix}").unlink()
    last.with_name(f"w{last.name}").unlink()
    keys.append(key(source, folder))
    assert len(set(keys)) == len(keys) - 1


def test_a_corpus_keeps_its_key_when_it_is_touched_copied_and_moved(corpus, tmp_path, monkeypatch):
    source, folder = corpus
    file = folder / NAMES[source][0]
    before, alone = key(source, folder), key(source, file)
    os.utime(file, ns=(1, 1))
    (folder / "notes.md").write_text("Where it is from.")
    assert key(source, folder) == before
    shutil.copytree(folder, tmp_path / "copied", copy_function=shutil.copyfile)
    assert key(source, tmp_path / "copied") == before
    folder.rename(tmp_path / "moved")
    assert key(source, tmp_path / "moved") == before
    monkeypatch.chdir(tmp_path / "moved")
    assert key(source, ".") == before
    assert key(source, NAMES[source][0]) == alone


def test_every_setting_every_text_that_is_left_out_and_the_formats_give_another(corpus, monkeypatch):
    source, folder = corpus
    before = key(source, folder)
    keys = [before]
    keys += [key(source, folder, SETTINGS.model_copy(update={name: value})) for name, value in OTHER_SETTINGS.items()]
    keys += [key(source, folder, leave_out=sets) for sets in OTHER_SETS]
    keys += [key(source, folder, every=every) for every in (2, 3)]
    for module, name in ((overlap, "RULE"), (store, "FORMAT")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, getattr(module, name) + 1)
            keys.append(key(source, folder))
    assert OTHER_SETTINGS.keys() == Tokenizer.model_fields.keys()
    assert len(set(keys)) == len(keys) == 1 + 4 + 5 + 2 + 2
    assert key(source, folder, leave_out={"two": ["a third"], "one": ["another", "a text"]}) == before
    assert key(source, folder, leave_out={}) == key(source, folder, leave_out=None)


def test_the_pieces_of_another_text_give_another(corpus):
    source, folder = corpus
    made = [store.PreparedCorpus(folder, {"tokenizer_sha256": name}) for name in "ab"]
    keys = [store.prepare(source, str(folder), SETTINGS, print, pieces_of=each).folder.name for each in (None, *made)]
    learns = SETTINGS.model_copy(update={"learns_from": (Corpus(path="es"),)})
    keys += [key(source, folder, learns, None)]
    assert len(set(keys)) == 4


def test_the_key_is_the_hash_of_what_it_was_when_runs_were_published(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("A text.")
    fingerprint = ["file", {file.name: hashlib.sha256(file.read_bytes()).hexdigest()}]
    settings = {"vocab_size": 600, "lower_case": True, "strip_accents": True}
    origin = {"source": "text", "files": fingerprint, "format": 2} | settings
    expected = hashlib.sha256(json.dumps(origin, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
    assert key("text", file, leave_out=None) == expected


def test_sources_of_the_same_files_are_different(tmp_path):
    write(tmp_path / "corpus" / "x.parquet", 0)
    (tmp_path / "corpus" / "x.txt").write_text("Text 0.")
    assert key("text", tmp_path / "corpus" / "x.parquet") != key("wikipedia", tmp_path / "corpus" / "x.parquet")


def test_wikipedia_without_a_path_is_that_of_the_data(tmp_path, monkeypatch):
    write(tmp_path / "wikipedia" / "x.parquet", 0)
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    assert key("wikipedia", None) == key("wikipedia", tmp_path / "wikipedia")
    assert [article.text for article in articles.articles("wikipedia")] == ["Text 0."]


def test_a_part_of_the_hub_is_a_corpus_of_its_own(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=lambda *_, **__: ()))
    assert len({key("wikipedia", path) for path in ("hub", "hub:3", "hub:4")}) == 3
    assert articles.fingerprint("wikipedia", "hub:3") == ["wikimedia/wikipedia", "20231101.en", 3]


def test_the_bundled_articles_are_known_by_version_and_bytes(tmp_path, monkeypatch):
    keys = [key("bundled", None)]
    file = tmp_path / articles.BUNDLED_FILES["en"]
    content = articles.bundled_file().read_bytes()
    monkeypatch.setattr(articles, "bundled_file", lambda *_: file)
    file.write_bytes(content)
    assert key("bundled", None) == keys[0]
    file.write_bytes(content.replace(b"a", b"b", 1))
    keys.append(key("bundled", None))
    monkeypatch.setattr(articles.metadata, "version", lambda _: "0")
    keys.append(key("bundled", None))
    assert len(set(keys)) == 3


def test_what_cannot_be_hashed_is_named(corpus, tmp_path, monkeypatch):
    source, folder = corpus
    with pytest.raises(EmbryologyError, match=r"no text at|no \.parquet files"):
        key(source, tmp_path / "none")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "sha256_of_file", refuse)
    with pytest.raises(EmbryologyError, match=rf"{folder / NAMES[source][0]} cannot be read: .*Permission denied"):
        articles.fingerprint(source, str(folder))
