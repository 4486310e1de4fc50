"""``embryology count``: what is true of items and the training text whatever the checkpoint, counted once.

The weights are not read, so that frozen runs are counted too; their text is prepared again where it is not at hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from embryology.corpus import frequency, ngrams, overlap, several, store
from embryology.corpus.several import OTHERS, Corpora
from embryology.errors import EmbryologyError
from embryology.probes import Probe
from embryology.runs import measurements, properties
from embryology.runs.measurements import Configuration
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.specs.properties import EXPOSURE, FREQUENCY, NGRAMS, OVERLAP
from embryology.storage.files import read_json
from embryology.tasks import texts as test_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SAME_TEXT = ("text_sha256", "tokenizer_sha256")
"""Of a corpus' record: where these agree, its articles and pieces do, however words were counted."""
SEQUENCES = 1_000_000
"""Read in training; in more of them exposures are counted where that is asked for alone."""
NOT_ITEMS = ("precision", "training text")
"""Of what identifies a probe's data: how it was measured, and not which items there are."""


@dataclass(frozen=True)
class TrainingText:
    """What a series was trained on."""

    series: Series
    corpus: Corpora
    tokenizer: PreTrainedTokenizerFast
    source: str
    path: str | None
    """As of :func:`embryology.corpus.articles.articles`."""


def _exposures(texts: dict[str, pd.DataFrame], text: TrainingText) -> dict[str, pd.DataFrame]:
    from embryology.pretraining import exposure, order  # late: they load torch
    from embryology.pretraining.curriculum import Curriculum

    assert text.series.manifest is not None  # else there is no training text
    surprisals = order.recorded(text.series.folder)
    curriculum = Curriculum.of(text.series.manifest.outcome, text.corpus, text.tokenizer, surprisals)
    return exposure.properties(texts, curriculum, text.tokenizer, text.series)


Count = Callable[[dict[str, pd.DataFrame], TrainingText], dict[str, pd.DataFrame]]
"""From texts by probe, of :meth:`embryology.probes.Probe.texts`, to properties by probe: ``item_id``, ``task`` where
the texts have it, and numbers. All probes at once, as the text is long and read once."""
KINDS: dict[str, Count] = {
    FREQUENCY: lambda texts, text: frequency.properties(texts, text.corpus.train, text.tokenizer),
    OVERLAP: lambda texts, text: overlap.properties(texts, text.corpus.train, text.tokenizer),
    NGRAMS: lambda texts, text: ngrams.properties(texts, text.corpus.train, text.tokenizer),
    EXPOSURE: _exposures,
}
"""By the kinds of :data:`embryology.specs.properties.VERSIONS`."""


def count(series: Series, console: Console, prepare: bool = True) -> int:
    """Count the properties of all items whose measurements count; what was counted before is skipped.

    Args:
        series: whose items, frozen or not.
        console: where a line is printed for every probe and kind.
        prepare: whether the training text is prepared again where it is not at hand; else that is a line, no error.

    Returns:
        How many tables were written.

    Raises:
        EmbryologyError: the training text is not known, not there or another one; or, after all others were counted,
            what could not be.
    """
    asked = [
        (kind, configuration)
        for probe, configuration in measurements.standing(series.folder).items()
        for kind in registry.get(probe).properties
    ]
    todo = [(kind, each) for kind, each in asked if properties.uncounted(series, each, kind)]

    def say(line: str) -> None:
        console.print(f"{series.name}: {line}", highlight=False, soft_wrap=True, markup=False)

    sequences = series.manifest.outcome.sequences if series.manifest else 0
    for kind in dict.fromkeys(kind for kind, _ in todo):
        why = properties.impossible(series, kind)
        if kind == EXPOSURE and not prepare and sequences > SEQUENCES:
            why = why or f"{sequences:,} sequences take some minutes a million (embryology count RUN)"
        if why:
            say(f"{kind}: not counted: {why}")
            todo = [(other, each) for other, each in todo if other != kind]
    if not todo:
        if prepare:
            say("nothing to count" if not asked else "all was counted before, skipped")
        return 0
    try:
        text = _training_text(series, say, console, prepare)
    except EmbryologyError as error:
        if prepare:
            raise
        say(f"{_listed(todo)}: not counted: {error}")
        return 0
    texts, failed, written = dict[str, pd.DataFrame](), [], 0
    for probe, configuration in {each.probe: each for _, each in todo}.items():
        try:
            texts[probe] = _texts(series, configuration, text.tokenizer)
        except EmbryologyError as error:
            failed.append(f"probe {probe}: {error}")
    for kind, counted in KINDS.items():
        configurations = {each.probe: each for wanted, each in todo if wanted == kind and each.probe in texts}
        if configurations:
            try:
                tables = counted({probe: texts[probe] for probe in configurations}, text)
            except EmbryologyError as error:
                failed.append(f"{kind}: {error}")
                continue
            for probe, configuration in configurations.items():
                properties.write(series.folder, configuration, kind, tables[probe])
                say(f"{kind} of {len(tables[probe]):,} items of probe {probe} counted in the training text")
                written += 1
    if failed and prepare:
        raise EmbryologyError(f"{series.name}: not counted: {'; '.join(failed)}")
    for line in failed:
        say(f"not counted: {line}")
    return written


def _listed(todo: list[tuple[str, Configuration]]) -> str:
    return ", ".join(f"{kind} of probe {each.probe}" for kind, each in todo)


def _texts(series: Series, configuration: Configuration, tokenizer: PreTrainedTokenizerFast) -> pd.DataFrame:
    """The texts of the items that were measured.

    Raises:
        EmbryologyError: the data are others now, or lack items that were measured.
    """
    specification = registry.get(configuration.probe)
    probe: Probe = specification.load()
    settings = registry.settings_of(configuration.probe, configuration.settings)
    now, then = json.loads(json.dumps(probe.inputs(settings, series))), configuration.data or {}
    if any(now.get(key) != then.get(key) for key in {*now, *then} - {*NOT_ITEMS}):
        raise EmbryologyError(
            "it was measured on other data than there are now; set EMBRYOLOGY_DATA to those, or measure it again "
            "(embryology probe RUN)"
        )
    texts = probe.texts(settings, tokenizer, series)
    if texts is None:
        raise EmbryologyError("it does not say the texts of its items")
    names = [column for column in ("task", "item_id") if column in texts]
    texts = texts.drop_duplicates(names, ignore_index=True)
    if not (configuration.folder(series.folder) / "items").is_dir():
        return texts
    measured = measurements.read_items(series, configuration.probe, names).drop_duplicates()
    known = measured.merge(texts, on=names, how="left", validate="one_to_one")
    if unknown := int(known["text"].isna().sum()):
        raise EmbryologyError(f"{unknown:,} of {len(known):,} items that were measured are not among its texts now")
    return known


def _training_text(series: Series, say: Callable[[str], None], console: Console, prepare: bool) -> TrainingText:
    if series.manifest is None or not series.folder.corpus.is_file():
        raise EmbryologyError(f"{series.name}: no training text is recorded of checkpoints that others made")
    from embryology.corpus import tokenizer as tokenizers  # late: it loads torch

    record, outcome = read_json(series.folder.corpus), series.manifest.outcome
    asked = outcome.corpus.source, outcome.corpus.path
    corpus = _at_hand(record)
    if corpus is None and not prepare:
        raise EmbryologyError("its training text is not at hand (embryology count RUN prepares it again)")
    if corpus is None:
        corpus = several.prepare(outcome, test_texts.read, say, console)
    if not _is_same(record, corpus.record):
        raise EmbryologyError(
            f"{series.name}: the corpus {asked[0]!r} is not the text that it was trained on, or gives another "
            f"tokenizer: {series.folder.corpus} has other hashes; restore that text"
        )
    return TrainingText(series, corpus, tokenizers.load(corpus.own.tokenizer_folder), *asked)


def _at_hand(record: dict[str, Any]) -> Corpora | None:
    found = [
        next((corpus for corpus in store.all_prepared() if _is_same(each, corpus.record)), None)
        for each in (record, *record.get(OTHERS, ()))
    ]
    there = [corpus for corpus in found if corpus is not None]
    return Corpora(there[0], tuple(there[1:])) if len(there) == len(found) else None


def _is_same(record: dict[str, Any], other: dict[str, Any]) -> bool:
    texts, others = (each.get(OTHERS, ()) for each in (record, other))
    return all(record.get(key) == other.get(key) is not None for key in SAME_TEXT) and (
        not others or (len(texts) == len(others) and all(map(_is_same, texts, others)))
    )
