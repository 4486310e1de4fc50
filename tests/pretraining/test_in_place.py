"""Sequences that are replaced in place: all others, their masks and their batches stay what they were."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.kills import differences
from embryology import presets
from embryology.corpus.store import TokenStore
from embryology.errors import EmbryologyError
from embryology.pretraining import exposure
from embryology.pretraining.curriculum import Curriculum
from embryology.runs import losses
from embryology.runs.series import Series
from tests.pretraining.test_mixture import NEW, OTHER, OWN, outcome_of, text_of
from tests.training import SHORT, small_preset, train

HELD_OUT = text_of(range(200, 300))
"""Of pieces that no training text has."""
PARTS = ("input_ids", "token_type_ids", "attention_mask", "positions", "labels", "pair_labels", "noise")
PHASES = (
    {"steps": 3},
    {"steps": 3, "mixture": [{"weight": 1}, {"corpus": NEW, "weight": 1}]},
    {"steps": 2, "sequence_length": 48, "batch_size": 4},
)
"""56 sequences."""


def batches(outcome, tokenizer):
    curriculum = Curriculum(outcome, OWN, tokenizer, [OTHER], HELD_OUT)
    return [batch for (batch,) in curriculum.ahead(0)]


def by_row(batch):
    """What a sequence has of a batch, row by row."""
    rows, length = batch.input_ids.shape
    tensors = [getattr(batch, name).view(rows, -1).clone() for name in PARTS]
    tensors[3] -= torch.arange(rows)[:, None] * length
    return [[tensor[row].tolist() for tensor in tensors] for row in range(rows)]


@given(st.dictionaries(st.integers(0, 55), st.integers(0, 24), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None)
def test_all_others_their_masks_and_their_batches_stay(tokenizer, tmp_path_factory, replaced):
    folder = tmp_path_factory.mktemp("in_place")
    plain = outcome_of(folder, *PHASES)
    assert plain.sequences == 56
    before, after = (batches(each, tokenizer) for each in (plain, outcome_of(folder, *PHASES, replaced=replaced)))
    one, other = ([row for batch in each for row in by_row(batch)] for each in (before, after))
    for number, (planned, read) in enumerate(zip(one, other, strict=True)):
        ids, _, mask, places, labels, *_ = read
        if number not in replaced:
            assert read == planned
            continue
        assert mask == planned[2]
        true = np.array(ids)
        used = np.array(labels) != -100
        true[np.array(places)[used]] = np.array(labels)[used]
        text = true[np.array(mask)]
        assert {*text[text > 4]} <= {*range(200, 300)}
        assert text[0] == 2
        assert text[-1] == 3


def test_what_was_read_is_what_is_counted(tokenizer, tmp_path):
    """Exposures see what is read, and not what was planned."""
    outcome = outcome_of(tmp_path, *PHASES, replaced={3: 1, 30: 2, 50: 3})
    reads = list(exposure.read(Curriculum(outcome, OWN, tokenizer, [OTHER], HELD_OUT)))
    rows = [
        some.store.pieces[begin:end]
        for some in reads
        for begin, end in zip(some.store.sentences, some.store.sentences[1:], strict=False)
    ]
    assert [number for number, row in enumerate(rows) if row.max() >= 200] == [3, 30, 50]


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({56: 0}, "replaced 56 is no number of its 56 sequences, from 0"),
        ({-1: 0}, "greater than or equal to 0"),
    ],
)
def test_sequences_that_are_not_there_are_refused_in_one_line(tmp_path, replaced, message):
    with pytest.raises(EmbryologyError, match=message) as caught:
        outcome_of(tmp_path, *PHASES, replaced=replaced)
    assert "\n" not in str(caught.value)


def test_pairs_of_other_documents_are_refused(tmp_path):
    objective = {"mlm_probability": 0.2, "max_ngram": 1, "pair": "nsp", "pair_weight": 1}
    with pytest.raises(EmbryologyError, match="replaced sequences are not for pair: nsp"):
        outcome_of(tmp_path, {"steps": 4, "objective": objective}, replaced={3: 0})


@pytest.mark.parametrize(
    ("chunk", "message"),
    [(999, "the held-out text has .* chunks, no 999"), (2, "chunk 2 of the held-out text has 4 of")],
)
def test_chunks_that_do_not_fit_are_refused_in_one_line(tmp_path, tokenizer, chunk, message):
    outcome = outcome_of(tmp_path, {"steps": 3}, replaced={3: chunk})
    short = TokenStore(np.full(40, 250, np.uint16), np.arange(0, 41, 4), np.arange(11))
    curriculum = Curriculum(outcome, OWN, tokenizer, held_out=HELD_OUT if chunk == 999 else short)
    with pytest.raises(EmbryologyError, match=message) as caught:
        list(curriculum.ahead(0))
    assert "\n" not in str(caught.value)


def preset_of(home, replaced, start=None):
    preset = small_preset(home, 75, steps=24, checkpoints=[0, 10, 20, 24], replaced=replaced, **SHORT)
    values = preset.model_dump() | {"speed": preset.speed.model_dump() | {"keep_states": [10]}, "starts_from": start}
    return presets.validated(values, "replaced")


def test_a_replay_is_the_run_up_to_the_first_batch_that_differs(tmp_path, monkeypatch):
    """Sequence 16 × 14 + 3 is of step 15."""
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path))
    origin = train(preset_of(tmp_path, {}), tmp_path / "origin")
    start = {"run": "origin", "step": 10}
    late = train(preset_of(tmp_path, {16 * 14 + 3: 1}, start), tmp_path / "late")
    whole = train(preset_of(tmp_path, {16 * 14 + 3: 1}), tmp_path / "whole")
    assert differences(late, whole) == []
    ends = [[each.sha256 for each in Series.open(folder.root).checkpoints] for folder in (origin, late)]
    assert [one == other for one, other in zip(*ends, strict=True)] == [True, True, False, False]
    last = train(preset_of(tmp_path, {16 * 20: 1}, start), tmp_path / "last")
    rows = [losses.read(folder).set_index("step") for folder in (origin, last)]
    for step, same in ((10, True), (20, True), (24, False)):
        assert (rows[0].loc[step, "masked_loss"] == rows[1].loc[step, "masked_loss"]) == same
    with pytest.raises(EmbryologyError, match="origin has another replaced sequences; up to step 10"):
        train(preset_of(tmp_path, {16 * 9: 1}, start), tmp_path / "early")
