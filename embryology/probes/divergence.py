"""How far what a model predicts is from what n-grams of its training text do (after Chang and Bergen 2022).

Held-out sentences, in each of which one piece is masked. The model's distribution over all pieces is held against
three: how frequent pieces are, which of them stand after the piece before, and which before the piece after. Where a
neighbour tells nothing, neighbours of another place do as well: that is the line to clear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.corpus import bigrams, several
from embryology.models.alignment import longest_input
from embryology.probes import WHOLE, Probe
from embryology.runs.measurements import row
from embryology.runs.series import Series
from embryology.specs import NotApplicable
from embryology.specs import divergence as spec
from embryology.specs.divergence import SPECIFICATION, DivergenceSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embryology.models.encoder import Encoder

PLACES_AT_ONCE = 64
"""Of which the distributions are in memory in float64."""


@dataclass(frozen=True)
class Examples:
    settings: DivergenceSettings
    names: list[str]
    """Of the sentences, by their number in the held-out text,"""
    ids: list[list[int]]
    """each with one piece masked,"""
    positions: list[int]
    """and where that is."""
    references: dict[str, np.ndarray]
    """By n-gram (places, vocabulary) float32 probabilities of pieces; (1, vocabulary) of the frequency alone."""


class DivergenceProbe(Probe):
    specification = SPECIFICATION

    def inputs(self, settings: DivergenceSettings, series: Series) -> dict[str, Any]:
        corpus = several.of_run(series.folder)
        return {"text": corpus.text_sha256 if corpus else None, "precision": settings.precision}

    def prepare(self, settings: DivergenceSettings, tokenizer: PreTrainedTokenizerFast, series: Series) -> Examples:
        corpus = several.of_run(series.folder)
        if corpus is None:
            raise NotApplicable("the text that it was trained on is not at hand")
        return choose_examples(corpus, settings, tokenizer, longest_input(tokenizer, series.checkpoints[0].location))

    def measure(
        self, encoder: Encoder, examples: Examples, part: str = WHOLE
    ) -> tuple[list[dict[str, Any]], pd.DataFrame]:
        """Mean divergences, with *t* intervals over sentences, and how much closer a bigram is than frequency alone,
        and than itself with the neighbour of another place.

        A task is an n-gram. The baseline of a bigram is that of the neighbour at another place, the next that was
        drawn. Items are the divergences at each place.
        """
        told, elsewhere, entropy = _divergences(encoder, examples)
        rows = [_mean(spec.MODEL, spec.ENTROPY, entropy)]
        for name in spec.REFERENCES:
            rows.append(_mean(name, spec.DIVERGENCE, told[name]))
            if name != spec.UNIGRAM:
                rows.append(_mean(name, spec.DIVERGENCE, elsewhere[name], spec.ELSEWHERE))
                rows.append(_mean(name, spec.CLOSER, told[spec.UNIGRAM] - told[name]))
                rows.append(_mean(name, spec.OWN, elsewhere[name] - told[name]))
        items = pd.DataFrame(told).assign(item_id=examples.names, sentence=examples.names, task=spec.DIVERGENCE)
        return rows, items.assign(source="held-out sentences")


def choose_examples(
    corpus: several.Corpora, settings: DivergenceSettings, tokenizer: PreTrainedTokenizerFast, max_length: int
) -> Examples:
    """Draw held-out sentences and a place in each, and look up what the training text has there.

    Args:
        corpus: that the models were trained on; of several texts the run's own is held out.
        settings: how many sentences, and the seed.
        tokenizer: the corpus's.
        max_length: most ids that a model reads, special tokens included; longer sentences are not drawn.
    """
    held_out, size = corpus.own.held_out, len(tokenizer)
    lengths = np.diff(held_out.sentences)
    rng = np.random.default_rng(settings.seed)
    drawn = rng.permutation(np.flatnonzero((lengths > 1) & (lengths <= max_length - 2)))[: settings.places]
    if not len(drawn):
        raise NotApplicable(f"no held-out sentence fits the {max_length} tokens that it reads")
    places = np.floor(rng.random(len(drawn)) * lengths[drawn]).astype(int)
    cls, sep, mask = tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id
    ids, sides = [], []
    for number, place in zip(drawn, places, strict=True):
        sentence = held_out.pieces[held_out.sentences[number] : held_out.sentences[number + 1]].tolist()
        sides.append([[size, *sentence][place], [*sentence, size][place + 1]])  # size is the border
        ids.append([cls, *sentence[:place], mask, *sentence[place + 1 :], sep])
    frequencies = bigrams.unigram(corpus.train, size)
    before, after = np.array(sides).T
    return Examples(
        settings=settings,
        names=[str(number) for number in drawn],
        ids=ids,
        positions=[int(place) + 1 for place in places],
        references={
            spec.UNIGRAM: frequencies[None].astype(np.float32),
            spec.LEFT: bigrams.beside(corpus.train, frequencies, before, before=True),
            spec.RIGHT: bigrams.beside(corpus.train, frequencies, after, before=False),
        },
    )


def _divergences(
    encoder: Encoder, examples: Examples
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """By n-gram (places,) the divergence at each place, that with the neighbour of the place drawn next, and the
    entropy of the model's distribution; nats."""
    import torch  # late: a start that finds all measured needs none

    vectors = encoder.vectors(examples.ids, examples.positions, examples.settings.precision)
    references = {name: torch.from_numpy(table).log() for name, table in examples.references.items()}
    size = references[spec.UNIGRAM].shape[1]
    told: dict[str, list[torch.Tensor]] = {name: [] for name in spec.REFERENCES}
    elsewhere: dict[str, list[torch.Tensor]] = {name: [] for name in spec.REFERENCES}
    entropies = []
    for places in torch.split(torch.arange(len(vectors)), PLACES_AT_ONCE):
        # Pieces that a model has vectors for and no tokenizer makes are no answers.
        logs = encoder.head(vectors[places.to(vectors.device)])[:, :size].double().log_softmax(dim=-1).cpu()
        shares = logs.exp()
        entropies.append(-(shares * logs).sum(dim=-1))
        for name, table in references.items():
            for values, at in ((told, places), (elsewhere, (places + 1) % len(vectors))):
                reference = table[at if len(table) > 1 else [0]]
                values[name].append(-entropies[-1] - (shares * reference).sum(dim=-1))
    return (
        {name: torch.cat(parts).numpy() for name, parts in told.items()},
        {name: torch.cat(parts).numpy() for name, parts in elsewhere.items()},
        torch.cat(entropies).numpy(),
    )


def _mean(task: str, metric: str, values: np.ndarray, baseline: str | None = None) -> dict[str, Any]:
    ends = intervals.of_mean(values, np.ones(len(values)))
    return row(task, "", metric, values.mean(), ends, len(values), baseline=baseline)
