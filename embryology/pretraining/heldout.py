"""How well a model does on text that it never saw, and the line that it has to beat."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from embryology import intervals
from embryology.corpus.store import TokenStore
from embryology.presets import Objective, Outcome
from embryology.pretraining import surface as surface_rule
from embryology.pretraining.batches import Batch, Batches
from embryology.pretraining.objectives import IGNORED
from embryology.pretraining.trainee import Trainee

SEED = 20_201_016
PIECES_A_SLICE = 1_000_000
BATCH_SIZE = 32
"""Sequences read at once; which ones are read does not depend on it."""
OBJECTIVE = Objective(mlm_probability=0.15, max_ngram=1, mask_replace_prob=1.0, random_replace_prob=0.0, pair_weight=1)
"""Of the held-out masks, whatever a run is trained on, so that runs are compared on the same questions: BERT's 15%,
single words, segments in order or swapped. All are shown as ``[MASK]``: a piece that is shown as it is need only be
copied, which a model learns long before it predicts any, and ELECTRA's generator never sees random ones."""


def questions(
    outcome: Outcome, held_out: TokenStore, tokenizer: PreTrainedTokenizerFast, pair: str = "sop"
) -> tuple[Batches, int]:
    """What a run is evaluated on: batches that ask about a ``pair`` of segments, and how many of them are read."""
    objective = OBJECTIVE.model_copy(update={"pair": pair})
    shape = {"batch_size": BATCH_SIZE, "length": outcome.sequence_length}
    batches = Batches(held_out, tokenizer, objective, **shape, seed=SEED)
    return batches, max(1, min(outcome.held_out_sequences, len(batches.chunks)) // BATCH_SIZE)


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
    surface_accuracy: float | None
    """Share of ``pairs`` that :mod:`embryology.pretraining.surface` gets right; None where there are none."""
    counts: np.ndarray
    """(pieces,) how often each stands in the training text, plus one."""

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

        words, steps = questions(outcome, held_out, tokenizer)
        pairs, surface = [], None
        batches = [words[step] for step in range(steps)]
        if (pair := outcome.objective.pair) != "none":
            asked = words if pair == "sop" else questions(outcome, held_out, tokenizer, pair)[0]
            pairs = batches if pair == "sop" else [asked[step] for step in range(steps)]
            surface = surface_rule.accuracy(asked, train, tokenizer, asked.objective, steps * BATCH_SIZE)
        counts = np.ones(len(tokenizer))
        for begin in range(0, len(train.pieces), PIECES_A_SLICE):  # bincount copies what it counts as int64
            counts += np.bincount(train.pieces[begin : begin + PIECES_A_SLICE], minlength=len(tokenizer))
        labels = torch.cat([batch.labels for batch in batches]).numpy()
        labels = labels[labels != IGNORED]
        loss = -np.log(counts / counts.sum())[labels].mean()
        return cls(batches, pairs, float(loss), float((labels == counts.argmax()).mean()), surface, counts)

    @torch.inference_mode()
    def evaluate(self, trainee: Trainee, device: torch.device) -> dict[str, float | None]:
        """Held-out values by their names in ``losses.parquet``; None where a model has no answer.

        The interval of the loss is a percentile bootstrap over sequences, 1,000 resamples.
        """
        by_sequence: list[tuple[np.ndarray, np.ndarray]] = []  # losses and masked places
        correct, correct_pairs, pairs = 0, 0, 0
        told: list[tuple[np.ndarray, ...]] = []
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
            if outputs.replaced is not None and outputs.is_replaced is not None and outputs.shown is not None:
                mask = batch.attention_mask
                values = (outputs.replaced[mask], outputs.is_replaced[mask], outputs.shown[mask], mask.sum(dim=1))
                told.append(tuple(value.cpu().numpy() for value in values))
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
            "held_out_surface_accuracy": self.surface_accuracy,
            **(self._replaced(told, weights) if told else {}),
            "unigram_loss": self.unigram_loss,
            "unigram_accuracy": self.unigram_accuracy,
        }

    def _replaced(self, told: list[tuple[np.ndarray, ...]], weights: np.ndarray) -> dict[str, float | None]:
        """How well a discriminator tells what was replaced, beside what a piece's frequency tells.

        Args:
            told: by batch: of every piece the logit of being replaced, whether it is, and its id; of every sequence
                how many pieces it has.
            weights: (draws, sequences) of the bootstrap.
        """
        logits, replaced, shown, lengths = map(np.concatenate, zip(*told, strict=True))
        values: dict[str, float | None] = {
            "held_out_replaced_accuracy": float(((logits > 0) == replaced).mean()),
            "held_out_original_share": float((~replaced).mean()),
            "held_out_pieces": len(logits),
        }
        if replaced.any():
            sequences = np.repeat(np.arange(len(lengths)), lengths)
            draws = np.concatenate([np.ones((1, len(lengths))), weights])  # the first is the sample itself
            model, frequency = (
                intervals.areas(intervals.wins(scores, replaced, sequences, len(lengths)), replaced, sequences, draws)
                for scores in (logits, np.log(self.counts)[shown])
            )
            if frequency[0] < 0.5:  # rare pieces may be the suspicious ones, or frequent ones
                frequency = 1 - frequency
            low, high = intervals.percentile_interval((model - frequency)[1:])
            values |= {
                "held_out_replaced_auc": float(model[0]),
                "held_out_frequency_auc": float(frequency[0]),
                "held_out_auc_gain_low": float(low),
                "held_out_auc_gain_high": float(high),
            }
        return values
