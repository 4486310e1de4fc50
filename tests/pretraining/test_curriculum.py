import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embryology.errors import EmbryologyError
from embryology.pretraining.curriculum import Curriculum, divide
from tests.synthetic import store_of
from tests.training import small_preset


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_every_row_is_read_once(processes, parts, size):
    rows = divide(processes * parts * size, processes, parts)
    assert [len(own_parts) for own_parts in rows] == [parts] * processes
    assert [row for own_parts in rows for part in own_parts for row in part] == list(range(processes * parts * size))


@pytest.mark.parametrize("batch_size", [5, 2])
def test_unequal_or_empty_parts_are_refused(batch_size):
    with pytest.raises(EmbryologyError, match=f"batch_size {batch_size} cannot be divided"):
        divide(batch_size, 2, 2)


def test_phases_follow_each_other_and_a_resume_reads_on(tokenizer, tmp_path):
    phases = [{"steps": 6}, {"steps": 4, "batch_size": 4, "sequence_length": 48}]
    outcome = small_preset(
        tmp_path, steps=10, checkpoints=[0, 10], batch_size=8, sequence_length=32, phases=phases
    ).outcome
    curriculum = Curriculum(outcome, store_of([[9, 8, 7, 12], [20, 5, 6]] * 20), tokenizer)
    batches = [parts for (parts,) in curriculum.ahead(0)]
    assert [tuple(batch.input_ids.shape) for batch in batches] == [(8, 32)] * 6 + [(4, 48)] * 4
    for done in (4, 6, 8):
        resumed = [parts for (parts,) in curriculum.ahead(done)]
        assert all(
            torch.equal(one.input_ids, other.input_ids) for one, other in zip(resumed, batches[done:], strict=True)
        )
    epochs = [curriculum.epoch(step) for step in range(11)]
    assert epochs == sorted(set(epochs))
    assert epochs[0] == 0
