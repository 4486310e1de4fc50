"""Questions -> what a model answers: each distinct one is passed through its body once, in batches of like length.

The body computes in float32, whatever other probes do: in bfloat16 the ranks of objects are others.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from embryology.facts.questions import Question
from embryology.models.encoder import Encoder


class Answers:
    """What one checkpoint says at the first mask of many questions.

    Of a question its vector is kept, and logits are made of it where they are wanted: those of many thousand questions
    would not fit the memory.
    """

    def __init__(self, encoder: Encoder, questions: Iterable[Question]):
        """
        Args:
            encoder: the checkpoint.
            questions: all that will be asked for.
        """
        self._encoder = encoder
        self._rows: dict[tuple[int, ...], int] = {}
        for question in questions:
            self._rows.setdefault(_key(question), len(self._rows))
        keys = list(self._rows)
        self._vectors = encoder.vectors([ids for _, *ids in keys], [position for position, *_ in keys], "float32")

    @torch.inference_mode()
    def logits(self, questions: Sequence[Question]) -> Tensor:
        """(questions, vocabulary) float32 on the encoder's device."""
        return self._encoder.head(self._vectors[[self._rows[_key(question)] for question in questions]])


def _key(question: Question) -> tuple[int, ...]:
    return question.positions[0], *question.ids
