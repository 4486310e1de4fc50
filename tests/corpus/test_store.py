"""The token store: what is in it, counted by plain lines, and what its tokenizer learns from."""

import hashlib
import io
import itertools
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from tokenizers import Tokenizer as Backend
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from embryology import presets
from embryology.corpus import language, several, store
from embryology.corpus import tokenizer as tokenizers
from embryology.corpus.articles import articles, is_held_out
from embryology.corpus.sentences import split
from embryology.corpus.tokenizer import load
from embryology.errors import EmbryologyError
from embryology.presets import Corpus, Tokenizer
from embryology.storage.files import read_json
from embryology.study import plan

SETTINGS = Tokenizer(vocab_size=400)
SIDES = (("train", False), ("held-out", True))


@pytest.fixture(scope="module")
def texts(home):
    """A file of 120 articles, of which three are held out."""
    file = home / "texts.txt"
    file.write_text("\n\n".join(article.text for article in itertools.islice(articles("bundled"), 120)))
    return file


@pytest.fixture(scope="module")
def corpus(texts):
    return store.prepare("text", str(texts), SETTINGS, print)


@pytest.fixture
def asked(monkeypatch, tokenizer):
    """What tokenizers are to learn from; all that are asked for are the same one."""
    asked = []

    def train(sentences, **_):
        asked.append(list(sentences))
        return tokenizer

    monkeypatch.setattr(tokenizers, "train", train)
    monkeypatch.setattr(language, "shares", lambda texts: {"en": 1.0})  # loads no model
    return asked


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write articles with titles of our own, and give the folder; nothing else is in the cache."""
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))

    def write(titles_and_texts):
        titles, texts = map(list, zip(*titles_and_texts, strict=True))
        folder = tmp_path / "corpus"
        folder.mkdir(exist_ok=True)
        pq.write_table(pa.table({"id": titles[::-1], "title": titles, "text": texts}), folder / "a.parquet")
        return str(folder)

    return write


def titles(held_out, count):
    return list(itertools.islice((t for t in map(str, itertools.count()) if is_held_out(t) == held_out), count))


def documents(side):
    """The ids of each sentence of each document."""
    for first, last in itertools.pairwise(side.documents):
        yield [side.pieces[a:b].tolist() for a, b in itertools.pairwise(side.sentences[first : last + 1])]


def test_the_store_holds_every_article_once_on_its_side(texts, corpus):
    tokenizer = load(corpus.tokenizer_folder)
    every = list(articles("text", str(texts)))
    for side, (name, held_out) in zip((corpus.train, corpus.held_out), SIDES, strict=True):
        expected = [split(a.text) for a in every if is_held_out(a.title) == held_out]
        assert list(documents(side)) == [
            tokenizer(sentences, add_special_tokens=False).input_ids for sentences in expected
        ]
        assert corpus.record[name] == {
            "documents": len(expected),
            "sentences": sum(map(len, expected)),
            "words": sum(len(sentence.split()) for sentences in expected for sentence in sentences),
            "pieces": len(side.pieces),
        }
        assert isinstance(side.pieces, np.memmap)
        assert side.pieces.dtype == np.uint16


def test_the_record_names_text_and_tokenizer(texts, corpus):
    digest = hashlib.sha256()
    for article in articles("text", str(texts)):
        digest.update(f"{article.id}\0{article.title}\0{article.text}\0".encode())
    file = corpus.tokenizer_folder / "tokenizer.json"
    expected = {
        "source": "text",
        "files": 1,
        "text_sha256": digest.hexdigest(),
        "tokenizer_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "vocab_size": 400,
    }
    assert {name: corpus.record[name] for name in expected} == expected
    assert len(load(corpus.tokenizer_folder)) == 400
    assert read_json(corpus.folder / "corpus.json") == corpus.record


def test_a_prepared_corpus_is_used_again(texts, corpus):
    lines = []
    assert store.prepare("text", str(texts), SETTINGS, lines.append) == corpus
    assert not lines


def test_a_run_finds_its_own_corpus_by_its_record(write, asked):
    rows = [(title, "It rains.") for title in (*titles(False, 2), *titles(True, 1))]
    one = store.prepare("wikipedia", write(rows), SETTINGS, print)
    other = store.prepare("wikipedia", write([*rows, ("x", "It pours.")]), SETTINGS, print)
    assert one.folder != other.folder
    for corpus in (one, other):
        assert several.prepared(corpus.record).own.folder == corpus.folder
    assert several.prepared(one.record | {"text_sha256": "another"}) is None


def test_held_out_text_and_what_is_left_out_teach_neither_tokenizer_nor_model(write, asked, tokenizer, monkeypatch):
    """Articles are told apart by their titles, in any order, whatever their ids are."""
    planted = "Nobody had ever planted such a sentence here before."
    trained, held_out = titles(False, 5), titles(True, 2)
    rows = [(title, f"The king {number} walks. The sea {number} sleeps.") for number, title in enumerate(trained)]
    rows[2] = (trained[2], f"Before it. {planted}")
    rows[1:1] = [(held_out[0], "Held out. Held back."), (held_out[1], planted)]
    looked_at = []
    monkeypatch.setattr(language, "shares", lambda texts: looked_at.extend(texts) or {"en": 1.0})
    lines = []
    corpus = store.prepare("wikipedia", write(rows), SETTINGS, lines.append, leave_out={"a": [planted], "b": ["It is"]})

    def kept(held_out):
        return [text for title, text in rows if is_held_out(title) == held_out and not text.startswith("Before")]

    assert asked == [[sentence for text in kept(held_out=False) for sentence in split(text)]]
    assert looked_at == kept(held_out=False)
    for side, (_, held_out) in zip((corpus.train, corpus.held_out), SIDES, strict=True):
        expected = [tokenizer(split(text), add_special_tokens=False).input_ids for text in kept(held_out)]
        assert list(documents(side)) == expected
    size = {"articles": 1, "words": 11}
    assert corpus.record["left_out"] == size | {"by_set": {"a": size, "b": {"articles": 0, "words": 0}}}
    assert lines == [
        "articles with test text, left out: 1, of 11 words (a 1, b 0)",
        "training a tokenizer of 400 pieces on corpus 'wikipedia'",
        "languages of the text: en 100%",
        "tokenising 6 articles",
    ]
    assert "left_out" not in store.prepare("wikipedia", write(rows), SETTINGS, print).record


def test_of_every_third_article_the_model_reads_and_the_tokenizer_learns_all(write, asked, tokenizer):
    trained, held_out = titles(False, 7), titles(True, 2)
    rows = [(title, f"The king {number} walks.") for number, title in enumerate(trained)]
    rows[1:1] = [(title, "Held out.") for title in held_out]
    lines = []
    corpora = [Corpus(source="wikipedia", path=write(rows), every=every) for every in (1, 3)]
    smoke = presets.load("smoke").outcome
    outcomes = [smoke.model_copy(update={"corpus": each, "tokenizer": SETTINGS}) for each in corpora]
    whole, third = (several.prepare(each, lambda _: {}, lines.append).own for each in outcomes)
    assert [len(sentences) for sentences in asked] == [7, 7]
    assert third.record["tokenizer_sha256"] == whole.record["tokenizer_sha256"]
    assert third.record["text_sha256"] != whole.record["text_sha256"]
    kept = [tokenizer([text], add_special_tokens=False).input_ids for _, text in (rows[0], rows[5], rows[8])]
    assert list(documents(third.train)) == kept
    assert list(documents(third.held_out)) == list(documents(whole.held_out))
    assert len(third.held_out.documents) == 3
    assert "training on one article in 3" in lines
    member = SimpleNamespace(preset=SimpleNamespace(outcome=outcomes[1]))
    assert plan.place_of_corpus(member) == third.folder


def test_articles_without_text_are_no_documents_and_characters_without_spaces_are_words(write, asked):
    trained, (held_out,) = titles(False, 3), titles(True, 1)
    texts = ("One two. Three", " \n", "我们住在 Berlin。", "Four.")
    folder = write(zip((*trained, held_out), texts, strict=True))
    record = store.prepare("wikipedia", folder, SETTINGS, print).record
    counts = {"documents": 2, "sentences": 3, "words": 3 + 5}
    assert {name: record["train"][name] for name in counts} == counts
    assert (record["held-out"]["documents"], record["held-out"]["words"]) == (1, 1)


def test_the_first_thousand_articles_of_training_tell_the_language(write, asked, monkeypatch):
    looked_at = []
    monkeypatch.setattr(language, "TEXTS", 3)
    monkeypatch.setattr(language, "shares", lambda texts: looked_at.extend(texts) or {"de": 0.75, "en": 0.25})
    rows = [(title, f"Text {title}.") for title in (*titles(True, 1), *titles(False, 5))]
    lines = []
    record = store.prepare("wikipedia", write(rows), SETTINGS, lines.append).record
    assert looked_at == [text for _, text in rows[1:4]]
    assert record["languages"] == {"de": 0.75, "en": 0.25}
    assert "languages of the text: de 75%, en 25%" in lines


@pytest.mark.parametrize(("size", "kind"), [(2**16, np.uint16), (2**16 + 1, np.uint32)])
def test_ids_of_a_large_vocabulary_fit(size, kind, write, asked, monkeypatch):
    vocabulary = {"<unk>": 0, "last": size - 1} | {str(number): number for number in range(1, size - 1)}
    made = PreTrainedTokenizerFast(tokenizer_object=Backend(WordLevel(vocabulary, "<unk>")))
    monkeypatch.setattr(tokenizers, "train", lambda sentences, **_: made)
    folder = write((title, "last") for title in (*titles(False, 1), *titles(True, 1)))
    pieces = store.prepare("wikipedia", folder, SETTINGS, print).train.pieces
    assert (pieces.tolist(), pieces.dtype) == ([size - 1], kind)


def test_what_is_left_out_of_a_folder_is_said_and_recorded(tmp_path, write, asked):
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number}.TXT").write_text("Some text.")
    for number in range(7):
        (folder / f"scan{number}.pdf").write_bytes(b"%PDF")
    lines = []
    record = store.prepare("text", str(folder), SETTINGS, lines.append).record
    assert (record["files"], record["files_left_out"]) == (200, 7)
    assert lines[0] == (
        f"reading 200 .txt files of {folder}, and not scan0.pdf, scan1.pdf, scan2.pdf, scan3.pdf, scan4.pdf, and 2 more"
    )


def test_too_few_articles_to_hold_one_out(tmp_path, write, asked):
    for missing, held_out in (("train", True), ("held-out", False)):
        folder = write((title, "Some text.") for title in titles(held_out, 3))
        with pytest.raises(EmbryologyError, match=rf"leaves no {missing} article \(one article in twenty is held out"):
            store.prepare("wikipedia", folder, SETTINGS, print)
    assert not [file for file in (tmp_path / "runs" / ".corpora").iterdir() if file.is_dir()]


def test_the_files_are_the_same_whatever_the_cores_and_the_size_of_a_batch(texts, corpus, tmp_path, monkeypatch):
    tokenizer = load(corpus.tokenizer_folder)
    for cores, size in ((1, 1), (3, 2000), (8, 10**9)):
        monkeypatch.setattr(store.joblib, "cpu_count", lambda cores=cores: cores)
        monkeypatch.setattr(store, "CHARACTERS_A_BATCH", size)
        again = tmp_path / f"{cores}"
        counts = store._store(again, articles("text", str(texts)), tokenizer.backend_tokenizer, np.dtype(np.uint16))
        for side, _ in SIDES:
            assert counts[side] == corpus.record[side]
            for file in (again / side).iterdir():
                assert file.read_bytes() == (corpus.folder / side / file.name).read_bytes()


def test_the_files_are_those_that_numpy_saves(corpus, tmp_path):
    for name in ("pieces", "sentences", "documents"):
        file = corpus.folder / "train" / f"{name}.npy"
        np.save(tmp_path / "saved.npy", np.load(file))
        assert (tmp_path / "saved.npy").read_bytes() == file.read_bytes()


def test_interrupted_it_says_so_and_keeps_nothing(write, asked, monkeypatch, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_tokenise", interrupt)
    folder = write([("x", "Some text.")])
    with pytest.raises(EmbryologyError, match=r"interrupted while preparing corpus 'wikipedia'; nothing was kept"):
        store.prepare("wikipedia", folder, SETTINGS, print)
    assert not [file for file in (tmp_path / "runs" / ".corpora").iterdir() if file.is_dir()]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_counts_the_articles_on_a_terminal_alone(write, asked, terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    folder = write((title, "Some text.") for title in (*titles(False, 1), *titles(True, 1)))
    store.prepare("wikipedia", folder, SETTINGS, print, console)
    assert ("articles" in console.file.getvalue()) == terminal
