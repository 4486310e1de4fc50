"""What is read in the place of a sequence: of the same length, so that nothing else of its batch changes."""

from dataclasses import dataclass

import numpy as np

from embryology.errors import EmbryologyError
from embryology.pretraining.batches import REPLACEMENT_STREAM, Batches, Drawn, trim


@dataclass(frozen=True)
class Replacement:
    """A chunk that is read in the place of a sequence."""

    batches: Batches
    """Of the text that it is of."""
    chunk: int
    number: int
    """Of the sequence among all that a run reads, from which come its random numbers."""

    def of_length(self, length: int) -> Drawn:
        """The chunk as a sequence of ``length`` pieces, with special ones.

        Raises:
            EmbryologyError: there is no such chunk, or it is shorter.
        """
        if self.chunk >= len(self.batches.chunks):
            raise EmbryologyError(f"replaced: the held-out text has {len(self.batches.chunks)} chunks, no {self.chunk}")
        rng = np.random.default_rng([self.batches.seed, REPLACEMENT_STREAM, self.number])
        segments, label = self.batches.of_chunk(self.chunk, rng)
        room = length - 1 - len(segments)
        if (pieces := sum(map(len, segments))) < room:
            raise EmbryologyError(f"replaced: chunk {self.chunk} of the held-out text has {pieces} of {room} pieces")
        first, *second = segments
        cut = list(trim(first, second[0], room, rng)) if second else [first[:room]]
        return self.batches.masked(cut, label, rng)
