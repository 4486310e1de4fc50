import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from embryology import presets
from embryology.pretraining.cost import estimate, step_cost
from embryology.pretraining.trainee import Trainee, build
from tests.pretraining.test_trainee import FAMILIES
from tests.training import small_preset


@pytest.mark.parametrize("family", FAMILIES)
def test_flops_are_those_of_a_real_step(family, batch, tokenizer, tmp_path):
    outcome = small_preset(tmp_path).outcome.model_copy(update={"model": FAMILIES[family]})
    trainee = Trainee(build(outcome.model, len(tokenizer), 32, seed=0))
    sequences, places = len(batch.input_ids), len(batch.positions)
    with FlopCounterMode(display=False) as counter:
        trainee(batch).sum().backward()
    share = places / sequences / (32 - 3)
    outcome = outcome.model_copy(update={"objective": outcome.objective.model_copy(update={"mlm_probability": share})})
    with torch.device("meta"):
        models = build(outcome.model, len(tokenizer), 32, seed=0)
    flops, kept = step_cost(models, outcome, sequences, 32)
    assert flops == counter.get_total_flops()
    assert kept > 4 * batch.input_ids.numel()


def test_albert_base_has_the_size_of_its_paper():
    rows = estimate(presets.load("albert-base"))
    assert 11_500_000 < int(rows["parameters of the model"].replace(",", "")) < 12_500_000
    assert "days" in rows["time on one NVIDIA A100 (40 GB)"]


@pytest.mark.parametrize("preset", presets.names())
def test_every_preset_can_be_estimated(preset):
    rows = estimate(presets.load(preset))
    assert all(rows.values())
    assert any(unit in rows["time on one NVIDIA H100 (80 GB)"] for unit in ("seconds", "minutes", "hours", "days"))
