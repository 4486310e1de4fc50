"""The batches of a whole run, through all its phases."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
from transformers import PreTrainedTokenizerFast

from embryology.corpus.several import Corpora
from embryology.corpus.store import TokenStore
from embryology.errors import EmbryologyError
from embryology.presets import Corpus, Outcome
from embryology.pretraining import order
from embryology.pretraining.batches import Batch, Batches
from embryology.pretraining.in_place import Replacement
from embryology.pretraining.mixture import Mixture


@dataclass(frozen=True)
class Phase:
    """Steps ``first`` to ``after`` - 1, which read ``batches`` from their beginning."""

    first: int
    after: int
    batches: Batches


class Curriculum:
    """Which sequences every step of a run reads.

    Phases that read alike are one here. A later one reads on in the order of the text where sequences of the same
    length had come to, in each text that it reads.
    """

    def __init__(
        self,
        outcome: Outcome,
        store: TokenStore,
        tokenizer: PreTrainedTokenizerFast,
        others: Sequence[TokenStore] = (),
        held_out: TokenStore | None = None,
        surprisals: np.ndarray | None = None,
    ):
        """
        Args:
            outcome: whose phases.
            store: of the run's own text.
            tokenizer: of all texts.
            others: of ``outcome.other_corpora``.
            held_out: of the run's own text, from which comes what is read instead of ``outcome.replaced``.
            surprisals: what the teacher of its order answered, where it has one.

        Raises:
            EmbryologyError: these are missing.
        """
        self.phases: list[Phase] = []
        stores = dict(zip((outcome.corpus, *outcome.other_corpora), (store, *others), strict=True))
        read: Counter[tuple[Corpus, int]] = Counter()  # sequences by their text and length
        for (texts, objective, batch_size, length), alike in groupby(outcome.course, key=lambda stage: stage.reads):
            stages = list(alike)
            first, after = stages[0].first, stages[-1].after
            options = {"batch_size": batch_size, "length": length, "seed": outcome.seed}
            corpora, weights = zip(*texts, strict=True)
            before, count = [read[corpus, length] for corpus in corpora], (after - first) * batch_size
            own = [stores[corpus] for corpus in corpora]
            if len(texts) == 1:
                batches = Batches(own[0], tokenizer, objective, **options, before=before[0])
                counts = [count]
            else:
                batches = Mixture(own, weights, tokenizer, objective, **options, count=count, before=before)
                counts = batches.counts()
            batches.order = order.places(batches, count, outcome, surprisals)
            self.phases.append(Phase(first, after, batches))
            begin = outcome.sequences_until(first)
            if within := {at: chunk for at, chunk in outcome.replaced.items() if begin <= at < begin + count}:
                assert held_out is not None  # where some are replaced
                instead = Batches(held_out, tokenizer, objective, **options)
                batches.replaced = {
                    at - begin: Replacement(instead, chunk, at).of_length for at, chunk in within.items()
                }
            for corpus, drawn in zip(corpora, counts, strict=True):
                read[corpus, length] += drawn

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        corpora: Corpora,
        tokenizer: PreTrainedTokenizerFast,
        surprisals: np.ndarray | None = None,
    ) -> "Curriculum":
        """What a run of ``outcome`` reads of its texts."""
        texts = corpora.own.train, tokenizer, [other.train for other in corpora.others], corpora.own.held_out
        return cls(outcome, *texts, surprisals)

    def epoch(self, step: int) -> float:
        """How many times the text has been read after ``step`` steps."""
        return sum(
            phase.batches.epoch(min(step, phase.after) - phase.first) for phase in self.phases if step > phase.first
        )

    def ahead(
        self, done: int, process: int = 0, processes: int = 1, parts: int = 1, workers: int = 0
    ) -> Iterator[list[Batch]]:
        """What one process reads in every step after ``done``, in ``parts`` that it works through one by one.

        Together the processes read the same sequences, however many they are and have ``workers``.
        """
        for phase in self.phases:
            rows = divide(phase.batches.batch_size, processes, parts)[process]
            if done < phase.after:
                steps = max(done, phase.first) - phase.first, phase.after - phase.first
                yield from phase.batches.ahead(*steps, rows, workers)

    def samples(
        self, done: int, process: int = 0, processes: int = 1, parts: int = 1
    ) -> dict[int, Callable[[], list[Batch]]]:
        """By step, counted from 0, from which on batches of another shape are read after ``done``: two of that shape.

        Each is the first part of what one process reads in a step, as :meth:`ahead` divides it.
        """
        samples: dict[int, Callable[[], list[Batch]]] = {}
        for phase in self.phases:
            rows = divide(phase.batches.batch_size, processes, parts)[process][:1]
            begin = max(done, phase.first)
            if begin < phase.after:
                samples[begin] = partial(_two, phase.batches, begin - phase.first, rows)
        return samples


def _two(batches: Batches, begin: int, rows: list[range]) -> list[Batch]:
    return [part for (part,) in batches.ahead(begin, begin + 2, rows)]


def divide(batch_size: int, processes: int, parts: int) -> list[list[range]]:
    """The rows of a batch by process and part, all parts of one size.

    Raises:
        EmbryologyError: there are no such parts.
    """
    size, remainder = divmod(batch_size, processes * parts)
    if remainder or not size:
        raise EmbryologyError(
            f"batch_size {batch_size} cannot be divided among {processes} processes with gradient_accumulation_steps "
            f"{parts}; choose numbers whose product divides it"
        )
    rows = [range(begin, begin + size) for begin in range(0, batch_size, size)]
    return [rows[process * parts : (process + 1) * parts] for process in range(processes)]
