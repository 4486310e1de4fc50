"""What fine-tuning forgets: each checkpoint learns the tags of one language.

After Liu, Winata, Madotto and Fung 2021 (2004.14218): plainly, with replay of masked words, and with gradient episodic
memory (:mod:`embryology.models.remembering`). Asked are the tags of held-out sentences, those of another language of
which no tag was shown, and the masked words of the held-out side of every text that the run read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.corpus import bigrams, several
from embryology.errors import EmbryologyError
from embryology.models.alignment import align, longest_input
from embryology.models.precision import resolve
from embryology.probes import WHOLE, Probe
from embryology.runs.measurements import row
from embryology.runs.series import Series
from embryology.specs import NotApplicable
from embryology.specs import forgetting as spec
from embryology.specs.forgetting import SPECIFICATION, ForgettingSettings
from embryology.specs.sources import Data
from embryology.specs.tokens import UNIVERSAL_TAGS
from embryology.tasks import drawn
from embryology.treebanks import universal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.models.encoder import Encoder
    from embryology.models.finetuning import Inputs
    from embryology.models.remembering import Tagger
    from embryology.pretraining.batches import Batch
    from embryology.pretraining.mixture import Mixture

TRAIN = "train"
TAGS = UNIVERSAL_TAGS.split()
SEED = 2004_14218
"""Of the masks of what is remembered, whatever the run's own are drawn with."""


@dataclass(frozen=True)
class Tagged:
    """Sentences as a model reads them, and the tags of their words."""

    inputs: Inputs
    labels: np.ndarray
    """(sentences, longest) int64 into TAGS at the first piece of each word, elsewhere IGNORED."""
    names: list[str]
    """Of the words that have a label, sentence after sentence."""
    words: int
    """Those without pieces of their own included."""


@dataclass(frozen=True)
class Examples:
    settings: ForgettingSettings
    train: Tagged
    tests: dict[str, Tagged]
    """By group."""
    remembered: Mixture
    """Masked sequences of what the run was trained on, of each of its texts as many."""
    held_out: dict[str, list[Batch]]
    """By text the masked questions that a run's held-out loss is of."""
    frequencies: dict[str, np.ndarray]
    """By text (pieces,) the share of each in its training side, one added to each count."""
    source: str


class ForgettingProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings: ForgettingSettings, series: Series) -> dict[str, Any]:
        corpora = several.of_run(series.folder)
        found = {name: data.identity() for name, data in _treebanks(settings).items()}
        learnt, other = found[TRAIN], found.get(spec.OTHER)
        if other and other["language"] == learnt["language"]:
            raise EmbryologyError(
                f"the treebank {settings.other} is in {other['language']!r}, as the one whose tags are learnt; give "
                "one in another language (probes.forgetting.other)"
            )
        text = corpora.text_sha256 if corpora else None
        return found | {"text": text, "precision": resolve(settings.precision)}

    def parts(self, settings: ForgettingSettings, series: Series) -> dict[str, dict[str, Any]]:
        """A cell a method and seed: what it depends on beside the checkpoint."""
        recipe = settings.model_dump(mode="json", exclude={"methods", "seeds", "every"})
        recipe["data"] = self.inputs(settings, series)
        return {
            f"{method}-{seed}": recipe | {"method": method, "number": seed}
            for method in settings.methods
            for seed in range(settings.seeds)
        }

    def prepare(self, settings: ForgettingSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        corpora = several.of_run(series.folder)
        if corpora is None or series.manifest is None:
            raise NotApplicable("the text that it was trained on is not at hand, so that none of it can be remembered")
        from embryology.pretraining import heldout  # late, both: they load torch
        from embryology.pretraining.mixture import Mixture

        outcome = series.manifest.outcome
        texts = (corpora.own, *corpora.others)
        sentences = settings.epochs * settings.train
        remembered = Mixture(
            [text.train for text in texts],
            [1] * len(texts),
            tokenizer,
            heldout.OBJECTIVE.model_copy(update={"pair": "none", "pair_weight": 0}),
            count=sentences + int(sentences / (1 - settings.share)),  # more than are read
            batch_size=1,
            length=outcome.sequence_length,
            seed=SEED,
            before=[0] * len(texts),
        )
        held_out, frequencies = {}, {}
        for number, text in enumerate(texts):
            batches, steps = heldout.questions(outcome, text.held_out, tokenizer)
            name = next(iter(text.record.get("languages", ())), "text")
            name = f"{name} {number + 1}" if name in held_out else name
            held_out[name] = [batches[step] for step in range(steps)]
            frequencies[name] = bigrams.unigram(text.train, len(tokenizer))
        longest = longest_input(tokenizer, series.checkpoints[0].location)
        treebanks = _treebanks(settings)
        caps = {name: settings.train if name == TRAIN else settings.sentences for name in treebanks}
        tagged = {name: tag(data, caps[name], settings.seed, tokenizer, longest) for name, data in treebanks.items()}
        source = "; ".join(dict.fromkeys(data.label for data in treebanks.values()))
        return Examples(settings, tagged.pop(TRAIN), tagged, remembered, held_out, frequencies, source)

    def measure(
        self, encoder: Encoder, examples: Examples, part: str = WHOLE
    ) -> tuple[list[dict[str, Any]], pd.DataFrame]:
        """Accuracy of tags by language, and the masked loss by text, before and after, with their difference.

        Intervals are over sentences, and over held-out sequences. The baseline of tags is the most frequent one of the
        training sentences. ``share_unaligned`` and baselines stand with the first seed alone. Items are words.
        """
        from embryology.models import finetuning, remembering  # late: a start that finds all measured needs none

        if remembering.masked_head(encoder.model) is None:
            raise NotApplicable("its masked-word head is not that of ALBERT or BERT")
        settings = examples.settings
        method, _, seed = part.rpartition("-")
        recipe = finetuning.Recipe(
            learning_rate=settings.learning_rate,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            precision=settings.precision,
            seed=settings.seed + int(seed),
        )
        model = remembering.Tagger(encoder, len(TAGS), recipe)
        before = {name: _masked(model, batches) for name, batches in examples.held_out.items()}
        memory = None
        if method != spec.PLAIN:
            kind = {spec.REPLAY: remembering.Replay, spec.GEM: remembering.EpisodicMemory}[method]
            memory = kind(lambda *given: examples.remembered.part(0, range(*given)).to(model.device), settings.share)
        remembering.learn(model.train(), examples.train.inputs, examples.train.labels, recipe, memory)
        model.eval()
        rows, items = [], []
        for group, test in examples.tests.items():
            right, by_majority = _answers(model, test, examples.train)
            names = [f"{group}:{name}" for name in test.names]
            items.append(pd.DataFrame({"item_id": names, "task": method, "group": group, "correct": right}))
            rows.append(_accuracy(method, group, right, test))
            if int(seed) == 0:
                left, n = test.words - len(right), test.words
                share = intervals.wilson(left, n)
                rows.append(row(method, group, spec.SHARE_UNALIGNED, left / n, share, n, unit="word"))
                rows.append(_accuracy(method, group, by_majority, test, spec.MAJORITY))
        for name, batches in examples.held_out.items():
            sums, counts = _masked(model, batches)
            rows.append(_loss(method, name, spec.MASKED_LOSS, sums, counts))
            rows.append(_loss(method, name, spec.FORGOTTEN, sums - before[name][0], counts))
            if int(seed) == 0:
                rows.append(_loss(method, name, spec.MASKED_LOSS, *before[name], spec.BEFORE))
                by_frequency = _by_frequency(batches, examples.frequencies[name])
                rows.append(_loss(method, name, spec.MASKED_LOSS, by_frequency, counts, spec.UNIGRAM))
        table = pd.concat(items, ignore_index=True).assign(seed=int(seed), source=examples.source)
        return [each | {"seed": int(seed)} for each in rows], table


def _treebanks(settings: ForgettingSettings) -> dict[str, Data]:
    """What is learnt from, and by group what is asked."""
    found = {TRAIN: universal.find(settings.treebank, "train"), spec.LEARNT: universal.find(settings.treebank, "test")}
    return found | ({spec.OTHER: universal.find(settings.other, "test")} if settings.other else {})


def tag(data: Data, most: int, seed: int, tokenizer: PreTrainedTokenizerFast, longest: int) -> Tagged:
    """Tokenise at most ``most`` sentences of a treebank, drawn evenly, and set each word's tag at its first piece.

    Raises:
        EmbryologyError: it is malformed, or no word owns a piece.
    """
    from embryology.models.finetuning import Inputs  # late, both: they load torch
    from embryology.models.remembering import IGNORED

    sentences = drawn(data.read(), most, seed)
    spans = [[(word.start, word.end) for word in sentence.words] for sentence in sentences]
    aligned = align(tokenizer, [sentence.text for sentence in sentences], spans, max_length=longest)
    told = [
        (alignment.ids, [(at[0], number) for number, at in enumerate(alignment.words) if at], sentence)
        for sentence, alignment in zip(sentences, aligned, strict=True)
    ]
    told = [each for each in told if each[1]]
    if not told:
        raise EmbryologyError(f"{data.label}: none of its words could be aligned with the tokenizer's pieces")
    labels = np.full((len(told), max(len(ids) for ids, _, _ in told)), IGNORED, np.int64)
    for number, (_, words, sentence) in enumerate(told):
        for at, word in words:
            labels[number, at] = TAGS.index(sentence.words[word].tag)
    return Tagged(
        Inputs([ids for ids, _, _ in told], [[0] * len(ids) for ids, _, _ in told]),
        labels,
        [f"{sentence.id}:{word + 1}" for _, words, sentence in told for _, word in words],
        sum(len(sentence.words) for sentence in sentences),
    )


def _masked(model: Tagger, batches: list[Batch]) -> tuple[np.ndarray, np.ndarray]:
    """(sequences,) the summed loss of each, nats, and how many pieces of it are masked."""
    import torch

    model.eval()
    with torch.inference_mode():
        told = [model.masked_losses(batch.to(model.device)) for batch in batches]
    sums, counts = (torch.cat(parts).double().cpu().numpy() for parts in zip(*told, strict=True))
    return sums, counts


def _by_frequency(batches: list[Batch], frequencies: np.ndarray) -> np.ndarray:
    """(sequences,) the loss of :func:`_masked` where pieces are told by how frequent they are."""
    labels = np.concatenate([batch.labels.view(len(batch.input_ids), -1).numpy() for batch in batches])
    sums: np.ndarray = np.where(labels >= 0, -np.log(frequencies)[labels], 0).sum(axis=1)
    return sums


def _answers(model: Tagger, test: Tagged, train: Tagged) -> tuple[np.ndarray, np.ndarray]:
    """(words,) whether the tag told is right, and whether the most frequent one of training would be."""
    from embryology.models import finetuning

    scores = finetuning.scores_of_places(model, test.inputs)
    gold = np.concatenate([labels[: len(own)] for labels, own in zip(test.labels, scores, strict=True)])
    told, is_word = np.concatenate(scores).argmax(axis=1), gold >= 0
    return (told == gold)[is_word], gold[is_word] == np.bincount(train.labels[train.labels >= 0]).argmax()


def _accuracy(task: str, group: str, right: np.ndarray, test: Tagged, baseline: str | None = None) -> dict[str, Any]:
    ends = intervals.of_share(*intervals.by_unit(right, np.nonzero(test.labels >= 0)[0]))
    return row(task, group, spec.ACCURACY, right.mean(), ends, len(right), baseline=baseline, unit="sentence")


def _loss(
    task: str, group: str, metric: str, sums: np.ndarray, counts: np.ndarray, baseline: str | None = None
) -> dict[str, Any]:
    ends, n = intervals.of_mean(sums, counts), int(counts.sum())
    return row(task, group, metric, sums.sum() / n, ends, n, baseline=baseline, unit="sequence")
