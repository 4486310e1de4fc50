"""Batches against plain Python: what is cut, trimmed, masked and asked, and in which order it is read."""

import hashlib
import itertools
import multiprocessing
import os
import random
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
from scipy import stats
from sklearn.tree import DecisionTreeClassifier

from embryology.presets import Objective
from embryology.pretraining import batches as module
from embryology.pretraining.batches import SPECIALS, Batches, chunks, trim
from embryology.pretraining.objectives import FOLLOWS, IGNORED, OTHER
from tests.synthetic import store_of

LENGTH = 32
DOCUMENTS = st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=8), min_size=1, max_size=6)


def batches_of(store, tokenizer, seed=0, batch_size=4, share=0.15, longest=3, pair="sop"):
    objective = Objective(mlm_probability=share, max_ngram=longest, pair=pair, pair_weight=int(pair != "none"))
    return Batches(store, tokenizer, objective, batch_size=batch_size, length=LENGTH, seed=seed)


@given(DOCUMENTS, st.integers(10, 40))
def test_chunks_read_every_sentence_and_cross_no_document(documents, room):
    store = store_of(documents)
    lengths = np.diff(store.sentences)
    rows, read = chunks(store, room), set()
    for first, after in rows:
        assert first < after
        document = np.searchsorted(store.documents, first, side="right") - 1
        assert after <= store.documents[document + 1]
        too_much = lengths[first] if document % 2 else lengths[after - 1]
        assert sum(lengths[first:after]) - too_much < room  # the sentence that is too much has room for a piece
        read |= set(range(first, after))
    assert read == set(range(len(lengths)))


def chunks_one_by_one(store, room):
    """Slow: what ``chunks`` gives, document by document, sentence by sentence."""
    rows = []
    for number, (begin, end) in enumerate(itertools.pairwise(store.documents.tolist())):
        lengths = np.diff(store.sentences[begin : end + 1]).tolist()[:: -1 if number % 2 else 1]
        first = 0
        while first < len(lengths):
            after, taken = first, 0
            while after < len(lengths) and taken < room:
                taken += lengths[after]
                after += 1
            back = first
            if taken < room:
                while back and taken + lengths[back - 1] <= room:
                    back -= 1
                    taken += lengths[back]
            if taken:
                rows.append((end - after, end - back) if number % 2 else (begin + back, begin + after))
            first = after
    return rows


@given(st.lists(st.lists(st.integers(0, 50), max_size=8), max_size=9), st.integers(1, 90), st.integers(1, 30))
def test_chunks_are_the_same_computed_in_blocks(documents, room, block):
    store = store_of(documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SENTENCES_A_BLOCK", block)
        found = [(first, after) for first, after in chunks(store, room).tolist()]
    nonempty = [(store.sentences[first], store.sentences[after]) for first, after in chunks_one_by_one(store, room)]
    assert [(store.sentences[first], store.sentences[after]) for first, after in found] == nonempty


@pytest.mark.parametrize(("share", "longest", "digest"), [(0.4, 1, "86a5b30ab701eac3"), (0.15, 3, "e18273a9b6d2c6be")])
def test_batches_are_those_that_runs_were_trained_on(tokenizer, share, longest, digest):
    rng = np.random.default_rng(1)
    store = store_of([rng.integers(3, 25, rng.integers(1, 9)).tolist() for _ in range(40)])
    batches = batches_of(store, tokenizer, seed=5, share=share, longest=longest)
    seen = hashlib.sha256()
    for step in (0, 1, 50):
        batch = batches[step]
        for field in ("input_ids", "token_type_ids", "attention_mask", "positions", "labels", "pair_labels", "noise"):
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
            assert len(first) + len(second) <= LENGTH - SPECIALS
            for segment in (first, second):
                assert all((later - earlier) % 900 == 1 for earlier, later in itertools.pairwise(segment))
            assert 1 <= (second[0] - first[-1]) % 900 <= 50  # in this order, with what was trimmed between them
    assert {FOLLOWS, OTHER} <= set(orders)
    assert abs(orders.count(OTHER) / (orders.count(OTHER) + orders.count(FOLLOWS)) - 0.5) < 0.2


def test_every_epoch_reads_each_chunk_once_in_another_order(tokenizer):
    store = store_of([[20, 21, 22]] * 10 + [[29]] * 3)
    batches = batches_of(store, tokenizer, batch_size=5)
    first, second = batches.epoch_order(0), batches.epoch_order(1)
    assert sorted(first) == sorted(second) == list(range(len(batches.chunks)))
    assert first.tolist() != second.tolist()
    assert len(batches.chunks) == 23
    assert len(batches) == 5
    assert [batches.epoch(step) for step in (0, 1, 5)] == [0, 5 / 23, 25 / 23]


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


def pieces_by_pieces(store, tokenizer, **settings):
    """Batches of which single pieces are masked, so that every budget can be spent."""
    objective = {"mlm_probability": 0.15, "max_ngram": 1, "whole_word_mask": False, "pair_weight": 1} | settings
    return Batches(store, tokenizer, Objective(**objective), batch_size=4, length=LENGTH, seed=0)


@pytest.mark.parametrize(("share", "full", "short"), [(0.15, 4, 1), (0.4, 12, 2), (0.1, 3, 1), (0.9, 26, 5)])
def test_the_share_that_is_masked(tokenizer, share, full, short):
    """Of 29 pieces and of 6, rounded; one at least."""
    batches = pieces_by_pieces(store_of([[20, 20], [3, 3]] * 10), tokenizer, mlm_probability=share)
    assert batches.places == full
    seen = set()
    for step in range(10):
        batch = batches[step]
        used = (batch.labels.view(4, -1) != IGNORED).sum(dim=1)
        seen |= set(zip(batch.attention_mask.sum(dim=1).tolist(), used.tolist(), strict=True))
        pieces = batch.attention_mask.sum()
        assert batch.counts.tolist() == [used.sum(), (batch.pair_labels != IGNORED).sum(), pieces, pieces]
    assert seen == {(32, full), (9, short)}


def test_whole_words_or_pieces_are_masked(tokenizer):
    """Pieces take turns: one that begins a word, one that goes on with it."""
    names = tokenizer.convert_ids_to_tokens(range(1000))
    begin, go_on = (next(i for i in range(5, 1000) if names[i].startswith("▁") == starts) for starts in (True, False))
    store = store_of([[28, 40]] * 10)
    store.pieces[:] = np.tile([begin, go_on], len(store.pieces) // 2)
    for whole in (True, False):
        batches, alone = pieces_by_pieces(store, tokenizer, whole_word_mask=whole, mlm_probability=0.2), 0
        for step in range(10):
            batch = batches[step]
            used = batch.labels != IGNORED
            known = dict(zip(batch.positions[used].tolist(), batch.labels[used].tolist(), strict=True))
            goes_on = {place for place, piece in known.items() if piece == begin} - {place - 1 for place in known}
            alone += sum(int(batch.input_ids.flatten()[place + 1]) == go_on for place in goes_on)
        assert (alone == 0) == whole


def test_random_pieces_are_ordinary_ones(tokenizer):
    settings = {"mask_replace_prob": 0, "random_replace_prob": 1, "mlm_probability": 0.9}
    batches = pieces_by_pieces(store_of([[20, 20]] * 10), tokenizer, **settings)
    shown = [batch.input_ids.flatten()[batch.positions] for batch in map(batches.__getitem__, range(60))]
    counts = torch.bincount(torch.cat(shown), minlength=1000)
    assert counts[:5].tolist() == [0] * 5  # padding, unknown, [CLS], [SEP], [MASK]
    assert counts[5:].sum() == 60 * 4 * 26
    assert stats.chisquare(counts[5:].numpy()).pvalue > 0.001


def test_masks_cuts_and_noise_are_drawn_anew_in_every_epoch(tokenizer):
    batches = pieces_by_pieces(store_of([[9, 8, 7, 5]]), tokenizer)  # one chunk, read in every sequence
    assert len(batches.chunks) == 1
    seen = [batches[step] for step in range(5)]
    places = torch.cat([batch.positions.view(4, -1) % LENGTH for batch in seen])
    assert len(places.unique(dim=0)) > 15
    begins = {int(row.argmax()) for batch in seen for row in batch.token_type_ids}
    assert begins == {11, 19, 26, 7, 14, 22}  # after 9, 17 or 24 pieces, or, where they are swapped, 5, 12 or 20
    noise = torch.cat([batch.noise for batch in seen])
    assert len(noise.unique()) == noise.numel() == 5 * 4 * 4
    assert stats.kstest(noise.numpy() / module.NOISES, "uniform").pvalue > 0.001


def test_parts_are_the_whole_however_a_batch_is_divided(tokenizer):
    batches = batches_of(store_of([[20, 21, 22]] * 10), tokenizer, batch_size=6)
    whole, parts = batches[3], [batches.part(3, range(first, first + 2)) for first in (0, 2, 4)]
    for field in ("input_ids", "labels", "pair_labels", "noise", "attention_mask"):
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
                assert (first // 54).unique().tolist() == (second // 54).unique().tolist()
                assert (second[0] - first[-1]) % 900 < 54
            else:
                assert label == OTHER
                assert len(second)
                assert (first // 54).unique().tolist() != (second // 54).unique().tolist()
    assert 0.3 < labels.count(OTHER) / len(labels) < 0.7


def test_pairs_of_two_documents_are_a_beginning_and_an_ending_as_long_as_what_it_replaces(tokenizer):
    batches = batches_of(store_of([[7] * 4] * 30), tokenizer, pair="nsp")  # 28 pieces each: nothing is trimmed
    seen = []
    for number in range(200):
        (first, second), label, _ = batches.segments(number)
        (document, begin), (other, end) = divmod(first[0] - 10, 28), divmod(second[-1] - 10, 28)
        assert (begin, end) == (0, 27)
        assert len(first) + len(second) == 28
        assert (document != other) == (label == OTHER)
        seen.append((label, len(first)))
    assert set(seen) == {(label, length) for label in (FOLLOWS, OTHER) for length in (7, 14, 21)}


def test_one_document_has_no_other_and_pairs_may_be_left_unasked(tokenizer):
    alone = batches_of(store_of([[9] * 20]), tokenizer, pair="nsp")
    assert set(alone[0].pair_labels.tolist()) == {FOLLOWS}
    unasked = batches_of(store_of([[9] * 20] * 5), tokenizer, pair="none")[0]
    assert set(unasked.pair_labels.tolist()) == {IGNORED}
    assert unasked.token_type_ids.any()


def truncate_seq_pair(tokens_a, tokens_b, max_num_tokens, rng):
    """As it stands in BERT's and ALBERT's ``create_pretraining_data.py``."""
    while True:
        total_length = len(tokens_a) + len(tokens_b)
        if total_length <= max_num_tokens:
            break
        trunc_tokens = tokens_a if len(tokens_a) > len(tokens_b) else tokens_b
        if rng.random() < 0.5:
            del trunc_tokens[0]
        else:
            trunc_tokens.pop()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(13, 70))
def test_what_is_too_much_is_trimmed_as_by_berts_code(one, other, room):
    theirs = list(range(one)), list(range(other))
    truncate_seq_pair(*theirs, room, random.Random(0))
    ours = trim(np.arange(one), np.arange(other), room, np.random.default_rng(0))
    assert [len(segment) for segment in ours] == [len(segment) for segment in theirs]
    assert all((np.diff(segment) == 1).all() for segment in ours)


def test_pieces_are_trimmed_at_either_end_as_often():
    firsts = [trim(np.arange(50), np.arange(20), 60, np.random.default_rng(seed))[0][0] for seed in range(2000)]
    assert np.bincount(firsts, minlength=11) / 2000 == pytest.approx(stats.binom.pmf(np.arange(11), 10, 0.5), abs=0.03)


@pytest.mark.parametrize("pair", ["sop", "nsp"])
def test_nothing_but_the_text_tells_how_segments_belong_together(tokenizer, pair):
    """As a tree would: by the last piece of a sentence (here of an id of its own), or by lengths."""
    rng = np.random.default_rng(3)
    store = store_of([rng.geometric(1 / 9, rng.integers(1, 14)).tolist() for _ in range(3000)])
    store.pieces[store.sentences[1:] - 1] = 999
    batches = batches_of(store, tokenizer, pair=pair)
    features, labels = [], []
    for number in range(16_000):
        segments, label, _ = batches.segments(number)
        if label != IGNORED:
            features.append(
                [*(segment[-1] == 999 for segment in segments), *map(len, segments), sum(map(len, segments))]
            )
            labels.append(label)
    half = len(labels) // 2
    tree = DecisionTreeClassifier(max_depth=5, min_samples_leaf=100, random_state=0)
    tree.fit(features[:half], labels[:half])
    assert half > 5000
    assert 0.47 < tree.score(features[half:], labels[half:]) < 0.54
