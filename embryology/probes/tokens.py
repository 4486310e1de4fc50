"""Which words a model can reconstruct and predict, by part of speech (section 3 of the paper).

*Reconstruction*: the sentence goes in as it is; a word is right only if the largest logit over the
whole vocabulary is its own piece at every one of its positions. *Mask prediction*: one copy of the
sentence a word, with all of its pieces masked and predicted at once, so that their number is seen.
Both are the protocols of the paper's released ``reconstruct.py`` and ``mask_predict.py``. Groups are
single Penn tags, as there; every tag is measured, punctuation too, and the total is over all words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.errors import EmbryologyError
from embryology.models.alignment import align, longest_input
from embryology.models.precision import resolve
from embryology.probes import WHOLE, Probe
from embryology.runs.measurements import row
from embryology.runs.series import Series
from embryology.specs import tokens as spec
from embryology.specs.tokens import SPECIFICATION, TokensSettings
from embryology.treebanks import Sentence, catalogue

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.models.encoder import Encoder

BASELINES = (spec.FREQUENT_WORD, spec.FREQUENT_IN_GROUP)


@dataclass(frozen=True)
class Examples:
    """The scored words of a set: those that own their pieces. ``words`` has a row each, sentence after sentence."""

    settings: TokensSettings
    source: str
    ids: list[list[int]]
    words: pd.DataFrame
    """item_id, sentence, word, group (its tag); ``row`` in ``ids``; ``positions`` and ``pieces`` (tuples); and two
    baselines: whether the word is the most frequent one of the set, and the most frequent one of its tag."""
    masked: np.ndarray
    """Which rows of ``words`` are also predicted from a mask."""
    mask_id: int
    unaligned: int


class TokensProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings: TokensSettings, series: Series) -> dict[str, Any]:
        treebank = catalogue.find(settings.treebank, settings.split)
        return {"treebank": treebank.name, **treebank.identity(), "precision": resolve(settings.precision)}

    def prepare(self, settings: TokensSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        treebank = catalogue.find(settings.treebank, settings.split)
        longest = longest_input(tokenizer, series.checkpoints[0].location)
        return choose_examples(treebank.read(), treebank.label, settings, tokenizer, longest)

    def texts(self, settings: TokensSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> pd.DataFrame:
        treebank = catalogue.find(settings.treebank, settings.split)
        sentences = treebank.read()
        whole = settings.model_copy(update={"sentences": None})
        examples = choose_examples(sentences, treebank.label, whole, tokenizer)
        special, words = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}, examples.words
        contexts = [tuple(piece for piece in ids if piece not in special) for ids in examples.ids]
        before = [next(at for at, piece in enumerate([*ids, -1]) if piece not in special) for ids in examples.ids]
        words = words.assign(
            text=words["sentence"].map({sentence.id: sentence.text for sentence in sentences}),
            context=[contexts[row] for row in words["row"]],
            place=[at[0] - before[row] for at, row in zip(words["positions"], words["row"], strict=True)],
        )
        return words[["item_id", "text", "word", "pieces", "context", "place"]]

    def measure(
        self, encoder: Encoder, examples: Examples, part: str = WHOLE
    ) -> tuple[list[dict[str, Any]], pd.DataFrame]:
        """Accuracy (Wilson) and mean log-probability in nats (bootstrap over sentences), by tag and in total.

        ``log_probability`` is the mean over words of the mean over a word's true pieces. Mask
        prediction has no total where its words are capped by tag: such a sample has no natural mix.
        Baselines are rows of their own: ``most-frequent-word`` guesses the set's most frequent word
        (punctuation is none) everywhere, ``most-frequent-in-group`` that of the tag; words are the same
        if their pieces are. Items say of each word whether these answers are right, as its own is.
        """
        settings = examples.settings
        n = examples.unaligned + len(examples.words)
        share = examples.unaligned / n
        unaligned = intervals.wilson(examples.unaligned, n)
        rows = [row(spec.ALIGNMENT, "", spec.SHARE_UNALIGNED, share, unaligned, n, seed=settings.seed, unit="word")]
        items = []
        for task, words, total in (
            (spec.RECONSTRUCTION, examples.words, True),
            (spec.MASK_PREDICTION, examples.words.iloc[examples.masked], settings.mask_words_per_tag is None),
        ):
            scored = words.assign(task=task, **_score(encoder, examples, words, task))
            rows += _accuracies(task, scored, total, settings.seed)
            rows += _log_probabilities(task, scored, total, len(examples.ids), settings.seed)
            items.append(scored)
        columns = ["item_id", "sentence", "word", "group", "task", "correct", *BASELINES, "log_probability"]
        return rows, pd.concat(items, ignore_index=True)[columns].assign(source=examples.source)


def choose_examples(
    sentences: Sequence[Sentence],
    source: str,
    settings: TokensSettings,
    tokenizer: PreTrainedTokenizerFast,
    max_length: int | None = None,
) -> Examples:
    """Tokenise and align sentences, and choose those and the words to score.

    Args:
        sentences: of a treebank, in its order.
        source: human label of the treebank.
        settings: caps, alignment and seed.
        tokenizer: the models'.
        max_length: most ids a model reads; words beyond are unaligned.
    """
    rng = np.random.default_rng(settings.seed)
    chosen = [sentences[i] for i in _draw(np.zeros(len(sentences), int), settings.sentences, rng)]
    aligned = align(
        tokenizer,
        [sentence.text for sentence in chosen],
        [[(word.start, word.end) for word in sentence.words] for sentence in chosen],
        settings.alignment,
        max_length,
    )
    words = pd.DataFrame(
        [
            (
                f"{sentence.id}:{number}",
                sentence.id,
                word.form,
                word.tag,
                row,
                positions,
                tuple(alignment.ids[position] for position in positions),
            )
            for row, (sentence, alignment) in enumerate(zip(chosen, aligned, strict=True))
            for number, (word, positions) in enumerate(zip(sentence.words, alignment.words, strict=True), start=1)
        ],
        columns=["item_id", "sentence", "word", "group", "row", "positions", "pieces"],
    )
    scored = words[words["positions"].map(len) > 0].reset_index(drop=True)
    if scored.empty:
        raise EmbryologyError(f"{source}: none of {len(words)} words could be aligned with the tokenizer's pieces")
    same = pd.Series(pd.factorize(scored["pieces"])[0])
    # A comma is more frequent than any word, and nobody's idea of the most frequent word.
    is_word = scored["word"].str.contains(r"\w", regex=True)
    scored[BASELINES[0]] = same == same[is_word if is_word.any() else slice(None)].mode()[0]
    scored[BASELINES[1]] = same == same.groupby(scored["group"]).transform(lambda group: group.mode()[0])
    return Examples(
        settings=settings,
        source=source,
        ids=[alignment.ids for alignment in aligned],
        words=scored,
        masked=_draw(scored["group"].factorize()[0], settings.mask_words_per_tag, rng),
        mask_id=tokenizer.mask_token_id,
        unaligned=len(words) - len(scored),
    )


def _draw(groups: np.ndarray, most: int | None, rng: np.random.Generator) -> np.ndarray:
    """Row numbers, rising: at most ``most`` of each group, drawn evenly. A smaller draw lies within a larger one."""
    lots = pd.Series(rng.random(len(groups)))
    if most is None:
        return np.arange(len(groups))
    return np.flatnonzero(lots.groupby(groups).rank(method="first") <= most)


def _score(encoder: Encoder, examples: Examples, words: pd.DataFrame, task: str) -> dict[str, np.ndarray]:
    """For every word whether all of its pieces are right, and the mean log-probability of them."""
    positions, pieces = words["positions"].tolist(), words["pieces"].tolist()
    if task == spec.RECONSTRUCTION:
        sequences = examples.ids
        places: list[list[int]] = [[] for _ in sequences]
        targets: list[list[int]] = [[] for _ in sequences]
        for row, at, true in zip(words["row"], positions, pieces, strict=True):
            places[row] += at
            targets[row] += true
    else:
        sequences, places, targets = [], positions, pieces
        for row, at in zip(words["row"], positions, strict=True):
            sequence = list(examples.ids[row])
            for position in at:
                sequence[position] = examples.mask_id
            sequences.append(sequence)
    predictions = encoder.predict(sequences, places, targets, examples.settings.precision)
    lengths = np.array([len(at) for at in positions])
    starts = np.cumsum(lengths) - lengths
    right = predictions.top == np.concatenate(pieces)
    sums = np.add.reduceat(predictions.log_probability, starts, dtype=np.float64)
    return {
        "correct": np.logical_and.reduceat(right, starts),
        "log_probability": (sums / lengths).astype(np.float32),
    }


def _accuracies(task: str, scored: pd.DataFrame, total: bool, seed: int) -> list[dict[str, Any]]:
    rows = []
    for column in ("correct", *BASELINES):
        counts = scored.groupby("group")[column].agg(["sum", "size"])
        if total:
            counts.loc[""] = counts.sum()
        baseline = None if column == "correct" else column
        for tag, right, n in counts.itertuples():
            # Words of one tag hardly depend on each other; those of one sentence together do.
            over_words, over_sentences = intervals.wilson(right, n), intervals.by_unit(scored[column], scored["row"])
            interval, unit = (over_words, "word") if tag else (intervals.of_share(*over_sentences), "sentence")
            rows.append(row(task, tag, spec.ACCURACY, right / n, interval, n, seed=seed, baseline=baseline, unit=unit))
    return rows


def _log_probabilities(task: str, scored: pd.DataFrame, total: bool, sentences: int, seed: int) -> list[dict[str, Any]]:
    numbers, tags = pd.factorize(scored["group"], sort=True)
    sums = np.zeros((sentences, len(tags)))
    counts = np.zeros_like(sums)
    np.add.at(sums, (scored["row"], numbers), scored["log_probability"])
    np.add.at(counts, (scored["row"], numbers), 1)
    if total:
        tags = [*tags, ""]
        sums, counts = (np.column_stack([table, table.sum(axis=1)]) for table in (sums, counts))
    ends = np.stack(intervals.of_mean(sums, counts), axis=1)
    values, n = sums.sum(axis=0) / counts.sum(axis=0), counts.sum(axis=0)
    return [
        row(task, tag, spec.LOG_PROBABILITY, value, tuple(interval), count, seed=seed, unit="sentence")
        for tag, value, interval, count in zip(tags, values, ends, n, strict=True)
    ]
