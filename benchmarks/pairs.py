"""Does the surface of two segments tell how they belong together?

    python benchmarks/pairs.py [--source bundled] [--path PATH] [--pairs 20000]

For sentence order and for next sentence, at 64, 128 and 512 pieces: the accuracy of the small decision tree that stands
beside every pair accuracy (``embryology.pretraining.surface``), and of a tree on each of its features alone. Fitted on
so many training pairs and scored on as many later ones, of several epochs where the text has fewer. Beside it the share
of sequences that are a single sentence, and of pieces that trimming leaves unread. Prints a table in Markdown.
"""

import numpy as np
import typer
from rich.console import Console
from sklearn.tree import DecisionTreeClassifier

from embryology import presets
from embryology.corpus import store, tokenizer
from embryology.presets import Objective
from embryology.pretraining import surface
from embryology.pretraining.batches import SPECIALS, Batches

FEATURES = ("first ends a sentence", "second ends a sentence", "length of the first", "of the second", "sum")


def accuracy(known: tuple[np.ndarray, np.ndarray], asked: tuple[np.ndarray, np.ndarray], columns: list[int]) -> float:
    tree = DecisionTreeClassifier(max_depth=5, min_samples_leaf=100, random_state=0)
    return tree.fit(known[0][:, columns], known[1]).score(asked[0][:, columns], asked[1])


def unread(batches: Batches) -> float:
    """The share of the pieces of chunks that is trimmed."""
    offsets = batches.store.sentences
    lengths = offsets[batches.chunks[:, 1]] - offsets[batches.chunks[:, 0]]
    return float(1 - np.minimum(lengths, batches.length - SPECIALS).sum() / lengths.sum())


def main(source: str = "bundled", path: str | None = None, pairs: int = 20_000) -> None:
    settings = presets.load("tiny").outcome.tokenizer
    corpus = store.prepare(source, path, settings, print, Console(quiet=True))
    pieces = tokenizer.load(corpus.tokenizer_folder)
    ends = surface.ends_sentence(pieces)
    print(f"| task | pieces | tree | {' | '.join(FEATURES)} | single sentences | unread |")
    print("|---" * (len(FEATURES) + 5) + "|")
    for pair in ("sop", "nsp"):
        for length in (64, 128, 512):
            objective = Objective(mlm_probability=0.15, max_ngram=1, pair=pair, pair_weight=1)
            batches = Batches(corpus.train, pieces, objective, batch_size=16, length=length, seed=0)
            known = surface.pairs(batches, ends, range(pairs))
            asked = surface.pairs(batches, ends, range(pairs, 2 * pairs))
            every = range(len(FEATURES))
            scores = [accuracy(known, asked, list(every)), *(accuracy(known, asked, [column]) for column in every)]
            single = 1 - (len(known[1]) + len(asked[1])) / (2 * pairs)
            shares = " | ".join(f"{score:.3f}" for score in scores)
            print(f"| {pair} | {length} | {shares} | {single:.1%} | {unread(batches):.1%} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
