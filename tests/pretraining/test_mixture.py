"""Phases of several texts: shares, orders, and that a resume reads on exactly there."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embryology import presets
from embryology.corpus import several, store
from embryology.corpus.store import TokenStore
from embryology.errors import EmbryologyError
from embryology.pretraining.curriculum import Curriculum
from embryology.pretraining.mixture import interleaved
from embryology.runs import losses
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.storage.files import read_json
from tests.processes import exit_status
from tests.training import SHORT, small_preset, train

COVERS = ("embryology/corpus/several.py",)
NEW = {"source": "text", "path": "other.txt"}


def text_of(documents):
    """A store of documents of two sentences of the same piece each."""
    pieces = np.repeat(documents, 8).astype(np.uint16)
    sentences = np.arange(0, len(pieces) + 1, 4)
    return TokenStore(pieces, sentences, np.arange(0, len(sentences), 2))


OWN, OTHER, THIRD = text_of([10, 11, 12] * 9), text_of([20, 21] * 9), text_of([30] * 18)
"""Texts that no piece is shared by."""


@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=2), st.integers(1, 300))
def test_of_two_texts_each_has_its_share_rounded_at_every_place(weights, count):
    texts, ranks = interleaved(weights, count)
    share = weights[1] / sum(weights)
    read = np.cumsum(texts)
    assert np.abs(read - share * np.arange(1, count + 1)).max() <= 0.5 + 1e-6
    for text in (0, 1):
        assert ranks[texts == text].tolist() == list(range(int((texts == text).sum())))


@given(st.lists(st.integers(1, 9), min_size=3, max_size=5), st.integers(1, 200), st.integers(0, 100))
def test_of_several_texts_shares_hold_and_more_places_change_no_earlier_one(weights, count, more):
    texts, ranks = interleaved(weights, count)
    longer, longer_ranks = interleaved(weights, count + more)
    assert texts.tolist() == longer[:count].tolist()
    assert ranks.tolist() == longer_ranks[:count].tolist()
    off = np.bincount(texts, minlength=len(weights)) - count * np.array(weights) / sum(weights)
    assert np.abs(off).max() < (len(weights) + 1) / 2


def test_dealt_out_by_hand():
    """Sainte-Laguë: quotients of 3 are 3, 1, 3/5, …, of 1 they are 1, 1/3, …; the first text goes first in a tie."""
    texts, ranks = interleaved([3, 1], 8)
    assert texts.tolist() == [0, 0, 1, 0, 0, 0, 1, 0]
    assert ranks.tolist() == [0, 1, 0, 2, 3, 4, 1, 5]


def outcome_of(folder, *phases, **changes):
    steps = sum(phase["steps"] for phase in phases)
    shape = {"batch_size": 8, "sequence_length": 32}
    return small_preset(folder, steps=steps, checkpoints=[0, steps], phases=list(phases), **shape | changes).outcome


def read(curriculum, done=0):
    """By step the pieces of every sequence, what is masked put back."""
    steps = []
    for (batch,) in curriculum.ahead(done):
        ids = batch.input_ids.flatten().clone()
        used = batch.labels != -100
        ids[batch.positions[used]] = batch.labels[used]
        steps.append(ids.view_as(batch.input_ids).tolist())
    return steps


def shares(steps):
    """(steps, 3): how many sequences are of which text, by the pieces that each has alone."""
    return np.array(
        [
            [sum(bool({*sequence} & alone) for sequence in step) for alone in ({10, 11, 12}, {20, 21}, {30})]
            for step in steps
        ]
    )


def test_phases_read_their_texts_in_the_shares_that_they_say(tmp_path, tokenizer):
    third = {"source": "text", "path": "third.txt"}
    mixture = [{"weight": 2}, {"corpus": NEW, "weight": 1}, {"corpus": third, "weight": 1}]
    outcome = outcome_of(tmp_path, {"steps": 4}, {"steps": 5, "mixture": mixture}, {"steps": 3, "corpus": NEW})
    assert [corpus.path for corpus in outcome.other_corpora] == ["other.txt", "third.txt"]
    steps = read(Curriculum(outcome, OWN, tokenizer, [OTHER, THIRD]))
    assert shares(steps).tolist() == [[8, 0, 0]] * 4 + [[4, 2, 2]] * 5 + [[0, 8, 0]] * 3


def test_each_text_is_read_on_in_its_own_order(tmp_path, tokenizer):
    """What is read of a text is what it is read as alone, whatever is read between."""
    own, other = text_of(range(10, 100)), text_of(range(100, 160))
    mixed = outcome_of(
        tmp_path,
        {"steps": 3},
        {"steps": 4, "mixture": [{"weight": 1}, {"corpus": NEW, "weight": 3}]},
        {"steps": 2},
        {"steps": 2, "corpus": NEW},
    )
    together = [*itertools.chain(*read(Curriculum(mixed, own, tokenizer, [other])))]
    alone = {
        name: [*itertools.chain(*read(Curriculum(outcome_of(tmp_path, {"steps": 6}), text, tokenizer)))]
        for name, text in (("own", own), ("other", other))
    }
    of_own = [sequence for sequence in together if {*sequence} & {*range(10, 100)}]
    of_other = [sequence for sequence in together if {*sequence} & {*range(100, 160)}]
    assert of_own == alone["own"][: 8 * 5 + 8]
    assert of_other == alone["other"][: 24 + 16]


@pytest.mark.parametrize("done", range(11))
def test_a_resume_reads_on_in_every_phase(tmp_path, tokenizer, done):
    mixture = [{"weight": 1}, {"corpus": NEW, "weight": 0.3}]
    outcome = outcome_of(tmp_path, {"steps": 3}, {"steps": 5, "mixture": mixture}, {"steps": 3, "corpus": NEW})
    curriculum = Curriculum(outcome, OWN, tokenizer, [OTHER])
    whole, rest = ([batch for (batch,) in curriculum.ahead(begin)] for begin in (0, done))
    for one, again in zip(whole[done:], rest, strict=True):
        for name in ("input_ids", "positions", "labels", "pair_labels", "noise"):
            assert torch.equal(getattr(one, name), getattr(again, name))
    halves = list(curriculum.ahead(done, 1, 2))
    assert all(torch.equal(part.input_ids, one.input_ids[4:]) for (part,), one in zip(halves, rest, strict=True))


def test_stores_are_joined_document_by_document():
    one = TokenStore(np.array([5, 6, 7], np.uint16), np.array([0, 2, 3]), np.array([0, 1, 2]))
    other = TokenStore(np.array([8, 9, 10], np.uint16), np.array([0, 1, 3]), np.array([0, 2]))
    whole = several.joined([one, other])
    assert whole.pieces.tolist() == [5, 6, 7, 8, 9, 10]
    assert whole.pieces.dtype == np.uint16
    assert whole.sentences.tolist() == [0, 2, 3, 4, 6]
    assert whole.documents.tolist() == [0, 1, 2, 4]
    assert several.joined([one]) is one


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        ({"corpus": NEW, "mixture": [{"weight": 1}]}, "phase 2 has a corpus and a mixture; give one of them"),
        ({"mixture": [{"weight": 1}, {"weight": 2}]}, "phase 2 has a corpus twice in its mixture"),
        (
            {"mixture": [{"weight": 1}, {"corpus": NEW, "weight": 0}]},
            r"phases\.1\.mixture\.1\.weight: .*greater than 0",
        ),
        (
            {"objective": {"mlm_probability": 0.2, "max_ngram": 1, "pair_weight": 1, "rtd_weight": 5}},
            "of electra alone",
        ),
    ],
)
def test_mixtures_that_cannot_be_are_refused_in_one_line(tmp_path, phase, message):
    with pytest.raises(EmbryologyError, match=message) as caught:
        outcome_of(tmp_path, {"steps": 10}, {"steps": 10} | phase)
    assert "\n" not in str(caught.value)


def preset(home, **changes):
    """Three phases, of which the second mixes a text in and the third asks for no pairs."""
    other = home / "other.txt"
    if not other.exists():
        text = "La ville de Paris est la capitale de la France. Elle est belle. Nous y allons demain."
        other.write_text("\n\n".join(f"{text} Elle compte {number} rues." for number in range(100)))
    objective = {"mlm_probability": 0.3, "max_ngram": 1, "pair": "none", "pair_weight": 0}
    french = {"source": "text", "path": str(other)}
    phases = [
        {"steps": 13},
        {"steps": 12, "mixture": [{"weight": 3}, {"corpus": french, "weight": 1}]},
        {"steps": 8, "corpus": french, "objective": objective},
    ]
    tokenizer = {"vocab_size": 600, "learns_from": [french]}
    options = {"steps": 33, "checkpoints": [0, 20, 33], "phases": phases, "tokenizer": tokenizer, **SHORT}
    return small_preset(home, 75, **options | changes)


def _train(home, name, kill, resume):
    import os
    import signal

    os.environ["EMBRYOLOGY_RUNS"] = str(home / "runs")
    real, calls = torch.optim.AdamW.step, []

    def step(*arguments, **settings):
        calls.append(0)
        if len(calls) == kill:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **settings)

    if kill:
        torch.optim.AdamW.step = step
    train(preset(home), home / "runs" / name, resume=resume)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("mixture")


@pytest.fixture(scope="module")
def uninterrupted(home):
    assert exit_status(_train, home, "uninterrupted", None, False) == 0
    return RunFolder(home / "runs" / "uninterrupted")


@pytest.mark.parametrize("kill", [6, 13, 14, 18, 25, 26, 30])
def test_a_run_that_is_killed_in_any_phase_ends_as_if_it_had_not_been(home, uninterrupted, kill):
    folder = RunFolder(home / "runs" / f"killed-{kill}")
    assert exit_status(_train, home, folder.name, kill, False) != 0
    assert exit_status(_train, home, folder.name, None, True) == 0
    ends = [Series.open(each.root).checkpoints[-1].sha256 for each in (folder, uninterrupted)]
    assert ends[0] == ends[1]
    columns = ["step", "tokens", "loss", "masked_loss", "gradient_norm", "phase"]
    assert losses.read(folder)[columns].equals(losses.read(uninterrupted)[columns])


def test_losses_have_no_pair_where_none_is_asked(uninterrupted):
    rows = losses.read(uninterrupted)
    assert rows["pair_loss"].isna().tolist() == [True, *(rows["phase"][1:] == 3)]


def test_texts_have_one_tokenizer_and_are_recorded(home, uninterrupted, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(home / "runs"))
    record = read_json(uninterrupted.corpus)
    (other,) = record["others"]
    assert other["tokenizer_sha256"] == record["tokenizer_sha256"]
    assert other["text_sha256"] != record["text_sha256"]
    assert other["languages"] == {"fr": 1.0}
    found = several.prepared(record)
    assert found.record == record
    lengths = [len(each.train.pieces) for each in (found.own, *found.others)]
    assert len(found.train.pieces) == sum(lengths) > max(lengths)
    assert several.prepared(record | {"others": [other | {"text_sha256": "another"}]}) is None
    assert found.text_sha256 not in (record["text_sha256"], other["text_sha256"])


def test_held_out_sentences_that_other_texts_have_are_counted(home, uninterrupted, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(home / "runs"))
    found = several.prepared(read_json(uninterrupted.corpus))
    assert found.leaked() == 0
    whole = found.own.held_out
    long = {tuple(whole.pieces[a:b]) for a, b in itertools.pairwise(whole.sentences) if b - a >= several.LONG}

    class SameText:
        record, train = found.own.record, whole

    assert several.Corpora(found.own, (SameText(),)).leaked() == len(long) > 5


def test_a_text_in_other_pieces_is_refused_in_one_line():
    made = [store.PreparedCorpus(None, {"tokenizer_sha256": name, "source": "text"}) for name in "ab"]
    with pytest.raises(EmbryologyError, match="corpus 'text' is stored in another tokenizer's pieces") as caught:
        several.Corpora(made[0], (made[1],))
    assert "\n" not in str(caught.value)


def test_a_mixture_is_part_of_the_outcome(home):
    names = {preset(home).outcome_sha256, preset(home, phases=[]).outcome_sha256}
    heavier = [phase.model_dump() for phase in preset(home).outcome.phases]
    heavier[1]["mixture"][1]["weight"] = 2.0
    assert len(names | {preset(home, phases=heavier).outcome_sha256}) == 3


def test_frequencies_are_of_all_that_is_read(home, uninterrupted, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(home / "runs"))
    found = several.prepared(read_json(uninterrupted.corpus))
    assert isinstance(found.train, TokenStore)
    documents = [len(each.train.documents) - 1 for each in (found.own, *found.others)]
    assert len(found.train.documents) - 1 == sum(documents)
    assert presets.load("tiny").outcome.other_corpora == ()
