"""Batches of several texts by weight: which text a sequence is of, and which of it, are functions of its number."""

from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedTokenizerFast

from embryology.corpus.store import TokenStore
from embryology.presets import Objective
from embryology.pretraining.batches import Batches, Drawn


def interleaved(weights: Sequence[float], count: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` places dealt out among texts, so that at every place each has had its share.

    By divisors 1, 3, 5, … (Sainte-Laguë 1910; Balinski and Young 1982): of two texts each has at every place its share
    rounded, and of several it is seldom more than one away from it. The first places do not depend on how many there
    are in all.

    Returns:
        (count,) which text a place is given, and (count,) how many places that text was given before.
    """
    shares = np.array(weights, float) / np.sum(weights)
    ranks = [np.arange(int(np.ceil(count * share)) + len(shares)) for share in shares]
    turns = np.concatenate([(rank + 0.5) / share for rank, share in zip(ranks, shares, strict=True)])
    order = np.argsort(turns, kind="stable")[:count]
    texts = np.repeat(np.arange(len(shares)), [len(rank) for rank in ranks])
    return texts[order], np.concatenate(ranks)[order]


class Mixture(Batches):
    """Batches whose sequences are of several texts. Of each text they are read in its own order."""

    def __init__(
        self,
        stores: Sequence[TokenStore],
        weights: Sequence[float],
        tokenizer: PreTrainedTokenizerFast,
        objective: Objective,
        *,
        count: int,
        batch_size: int,
        length: int,
        seed: int,
        before: Sequence[int],
    ):
        """
        Args:
            stores: a text each.
            weights: of each.
            count: how many sequences are read in all.
            before: how many were read of each text before.
            tokenizer, objective, batch_size, length, seed: as of :class:`Batches`.
        """
        options = {"batch_size": batch_size, "length": length, "seed": seed}
        super().__init__(stores[0], tokenizer, objective, **options, before=before[0])
        self.others = [
            Batches(store, tokenizer, objective, **options, before=read)
            for store, read in zip(stores[1:], before[1:], strict=True)
        ]
        self.texts, self.ranks = interleaved(weights, count)

    def __len__(self) -> int:
        raise TypeError("several texts have no epoch together")

    def epoch(self, step: int) -> float:
        """How many times ``step`` batches read all texts, as a mean over their sequences."""
        chunks = len(self.chunks) + sum(len(other.chunks) for other in self.others)
        return step * self.batch_size / chunks

    def counts(self) -> list[int]:
        """How many sequences of each text are read."""
        return np.bincount(self.texts, minlength=1 + len(self.others)).tolist()

    def planned(self, place: int) -> Drawn:
        text, rank = self.texts[place], int(self.ranks[place])
        return self.others[text - 1].planned(rank) if text else super().planned(rank)
