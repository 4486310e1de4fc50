"""The facts of LAMA's T-REx asked of one checkpoint: ours, beside a port of the paper's released procedure.

The port does what ``knowledge_predict.py`` does: for every fact of a 1-1 or N-1 relation whose object is one piece it
passes one query through the model, takes the logits of the whole vocabulary at all positions, and the largest at the
mask. Both get the same questions, whose preparation is not timed. The port computes in float32; ours in bfloat16
where the processor has it, and again in float32 where two answers are close.

    EMBRYOLOGY_DATA=... python benchmarks/knowledge.py RUN [--threads 2]
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from transformers import AutoModelForMaskedLM

from embryology.checkpoints import Series
from embryology.corpus import tokenizer as tokenizers
from embryology.encoder import Encoder
from embryology.probes import knowledge


def of_one_piece(asked):
    """A relation's facts with objects of one piece: what the released procedure asks."""
    kept = [number for number, question in enumerate(asked.questions[0]) if len(question.pieces) == 1]
    return replace(
        asked, facts=[asked.facts[number] for number in kept],
        questions=[[asked.questions[0][number] for number in kept]],
        named=asked.named[kept], held_out=asked.held_out[kept],
    )  # fmt: skip


@torch.no_grad()
def released(model, questions):
    """One query at a time, all logits; the best piece at the mask of each."""
    return [
        int(model(input_ids=torch.tensor([question.ids])).logits[0, question.positions[0]].argmax())
        for question in questions
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run, by name or path; its last checkpoint is asked")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    series = Series.open(arguments.run)
    checkpoint = series.checkpoints[-1]
    settings = knowledge.KnowledgeSettings(sets=("trex",))
    examples = knowledge.KnowledgeProbe().prepare(settings, tokenizers.load(checkpoint.location), series)
    relations = [own for asked in examples.sets["trex"][1] if (own := of_one_piece(asked)).facts]
    questions = [question for asked in relations for question in asked.questions[0]]
    encoder = Encoder.load(checkpoint)
    print(f"{series.name} step {checkpoint.step}, {len(relations)} relations, {len(questions):,} facts", flush=True)

    list(knowledge._scored(encoder, relations[:1], "auto"))  # the first products of a process choose their kernels
    started = time.perf_counter()
    tops = np.concatenate([scored["top"] for scored in knowledge._scored(encoder, relations, "auto")])
    ours = time.perf_counter() - started
    model = AutoModelForMaskedLM.from_pretrained(checkpoint.location).eval()
    released(model, questions[:100])
    started = time.perf_counter()
    theirs = released(model, questions)
    port = time.perf_counter() - started

    print(f"{arguments.threads} threads\n\n| | seconds | facts a second | times |\n|---|---|---|---|")
    for name, seconds in (("released procedure: one query at a time, all logits", port), ("ours", ours)):
        print(f"| {name} | {seconds:.1f} | {len(questions) / seconds:,.0f} | {port / seconds:.1f} |")
    print(f"\nThe same answer to {(tops == np.array(theirs)).sum():,} of {len(questions):,} facts.")


if __name__ == "__main__":
    main()
