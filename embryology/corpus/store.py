"""Articles tokenised once, as memory-mapped piece ids with sentence and document offsets.

A prepared corpus is one folder, made whole or not at all and shared by every run that asks for the
same text and tokenizer::

    corpus.json      source, counts, hashes
    tokenizer/       loadable by transformers
    train/           pieces.npy, sentences.npy, documents.npy
    held-out/        the same
"""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import numpy as np
from numpy.lib.format import open_memmap
from transformers import PreTrainedTokenizerFast

from embryology.corpus import tokenizer as tokenizers
from embryology.corpus.articles import Article, articles, fingerprint, is_held_out
from embryology.corpus.sentences import split
from embryology.errors import EmbryologyError
from embryology.files import read_json, sha256_of, sha256_of_file, write_json, written_whole
from embryology.paths import runs_folder

FORMAT = 1
"""Raised whenever the same text would be stored otherwise."""
SENTENCES_A_CALL = 4096


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
    facts: dict
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


def prepare(source: str, path: str | None, pieces: int, say: Callable[[str], None]) -> PreparedCorpus:
    """The corpus ``source`` with a tokenizer of ``pieces`` pieces, from the cache where it was made before.

    Args:
        source, path: as in :func:`embryology.corpus.articles.articles`.
        pieces: size of the tokenizer's vocabulary.
        say: takes one line of progress.

    Raises:
        EmbryologyError: text that cannot be read, or too little of it on one side of the split.
    """
    origin = {"source": source, "files": fingerprint(source, path), "pieces": pieces, "format": FORMAT}
    folder = runs_folder() / ".corpora" / sha256_of(origin)[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):  # runs of several seeds may begin at once
        if not folder.is_dir():
            with written_whole(folder) as temporary:
                _build(temporary, source, path, pieces, say)
    return PreparedCorpus(folder, read_json(folder / "corpus.json"))


def _build(folder: Path, source: str, path: str | None, pieces: int, say: Callable[[str], None]) -> None:
    say(f"training a tokenizer of {pieces} pieces on corpus {source!r}")
    digest = hashlib.sha256()
    tokenizer = tokenizers.train(_training_sentences(_hashed(articles(source, path), digest)), pieces)
    tokenizer.save_pretrained(folder / "tokenizer")
    facts = {"source": source, "text_sha256": digest.hexdigest(), "split": "5% of titles held out, by hash"}
    facts["tokenizer_sha256"] = sha256_of_file(folder / "tokenizer" / "tokenizer.json")
    facts["pieces"] = pieces
    for side, held_out in (("train", False), ("held-out", True)):
        say(f"tokenising the {side} articles")
        chosen = (article for article in articles(source, path) if is_held_out(article.title) == held_out)
        facts[side] = _store(folder / side, chosen, tokenizer)
        if not facts[side]["documents"]:
            raise EmbryologyError(
                f"corpus {source!r} at {path} leaves no {side} article (one article in twenty is held out, by its "
                "title); give more articles: a folder of files, or one file with blank lines between articles"
            )
    write_json(folder / "corpus.json", facts)


def _hashed(source: Iterable[Article], digest) -> Iterator[Article]:
    for article in source:
        for part in (article.id, article.title, article.text):
            digest.update(part.encode("utf-8") + b"\0")
        yield article


def _training_sentences(source: Iterable[Article]) -> Iterator[str]:
    for article in source:
        if not is_held_out(article.title):
            yield from split(article.text)


def _store(folder: Path, source: Iterable[Article], tokenizer: PreTrainedTokenizerFast) -> dict:
    """Write one side; sentences go through the tokenizer in large calls, ids go to disk as they come."""
    folder.mkdir(parents=True)
    kind = np.uint16 if len(tokenizer) <= 2**16 else np.uint32
    raw = folder / "pieces.raw"
    lengths = array("q")
    documents = array("q", [0])
    words = 0
    with open(raw, "wb") as stream:
        waiting: list[str] = []

        def flush() -> None:
            ids = tokenizer(waiting, add_special_tokens=False, return_attention_mask=False)["input_ids"]
            np.fromiter((piece for sentence in ids for piece in sentence), kind).tofile(stream)
            lengths.extend(len(sentence) for sentence in ids)
            waiting.clear()

        for article in source:
            sentences = split(article.text)
            if not sentences:
                continue
            waiting += sentences
            words += len(article.text.split())
            documents.append(documents[-1] + len(sentences))
            if len(waiting) >= SENTENCES_A_CALL:
                flush()
        if waiting:
            flush()
    offsets = np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64), dtype=np.int64)])
    np.save(folder / "sentences.npy", offsets)
    np.save(folder / "documents.npy", np.array(documents, dtype=np.int64))
    total = int(offsets[-1])
    stored = open_memmap(folder / "pieces.npy", mode="w+", dtype=kind, shape=(total,))
    if total:
        stored[:] = np.memmap(raw, dtype=kind, mode="r")
    stored.flush()
    raw.unlink()
    return {"documents": len(documents) - 1, "sentences": len(lengths), "words": words, "pieces": total}
