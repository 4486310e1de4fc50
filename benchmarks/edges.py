"""Edge probing of one checkpoint: all layers at once, beside a port of the paper's released procedure.

The port does what ``extract_feature.py`` and ``main.py`` do: for every task and layer it passes all sentences through
the model anew (batches of 32, in float32), keeps that layer, and trains one linear classifier on the means of spans
(Adam 1e-4, batches of 1,024, gradients clipped at 5, at most 30,000 steps, development micro F1 every 1,000). It
leaves out what goes wrong there: the rate is halved once and not at every step, the best weights are kept, and all
test items are scored. Both get the same sentences, pieces and spans, whose preparation is not timed.

    python benchmarks/edges.py RUN [--set ewt-propbank] [--threads 2]
"""

import argparse
import time

import numpy as np
import torch
from torch import nn

from embryology.corpus import tokenizer as tokenizers
from embryology.models import linear
from embryology.models.encoder import Encoder
from embryology.probes.edges import EdgesProbe
from embryology.runs.series import Series
from embryology.specs.edges import EdgesSettings

PUBLISHED = linear.Published()


def ours(encoder, edge_set, settings):
    """Predictions by task, (layers, items), and seconds."""
    started, answers = time.perf_counter(), {}
    states = {split: encoder.hidden_states(edge_set.ids[split], settings.precision) for split in ("train", "test")}
    for task in edge_set.tasks:
        train, test = (linear.span_means(states[split], getattr(task, split).spans) for split in ("train", "test"))
        recipe = linear.Recipe(settings.learning_rate, settings.batch_size, settings.steps, settings.seed)
        classifiers = linear.fit(train, torch.from_numpy(task.train.labels), len(task.classes), recipe)
        answers[task.name] = classifiers.logits(test).argmax(-1).numpy()
    return answers, time.perf_counter() - started


def released(encoder, edge_set):
    """Predictions by task, (layers, items), and seconds of extraction and of training."""
    answers, extraction, training = {}, 0.0, 0.0
    for task in edge_set.tasks:
        answers[task.name] = []
        for layer in range(encoder.model.config.num_hidden_layers + 1):
            started = time.perf_counter()
            vectors = {
                split: _extracted(encoder.model.base_model, layer, ids, getattr(task, split).spans)
                for split, ids in edge_set.ids.items()
            }
            extracted = time.perf_counter()
            answers[task.name].append(_trained(vectors, task))
            extraction, training = extraction + extracted - started, training + time.perf_counter() - extracted
            print(f"  {task.name} layer {layer}: {time.perf_counter() - started:.0f} s", flush=True)
        answers[task.name] = np.array(answers[task.name])
    return answers, extraction, training


@torch.no_grad()
def _extracted(model, layer, sentences, spans):
    states = []
    for first in range(0, len(sentences), 32):
        batch = sentences[first : first + 32]
        longest = max(map(len, batch))
        ids = torch.tensor([[*sentence, *[0] * (longest - len(sentence))] for sentence in batch])
        mask = torch.tensor([[1] * len(sentence) + [0] * (longest - len(sentence)) for sentence in batch])
        hidden = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[layer]
        states.append(hidden[mask.bool()])
    return linear.span_means(torch.cat(states)[None], spans)[0]


def _trained(vectors, task):
    """One classifier, the plain way; the answers on the test split."""
    torch.manual_seed(0)
    model = nn.Linear(vectors["train"].shape[1], len(task.classes))
    optimizer = torch.optim.Adam(model.parameters(), lr=PUBLISHED.learning_rate)
    labels, dev = torch.from_numpy(task.train.labels), torch.from_numpy(task.dev.labels)
    best, kept, since_best, since_halved = -1.0, None, 0, 0
    order = torch.empty(0, dtype=torch.int64)
    for step in range(1, PUBLISHED.steps + 1):
        if len(order) < PUBLISHED.batch_size:
            order = torch.randperm(len(labels))
        chosen, order = order[: PUBLISHED.batch_size], order[PUBLISHED.batch_size :]
        loss = nn.functional.cross_entropy(model(vectors["train"][chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), PUBLISHED.max_grad_norm)
        optimizer.step()
        if step % PUBLISHED.every:
            continue
        with torch.no_grad():
            score = (model(vectors["dev"]).argmax(-1) == dev).float().mean().item()
        if score > best:
            best, kept = score, {name: weight.clone() for name, weight in model.state_dict().items()}
            since_best = since_halved = 0
            continue
        since_best, since_halved = since_best + 1, since_halved + 1
        if since_best > PUBLISHED.stop_after:
            break
        if since_halved > PUBLISHED.halve_after:
            since_halved = 0
            optimizer.param_groups[0]["lr"] /= 2
    model.load_state_dict(kept)
    with torch.no_grad():
        return model(vectors["test"]).argmax(-1).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run, by name or path; its last checkpoint is probed")
    parser.add_argument("--set", default="ewt-propbank", help="of embryology.treebanks.edge_sets")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    series = Series.open(arguments.run)
    checkpoint = series.checkpoints[-1]
    settings = EdgesSettings(sets=(arguments.set,), protocol="paper", precision="auto")
    examples = EdgesProbe().prepare(settings, tokenizers.load(checkpoint.location), series)
    edge_set = examples.sets[0]
    encoder = Encoder.load(checkpoint)
    fast, seconds = ours(encoder, edge_set, settings)
    print(f"ours: {seconds:.1f} s", flush=True)
    slow, extraction, training = released(encoder, edge_set)
    total = extraction + training
    print(f"\n{series.name} step {checkpoint.step}, {arguments.set}, {arguments.threads} threads\n")
    print("| | seconds | times ours |\n|---|---|---|")
    print(f"| ours, all layers and tasks | {seconds:.1f} | 1 |")
    print(
        f"| released procedure: extraction for every task and layer | {extraction:.0f} | {extraction / seconds:.1f} |"
    )
    print(f"| released procedure: training | {training:.0f} | {training / seconds:.1f} |")
    print(f"| released procedure, together | {total:.0f} | {total / seconds:.1f} |")
    print("\n| task | layer | test items | micro F1 of ours | of the port | points |\n|---|---|---|---|---|---|")
    for task in edge_set.tasks:
        for layer, answers in enumerate(zip(fast[task.name], slow[task.name], strict=True)):
            scores = [((predicted == task.test.labels) & task.test.read).mean() for predicted in answers]
            difference, n = 100 * (scores[0] - scores[1]), len(task.test.labels)
            print(f"| {task.name} | {layer} | {n:,} | {scores[0]:.4f} | {scores[1]:.4f} | {difference:+.2f} |")


if __name__ == "__main__":
    main()
