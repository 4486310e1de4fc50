"""Articles of every source, and on which side of the split they fall."""

import gzip
import hashlib
import json
import sys
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embryology.corpus import articles
from embryology.corpus.articles import Article
from embryology.errors import EmbryologyError


def test_the_bundled_articles_are_read_whole():
    entries = json.loads(articles.bundled_file().read_text(encoding="utf-8"))
    bundled = list(articles.articles("bundled"))
    assert len(bundled) == len({article.title for article in bundled}) == 10_033
    assert [(a.id, a.title, a.text) for a in bundled] == [(k, e["title"], e["extract"]) for k, e in entries.items()]
    assert all(article.text.strip() for article in bundled)
    assert sum(articles.is_held_out(article.title) for article in bundled) == 546
    described = list(articles.descriptions())
    assert described[:1] == [("20th-century classical music", "Art movement", "Arts")]
    assert [title for title, _, _ in described] == [article.title for article in bundled]


def test_one_title_in_twenty_is_held_out_by_the_first_hexadecimal_digits_of_its_hash():
    """So runs that were published keep their split."""
    titles = [f"title {i}" for i in range(20_000)]
    held_out = [title for title in titles if articles.is_held_out(title)]
    limit = f"{2**64 // 20:016x}"
    assert held_out == [t for t in titles if hashlib.sha256(t.encode()).hexdigest()[:16] <= limit]
    assert 0.045 < len(held_out) / len(titles) < 0.055


def test_spellings_of_a_title_fall_on_the_same_side():
    """Each of 300, as a side is the same by chance in nine of ten."""
    for number in range(300):
        title = f"Café Straße {number}"
        spellings = [title.replace(" ", "_"), title.upper(), f" {title} ", title.replace("é", "e\u0301")]
        assert {articles.is_held_out(spelling) for spelling in spellings} == {articles.is_held_out(title)}


def test_a_folder_of_text_files_one_article_each_compressed_or_not(tmp_path):
    (tmp_path / "b.txt").write_text("Second.\n")
    (tmp_path / "sub").mkdir()
    with gzip.open(tmp_path / "sub" / "c.txt.gz", "wt") as stream:
        stream.write("Third.")
    (tmp_path / "a.txt").write_text("First.")
    (tmp_path / "ignored.bin").write_bytes(b"\0\1")
    in_folder = list(articles.articles("text", str(tmp_path)))
    assert [(a.title, a.text.strip()) for a in in_folder] == [
        ("a.txt", "First."),
        ("b.txt", "Second."),
        ("sub/c.txt.gz", "Third."),
    ]


def test_a_file_holds_articles_between_blank_lines(tmp_path):
    file = tmp_path / "book.txt"
    file.write_text("One.\nStill one.\n\n\nTwo.\r\nStill two.\r\n\r\nThree.\n", newline="")
    assert list(articles.articles("text", str(file))) == [
        Article("0", "book.txt:0", "One.\nStill one."),
        Article("1", "book.txt:1", "Two.\nStill two."),
        Article("2", "book.txt:2", "Three."),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("texts")


@settings(max_examples=settings.default.max_examples // 2)
@given(parts=st.lists(st.sampled_from(["a", " ", "\n", "\n\n", "\r\n", "\r", "\u2028", "é"]), max_size=20))
def test_a_file_is_read_line_by_line_as_if_it_were_read_whole(folder, parts):
    file = folder / "x.txt"
    file.write_bytes("".join(["b", *parts]).encode())
    blocks = [[]]
    for line in file.read_bytes().decode().replace("\r\n", "\n").split("\n"):
        if line.isspace() or not line:
            blocks.append([])
        else:
            blocks[-1].append(line)
    expected = ["\n".join(block).strip() for block in blocks if block]
    assert [a.text for a in articles.articles("text", str(file))] == expected


def test_a_byte_order_mark_is_no_text_and_lines_of_spaces_divide(tmp_path):
    file = tmp_path / "x.txt"
    file.write_bytes(b"\xef\xbb\xbfOne.\n \t\nTwo.\n\xc2\xa0\nThree.")
    assert [article.text for article in articles.articles("text", str(file))] == ["One.", "Two.", "Three."]
    file.write_bytes(b"\xef\xbb\xbf")
    with pytest.raises(EmbryologyError, match="is empty"):
        list(articles.articles("text", str(file)))


def test_endings_are_read_in_any_case_and_what_is_left_out_is_known(tmp_path):
    for name in ("A.TXT", "b.Txt.gz", "c.pdf", "notes", "d.txt"):
        (tmp_path / name).write_text("x")
    assert [file.name for file in articles.text_files(tmp_path)] == ["A.TXT", "b.Txt.gz", "d.txt"]
    assert [file.name for file in articles.files_left_out(tmp_path)] == ["c.pdf", "notes"]


def test_the_byte_that_is_no_text_is_counted_from_the_beginning(tmp_path):
    file = tmp_path / "x.txt"
    file.write_bytes(b"One line.\r\nTw\xff.")
    with pytest.raises(EmbryologyError, match=r"not UTF-8 text \(byte 13\)"):
        list(articles.articles("text", str(file)))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b" \n\n", "is empty"), (b"a\0b", "binary"), (b"\xff\xfe\x00", "not UTF-8")],
)
def test_what_is_no_text_is_named(tmp_path, content, message):
    file = tmp_path / "x.txt"
    file.write_bytes(content)
    for path in (file, tmp_path):
        with pytest.raises(EmbryologyError, match=rf"x\.txt .*{message}"):
            list(articles.articles("text", str(path)))


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    for source, path, message in (
        ("text", str(tmp_path / "no"), "no text at"),
        ("text", str(tmp_path), r"no \.txt files"),
        ("text", None, "needs a path"),
        ("wikipedia", None, "set EMBRYOLOGY_DATA"),
        ("wikipedia", str(tmp_path), r"no \.parquet"),
        ("wikipedai", None, "no corpus source 'wikipedai'; choose one of bundled"),
    ):
        with pytest.raises(EmbryologyError, match=message):
            list(articles.articles(source, path))


def test_wikipedia_is_read_from_parquet_in_the_order_of_shards(tmp_path):
    for shard in (1, 0):
        table = {"id": [f"{shard}"], "url": ["u"], "title": [f"T{shard}"], "text": ["A text."]}
        pq.write_table(pa.table(table), tmp_path / f"train-{shard}.parquet")
    assert list(articles.articles("wikipedia", str(tmp_path))) == [Article(f"{n}", f"T{n}", "A text.") for n in (0, 1)]
    assert [article.title for article in articles.articles("wikipedia", str(tmp_path / "train-1.parquet"))] == ["T1"]
    pq.write_table(pa.table({"title": ["x"]}), tmp_path / "train-2.parquet")
    with pytest.raises(EmbryologyError, match=r"train-2\.parquet lacks the columns id, text"):
        list(articles.articles("wikipedia", str(tmp_path)))
    (tmp_path / "train-2.parquet").write_bytes(b"not parquet")
    with pytest.raises(EmbryologyError, match=r"train-2\.parquet is not a readable Parquet file"):
        list(articles.articles("wikipedia", str(tmp_path)))


def test_all_rows_of_a_parquet_file_are_read(tmp_path):
    numbers = [str(number) for number in range(1234)]
    pq.write_table(pa.table({"id": numbers, "title": numbers, "text": numbers}), tmp_path / "x.parquet")
    assert [article.text for article in articles.articles("wikipedia", str(tmp_path))] == numbers


def test_the_hub_is_streamed(monkeypatch):
    asked = {}

    def load_dataset(name, config, **options):
        asked.update(name=name, config=config, **options)
        return iter([{"id": "1", "title": "T", "text": "x", "url": ""}])

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    assert list(articles.articles("wikipedia", "hub")) == [Article("1", "T", "x")]
    assert asked == {"name": "wikimedia/wikipedia", "config": "20231101.en", "split": "train", "streaming": True}


def test_a_part_of_the_hub_is_a_corpus_of_its_own(monkeypatch):
    rows = ({"id": str(number), "title": "T", "text": "x"} for number in range(10))
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=lambda *_, **__: rows))
    assert [article.id for article in articles.articles("wikipedia", "hub:3")] == ["0", "1", "2"]
    assert next(rows)["id"] == "3"  # no more was asked for
    assert articles.fingerprint("wikipedia", "hub:3") != articles.fingerprint("wikipedia", "hub")
    for wrong in ("hub:", "hub:0", "hub:many"):
        with pytest.raises(EmbryologyError, match=f"'{wrong}' is not 'hub', or 'hub:' and how many"):
            articles.articles("wikipedia", wrong)


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch):
    def load_dataset(*_, **__):
        yield {"id": "0", "title": "T", "text": "x"}
        raise ConnectionError("no\nroute")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(EmbryologyError, match=r"cannot be streamed from the Hub \(ConnectionError: no route\); check"):
        list(articles.articles("wikipedia", "hub"))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(EmbryologyError, match="needs the package 'datasets'"):
        list(articles.articles("wikipedia", "hub"))


def test_bundled_articles_of_other_languages_and_of_topics():
    entries = json.loads(articles.bundled_file("fr").read_text(encoding="utf-8"))
    french = list(articles.articles("bundled", "fr"))
    assert [article.title for article in french] == [entry["title"] for entry in entries.values()]
    assert {article.language for article in french} == {"fr"}
    topics = "fr:topic=Arts et culture,Histoire"
    chosen, others = (list(articles.articles("bundled", path)) for path in (topics, topics.replace("=", "!=")))
    assert len(chosen) == sum(entry["topic"] in ("Arts et culture", "Histoire") for entry in entries.values())
    assert {each.id for each in chosen} | {each.id for each in others} == {each.id for each in french}
    assert len(chosen) + len(others) == len(french)
    assert list(articles.articles("bundled", "en")) == list(articles.articles("bundled"))
    fingerprints = [articles.fingerprint("bundled", path) for path in (None, "en", "fr", topics, "topic=Arts")]
    assert fingerprints[0] == fingerprints[1]
    assert len({str(each) for each in fingerprints}) == 4


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("de", r"the bundled articles have no 'de'; give a language \(en, fr, es\)"),
        ("fr:Arts", "have no 'fr:Arts'"),
        ("topic=Art", "there is no topic 'Art' of bundled articles; there are Arts, Biology"),
    ],
)
def test_a_part_that_is_not_bundled_is_refused_in_one_line(path, message):
    with pytest.raises(EmbryologyError, match=message) as caught:
        list(articles.articles("bundled", path))
    assert "\n" not in str(caught.value)
