"""Batches of a fixed shape, each a pure function of (store, settings, seed, step).

The position in the data is a number, so a resumed run reads on exactly where it was, with no state
of a loader to save.
"""

import itertools
import os
import signal
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedTokenizerFast

from embryology.corpus.store import TokenStore
from embryology.corpus.tokenizer import word_starts
from embryology.presets import Objective
from embryology.pretraining.objectives import FOLLOWS, IGNORED, OTHER, choose_words, corrupt

SPECIALS = 3
"""``[CLS]`` and two ``[SEP]``."""
SENTENCES_A_BLOCK = 1_000_000
ORDER_STREAM, SEQUENCE_STREAM, REPLACEMENT_STREAM = 0, 1, 2
"""Apart, so that shuffling, masking and what is read instead never share random numbers."""
NOISES = 2**22
Drawn = tuple[np.ndarray, int, np.ndarray, int, np.random.Generator]
"""What :meth:`Batches.masked` says of a sequence."""
DRAWS = 20
"""Of chunks, among which another document's ending is looked for; a text of one document has none."""


@dataclass(frozen=True)
class Batch:
    """Sequences of ``length`` pieces, with as many places for predictions in each."""

    input_ids: torch.Tensor
    """(sequences, length) int64."""
    token_type_ids: torch.Tensor
    """(sequences, length) int64: 0 in the first segment, 1 in the second."""
    attention_mask: torch.Tensor
    """(sequences, length) bool: false at padding."""
    positions: torch.Tensor
    """(sequences × places,) int64 into the flattened batch: where logits are wanted."""
    labels: torch.Tensor
    """(sequences × places,) int64: the true pieces there, or IGNORED at places not used."""
    pair_labels: torch.Tensor
    """(sequences,) int64: FOLLOWS, OTHER, or IGNORED where nothing is asked or a sequence is a single sentence."""
    noise: torch.Tensor
    """(sequences × places,) int64 below NOISES: by which noise a generator samples, so that ELECTRA's replacements too
    depend on seed, step and place alone; 0, which none has here, samples the first piece."""

    @property
    def counts(self) -> torch.Tensor:
        """(4,) float32: places to predict, pairs that are asked for, and pieces that are no padding, which two parts of
        the loss are means of."""
        places, pairs = (self.labels != IGNORED).sum(), (self.pair_labels != IGNORED).sum()
        pieces = self.attention_mask.sum()
        return torch.stack([places, pairs, pieces, pieces]).float()

    def __reduce__(self) -> tuple:
        # From process to process as bytes: seven tensors in shared memory take several times as long to receive.
        return _of_arrays, tuple(getattr(self, field.name).numpy() for field in fields(self))

    def to(self, device: torch.device) -> "Batch":
        """The batch on ``device``; a copy to an accelerator does not wait for it."""
        tensors = [getattr(self, field.name) for field in fields(self)]
        if device.type == "cuda":
            tensors = [tensor.pin_memory() for tensor in tensors]
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in tensors))


def _of_arrays(*arrays: np.ndarray) -> Batch:
    return Batch(*map(torch.from_numpy, arrays))


def chunks(store: TokenStore, room: int) -> np.ndarray:
    """Cut every document into chunks of whole sentences that fill ``room`` pieces.

    A chunk takes sentences until they reach ``room``; what is too much is trimmed where it is read. A document's last
    chunk reaches back over whole sentences to fill up. Every second document is cut from its end, so that the sentence
    which is too much stands first in as many chunks as last: else the longer segment would mostly be the second one,
    and lengths would tell which came first.

    Returns:
        (n, 2) int64: the first sentence of each chunk and the one after its last.
    """
    rows = array("q")
    documents, begin = store.documents, 0
    while begin < len(documents) - 1:
        # As many documents as make a block, one at least: what is computed a sentence must not grow with the corpus.
        last = int(np.searchsorted(documents, documents[begin] + SENTENCES_A_BLOCK, side="right")) - 1
        end = min(max(last, begin + 1), len(documents) - 1)
        bounds = np.asarray(documents[begin : end + 1])
        lengths = np.diff(store.sentences[bounds[0] : bounds[-1] + 1])
        backwards = (np.arange(begin, end) % 2).astype(bool)
        rows.frombytes((_chunks_of_block(bounds - bounds[0], lengths, backwards, room) + bounds[0]).tobytes())
        begin = end
    return np.frombuffer(rows, np.int64).reshape(-1, 2)


def _chunks_of_block(documents: np.ndarray, lengths: np.ndarray, backwards: np.ndarray, room: int) -> np.ndarray:
    """:func:`chunks` of documents whose sentences, of these ``lengths``, are counted from 0.

    A document that is cut ``backwards`` is turned round first, and its chunks are turned back. Where a chunk ends that
    begins with a sentence is known for every sentence at once; only the walk from one beginning to the next is a loop.
    """
    sizes = np.diff(documents)
    starts, ends = np.repeat(documents[:-1], sizes), np.repeat(documents[1:], sizes)
    turned, places = np.repeat(backwards, sizes), np.arange(len(lengths))
    lengths = lengths[np.where(turned, starts + ends - 1 - places, places)]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    afters = np.minimum(np.searchsorted(offsets, offsets[:-1] + room), ends)
    following = afters.tolist()
    walked: list[int] = []
    for first, end in itertools.pairwise(documents.tolist()):
        while first < end:
            walked.append(first)
            first = following[first]
    begins = np.array(walked, dtype=np.int64)
    afters, starts, ends, turned = afters[begins], starts[begins], ends[begins], turned[begins]
    short = offsets[afters] - offsets[begins] < room
    begins = np.where(short, np.maximum(starts, np.searchsorted(offsets, offsets[ends] - room)), begins)
    filled = offsets[afters] > offsets[begins]
    found = np.stack([begins, afters], axis=1)
    found = np.where(turned[:, None], (starts + ends)[:, None] - found[:, ::-1], found)
    return found[filled]


def trim(first: np.ndarray, second: np.ndarray, room: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two segments without what is too much for ``room`` pieces.

    Piece after piece is taken from the longer one (from the second where they are as long), at its beginning or its end
    by chance, as ``truncate_seq_pair`` of BERT's and ALBERT's code does.
    """
    lengths = len(first), len(second)
    if sum(lengths) > room:
        longer = max(min(lengths), room - min(lengths))  # pieces that are left of it, before both are shortened
        one, other = (min(length, longer) for length in lengths)
        if one + other > room:
            one, other = (room + 1) // 2, room // 2
        begin, begin_other = (rng.binomial(taken, 0.5) for taken in (lengths[0] - one, lengths[1] - other))
        first, second = first[begin : begin + one], second[begin_other : begin_other + other]
    return first, second


class Batches:
    """All batches of a training run, or of an evaluation."""

    def __init__(
        self,
        store: TokenStore,
        tokenizer: PreTrainedTokenizerFast,
        objective: Objective,
        *,
        batch_size: int,
        length: int,
        seed: int,
        before: int = 0,
    ):
        """
        Args:
            store: the side of the corpus to read.
            tokenizer: the one that the store was made with; its special pieces have the lowest ids.
            objective: how much is masked, and in how long n-grams.
            batch_size: sequences a batch.
            length: pieces a sequence.
            seed: of shuffling, cutting and masking.
            before: how many sequences were read before the first batch, which has the next.
        """
        self.store = store
        # Plain arrays on the same memory: slices of a memory map take several times as long.
        self._pieces, self._sentences = np.asarray(store.pieces), np.asarray(store.sentences)
        self.objective = objective
        self.batch_size = batch_size
        self.length = length
        self.seed = seed
        self.before = before
        self.replaced: Mapping[int, Callable[[int], Drawn]] = {}
        """By the places of sequences that are not read, what is read instead, from their length."""
        self.places = max(1, round(objective.mlm_probability * (length - SPECIALS)))
        self.starts = np.array(word_starts(tokenizer)) | (not objective.whole_word_mask)
        self.pad, self.cls = tokenizer.pad_token_id, tokenizer.cls_token_id
        self.sep, self.mask = tokenizer.sep_token_id, tokenizer.mask_token_id
        self.first_ordinary = max(tokenizer.all_special_ids) + 1
        self.chunks = chunks(store, length - SPECIALS)
        self._shuffled = (-1, np.empty(0, np.int64))
        self.order: np.ndarray | None = None
        """(sequences of a run,) int64: which of them is read at each place; None where they are read as they come."""

    def __len__(self) -> int:
        """Batches an epoch, the last one filled up from the next epoch."""
        return -(-len(self.chunks) // self.batch_size)

    def epoch(self, step: int) -> float:
        """How many times ``step`` batches read the text."""
        return step * self.batch_size / len(self.chunks)

    def epoch_order(self, epoch: int) -> np.ndarray:
        """(chunks,): the order in which an epoch reads them."""
        if self._shuffled[0] != epoch:
            rng = np.random.default_rng([self.seed, ORDER_STREAM, epoch])
            self._shuffled = (epoch, rng.permutation(len(self.chunks)))
        return self._shuffled[1]

    def __getitem__(self, step: int) -> Batch:
        """Batch number ``step``, counted from 0. Every epoch reads each chunk once, in an order of its own."""
        return self.part(step, range(self.batch_size))

    def part(self, step: int, rows: range) -> Batch:
        """Some ``rows`` of batch number ``step``: the same sequences, however a batch is divided over devices."""
        shape = (len(rows), self.length)
        ids = np.full(shape, self.pad, np.int64)
        types = np.zeros(shape, np.int64)
        positions = np.zeros((len(rows), self.places), np.int64)
        labels = np.full((len(rows), self.places), IGNORED, np.int64)
        pair_labels = np.full(len(rows), IGNORED, np.int64)
        noise = np.zeros((len(rows), self.places), np.int64)
        objective = self.objective
        for row, place in enumerate(step * self.batch_size + index for index in rows):
            sequence, second, chosen, pair_labels[row], rng = self.read(place)
            ids[row, : len(sequence)] = sequence
            types[row, second : len(sequence)] = 1
            true = sequence[chosen]
            labels[row, : len(chosen)] = true
            positions[row] = row * self.length
            positions[row, : len(chosen)] += chosen
            ids[row, chosen] = corrupt(
                true,
                objective.mask_replace_prob,
                objective.random_replace_prob,
                mask=self.mask,
                first_ordinary=self.first_ordinary,
                vocabulary=len(self.starts),
                rng=rng,
            )
            noise[row] = rng.integers(1, NOISES, self.places)
        tensors = (ids, types, ids != self.pad, positions.ravel(), labels.ravel(), pair_labels, noise.ravel())
        return _of_arrays(*tensors)

    def read(self, place: int) -> Drawn:
        """What is read at a ``place`` of these batches, counted from the first row of the first."""
        planned = self.planned(place)
        return self.replaced[place](len(planned[0])) if place in self.replaced else planned

    def planned(self, place: int) -> Drawn:
        """:meth:`sequence` at a ``place``, before any is replaced."""
        return self.sequence(self.before + (place if self.order is None else int(self.order[place])))

    def chunk(self, number: int) -> int:
        """Of which of the text's ``chunks`` sequence ``number`` is."""
        epoch, rank = divmod(number, len(self.chunks))
        return int(self.epoch_order(epoch)[rank])

    def sequence(self, number: int) -> Drawn:
        """Sequence ``number``, counted over all batches, as the text has it."""
        return self.masked(*self.segments(number))

    def masked(self, segments: list[np.ndarray], label: int, rng: np.random.Generator) -> Drawn:
        """A sequence of these segments, as :meth:`segments` gives them.

        Returns:
            Its pieces with special ones, unpadded; where the second segment begins, or its end; the positions that are
            predicted, whatever stands there; the label of :meth:`segments`; and its random numbers, from which what
            stands at those positions is drawn next.
        """
        sequence = self._assemble(segments)
        maskable = sequence >= self.first_ordinary
        budget = min(self.places, max(1, round(self.objective.mlm_probability * int(np.count_nonzero(maskable)))))
        chosen = choose_words(self.starts[sequence], maskable, budget, self.objective.max_ngram, rng)
        second = len(segments[0]) + 2 if len(segments) == 2 else len(sequence)
        return sequence, second, chosen, label, rng

    def segments(self, number: int) -> tuple[list[np.ndarray], int, np.random.Generator]:
        """The pieces of sequence ``number``, counted over all batches, before any is masked.

        Returns:
            Two segments and their label, or one and IGNORED where a chunk is a single sentence; and the sequence's own
            random numbers, from which masks are drawn next.
        """
        rng = np.random.default_rng([self.seed, SEQUENCE_STREAM, number])
        return *self.of_chunk(self.chunk(number), rng), rng

    def of_chunk(self, chunk: int, rng: np.random.Generator) -> tuple[list[np.ndarray], int]:
        """The segments of a chunk, as :meth:`segments` says."""
        room = self.length - SPECIALS
        first, after = self.chunks[chunk]
        begin, *borders, end = self._sentences[first : after + 1].tolist()
        pieces = self._pieces[begin:end].astype(np.int64)
        last = len(pieces) if self.objective.pair != "none" else room
        inner = [border - begin for border in dict.fromkeys(borders) if 0 < border - begin < last]
        if not inner:
            return [pieces[:room]], IGNORED
        cut = inner[rng.integers(len(inner))]
        segments, label = [pieces[:cut], pieces[cut:]], FOLLOWS
        if self.objective.pair == "none":  # nothing is asked: the text stays in one piece
            return [pieces[:cut], pieces[cut:room]], IGNORED
        if rng.random() < 0.5:
            if self.objective.pair == "sop":
                segments, label = segments[::-1], OTHER
            elif (other := self._another_ending(chunk, len(segments[1]), rng)) is not None:
                segments, label = [segments[0], other], OTHER
        return list(trim(segments[0], segments[1], room, rng)), label

    def _another_ending(self, chunk: int, length: int, rng: np.random.Generator) -> np.ndarray | None:
        """The last sentences of another document's chunk; None where there is no other document.

        Of a few the ones whose length is nearest to that of what they replace, so that lengths tell nothing. BERT's own
        code takes sentences from a random place until they fill the sequence, which in short documents are fewer or
        more than those that follow; and it puts back what is replaced, which here is not read in this epoch.
        """
        drawn = rng.integers(len(self.chunks), size=DRAWS)
        firsts, afters = self.chunks[drawn].T
        documents = np.searchsorted(self.store.documents, [*firsts, self.chunks[chunk, 0]], side="right")
        usable = (documents[:-1] != documents[-1]) & (afters - firsts > 1)
        if not usable.any():
            return None
        firsts, afters = firsts[usable], afters[usable]
        ends = self._sentences[afters]
        shorter = np.searchsorted(self._sentences, ends - length)
        cuts = np.clip([shorter, shorter - 1], firsts + 1, afters - 1)
        begins = self._sentences[cuts]
        nearest = np.unravel_index(np.abs(ends - begins - length).argmin(), begins.shape)
        return self._pieces[begins[nearest] : ends[nearest[1]]].astype(np.int64)

    def _assemble(self, segments: list[np.ndarray]) -> np.ndarray:
        parts = [[self.cls], *(part for segment in segments for part in (segment, [self.sep]))]
        return np.concatenate(parts)

    def ahead(
        self, first: int, after: int, parts: Sequence[range], workers: int = 0, depth: int = 4
    ) -> Iterator[list[Batch]]:
        """The ``parts`` of batches ``first`` to ``after`` - 1, made ``depth`` steps ahead.

        By a background thread, or by ``workers`` processes, each as many steps ahead, where a thread cannot keep up.
        """
        if workers:
            steps = range(first, after)
            yield from DataLoader(
                _Parts(self, parts),
                batch_size=None,
                sampler=steps,
                num_workers=workers,
                prefetch_factor=depth,
                worker_init_fn=_belong_to_the_trainer,
            )
            return
        with ThreadPoolExecutor(1, "batches") as worker:

            def begin(step: int) -> Future:
                return worker.submit(_Parts(self, parts).__getitem__, step)

            waiting = [begin(step) for step in range(first, min(first + depth, after))]
            for step in range(first, after):
                batch = waiting.pop(0).result()
                if step + depth < after:
                    waiting.append(begin(step + depth))
                yield batch


def _belong_to_the_trainer(worker: int) -> None:
    """What a worker does of itself: it leaves signals to the trainer, and ends where that has died.

    Ctrl-C and a scheduler's SIGTERM reach every process, and the trainer ends its step before its workers. A trainer
    that was killed cannot end them, and torch's own watch does not where a batch waits to be sent.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()


def _end_after(trainer: int) -> None:
    while os.getppid() == trainer:
        time.sleep(1)
    os._exit(1)


@dataclass(frozen=True)
class _Parts(Dataset[list[Batch]]):
    """What torch's loader reads: the parts of a batch by its number."""

    batches: Batches
    parts: Sequence[range]

    def __getitem__(self, step: int) -> list[Batch]:
        return [self.batches.part(step, rows) for rows in self.parts]
