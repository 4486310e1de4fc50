"""The facts of LAMA's T-REx asked of one checkpoint: ours, beside a port of the paper's released procedure.

The port does what ``knowledge_predict.py`` does: for every fact of a 1-1 or N-1 relation whose object is one piece it
passes one query through the model, takes the logits of the whole vocabulary at all positions, and the largest at the
mask. Both get the same questions, whose preparation is not timed, on the same device. The port computes in float32;
ours in bfloat16 where the device has it, and again in float32 where two answers are close. The first checkpoint of a
process takes longer than all further ones, as kernels are chosen for every shape of batch.

    EMBRYOLOGY_DATA=... python benchmarks/knowledge.py RUN [--threads 2]
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from transformers import AutoModelForMaskedLM

from embryology.corpus import tokenizer as tokenizers
from embryology.models.encoder import Encoder
from embryology.probes import knowledge
from embryology.runs.series import Series
from embryology.specs.knowledge import KnowledgeSettings


def of_one_piece(asked):
    """A relation's facts with objects of one piece: what the released procedure asks."""
    kept = [number for number, question in enumerate(asked.questions[0]) if len(question.pieces) == 1]
    return replace(
        asked,
        facts=[asked.facts[number] for number in kept],
        questions=[[asked.questions[0][number] for number in kept]],
        named=asked.named[kept],
        held_out=asked.held_out[kept],
    )


@torch.no_grad()
def released(model, questions):
    """One query at a time, all logits; the best piece at the mask of each, and the logits there."""
    for question in questions:
        ids = torch.tensor([question.ids], device=model.device)
        logits = model(input_ids=ids).logits[0, question.positions[0]]
        yield int(logits.argmax()), logits


def ours(encoder, relations):
    """The best piece of each fact, and how long it took."""
    started = time.perf_counter()
    tops = np.concatenate([scored["top"] for scored in knowledge._scored(encoder, relations)])
    return tops, time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run, by name or path; its last checkpoint is asked")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    series = Series.open(arguments.run)
    checkpoint = series.checkpoints[-1]
    settings = KnowledgeSettings(sets=("trex",))
    examples = knowledge.KnowledgeProbe().prepare(settings, tokenizers.load(checkpoint.location), series)
    relations = [relation for relation in map(of_one_piece, examples.sets["trex"][1]) if relation.facts]
    questions = [question for asked in relations for question in asked.questions[0]]
    encoder = Encoder.load(checkpoint)
    print(f"{series.name} step {checkpoint.step}, {len(relations)} relations, {len(questions):,} facts", flush=True)

    (tops, first), (_, further) = ours(encoder, relations), ours(Encoder.load(checkpoint), relations)
    model = AutoModelForMaskedLM.from_pretrained(checkpoint.location).to(encoder.device).eval()
    list(released(model, questions[:100]))
    differ, started = [], time.perf_counter()
    for top, (port_top, logits) in zip(tops, released(model, questions), strict=True):
        if top != port_top:
            differ.append(float(logits[port_top] - logits[top]))
    port = time.perf_counter() - started

    where = torch.cuda.get_device_name() if encoder.device == "cuda" else f"{arguments.threads} threads"
    print(f"{where}\n\n| | seconds | facts a second | times |\n|---|---|---|---|")
    for name, seconds in (
        ("released procedure: one query at a time, all logits", port),
        ("ours, first checkpoint of a process", first),
        ("ours, every further one", further),
    ):
        print(f"| {name} | {seconds:.1f} | {len(questions) / seconds:,.0f} | {port / seconds:.1f} |")
    print(f"\nThe same answer to {len(questions) - len(differ):,} of {len(questions):,} facts.")
    if differ:
        print(f"Where they differ, the port's logits of the two answers are at most {max(differ):.1e} apart.")


if __name__ == "__main__":
    main()
