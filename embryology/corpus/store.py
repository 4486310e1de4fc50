"""Articles tokenised once, as memory-mapped piece ids with sentence and document offsets.

A prepared corpus is one folder, made whole or not at all and shared by every run that asks for the
same text and tokenizer::

    corpus.json      source, counts, hashes
    tokenizer/       loadable by transformers
    train/           pieces.npy, sentences.npy, documents.npy
    held-out/        the same
"""

import hashlib
import itertools
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import filelock
import joblib
import numpy as np
from numpy.lib import format as npy
from rich.console import Console
from tokenizers import Tokenizer as Backend

from embryology.corpus import language, overlap, words
from embryology.corpus.articles import Article, articles, files_left_out, fingerprint, is_held_out, text_files, thinned
from embryology.corpus.sentences import split
from embryology.errors import EmbryologyError
from embryology.presets import Tokenizer
from embryology.progress import Progress
from embryology.runs.paths import runs_folder
from embryology.storage.files import read_json, sha256_of, sha256_of_file, write_json, written_whole

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FORMAT = 2
"""Raised whenever the same text would be stored otherwise."""
CHARACTERS_A_BATCH = 100_000
"""About 650 sentences, 10 MB while they are tokenised."""
SAID = 5
"""Files whose names are said; of more, how many there are."""
SIDES = (("train", False), ("held-out", True))
"""Folders of the store, and whether their articles are held out."""


@dataclass(frozen=True)
class TokenStore:
    """One side of a prepared corpus. Arrays are memory-mapped, so a store costs no memory until it is read."""

    pieces: np.ndarray
    """(n pieces,) unsigned ids."""
    sentences: np.ndarray
    """(n sentences + 1,) int64: where each sentence begins in ``pieces``."""
    documents: np.ndarray
    """(n documents + 1,) int64: where each document begins in ``sentences``."""

    @classmethod
    def open(cls, folder: Path) -> "TokenStore":
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("pieces", "sentences", "documents")))


@dataclass(frozen=True)
class PreparedCorpus:
    folder: Path
    record: dict
    """What ``corpus.json`` holds."""

    @property
    def tokenizer_folder(self) -> Path:
        return self.folder / "tokenizer"

    @property
    def train(self) -> TokenStore:
        return TokenStore.open(self.folder / "train")

    @property
    def held_out(self) -> TokenStore:
        return TokenStore.open(self.folder / "held-out")


def prepare(
    source: str,
    path: str | None,
    settings: Tokenizer,
    say: Callable[[str], None],
    console: Console | None = None,
    leave_out: Mapping[str, Sequence[str]] | None = None,
    pieces_of: PreparedCorpus | None = None,
    every: int = 1,
) -> PreparedCorpus:
    """The corpus ``source`` with a tokenizer of these ``settings``, from the cache where it was made before.

    The text is read twice (thrice to leave some out), an article at a time, and never held; the bytes of the store
    depend on neither the number of cores nor the console.

    Args:
        source, path: as in :func:`embryology.corpus.articles.articles`.
        settings: of the tokenizer.
        say: takes one line of progress.
        console: where progress is shown beside the lines; None shows none.
        leave_out: test texts by the name of their set; articles that hold some are not trained on.
        pieces_of: another corpus, whose tokenizer is taken instead of one that learns from this text.
        every: only every so-many-th training article is kept, once the tokenizer has learnt from all.

    Raises:
        EmbryologyError: text that cannot be read, too little of it on one side of the split, or Ctrl-C.
    """
    folder = place(source, path, settings, leave_out, pieces_of, every)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):  # runs of several seeds may begin at once
        if not folder.is_dir():
            bar = Progress(console, "{task.completed:,} articles{task.fields[rate]}")
            try:
                with written_whole(folder) as temporary, bar:
                    _build(temporary, source, path, settings, say, bar, leave_out or {}, pieces_of, every)
            except KeyboardInterrupt as error:
                raise EmbryologyError(
                    f"interrupted while preparing corpus {source!r}; nothing was kept, the same command begins anew"
                ) from error
    return PreparedCorpus(folder, read_json(folder / "corpus.json"))


def place(
    source: str,
    path: str | None,
    settings: Tokenizer,
    leave_out: Mapping[str, Sequence[str]] | None,
    pieces_of: PreparedCorpus | None = None,
    every: int = 1,
) -> Path:
    """The folder of the cache that :func:`prepare` fills or finds, which is there where that was done before."""
    origin = {"source": source, "files": fingerprint(source, path), "format": FORMAT}
    origin |= settings.model_dump(exclude={"learns_from"})
    if pieces_of:
        origin["pieces_of"] = pieces_of.record["tokenizer_sha256"]
    elif settings.learns_from:
        origin["learns_from"] = [
            [other.source, fingerprint(other.source, other.path)] for other in settings.learns_from
        ]
    if leave_out:
        origin["leave_out"] = overlap.identity(leave_out)
    if every > 1:
        origin["every"] = every
    return runs_folder() / ".corpora" / sha256_of(origin)[:16]


def all_prepared() -> Iterator[PreparedCorpus]:
    """Every corpus in the cache."""
    for file in sorted((runs_folder() / ".corpora").glob("*/corpus.json")):
        yield PreparedCorpus(file.parent, read_json(file))


def _build(
    folder: Path,
    source: str,
    path: str | None,
    settings: Tokenizer,
    say: Callable[[str], None],
    progress: Progress,
    leave_out: Mapping[str, Sequence[str]],
    pieces_of: PreparedCorpus | None,
    every: int,
) -> None:
    from embryology.corpus import tokenizer as tokenizers  # late: it loads torch

    record: dict[str, Any] = {"source": source}
    if source == "text" and path is not None:
        record |= _files(Path(path).expanduser(), say)
    numbers: set[int] = set()
    if leave_out:
        looking = _Counted(progress, "looking for test text")
        numbers, record["left_out"] = overlap.left_out(looking.count(articles(source, path)), leave_out)
        say(overlap.told(record["left_out"]))

    def kept() -> Iterator[Article]:
        return (article for number, article in enumerate(articles(source, path)) if number not in numbers)

    if pieces_of is None:
        say(f"training a tokenizer of {settings.vocab_size} pieces on corpus {source!r}")
    digest, sample = hashlib.sha256(), list[str]()
    reading = _Counted(progress, "reading the articles")

    def training_sentences() -> Iterator[str]:
        for article in reading.count(_hashed(kept(), digest)):
            if not is_held_out(article.title):
                if len(sample) < language.TEXTS:
                    sample.append(article.text)
                yield from split(article.text, article.language)
        for other in settings.learns_from if pieces_of is None else ():
            for article in articles(other.source, other.path):
                if not is_held_out(article.title):
                    yield from split(article.text, article.language)
        reading.describe("training the tokenizer")

    if pieces_of is None:
        options = settings.model_dump(exclude={"learns_from"})
        tokenizer: PreTrainedTokenizerFast = tokenizers.train(training_sentences(), **options)
        tokenizer.save_pretrained(folder / "tokenizer")
    else:
        deque(training_sentences(), 0)  # for their hash, as one article after the other is read
        tokenizer = tokenizers.load(pieces_of.tokenizer_folder)
        shutil.copytree(pieces_of.tokenizer_folder, folder / "tokenizer")
    record |= {"text_sha256": digest.hexdigest(), "split": "5% of titles held out, by hash"}
    record["languages"] = language.shares(sample)
    say(f"languages of the text: {', '.join(f'{name} {share:.0%}' for name, share in record['languages'].items())}")
    record["tokenizer_sha256"] = sha256_of_file(folder / "tokenizer" / "tokenizer.json")
    record["vocab_size"] = settings.vocab_size
    if every > 1:
        record |= {"every": every, "text_sha256": sha256_of([record["text_sha256"], every])}
        say(f"training on one article in {every}")
    say(f"tokenising {reading.done:,} articles")
    tokenising = _Counted(progress, "tokenising", total=reading.done)
    dtype = np.dtype(np.uint16 if len(tokenizer) <= 2**16 else np.uint32)
    record |= _store(folder, thinned(tokenising.count(kept()), every), tokenizer.backend_tokenizer, dtype)
    for side, _ in SIDES:
        if not record[side]["documents"]:
            raise EmbryologyError(
                f"corpus {source!r} at {path} leaves no {side} article (one article in twenty is held out, by its "
                "title); give more articles: a folder of files, or one file with blank lines between articles"
            )
    write_json(folder / "corpus.json", record)


def _files(path: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Which files of a folder are read and which are not, for the record, and said."""
    if path.is_file():
        return {"files": 1}
    read, left_out = len(text_files(path)), [file.relative_to(path).as_posix() for file in files_left_out(path)]
    if left_out:
        others = f", and {len(left_out) - SAID} more" if len(left_out) > SAID else ""
        say(f"reading {read} .txt files of {path}, and not {', '.join(left_out[:SAID])}{others}")
    return {"files": read, "files_left_out": len(left_out)}


class _Counted:
    """A bar that counts the articles that go by, and how many a second."""

    def __init__(self, progress: Progress, description: str, total: int | None = None):
        self.done = 0
        self.progress = progress
        for earlier in progress.task_ids:
            progress.remove_task(earlier)
        self.bar = progress.add_task(description, total=total, rate="")

    def count(self, source: Iterable[Article]) -> Iterator[Article]:
        begun = time.perf_counter()
        for article in source:
            yield article
            self.done += 1
            if self.done % 50 == 0:
                rate = f", {self.done / (time.perf_counter() - begun):,.0f}/s"
                self.progress.update(self.bar, completed=self.done, rate=rate)

    def describe(self, description: str) -> None:
        self.progress.update(self.bar, description=description, completed=self.done)


def _hashed(source: Iterable[Article], digest) -> Iterator[Article]:
    for article in source:
        for part in (article.id, article.title, article.text):
            digest.update(part.encode("utf-8") + b"\0")
        yield article


class _Tokenised(NamedTuple):
    """Some documents of one side."""

    pieces: np.ndarray
    sentences: np.ndarray
    """Pieces a sentence."""
    documents: np.ndarray
    """Sentences a document."""
    words: int


def _tokenise(batch: list[Article], tokenizer: Backend, dtype: np.dtype) -> list[_Tokenised]:
    """The documents of both sides. Articles without a sentence are none."""
    sides = []
    for _, held_out in SIDES:
        own = [article for article in batch if is_held_out(article.title) == held_out]
        documents = [found for article in own if (found := split(article.text, article.language))]
        encoded = tokenizer.encode_batch_fast(list(itertools.chain(*documents)), add_special_tokens=False)
        ids = [sentence.ids for sentence in encoded]
        sides.append(
            _Tokenised(
                np.fromiter(itertools.chain.from_iterable(ids), dtype),
                np.array([len(sentence) for sentence in ids], np.int64),
                np.array([len(sentences) for sentences in documents], np.int64),
                sum(words.count(article.text) for article in own),
            )
        )
    return sides


def _store(folder: Path, source: Iterable[Article], tokenizer: Backend, dtype: np.dtype) -> dict[str, dict]:
    """Write both sides as the articles come. Returns their counts."""
    # Threads suffice: nearly all of the time is spent in the tokenizer, which holds no lock of Python's.
    with ExitStack() as files, ThreadPoolExecutor(joblib.cpu_count()) as pool:
        sides = {name: files.enter_context(_Side(folder / name, dtype)) for name, _ in SIDES}
        waiting: deque = deque()

        def add_oldest() -> None:
            for side, tokenised in zip(sides.values(), waiting.popleft().result(), strict=True):
                side.add(tokenised)

        try:
            for batch in _batches(source):
                waiting.append(pool.submit(_tokenise, batch, tokenizer, dtype))
                if len(waiting) > 2 * joblib.cpu_count():
                    add_oldest()
            while waiting:
                add_oldest()
        finally:
            for future in waiting:
                future.cancel()
    return {name: side.counts() for name, side in sides.items()}


def _batches(source: Iterable[Article]) -> Iterator[list[Article]]:
    batch, size = [], 0
    for article in source:
        batch.append(article)
        size += len(article.text)
        if size >= CHARACTERS_A_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Side:
    """The three files of one side, appended to."""

    def __init__(self, folder: Path, dtype: np.dtype):
        folder.mkdir(parents=True)
        self.pieces = _Appended(folder / "pieces.npy", dtype)
        self.sentences, self.documents = (_Offsets(folder / f"{name}.npy") for name in ("sentences", "documents"))
        self.words = 0

    def add(self, tokenised: _Tokenised) -> None:
        self.pieces.append(tokenised.pieces)
        self.sentences.append_lengths(tokenised.sentences)
        self.documents.append_lengths(tokenised.documents)
        self.words += tokenised.words

    def counts(self) -> dict[str, int]:
        lengths = {"documents": self.documents.length - 1, "sentences": self.sentences.length - 1}
        return lengths | {"words": self.words, "pieces": self.pieces.length}

    def __enter__(self) -> "_Side":
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self.pieces, self.sentences, self.documents):
            file.close()


class _Appended:
    """A ``.npy`` file of one axis, as ``numpy.save`` writes it, whose length is known at its end."""

    def __init__(self, file: Path, dtype: np.dtype):
        self.dtype, self.length = dtype, 0
        self.stream = open(file, "wb")  # noqa: SIM115
        self._write_header()

    def _write_header(self) -> None:
        # Every length fits: numpy leaves room in the header for a growing first axis.
        header = {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.length,)}
        npy.write_array_header_1_0(self.stream, header)

    def append(self, values: np.ndarray) -> None:
        values.astype(self.dtype, copy=False).tofile(self.stream)
        self.length += len(values)

    def close(self) -> None:
        self.stream.seek(0)
        self._write_header()
        self.stream.close()


class _Offsets(_Appended):
    """Where each of some lengths begins, and where the last one ends."""

    def __init__(self, file: Path):
        super().__init__(file, np.dtype(np.int64))
        self.end = 0
        self.append(np.zeros(1))

    def append_lengths(self, lengths: np.ndarray) -> None:
        self.append(self.end + np.cumsum(lengths))
        self.end += int(lengths.sum())
