import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embryology.corpus.store import TokenStore
from embryology.presets import Objective
from embryology.pretraining import batches as module
from embryology.pretraining.batches import SPECIALS, Batches, chunks
from embryology.pretraining.objectives import IGNORED, IN_ORDER, SWAPPED

LENGTH = 32
DOCUMENTS = st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=8), min_size=1, max_size=6)


def store_of(documents):
    """Documents as lists of sentence lengths; piece number n of the text has id 10 + n mod 900."""
    lengths = [length for document in documents for length in document]
    offsets = np.cumsum([0, *lengths])
    bounds = np.cumsum([0, *map(len, documents)])
    return TokenStore((10 + np.arange(offsets[-1]) % 900).astype(np.uint16), offsets, bounds)


def batches_of(store, tokenizer, seed=0, sequences=4, share=0.15, longest=3):
    objective = Objective(masked_share=share, longest_ngram=longest, order_weight=1)
    return Batches(store, tokenizer, objective, sequences=sequences, length=LENGTH, seed=seed)


@given(DOCUMENTS, st.integers(10, 40))
def test_chunks_read_every_sentence_and_cross_no_document(documents, room):
    store = store_of(documents)
    found = chunks(store, room)
    read = set()
    for first, after in found:
        assert first < after
        document = np.searchsorted(store.documents, first, side="right") - 1
        assert after <= store.documents[document + 1]
        start = store.sentences[first]
        assert after == first + 1 or store.sentences[after - 1] - start < room  # the last one has room for a piece
        read |= {n for n in range(first, after) if store.sentences[n + 1] - start <= room or n == first}
    assert read == set(range(len(store.sentences) - 1))


def chunks_one_by_one(store, room):
    """Slow: what ``chunks`` gives, as it was first written."""
    offsets, found = store.sentences, []
    for begin, end in zip(store.documents[:-1].tolist(), store.documents[1:].tolist(), strict=True):
        first = begin
        while first < end:
            after = min(int(np.searchsorted(offsets, offsets[first] + room)), end)
            full = offsets[after] - offsets[first] >= room
            if not full:
                first = max(begin, int(np.searchsorted(offsets, offsets[end] - room)))
            if offsets[after] > offsets[first]:
                found.append((first, after))
            cut = offsets[after] - offsets[first] > room
            first = after - 1 if full and cut and after - 1 > first else after
    return np.array(found, dtype=np.int64).reshape(-1, 2)


@given(st.lists(st.lists(st.integers(0, 50), max_size=8), max_size=9), st.integers(1, 90), st.integers(1, 30))
def test_chunks_are_the_same_computed_in_blocks(documents, room, block):
    store = store_of(documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SENTENCES_A_BLOCK", block)
        assert np.array_equal(chunks(store, room), chunks_one_by_one(store, room))


@pytest.mark.parametrize(("share", "longest", "digest"), [(0.4, 1, "9cd00167bfa41211"), (0.15, 3, "fead9e50e2d0490d")])
def test_batches_are_those_that_runs_were_trained_on(tokenizer, share, longest, digest):
    rng = np.random.default_rng(1)
    store = store_of([rng.integers(3, 25, rng.integers(1, 9)).tolist() for _ in range(40)])
    batches = batches_of(store, tokenizer, seed=5, share=share, longest=longest)
    seen = hashlib.sha256()
    for step in (0, 1, 50):
        batch = batches[step]
        for field in ("input_ids", "token_type_ids", "attention_mask", "positions", "labels", "order_labels"):
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
            true.view(4, LENGTH), batch.token_type_ids, batch.attention_mask, batch.order_labels, strict=True
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
            first, second = segments if order == IN_ORDER else segments[::-1]
            text = np.array(first + second)
            assert len(text) <= LENGTH - SPECIALS
            assert ((np.diff(text) == 1) | (np.diff(text) == -899)).all()  # the pieces stand in the text in this order
    assert {IN_ORDER, SWAPPED} <= set(orders)
    assert abs(orders.count(SWAPPED) / (orders.count(SWAPPED) + orders.count(IN_ORDER)) - 0.5) < 0.2


def test_every_epoch_reads_each_chunk_once_in_another_order(tokenizer):
    store = store_of([[20, 21, 22]] * 10)
    batches = batches_of(store, tokenizer, sequences=5)
    first, second = batches._order(0), batches._order(1)
    assert sorted(first) == sorted(second) == list(range(len(batches.chunks)))
    assert first.tolist() != second.tolist()
    assert batches.epoch(len(batches)) >= 1


def test_a_batch_depends_on_seed_and_step_alone(tokenizer):
    store = store_of([[20, 21, 22]] * 10)
    one, two = batches_of(store, tokenizer), batches_of(store, tokenizer)
    later = len(one) * 2 + 1  # past the first epoch
    for step in (later, 0, 3):
        for field in ("input_ids", "labels", "positions", "order_labels"):
            assert torch.equal(getattr(one[step], field), getattr(two[step], field))
    assert not torch.equal(one[0].input_ids, one[1].input_ids)
    assert not torch.equal(one[0].input_ids, batches_of(store, tokenizer, seed=1)[0].input_ids)
    ahead = list(two.ahead(1, 9))
    assert len(ahead) == 8
    assert all(torch.equal(batch.input_ids, one[step].input_ids) for step, batch in enumerate(ahead, 1))


@pytest.mark.parametrize("share", [0.15, 0.3])
def test_the_share_that_is_masked(tokenizer, share):
    store = store_of([[29] * 20] * 10)
    batches = batches_of(store, tokenizer, share=share, longest=1)
    used = torch.cat([batches[step].labels != IGNORED for step in range(20)]).float().mean() * batches.places
    assert share * (LENGTH - SPECIALS) - 1.5 < used <= share * (LENGTH - SPECIALS) + 0.5
