"""What a model says in some plain sentences: the likeliest words at a mask, and the words that it gives back.

The sentences are ours, and so is the text in the tables: a page shows it at every checkpoint. A gap is asked as the
tokens probe asks: all pieces of a word are masked at once, so that their number is seen. At each mask the model gives a
distribution over its vocabulary, and the probability of a word is the product over its pieces, which over all strings
of so many pieces sums to 1; the likeliest of them are found exactly. Whole sentences are given back as in section 3 of
the paper.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.corpus.words import SPACELESS
from embryology.errors import EmbryologyError
from embryology.grammar import Pair
from embryology.grammar.questions import Asked, ask
from embryology.models.alignment import Span, align, longest_input
from embryology.probes import WHOLE, Probe
from embryology.runs.measurements import row
from embryology.runs.series import Series
from embryology.specs import completions as spec
from embryology.specs.completions import SPECIFICATION, CompletionsSettings
from embryology.storage.files import sha256_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.models.encoder import Encoder

SENTENCES = (
    "He was born in a small town in [the] north.",
    "It is one [of] the largest islands in the world.",
    "London is the largest city [in] England.",
    "There [are] seven days in a week.",
    "She opened the door and saw [her] brother.",
    "The dog barked at the man [who] crossed the street.",
    "The river flows [through] the city and into the sea.",
    "Winter is colder [than] summer.",
    "They have lived in this house for many [years].",
    "The book was written in the nineteenth [century].",
    "The king and his [son] died in the war.",
    "The film was directed by a [woman] from Japan.",
    "The [sun] rises in the east and sets in the west.",
    "Water is made of hydrogen and [oxygen].",
    "People speak [English] in Australia.",
    "The capital of France is [Paris].",
)
PAIRS = (
    ("He was born in a small town.", "He was born in small a town."),
    ("They went to the sea.", "Them went to the sea."),
    ("The dogs are in the garden.", "The dogs is in the garden."),
    ("The keys to the house are lost.", "The keys to the house is lost."),
    ("She has written many books.", "She has write many books."),
    ("This is one of the oldest cities.", "This is one of the oldest city."),
    ("The man hurt himself.", "The man hurt herself."),
    ("Nobody has ever seen the king.", "Everybody has ever seen the king."),
)
NOT_ITS_OWN, UNKNOWN = "shares a piece with its neighbours, or is beyond the input", "has an unknown piece"
"""Why a word is not asked for."""
COLUMNS = [column for column in SPECIFICATION.kept_items if column != "step"]


@dataclass(frozen=True)
class Examples:
    settings: CompletionsSettings
    source: str
    ids: list[list[int]]
    """Of the sentences, whole."""
    words: pd.DataFrame
    """A row a word that is given back: ``sentence``, ``text``, ``start``, ``end``, ``word``; ``row`` in ``ids``;
    ``positions`` and ``pieces``, tuples."""
    gaps: pd.DataFrame
    """The same of masked words."""
    pairs: list[Asked]
    excluded: Counter[tuple[str, str]]
    """What is not asked, by task and reason."""
    tokenizer: PreTrainedTokenizerFast


class CompletionsProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings: CompletionsSettings, series: Series) -> dict[str, Any]:
        asked = {"sentences": sha256_of(_sentences(settings)), "pairs": sha256_of(_pairs(settings))}
        return asked | {"language": settings.language, "precision": settings.precision}

    def prepare(self, settings: CompletionsSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        return choose_examples(settings, tokenizer, longest_input(tokenizer, series.checkpoints[0].location))

    def measure(
        self, encoder: Encoder, examples: Examples, part: str = WHOLE
    ) -> tuple[list[dict[str, Any]], pd.DataFrame]:
        """Shares of gaps, words and pairs that are right, and every answer; intervals over sentences, or pairs.

        Items of the task ``gap`` are the masked words, with the likeliest answer; of ``answer`` the likeliest ones by
        rank; of ``reconstruction`` the words of whole sentences; of ``preference`` pairs.
        """
        gaps, answers = _filled(encoder, examples)
        words, pairs = _given_back(encoder, examples), _preferred(encoder, examples)
        frequent = _most_frequent(examples)
        rows = []
        for task, told, asked in ((spec.GAP, gaps, examples.gaps), (spec.RECONSTRUCTION, words, examples.words)):
            if len(told):
                same = asked["pieces"].map(lambda pieces: pieces == frequent)
                rows.append(_share(task, spec.ACCURACY, told["correct"], told["sentence"]))
                rows.append(_share(task, spec.ACCURACY, same, told["sentence"], baseline=spec.FREQUENT_WORD))
        among = answers.groupby("sentence", as_index=False)["correct"].any()
        rows.append(_share(spec.GAP, spec.AMONG, among["correct"], among["sentence"]))
        nats = gaps["nats"].to_numpy()
        ends = intervals.of_mean(nats, np.ones(len(nats)))
        rows.append(row(spec.GAP, "", spec.LOG_PROBABILITY, nats.mean(), ends, len(nats), unit="sentence"))
        if len(pairs):
            rows.append(_share(spec.PREFERENCE, spec.ACCURACY, pairs["correct"], pairs["sentence"], "pair"))
            rows.append(row(spec.PREFERENCE, "", spec.ACCURACY, 0.5, n=len(pairs), baseline=spec.CHANCE))
        for (task, reason), count in examples.excluded.items():
            rows.append(row(task, "", spec.EXCLUDED, count, n=count, reason=reason))
        items = pd.concat([gaps, answers, words, pairs], ignore_index=True)
        items = items.astype({"start": "Int32", "end": "Int32", "pieces": "Int32", "rank": "int32", "correct": bool})
        return rows, items.assign(source=examples.source)[COLUMNS]


def choose_examples(settings: CompletionsSettings, tokenizer: PreTrainedTokenizerFast, longest: int) -> Examples:
    """Find the pieces of the sentences' words.

    Args:
        settings: which sentences.
        tokenizer: the models'.
        longest: most ids a model reads.

    Raises:
        EmbryologyError: no gap can be asked.
    """
    texts, marked = [], []
    for sentence in _sentences(settings):
        (gap,) = spec.MARKED.finditer(sentence)
        texts.append(sentence[: gap.start()] + gap[1] + sentence[gap.end() :])
        marked.append((gap.start(), gap.start() + len(gap[1])))
    excluded: Counter[tuple[str, str]] = Counter()
    every = [[*_words(text)] for text in texts]
    words = _aligned(tokenizer, texts, every, slice(None), longest, excluded, spec.RECONSTRUCTION)
    # What stands around a gap are words, too: a piece that a word shares with them is not its own.
    parts = [[(0, start), (start, end), (end, len(text))] for text, (start, end) in zip(texts, marked, strict=True)]
    gaps = _aligned(tokenizer, texts, parts, slice(1, 2), longest, excluded, spec.GAP)
    if gaps.empty:
        reasons = ", ".join(sorted({reason for task, reason in excluded if task == spec.GAP}))
        raise EmbryologyError(f"none of {len(texts)} sentences can be asked of this model: the masked word {reasons}")
    pairs = [Pair(f"p{n:02d}", "", "", *both, f"p{n:02d}") for n, both in enumerate(_pairs(settings), start=1)]
    of_pairs: Counter[tuple[str, str]] = Counter()
    asked = ask(pairs, tokenizer, longest, of_pairs)
    excluded.update({(spec.PREFERENCE, reason): count for (_, reason), count in of_pairs.items()})
    return Examples(
        settings,
        "sentences of the project's own" if settings.sentences is None else "sentences given in the settings",
        [alignment.ids for alignment in align(tokenizer, texts, [[] for _ in texts], max_length=longest)],
        words,
        gaps,
        asked,
        excluded,
        tokenizer,
    )


def _sentences(settings: CompletionsSettings) -> tuple[str, ...]:
    return settings.sentences or SENTENCES


def _pairs(settings: CompletionsSettings) -> tuple[tuple[str, str], ...]:
    return settings.pairs if settings.pairs is not None else () if settings.sentences else PAIRS


def _words(text: str) -> Iterator[Span]:
    """What stands between spaces, marks at its ends apart, and single characters of scripts without spaces."""
    start = 0
    for place, character in enumerate(f"{text} "):
        alone = bool(SPACELESS.match(character)) or (
            unicodedata.category(character)[0] in "PS" and not _is_inside(text, place)
        )
        if character.isspace() or alone:
            if start < place:
                yield start, place
            if alone:
                yield place, place + 1
            start = place + 1


def _is_inside(text: str, place: int) -> bool:
    """Whether a mark stands within a word, as in "don't" and "well-known"."""
    around = text[max(place - 1, 0) : place], text[place + 1 : place + 2]
    return text[place] in "'’‐-.,·" and all(side and unicodedata.category(side)[0] in "LMN" for side in around)


def _aligned(
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    spans: Sequence[Sequence[Span]],
    chosen: slice,
    longest: int,
    excluded: Counter[tuple[str, str]],
    task: str,
) -> pd.DataFrame:
    """A row a word that owns its pieces, all of which are known; the others are counted. Of a sentence's ``spans``
    the ``chosen`` are asked for."""
    rows = []
    for number, alignment in enumerate(align(tokenizer, texts, spans, max_length=longest)):
        for (start, end), positions in zip(spans[number][chosen], alignment.words[chosen], strict=True):
            pieces = tuple(alignment.ids[position] for position in positions)
            if not positions or tokenizer.unk_token_id in pieces:
                excluded[task, UNKNOWN if positions else NOT_ITS_OWN] += 1
            else:
                text = texts[number]
                rows.append((f"s{number + 1:02d}", text, start, end, text[start:end], number, positions, pieces))
    return pd.DataFrame(rows, columns=["sentence", "text", "start", "end", "word", "row", "positions", "pieces"])


def _filled(encoder: Encoder, examples: Examples) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The masked words, and the likeliest answers in their place."""
    gaps = examples.gaps
    mask_id = examples.tokenizer.mask_token_id
    assert mask_id is not None  # of a model with a masked head
    sequences, positions = [], []
    for number, places in zip(gaps["row"], gaps["positions"], strict=True):
        masked = [mask_id if at in places else piece for at, piece in enumerate(examples.ids[number])]
        sequences += [masked] * len(places)
        positions += places
    targets = [piece for pieces in gaps["pieces"] for piece in pieces]
    best, true = _distributions(encoder, sequences, positions, targets, examples.settings.answers)
    told, answers, first = [], [], 0
    for gap in gaps.itertuples():
        own = slice(first, first + len(gap.pieces))
        first = own.stop
        likeliest = likeliest_strings(best[own], examples.settings.answers)
        said = [_said(examples.tokenizer, ids, gap.pieces) for _, ids in likeliest]
        common = {"sentence": gap.sentence, "text": gap.text, "start": gap.start, "end": gap.end, "word": gap.word}
        common |= {"pieces": len(gap.pieces)}
        right = [ids == gap.pieces for _, ids in likeliest]
        alone = {"item_id": gap.sentence, "task": spec.GAP, "rank": 0, "answer": said[0], "correct": right[0]}
        nats_of_word = sum(true[own])
        told.append(common | alone | {"probability": np.exp(nats_of_word), "nats": nats_of_word})
        answers += [
            common
            | {"item_id": f"{gap.sentence}:{rank}", "task": spec.ANSWER, "rank": rank, "answer": said[rank - 1]}
            | {"probability": np.exp(nats), "correct": right[rank - 1]}
            for rank, (nats, _) in enumerate(likeliest, start=1)
        ]
    return pd.DataFrame(told), pd.DataFrame(answers)


def _distributions(
    encoder: Encoder, sequences: list[list[int]], positions: list[int], targets: list[int], most: int
) -> tuple[list[list[tuple[float, int]]], list[float]]:
    """At one position of each sequence the likeliest pieces, (nats, id) each, and the nats of the target."""
    import torch  # late: a start that finds all measured needs none

    from embryology.models.encoder import LOGITS_PER_CHUNK

    vectors = encoder.vectors(sequences, positions)
    best, true = [], []
    at_once = max(1, LOGITS_PER_CHUNK // encoder.model.config.vocab_size)
    for first in range(0, len(targets), at_once):
        nats = encoder.head(vectors[first : first + at_once]).double().log_softmax(-1)
        wanted = torch.tensor(targets[first : first + at_once])
        top = nats.topk(min(most, nats.shape[-1]))
        best += [[*zip(*each, strict=True)] for each in zip(top.values.tolist(), top.indices.tolist(), strict=True)]
        true += nats.gather(1, wanted.to(nats.device)[:, None])[:, 0].tolist()
    return best, true


def likeliest_strings(places: Sequence[Sequence[tuple[float, int]]], most: int) -> list[tuple[float, tuple[int, ...]]]:
    """The likeliest strings of pieces, the likeliest first, where places do not depend on each other.

    Args:
        places: of each place the ``most`` likeliest pieces, or all, with their log-probabilities in nats. No others
            stand in the likeliest strings.
        most: how many.
    """
    strings: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for place in places:
        longer = [(sum_ + nats, (*ids, piece)) for sum_, ids in strings for nats, piece in place]
        strings = sorted(longer, key=lambda each: -each[0])[:most]
    return strings


def _given_back(encoder: Encoder, examples: Examples) -> pd.DataFrame:
    """The words of whole sentences, nothing masked."""
    words = examples.words
    places: list[list[int]] = [[] for _ in examples.ids]
    targets: list[list[int]] = [[] for _ in examples.ids]
    for number, positions, pieces in zip(words["row"], words["positions"], words["pieces"], strict=True):
        places[number] += positions
        targets[number] += pieces
    told = encoder.predict(examples.ids, places, targets)
    rows, first = [], 0
    for number, word in enumerate(words.itertuples(), start=1):
        own = slice(first, first + len(word.pieces))
        first = own.stop
        ids = tuple(told.top[own].tolist())
        rows.append(
            {
                "item_id": f"{word.sentence}:w{number:03d}",
                **{name: getattr(word, name) for name in ("sentence", "text", "start", "end", "word")},
                "task": spec.RECONSTRUCTION,
                "rank": 0,
                "pieces": len(word.pieces),
                "answer": _said(examples.tokenizer, ids, word.pieces),
                "probability": np.exp(told.log_probability[own].sum(dtype=float)),
                "correct": ids == word.pieces,
            }
        )
    return pd.DataFrame(rows)


def _preferred(encoder: Encoder, examples: Examples) -> pd.DataFrame:
    """Pairs, by the pseudo-log-likelihood of the grammar probe."""
    from embryology.grammar.scores import score  # late: it loads torch

    if not examples.pairs:
        columns = {"other": "str", "difference": float, "correct": bool}
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in columns.items()})
    mask_id = examples.tokenizer.mask_token_id
    assert mask_id is not None  # of a model with a masked head
    original, *_ = score(encoder, examples.pairs, mask_id).T
    names = [each.pair.id for each in examples.pairs]
    return pd.DataFrame(
        {
            "item_id": names,
            "sentence": names,
            "task": spec.PREFERENCE,
            "rank": 0,
            "text": [each.pair.good for each in examples.pairs],
            "other": [each.pair.bad for each in examples.pairs],
            "difference": original,
            "correct": original > 0,
        }
    )


def _said(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int], true: Sequence[int]) -> str:
    """An answer as text, in place of a word of the pieces ``true``.

    Where it would go on within a word and the word does not, a hyphen stands before it. A wrong answer that reads as
    the right one (`The` of running text and `The` of its beginning are two pieces of some tokenizers) is told in
    pieces.
    """
    (said, goes_on), (word, within) = _joined(tokenizer, ids), _joined(tokenizer, true)
    if not said or "\ufffd" in said or (said == word and tuple(ids) != tuple(true)):  # parts of a character, too
        pieces = [str(tokenizer.convert_ids_to_tokens(piece) or f"[{piece}]") for piece in ids]
        return " ".join(pieces)  # a model may have vectors for more than the tokenizer's pieces
    return f"-{said}" if goes_on and not within else said


def _joined(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> tuple[str, bool]:
    """Pieces as text, and whether they go on within the word that stands before them.

    Whether a piece begins a word is seen behind another word, whatever marks it (`▁the`, `Ġthe`, `the` beside
    `##the`); of scripts without spaces every piece does.
    """
    before = tokenizer("a", add_special_tokens=False)["input_ids"]
    plain = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
    whole, alone = (str(tokenizer.decode(each, **plain)) for each in ([*before, *ids], before))
    text = whole[len(alone) :]
    return text.strip(), bool(text) and text[0].isalnum() and not SPACELESS.match(text[0])


def _most_frequent(examples: Examples) -> tuple[int, ...]:
    """The pieces of the word that the sentences have most often; marks are none."""
    words = examples.words[examples.words["word"].str.contains(r"\w", regex=True)]
    return Counter(words["pieces"]).most_common(1)[0][0] if len(words) else ()


def _share(
    task: str, metric: str, right: pd.Series, units: pd.Series, unit: str = "sentence", baseline: str | None = None
) -> dict[str, Any]:
    ends = intervals.of_share(*intervals.by_unit(right.to_numpy(bool), units.to_numpy()))
    return row(task, "", metric, right.mean(), ends, len(right), baseline=baseline, unit=unit)
