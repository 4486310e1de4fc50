"""Where heads attend, and whether they find syntax (Clark et al. 2019; Kovaleva et al. 2019; Chen et al. 2024).

A fixed set of sentences with dependencies, gold or silver. Every head of every layer is asked where it attends, and
whether the word that a dependent attends to most is its syntactic head, or the word that attends most to it. A head
that is best of many is lucky on the sentences that chose it, and so is a fixed offset: half of the documents choose a
head for each relation, and the other half scores it; and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.errors import EmbryologyError
from embryology.models.alignment import align, longest_input
from embryology.probes import WHOLE, Probe
from embryology.runs.measurements import row
from embryology.runs.series import Series
from embryology.specs import BOTH_DIRECTIONS
from embryology.specs import attention as spec
from embryology.specs.attention import SPECIFICATION, AttentionSettings
from embryology.treebanks import DEPENDENCY, Sentence, edge_sets
from embryology.treebanks.sets import EdgeSet

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.models.encoder import Encoder

GOLD, SILVER = "ewt", "silver"
PUNCTUATION = "punct"
"""What a mark is attached to is a convention: it is not asked for. Marks may be answers."""
FARTHEST = 10
"""Words that a fixed offset goes to either side."""
FEWEST_EDGES = 30
"""Of fewer a relation has no rows of its own."""
DRAWN = (
    "The old dog sleeps under the table.",
    "She gave her brother a book about birds.",
    "The keys that lay in the drawer are gone.",
)
"""Sentences of our own, whose maps may be kept."""


@dataclass(frozen=True)
class Examples:
    settings: AttentionSettings
    source: str
    names: list[str]
    """Of the sentences that are read,"""
    ids: list[list[int]]
    words: list[list[tuple[int, ...]]]
    """and of their words the positions of the pieces, none where a word owns none."""
    edges: pd.DataFrame
    """``item_id``, ``sentence``, ``group`` (the relation); ``row`` of its sentence, ``dependent`` and ``head``, numbers
    of words in it; ``half`` of the documents (0 or 1); ``others``, how many other words its sentence has."""
    left_out: int
    special: tuple[int, int]
    """How many special tokens the tokenizer sets before a sentence and behind it."""
    drawn: list[list[int]]
    """Ids of :data:`DRAWN`,"""
    pieces: list[str]
    """and their tokens, with spaces between."""


class AttentionProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings: AttentionSettings, series: Series) -> dict[str, Any]:
        treebank = _treebank(settings)
        return {"treebank": treebank.name, **treebank.identity(), "precision": settings.precision}

    def prepare(self, settings: AttentionSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        treebank = _treebank(settings)
        longest = longest_input(tokenizer, series.checkpoints[0].location)
        return choose_examples(treebank.read().sentences, treebank.label, settings, tokenizer, longest)

    def measure(
        self, encoder: Encoder, examples: Examples, part: str = WHOLE
    ) -> tuple[list[dict[str, Any]], pd.DataFrame]:
        """What heads do, with *t* intervals over sentences, and what they find, with shares' over sentences.

        Rows of the task ``patterns`` are the mean over a layer's heads, those of ``patterns/head-h`` a head's; uniform
        attention has no layer. Rows of ``attachment/DIRECTION/head-h`` are a head's accuracy by relation, chosen by
        nobody; those of ``attachment/best-head`` are of the head and direction that is best for each relation on the
        other half of the documents, of a layer's heads, or of all where there is no layer. Their baseline ``offset`` is
        chosen in the same way.
        """
        told, answers = _read(encoder, examples)
        n = len(examples.names) + examples.left_out
        share, ends = examples.left_out / n, intervals.wilson(examples.left_out, n)
        rows = [row(spec.PATTERNS, "", spec.SHARE_LEFT_OUT, share, ends, n)]
        even = _uniform(encoder, examples)
        rows += _patterns(told, even)
        found, items = _attachment(answers, examples)
        tables = [_of_heads(told, even, examples), items, _maps(encoder, examples)]
        return rows + found, pd.concat(tables, ignore_index=True).assign(source=examples.source)


def _treebank(settings: AttentionSettings) -> EdgeSet:
    """The set that is asked for.

    Raises:
        EmbryologyError: it is not there, or has no dependencies.
    """
    name = settings.treebank
    if name == "auto":
        try:
            return edge_sets.find(GOLD, settings.split)
        except EmbryologyError:
            name = SILVER
    found = edge_sets.find(name, settings.split)
    if DEPENDENCY not in found.tasks:
        raise EmbryologyError(f"the set {name!r} has no dependencies; the attention probe takes ewt, gum or silver")
    return found


def choose_examples(
    sentences: Sequence[Sentence],
    source: str,
    settings: AttentionSettings,
    tokenizer: PreTrainedTokenizerFast,
    max_length: int,
) -> Examples:
    """Draw sentences, and find their words' pieces.

    Args:
        sentences: of a treebank, in its order.
        source: human label of the treebank.
        settings: how many are drawn, and the seed.
        tokenizer: the models'.
        max_length: most ids a model reads; longer sentences are left out, as a part of one has other heads.

    Raises:
        EmbryologyError: none of them can be read, or has a word to ask for.
    """
    lots = np.random.default_rng(settings.seed).random(len(sentences))
    chosen = [sentences[i] for i in np.sort(np.argsort(lots, kind="stable")[: settings.sentences])]
    spans = [[(word.start, word.end) for word in sentence.words] for sentence in chosen]
    aligned = align(tokenizer, [sentence.text for sentence in chosen], spans)
    kept = [
        (sentence, alignment)
        for sentence, alignment in zip(chosen, aligned, strict=True)
        if len(alignment.ids) <= max_length and sum(map(bool, alignment.words)) > 1
    ]
    documents = pd.factorize(pd.Series([sentence.id.rpartition("-")[0] for sentence, _ in kept], dtype=str))[0]
    halves = documents % 2 if documents.max(initial=0) else np.arange(len(kept)) % 2
    edges = [
        (f"{sentence.id}:{edge.first[0] + 1}", sentence.id, edge.label, row, dependent, head, halves[row], owned - 1)
        for row, (sentence, alignment) in enumerate(kept)
        for owned in [sum(map(bool, alignment.words))]
        for edge in sentence.edges
        if edge.task == DEPENDENCY and edge.second is not None and edge.label.split(":")[0] != PUNCTUATION
        for dependent, head in [(edge.first[0], edge.second[0])]
        if alignment.words[dependent] and alignment.words[head]
    ]
    if not edges:
        raise EmbryologyError(
            f"{source}: none of {len(chosen)} sentences has a dependency and fits the {max_length} tokens that the "
            "model reads"
        )
    columns = ["item_id", "sentence", "group", "row", "dependent", "head", "half", "others"]
    mask = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
    drawn = [ids for ids in tokenizer(list(DRAWN))["input_ids"] if len(ids) <= max_length]
    return Examples(
        settings=settings,
        source=source,
        names=[sentence.id for sentence, _ in kept],
        ids=[alignment.ids for _, alignment in kept],
        words=[alignment.words for _, alignment in kept],
        edges=pd.DataFrame(edges, columns=columns),
        left_out=len(chosen) - len(kept),
        special=(mask.index(0), mask[::-1].index(0)),
        drawn=drawn,
        pieces=[" ".join(token.replace(" ", "_") for token in tokenizer.convert_ids_to_tokens(ids)) for ids in drawn],
    )


def _read(encoder: Encoder, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """The statistics, (7, sentences, layers, heads), and the word that is found for each edge, (2, edges, layers,
    heads) in the order of the two directions; from one pass a sentence."""
    from embryology.models import attention  # late, with torch: a start that finds all measured needs none

    told: np.ndarray | None = None
    answers: np.ndarray | None = None
    of_row = {row: numbers.index.to_numpy() for row, numbers in examples.edges.groupby("row")}
    dependents = examples.edges["dependent"].to_numpy()
    for batch, seen, layers in attention.attentions(encoder, examples.ids):
        if told is None or answers is None:
            shape = len(layers), layers[0].shape[1]
            told = np.empty((len(spec.STATISTICS), len(examples.ids), *shape), np.float32)
            answers = np.empty((2, len(examples.edges), *shape), np.int16)
        inside = _inside(seen, examples.special)
        for number, layer in enumerate(layers):
            told[:, batch, number] = attention.statistics(layer, seen, inside).cpu().numpy()
            strongest = attention.strongest(*attention.between_words(layer, [examples.words[i] for i in batch]))
            by_sentence = strongest.cpu().numpy().transpose(1, 0, 3, 2)
            for i, words in zip(batch, by_sentence, strict=True):
                if i in of_row:
                    answers[:, of_row[i], number] = words[:, dependents[of_row[i]]]
    assert told is not None  # there is at least one sentence
    assert answers is not None
    return told, answers


def _inside(seen: Any, special: tuple[int, int]) -> Any:
    """(sequences, length) bool: tokens that are neither special nor padding."""
    import torch

    places = torch.arange(seen.shape[1], device=seen.device)
    return (places >= special[0]) & (places < seen.sum(1, keepdim=True) - special[1])


def _uniform(encoder: Encoder, examples: Examples) -> np.ndarray:
    """The statistics of uniform attention, (7, sentences, 1)."""
    import torch

    from embryology.models import attention

    told = np.empty((len(spec.STATISTICS), len(examples.ids), 1), np.float32)
    for i, ids in enumerate(examples.ids):
        seen = torch.ones(1, len(ids), dtype=torch.bool)
        even = attention.uniform(seen, causal=BOTH_DIRECTIONS not in encoder.has)
        told[:, [i]] = attention.statistics(even, seen, _inside(seen, examples.special)).numpy()
    return told


def _patterns(told: np.ndarray, uniform: np.ndarray) -> list[dict[str, Any]]:
    """Means over sentences: of each layer's heads together, of each head, and of uniform attention."""
    _, _, layers, heads = told.shape
    of_whom = [(spec.PATTERNS, layer, None, told[:, :, layer - 1].mean(-1)) for layer in range(1, layers + 1)]
    of_whom += [
        (f"{spec.PATTERNS}/head-{head}", layer, None, told[:, :, layer - 1, head - 1])
        for layer in range(1, layers + 1)
        for head in range(1, heads + 1)
    ]
    rows = []
    for task, layer, baseline, values in [*of_whom, (spec.PATTERNS, None, spec.UNIFORM, uniform[..., 0])]:
        for name, by_sentence in zip(spec.STATISTICS, values, strict=True):
            by_sentence = by_sentence[np.isfinite(by_sentence)].astype(float)
            if n := len(by_sentence):
                ends = intervals.of_mean(by_sentence, np.ones(n))
                rows.append(row(task, "", name, by_sentence.mean(), ends, n, layer=layer, baseline=baseline))
    return rows


def _of_heads(told: np.ndarray, even: np.ndarray, examples: Examples) -> pd.DataFrame:
    """A row a sentence and head, and a sentence under uniform attention: where it goes."""
    _, sentences, layers, heads = told.shape
    names = [f"{layer}-{head}" for layer in range(1, layers + 1) for head in range(1, heads + 1)] + [spec.UNIFORM]
    of_heads = told.reshape(len(told), sentences, -1)
    values = np.concatenate([of_heads, even], axis=-1)[: len(spec.MASSES)].round(3)  # a third of the room
    table = pd.DataFrame(values.reshape(len(values), -1).T, columns=spec.MASSES)
    table = table.assign(sentence=np.repeat(examples.names, len(names)), group=names * sentences, task=spec.PATTERNS)
    return table.assign(item_id=table["sentence"] + ":" + table["group"])


def _attachment(answers: np.ndarray, examples: Examples) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Whether syntactic heads are found: by each attention head, by those that were chosen, and by baselines."""
    edges = examples.edges
    heads, relations = edges["head"].to_numpy(), edges["group"]
    right = answers.transpose(2, 3, 0, 1) == heads  # (layers, heads, directions, edges)
    sizes = relations.value_counts()
    groups = ["", *sorted(sizes.index[sizes >= FEWEST_EDGES])]
    rows = list(_of_each_head(right, edges, groups))
    items = edges[["item_id", "sentence", "group"]].assign(task=spec.ATTACHMENT, **{spec.UNIFORM: 1 / edges["others"]})
    rows += _scored(items[spec.UNIFORM].to_numpy(), edges, groups, intervals.of_mean, baseline=spec.UNIFORM)
    if edges["half"].nunique() < 2:  # nothing to choose on
        return rows, items
    distance = heads - edges["dependent"].to_numpy()
    offsets = np.array([each for each in range(-FARTHEST, FARTHEST + 1) if each])
    items[spec.OFFSET] = _chosen(distance == offsets[:, None], edges)
    rows += _scored(items[spec.OFFSET].to_numpy(), edges, groups, baseline=spec.OFFSET)
    items["correct"] = _chosen(right.reshape(-1, len(edges)), edges)
    rows += _scored(items["correct"].to_numpy(), edges, groups)
    bits = np.zeros(len(edges), np.int64)
    for layer, of_layer in enumerate(right, start=1):
        found = _chosen(of_layer.reshape(-1, len(edges)), edges)
        rows += _scored(found, edges, groups, layer=layer)
        bits |= found.astype(np.int64) << layer
    return rows, items.assign(layers=bits)


def _chosen(right: np.ndarray, edges: pd.DataFrame) -> np.ndarray:
    """(edges,) bool: whether the candidate that is best for its relation on the other half is right.

    Args:
        right: (candidates, edges) bool; of several that are best the first is taken.
        edges: ``group`` and ``half``; a relation that the other half does not have takes what is best for all there.
    """
    numbers, names = pd.factorize(edges["group"])
    half = edges["half"].to_numpy()
    found = np.zeros(len(edges), bool)
    for scored in (0, 1):
        elsewhere = half != scored
        counts = np.stack([np.bincount(numbers[elsewhere & each], minlength=len(names)) for each in right])
        known = np.isin(np.arange(len(names)), numbers[elsewhere])
        best = np.where(known, counts.argmax(0), counts.sum(1).argmax())
        at = np.flatnonzero(~elsewhere)
        found[at] = right[best[numbers[at]], at]
    return found


def _of_each_head(right: np.ndarray, edges: pd.DataFrame, groups: list[str]) -> Iterator[dict[str, Any]]:
    layers, heads, directions, _ = right.shape
    for group in groups:
        chosen = (edges["group"] == group).to_numpy() if group else np.ones(len(edges), bool)
        values = right[..., chosen].reshape(-1, chosen.sum()).T.astype(float)
        sums, counts = intervals.by_unit(values, edges["row"].to_numpy()[chosen])
        low, high = intervals.of_share(sums, np.broadcast_to(counts[:, None], sums.shape))
        ends = zip(values.mean(0), low, high, strict=True)
        for layer in range(1, layers + 1):
            for head in range(1, heads + 1):
                for direction in (spec.TO_HEAD, spec.TO_DEPENDENT)[:directions]:
                    value, *interval = next(ends)
                    task = f"{spec.ATTACHMENT}/{direction}/head-{head}"
                    yield row(task, group, spec.ACCURACY, value, tuple(interval), int(chosen.sum()), layer=layer)


def _scored(
    values: np.ndarray,
    edges: pd.DataFrame,
    groups: list[str],
    ends: Any = intervals.of_share,
    layer: int | None = None,
    baseline: str | None = None,
) -> Iterator[dict[str, Any]]:
    """The mean of each group's edges, and of all."""
    for group in groups:
        chosen = (edges["group"] == group).to_numpy() if group else np.ones(len(edges), bool)
        interval = ends(*intervals.by_unit(values[chosen].astype(float), edges["row"].to_numpy()[chosen]))
        task, n = f"{spec.ATTACHMENT}/{spec.BEST}", int(chosen.sum())
        yield row(task, group, spec.ACCURACY, values[chosen].mean(), interval, n, layer=layer, baseline=baseline)


def _maps(encoder: Encoder, examples: Examples) -> pd.DataFrame:
    """A row a sentence of our own and head: its map in bytes, as text, which a CSV can hold."""
    from embryology.models import attention

    rows = []
    for batch, _, layers in attention.attentions(encoder, examples.drawn) if examples.drawn else ():
        for layer, of_layer in enumerate(layers, start=1):
            kept = of_layer[:, : examples.settings.map_heads].mul(255).round().byte().cpu().numpy()
            for i, of_sentence in zip(batch, kept, strict=True):
                size = len(examples.drawn[i])
                for head, each in enumerate(of_sentence, start=1):
                    digits, group = each[:size, :size].tobytes().hex(), f"{layer}-{head}"
                    rows.append((f"own-{i + 1}:{group}", f"own-{i + 1}", group, digits, examples.pieces[i]))
    columns = ["item_id", "sentence", "group", "map", "pieces"]
    return pd.DataFrame(rows, columns=columns).assign(task=spec.MAPS)
