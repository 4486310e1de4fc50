"""How well latent types tell part of speech and entity, beyond how frequent words are and by chance.

After Ren et al. (2210.12582); here by V-measure (Rosenberg and Hirschberg 2007), the harmonic mean of homogeneity and
completeness, which is the mutual information over the mean entropy (NMI). It is not 0 by chance, and more with more
types: so the same types stand beside it in two other orders.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import v_measure_score

from embryology.analysis.latent_types import LABELS

PERMUTATIONS = 20
NONE = 0
"""No type."""
COLUMNS = ["label", "words", "types", "typed", "value", "permuted", "frequency"]


def purity(words: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """How well types tell labels, all words counted, and "no type" as a type.

    Args:
        words: a row a word, in the order of the text: ``sentence``, ``type`` (:data:`NONE`, or from 1 on),
            ``frequency`` in the training text, and the labels (``tag``, ``entity``; the latter empty outside of names).
        seed: of permutations.

    Returns:
        A row a label: ``words``, how many ``types`` they have, the share that is ``typed``, V-measure as ``value``; as
        ``permuted`` the mean over :data:`PERMUTATIONS` of types that change places within their sentence, and as
        ``frequency`` that of bands of words by frequency, as many and as large as types.
    """
    types, sentences = words["type"].to_numpy(), words["sentence"].to_numpy()
    rng = np.random.default_rng(seed)
    starts = np.unique(sentences, return_inverse=True)[1]
    inside = np.argsort(starts, kind="stable")
    shuffled = []
    for _ in range(PERMUTATIONS):
        drawn = np.empty_like(types)
        drawn[inside] = types[np.lexsort([rng.random(len(types)), starts])]
        shuffled.append(drawn)
    bands = _bands(types, words["frequency"].to_numpy(float))
    said = {"words": len(types), "types": len(np.unique(types)), "typed": float((types != NONE).mean())}
    rows = [
        {
            "label": label,
            **said,
            "value": v_measure_score(words[label], types),
            "permuted": float(np.mean([v_measure_score(words[label], drawn) for drawn in shuffled])),
            "frequency": v_measure_score(words[label], bands),
        }
        for label in LABELS
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _bands(types: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """(words,) bands of words from rare to frequent, of the sizes of types from those with rarer words on."""
    _, numbers, sizes = np.unique(types, return_inverse=True, return_counts=True)
    means = np.bincount(numbers, np.log1p(frequency)) / sizes
    bands = np.empty_like(types)
    bands[np.argsort(frequency, kind="stable")] = np.repeat(np.arange(len(sizes)), sizes[np.argsort(means)])
    return bands
