"""What the surface of two segments gives away of how they belong together, which whoever reads them has to beat."""

import numpy as np
from sklearn.tree import DecisionTreeClassifier
from transformers import PreTrainedTokenizerFast

from embryology.corpus.store import TokenStore
from embryology.presets import Objective
from embryology.pretraining.batches import Batches
from embryology.pretraining.objectives import IGNORED

FITTED = 20_000
"""Most training pairs that the rule learns from."""
MARKS = tuple(".!?…。！？।")
CLOSING = "\"'”’»)]"


def ends_sentence(tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    """(pieces,) bool, whether a piece ends with the mark of a sentence's end; what closes behind it does not count."""
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return np.array([piece.rstrip(CLOSING).endswith(MARKS) for piece in pieces])


def pairs(batches: Batches, ends: np.ndarray, numbers: range) -> tuple[np.ndarray, np.ndarray]:
    """The surface of those sequences that are pairs, and their labels.

    Args:
        batches: whose sequences.
        ends: of :func:`ends_sentence`.
        numbers: of the sequences.

    Returns:
        (n, 5): whether each segment's last piece ends a sentence, the two lengths and their sum; (n,) labels.
    """
    surface, labels = [], []
    for number in numbers:
        segments, label, _ = batches.segments(number)
        if label != IGNORED:
            first, second = segments
            lengths = len(first), len(second)
            surface.append((ends[first[-1]], ends[second[-1]], *lengths, sum(lengths)))
            labels.append(label)
    return np.array(surface, dtype=float).reshape(-1, 5), np.array(labels)


def accuracy(
    asked: Batches, train: TokenStore, tokenizer: PreTrainedTokenizerFast, objective: Objective, sequences: int
) -> float | None:
    """How often the better of two rules is right about the pairs of the first ``sequences`` of ``asked``.

    One is a small decision tree on the surface, fitted on training pairs, 40 a sequence that is asked about and at most
    :data:`FITTED`; the other gives the more frequent answer every time, which of few pairs is right at more than half.

    Returns:
        A share; None where one of the sides has no pairs.
    """
    beginning = TokenStore(train.pieces, train.sentences, train.documents[: FITTED + 1])
    shape = {"batch_size": asked.batch_size, "length": asked.length, "seed": asked.seed}
    known = Batches(beginning, tokenizer, objective, **shape)
    ends = ends_sentence(tokenizer)
    surface, labels = pairs(known, ends, range(min(FITTED, 40 * sequences)))
    surface_asked, labels_asked = pairs(asked, ends, range(sequences))
    if not len(labels) or not len(labels_asked):
        return None
    tree = DecisionTreeClassifier(max_depth=5, min_samples_leaf=100, random_state=0).fit(surface, labels)
    return float(max(tree.score(surface_asked, labels_asked), labels_asked.mean(), 1 - labels_asked.mean()))
