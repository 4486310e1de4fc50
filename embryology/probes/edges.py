"""What every layer knows of syntax and semantics: linear edge probes on frozen vectors (section 4 of the paper).

An edge is a labelled span or pair of spans of a sentence; a span's vector is the mean of its pieces' vectors, as
in the paper, and a pair's the two one after the other. One linear classifier a layer and task learns to tell the
label on the training split, and is scored on the whole test split. The encoder learns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.errors import EmbryologyError
from embryology.models.alignment import Alignment, align, longest_input
from embryology.models.precision import resolve
from embryology.probes import WHOLE, Probe
from embryology.runs.measurements import row
from embryology.runs.series import Series
from embryology.specs import edges as spec
from embryology.specs.edges import SPECIFICATION, EdgesSettings
from embryology.treebanks import Edge, Sentence, Span, edge_sets

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast

    from embryology.models.encoder import Encoder
    from embryology.models.linear import Recipe

GOLD, SILVER = ("ewt-propbank", "gum"), ("silver",)
UNKNOWN, UNREAD = -1, -2
"""A label of the test split that the training split has not, so that no answer is right; and no answer."""


@dataclass(frozen=True)
class Targets:
    """The edges of one task in one split. Spans are (edges, 2) first and past-the-last of its pieces, counted
    through all sentences."""

    spans: list[np.ndarray]
    """One array, or two for pairs."""
    labels: np.ndarray
    """(edges,) int64 into the task's classes, or UNKNOWN."""
    control: np.ndarray
    """(edges,) int64: a class drawn for the words of the edge, whatever its label (Hewitt and Liang 2019)."""
    units: np.ndarray
    """(edges,) int64: the document each is of, or the sentence."""
    names: list[str]
    """Stable within the set: sentence, spans."""
    recurs: np.ndarray
    """(edges,) bool: whether an edge of the training split has the same words."""
    read: np.ndarray
    """(edges,) bool: whether the model's input holds all pieces. Where not, which is in the test split alone, the
    spans stand for nothing, and there is no answer."""


@dataclass(frozen=True)
class Task:
    name: str
    """``set/task``."""
    classes: list[str]
    """The labels of the training split."""
    train: Targets
    test: Targets
    unit: str
    """What ``units`` of the test split number: documents, where it has enough of them, else sentences."""
    dev: Targets | None = None
    """Where the protocol stops early."""


@dataclass(frozen=True)
class Set:
    label: str
    ids: dict[str, list[list[int]]]
    """By split, a sentence each."""
    tasks: list[Task]


@dataclass(frozen=True)
class Examples:
    settings: EdgesSettings
    sets: list[Set]


class EdgesProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings: EdgesSettings, series: Series) -> dict[str, Any]:
        sets = [edge_sets.find(name, split) for name in _sets(settings) for split in _splits(settings)]
        return {f"{each.name} {each.split}": each.identity() for each in sets} | {
            "precision": resolve(settings.precision)
        }

    def prepare(self, settings: EdgesSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        longest = longest_input(tokenizer, series.checkpoints[0].location)
        return Examples(settings, [_prepared(name, settings, tokenizer, longest) for name in _sets(settings)])

    def texts(self, settings: EdgesSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> pd.DataFrame:
        rows = []
        for name in _sets(settings):
            tasks = edge_sets.find(name, "train").tasks
            for sentence in edge_sets.find(name, "test").read().sentences:
                for edge in sentence.edges:
                    if edge.task in tasks:
                        spans = [sentence.words[first:last] for first, last in _spans(edge)]
                        word = " ".join(sentence.text[span[0].start : span[-1].end] for span in spans)
                        rows.append((f"{name}/{edge.task}", _name(sentence, edge), sentence.text, word))
        return pd.DataFrame(rows, columns=["task", "item_id", "text", "word"])

    def measure(
        self, encoder: Encoder, examples: Examples, part: str = WHOLE
    ) -> tuple[list[dict[str, Any]], pd.DataFrame]:
        """Micro and macro F1 and every label's F1 by layer, each over test documents or sentences.

        With one label an edge, micro F1 is accuracy. Baselines are rows of their own: ``majority`` answers the most
        frequent training label; ``control`` is the micro F1 of classifiers of the same size on labels drawn by word
        type. ``selectivity`` is micro F1 less that of the control; their group ``recurring`` is edges whose words occur
        in training, as others' control labels cannot be known. ``compression`` is how many times shorter the training
        labels are by online coding than at log2(labels) bits each; one order of the items gives no interval. Its
        baseline ``label-frequencies`` codes them by how often each was seen.
        ``share_unread`` is the share of test edges with pieces beyond the model's longest input, or with none: they
        have no answer, and count as wrong.
        """
        from embryology.models.linear import span_means  # late, with torch: a start that finds all measured needs none

        rows, items = [], []
        for each in examples.sets:
            states = {split: encoder.hidden_states(ids, examples.settings.precision) for split, ids in each.ids.items()}
            for task in each.tasks:
                spans = {split: getattr(task, split).spans for split in states}
                vectors = {
                    split: span_means(layers, spans[split]).to(encoder.device) for split, layers in states.items()
                }
                task_rows, scored = _measured(task, vectors, examples.settings)
                rows += task_rows
                items.append(scored.assign(source=each.label))
        return rows, pd.concat(items, ignore_index=True)


def _sets(settings: EdgesSettings) -> tuple[str, ...]:
    if settings.sets != "auto":
        return settings.sets
    try:
        for name in GOLD:
            edge_sets.find(name)
    except EmbryologyError:
        return SILVER
    return GOLD


def _splits(settings: EdgesSettings) -> tuple[str, ...]:
    return ("train", "dev", "test") if settings.protocol == "paper" else ("train", "test")


def _prepared(name: str, settings: EdgesSettings, tokenizer: PreTrainedTokenizerFast, longest: int) -> Set:
    sets = {split: edge_sets.find(name, split) for split in _splits(settings)}
    sentences = {split: edge_set.read().sentences for split, edge_set in sets.items()}
    rng = np.random.default_rng(settings.seed)
    if settings.train_sentences and settings.train_sentences < len(sentences["train"]):
        drawn = np.sort(rng.permutation(len(sentences["train"]))[: settings.train_sentences])
        sentences["train"] = [sentences["train"][i] for i in drawn]
    aligned = {
        split: align(
            tokenizer,
            [sentence.text for sentence in some],
            [[(word.start, word.end) for word in sentence.words] for sentence in some],
            settings.alignment,
            longest,
            shared=True,
        )
        for split, some in sentences.items()
    }
    places = {split: _places(alignments) for split, alignments in aligned.items()}
    units = {split: _units(some) for split, some in sentences.items()}
    tasks = []
    for task in sets["train"].tasks:
        edges = {split: _edges(some, places[split], task) for split, some in sentences.items()}
        for split in set(edges) - {"test"}:
            edges[split] = [(row, edge, spans) for row, edge, spans in edges[split] if spans is not None]
        if not edges["train"]:
            raise EmbryologyError(f"{name}: no edge of the task {task!r} lies within the {longest} pieces of the input")
        classes = sorted({edge.label for _, edge, _ in edges["train"]})
        controls, recurs = _controls(edges, sentences, classes, rng)
        targets = {
            split: Targets(
                spans=list(np.array([spans or _nowhere(edge) for _, edge, spans in placed]).swapaxes(0, 1)),
                labels=pd.Index(classes).get_indexer([edge.label for _, edge, _ in placed]),
                control=controls[split],
                units=units[split][1][[row for row, _, _ in placed]],
                names=[_name(sentences[split][row], edge) for row, edge, _ in placed],
                recurs=recurs[split],
                read=np.array([spans is not None for _, _, spans in placed]),
            )
            for split, placed in edges.items()
        }
        tasks.append(Task(f"{name}/{task}", classes, unit=units["test"][0], **targets))
    ids = {split: [alignment.ids for alignment in alignments] for split, alignments in aligned.items()}
    return Set(sets["test"].label, ids, tasks)


def _units(sentences: Sequence[Sentence]) -> tuple[str, np.ndarray]:
    """``document`` or ``sentence``, and its number for every sentence. The name of a sentence is its document's and
    its number there; where that makes few documents, as of a file of one's own, sentences have to do."""
    documents = pd.factorize(pd.Series([sentence.id.rpartition("-")[0] for sentence in sentences]))[0]
    if documents.max(initial=0) + 1 >= intervals.LEAST_OF_BOOTSTRAP:
        return "document", documents
    return "sentence", np.arange(len(sentences))


Placed = list[tuple[int, Edge, list[tuple[int, int]] | None]]
"""The number of the sentence, an edge of it, and the pieces of its spans, None where some are not in the input."""


def _places(aligned: Sequence[Alignment]) -> list[list[tuple[int, int] | None]]:
    """For every word of every sentence its first piece and the one past its last, counted through all sentences."""
    places, before = [], 0
    for alignment in aligned:
        places.append([(before + pieces[0], before + pieces[-1] + 1) if pieces else None for pieces in alignment.words])
        before += len(alignment.ids)
    return places


def _edges(sentences: Sequence[Sentence], places: list[list[tuple[int, int] | None]], task: str) -> Placed:
    placed: Placed = []
    for number, sentence in enumerate(sentences):
        for edge in sentence.edges:
            if edge.task != task:
                continue
            spans: list[tuple[int, int]] | None = []
            for first, last in _spans(edge):
                words = [place for place in places[number][first:last] if place is not None]
                if spans is None or len(words) < last - first:
                    spans = None
                else:
                    spans.append((words[0][0], words[-1][1]))
            placed.append((number, edge, spans))
    return placed


def _nowhere(edge: Edge) -> list[tuple[int, int]]:
    return [(0, 1)] * (1 if edge.second is None else 2)


def _controls(
    edges: dict[str, Placed], sentences: dict[str, list[Sentence]], classes: list[str], rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A class for every type of edge, its words, drawn as often as labels are in training; the same in all splits. And
    whether training has that type."""

    def kind(sentence: Sentence, edge: Edge) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(word.form.lower() for word in sentence.words[first:last]) for first, last in _spans(edge))

    kinds = {split: [kind(sentences[split][row], edge) for row, edge, _ in some] for split, some in edges.items()}
    labels = pd.Index(classes).get_indexer([edge.label for _, edge, _ in edges["train"]])
    shares = np.bincount(labels, minlength=len(classes)) / len(labels)
    every = sorted(set().union(*kinds.values()))
    drawn = dict(zip(every, rng.choice(len(classes), len(every), p=shares), strict=True))
    seen = set(kinds["train"])
    return (
        {split: np.array([drawn[one] for one in some]) for split, some in kinds.items()},
        {split: np.array([one in seen for one in some], bool) for split, some in kinds.items()},
    )


def _spans(edge: Edge) -> list[Span]:
    return [edge.first] if edge.second is None else [edge.first, edge.second]


def _name(sentence: Sentence, edge: Edge) -> str:
    return ":".join([sentence.id, *(f"{first + 1}-{last}" for first, last in _spans(edge))])


def _answers(task: Task, vectors: dict[str, Tensor], field: str, settings: EdgesSettings, seed: int) -> np.ndarray:
    """(layers, test edges) classes, UNREAD where there are none, by classifiers of ``labels`` or of ``control``."""
    import torch

    from embryology.models import linear

    labels, classes = torch.from_numpy(getattr(task.train, field)), len(task.classes)
    if settings.protocol == "paper":
        dev = vectors["dev"], torch.from_numpy(getattr(task.dev, field))
        classifiers = linear.fit_published(vectors["train"], labels, classes, linear.Published(seed=seed), *dev)
    else:
        classifiers = linear.fit(vectors["train"], labels, classes, _recipe(settings, seed))
    return np.where(task.test.read, classifiers.logits(vectors["test"]).argmax(-1).cpu().numpy(), UNREAD)


def _recipe(settings: EdgesSettings, seed: int) -> Recipe:
    from embryology.models.linear import Recipe

    return Recipe(settings.learning_rate, settings.batch_size, settings.steps, seed)


def _measured(
    task: Task, vectors: dict[str, Tensor], settings: EdgesSettings
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    resamples = intervals.resamples(int(task.test.units.max()) + 1, seed=settings.seed)
    labels, rows, n = task.test.labels, [], len(task.test.labels)
    most = np.where(task.test.read, np.bincount(task.train.labels).argmax(), UNREAD)
    unread = int((~task.test.read).sum())
    interval = intervals.of_share(*intervals.by_unit(~task.test.read, task.test.units))
    rows.append(row(task.name, "", spec.SHARE_UNREAD, unread / n, interval, n, seed=settings.seed, unit=task.unit))
    rows += _scores(task, most, resamples, layer=None, seed=settings.seed, baseline=spec.MAJORITY)
    first: np.ndarray | None = None
    for seed in range(settings.seed, settings.seed + settings.seeds):
        predicted, control = (_answers(task, vectors, field, settings, seed) for field in ("labels", "control"))
        first = predicted if first is None else first
        for layer, (answers, controlled) in enumerate(zip(predicted, control, strict=True)):
            rows += _scores(task, answers, resamples, layer=layer, seed=seed)
            by_heart = (controlled == task.test.control).astype(float)
            for metric, baseline, values, ends in (
                (spec.F1_MICRO, spec.CONTROL, by_heart, intervals.of_share),
                (spec.SELECTIVITY, None, (answers == labels) - by_heart, intervals.of_mean),
            ):
                for group, chosen in (("", np.ones(n, bool)), (spec.RECURRING, task.test.recurs)):
                    if some := int(chosen.sum()):
                        interval = ends(*intervals.by_unit(values[chosen], task.test.units[chosen]))
                        scored = partial(row, layer=layer, seed=seed, baseline=baseline, unit=task.unit)
                        rows.append(scored(task.name, group, metric, values[chosen].mean(), interval, some))
        if settings.codelength:
            rows += _compressions(task, vectors["train"], _recipe(settings, seed))
    assert first is not None  # there is at least one seed
    known = pd.Series([*task.classes, "not in training"])
    items = pd.DataFrame(
        {
            "item_id": task.test.names,
            "sentence": [name.rsplit(":", len(task.test.spans))[0] for name in task.test.names],
            "group": known.iloc[labels].to_numpy(),
            "task": task.name,
            "correct": first[-1] == labels,
            # Bit k: whether the classifier of layer k is right.
            "layers": ((first == labels) << np.arange(len(first))[:, None]).sum(0).astype(np.int64),
        }
    )
    return rows, items


def _compressions(task: Task, train: Tensor, recipe: Recipe) -> list[dict[str, Any]]:
    import torch

    from embryology.models.linear import codelength, codelength_of_frequencies

    classes, n = len(task.classes), len(task.train.labels)
    # The first blocks are too small to be fitted freely: a priori a logit of a standardised vector has variance 1.
    recipe, rows = replace(recipe, penalty=train.shape[-1]), []
    if classes > 1:
        bits = codelength_of_frequencies(torch.from_numpy(task.train.labels), classes, recipe.seed)
        value = n * np.log2(classes) / bits
        rows.append(row(task.name, "", spec.COMPRESSION, value, n=n, seed=recipe.seed, baseline=spec.FREQUENCIES))
    for labels, baseline in ((task.train.labels, None), (task.train.control, spec.CONTROL)):
        by_layer = codelength(train, torch.from_numpy(labels), classes, recipe)
        values = (n * np.log2(classes) / by_layer).tolist() if classes > 1 else []
        rows += [
            row(task.name, "", spec.COMPRESSION, value, n=n, layer=layer, seed=recipe.seed, baseline=baseline)
            for layer, value in enumerate(values)
        ]
    return rows


def _scores(
    task: Task,
    predicted: np.ndarray,
    resamples: np.ndarray,
    *,
    layer: int | None,
    seed: int,
    baseline: str | None = None,
) -> list[dict[str, Any]]:
    """Micro F1, macro F1 over the labels of the test split, and every such label's F1."""
    labels, classes, size = task.test.labels, len(task.classes), resamples.shape[1]

    def count(which: np.ndarray, of: np.ndarray) -> np.ndarray:
        """(units, classes)."""
        cells = task.test.units[which] * classes + of[which]
        return np.bincount(cells, minlength=size * classes).reshape(size, classes)

    known, right = labels != UNKNOWN, predicted == labels
    counts = np.stack([count(right, labels), count(known, labels), count(predicted != UNREAD, predicted)])
    present = counts[1].sum(0) > 0
    hits, sizes = counts[0][:, present], counts[1:].sum(0)[:, present] / 2
    values = hits.sum(0) / sizes.sum(0)
    with np.errstate(invalid="ignore"):  # a draw may lack a label
        macro = np.nanmean((resamples @ hits) / (resamples @ sizes), axis=1)
    scored = partial(row, task.name, layer=layer, seed=seed, baseline=baseline, unit=task.unit)
    micro = intervals.of_share(*intervals.by_unit(right, task.test.units))
    rows = [
        scored("", spec.F1_MICRO, right.mean(), micro, len(labels)),
        scored("", spec.F1_MACRO, values.mean(), intervals.percentile_interval(macro), len(labels)),
    ]
    names, ends = np.array(task.classes)[present], intervals.of_share(hits, sizes)
    for name, value, low, high, n in zip(names, values, *ends, counts[1].sum(0)[present], strict=True):
        rows.append(scored(name, spec.F1, value, (low, high), n))
    return rows
