"""The columns of ``losses.parquet`` against a plain loop: transformers' models and losses, torch's AdamW."""

import itertools
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from rich.console import Console
from torch.nn import functional
from transformers import AutoModelForMaskedLM, AutoModelForPreTraining

from embryology import presets
from embryology.corpus import several
from embryology.pretraining import loop
from embryology.pretraining.batches import Batches
from embryology.pretraining.devices import Devices
from embryology.pretraining.heldout import HeldOut
from embryology.pretraining.loop import Run
from embryology.pretraining.objectives import IGNORED
from embryology.pretraining.trainee import replace
from embryology.runs import losses
from embryology.runs.paths import RunFolder
from embryology.storage.files import read_json
from tests.pretraining.test_trainee import FAMILIES, inputs
from tests.synthetic import store_of

COVERS = (
    "embryology/pretraining/loop.py",
    "embryology/pretraining/trainee.py",
    "embryology/pretraining/curriculum.py",
    "embryology/models/optimizers.py",
)
DOCUMENTS = [[9, 8, 7, 12], [20, 5, 6], [3, 3]] * 10
RATES = [1 / 4, 2 / 4, 3 / 4, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
"""Of the peak: it rises for 4 steps and falls for 8."""
WEIGHTS = {"albert": (1, 0.3, 0), "bert": (1, 2.5, 0), "electra": (1, 0, 7)}
"""Of the masked loss, the pair's and the discriminator's."""


def preset_of(family, dropout=0.0, parts=1, seed=3, **optimizer):
    """Twelve steps, the last four on longer sequences and with pairs of twice the weight.

    No two numbers that could be taken for each other are equal.
    """
    _, pair, replaced = WEIGHTS[family]
    asked = {"pair": {"albert": "sop", "bert": "nsp", "electra": "none"}[family], "pair_weight": pair}
    objective = {"mlm_probability": 0.3, "max_ngram": 2, "rtd_weight": replaced} | asked
    heavier = {"pair_weight": 2 * pair}
    outcome = {
        "corpus": {},
        "tokenizer": {"vocab_size": 1000},
        "model": FAMILIES[family].model_dump() | {"dropout": dropout},
        "objective": objective,
        # So large an epsilon makes the length of gradients matter, which AdamW else takes out.
        "optimizer": {
            "learning_rate": 0.05,
            "warmup_steps": 4,
            "weight_decay": 0.1,
            "betas": [0.8, 0.95],
            "epsilon": 0.05,
            "max_grad_norm": 0.7,
        }
        | optimizer,
        "steps": 12,
        "batch_size": 8,
        "sequence_length": 32,
        "phases": [
            {"steps": 8},
            {"steps": 4, "batch_size": 4, "sequence_length": 48, "objective": objective | heavier},
        ],
        "held_out_sequences": 32,
        "checkpoints": [0, 3, 12],
        "seed": seed,
    }
    speed = {"threads": 1, "precision": "float32", "gradient_accumulation_steps": parts}
    return presets.validated({"name": "by hand", "outcome": outcome, "speed": speed}, "by hand")


def run_of(preset, root, tokenizer):
    """A run on a text that was never prepared."""
    tokenizer.save_pretrained(root / "tokenizer")
    sides = {"train": store_of(DOCUMENTS), "held_out": store_of(DOCUMENTS * 2)}
    corpus = several.Corpora(SimpleNamespace(tokenizer_folder=root / "tokenizer", record={}, **sides))
    return Run(preset, RunFolder(root / "run"), corpus, Devices(), Console(quiet=True))


def batches_of(outcome, tokenizer):
    """The batch of each step."""
    shapes = [(outcome.batch_size, outcome.sequence_length)] * 8 + [(4, 48)] * 4
    for step, (batch_size, length) in enumerate(shapes):
        settings = {"batch_size": batch_size, "length": length, "seed": outcome.seed}
        yield Batches(store_of(DOCUMENTS), tokenizer, outcome.objective, **settings)[step if step < 8 else step - 8]


def losses_of(model, generator, batch, noise):
    """The masked loss, the pair's and the discriminator's, as transformers has them."""
    labels = torch.full_like(batch.input_ids, IGNORED).flatten()
    used = batch.labels != IGNORED
    labels[batch.positions[used]] = batch.labels[used]
    labels = labels.view_as(batch.input_ids)
    if generator:
        answer = generator(**inputs(batch), labels=labels)
        at = answer.logits.flatten(0, 1)[batch.positions].detach()
        ids, is_replaced = replace(batch, at, noise)
        return answer.loss, torch.zeros(()), model(**inputs(batch, ids), labels=is_replaced.long()).loss
    answer = model(**inputs(batch))
    pairs = answer.get("sop_logits", answer.get("seq_relationship_logits"))
    masked = functional.cross_entropy(answer.prediction_logits.flatten(0, 1), labels.flatten())
    return masked, functional.cross_entropy(pairs, batch.pair_labels), torch.zeros(())


def plain_training(folder, family, outcome, tokenizer, noise):
    """A row a step, and the model in the end; it begins with the weights of checkpoint 0."""
    models = [AutoModelForPreTraining.from_pretrained(folder.checkpoint(0))]
    if family == "electra":
        models.append(AutoModelForMaskedLM.from_pretrained(folder.checkpoint(0) / "generator"))
        models[1].electra.embeddings = models[0].electra.embeddings
        models[1].tie_weights()
    parameters = list({id(p): p for model in models for p in model.train().parameters()}.values())
    decayed, others = ([p for p in parameters if (p.ndim > 1) == wide] for wide in (True, False))
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer, rows = torch.optim.AdamW(groups, betas=(0.8, 0.95), eps=0.05), []
    masked, pair, replaced = WEIGHTS[family]
    for step, (batch, rate) in enumerate(zip(batches_of(outcome, tokenizer), RATES, strict=True)):
        parts = losses_of(models[0], models[1] if models[1:] else None, batch, noise)
        weights = masked, pair if step < 8 else 2 * pair, replaced
        loss = sum(weight * part for weight, part in zip(weights, parts, strict=True))
        optimizer.zero_grad()
        loss.backward()
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = float(torch.cat([gradient.flatten() for gradient in gradients]).norm())
        assert norm > 0.7  # else nothing is clipped
        for gradient in gradients:
            gradient *= 0.7 / norm
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * rate
        optimizer.step()
        rows.append([loss.item(), *(part.item() for part in parts), norm, int(batch.attention_mask.sum())])
    names = ["loss", "masked_loss", "pair_loss", "replaced_loss", "gradient_norm", "tokens"]
    return pd.DataFrame(rows, columns=names), models[0]


@pytest.mark.parametrize(("family", "parts"), [("albert", 1), ("bert", 2), ("electra", 4)])
def test_columns_are_those_of_a_plain_loop(family, parts, tokenizer, tmp_path, monkeypatch):
    preset = preset_of(family, parts=parts)
    run = run_of(preset, tmp_path, tokenizer)
    clock, step, evaluate = [0.0], run._step, run.held_out.evaluate
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(run, "_step", lambda *settings: (clock.append(clock.pop() + 2), step(*settings))[1])
    monkeypatch.setattr(
        HeldOut, "evaluate", lambda self, *settings: (clock.append(clock.pop() + 50), evaluate(*settings))[1]
    )
    run.train()
    plain, model = plain_training(run.folder, family, preset.outcome, tokenizer, run.trainee.noise)
    rows = losses.read(run.folder)
    assert rows["step"].tolist() == [0, 3, 8, 10, 12]
    assert rows["phase"].tolist() == [1, 1, 1, 2, 2]
    read = plain["tokens"].cumsum()
    assert rows["tokens"].tolist() == [0, *read[[2, 7, 9, 11]]]
    assert read[11] < 8 * 8 * 32 + 4 * 4 * 48  # as some of it is padding
    assert rows["tokens_per_second"][1:].tolist() == pytest.approx(
        [read[2] / 6, (read[7] - read[2]) / 10, (read[9] - read[7]) / 4, (read[11] - read[9]) / 4]
    )  # of training alone: two seconds a step, whatever evaluations take
    assert rows["learning_rate"][1:].tolist() == pytest.approx([0.05 * RATES[step] for step in (2, 7, 9, 11)])
    for name, weight in zip(["masked_loss", "pair_loss", "replaced_loss"], WEIGHTS[family], strict=True):
        assert rows[name].isna().tolist() == [True, *[not weight] * 4], name
    for name in ("loss", "masked_loss", "pair_loss", "replaced_loss", "gradient_norm"):
        means = [plain[name][first:after].mean() for first, after in itertools.pairwise([0, 3, 8, 10, 12])]
        assert rows[name][1:].fillna(0).tolist() == pytest.approx(means, rel=1e-4), name
    ended = AutoModelForPreTraining.from_pretrained(run.folder.checkpoint(12))
    assert ended.config.max_position_embeddings == 48
    for (name, mine), other in zip(ended.named_parameters(), model.parameters(), strict=True):
        assert torch.allclose(mine, other, atol=2e-4), name
    records = [read_json(run.folder.checkpoint(step) / "checkpoint.json") for step in (0, 3, 12)]
    assert [record["tokens"] for record in records] == [0, read[2], read[11]]
    short, longer = (phase.batches.chunks for phase in run.curriculum.phases)
    assert [record["epoch"] for record in records] == pytest.approx(
        [0, 3 * 8 / len(short), 8 * 8 / len(short) + 4 * 4 / len(longer)]
    )


def test_dropout_is_drawn_anew_by_seed_step_and_process(tokenizer, tmp_path):
    """With a rate at which no weight moves, losses differ by what is dropped alone."""
    preset = preset_of("bert", dropout=0.3, learning_rate=1e-30)
    run, batch = run_of(preset, tmp_path, tokenizer), next(batches_of(preset.outcome, tokenizer))

    def means(index=4, seed=3, process=0):
        run.outcome, run.devices.process = preset.with_seed(seed).outcome, process
        return run._step(index, [batch], batch.counts)[0].tolist()

    seen = [means(), means(index=5), means(seed=4), means(process=1), means(index=0)]
    assert means() == seen[0]
    assert len(set(map(tuple, seen))) == len(seen)
    run.trainee.eval()
    with torch.inference_mode():
        whole = (run.trainee(batch) / batch.counts).tolist()
    assert whole[0] != pytest.approx(seen[0][0], abs=1e-3)


LEARNT = {
    "held_out_masked_loss": 4.9,
    "unigram_loss": 5.0,
    "held_out_pair_accuracy": 0.6,
    "held_out_pairs": 1000,
    "held_out_surface_accuracy": 0.55,
    "held_out_auc_gain_low": 0.01,
    "held_out_auc_gain_high": 0.02,
}
UNIGRAM, PAIRS, REPLACED = "stalled at the unigram line", "pairs of segments are told no better", "what was replaced"


@pytest.mark.parametrize(
    ("changes", "norm", "said"),
    [
        ({}, 0.1, []),
        ({"held_out_masked_loss": 4.985}, 0.1, [UNIGRAM]),
        ({"held_out_masked_loss": 4.985}, 0.5, []),  # large gradients: it still moves
        ({"held_out_pairs": 100}, 0.1, [PAIRS]),  # 0.6 of 100 is 0.55 as well
        ({"held_out_pair_accuracy": 0.55}, 0.1, [PAIRS]),
        ({"held_out_pairs": 100, "held_out_surface_accuracy": None}, 0.1, []),  # 0.502 to 0.691
        ({"held_out_pairs": 90, "held_out_surface_accuracy": None}, 0.1, [PAIRS]),  # 0.497 to 0.695
        ({"held_out_pair_accuracy": None, "held_out_pairs": 0}, 0.1, []),
        ({"held_out_auc_gain_low": -0.01}, 0.1, [REPLACED]),
        ({"held_out_auc_gain_low": None, "held_out_auc_gain_high": None}, 0.1, []),
    ],
)
def test_what_is_not_learnt_is_named(changes, norm, said):
    lines = list(loop._stalled(LEARNT | changes, norm))
    assert [line[: len(part)] for line, part in zip(lines, said, strict=True)] == said


def test_a_run_in_its_warm_up_has_time(tokenizer, tmp_path, monkeypatch):
    run, lines = run_of(preset_of("albert"), tmp_path, tokenizer), []
    values = LEARNT | {"held_out_masked_accuracy": 0.25, "held_out_masked_loss": 5.0, "held_out_auc_gain_low": -1}
    monkeypatch.setattr(HeldOut, "evaluate", lambda *_: values)
    monkeypatch.setattr(run, "say", lines.append)
    for step in (12, 13):  # three times its four steps
        run._checkpoint({"step": step, "tokens": 5, "gradient_norm": 0.1, "tokens_per_second": 1234.0})
    first, second, *others = lines
    assert first == "step 12, held-out masked loss 5.000 (unigram 5.000), accuracy 0.250, 1,234 tokens/s"
    assert second == first.replace("12", "13", 1)
    assert [line[: len(part)] for line, part in zip(others, (UNIGRAM, REPLACED), strict=True)] == [UNIGRAM, REPLACED]
