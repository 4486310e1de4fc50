"""How well a model does on text that it never saw, and the line that it has to beat."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from embryology import intervals
from embryology.corpus.store import TokenStore
from embryology.presets import Objective
from embryology.pretraining.batches import Batch, Batches
from embryology.pretraining.models import Trainee
from embryology.pretraining.objectives import IGNORED

SEED = 20_201_016
PIECES_A_SLICE = 1_000_000
OBJECTIVE = Objective(masked_share=0.15, longest_ngram=1, order_weight=1)
"""Of the held-out masks, whatever a run is trained on, so that runs are compared on the same questions:
BERT's 15%, single words."""


@dataclass(frozen=True)
class HeldOut:
    """A fixed set of masked held-out batches with the unigram baseline at the same places."""

    batches: list[Batch]
    unigram_loss: float
    """Mean cross-entropy (nats) of the true pieces under the unigram distribution of the training text."""
    unigram_accuracy: float
    """Share of places where the true piece is the most frequent one of the training text."""

    @classmethod
    def of(cls, source: Batches, count: int, train: TokenStore, vocabulary: int) -> "HeldOut":
        """
        Args:
            source: batches of the held-out side.
            count: how many sequences to read; at most one epoch.
            train: the training side, whose piece frequencies (plus one) are the unigram distribution.
            vocabulary: number of pieces.
        """
        wanted = max(1, min(count, len(source.chunks)) // source.sequences)
        batches = [source[step] for step in range(wanted)]
        counts = np.ones(vocabulary)
        for begin in range(0, len(train.pieces), PIECES_A_SLICE):  # bincount copies what it counts as int64
            counts += np.bincount(train.pieces[begin : begin + PIECES_A_SLICE], minlength=vocabulary)
        labels = torch.cat([batch.labels for batch in batches]).numpy()
        labels = labels[labels != IGNORED]
        loss = -np.log(counts / counts.sum())[labels].mean()
        return cls(batches, float(loss), float((labels == counts.argmax()).mean()))

    @torch.inference_mode()
    def evaluate(self, trainee: Trainee, precision: torch.dtype, device: torch.device) -> dict[str, float | None]:
        """Held-out values by their names in ``losses.parquet``; order accuracy is None where no pair exists.

        The interval of the loss is a percentile bootstrap over sequences, 1,000 resamples.
        """
        sums, places, correct, in_order, pairs = [], [], 0, 0, 0
        trainee.eval()
        for batch in self.batches:
            batch = batch.to(device)
            outputs = trainee.run(batch, precision)
            here, ordered = batch.labels != IGNORED, batch.order_labels != IGNORED
            losses = cross_entropy(outputs.masked_logits, batch.labels, ignore_index=IGNORED, reduction="none")
            sums.append(losses.view(len(ordered), -1).sum(dim=1).double().cpu().numpy())
            places.append(here.view(len(ordered), -1).sum(dim=1).cpu().numpy())
            correct += int((outputs.masked_logits.argmax(-1) == batch.labels)[here].sum())
            in_order += int((outputs.order_logits.argmax(-1) == batch.order_labels)[ordered].sum())
            pairs += int(ordered.sum())
        trainee.train()
        sums, places = np.concatenate(sums), np.concatenate(places)
        weights = intervals.resamples(len(sums), seed=SEED)
        low, high = intervals.percentile_interval(intervals.bootstrap_means(sums, places, weights))
        return {
            "held_out_masked_loss": float(sums.sum() / places.sum()),
            "held_out_masked_loss_low": float(low),
            "held_out_masked_loss_high": float(high),
            "held_out_masked_accuracy": correct / int(places.sum()),
            "held_out_places": int(places.sum()),
            "held_out_order_accuracy": in_order / pairs if pairs else None,
            "held_out_pairs": pairs,
            "unigram_loss": self.unigram_loss,
            "unigram_accuracy": self.unigram_accuracy,
        }
