"""One thing never read: which sequences hold it, and what is read in their place instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embryology.corpus.occurrences import occurrences
from embryology.corpus.store import TokenStore
from embryology.errors import EmbryologyError
from embryology.presets import Outcome
from embryology.pretraining import heldout
from embryology.pretraining.batches import SPECIALS, Batches
from embryology.pretraining.curriculum import Curriculum
from embryology.pretraining.exposure import Facts, Read, Words, read

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TEXT, FACT = "text", "fact"
SEED = 20_201_016
FEWEST_PIECES = 4
"""Of an item's text that is looked for in held-out text: shorter ones stand everywhere."""


@dataclass(frozen=True)
class Query:
    """A thing that is not to be read: words in this order, or a fact, whose two names stand in one sequence."""

    kind: str
    names: tuple[str, ...]

    @classmethod
    def parse(cls, asked: str) -> Query:
        """
        Args:
            asked: ``text:WORDS``, or WORDS alone, or ``fact:SUBJECT=OBJECT``.

        Raises:
            EmbryologyError: it is none of these.
        """
        kind, colon, rest = asked.partition(":")
        if not colon or kind not in (TEXT, FACT):
            kind, rest = TEXT, asked
        names = tuple(name.strip() for name in (rest.split("=") if kind == FACT else [rest]))
        if not all(names) or (kind == FACT and len(names) != 2):
            raise EmbryologyError(f"--without {asked!r} is neither 'text:WORDS' nor 'fact:SUBJECT=OBJECT'")
        return cls(kind, names)

    def __str__(self) -> str:
        return f"{self.kind}:{'='.join(self.names)}"

    @property
    def slug(self) -> str:
        """For the names of files."""
        return re.sub(r"\W+", "-", str(self)).strip("-").lower()

    def finder(self, tokenizer: PreTrainedTokenizerFast) -> Words | Facts:
        """
        Raises:
            EmbryologyError: the tokenizer has an unknown piece for it.
        """
        cut = [tuple(tokenizer(name, add_special_tokens=False)["input_ids"]) for name in self.names]
        if any(not pieces or tokenizer.unk_token_id in pieces for pieces in cut):
            raise EmbryologyError(
                f"--without {self}: the run's tokenizer has no pieces for it, so that it is never read"
            )
        return Facts(tokenizer, [(self.names[0], self.names[1])]) if self.kind == FACT else Words(tokenizer, cut)


@dataclass(frozen=True)
class Held:
    """Sequences that hold a thing, a place in each array, by rising number."""

    numbers: np.ndarray
    """Among all that the run reads, from 0."""
    steps: np.ndarray
    """That read them, from 1."""
    masked: np.ndarray
    """bool: whether it is asked for there."""


def holding(
    curriculum: Curriculum, finders: Sequence[Words | Facts], after: int = 0, until: int | None = None
) -> list[Held]:
    """For each thing the sequences that hold it, of the steps after one up to another."""
    found: list[list[np.ndarray]] = [[] for _ in finders]
    for some in read(curriculum, after, until):
        for rows, finder in zip(found, finders, strict=True):
            table = finder.standing(some).sort_values("sequence")
            at = table["sequence"].to_numpy(int)
            rows.append(np.stack([some.number + at, some.steps[at], table["masked"].to_numpy(int)]))
    joined = [np.concatenate(rows, axis=1) if rows else np.empty((3, 0), int) for rows in found]
    return [Held(numbers, steps, masked.astype(bool)) for numbers, steps, masked in joined]


@dataclass(frozen=True)
class Pool:
    """Held-back chunks: held-out text of which nothing is asked, each long enough for any sequence."""

    store: TokenStore
    chunks: np.ndarray
    """(n, 2) sentences, all that there are."""
    spare: np.ndarray
    """Numbers of those that may be read."""

    def without(self, finder: Words | Facts) -> np.ndarray:
        """Of the spare ones those that do not hold a thing."""
        bounds = self.store.sentences
        texts = [np.asarray(self.store.pieces[bounds[a] : bounds[b]]) for a, b in self.chunks[self.spare]]
        ends = np.cumsum([0, *map(len, texts)])
        pieces = np.concatenate([*texts, np.empty(0, np.uint16)]).astype(np.int64)
        whole = TokenStore(pieces, ends, np.array([0, len(texts)]))
        some = Read(whole, np.zeros(len(pieces), bool), np.zeros(len(texts), int), 0)
        holds = finder.standing(some)["sequence"].unique() if len(texts) else []
        return np.delete(self.spare, np.asarray(holds, int))


def pool(
    outcome: Outcome, held_out: TokenStore, tokenizer: PreTrainedTokenizerFast, asked: Iterable[Sequence[int]]
) -> Pool:
    """
    Args:
        outcome: of the run, all of whose sequences are of one length.
        held_out: the held-out side of its text.
        tokenizer: of it.
        asked: pieces of the texts of items that are measured, which must not be read.

    Raises:
        EmbryologyError: its sequences are of several lengths.
    """
    if len({(stage.sequence_length, stage.objective) for stage in outcome.course}) > 1:
        raise EmbryologyError("a run whose phases have other lengths or objectives has no counterfactuals yet")
    stage = outcome.course[0]
    options = {"batch_size": 1, "length": stage.sequence_length, "seed": 0}
    chunks = Batches(held_out, tokenizer, stage.objective, **options).chunks
    used = np.zeros(len(held_out.sentences) - 1, bool)
    questions, steps = heldout.questions(outcome, held_out, tokenizer)
    for first, after in questions.chunks[questions.epoch_order(0)[: steps * heldout.BATCH_SIZE]]:
        used[first:after] = True
    distinct = {tuple(pieces) for pieces in asked if len(pieces) >= FEWEST_PIECES}
    for found in occurrences(held_out, sorted(distinct), len(tokenizer)):
        used[found.sentence] = True
    before = np.concatenate([[0], used.cumsum()])
    bounds, room = np.asarray(held_out.sentences), stage.sequence_length - SPECIALS
    first, after = chunks.T
    begins = bounds[first + 1] - bounds[first]
    fits = (bounds[after] - bounds[first] >= room) & (after - first > 1) & (begins > 0) & (begins < room)
    return Pool(held_out, chunks, np.flatnonzero(fits & (before[after] == before[first])))


@dataclass(frozen=True)
class Plan:
    """What a counterfactual run reads instead, and what its noise floor does."""

    query: Query
    held: Held
    without: dict[int, int]
    """By the numbers of the sequences that hold the thing, chunks of the held-out text."""
    floor: dict[int, int]
    """The same chunks in the places of as many other sequences of the same batches."""


def plan(query: Query, held: Held, outcome: Outcome, chunks: np.ndarray, after: int) -> Plan:
    """
    Args:
        query: the thing.
        held: what holds it after step ``after``.
        outcome: of the run.
        chunks: that may be read instead.
        after: the step from which training is replayed.

    Raises:
        EmbryologyError: nothing holds it, there are too few chunks, or it fills more than half of a batch.
    """
    if not len(held.numbers):
        raise EmbryologyError(
            f"--without {query}: no sequence after step {after} holds it; name another, or a step before"
        )
    if len(chunks) < len(held.numbers):
        raise EmbryologyError(
            f"--without {query}: {len(held.numbers):,} sequences after step {after} hold it, and {len(chunks):,} "
            "held-back ones can be read instead; name a rarer thing, or an --until nearer to the step"
        )
    rng = np.random.default_rng(SEED)
    instead = rng.permutation(chunks)[: len(held.numbers)].tolist()
    others: list[int] = []
    for step, count in zip(*np.unique(held.steps, return_counts=True), strict=True):
        batch = np.arange(outcome.sequences_until(step - 1), outcome.sequences_until(step))
        free = np.setdiff1d(batch, held.numbers)
        if len(free) < count:
            raise EmbryologyError(
                f"--without {query}: it is in more than half of the batch of step {step}, so that as many other "
                "sequences of it cannot be replaced; name a rarer thing"
            )
        others += sorted(rng.choice(free, count, replace=False).tolist())
    numbers = held.numbers.tolist()
    return Plan(query, held, dict(zip(numbers, instead, strict=True)), dict(zip(others, instead, strict=True)))
