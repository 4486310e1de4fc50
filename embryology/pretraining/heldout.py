"""How well a model does on text that it never saw, and the line that it has to beat."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from embryology import intervals
from embryology.corpus.store import TokenStore
from embryology.presets import Objective, Outcome
from embryology.pretraining.batches import Batch, Batches
from embryology.pretraining.objectives import IGNORED
from embryology.pretraining.trainee import Trainee

SEED = 20_201_016
PIECES_A_SLICE = 1_000_000
BATCH_SIZE = 32
"""Sequences read at once; which ones are read does not depend on it."""
OBJECTIVE = Objective(mlm_probability=0.15, max_ngram=1, pair_weight=1)
"""Of the held-out masks, whatever a run is trained on, so that runs are compared on the same questions:
BERT's 15%, single words, segments in order or swapped."""


@dataclass(frozen=True)
class HeldOut:
    """A fixed set of masked held-out batches with the unigram baseline at the same places."""

    batches: list[Batch]
    pairs: list[Batch]
    """Batches that ask about pairs what the run is trained to answer: the same ones, others, or none."""
    unigram_loss: float
    """Mean cross-entropy (nats) of the true pieces under the unigram distribution of the training text."""
    unigram_accuracy: float
    """Share of places where the true piece is the most frequent one of the training text."""

    @classmethod
    def of(
        cls, outcome: Outcome, held_out: TokenStore, train: TokenStore, tokenizer: PreTrainedTokenizerFast
    ) -> "HeldOut":
        """
        Args:
            outcome: of the run: how many sequences of which length are read, and what is asked about pairs.
            held_out: the held-out side of its corpus; read at most once.
            train: the training side, whose piece frequencies (plus one) are the unigram distribution.
            tokenizer: of both.
        """

        def read(pair: str) -> list[Batch]:
            objective = OBJECTIVE.model_copy(update={"pair": pair})
            shape = {"batch_size": BATCH_SIZE, "length": outcome.sequence_length}
            source = Batches(held_out, tokenizer, objective, **shape, seed=SEED)
            steps = max(1, min(outcome.held_out_sequences, len(source.chunks)) // BATCH_SIZE)
            return [source[step] for step in range(steps)]

        pair, batches = outcome.objective.pair, read("sop")
        pairs = {"sop": lambda: batches, "nsp": lambda: read("nsp"), "none": list}[pair]()
        counts = np.ones(len(tokenizer))
        for begin in range(0, len(train.pieces), PIECES_A_SLICE):  # bincount copies what it counts as int64
            counts += np.bincount(train.pieces[begin : begin + PIECES_A_SLICE], minlength=len(tokenizer))
        labels = torch.cat([batch.labels for batch in batches]).numpy()
        labels = labels[labels != IGNORED]
        loss = -np.log(counts / counts.sum())[labels].mean()
        return cls(batches, pairs, float(loss), float((labels == counts.argmax()).mean()))

    @torch.inference_mode()
    def evaluate(self, trainee: Trainee, device: torch.device) -> dict[str, float | None]:
        """Held-out values by their names in ``losses.parquet``; None where a model has no answer.

        The interval of the loss is a percentile bootstrap over sequences, 1,000 resamples.
        """
        by_sequence: list[tuple[np.ndarray, np.ndarray]] = []  # losses and masked places
        correct, correct_pairs, pairs, detected, original, pieces = 0, 0, 0, 0, 0, 0
        trainee.eval()
        for batch in self.batches:
            batch = batch.to(device)
            outputs = trainee.outputs(batch)
            masked = outputs.masked()
            used = batch.labels != IGNORED
            losses = cross_entropy(masked, batch.labels, ignore_index=IGNORED, reduction="none")
            summed = losses.view(len(batch.input_ids), -1).sum(dim=1).double().cpu().numpy()
            by_sequence.append((summed, used.view(len(batch.input_ids), -1).sum(dim=1).cpu().numpy()))
            correct += int((masked.argmax(-1) == batch.labels)[used].sum())
            if outputs.replaced is not None and outputs.is_replaced is not None:
                mask = batch.attention_mask
                detected += int(((outputs.replaced > 0) == outputs.is_replaced)[mask].sum())
                original += int((~outputs.is_replaced)[mask].sum())
                pieces += int(mask.sum())
        for batch in self.pairs:
            batch = batch.to(device)
            asked = batch.pair_labels != IGNORED
            logits = trainee.outputs(batch).pair
            assert logits is not None  # batches about pairs are made for models that are trained on them
            correct_pairs += int((logits.argmax(-1) == batch.pair_labels)[asked].sum())
            pairs += int(asked.sum())
        trainee.train()
        sums, places = (np.concatenate(parts) for parts in zip(*by_sequence, strict=True))
        weights = intervals.resamples(len(sums), seed=SEED)
        low, high = intervals.percentile_interval(intervals.bootstrap_means(sums, places, weights))
        return {
            "held_out_masked_loss": float(sums.sum() / places.sum()),
            "held_out_masked_loss_low": float(low),
            "held_out_masked_loss_high": float(high),
            "held_out_masked_accuracy": correct / int(places.sum()),
            "held_out_places": int(places.sum()),
            "held_out_pair_accuracy": correct_pairs / pairs if pairs else None,
            "held_out_pairs": pairs,
            "held_out_replaced_accuracy": detected / pieces if pieces else None,
            "held_out_original_share": original / pieces if pieces else None,
            "held_out_pieces": pieces or None,
            "unigram_loss": self.unigram_loss,
            "unigram_accuracy": self.unigram_accuracy,
        }
