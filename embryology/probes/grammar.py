"""Which of two sentences that differ in little a model prefers: minimal pairs, by phenomenon.

A sentence's score is its pseudo-log-likelihood, the sum of the log-probabilities of its pieces, each masked alone
(Salazar et al. 2020). A word of several pieces is then easy to guess from the pieces of it that stay, so that
it is scored left to right beside that (Kauf and Ivanova 2023); and where one word decides, by that word alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.corpus import several
from embryology.errors import EmbryologyError
from embryology.grammar import Published, pair_sets
from embryology.grammar.questions import Asked, ask
from embryology.models.alignment import longest_input
from embryology.models.precision import resolve
from embryology.probes import WHOLE as ALL_PARTS
from embryology.probes import Probe
from embryology.runs.measurements import row
from embryology.runs.series import Series
from embryology.specs import grammar as spec
from embryology.specs.grammar import SPECIFICATION, GrammarSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.models.encoder import Encoder

GOLD, BUNDLED = "blimp", "silver"
PIECES_AT_ONCE = 2**22
"""Of the training text, while they are counted."""
SAME = 1e-9
"""Nats within which two sums of log frequencies are the same, whatever the order of their terms."""


@dataclass(frozen=True)
class PairSet:
    """A set as a model is asked it."""

    label: str
    asked: list[Asked]
    """All pairs, or those that were drawn where the whole is asked of no checkpoint."""
    drawn: np.ndarray
    """Numbers of those that every checkpoint is asked, rising."""
    excluded: Counter[tuple[str, str]]
    """Pairs that are not asked, by paradigm and reason."""
    published: list[Published]
    blind: dict[str, np.ndarray]
    """By baseline whether it is right of each pair: 1, 0 or a half; nan where the training text is not at hand."""


@dataclass(frozen=True)
class Examples:
    settings: GrammarSettings
    sets: dict[str, PairSet]
    mask_id: int
    last: int
    """The step of the last checkpoint."""


class GrammarProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings: GrammarSettings, series: Series) -> dict[str, Any]:
        identities = {name: pair_sets.find(name).identity() for name in _sets(settings)}
        corpus = several.of_run(series.folder)
        text = corpus.text_sha256 if corpus else None
        # Of the last checkpoint more is asked: one that was the last and is so no longer is measured anew.
        last = series.checkpoints[-1].sha256 if settings.whole and settings.pairs is not None else None
        return identities | {"precision": resolve(settings.precision), "training text": text, "last": last}

    def prepare(self, settings: GrammarSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        longest = longest_input(tokenizer, series.checkpoints[0].location)
        corpus = several.of_run(series.folder)
        frequencies = log_frequencies(corpus.train.pieces, len(tokenizer)) if corpus else None
        sets = {}
        for name in _sets(settings):
            chosen = pair_sets.find(name)
            reading = chosen.read()
            excluded: Counter[tuple[str, str]] = Counter()
            asked = ask(reading.pairs, tokenizer, longest, excluded)
            if not asked:
                raise EmbryologyError(f"{name}: none of its {len(reading.pairs):,} pairs can be asked of this model")
            drawn = draw([each.pair.paradigm for each in asked], settings.pairs, settings.seed)
            if not settings.whole:
                asked, drawn = [asked[i] for i in drawn], np.arange(len(drawn))
            blind = blind_answers(asked, frequencies)
            sets[name] = PairSet(chosen.label, asked, drawn, excluded, reading.published, blind)
        assert tokenizer.mask_token_id is not None  # of a model with a masked head
        return Examples(settings, sets, tokenizer.mask_token_id, series.checkpoints[-1].step)

    def measure(
        self, encoder: Encoder, examples: Examples, part: str = ALL_PARTS
    ) -> tuple[list[dict[str, Any]], pd.DataFrame]:
        """Accuracy by phenomenon and in total, and every pair.

        A task is a set, ``set/whole`` at the last checkpoint all of it, by paradigm too. Intervals are over pairs, or
        over sentences where several pairs are made of one; paradigms are those of the set, and others would be
        something else.
        """
        rows, items, seed = [], [], examples.settings.seed
        for name, chosen in examples.sets.items():
            whole = encoder.step == examples.last and len(chosen.drawn) < len(chosen.asked)
            scored = _scored(encoder, examples, chosen, np.arange(len(chosen.asked)) if whole else chosen.drawn)
            tables = {name: scored[scored["number"].isin(chosen.drawn)]}
            if whole:
                tables[f"{name}/{spec.WHOLE}"] = scored
            for task, table in tables.items():
                groups = {"": table, **dict(iter(table.groupby("group")))}
                if len(table) == len(chosen.asked):  # of a sample paradigms have too few
                    groups = {**dict(iter(table.groupby("paradigm"))), **groups}  # a phenomenon may have one, its own
                    rows += [
                        row(task, each.paradigm, spec.ACCURACY, each.accuracy, n=each.n, baseline=each.who)
                        for each in chosen.published
                    ]
                for group, own in groups.items():
                    rows += _summaries(task, str(group), own, seed)
                items.append(table.assign(task=task, source=chosen.label))
            rows += [
                row(name, paradigm, spec.EXCLUDED, count, n=count, seed=seed, reason=reason)
                for (paradigm, reason), count in chosen.excluded.items()
            ]
        return rows, pd.concat(items, ignore_index=True).drop(columns="number")


def draw(paradigms: Sequence[str], most: int | None, seed: int) -> np.ndarray:
    """Numbers of pairs, rising: at most ``most`` of each paradigm, drawn evenly. Smaller draws lie in larger ones."""
    if most is None:
        return np.arange(len(paradigms))
    lots = pd.Series(np.random.default_rng(seed).random(len(paradigms)))
    return np.flatnonzero(lots.groupby(list(paradigms)).rank(method="first") <= most)


def log_frequencies(pieces: np.ndarray, vocabulary: int) -> np.ndarray:
    """(vocabulary,) log of each piece's share of the training text, one added to each count."""
    counts = np.ones(vocabulary)
    for first in range(0, len(pieces), PIECES_AT_ONCE):
        counts += np.bincount(np.asarray(pieces[first : first + PIECES_AT_ONCE]), minlength=vocabulary)
    logs: np.ndarray = np.log(counts / counts.sum())
    return logs


def blind_answers(asked: Sequence[Asked], frequencies: np.ndarray | None) -> dict[str, np.ndarray]:
    """By baseline (pairs,): 1 where it prefers the grammatical sentence, 0 where the other, a half where neither."""
    lengths = np.array([(len(each.good.positions), len(each.bad.positions)) for each in asked])
    answers = {spec.SHORTER: (1 + np.sign(lengths[:, 1] - lengths[:, 0])) / 2}
    unigram = np.full(len(asked), np.nan)
    if frequencies is not None:
        sums = np.array(
            [[frequencies[[s.ids[p] for p in s.positions]].sum() for s in (each.good, each.bad)] for each in asked]
        )
        more = sums[:, 0] - sums[:, 1]
        unigram = (1 + np.where(np.abs(more) < SAME, 0, np.sign(more))) / 2
    return answers | {spec.UNIGRAM: unigram}


def _sets(settings: GrammarSettings) -> tuple[str, ...]:
    return settings.sets or ((GOLD,) if pair_sets.is_there(GOLD) else (BUNDLED,))


def _scored(encoder: Encoder, examples: Examples, chosen: PairSet, numbers: np.ndarray) -> pd.DataFrame:
    """A row a pair of these numbers."""
    from embryology.grammar.scores import score  # late: it loads torch, and a start that finds all measured needs none

    asked = [chosen.asked[i] for i in numbers]
    original, within_word, critical = score(encoder, asked, examples.mask_id, examples.settings.precision).T
    pairs = [each.pair for each in asked]
    return pd.DataFrame(
        {
            "number": numbers,
            "item_id": [pair.id for pair in pairs],
            "sentence": [pair.unit for pair in pairs],
            "group": [pair.phenomenon for pair in pairs],
            "paradigm": [pair.paradigm for pair in pairs],
            "correct": original > 0,
            "corrected": within_word > 0,
            "critical": np.where(np.isnan(critical), np.nan, critical > 0),
            "difference": original.astype(np.float32),
            "pieces": [len(each.good.positions) + len(each.bad.positions) for each in asked],
            **{name: right[numbers] for name, right in chosen.blind.items()},
        }
    )


SHARES = (
    (spec.ACCURACY, "correct", None),
    (spec.CORRECTED, "corrected", None),
    (spec.CRITICAL, "critical", None),
    (spec.ACCURACY, spec.SHORTER, spec.SHORTER),
    (spec.ACCURACY, spec.UNIGRAM, spec.UNIGRAM),
)
"""Metric, column of the pairs and baseline."""


def _summaries(task: str, group: str, scored: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    rows = []
    unit = "pair" if scored["sentence"].is_unique else "sentence"
    for metric, column, baseline in (*SHARES, (spec.DIFFERENCE, "difference", None)):
        there = scored[scored[column].notna()]
        if len(there):
            by_unit = intervals.by_unit(there[column].to_numpy(float), there["sentence"].to_numpy())
            interval = (intervals.of_mean if metric == spec.DIFFERENCE else intervals.of_share)(*by_unit)
            value = there[column].astype(float).mean()
            rows.append(row(task, group, metric, value, interval, len(there), seed=seed, baseline=baseline, unit=unit))
    rows.append(row(task, group, spec.ACCURACY, 0.5, n=len(scored), seed=seed, baseline=spec.CHANCE))
    ties = int((scored["difference"] == 0).sum())
    return [*rows, row(task, group, spec.TIES, ties, n=len(scored), seed=seed)]
