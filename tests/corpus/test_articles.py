import gzip
import itertools
import os
import shutil
import sys
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embryology.corpus import articles
from embryology.corpus.articles import Article
from embryology.errors import EmbryologyError
from embryology.storage import files


def test_the_bundled_articles_are_read_whole():
    bundled = list(articles.articles("bundled"))
    assert len(bundled) == 10_033
    assert len({article.title for article in bundled}) == len(bundled)
    assert all(article.text.strip() for article in bundled)


def test_about_one_title_in_twenty_is_held_out_whatever_the_corpus_calls_it():
    titles = [f"Title {i}" for i in range(20_000)]
    share = sum(map(articles.is_held_out, titles)) / len(titles)
    assert 0.045 < share < 0.055
    for title in ("Émile Zola", "New York City", "Z"):
        spellings = [title, title.replace(" ", "_"), title.lower(), f" {title} "]
        assert len({articles.is_held_out(spelling) for spelling in spellings}) == 1


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
    file.write_text("One.\nStill one.\n\n\nTwo.\r\n\r\nThree.\n")
    assert list(articles.articles("text", str(file))) == [
        Article("0", "book.txt:0", "One.\nStill one."),
        Article("1", "book.txt:1", "Two."),
        Article("2", "book.txt:2", "Three."),
    ]


@given(st.lists(st.sampled_from(["a", " ", "\n", "\n\n", "\r\n", "\r", "\u2028", "é"]), max_size=20))
def test_a_file_is_read_line_by_line_as_if_it_were_read_whole(tmp_path_factory, parts):
    file = tmp_path_factory.mktemp("texts") / "x.txt"
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
    assert [article.title for article in articles.articles("wikipedia", str(tmp_path))] == ["T0", "T1"]
    pq.write_table(pa.table({"title": ["x"]}), tmp_path / "train-2.parquet")
    with pytest.raises(EmbryologyError, match=r"train-2\.parquet lacks the columns id, text"):
        list(articles.articles("wikipedia", str(tmp_path)))
    (tmp_path / "train-2.parquet").write_bytes(b"not parquet")
    with pytest.raises(EmbryologyError, match=r"train-2\.parquet is not a readable Parquet file"):
        list(articles.articles("wikipedia", str(tmp_path)))


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


@pytest.fixture(params=["text", "wikipedia"])
def corpus(request, tmp_path):
    """A source and a folder of it, with two files of one name in different folders where the source reads below it."""
    folder = tmp_path / "corpus"
    names = ("a/x.txt", "b/x.txt") if request.param == "text" else ("x.parquet", "y.parquet")
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if request.param == "text":
            (folder / name).write_text(f"Text {number}.")
        else:
            pq.write_table(pa.table({"id": ["0"], "title": ["T"], "text": [f"Text {number}."]}), folder / name)
    return request.param, folder, [folder / name for name in names]


def test_an_edit_gives_another_fingerprint_even_where_size_and_time_stay(corpus):
    source, folder, (file, _) = corpus
    before, status = articles.fingerprint(source, str(folder)), file.stat()
    file.write_bytes(file.read_bytes().replace(b"Text 0.", b"Text 9."))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert articles.fingerprint(source, str(folder)) != before


def test_a_corpus_keeps_its_fingerprint_when_it_is_touched_copied_and_moved(corpus, tmp_path, monkeypatch):
    source, folder, paths = corpus
    before, of_one = articles.fingerprint(source, str(folder)), articles.fingerprint(source, str(paths[0]))
    os.utime(paths[0], ns=(1, 1))
    assert articles.fingerprint(source, str(folder)) == before
    shutil.copytree(folder, tmp_path / "copied", copy_function=shutil.copyfile)
    assert articles.fingerprint(source, str(tmp_path / "copied")) == before
    folder.rename(tmp_path / "moved")
    assert articles.fingerprint(source, str(tmp_path / "moved")) == before
    monkeypatch.chdir(tmp_path / "moved")
    assert articles.fingerprint(source, ".") == before
    assert articles.fingerprint(source, str(paths[0].relative_to(folder))) == of_one


def test_files_that_swap_their_contents_give_another_fingerprint(corpus):
    source, folder, (one, other) = corpus
    before, contents = articles.fingerprint(source, str(folder)), (one.read_bytes(), other.read_bytes())
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])
    assert articles.fingerprint(source, str(folder)) != before


def test_what_is_not_read_does_not_count_and_what_is_read_does(corpus):
    source, folder, (file, _) = corpus
    before = articles.fingerprint(source, str(folder))
    (folder / "notes.md").write_text("Where it is from.")
    assert articles.fingerprint(source, str(folder)) == before
    shutil.copy(file, folder / f"z{file.suffix}")
    assert articles.fingerprint(source, str(folder)) != before


def test_names_count_as_titles_are_made_of_them(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("One.\n\nTwo.")
    alone = tmp_path / "folder"
    alone.mkdir()
    shutil.copy(tmp_path / "a.txt", alone)
    paths = (tmp_path / "a.txt", tmp_path / "b.txt", alone, tmp_path)
    read = [list(articles.articles("text", str(path))) for path in paths]
    prints = [articles.fingerprint("text", str(path)) for path in paths]
    for one, other in itertools.combinations(range(len(paths)), 2):
        assert read[one] != read[other]
        assert prints[one] != prints[other]


def test_the_bundled_articles_are_known_by_their_bytes(tmp_path, monkeypatch):
    before = articles.fingerprint("bundled")
    assert before == articles.fingerprint("bundled")
    file = tmp_path / articles.BUNDLED_FILE
    content = articles.bundled_file().read_bytes()
    monkeypatch.setattr(articles, "bundled_file", lambda: file)
    file.write_bytes(content)
    assert articles.fingerprint("bundled") == before
    file.write_bytes(content.replace(b"a", b"b", 1))
    assert articles.fingerprint("bundled") != before


def test_what_cannot_be_hashed_is_named(corpus, tmp_path, monkeypatch):
    source, folder, (file, _) = corpus
    with pytest.raises(EmbryologyError, match=r"no text at|no \.parquet files"):
        articles.fingerprint(source, str(tmp_path / "none"))

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "sha256_of_file", refuse)
    with pytest.raises(EmbryologyError, match=rf"{file} cannot be read: .*Permission denied"):
        articles.fingerprint(source, str(folder))
