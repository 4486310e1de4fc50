"""When training read each word and each fact, and whether it was asked for there: batches are functions of their
number, so no weights are needed.

A word is where its pieces stand between two borders of words (:mod:`embryology.corpus.frequency`), a fact where its
subject and its object stand whole in one sequence (:mod:`embryology.facts.together`); both as the model reads them, so
that a word whose beginning was trimmed away is not there. One is *masked* in a sequence where all of its pieces (of a
fact, the object's), at one of its places at least, are to be predicted, whether ``[MASK]`` stands there or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from embryology.corpus.frequency import borders
from embryology.corpus.occurrences import occurrences
from embryology.corpus.store import TokenStore
from embryology.errors import EmbryologyError
from embryology.facts.together import ends_words, names_of
from embryology.pretraining.curriculum import Curriculum

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.runs.series import Series

SEQUENCES_A_BLOCK = 4096
COUNTS = ["sequences", "masked"]


class Read(NamedTuple):
    """What some steps read, in their order."""

    store: TokenStore
    """Sequences with their special pieces, one after the other, each a sentence of the store."""
    masked: np.ndarray
    """(pieces,) bool: those to be predicted."""
    steps: np.ndarray
    """(sequences,) int64 rising: the step, counted from 1, that read each."""
    number: int
    """Of the first sequence, among all that the run reads, from 0."""


def read(curriculum: Curriculum, after: int = 0, until: int | None = None) -> Iterator[Read]:
    """What a run reads after a step, up to another or its end, some steps at a time."""
    number = 0
    for phase in curriculum.phases:
        size = phase.batches.batch_size
        at_once = max(1, SEQUENCES_A_BLOCK // size)
        end = phase.after if until is None else min(until, phase.after)
        for begin in range(max(after, phase.first), end, at_once):
            steps = np.arange(begin, min(begin + at_once, end))
            first = (begin - phase.first) * size
            drawn = [phase.batches.read(place) for place in range(first, first + len(steps) * size)]
            bounds = np.cumsum([0, *(len(sequence) for sequence, *_ in drawn)])
            masked = np.zeros(bounds[-1], bool)
            masked[np.concatenate([at + chosen for at, (_, _, chosen, *_) in zip(bounds, drawn, strict=False)])] = True
            pieces = np.concatenate([sequence for sequence, *_ in drawn])
            store = TokenStore(pieces, bounds, np.array([0, len(drawn)]))
            yield Read(store, masked, np.repeat(steps + 1, size), number + first)
        number += (phase.after - phase.first) * size


class Words:
    """Finds words in what was read."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, words: Sequence[tuple[int, ...]]):
        """``words``: as pieces, all different."""
        self.words = words
        self.begins, self.ends = borders(tokenizer)

    def __len__(self) -> int:
        return len(self.words)

    def find(self, read: Read) -> pd.DataFrame:
        """``unit`` (which word), ``step``, how many ``sequences`` of that step have it, and in how many it is
        ``masked``; a row a word and step where it stands in any."""
        return _by_step(self.standing(read), read.steps)

    def standing(self, read: Read) -> pd.DataFrame:
        """``unit``, ``sequence`` (which of ``read``) and whether it is ``masked`` there, where it stands in one."""
        pieces = read.store.pieces
        border = np.concatenate([[True], self.ends[pieces[:-1]] | self.begins[pieces[1:]], [True]])
        return _standing(read, self.words, len(self.begins), border, border)


class Facts:
    """Finds facts, subject with object, in what was read."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, pairs: Sequence[tuple[str, str]]):
        """``pairs``: names of subject and object."""
        self.names, self.subjects, self.objects = names_of(tokenizer, pairs)
        self.ends = ends_words(tokenizer)
        empty = [at for at, name in enumerate(self.names) if not name]
        self.known = ~(np.isin(self.subjects, empty) | np.isin(self.objects, empty))
        """(pairs,) bool: not of those with a name of an unknown piece, which cannot be found."""

    def __len__(self) -> int:
        return len(self.subjects)

    def find(self, read: Read) -> pd.DataFrame:
        """As :meth:`Words.find`, ``unit`` which pair."""
        return _by_step(self.standing(read), read.steps)

    def standing(self, read: Read) -> pd.DataFrame:
        """As :meth:`Words.standing`."""
        over = np.append(self.ends[read.store.pieces], True)
        found = _standing(read, self.names, len(self.ends), np.ones(len(over), bool), over)
        shape = len(self.names), len(read.steps)
        holds, masked = (
            sparse.csr_array((np.ones(len(some)), (some["unit"], some["sequence"])), shape=shape)
            for some in (found, found[found["masked"]])
        )
        both = sparse.coo_array(holds[self.subjects].multiply(holds[self.objects] + masked[self.objects]))
        return pd.DataFrame({"unit": both.row, "sequence": both.col, "masked": both.data > 1})


def _standing(
    read: Read, sequences: Sequence[tuple[int, ...]], vocabulary: int, may_begin: np.ndarray, may_end: np.ndarray
) -> pd.DataFrame:
    """``unit``, ``sequence`` and ``masked`` of each of ``sequences`` (pieces) in each sequence that has it whole.

    ``may_begin``, ``may_end``: (pieces + 1,) bool, whether one may begin or end before each piece.
    """
    before = np.concatenate([[0], read.masked.cumsum()])
    tables = []
    for found in occurrences(read.store, sequences, vocabulary):
        whole = may_begin[found.first] & may_end[found.after]
        first, after = found.first[whole], found.after[whole]
        masked = before[after] - before[first] == after - first
        tables.append(
            pd.DataFrame({"unit": found.sequence[whole], "sequence": found.sentence[whole], "masked": masked})
        )
    if not tables:
        return pd.DataFrame({"unit": [], "sequence": [], "masked": []}).astype({"unit": int, "masked": bool})
    return pd.concat(tables).groupby(["unit", "sequence"], as_index=False)["masked"].any()


def _by_step(found: pd.DataFrame, steps: np.ndarray) -> pd.DataFrame:
    found = found.assign(step=steps[found["sequence"].to_numpy(int)])
    return found.groupby(["unit", "step"], as_index=False).agg(sequences=("masked", "size"), masked=("masked", "sum"))


def by_checkpoint(found: Iterable[pd.DataFrame], units: int, checkpoints: Sequence[int]) -> pd.DataFrame:
    """Exposures between checkpoints, which is as finely as measurements can tell.

    Args:
        found: of :meth:`Words.find` or :meth:`Facts.find`, whatever came first.
        units: how many words or facts.
        checkpoints: rising steps; those at 0 or before the first step have read nothing, and are left out.

    Returns:
        A row a unit and checkpoint, those without exposures too: ``unit``; ``step`` of the checkpoint; ``sequences``
        and ``masked`` in the steps after the checkpoint before, up to its own; ``first`` and ``last``, the steps of the
        first and the last of them, 0 where there are none.
    """
    ends = np.array([step for step in checkpoints if step > 0])
    shape = units, len(ends)
    counts = {name: np.zeros(shape, np.int64) for name in COUNTS}
    first, last = np.full(shape, np.iinfo(np.int64).max), np.zeros(shape, np.int64)
    for table in found:
        unit, step = table["unit"].to_numpy(), table["step"].to_numpy()
        interval = np.searchsorted(ends, step)
        within = interval < len(ends)  # steps after the last checkpoint
        at = unit[within], interval[within]
        for name in COUNTS:
            np.add.at(counts[name], at, table[name].to_numpy()[within])
        np.minimum.at(first, at, step[within])
        np.maximum.at(last, at, step[within])
    first[last == 0] = 0
    unit, step = np.repeat(np.arange(units), len(ends)), np.tile(ends, units)
    table = pd.DataFrame({"unit": unit, "step": step})
    return table.assign(**{name: each.ravel() for name, each in counts.items()}, first=first.ravel(), last=last.ravel())


def properties(
    texts: dict[str, pd.DataFrame], curriculum: Curriculum, tokenizer: PreTrainedTokenizerFast, series: Series
) -> dict[str, pd.DataFrame]:
    """By probe the exposures of its items, of :func:`by_checkpoint`: ``item_id`` and ``task`` instead of ``unit``.

    Items that are words of the same pieces have the same exposures, which stand at the first of them.

    Args:
        texts: by probe, with ``item_id`` and ``pieces`` (words), or ``subject`` and ``word`` (facts).
        curriculum, tokenizer: of the run.
        series: a run of this version of training.

    Raises:
        EmbryologyError: the batches are not those that it was trained on, by how many pieces it read.
    """
    assert series.manifest is not None  # else there is no training text
    items: dict[str, pd.DataFrame] = {}
    finders: dict[str, Words | Facts] = {}
    for probe, table in texts.items():
        if "subject" in table:
            facts = Facts(tokenizer, list(zip(table["subject"], table["word"], strict=True)))
            items[probe], finders[probe] = table[facts.known], facts
        else:
            items[probe] = table.drop_duplicates("pieces")
            finders[probe] = Words(tokenizer, items[probe]["pieces"].tolist())
    found: dict[str, list[pd.DataFrame]] = {probe: [] for probe in texts}
    pieces = np.zeros(series.manifest.outcome.steps + 1, np.int64)
    for some in read(curriculum):
        pieces += np.bincount(some.steps, np.diff(some.store.sentences), len(pieces)).astype(np.int64)
        for probe, finder in finders.items():
            found[probe].append(finder.find(some))
    _refuse_others(pieces.cumsum(), series)
    tables = {}
    for probe, finder in finders.items():
        table = by_checkpoint(found[probe], len(finder), [each.step for each in series.checkpoints])
        if isinstance(finder, Facts):
            table = table[finder.known[table["unit"]]]
        names = items[probe][[name for name in ("task", "item_id") if name in items[probe]]]
        times = len(table) // max(len(names), 1)
        names = names.loc[names.index.repeat(times)].reset_index(drop=True)
        tables[probe] = pd.concat([names, table.drop(columns="unit").reset_index(drop=True)], axis=1)
    return tables


def _refuse_others(pieces: np.ndarray, series: Series) -> None:
    """``pieces``: read after each step."""
    for checkpoint in series.checkpoints:
        if checkpoint.tokens != pieces[checkpoint.step]:
            raise EmbryologyError(
                f"{series.name} had read {checkpoint.tokens:,} pieces by step {checkpoint.step}, and its batches as "
                f"they are drawn now have {pieces[checkpoint.step]:,}: they are others (another text, or another "
                "version of numpy or sentencex)"
            )
