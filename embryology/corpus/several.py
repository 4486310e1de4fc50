"""The texts of a run: its own and those of its phases, all in the pieces of one tokenizer."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rich.console import Console

from embryology.corpus import store
from embryology.corpus.store import PreparedCorpus, TokenStore
from embryology.errors import EmbryologyError
from embryology.presets import Outcome
from embryology.runs.paths import RunFolder
from embryology.storage.files import read_json, sha256_of

OTHERS = "others"
"""The key of a run's ``corpus.json`` under which the records of its phases' texts stand, if there are any."""

LONG = 8
"""Pieces of a sentence that is not found twice by chance."""


@dataclass(frozen=True)
class Corpora:
    own: PreparedCorpus
    others: tuple[PreparedCorpus, ...] = ()
    """Of the outcome's ``other_corpora``."""

    def __post_init__(self) -> None:
        for other in self.others:
            if other.record["tokenizer_sha256"] != self.own.record["tokenizer_sha256"]:
                raise EmbryologyError(
                    f"corpus {other.record['source']!r} is stored in another tokenizer's pieces than the run's own "
                    "text; remove its folder below .corpora, and it is prepared anew"
                )

    @property
    def record(self) -> dict[str, Any]:
        """What a run's ``corpus.json`` holds."""
        others = {OTHERS: [other.record for other in self.others]} if self.others else {}
        return self.own.record | others

    @property
    def text_sha256(self) -> str:
        """Of all texts."""
        hashes = [corpus.record["text_sha256"] for corpus in (self.own, *self.others)]
        return sha256_of(hashes) if self.others else hashes[0]

    def leaked(self) -> int:
        """How many sentences of the run's held-out text, of :data:`LONG` pieces or more, its other texts train on."""
        if not self.others:
            return 0
        held_out = {sentence for sentence in _sentences(self.own.held_out) if len(sentence) >= LONG}
        return len({sentence for other in self.others for sentence in _sentences(other.train) if sentence in held_out})

    @cached_property
    def train(self) -> TokenStore:
        """All that is trained on, each text once, the run's own first."""
        return joined([corpus.train for corpus in (self.own, *self.others)])


def _sentences(store: TokenStore) -> Iterator[tuple[int, ...]]:
    for begin, end in itertools.pairwise(store.sentences.tolist()):
        yield tuple(store.pieces[begin:end].tolist())


def joined(stores: list[TokenStore]) -> TokenStore:
    """Several stores as one; of one that itself, memory-mapped, of several a copy."""
    if len(stores) == 1:
        return stores[0]
    pieces = np.concatenate([each.pieces for each in stores])
    sentences, documents = (
        np.concatenate([[0], *(np.diff(getattr(each, name)) for each in stores)]).cumsum()
        for name in ("sentences", "documents")
    )
    return TokenStore(pieces, sentences, documents)


def prepare(
    outcome: Outcome,
    sets: Callable[[Sequence[str]], Mapping[str, Sequence[str]]],
    say: Callable[[str], None],
    console: Console | None = None,
) -> Corpora:
    """The texts that a run reads, from the cache where they were made before.

    Args:
        outcome: whose.
        sets: the test texts of the sets that are to be left out, :func:`embryology.tasks.texts.read`.
        say, console: as of :func:`embryology.corpus.store.prepare`.

    Raises:
        EmbryologyError: as :func:`embryology.corpus.store.prepare`, of any of them.
    """
    own, *others = outcome.corpus, *outcome.other_corpora
    leave_out = sets(own.leave_out)
    made = store.prepare(own.source, own.path, outcome.tokenizer, say, console, leave_out, every=own.every)
    return Corpora(
        made,
        tuple(
            store.prepare(
                other.source, other.path, outcome.tokenizer, say, console, sets(other.leave_out), made, other.every
            )
            for other in others
        ),
    )


def prepared(record: dict[str, Any]) -> Corpora | None:
    """The texts with this record, a run's ``corpus.json``, if all are still in the cache; nothing is made."""
    own = {key: value for key, value in record.items() if key != OTHERS}
    found = [_prepared(each) for each in (own, *record.get(OTHERS, ()))]
    there = [corpus for corpus in found if corpus is not None]
    return Corpora(there[0], tuple(there[1:])) if len(there) == len(found) else None


def of_run(folder: RunFolder) -> Corpora | None:
    """The texts of a run, if they were trained on here and are still in the cache."""
    return prepared(read_json(folder.corpus)) if folder.corpus.exists() else None


def _prepared(record: dict[str, Any]) -> PreparedCorpus | None:
    return next((corpus for corpus in store.all_prepared() if corpus.record == record), None)
