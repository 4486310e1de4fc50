"""Questions -> what a model answers: each distinct one is passed through its body once, in batches of like length."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from embryology.encoder import Encoder
from embryology.facts.questions import Question
from embryology.precision import Precision, resolve

CLOSE = 0.03
"""Difference of the two largest logits, as a share of how far the largest lies above the mean: twice the largest at
which bfloat16 was seen to turn them around."""


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

    @torch.inference_mode()
    def logits(self, questions: Sequence[Question], exact: bool = True) -> Tensor:
        """(questions, vocabulary) float32 on the encoder's device.

        Of a body in bfloat16, questions whose two best answers are within :data:`CLOSE` are asked again in float32 if
        ``exact``, so that the answers are those of float32.
        """
        keys = [_key(question) for question in questions]
        logits = self._encoder.head(self._vectors[[self._rows[key] for key in keys]])
        if exact and self._precision == "bfloat16":
            best = logits.topk(2).values
            close = (best[:, 0] - best[:, 1] < CLOSE * (best[:, 0] - logits.mean(1))).nonzero()[:, 0].tolist()
            if close:
                logits[close] = self._encoder.head(self._read([keys[i] for i in close], "float32"))
        return logits

    def _read(self, keys: Iterable[tuple[int, ...]], precision: Precision) -> Tensor:
        keys = list(keys)
        return self._encoder.vectors([ids for _, *ids in keys], [position for position, *_ in keys], precision)


def _key(question: Question) -> tuple[int, ...]:
    return question.positions[0], *question.ids
