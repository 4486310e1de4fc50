"""Pairs as a model reads them: the pieces of both sentences, and what of them is masked together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embryology.grammar import Pair, Span

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SAME, SAME_PIECES = "both sentences are the same", "the tokenizer makes both sentences the same"
TOO_LONG, UNKNOWN = "longer than the model reads", "unknown piece"
"""Why a pair is not asked."""


@dataclass(frozen=True)
class Sentence:
    """A sentence in pieces."""

    ids: tuple[int, ...]
    """Special tokens included."""
    positions: tuple[int, ...]
    """Of the pieces that are scored, rising: all but special tokens."""
    words: tuple[int, ...]
    """The number of the word that each of these belongs to, as the tokenizer divides text before it makes pieces."""
    critical: tuple[int, ...]
    """Which of them, from 0, are the critical word's; empty where there is none."""

    def masked(self, mask_id: int, within_word: bool) -> Iterator[tuple[int, ...]]:
        """A copy a scored piece, the piece masked; ``within_word`` with the later pieces of its word."""
        for place, position in enumerate(self.positions):
            ids = list(self.ids)
            ids[position] = mask_id
            for later in range(place + 1, len(self.positions) if within_word else 0):
                if self.words[later] == self.words[place]:
                    ids[self.positions[later]] = mask_id
            yield tuple(ids)


@dataclass(frozen=True)
class Asked:
    """A pair of which both sentences can be scored, and tell themselves apart."""

    pair: Pair
    good: Sentence
    bad: Sentence


def ask(
    pairs: Sequence[Pair], tokenizer: PreTrainedTokenizerFast, longest: int, excluded: Counter[tuple[str, str]]
) -> list[Asked]:
    """Both sentences of each pair in pieces.

    Args:
        pairs: of a set.
        tokenizer: the models'.
        longest: most ids a model reads.
        excluded: where pairs that are not asked are counted by paradigm and reason.
    """
    good = _sentences([pair.good for pair in pairs], [pair.critical and pair.critical[0] for pair in pairs], tokenizer)
    bad = _sentences([pair.bad for pair in pairs], [pair.critical and pair.critical[1] for pair in pairs], tokenizer)
    asked = []
    for one in map(Asked, pairs, good, bad):
        if reason := _problem(one, tokenizer.unk_token_id, longest):
            excluded[one.pair.paradigm, reason] += 1
        else:
            asked.append(one)
    return asked


def _problem(asked: Asked, unknown: int | None, longest: int) -> str | None:
    good, bad = asked.good, asked.bad
    if asked.pair.good == asked.pair.bad:
        return SAME
    if max(len(good.ids), len(bad.ids)) > longest:
        return TOO_LONG
    if unknown in (*good.ids, *bad.ids):
        return UNKNOWN
    return SAME_PIECES if good.ids == bad.ids else None


def _sentences(
    texts: Sequence[str], critical: Sequence[Span | None], tokenizer: PreTrainedTokenizerFast
) -> Iterator[Sentence]:
    if not texts:
        return
    encoded = tokenizer(
        list(texts), return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False, truncation=False
    )
    for number, span in enumerate(critical):
        special, offsets = encoded["special_tokens_mask"][number], encoded["offset_mapping"][number]
        words = encoded.word_ids(number)
        positions = [position for position, is_special in enumerate(special) if not is_special]
        start, end = span or (0, 0)
        yield Sentence(
            tuple(encoded["input_ids"][number]),
            tuple(positions),
            # What belongs to no word, as pieces that a tokenizer adds, is a word of its own.
            tuple(-1 - position if words[position] is None else words[position] for position in positions),
            tuple(place for place, at in enumerate(positions) if offsets[at][0] < end and offsets[at][1] > start),
        )
