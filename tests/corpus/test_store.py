import hashlib
import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from embryology.corpus import articles as articles_module
from embryology.corpus import store
from embryology.corpus.articles import articles, is_held_out
from embryology.corpus.sentences import split
from embryology.corpus.tokenizer import load
from embryology.errors import EmbryologyError
from embryology.presets import Tokenizer
from embryology.storage.files import read_json

COVERS = ("embryology/corpus/language.py",)


@pytest.fixture
def texts(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    file = tmp_path / "texts.txt"
    file.write_text("\n\n".join(article.text for article in list(articles("bundled"))[:300]))
    return file


def test_the_store_holds_every_article_once_on_its_side(texts):
    corpus = store.prepare("text", str(texts), Tokenizer(vocab_size=600), print)
    tokenizer = load(corpus.tokenizer_folder)
    for side, held_out in ((corpus.train, False), (corpus.held_out, True)):
        expected = [a for a in articles("text", str(texts)) if is_held_out(a.title) == held_out]
        assert len(side.documents) - 1 == len(expected) > 0
        for number in (0, len(expected) // 2, len(expected) - 1):
            bounds = side.sentences[side.documents[number] : side.documents[number + 1] + 1]
            stored = [side.pieces[a:b].tolist() for a, b in itertools.pairwise(bounds)]
            sentences = split(expected[number].text)
            assert stored == tokenizer(sentences, add_special_tokens=False).input_ids
    assert isinstance(corpus.train.pieces, np.memmap)


def test_a_prepared_corpus_is_used_again_and_a_changed_one_is_not(texts):
    lines = []
    first = store.prepare("text", str(texts), Tokenizer(vocab_size=600), lines.append)
    assert lines
    lines.clear()
    assert store.prepare("text", str(texts), Tokenizer(vocab_size=600), lines.append) == first
    assert not lines
    with open(texts, "a") as stream:
        stream.write("\n\nOne more article. It has two sentences.")
    second = store.prepare("text", str(texts), Tokenizer(vocab_size=600), lines.append)
    assert second.record["text_sha256"] != first.record["text_sha256"]
    assert read_json(first.folder / "corpus.json") == first.record
    assert second.record["vocab_size"] == len(load(second.tokenizer_folder)) == 600


def test_what_is_left_out_of_a_folder_is_said_and_recorded(texts):
    folder = texts.parent / "folder"
    folder.mkdir()
    for number, article in enumerate(list(articles("bundled"))[:200]):
        (folder / f"{number}.TXT").write_text(article.text)
    for number in range(7):
        (folder / f"scan{number}.pdf").write_bytes(b"%PDF")
    lines = []
    record = store.prepare("text", str(folder), Tokenizer(vocab_size=600), lines.append).record
    assert (record["files"], record["files_left_out"]) == (200, 7)
    assert lines[0] == (
        f"reading 200 .txt files of {folder}, and not scan0.pdf, scan1.pdf, scan2.pdf, scan3.pdf, scan4.pdf, and 2 more"
    )


def test_the_language_of_a_text_is_recorded_and_said(texts):
    lines = []
    record = store.prepare("text", str(texts), Tokenizer(vocab_size=600), lines.append).record
    assert record["languages"]["en"] > 0.9
    assert f"languages of the text: en {record['languages']['en']:.0%}" in " ".join(lines)
    folder = articles_module.bundled_file().parent
    for language in ("fr", "es"):
        entries = json.loads((folder / f"summaries_{language}-{language}.json").read_text()).values()
        texts.write_text("\n\n".join(entry["extract"] for entry in list(entries)[:300]))
        record = store.prepare("text", str(texts), Tokenizer(vocab_size=600), lines.append).record
        assert record["languages"][language] > 0.9


def test_too_few_articles_to_hold_one_out(texts):
    one = texts.with_name("one.txt")
    one.write_text(next(articles("bundled")).text * 20)
    with pytest.raises(EmbryologyError, match=r"leaves no (train|held-out) article|cannot be trained"):
        store.prepare("text", str(one), Tokenizer(vocab_size=100), print)
    assert not [file for file in (texts.parent / "runs" / ".corpora").iterdir() if file.is_dir()]


def test_the_files_are_the_same_whatever_the_cores_and_the_size_of_a_batch(texts, monkeypatch):
    first = store.prepare("text", str(texts), Tokenizer(vocab_size=600), print)
    tokenizer = load(first.tokenizer_folder)
    for cores, size in ((1, 1), (3, 2000), (8, 10**9)):
        monkeypatch.setattr(store.joblib, "cpu_count", lambda cores=cores: cores)
        monkeypatch.setattr(store, "CHARACTERS_A_BATCH", size)
        again = texts.parent / f"{cores}"
        counts = store._store(again, articles("text", str(texts)), tokenizer.backend_tokenizer, np.dtype(np.uint16))
        for side in ("train", "held-out"):
            assert counts[side] == first.record[side]
            for file in (again / side).iterdir():
                assert file.read_bytes() == (first.folder / side / file.name).read_bytes()


def test_the_files_are_those_that_numpy_saves(texts, tmp_path):
    side = store.prepare("text", str(texts), Tokenizer(vocab_size=600), print).train
    for array in (side.pieces, side.sentences, side.documents):
        np.save(tmp_path / "saved.npy", np.array(array))
        assert (tmp_path / "saved.npy").read_bytes() == Path(array.filename).read_bytes()


def test_without_anything_left_out_the_cache_key_is_what_it_was(texts):
    fingerprint = ["file", {texts.name: hashlib.sha256(texts.read_bytes()).hexdigest()}]
    settings = {"vocab_size": 600, "lower_case": True, "strip_accents": True}
    origin = {"source": "text", "files": fingerprint, "format": 2} | settings
    key = hashlib.sha256(json.dumps(origin, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
    for leave_out in (None, {}):
        corpus = store.prepare("text", str(texts), Tokenizer(vocab_size=600), print, leave_out=leave_out)
        assert corpus.folder.name == key
        assert "left_out" not in corpus.record


def test_an_article_that_holds_test_text_is_not_trained_on(texts):
    """The corpus is, but for its name, what the same text without that article would be."""
    planted = "Nobody had ever planted such a sentence here before."
    every = [article for article in articles("text", str(texts)) if not is_held_out(article.title)]
    victim = next(article for article in every[1:] if split(article.text))
    texts.write_text(texts.read_text().replace(victim.text, f"{victim.text} {planted}"))
    whole = store.prepare("text", str(texts), Tokenizer(vocab_size=600), print)
    lines = []
    sets = {"mine": [f"{planted.lower()}"], "other": ["a sentence that no article of these has in it"]}
    corpus = store.prepare("text", str(texts), Tokenizer(vocab_size=600), lines.append, leave_out=sets)
    assert corpus.folder != whole.folder
    size = {"articles": 1, "words": len(victim.text.split()) + 9}
    assert corpus.record["left_out"] == size | {"by_set": {"mine": size, "other": {"articles": 0, "words": 0}}}
    assert f"articles with test text, left out: 1, of {size['words']:,} words (mine 1, other 0)" in lines
    assert corpus.record["text_sha256"] != whole.record["text_sha256"]
    assert corpus.record["train"]["documents"] == whole.record["train"]["documents"] - 1
    assert corpus.record["train"]["words"] == whole.record["train"]["words"] - size["words"]
    assert corpus.record["held-out"]["words"] == whole.record["held-out"]["words"]
    tokenizer = load(corpus.tokenizer_folder)
    side = corpus.train
    text = " ".join(tokenizer.decode(side.pieces[a:b]) for a, b in itertools.pairwise(side.sentences))
    assert planted.lower() not in text
    assert (
        " ".join(tokenizer.decode(tokenizer(s).input_ids, skip_special_tokens=True) for s in split(every[0].text))
        in text
    )


def test_interrupted_it_says_so_and_keeps_nothing(texts, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_tokenise", interrupt)
    with pytest.raises(EmbryologyError, match=r"interrupted while preparing corpus 'text'; nothing was kept"):
        store.prepare("text", str(texts), Tokenizer(vocab_size=600), print)
    assert not [file for file in (texts.parent / "runs" / ".corpora").iterdir() if file.is_dir()]


def test_a_bar_counts_the_articles_on_a_terminal_alone(texts):
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
        texts.write_text(texts.read_text() + "\n\nOne more.")
        store.prepare("text", str(texts), Tokenizer(vocab_size=600), print, console)
        assert ("articles" in console.file.getvalue()) == terminal
