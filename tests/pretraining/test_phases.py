"""Runs of several phases: what each step reads and at what rate, and that at a border nothing is lost."""

import itertools
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.kills import differences
from embryology import presets
from embryology.models.optimizers import stage_rate
from embryology.pretraining.curriculum import Curriculum
from embryology.runs import losses, manifest
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.runs.verify import check
from tests.processes import exit_status
from tests.synthetic import store_of
from tests.training import SHORT, small_preset, train

DOCUMENTS = [[9, 8, 7, 12], [20, 5, 6], [3, 3]] * 20


def outcome_of(folder, *phases, **changes):
    steps = sum(phase["steps"] for phase in phases)
    return small_preset(folder, steps=steps, checkpoints=[0, steps], phases=list(phases), **changes).outcome


def rates(outcome):
    return [stage_rate(stage, step) for stage in outcome.course for step in range(stage.first, stage.after)]


def test_rates_by_hand(tmp_path):
    """Of a warm-up of 5 steps to 0.002, and of phases with rates of their own."""
    outcome = outcome_of(
        tmp_path,
        {"steps": 7, "rate": "constant"},
        {"steps": 4, "rate": "decay"},
        {"steps": 5, "rate": "decay", "learning_rate": 0.006, "warmup_steps": 3},
        {"steps": 2, "rate": "constant", "learning_rate": 0.001},
    )
    by_hand = [0.0004, 0.0008, 0.0012, 0.0016, 0.002, 0.002, 0.002]
    by_hand += [0.002, 0.0015, 0.001, 0.0005]
    by_hand += [0.002, 0.004, 0.006, 0.006, 0.003]
    by_hand += [0.001, 0.001]
    assert rates(outcome) == pytest.approx(by_hand, rel=1e-12)


def test_the_optimizers_schedule_runs_through_all_phases_and_is_a_decay_of_one(tmp_path):
    whole = rates(outcome_of(tmp_path, {"steps": 30}))
    settings = [0.002 * min((step + 1) / 5, (30 - step) / 25) for step in range(30)]
    assert whole == settings
    for phases in (
        [{"steps": 10}, {"steps": 20, "sequence_length": 96}],
        [{"steps": 30, "rate": "decay"}],
        [{"steps": 5, "rate": "constant"}, {"steps": 25, "rate": "decay"}],
    ):
        assert rates(outcome_of(tmp_path, *phases)) == settings


def sequences(outcome, tokenizer):
    """By step the sequences as the text has them: what is masked is put back."""
    for (batch,) in Curriculum(outcome, store_of(DOCUMENTS), tokenizer).ahead(0):
        ids = batch.input_ids.flatten().clone()
        used = batch.labels != -100
        ids[batch.positions[used]] = batch.labels[used]
        yield ids.view_as(batch.input_ids).tolist()


def test_a_phase_reads_on_where_the_one_before_stopped(tmp_path, tokenizer):
    shape = {"batch_size": 4, "sequence_length": 32}
    one = list(sequences(outcome_of(tmp_path, {"steps": 12}, **shape), tokenizer))
    assert len({str(sequence) for step in one for sequence in step}) > 8
    alike = {"steps": 5, "rate": "constant"}, {"steps": 7, "rate": "decay"}
    assert list(sequences(outcome_of(tmp_path, *alike, optimizer=quick(), **shape), tokenizer)) == one
    larger = {"steps": 6}, {"steps": 3, "batch_size": 8}
    read = list(sequences(outcome_of(tmp_path, *larger, **shape), tokenizer))
    assert [len(step) for step in read] == [4] * 6 + [8] * 3
    assert [*itertools.chain(*read)] == [*itertools.chain(*one)]
    between = {"steps": 6}, {"steps": 2, "sequence_length": 48}, {"steps": 6}
    read = list(sequences(outcome_of(tmp_path, *between, **shape), tokenizer))
    assert read[:6] + read[8:] == one
    assert [len(sequence) for step in read[6:8] for sequence in step] == [48] * 8


def test_a_phase_masks_as_it_says(tmp_path, tokenizer):
    more = {"mlm_probability": 0.5, "max_ngram": 1, "pair_weight": 0.3}
    outcome = outcome_of(tmp_path, {"steps": 4}, {"steps": 4, "objective": more}, batch_size=4, sequence_length=32)
    batches = [batch for (batch,) in Curriculum(outcome, store_of(DOCUMENTS), tokenizer).ahead(0)]
    places = [int((batch.labels != -100).sum()) for batch in batches]
    assert min(places[4:]) > 2 * max(places[:4])
    plain = outcome_of(tmp_path, {"steps": 8}, batch_size=4, sequence_length=32)
    assert list(sequences(outcome, tokenizer)) == list(sequences(plain, tokenizer))


def quick():
    """An optimizer whose warm-up ends within a short phase."""
    return presets.load("smoke").outcome.optimizer.model_dump() | {"warmup_steps": 3}


def test_epochs_add_up_over_phases(tmp_path, tokenizer):
    phases = {"steps": 6}, {"steps": 3, "batch_size": 8}, {"steps": 2, "sequence_length": 48}
    outcome = outcome_of(tmp_path, *phases, batch_size=4, sequence_length=32)
    curriculum = Curriculum(outcome, store_of([[9, 8, 7, 12] * 5] * 20), tokenizer)
    counts = [len(phase.batches.chunks) for phase in curriculum.phases]
    assert counts[0] == counts[1] != counts[2]
    assert curriculum.epoch(6) == pytest.approx(24 / counts[0])
    assert curriculum.epoch(9) == pytest.approx(48 / counts[0])
    assert curriculum.epoch(11) == pytest.approx(48 / counts[0] + 8 / counts[2])


PHASES = [
    {"steps": 13, "rate": "constant"},
    {
        "steps": 12,
        "rate": "constant",
        "batch_size": 8,
        "objective": {"mlm_probability": 0.3, "max_ngram": 1, "pair_weight": 0.5},
    },
    {"steps": 15, "rate": "decay", "sequence_length": 48},
]
BORDERS = (13, 25, 40)


def preset(home: Path):
    """With dropout, and borders that are neither checkpoints nor where a row is logged anyway, but for the last."""
    model = small_preset(home).outcome.model.model_dump() | {"dropout": 0.1}
    return small_preset(home, 75, model=model, steps=40, checkpoints=[0, 20, 40], phases=PHASES, **SHORT)


def _train(home: Path, name: str, kill: tuple[str, int] | None, resume: bool) -> None:
    os.environ["EMBRYOLOGY_RUNS"] = str(home / "runs")
    owner = {"step": torch.optim.AdamW, "write": losses, "save": torch}
    if kill:
        name_of, count = kill
        real, calls = getattr(owner[name_of], name_of), []

        def called(*arguments, **settings):
            calls.append(0)
            if len(calls) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **settings)

        setattr(owner[name_of], name_of, called)
    train(preset(home), home / "runs" / name, resume=resume)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("phases")


@pytest.fixture(scope="module")
def uninterrupted(home):
    assert exit_status(_train, home, "uninterrupted", None, False) == 0
    return RunFolder(home / "runs" / "uninterrupted")


def test_losses_know_their_phase_and_no_row_spans_a_border(home, uninterrupted):
    table = losses.read(uninterrupted)
    assert table["step"].tolist() == [0, 10, 13, 20, 25, 30, 40]
    assert table["phase"].tolist() == [1, 1, 1, 2, 2, 3, 3]
    assert table["learning_rate"][1:].tolist() == pytest.approx([0.002] * 4 + [0.002 * 11 / 15, 0.002 / 15])
    pair = table["loss"] - table["masked_loss"]
    assert (pair / table["pair_loss"])[1:].tolist() == pytest.approx([0.1, 0.1, 0.5, 0.5, 0.1, 0.1], rel=1e-4)
    assert np.isfinite(table["gradient_norm"][1:]).all()
    assert check(uninterrupted)[0] == []


# States are saved at steps 10, 13, 20, 25 and 40.
KILLS = {
    ("step", 13): 10,  # before the last step of the first phase
    ("write", 2): 10,  # after it, before anything of it is saved
    ("save", 2): 10,  # between its losses and its state
    ("step", 14): 13,  # before the first step of the second
    ("step", 25): 20,
    ("step", 26): 25,
    ("save", 5): 25,
}


@pytest.mark.parametrize("kill", KILLS)
def test_a_run_that_is_killed_at_a_border_ends_as_if_it_had_not_been(home, uninterrupted, kill):
    folder = RunFolder(home / "runs" / "-".join(map(str, kill)))
    assert exit_status(_train, home, folder.name, kill, False) == -signal.SIGKILL
    assert manifest.steps_done(folder) == KILLS[kill]
    assert exit_status(_train, home, folder.name, None, True) == 0
    assert differences(folder, uninterrupted) == []


def test_constant_then_decay_is_the_present_schedule_bit_for_bit(home, tmp_path):
    """Two ways to say the same rates, from two parts of the code: a warm-up of 5 steps, then a fall to zero."""
    changes = {"steps": 20, "checkpoints": [0, 20], **SHORT}
    phases = [{"steps": 6, "rate": "constant"}, {"steps": 14, "rate": "decay"}]
    longer = small_preset(home, 75, **changes).outcome.optimizer.model_dump() | {"warmup_steps": 6}
    ends = [
        Series.open(train(small_preset(home, 75, optimizer=longer, **changes, **more), tmp_path / name).root)
        for name, more in (("one", {}), ("two", {"phases": [{"steps": 20, "rate": "decay"}]}))
    ]
    assert ends[0].checkpoints[-1].sha256 == ends[1].checkpoints[-1].sha256
    late = Series.open(train(small_preset(home, 75, **changes, phases=phases), tmp_path / "late").root)
    assert late.checkpoints[-1].sha256 != ends[0].checkpoints[-1].sha256
