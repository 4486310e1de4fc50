"""The page "Ask it" in a report: made, skipped, left out, in the book, and what a frozen run keeps for it."""

import io
import re

import pytest
from rich.console import Console

from embryology.ask import writing
from embryology.report import ask_page, book
from embryology.report.build import report
from embryology.runs.packed import series as packed_series
from embryology.runs.series import Series
from tests.ask import models
from tests.stub_project import freeze_stub, make_project, measured_run


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    return make_project(tmp_path / "project")


def prepared(root, asked, frozen=()):
    stream = io.StringIO()
    page = ask_page.prepare(root, asked, frozen, Console(file=stream, width=200))
    return page, stream.getvalue()


def test_it_is_made_once_and_again_only_where_weights_changed(root, tmp_path):
    series = models.series(tmp_path / "run", "albert", models.unigram_tokenizer())
    page, said = prepared(root, [series])
    assert page.sha256
    assert not page.left_out
    assert re.search(r"ask\.md: made, 0\.\d MB of scripts", said)
    assert 'src="../../ask/ask.js"' in (root / "book" / "executed" / "ask.md").read_text()
    assert (root / "_build" / "ask" / "run" / "step-10.js").is_file()
    again, said = prepared(root, [series])
    assert again == page
    assert said == "ask.md: unchanged, skipped (same weights, tokenizers, code)\n"
    other, said = prepared(root, [models.series(tmp_path / "other", "albert", models.unigram_tokenizer(), seed=1)])
    assert "made" in said
    assert other.sha256 != page.sha256
    (root / "book" / "executed" / "ask.md").unlink()
    assert "made" in prepared(root, [series])[1]


def test_what_cannot_be_asked_is_left_out_with_its_reason(root, tmp_path):
    good = models.series(tmp_path / "good", "albert", models.unigram_tokenizer())
    bad = models.series(tmp_path / "bad", "albert", models.unigram_tokenizer(), seed=1)
    for checkpoint in bad.checkpoints:
        file = checkpoint.location / "tokenizer.json"
        file.write_text(file.read_text().replace('"WhitespaceSplit"', '"Whitespace"'))
    page, said = prepared(root, [bad, good])
    assert list(page.left_out) == ["bad"]
    assert "divides text into words in a way that the page does not know" in page.left_out["bad"]
    assert "bad/ask.md: left out: its tokenizer divides" in said
    assert page.sha256
    again, said = prepared(root, [bad, good])
    assert again == page  # the reason is told again where nothing is made
    assert "left out" in said
    alone, _ = prepared(root, [bad])
    assert alone.sha256 is None


def test_where_no_run_has_weights_there_is_no_page(root):
    page, said = prepared(root, [Series.open(measured_run("tiny").root)])
    assert page == ask_page.AskPage(None, {"tiny": "a checkpoint has no weights"})
    assert said == "tiny/ask.md: left out: a checkpoint has no weights\n"


def test_a_frozen_run_is_asked_where_it_keeps_weights_and_is_silent_where_not(root, tmp_path):
    made = models.series(tmp_path / "made", "albert", models.unigram_tokenizer())
    kept, bare = (measured_run(root / "results" / name) for name in ("kept", "bare"))
    for each in (kept, bare):
        freeze_stub(each)
    packed_series.write(packed_series.of_series(made), kept.packed)
    opened = [Series.open(kept.root), Series.open(bare.root)]
    page, said = prepared(root, [], opened)
    assert page.sha256
    assert "left out" not in said
    assert (root / "_build" / "ask" / "kept" / "step-0.js").is_file()
    assert prepared(root, opened)[0].left_out == {
        "bare": "its weights were not kept (embryology freeze --weights 8bit keeps them)"
    }


def test_of_weights_that_are_too_many_some_checkpoints_are_there(root, tmp_path, monkeypatch):
    series = models.series(tmp_path / "run", "albert", models.unigram_tokenizer())
    packed = packed_series.of_series(series)
    whole, two = writing.size_of(packed), writing.size_of(packed.thinned(2))
    assert writing.fitting(packed, whole).steps == (0, 10, 200)
    assert writing.fitting(packed, whole - 1).steps == (0, 200)
    assert writing.fitting(packed, two - 1) is None
    monkeypatch.setattr(writing, "SIZE_LIMIT", two)
    second = models.series(tmp_path / "second", "albert", models.unigram_tokenizer(), seed=1)
    page, _ = prepared(root, [series, second])
    assert list(page.left_out) == ["second"]
    assert sorted(file.name for file in (root / "_build/ask/run").iterdir()) == ["run.js", "step-0.js", "step-200.js"]


def test_the_book_has_the_page_and_its_scripts(root, tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_REPOSITORY", "none")
    folder = measured_run("tiny")
    made = models.series(tmp_path / "made", "albert", models.unigram_tokenizer())
    series = Series.open(folder.root)
    monkeypatch.setattr(packed_series, "lacking", lambda series: None)
    monkeypatch.setattr(packed_series, "identity", lambda series: "as it is")
    monkeypatch.setattr(packed_series, "of_series", lambda _, kept=packed_series.of_series: kept(made))
    index = report(["tiny"], root=root)
    html = index.parent
    assert (html / "ask" / "tiny" / "step-0.js").is_file()
    page = (html / "book" / "executed" / "ask.html").read_text()
    assert 'id="embryology-ask"' in page
    assert f'src="../../{ask_page.FOLDER}/ask.js"' in page
    assert "../ask.html" in (html / "book" / "executed" / series.name / "index.html").read_text()
    assert book._built_from(html)
