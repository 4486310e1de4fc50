"""What a preset costs, by hand and by what a real step computes and keeps."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from embryology import presets
from embryology.pretraining import cost
from embryology.pretraining.cost import estimate, step_cost
from embryology.pretraining.trainee import Trainee, build
from tests.pretraining.test_trainee import FAMILIES
from tests.training import small_preset


@pytest.mark.parametrize("family", FAMILIES)
def test_flops_and_memory_are_those_of_a_real_step(family, batches, tokenizer, tmp_path):
    outcome = small_preset(tmp_path).outcome.model_copy(update={"model": FAMILIES[family]})
    outcome = outcome.model_copy(update={"objective": batches.objective})
    trainee = Trainee(build(outcome.model, len(tokenizer), 32, seed=0), torch.bfloat16)
    kept = []
    for rows in (range(2), range(6)):
        storages = {}

        def keep(tensor, storages=storages):
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
            return tensor

        with FlopCounterMode(display=False) as counter:
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                sums = trainee(batches.part(0, rows))
            sums.sum().backward()
        kept.append(sum(storage.nbytes() for storage in storages.values()))
    with torch.device("meta"):
        models = build(outcome.model, len(tokenizer), 32, seed=0)
    flops, a_step_keeps = step_cost(models, outcome.objective, 6, 32)
    assert flops == counter.get_total_flops()
    assert a_step_keeps == pytest.approx((kept[1] - kept[0]) * 6 / 4, rel=0.02)  # weights are not kept a sequence


def forward_flops(length, layers=12, hidden=768, pieces=30_000):
    """Of the products of BERT base's forward pass; the last layer is computed at 15% of places and the first."""
    places = round(0.15 * (length - 3))
    layer = 24 * length * hidden**2 + 4 * length**2 * hidden
    asked = places + 1
    last = 4 * length * hidden**2 + 20 * asked * hidden**2 + 4 * asked * length * hidden
    heads = 2 * places * hidden * (hidden + pieces) + 2 * hidden * (hidden + 2)
    return (layers - 1) * layer + last + heads


def test_numbers_of_bert_base_by_hand():
    preset = presets.load("bert-base")
    rows = estimate(preset)
    parameters = 110_106_428 - 522 * 769  # of bert-base-uncased, which has 522 pieces more
    assert rows["parameters of the model"] == f"{parameters:,}"
    tokens = 900_000 * 256 * 128 + 100_000 * 256 * 512
    assert rows["tokens"] == f"{tokens / 1e6:,.1f} million in 1,000,000 steps"
    count = len(preset.outcome.checkpoints)
    assert rows["checkpoints"] == f"{count}, {count * parameters * 4 / 1e9:.2f} GB"
    assert rows["memory, parameters and optimizer"] == f"{parameters * 18 / 1e9:.2f} GB"
    short, long = (256 * 3 * forward_flops(length) for length in (128, 512))
    assert float(rows["FLOPs a step, 256 × 128"]) == pytest.approx(short, rel=0.01)
    assert float(rows["FLOPs a step, 256 × 512"]) == pytest.approx(long, rel=0.01)
    days, unit = rows["time on two laptop cores with AVX512-BF16"].replace(",", "").split()
    assert unit == "days"
    assert float(days) == pytest.approx((900_000 * short + 100_000 * long) / 220e9 / 86_400, rel=0.01)


def activations(preset):
    number, unit, *parts = estimate(preset)["memory, activations on one device"].split()
    assert unit == "GB,"
    return float(number), " ".join(parts)


def test_activations_are_those_of_a_part_of_the_larger_step():
    whole = presets.load("tiny")
    phases = presets.Phase(steps=10), presets.Phase(steps=3590, batch_size=256, sequence_length=512)
    whole = whole.model_copy(update={"outcome": whole.outcome.model_copy(update={"phases": phases})})
    parts = whole.model_copy(update={"speed": whole.speed.model_copy(update={"gradient_accumulation_steps": 4})})
    with torch.device("meta"):
        models = build(whole.outcome.model, 8192, 512, 0)
    kept = step_cost(models, whole.outcome.objective, 256, 512)[1] / 1e9
    assert activations(whole) == (pytest.approx(kept, abs=0.006), "gradient_accumulation_steps 1")
    assert activations(parts) == (pytest.approx(kept / 4, abs=0.006), "gradient_accumulation_steps 4")
    assert kept > 1


def test_what_generator_and_discriminator_share_is_counted_once():
    preset = presets.load("tiny-electra")
    rows = estimate(preset)
    model, generator, distinct = (
        int(rows[f"parameters{name}"].replace(",", ""))
        for name in (" of the model", " of the generator", ", shared ones once")
    )
    shared = (8192 + 64 + 2 + 2) * 128  # embeddings of pieces, places and segments, and their norm
    assert distinct == model + generator - shared
    assert rows["memory, parameters and optimizer"] == f"{distinct * 18 / 1e9:.2f} GB"
    assert rows["checkpoints"] == f"25, {25 * (model + generator) * 4 / 1e9:.2f} GB"


def test_times_in_the_unit_that_fits():
    known = {59.94: "59.9 seconds", 60: "1.0 minutes", 90: "1.5 minutes", 3600: "1.0 hours", 5400: "1.5 hours"}
    known |= {86_399: "24.0 hours", 86_400: "1.0 days", 129_600: "1.5 days"}
    assert {seconds: cost._spelt(seconds) for seconds in known} == known
