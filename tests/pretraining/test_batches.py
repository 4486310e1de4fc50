import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embryology.presets import Objective
from embryology.pretraining import batches as module
from embryology.pretraining.batches import SPECIALS, Batches, chunks
from embryology.pretraining.objectives import FOLLOWS, IGNORED, OTHER
from tests.synthetic import store_of

LENGTH = 32
DOCUMENTS = st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=8), min_size=1, max_size=6)


def batches_of(store, tokenizer, seed=0, batch_size=4, share=0.15, longest=3, pair="sop"):
    objective = Objective(mlm_probability=share, max_ngram=longest, pair=pair, pair_weight=1)
    return Batches(store, tokenizer, objective, batch_size=batch_size, length=LENGTH, seed=seed)


@given(DOCUMENTS, st.integers(10, 40))
def test_chunks_read_every_sentence_and_cross_no_document(documents, room):
    store = store_of(documents)
    rows = chunks(store, room)
    read = set()
    for first, after in rows:
        assert first < after
        document = np.searchsorted(store.documents, first, side="right") - 1
        assert after <= store.documents[document + 1]
        start = store.sentences[first]
        assert after == first + 1 or store.sentences[after - 1] - start < room  # the last one has room for a piece
        read |= {n for n in range(first, after) if store.sentences[n + 1] - start <= room or n == first}
    assert read == set(range(len(store.sentences) - 1))


def chunks_one_by_one(store, room):
    """Slow: what ``chunks`` gives, as it was first written."""
    offsets, rows = store.sentences, []
    for begin, end in zip(store.documents[:-1].tolist(), store.documents[1:].tolist(), strict=True):
        first = begin
        while first < end:
            after = min(int(np.searchsorted(offsets, offsets[first] + room)), end)
            full = offsets[after] - offsets[first] >= room
            if not full:
                first = max(begin, int(np.searchsorted(offsets, offsets[end] - room)))
            if offsets[after] > offsets[first]:
                rows.append((first, after))
            cut = offsets[after] - offsets[first] > room
            first = after - 1 if full and cut and after - 1 > first else after
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


@given(st.lists(st.lists(st.integers(0, 50), max_size=8), max_size=9), st.integers(1, 90), st.integers(1, 30))
def test_chunks_are_the_same_computed_in_blocks(documents, room, block):
    store = store_of(documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SENTENCES_A_BLOCK", block)
        assert np.array_equal(chunks(store, room), chunks_one_by_one(store, room))


@pytest.mark.parametrize(("share", "longest", "digest"), [(0.4, 1, "170dcac3a0ecfbc8"), (0.15, 3, "dd76f1ea579a0656")])
def test_batches_are_those_that_runs_were_trained_on(tokenizer, share, longest, digest):
    rng = np.random.default_rng(1)
    store = store_of([rng.integers(3, 25, rng.integers(1, 9)).tolist() for _ in range(40)])
    batches = batches_of(store, tokenizer, seed=5, share=share, longest=longest)
    seen = hashlib.sha256()
    for step in (0, 1, 50):
        batch = batches[step]
        for field in ("input_ids", "token_type_ids", "attention_mask", "positions", "labels", "pair_labels", "chances"):
            seen.update(getattr(batch, field).numpy().tobytes())
    assert seen.hexdigest().startswith(digest)


def test_a_batch_is_what_it_says(tokenizer):
    rng = np.random.default_rng(1)
    store = store_of([rng.integers(3, 25, rng.integers(1, 9)).tolist() for _ in range(40)])
    batches = batches_of(store, tokenizer)
    orders = []
    for step in range(30):
        batch = batches[step]
        assert batch.input_ids.shape == (4, LENGTH)
        assert batch.positions.shape == batch.labels.shape == (4 * batches.places,)
        used = batch.labels != IGNORED
        true = batch.input_ids.flatten().clone()
        true[batch.positions[used]] = batch.labels[used]
        for row, kinds, mask, order in zip(
            true.view(4, LENGTH), batch.token_type_ids, batch.attention_mask, batch.pair_labels, strict=True
        ):
            length = int(mask.sum())
            assert mask[:length].all()
            assert (row[length:] == 0).all()
            assert row[0] == 2
            assert row[length - 1] == 3
            ends = (row == 3).nonzero().flatten().tolist()
            segments = [row[1 : ends[0]].tolist(), row[ends[0] + 1 : length - 1].tolist()]
            assert (kinds[: ends[0] + 1] == 0).all()
            assert (kinds[ends[0] + 1 : length] == 1).all()
            orders.append(int(order))
            if order == IGNORED:
                assert len(ends) == 1
                continue
            first, second = segments if order == FOLLOWS else segments[::-1]
            text = np.array(first + second)
            assert len(text) <= LENGTH - SPECIALS
            assert ((np.diff(text) == 1) | (np.diff(text) == -899)).all()  # the pieces stand in the text in this order
    assert {FOLLOWS, OTHER} <= set(orders)
    assert abs(orders.count(OTHER) / (orders.count(OTHER) + orders.count(FOLLOWS)) - 0.5) < 0.2


def test_every_epoch_reads_each_chunk_once_in_another_order(tokenizer):
    store = store_of([[20, 21, 22]] * 10)
    batches = batches_of(store, tokenizer, batch_size=5)
    first, second = batches._order(0), batches._order(1)
    assert sorted(first) == sorted(second) == list(range(len(batches.chunks)))
    assert first.tolist() != second.tolist()
    assert batches.epoch(len(batches)) >= 1


def test_a_batch_depends_on_seed_and_step_alone(tokenizer):
    store = store_of([[20, 21, 22]] * 10)
    one, two = batches_of(store, tokenizer), batches_of(store, tokenizer)
    later = len(one) * 2 + 1  # past the first epoch
    for step in (later, 0, 3):
        for field in ("input_ids", "labels", "positions", "pair_labels"):
            assert torch.equal(getattr(one[step], field), getattr(two[step], field))
    assert not torch.equal(one[0].input_ids, one[1].input_ids)
    assert not torch.equal(one[0].input_ids, batches_of(store, tokenizer, seed=1)[0].input_ids)
    for workers in (0, 2):
        ahead = list(two.ahead(1, 9, [range(4)], workers))
        assert len(ahead) == 8
        assert all(torch.equal(batch.input_ids, one[step].input_ids) for step, (batch,) in enumerate(ahead, 1))


def test_signals_leave_the_workers_to_the_trainer(tokenizer):
    batches = batches_of(store_of([[20, 21, 22]] * 10), tokenizer)
    ahead = batches.ahead(0, 12, [range(4)], workers=2)
    assert len([next(ahead), next(ahead)]) == 2  # one of each worker
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    for worker in workers:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(worker.pid, number)
    assert len(list(ahead)) == 10
    assert not any(worker.is_alive() for worker in workers)


def test_a_worker_ends_after_a_trainer_that_is_killed():
    trainer = """
import os, signal, time
from embryology.pretraining.batches import _belong_to_the_trainer
worker = os.fork()
if worker == 0:
    _belong_to_the_trainer(0)
    time.sleep(60)
print(worker, flush=True)
time.sleep(0.5)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", trainer], stdout=subprocess.PIPE, text=True, timeout=30)
    assert killed.returncode == -signal.SIGKILL
    worker = Path(f"/proc/{int(killed.stdout)}")
    for _ in range(50):
        if not worker.exists():
            break
        time.sleep(0.2)
    assert not worker.exists()


@pytest.mark.parametrize("share", [0.15, 0.3])
def test_the_share_that_is_masked(tokenizer, share):
    store = store_of([[29] * 20] * 10)
    batches = batches_of(store, tokenizer, share=share, longest=1)
    used = torch.cat([batches[step].labels != IGNORED for step in range(20)]).float().mean() * batches.places
    assert share * (LENGTH - SPECIALS) - 1.5 < used <= share * (LENGTH - SPECIALS) + 0.5


def test_parts_are_the_whole_however_a_batch_is_divided(tokenizer):
    batches = batches_of(store_of([[20, 21, 22]] * 10), tokenizer, batch_size=6)
    whole, parts = batches[3], [batches.part(3, range(first, first + 2)) for first in (0, 2, 4)]
    for field in ("input_ids", "labels", "pair_labels", "chances", "attention_mask"):
        assert torch.equal(getattr(whole, field), torch.cat([getattr(part, field) for part in parts]))
    moved = torch.cat([part.positions + number * 2 * LENGTH for number, part in enumerate(parts)])
    assert torch.equal(whole.positions, moved)
    assert torch.equal(whole.counts, sum(part.counts for part in parts))


def test_a_next_sentence_is_the_next_or_of_another_document(tokenizer):
    documents = [[9] * 6] * 16  # 54 pieces each, so a piece tells its document
    batches = batches_of(store_of(documents), tokenizer, pair="nsp")
    labels = []
    for step in range(40):
        batch = batches[step]
        used = batch.labels != IGNORED
        true = batch.input_ids.flatten().clone()
        true[batch.positions[used]] = batch.labels[used]
        for row, kinds, label in zip(true.view(4, LENGTH), batch.token_type_ids, batch.pair_labels, strict=True):
            first, second = (row[(kinds == kind) & (row >= 10)] - 10 for kind in (0, 1))
            labels.append(int(label))
            if label == FOLLOWS:
                assert second[0] == (first[-1] + 1) % 900
            else:
                assert label == OTHER
                assert len(second)
                assert (first // 54).unique().tolist() != (second // 54).unique().tolist()
    assert 0.3 < labels.count(OTHER) / len(labels) < 0.7


def test_one_document_has_no_other_and_pairs_may_be_left_unasked(tokenizer):
    alone = batches_of(store_of([[9] * 20]), tokenizer, pair="nsp")
    assert set(alone[0].pair_labels.tolist()) == {FOLLOWS}
    unasked = batches_of(store_of([[9] * 20] * 5), tokenizer, pair="none")[0]
    assert set(unasked.pair_labels.tolist()) == {IGNORED}
    assert unasked.token_type_ids.any()
