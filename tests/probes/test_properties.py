"""Properties of items: counted in the training text, of the items that were measured, on the data of then."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from embryology import presets
from embryology.corpus import frequency
from embryology.corpus.store import TokenStore
from embryology.errors import EmbryologyError
from embryology.probes import properties
from embryology.report.pages import pages
from embryology.runs import measurements
from embryology.runs import properties as kept
from embryology.runs.checkpoints import RECORD
from embryology.runs.paths import ROOT, RunFolder
from embryology.runs.series import Series
from embryology.specs.properties import EXPOSURE, FREQUENCY, NGRAMS, OVERLAP
from embryology.storage.files import write_json
from tests.probes.test_runner import CountProbe, specify
from tests.synthetic import measure, write_manifest

TRAINED = "The old city of the north is a city by the sea ."
HELD_OUT = "The music of the south was known to all of the people of the city ."
HASHES = {"text_sha256": "t", "tokenizer_sha256": "p"}


@pytest.fixture
def probe(monkeypatch, tokenizer):
    """Its items: one of the training text and one of held-out text, and a word that only the one has."""
    probe = CountProbe()
    probe.now = {"made": "up"}
    rows = [("x", "1", TRAINED, "city"), ("y", "1", HELD_OUT, "music"), ("y", "2", "The sea .", "sea")]
    probe.rows = pd.DataFrame(rows, columns=["task", "item_id", "text", "word"])
    pieces = [tuple(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in probe.rows["word"]]
    probe.rows["pieces"] = pieces
    monkeypatch.setattr(probe, "inputs", lambda *_: probe.now)
    monkeypatch.setattr(probe, "texts", lambda *_: probe.rows, raising=False)
    specify(monkeypatch, probe, properties=(OVERLAP,))
    return probe


@pytest.fixture
def text(monkeypatch, tokenizer, tmp_path):
    """A corpus that is at hand."""

    def stored(*sentences):
        ids = [tokenizer(sentence, add_special_tokens=False)["input_ids"] for sentence in sentences]
        bounds = np.cumsum([0, *map(len, ids)])
        return TokenStore(np.concatenate(ids).astype(np.uint16), bounds, np.array([0, len(ids)]))

    tokenizer.save_pretrained(tmp_path / "tokenizer")
    text = SimpleNamespace(train=stored(TRAINED, TRAINED), held_out=stored(HELD_OUT), record=HASHES | {"languages": {}})
    text.tokenizer_folder = tmp_path / "tokenizer"
    monkeypatch.setattr(properties.store, "all_prepared", lambda: iter([SimpleNamespace(record={}), text]))
    return text


@pytest.fixture
def series(probe, tmp_path):
    folder = RunFolder(tmp_path / "run")
    write_json(folder.checkpoint(0) / RECORD, {"step": 0, "tokens": 0, "epoch": 0.0, "sha256": "0" * 64})
    outcome = presets.load("smoke").outcome
    write_manifest(
        folder, outcome.model_copy(update={"corpus": outcome.corpus.model_copy(update={"leave_out": ("ewt",)})})
    )
    write_json(folder.corpus, HASHES)
    items = probe.rows[["task", "item_id"]].assign(value=1)
    measure(folder, "count", 0, [measurements.row("x", "", "m", 1.0, n=1)], items)
    return Series.open(folder.root)


def count(series, prepare=True):
    return properties.count(series, Console(file=io.StringIO()), prepare)


def test_sentences_are_those_of_the_training_text(series, text):
    assert count(series) == 1
    overlap = kept.read(series, "count", OVERLAP)
    assert overlap[["task", "item_id"]].to_numpy().tolist() == [["x", "1"], ["y", "1"], ["y", "2"]]
    assert overlap["sentence"].tolist() == [True, False, False]
    assert overlap["has_sentence"].tolist() == [True, True, False]
    screen = io.StringIO()
    assert properties.count(series, Console(file=screen)) == 0
    assert "all was counted before, skipped" in screen.getvalue()


def test_a_probe_without_properties_has_nothing_to_count(series, probe, monkeypatch):
    specify(monkeypatch, probe)
    screen = io.StringIO()
    assert properties.count(series, Console(file=screen)) == 0
    assert "nothing to count" in screen.getvalue()


def test_words_are_those_of_the_training_text(series, text, probe, monkeypatch):
    specify(monkeypatch, probe, properties=(FREQUENCY,))
    items = pd.DataFrame({"item_id": ["a", "b", "c"]})
    probe.rows = probe.rows.assign(**items).drop(columns="task")
    measure(series.folder, "count", 0, [measurements.row("x", "", "m", 1.0, n=1)], items)
    assert count(series) == 1
    frequency = kept.read(series, "count", FREQUENCY).set_index("item_id")
    assert frequency["count"].to_dict() == {"a": 4, "b": 0, "c": 2}


def test_an_item_that_was_measured_and_has_no_text_now_is_an_error(series, text, probe):
    probe.rows = probe.rows.iloc[:2]
    with pytest.raises(EmbryologyError, match="1 of 3 items that were measured are not among its texts now"):
        count(series)
    assert not kept.file_of(series.folder, measurements.standing(series.folder)["count"], OVERLAP).exists()


def test_items_that_were_not_measured_are_not_counted(series, text, probe):
    probe.rows = pd.concat([probe.rows, probe.rows.assign(task="z")])
    count(series)
    assert set(kept.read(series, "count", OVERLAP)["task"]) == {"x", "y"}


@pytest.mark.parametrize(
    ("now", "same"),
    [
        ({"made": "up"}, True),
        ({"made": "up", "precision": "bfloat16", "training text": "another"}, True),  # the same items
        ({"made": "otherwise"}, False),
        ({}, False),
        ({"made": "up", "more": 1}, False),
    ],
)
def test_data_that_are_others_now_are_refused(series, text, probe, now, same):
    probe.now = now
    if same:
        assert count(series) == 1
    else:
        with pytest.raises(EmbryologyError, match="it was measured on other data than there are now"):
            count(series)


@pytest.mark.parametrize(
    ("record", "same"),
    [
        ({}, True),
        ({"languages": {"en": 1}}, True),
        ({"text_sha256": "other"}, False),
        ({"tokenizer_sha256": "other"}, False),
        ({"text_sha256": None}, False),
    ],
)
def test_a_text_is_the_same_where_its_articles_and_pieces_are(record, same):
    assert properties._is_same(HASHES, HASHES | record) == same
    assert not properties._is_same({}, {})  # nothing is known of either


def test_a_text_that_is_not_at_hand_is_prepared_as_it_was(series, text, monkeypatch):
    asked = []
    monkeypatch.setattr(properties.store, "all_prepared", lambda: iter([]))
    monkeypatch.setattr(properties.test_texts, "read", lambda names: {name: ["A text."] for name in names})
    monkeypatch.setattr(
        properties.store,
        "prepare",
        lambda *arguments, every: asked.append((*arguments[:3], *arguments[5:], every)) or text,
    )
    assert count(series, prepare=False) == 0
    assert not asked
    assert count(series) == 1
    outcome = series.manifest.outcome
    assert asked == [(outcome.corpus.source, outcome.corpus.path, outcome.tokenizer, {"ewt": ["A text."]}, 1)]


def exposed(step=40):
    """A table of exposures of three items."""
    names = pd.DataFrame({"task": ["x", "y", "y"], "item_id": ["1", "1", "2"]})
    return names.assign(step=step, sequences=1, masked=0, first=1, last=1)


@pytest.fixture
def later(series):
    """A checkpoint at which something has been read."""
    record = {"step": 40, "tokens": 10, "epoch": 0.0, "sha256": "0" * 64}
    write_json(series.folder.checkpoint(40) / RECORD, record)
    return Series.open(series.folder.root)


@pytest.mark.parametrize(("version", "may"), [(1, False), (2, False), (presets.VERSION, True)])
def test_exposures_of_an_earlier_training_cannot_be_counted(later, text, probe, monkeypatch, version, may):
    specify(monkeypatch, probe, properties=(OVERLAP, EXPOSURE))
    monkeypatch.setitem(properties.KINDS, EXPOSURE, lambda texts, text: {"count": exposed()})
    write_manifest(later.folder, later.manifest.outcome, version=version)
    series = Series.open(later.folder.root)
    assert count(series) == 1 + may
    why, screen = kept.lacking(series, "count", EXPOSURE), io.StringIO()
    assert why is None if may else f"earlier version of training ({version}" in why
    assert properties.count(series, Console(file=screen, width=200)) == 0
    assert ("exposure: not counted: it was trained by an earlier version" in screen.getvalue()) != may
    page = next(page for page in pages(ROOT) if page.name == "exposure")
    assert page.lacks(series) == ([] if may else [kept.impossible(series, EXPOSURE)])


def test_what_cannot_be_counted_of_one_kind_leaves_the_others(later, text, probe, monkeypatch):
    def refuse(*_):
        raise EmbryologyError("its batches are others")

    specify(monkeypatch, probe, properties=(EXPOSURE, OVERLAP))
    monkeypatch.setitem(properties.KINDS, EXPOSURE, refuse)
    with pytest.raises(EmbryologyError, match="not counted: exposure: its batches are others"):
        count(later)
    assert kept.counted(later, OVERLAP) == ["count"]
    screen = io.StringIO()
    assert properties.count(later, Console(file=screen, width=200), prepare=False) == 0
    assert "not counted: exposure: its batches are others" in screen.getvalue()


def test_a_run_that_was_trained_further_is_counted_again(later, text, probe, monkeypatch):
    specify(monkeypatch, probe, properties=(EXPOSURE,))
    last = [20]
    monkeypatch.setitem(properties.KINDS, EXPOSURE, lambda texts, text: {"count": exposed(last[0])})
    series = later
    assert count(series) == 1
    assert "exposure of its items was counted at other checkpoints than there are now" in kept.lacking(
        series, "count", EXPOSURE
    )
    last[0] = 40
    assert count(series) == 1
    assert kept.lacking(series, "count", EXPOSURE) is None
    assert count(series) == 0


def test_what_takes_long_is_counted_only_where_it_is_asked_for(later, text, probe, monkeypatch):
    specify(monkeypatch, probe, properties=(EXPOSURE, OVERLAP))
    monkeypatch.setitem(properties.KINDS, EXPOSURE, lambda texts, text: {"count": exposed()})
    sequences = later.manifest.outcome.sequences
    monkeypatch.setattr(properties, "SEQUENCES", sequences - 1)
    screen = io.StringIO()
    assert properties.count(later, Console(file=screen, width=200), prepare=False) == 1
    assert f"exposure: not counted: {sequences:,} sequences" in screen.getvalue()
    assert kept.counted(later, OVERLAP) == ["count"]
    assert count(later) == 1


def test_n_grams_are_those_of_the_training_text(series, text, probe, monkeypatch, tokenizer):
    specify(monkeypatch, probe, properties=(NGRAMS,))
    items = pd.DataFrame({"item_id": ["a", "b", "c"]})
    contexts = [tuple(tokenizer(shown, add_special_tokens=False)["input_ids"]) for shown in probe.rows["text"]]
    places = [
        next(at for at in range(len(context)) if context[at : at + len(pieces)] == pieces)
        for context, pieces in zip(contexts, probe.rows["pieces"], strict=True)
    ]
    probe.rows = probe.rows.assign(**items, context=contexts, place=places).drop(columns="task")
    measure(series.folder, "count", 0, [measurements.row("x", "", "m", 1.0, n=1)], items)
    assert count(series) == 1
    table = kept.read(series, "count", NGRAMS).set_index("item_id")
    often = frequency.count_words(text.train, tokenizer, list(dict.fromkeys(probe.rows["pieces"])))["count"]
    assert (table["unigram"].rank() == pd.Series(often.to_numpy(), table.index).rank()).all()


def test_a_run_reads_as_many_sequences_as_its_steps_have():
    outcome = presets.load("smoke").outcome
    assert outcome.sequences == outcome.steps * outcome.batch_size
    longer = {"steps": 2, "batch_size": 3, "sequence_length": 512}
    longer = outcome.model_dump() | {"phases": [{"steps": outcome.steps - 2}, longer]}
    assert type(outcome).model_validate(longer).sequences == (outcome.steps - 2) * outcome.batch_size + 6
