"""Curricula: what is read stays, its order is what it is called, and a resume goes on in it."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from rich.console import Console
from transformers import AlbertForPreTraining

from benchmarks.kills import differences
from embryology.corpus import several, tokenizer
from embryology.errors import EmbryologyError
from embryology.presets.others import StartsFrom
from embryology.pretraining import exposure, loop, order
from embryology.pretraining.curriculum import Curriculum
from embryology.runs.paths import RunFolder
from embryology.runs.verify import check
from tests.training import SHORT, small_preset, train

STEPS = 14
"""Of 16 sequences: the 75 articles are read more than once."""
TEACHER = {"run": "control-seed{seed}", "step": STEPS}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("orders")
        patch.setenv("EMBRYOLOGY_RUNS", str(folder))
        train(preset_of(folder), folder / "control-seed0")
        yield folder


def preset_of(home, **changes):
    return small_preset(home, 75, **{"steps": STEPS, "checkpoints": [0, 5, STEPS]} | SHORT | changes)


def curriculum_of(home, by=None, surprisals=None, **settings):
    outcome = preset_of(home, **({"order": {"by": by, **settings}} if by else {})).outcome
    corpora = several.prepare(outcome, lambda _: {}, lambda _: None, Console(quiet=True))
    pieces = tokenizer.load(RunFolder(home / "control-seed0").tokenizer)
    return Curriculum.of(outcome, corpora, pieces, surprisals)


def rows(curriculum):
    """Every sequence that is read, in its order, as what a model gets of it."""
    (phase,) = curriculum.phases
    batches = [phase.batches[step] for step in range(STEPS)]
    places = phase.batches.places
    return [
        tuple(
            each.tolist()
            for each in (
                batch.input_ids[row],
                batch.positions.view(-1, places)[row] - row * 32,
                batch.labels.view(-1, places)[row],
                batch.noise.view(-1, places)[row],
                batch.pair_labels[row],
            )
        )
        for batch in batches
        for row in range(16)
    ]


@pytest.mark.parametrize("reversed_", [False, True])
@pytest.mark.parametrize("by", ["length", "rarity"])
def test_every_sequence_is_read_as_often_as_in_the_control_and_masked_alike(home, by, reversed_):
    control, ours = rows(curriculum_of(home)), rows(curriculum_of(home, by, reversed=reversed_))
    assert Counter(map(str, ours)) == Counter(map(str, control))
    assert ours != control
    assert rows(curriculum_of(home, by, reversed=not reversed_)) != ours


def texts_read(home, by, **settings):
    """The text of each sequence that is read, sentence by sentence, in its order; and all sentences of the text."""
    curriculum = curriculum_of(home, by, **settings)
    batches = curriculum.phases[0].batches
    store = batches.store
    sentences = [store.pieces[a:b].tolist() for a, b in zip(store.sentences, store.sentences[1:], strict=False)]
    read = []
    for place in range(STEPS * 16):
        epoch, rank = divmod(int(batches.order[place]), len(batches.chunks))
        first, after = batches.chunks[np.random.default_rng([0, 0, epoch]).permutation(len(batches.chunks))[rank]]
        read.append(sentences[first:after])
    return read, sentences


def test_short_sentences_come_first_or_last(home):
    for reversed_ in (False, True):
        read, _ = texts_read(home, "length", reversed=reversed_)
        lengths = [sum(map(len, text)) / len(text) for text in read]
        assert lengths == sorted(lengths, reverse=reversed_)
        assert min(lengths) < 0.5 * max(lengths)


def test_frequent_pieces_come_first(home):
    read, sentences = texts_read(home, "rarity")
    counts = Counter(piece for sentence in sentences for piece in sentence)
    rare = []
    for text in read:
        pieces = [piece for sentence in text for piece in sentence]
        rare.append(-sum(math.log(counts[piece] / counts.total()) for piece in pieces) / len(pieces))
    assert np.diff(rare).min() > -1e-9
    assert rare[-1] - rare[0] > 0.5


def test_what_a_teacher_finds_easy_comes_first_and_is_asked_once(home, monkeypatch):
    asks = {"by": "surprisal", "teacher": TEACHER}
    preset = preset_of(home, order=asks)
    whole = train(preset, home / "whole")
    assert check(whole)[0] == []
    answers = order.recorded(whole)
    model = AlbertForPreTraining.from_pretrained(RunFolder(home / "control-seed0").checkpoint(STEPS)).eval()
    control, told = rows(curriculum_of(home)), []
    for ids, positions, labels, _, _ in control[:40]:
        tokens = torch.tensor([ids])
        types = torch.zeros_like(tokens)
        with torch.no_grad():
            mask = (tokens != 0).long()
            types[0, 1 + ids.index(3) :] = 1
            types = types * mask
            nats = -model(tokens, attention_mask=mask, token_type_ids=types).prediction_logits[0].log_softmax(-1)
        used = [(at, label) for at, label in zip(positions, labels, strict=True) if label >= 0]
        told.append(np.mean([float(nats[at, label]) for at, label in used]))
    assert answers[:40] == pytest.approx(told, abs=1e-4)
    ours = rows(curriculum_of(home, **asks, surprisals=answers))
    assert ours == [control[i] for i in sorted(range(len(control)), key=lambda i: answers[i])]
    real = loop.Run._step

    def die(self, index, *rest):
        if index == 12:
            raise MemoryError
        return real(self, index, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "_step", die)
        with pytest.raises(MemoryError):
            train(preset, home / "killed")
    (home / "control-seed0").rename(home / "away")
    resumed = train(preset, home / "killed", resume=True)
    (home / "away").rename(home / "control-seed0")
    assert differences(resumed, whole) == []
    (resumed.root / order.FILE).unlink()
    with pytest.raises(EmbryologyError, match=r"surprisals\.npy is missing or of another run"):
        curriculum_of(home, **asks, surprisals=order.recorded(resumed))


def test_exposures_are_told_of_the_order_in_which_a_run_reads(home):
    curriculum = curriculum_of(home, "length")
    drawn = [part.store.pieces for part in exposure.read(curriculum)]
    flat = np.concatenate(drawn)
    steps = np.concatenate([part.steps for part in exposure.read(curriculum)])
    assert steps.tolist() == [step for step in range(1, STEPS + 1) for _ in range(16)]
    own = np.concatenate([curriculum.phases[0].batches.read(place)[0] for place in range(STEPS * 16)])
    assert np.array_equal(flat, own)
    assert not np.array_equal(
        flat[: len(flat) // 2],
        np.concatenate([curriculum_of(home).phases[0].batches.read(place)[0] for place in range(STEPS * 16)])[
            : len(flat) // 2
        ],
    )


WRONG = {
    "no teacher": ({"order": {"by": "surprisal"}}, "an order by surprisal, and that alone, has a teacher"),
    "a teacher of nothing": ({"order": {"by": "length", "teacher": TEACHER}}, "and that alone, has a teacher"),
    "other phases": (
        {"order": {"by": "length"}, "phases": [{"steps": 4}, {"steps": 10, "sequence_length": 64}]},
        "order is of all sequences of a run, so that its phases have to read alike",
    ),
    "two texts": (
        {
            "order": {"by": "length"},
            "phases": [{"steps": STEPS, "mixture": [{"weight": 1}, {"corpus": {"source": "wikipedia"}, "weight": 1}]}],
        },
        "order is of a run that reads one text",
    ),
    "no run": (
        {"order": {"by": "surprisal", "teacher": {"run": "nowhere", "step": 5}}},
        r"order\.teacher: there is no run in .*nowhere; train it",
    ),
    "no step": (
        {"order": {"by": "surprisal", "teacher": TEACHER | {"step": 3}}},
        r"order\.teacher: control-seed0 has no checkpoint of step 3",
    ),
    "other pieces": (
        {"order": {"by": "surprisal", "teacher": TEACHER}, "tokenizer": {"vocab_size": 500}},
        "control-seed0 has another tokenizer, and so other pieces",
    ),
    "too long": (
        {"order": {"by": "surprisal", "teacher": TEACHER}, "sequence_length": 64},
        "control-seed0 reads at most 32 pieces, and sequences have 64",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_order_that_cannot_be_is_refused_in_one_line(home, wrong):
    changes, message = WRONG[wrong]
    with pytest.raises(EmbryologyError, match=message) as caught:
        train(preset_of(home, **changes), home / "refused")
    assert "\n" not in str(caught.value)
    assert not (home / "refused").exists()


def test_a_branch_of_another_length_has_another_order_and_is_refused(home):
    ordered = preset_of(home, order={"by": "length"})
    train(ordered, home / "ordered")
    longer = preset_of(home, order={"by": "length"}, steps=20, checkpoints=[0, 5, STEPS, 20])
    longer = longer.model_copy(update={"starts_from": StartsFrom(run="ordered", step=STEPS)})
    with pytest.raises(
        EmbryologyError, match="another number of sequences, 224 and 320, all of which are put in order"
    ):
        train(longer, home / "refused")
