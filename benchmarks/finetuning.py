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
from embryology.runs.series import Series
from embryology.tasks import prepared
from embryology.tasks.scores import METRICS


class Plain(nn.Module):
    """The same network through transformers' own forward pass."""

    def __init__(self, classifier: finetuning.Classifier):
        super().__init__()
        self.body, self.dropout = classifier.model.base_model, classifier.dropout
        self.dense, self.out = classifier.dense, classifier.out

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


def collate(batch):
    longest = max(len(row["ids"]) for row in batch)
    padded = {
        name: torch.tensor([[*row[key], *[0] * (longest - len(row[key]))] for row in batch])
        for name, key in (("input_ids", "ids"), ("token_type_ids", "types"))
    }
    lengths = torch.tensor([len(row["ids"]) for row in batch])
    labels = torch.tensor(np.array([row["label"] for row in batch]))
    return padded | {"attention_mask": (torch.arange(longest) < lengths[:, None]).long(), "labels": labels}


def with_trainer(encoder, data, recipe, bf16):
    """Predictions on the first development set, and seconds."""
    model = Plain(finetuning.Classifier(encoder, max(1, len(data.task.classes)), recipe))
    dev, examples = next(iter(data.dev.values()))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=recipe.epochs,
            per_device_train_batch_size=recipe.batch_size,
            learning_rate=recipe.learning_rate,
            per_device_eval_batch_size=64,
            warmup_steps=recipe.warmup_ratio,
            weight_decay=0.01,
            max_grad_norm=1.0,
            seed=recipe.seed,
            bf16=bf16,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        trainer = Trainer(model, arguments, data_collator=collate, train_dataset=rows(data.train, data.labels))
        started = time.perf_counter()
        trainer.train()
        labels = np.array([example.label for example in examples], data.labels.dtype)
        outputs = trainer.predict(rows(dev, labels)).predictions
        return outputs, time.perf_counter() - started


def with_ours(encoder, data, recipe):
    started = time.perf_counter()
    model = finetuning.train(encoder, data.train, data.labels, max(1, len(data.task.classes)), recipe)
    outputs = finetuning.outputs_of(model, next(iter(data.dev.values()))[0])
    return outputs, time.perf_counter() - started


def score(data, outputs):
    gold = np.array([example.label for example in next(iter(data.dev.values()))[1]])
    answers = outputs.argmax(axis=1) if data.task.classes else outputs[:, 0]
    return float(np.mean([METRICS[metric](gold, answers) for metric in data.task.metrics]))


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
    data = prepared.read(arguments.task, arguments.train, 0, tokenizers.load(checkpoint.location), 64)
    encoder = Encoder.load(checkpoint)
    recipe = finetuning.Recipe()
    ways = {"Trainer, float32": lambda recipe: with_trainer(encoder, data, recipe, False)}
    if native_bfloat16():
        ways["Trainer, bf16"] = lambda recipe: with_trainer(encoder, data, recipe, True)
    ways["ours"] = lambda recipe: with_ours(encoder, data, replace(recipe, precision="auto"))
    seconds, scores = {name: [] for name in ways}, {name: [] for name in ways}
    for seed in range(arguments.seeds):
        for name, way in ways.items():
            outputs, took = way(replace(recipe, seed=seed))
            seconds[name].append(took)
            scores[name].append(100 * score(data, outputs))
            print(f"  seed {seed}, {name}: {took:.1f} s, {scores[name][-1]:.1f}", flush=True)
    print(f"\n{series.name} step {checkpoint.step}, {data.label}, {arguments.threads} threads\n")
    print("| way | seconds (median) | times Trainer in float32 | scores of the seeds |\n|---|---|---|---|")
    slowest = np.median(seconds["Trainer, float32"])
    for name in ways:
        median = np.median(seconds[name])
        of_seeds = ", ".join(f"{value:.1f}" for value in scores[name])
        print(f"| {name} | {median:.1f} | {slowest / median:.2f} | {of_seeds} |")


if __name__ == "__main__":
    main()
