"""One cell of fine-tuning: ours, beside ``transformers.Trainer`` on the same network, examples, batch and epochs.

Both begin at the same checkpoint with the same head (the seed's), train with AdamW at the same rate, warm-up and linear
decay, and are scored on the whole development set. The Trainer pads each batch to its longest, its default, and
computes in float32 and, where the processor has it, in bfloat16. Tokenising is not timed.

    EMBRYOLOGY_DATA=... python benchmarks/finetuning.py RUN [--task SST-2] [--train 2000] [--seeds 3] [--threads 2]
"""

import argparse
import tempfile
import time
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import Trainer, TrainingArguments

from embryology.corpus import tokenizer as tokenizers
from embryology.models import finetuning
from embryology.models.encoder import Encoder
from embryology.models.precision import native_bfloat16
from embryology.runs.checkpoints import Series
from embryology.tasks import prepared
from embryology.tasks.scores import METRICS


class Plain(nn.Module):
    """The same network through transformers' own forward pass."""

    def __init__(self, own: finetuning.Classifier):
        super().__init__()
        self.body, self.dense, self.out, self.dropout = own.model.base_model, own.dense, own.out, own.dropout

    def forward(self, input_ids, attention_mask, token_type_ids, labels):
        first = self.body(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0][:, 0]
        x = functional.dropout(first, self.dropout, self.training)
        x = self.out(functional.dropout(torch.tanh(self.dense(x)), self.dropout, self.training)).float()
        loss = functional.cross_entropy(x, labels) if x.shape[1] > 1 else functional.mse_loss(x[:, 0], labels.float())
        return {"loss": loss, "logits": x}


def rows(inputs, labels):
    return [
        {"ids": ids, "types": types, "label": label}
        for ids, types, label in zip(inputs.ids, inputs.types, labels, strict=True)
    ]


def collate(some):
    longest = max(len(row["ids"]) for row in some)
    padded = {
        name: torch.tensor([[*row[key], *[0] * (longest - len(row[key]))] for row in some])
        for name, key in (("input_ids", "ids"), ("token_type_ids", "types"))
    }
    lengths = torch.tensor([len(row["ids"]) for row in some])
    labels = torch.tensor(np.array([row["label"] for row in some]))
    return padded | {"attention_mask": (torch.arange(longest) < lengths[:, None]).long(), "labels": labels}


def with_trainer(encoder, own, recipe, bf16):
    """Predictions on the first development set, and seconds."""
    model = Plain(finetuning.Classifier(encoder, max(1, len(own.task.classes)), recipe))
    dev, given = next(iter(own.dev.values()))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, num_train_epochs=recipe.epochs, per_device_train_batch_size=recipe.batch, learning_rate=recipe.rate,
            per_device_eval_batch_size=64, warmup_steps=recipe.warm_up, weight_decay=0.01, max_grad_norm=1.0,
            seed=recipe.seed, bf16=bf16, use_cpu=True, report_to=[], save_strategy="no", logging_strategy="no",
            disable_tqdm=True, remove_unused_columns=False,
        )  # fmt: skip
        trainer = Trainer(model, arguments, data_collator=collate, train_dataset=rows(own.train, own.labels))
        started = time.perf_counter()
        trainer.train()
        found = trainer.predict(rows(dev, np.array([one.label for one in given], own.labels.dtype))).predictions
        return found, time.perf_counter() - started


def with_ours(encoder, own, recipe):
    started = time.perf_counter()
    model = finetuning.train(encoder, own.train, own.labels, max(1, len(own.task.classes)), recipe)
    found = finetuning.outputs_of(model, next(iter(own.dev.values()))[0])
    return found, time.perf_counter() - started


def score(own, found):
    gold = np.array([one.label for one in next(iter(own.dev.values()))[1]])
    answers = found.argmax(axis=1) if own.task.classes else found[:, 0]
    return float(np.mean([METRICS[metric](gold, answers) for metric in own.task.metrics]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run, by name or path; its last checkpoint is fine-tuned")
    parser.add_argument("--task", default="SST-2")
    parser.add_argument("--train", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    series = Series.open(arguments.run)
    checkpoint = series.checkpoints[-1]
    own = prepared.read(arguments.task, arguments.train, 0, tokenizers.load(checkpoint.location), 64)
    encoder = Encoder.load(checkpoint)
    recipe = finetuning.Recipe()
    ways = {"Trainer, float32": lambda recipe: with_trainer(encoder, own, recipe, False)}
    if native_bfloat16():
        ways["Trainer, bf16"] = lambda recipe: with_trainer(encoder, own, recipe, True)
    ways["ours"] = lambda recipe: with_ours(encoder, own, replace(recipe, precision="auto"))
    seconds, scored = {name: [] for name in ways}, {name: [] for name in ways}
    for seed in range(arguments.seeds):
        for name, way in ways.items():
            found, took = way(replace(recipe, seed=seed))
            seconds[name].append(took)
            scored[name].append(100 * score(own, found))
            print(f"  seed {seed}, {name}: {took:.1f} s, {scored[name][-1]:.1f}", flush=True)
    print(f"\n{series.name} step {checkpoint.step}, {own.label}, {arguments.threads} threads\n")
    print("| way | seconds (median) | times Trainer in float32 | scores of the seeds |\n|---|---|---|---|")
    slowest = np.median(seconds["Trainer, float32"])
    for name in ways:
        median = np.median(seconds[name])
        print(f"| {name} | {median:.1f} | {slowest / median:.2f} | {', '.join(f'{one:.1f}' for one in scored[name])} |")


if __name__ == "__main__":
    main()
