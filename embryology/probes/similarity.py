"""How a layer's vectors change over training, and what shape they have (Raghu et al. 2017; Kornblith et al. 2019).

A fixed sample of words in context, one a sentence, is read by every checkpoint. A checkpoint is compared with the last
one and with the one before it, which its key therefore holds: of a run that was trained further all is measured again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.errors import EmbryologyError
from embryology.models import geometry
from embryology.models.alignment import align, longest_input
from embryology.models.geometry import Vectors
from embryology.probes import WHOLE, Probe
from embryology.runs import measurements
from embryology.runs.checkpoints import Checkpoint
from embryology.runs.measurements import row
from embryology.runs.series import Series
from embryology.specs import similarity as spec
from embryology.specs.similarity import SPECIFICATION, SimilaritySettings
from embryology.storage.files import sha256_of
from embryology.treebanks import Sentence, catalogue

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.models.encoder import Encoder

GROUPS = 20
"""Of documents, each of which the jackknife leaves out."""
SENTENCES_AT_ONCE = 250
"""Whose vectors of all pieces are in memory."""
PENALTY, STEPS, LEARNING_RATE = 100.0, 100, 0.03
"""Of the classifiers of part of speech. A penalty that suits a few hundred words: with less they know them by heart."""
DRAWS = 5
"""Of noise, at each level."""


@dataclass(frozen=True)
class Examples:
    settings: SimilaritySettings
    source: str
    ids: list[list[int]]
    """Of the sentences, group after group,"""
    positions: list[tuple[int, ...]]
    """the pieces of the word of each that was drawn,"""
    tags: np.ndarray
    """and its part of speech."""
    starts: np.ndarray
    """(groups,) where each group begins."""
    unit: str
    """What groups are made of."""
    checkpoints: Sequence[Checkpoint]
    """Of the series."""
    read: dict[str, np.ndarray] = field(default_factory=dict)
    """Vectors of the last checkpoint and of the one that was measured last, by the hash of their weights."""


class SimilarityProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings: SimilaritySettings, series: Series) -> dict[str, Any]:
        treebank = catalogue.find(settings.treebank, settings.split)
        last = series.checkpoints[-1]
        return {
            "treebank": treebank.name,
            **treebank.identity(),
            "precision": settings.precision,
            spec.REFERENCE: {"step": last.step, "sha256": last.sha256},
            "neighbours": sha256_of([[each.step, each.sha256] for each in series.checkpoints]),
        }

    def prepare(self, settings: SimilaritySettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        treebank = catalogue.find(settings.treebank, settings.split)
        longest = longest_input(tokenizer, series.checkpoints[0].location)
        return choose_examples(treebank.read(), treebank.label, settings, tokenizer, longest, series.checkpoints)

    def measure(
        self, encoder: Encoder, examples: Examples, part: str = WHOLE
    ) -> tuple[list[dict[str, Any]], pd.DataFrame]:
        """Similarities of layers, and the shape of each, with jackknife intervals over groups of documents.

        Rows of the task ``layers`` compare a layer with the one that is the group; those of ``last`` and ``before``
        with the same layer of another checkpoint. Layer 0 are the embeddings. Items are the values of ``last`` with
        each group left out. What has no value, of vectors that are all the same say, has no row.
        """
        here = next(at for at, each in enumerate(examples.checkpoints) if each.step == encoder.step)
        weights = [each.sha256 for each in examples.checkpoints]
        if weights[here] not in examples.read:
            examples.read[weights[here]] = _vectors(encoder, examples)
        mine = examples.read[weights[here]]
        last = _other(examples, examples.checkpoints[-1], encoder, mine)
        before = _other(examples, examples.checkpoints[here - 1], encoder, mine) if here else None
        for old in set(examples.read) - {weights[here], weights[-1]}:
            del examples.read[old]
        say = _Rows(examples)
        own = [Vectors.of(layer, examples.starts) for layer in mine]
        for layer, vectors in enumerate(own):
            for other in range(layer):
                say.jackknifed(spec.LAYERS, spec.CKA, geometry.cka(own[other], vectors), layer=layer, group=str(other))
            cosines = geometry.mean_cosine(mine[layer], examples.starts)
            say.jackknifed(spec.SHAPE, spec.COSINE, cosines, layer=layer)
            say.jackknifed(spec.SHAPE, spec.PARTICIPATION, geometry.participation(vectors), layer=layer)
            say.jackknifed(spec.SHAPE, spec.DIMENSION, geometry.two_nn(vectors), layer=layer)
        items = _compared(say, spec.LAST, own, last, shuffled=True)
        if before is not None:
            _compared(say, spec.BEFORE, own, before)
        _fragility(say, mine, encoder.device)
        return say.rows, items.assign(task=spec.LAST, source=examples.source)


def choose_examples(
    sentences: Sequence[Sentence],
    source: str,
    settings: SimilaritySettings,
    tokenizer: PreTrainedTokenizerFast,
    max_length: int,
    checkpoints: Sequence[Checkpoint] = (),
) -> Examples:
    """Draw words, at most one of a sentence and of a form, and groups of documents; of few documents, of sentences.

    Args:
        sentences: of a treebank, in its order.
        source: human label of the treebank.
        settings: how many words, and the seed.
        tokenizer: the models'.
        max_length: most ids a model reads; longer sentences are left out.
        checkpoints: of the series.

    Raises:
        EmbryologyError: there are too few words to tell anything by.
    """
    rng = np.random.default_rng(settings.seed)
    chosen = [sentences[i] for i in rng.permutation(len(sentences))]
    spans = [[(word.start, word.end) for word in sentence.words] for sentence in chosen]
    aligned = align(tokenizer, [sentence.text for sentence in chosen], spans)
    drawn: list[tuple[str, list[int], tuple[int, ...], str]] = []
    forms: set[str] = set()
    for sentence, alignment in zip(chosen, aligned, strict=True):
        if len(drawn) == settings.words or len(alignment.ids) > max_length:
            continue
        for at in rng.permutation(len(sentence.words)):
            form, pieces = sentence.words[at].form.lower(), alignment.words[at]
            if pieces and form not in forms and any(map(str.isalnum, form)):
                forms.add(form)
                drawn.append((sentence.id, alignment.ids, pieces, sentence.words[at].tag))
                break
    if len(drawn) < spec.FEWEST_WORDS:
        raise EmbryologyError(
            f"{source}: {len(drawn)} of {len(sentences)} sentences have a word of their own and fit the {max_length} "
            f"tokens that the model reads; similarity takes {spec.FEWEST_WORDS} at least"
        )
    documents = measurements.documents(pd.Series([name for name, *_ in drawn]))
    unit = "document" if documents.nunique() >= GROUPS else "sentence"
    numbers = documents.factorize()[0] if unit == "document" else np.arange(len(drawn))
    group = numbers % GROUPS  # in the order of a draw
    order = np.argsort(group, kind="stable")
    _, ids, positions, tags = zip(*(drawn[i] for i in order), strict=True)
    return Examples(
        settings=settings,
        source=source,
        ids=list(ids),
        positions=list(positions),
        tags=np.array(tags),
        starts=np.flatnonzero(np.diff(group[order], prepend=-1)),
        unit=unit,
        checkpoints=checkpoints,
    )


def _vectors(encoder: Encoder, examples: Examples) -> np.ndarray:
    """(layers + 1, words, size) float32: the mean over a word's pieces."""
    vectors: np.ndarray | None = None
    order = np.argsort([len(ids) for ids in examples.ids], kind="stable")
    for some in np.split(order, range(SENTENCES_AT_ONCE, len(order), SENTENCES_AT_ONCE)):
        states = encoder.hidden_states([examples.ids[i] for i in some], examples.settings.precision).numpy()
        start = 0
        for i in some:
            pieces = states[:, [start + position for position in examples.positions[i]]]
            if vectors is None:
                vectors = np.empty((len(states), len(order), states.shape[-1]), np.float32)
            vectors[:, i] = pieces.mean(axis=1)
            start += len(examples.ids[i])
    assert vectors is not None  # there are words
    return vectors


def _other(examples: Examples, checkpoint: Checkpoint, encoder: Encoder, mine: np.ndarray) -> np.ndarray:
    """Vectors of another checkpoint, which is read where it was not just measured.

    Raises:
        EmbryologyError: it cannot be loaded, or has another number of layers.
    """
    if checkpoint.sha256 not in examples.read:
        with checkpoint.fetched() as here:
            other = type(encoder).load(here, device=encoder.device)
            examples.read[checkpoint.sha256] = _vectors(other, examples)
    vectors = examples.read[checkpoint.sha256]
    if len(vectors) != len(mine):
        raise EmbryologyError(
            f"{checkpoint.name} has {len(vectors) - 1} layers and step {encoder.step} has {len(mine) - 1}, so that "
            "they cannot be compared layer by layer"
        )
    return vectors


class _Rows:
    """Rows of one checkpoint, all of the same words."""

    def __init__(self, examples: Examples):
        self.examples = examples
        self.rows: list[dict[str, Any]] = []
        self.counts = np.diff(np.append(examples.starts, len(examples.ids)))

    def add(
        self,
        task: str,
        metric: str,
        value: float,
        ends: Any = (None, None),
        *,
        layer: int | None = None,
        group: str = "",
        baseline: str | None = None,
    ) -> None:
        """Add one; nothing where there is no value."""
        if np.isfinite(value):
            n, seed, unit = len(self.examples.ids), self.examples.settings.seed, self.examples.unit
            more = row(task, group, metric, value, ends, n, layer=layer, seed=seed, baseline=baseline, unit=unit)
            self.rows.append(more)

    def jackknifed(self, task: str, metric: str, values: np.ndarray, **more: Any) -> None:
        """Add the row of ``values``, (1 + groups,) of all words and without each group; ``more`` as of :meth:`add`."""
        low, high = intervals.jackknife(values, self.counts)
        self.add(
            task, metric, values[0], (low, np.minimum(high, 1) if metric in (spec.CKA, spec.PWCCA) else high), **more
        )


def _compared(say: _Rows, task: str, own: list[Vectors], other: np.ndarray, shuffled: bool = False) -> pd.DataFrame:
    """Add the rows of each layer beside the same of another checkpoint, and beside its words in another order.

    Returns:
        A row a layer and group that is left out.
    """
    examples = say.examples
    starts, most = examples.starts, examples.settings.components
    items = []
    for layer, vectors in enumerate(own):
        theirs = Vectors.of(other[layer], starts)
        reduced, kept = geometry.components(vectors, most)
        reduced_theirs, _ = geometry.components(theirs, most)
        alike = geometry.cka(vectors, theirs), geometry.pwcca(reduced, reduced_theirs, starts)
        for metric, values in zip((spec.CKA, spec.PWCCA), alike, strict=True):
            say.jackknifed(task, metric, values, layer=layer)
        names = [f"{layer}:{number}" for number in range(len(starts) + 1)]
        columns = {"item_id": names, "layer": layer, "without": range(len(names)), spec.CKA: alike[0]}
        items.append(pd.DataFrame(columns | {spec.PWCCA: alike[1], "words": np.append(0, say.counts)}))
        if not shuffled:
            continue
        order = np.random.default_rng(examples.settings.seed).permutation(len(examples.ids))
        mixed = geometry.cka(vectors, Vectors(theirs.values[order], starts))
        say.add(task, spec.KEPT, kept, layer=layer)
        say.jackknifed(task, spec.CKA, mixed, layer=layer, baseline=spec.SHUFFLED)
        mixed = geometry.pwcca(reduced, reduced_theirs[order], starts)
        say.jackknifed(task, spec.PWCCA, mixed, layer=layer, baseline=spec.SHUFFLED)
    return pd.concat(items, ignore_index=True)


def _fragility(say: _Rows, vectors: np.ndarray, device: str) -> None:
    """Add how well part of speech is read from each layer, and how much noise that survives.

    One half of the groups trains the classifier that the other half tests, both ways round. Noise is normal, of each
    dimension in proportion to its standard deviation; accuracies are means over draws. Intervals leave out groups
    of tested words; classifiers are not trained again.
    """
    import torch  # late: what only finds all measured needs none

    from embryology.models import linear

    examples, counts = say.examples, say.counts
    half = np.repeat(np.arange(len(counts)) % 2, counts)
    labels, names = pd.factorize(examples.tags)
    right = np.empty((len(vectors), len(labels), 1 + len(spec.LEVELS)))
    blind = np.empty(len(labels))
    rng = np.random.default_rng(examples.settings.seed)
    states = torch.from_numpy(vectors).to(device)
    recipe = linear.Recipe(LEARNING_RATE, len(labels), STEPS, examples.settings.seed, PENALTY)
    for tested in (half == 0, half == 1):
        learnt = torch.from_numpy(labels[~tested])
        fitted = linear.fit(states[:, ~tested], learnt, len(names), recipe)
        logits = fitted.logits(states[:, tested]).cpu().numpy()
        weight = fitted.weight.cpu().numpy()
        right[:, tested] = _survives(logits, weight, labels[tested], rng)
        blind[tested] = labels[tested] == np.bincount(labels[~tested]).argmax()
    blind_sums = np.add.reduceat(blind, examples.starts)
    of_blind = intervals.of_share(blind_sums, counts)
    say.add(spec.NOISE, spec.ACCURACY, blind.mean(), of_blind, baseline=spec.MAJORITY)
    for layer, of_layer in enumerate(right):
        sums = np.add.reduceat(of_layer, examples.starts, axis=0)
        low, high = intervals.of_share(sums[:, 0], counts)
        say.add(spec.NOISE, spec.ACCURACY, of_layer[:, 0].mean(), (low, high), layer=layer)
        if low > blind.mean():  # else nothing is read that noise could take away
            both = zip(_without(sums, counts), _without(blind_sums, counts), strict=True)
            levels = np.array([_halfway(means, floor) for means, floor in both])
            low, high = intervals.jackknife(np.log2(levels), counts)
            say.add(spec.NOISE, spec.SURVIVED, levels[0], (2.0**low, 2.0**high), layer=layer)


def _survives(logits: np.ndarray, weight: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(layers, words, 1 + levels): whether the label is right, without noise and at each level the share of draws.

    Noise on vectors is noise on logits with the covariance of the weights, which takes a fraction of the numbers.

    Args:
        logits: (layers, words, labels).
        weight: (layers, size, labels) that standardised vectors are multiplied with.
        labels: (words,) the true ones.
        rng: of the noise.
    """
    values, directions = np.linalg.eigh(weight.transpose(0, 2, 1).astype(float) @ weight)
    roots = np.sqrt(np.maximum(values, 0))[:, :, None] * directions.transpose(0, 2, 1)
    right = [logits.argmax(-1) == labels]
    noise = rng.normal(size=(DRAWS, *logits.shape)) @ roots
    for level in spec.LEVELS:
        right.append(((logits + level * noise).argmax(-1) == labels).mean(axis=0))
    return np.stack(right, axis=-1)


def _without(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means over items, (1 + groups, ...): of all, then without each group, of sums (groups, ...)."""
    left: np.ndarray = sums.sum(axis=0) - np.concatenate([np.zeros_like(sums[:1]), sums])
    n = counts.sum() - np.append(0, counts)
    left /= n.reshape(-1, *[1] * (sums.ndim - 1))
    return left


def _halfway(accuracies: np.ndarray, blind: float) -> float:
    """The level of noise, on a logarithmic scale between those tried, where accuracy falls halfway to ``blind``.

    Args:
        accuracies: (1 + levels,) without noise and with it.
        blind: accuracy of the most frequent label.

    Returns:
        nan where it is below from the least noise on, or above with the most.
    """
    above = accuracies - (accuracies[0] + blind) / 2
    below = np.flatnonzero(above[1:] < 0)
    if not len(below) or below[0] == 0:
        return np.nan
    before, after = above[1:][below[0] - 1], above[1:][below[0]]
    low, high = np.log2(spec.LEVELS[below[0] - 1]), np.log2(spec.LEVELS[below[0]])
    return float(2 ** (low + (high - low) * before / (before - after)))
