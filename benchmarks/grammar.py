"""Minimal pairs scored by one checkpoint: ours, beside minicons with one masked copy at a time.

Both make both scores of the same pairs, pieces alone and words left to right, and the first of them alone, with the
same weights, in float32 on the same device. They take turns in one process, and the quickest turn of each counts;
beside the clock stands the processor's time, as other programs may run beside. minicons (Misra 2022) reads all masked
copies of a sentence as one batch, and is timed so too, once. Where decisions differ and the scores of the two
sentences are within 1e-3 nats, the pair is named a tie.

minicons is no dependency of the project. To try it:

    pip install --no-deps --target FOLDER minicons==0.3.39 wonderwords==3.0.1
    EMBRYOLOGY_DATA=... PYTHONPATH=FOLDER python benchmarks/grammar.py RUN [--pairs 500] [--threads 2] [--turns 3]
"""

import argparse
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import torch
from minicons import scorer
from transformers import AutoModelForMaskedLM

from embryology.corpus import tokenizer as tokenizers
from embryology.grammar import pair_sets
from embryology.grammar.questions import ask
from embryology.grammar.scores import score
from embryology.models.alignment import longest_input
from embryology.models.encoder import Encoder
from embryology.runs.series import Series

TIE = 1e-3
"""Nats."""
METRICS = ("original", "within_word_l2r")


class OneCopy(torch.nn.Module):
    """A model that reads a batch one sequence at a time."""

    def __init__(self, model):
        super().__init__()
        self.model, self.config = model, model.config

    def forward(self, input_ids, attention_mask):
        each = [self.model(input_ids=ids[None], attention_mask=attention_mask[:1]).logits for ids in input_ids]
        return type("Output", (), {"logits": torch.cat(each)})


def theirs(model, tokenizer, texts, metric):
    """minicons' pseudo-log-likelihoods, a sentence at a time."""
    tokenizer.batch_encode_plus = tokenizer.__call__  # transformers 5 dropped it
    scoring = scorer.MaskedLMScorer(model, str(next(model.parameters()).device), tokenizer=tokenizer)
    sums = [
        scoring.sequence_score([text], PLL_metric=metric, reduction=lambda scores: scores.sum().item())[0]
        for text in texts
    ]
    return np.array(sums).reshape(-1, 2)


def alone(asked):
    """Pairs all of whose pieces are words: both scores are the plain one, and the copies for it all there are."""
    return [
        replace(
            each, **{side: replace(one, words=one.positions) for side, one in (("good", each.good), ("bad", each.bad))}
        )
        for each in asked
    ]


def compare(name, ours, others):
    """How far differences are from each other, and on how many pairs decisions are."""
    gap = others[:, 0] - others[:, 1]
    differ = (ours > 0) != (gap > 0)
    ties = differ & (np.abs(gap) < TIE)
    print(
        f"{name}: differences at most {np.abs(ours - gap).max():.1e} nats apart; other decisions on "
        f"{(differ & ~ties).sum()} of {len(gap):,} pairs, {ties.sum()} ties within {TIE} nats"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run, by name or path; its last checkpoint is asked")
    parser.add_argument("--set", default="auto", help="of minimal pairs; auto: BLiMP where it is there, else silver")
    parser.add_argument("--pairs", type=int, default=500, help="drawn evenly from the set")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    series = Series.open(arguments.run)
    checkpoint = series.checkpoints[-1]
    tokenizer = tokenizers.load(checkpoint.location)
    name = ("blimp" if pair_sets.is_there("blimp") else "silver") if arguments.set == "auto" else arguments.set
    excluded = Counter()
    asked = ask(pair_sets.find(name).read().pairs, tokenizer, longest_input(tokenizer, checkpoint.location), excluded)
    chosen = np.random.default_rng(0).permutation(len(asked))[: arguments.pairs]
    asked = [asked[i] for i in np.sort(chosen)]
    texts = [text for each in asked for text in (each.pair.good, each.pair.bad)]
    copies = sum(len(sentence.positions) for each in asked for sentence in (each.good, each.bad))
    print(f"{series.name} step {checkpoint.step}, {name}: {len(asked):,} pairs, {copies:,} masked copies", flush=True)

    encoder = Encoder.load(checkpoint, threads=arguments.threads)
    model = AutoModelForMaskedLM.from_pretrained(checkpoint.location).to(encoder.device).eval()
    single, plain = OneCopy(model), alone(asked)
    ways = {
        "both scores, ours": lambda: score(encoder, asked, tokenizer.mask_token_id),
        "both scores, minicons, one masked copy at a time": lambda: [
            theirs(single, tokenizer, texts, metric) for metric in METRICS
        ],
        "pieces alone, ours": lambda: score(encoder, plain, tokenizer.mask_token_id),
        "pieces alone, minicons, one masked copy at a time": lambda: theirs(single, tokenizer, texts, METRICS[0]),
        "pieces alone, minicons, the copies of a sentence at a time": lambda: theirs(
            model, tokenizer, texts, METRICS[0]
        ),
    }
    score(encoder, asked[:20], tokenizer.mask_token_id)
    theirs(single, tokenizer, texts[:20], METRICS[0])
    seconds, processor, given = {}, {}, {}
    for turn in range(arguments.turns):
        for what, way in ways.items():
            started, at = time.perf_counter(), time.process_time()
            given[what] = way()
            seconds.setdefault(what, []).append(time.perf_counter() - started)
            processor.setdefault(what, []).append(time.process_time() - at)
            print(f"turn {turn + 1}, {what}: {seconds[what][-1]:.1f} s, {processor[what][-1]:.1f}", flush=True)
    ours, minicons, *_ = given.values()
    compare("pieces alone", ours[:, 0], minicons[0])
    compare("words left to right", ours[:, 1], minicons[1])

    where = torch.cuda.get_device_name() if encoder.device == "cuda" else f"{arguments.threads} threads"
    print(f"\n{where}\n\n| | seconds | of the processor | pairs a second | times ours |\n|---|---|---|---|---|")
    for what in ways:
        own = what.replace(what.partition(", ")[2], "ours")
        took, times = min(seconds[what]), min(processor[what]) / min(processor[own])
        print(f"| {what} | {took:.1f} | {min(processor[what]):.1f} | {len(asked) / took:,.0f} | {times:.1f} |")


if __name__ == "__main__":
    main()
