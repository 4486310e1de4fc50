"""Sentences -> pseudo-log-likelihoods: each distinct masked copy is read once, in batches of like length.

Of two sentences that differ in one piece the copy without it is the same, and so is every copy of a sentence that
stands in several pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from embryology.grammar.questions import Asked, Sentence
from embryology.models.encoder import LOGITS_PER_CHUNK, Encoder
from embryology.specs import Precision

AT_ONCE = 2**26
"""Numbers in the vectors that are kept of copies: 256 MB."""


class Scores(NamedTuple):
    """Log-probabilities in nats, a sentence each."""

    original: np.ndarray
    """The sum over pieces, each masked alone (Salazar et al. 2020, equation 1)."""
    within_word: np.ndarray
    """The same where later pieces of its word are masked with each (Kauf and Ivanova 2023, "PLL-word-l2r")."""
    critical: np.ndarray
    """Of the latter the terms of the critical word; nan where there is none."""


def score(encoder: Encoder, asked: Sequence[Asked], mask_id: int, precision: Precision = "float32") -> np.ndarray:
    """(pairs, 3) float64: by how many nats good sentences are likelier than bad ones, by each of :class:`Scores`.

    Args:
        encoder: a checkpoint with a masked head.
        asked: pairs.
        mask_id: of the tokenizer.
        precision: of the body; the head computes in float32.
    """
    differences = np.empty((len(asked), len(Scores._fields)))
    done = 0
    for portion in _portions(asked, AT_ONCE // encoder.hidden_size):
        sentences = list(dict.fromkeys(sentence for each in portion for sentence in (each.good, each.bad)))
        table = np.stack(of_sentences(encoder, sentences, mask_id, precision), axis=1)
        rows = dict(zip(sentences, table, strict=True))
        differences[done : done + len(portion)] = [rows[each.good] - rows[each.bad] for each in portion]
        done += len(portion)
    return differences


def of_sentences(encoder: Encoder, sentences: Sequence[Sentence], mask_id: int, precision: Precision) -> Scores:
    """:class:`Scores` of sentences, all copies of which fit the memory."""
    copies: dict[tuple[int, ...], int] = {}
    """By position and ids the number of a distinct copy."""
    wanted: list[tuple[int, int, int]] = []
    """Copies of each piece, alone and within its word, and its id."""
    for sentence in sentences:
        for position, *both in zip(
            sentence.positions, sentence.masked(mask_id, False), sentence.masked(mask_id, True), strict=True
        ):
            alone, within = (copies.setdefault((position, *ids), len(copies)) for ids in both)
            wanted.append((alone, within, sentence.ids[position]))
    *numbers, targets = np.array(wanted).T
    one_by_one, left_to_right = _log_probabilities(
        encoder, list(copies), np.concatenate(numbers), np.tile(targets, 2), precision
    ).reshape(2, -1)
    lengths = np.array([len(sentence.positions) for sentence in sentences])
    starts = np.cumsum(lengths) - lengths
    critical = [
        left_to_right[start + np.array(sentence.critical)].sum() if sentence.critical else np.nan
        for sentence, start in zip(sentences, starts, strict=True)
    ]
    return Scores(np.add.reduceat(one_by_one, starts), np.add.reduceat(left_to_right, starts), np.array(critical))


@torch.inference_mode()
def _log_probabilities(
    encoder: Encoder, copies: list[tuple[int, ...]], numbers: np.ndarray, targets: np.ndarray, precision: Precision
) -> np.ndarray:
    """(wanted,) float64 nats of ``targets``, each at the copy of that number."""
    vectors = encoder.vectors([ids for _, *ids in copies], [position for position, *_ in copies], precision)
    order = np.argsort(numbers, kind="stable")
    result = np.empty(len(numbers))
    rows = max(1, LOGITS_PER_CHUNK // encoder.model.config.vocab_size)
    for first in range(0, len(copies), rows):
        logits = encoder.head(vectors[first : first + rows])
        here = order[slice(*np.searchsorted(numbers, (first, first + rows), sorter=order))]
        at, true = (torch.from_numpy(each[here]).to(logits.device) for each in (numbers - first, targets))
        result[here] = (logits[at, true] - logits.logsumexp(-1)[at]).cpu().numpy()
    return result


def _portions(asked: Sequence[Asked], most: int) -> Iterator[list[Asked]]:
    """Pairs in order, as many at a time as have ``most`` copies, at least one."""
    portion: list[Asked] = []
    size = 0
    for each in asked:
        # A piece has two copies at most, alone and within its word.
        copies = 2 * (len(each.good.positions) + len(each.bad.positions))
        if portion and size + copies > most:
            yield portion
            portion, size = [], 0
        portion.append(each)
        size += copies
    if portion:
        yield portion
