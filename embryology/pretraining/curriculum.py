"""The batches of a whole run: its sequences and, where the preset says so, longer ones from a step on."""

from collections.abc import Iterator
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from embryology.corpus.store import TokenStore
from embryology.errors import EmbryologyError
from embryology.presets import Outcome
from embryology.pretraining.batches import Batch, Batches


@dataclass(frozen=True)
class Phase:
    """Steps ``first`` to ``after`` - 1, which read ``batches`` from their beginning."""

    first: int
    after: int
    batches: Batches


class Curriculum:
    """Which sequences every step of a run reads."""

    def __init__(self, outcome: Outcome, store: TokenStore, tokenizer: PreTrainedTokenizerFast):
        def read(sequences: int, length: int) -> Batches:
            options = {"sequences": sequences, "length": length, "seed": outcome.seed}
            return Batches(store, tokenizer, outcome.objective, **options)

        turn = outcome.long.from_step if outcome.long else outcome.steps
        self.phases = [Phase(0, turn, read(outcome.sequences, outcome.sequence_length))]
        if outcome.long:
            longer = read(outcome.long.sequences, outcome.long.sequence_length)
            self.phases.append(Phase(turn, outcome.steps, longer))

    def epoch(self, step: int) -> float:
        """How many times the text has been read after ``step`` steps."""
        return sum(
            phase.batches.epoch(min(step, phase.after) - phase.first) for phase in self.phases if step > phase.first
        )

    def ahead(self, done: int, process: int = 0, processes: int = 1, parts: int = 1) -> Iterator[list[Batch]]:
        """What one process reads in every step after ``done``, in ``parts`` that it works through one by one.

        Together the processes read the same sequences, however many they are.

        Raises:
            EmbryologyError: a step's sequences cannot be divided into as many equal parts.
        """
        for phase in self.phases:
            if phase.batches.sequences % (processes * parts):
                raise EmbryologyError(
                    f"{phase.batches.sequences} sequences a step cannot be divided among {processes} processes in "
                    f"{parts} parts each; choose numbers whose product divides it"
                )
            size = phase.batches.sequences // (processes * parts)
            begin = process * parts * size
            rows = [range(begin + part * size, begin + (part + 1) * size) for part in range(parts)]
            if done < phase.after:
                yield from phase.batches.ahead(max(done, phase.first) - phase.first, phase.after - phase.first, rows)
