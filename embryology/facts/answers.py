"""Questions -> what a model answers: each distinct one is passed through its body once, in batches of like length."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from embryology.facts.questions import Question
from embryology.models.encoder import Encoder
from embryology.models.precision import resolve
from embryology.specs import Precision

SAMPLE = 256
"""Questions that are read in float32 too, to see how far bfloat16 is off."""
TRUSTED = 2.0
"""How many times the largest error of the sample two answers must lie apart for bfloat16 to be trusted."""


class Answers:
    """What one checkpoint says at the first mask of many questions.

    Of a question its vector is kept, and logits are made of it where they are wanted: those of many thousand questions
    would not fit the memory.
    """

    def __init__(self, encoder: Encoder, questions: Iterable[Question], precision: Precision):
        """
        Args:
            encoder: the checkpoint.
            questions: all that will be asked for.
            precision: of the model's body.
        """
        self._encoder, self._precision = encoder, resolve(precision, encoder.device)
        self._rows: dict[tuple[int, ...], int] = {}
        for question in questions:
            self._rows.setdefault(_key(question), len(self._rows))
        self._vectors = self._read(self._rows, self._precision)
        self._close = TRUSTED * self._largest_error() if self._precision == "bfloat16" else 0.0

    @torch.inference_mode()
    def logits(self, questions: Sequence[Question], exact: bool = True) -> Tensor:
        """(questions, vocabulary) float32 on the encoder's device.

        Of a body in bfloat16, questions whose two best answers are closer than its errors are asked again in float32
        if ``exact``, so that the answers are those of float32.
        """
        keys = [_key(question) for question in questions]
        logits = self._encoder.head(self._vectors[[self._rows[key] for key in keys]])
        if exact and self._close:
            close = (self._apart(logits, logits.topk(2).indices) < self._close).nonzero()[:, 0].tolist()
            if close:
                logits[close] = self._encoder.head(self._read([keys[i] for i in close], "float32"))
        return logits

    def _apart(self, logits: Tensor, two: Tensor) -> Tensor:
        """(questions,) how much likelier the first of ``two`` (questions, 2) pieces is than the second.

        In units of the distance of their output embeddings, in which an error of the vector is as large for any two.
        """
        weight, values = self._encoder.model.get_output_embeddings().weight, logits.gather(1, two)
        return (values[:, 0] - values[:, 1]) / (weight[two[:, 0]] - weight[two[:, 1]]).norm(dim=1)

    @torch.inference_mode()
    def _largest_error(self) -> float:
        """What bfloat16 changes at most in :meth:`_apart` of the two best answers, over a sample."""
        keys = list(self._rows)
        rows = list(range(0, len(keys), max(1, len(keys) // SAMPLE)))
        rough = self._encoder.head(self._vectors[rows])
        fine = self._encoder.head(self._read([keys[row] for row in rows], "float32"))
        two = rough.topk(2).indices
        return float((self._apart(rough, two) - self._apart(fine, two)).abs().max())

    def _read(self, keys: Iterable[tuple[int, ...]], precision: Precision) -> Tensor:
        keys = list(keys)
        return self._encoder.vectors([ids for _, *ids in keys], [position for position, *_ in keys], precision)


def _key(question: Question) -> tuple[int, ...]:
    return question.positions[0], *question.ids
