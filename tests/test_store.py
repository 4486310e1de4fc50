import itertools

import numpy as np
import pytest

from embryology.corpus import store
from embryology.corpus.articles import articles, is_held_out
from embryology.corpus.sentences import split
from embryology.corpus.tokenizer import load
from embryology.errors import EmbryologyError
from embryology.files import read_json


@pytest.fixture
def texts(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    file = tmp_path / "texts.txt"
    file.write_text("\n\n".join(article.text for article in list(articles("bundled"))[:300]))
    return file


def test_the_store_holds_every_article_once_on_its_side(texts):
    corpus = store.prepare("text", str(texts), 600, print)
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
    first = store.prepare("text", str(texts), 600, lines.append)
    assert lines
    lines.clear()
    assert store.prepare("text", str(texts), 600, lines.append) == first
    assert not lines
    with open(texts, "a") as stream:
        stream.write("\n\nOne more article. It has two sentences.")
    second = store.prepare("text", str(texts), 600, lines.append)
    assert second.facts["text_sha256"] != first.facts["text_sha256"]
    assert read_json(first.folder / "corpus.json") == first.facts


def test_too_few_articles_to_hold_one_out(texts):
    one = texts.with_name("one.txt")
    one.write_text(next(articles("bundled")).text * 20)
    with pytest.raises(EmbryologyError, match=r"leaves no (train|held-out) article|cannot be trained"):
        store.prepare("text", str(one), 100, print)
    assert not [file for file in (texts.parent / "runs" / ".corpora").iterdir() if file.is_dir()]
