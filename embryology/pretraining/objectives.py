"""What models are trained to do: predict masked words, tell how two segments belong together, find replaced words."""

import functools

import numpy as np

IGNORED = -100
"""The label of a place that no loss counts (``torch.nn.functional.cross_entropy``'s default)."""
FOLLOWS, OTHER = 0, 1
"""Labels of the heads of ``AlbertForPreTraining`` and ``BertForPreTraining``: the second segment follows the
first in the text, or they were swapped (``sop``) or are from two documents (``nsp``)."""


def ngram_probabilities(longest: int) -> np.ndarray:
    """(longest,) probability of masking 1, 2, … words in a row: proportional to 1/n (Lan et al. 2020, section 3.1)."""
    weights = 1 / np.arange(1, longest + 1)
    return weights / weights.sum()


@functools.cache
def _up_to(longest: int) -> np.ndarray:
    """(longest,) the sums of :func:`ngram_probabilities` up to each."""
    sums = ngram_probabilities(longest).cumsum()
    return sums / sums[-1]


def choose_words(
    starts: np.ndarray, maskable: np.ndarray, budget: int, longest: int, rng: np.random.Generator
) -> np.ndarray:
    """Positions of whole words to predict, n-grams of them, at most ``budget`` pieces.

    Words are visited in random order; an n-gram that does not fit, or touches a chosen word, is passed
    over, as in ALBERT's ``create_masked_lm_predictions``.

    Args:
        starts: (n,) bool, whether a piece begins a word.
        maskable: (n,) bool, false at special pieces and padding.
        budget: greatest number of positions.
        longest: greatest number of words in an n-gram.

    Returns:
        Sorted positions, at most ``budget`` of them.
    """
    maskable_places = maskable.nonzero()[0]
    # A cut word has no start of its own: what follows a special piece begins one all the same.
    begin = starts[maskable_places]
    begin[:1] = True
    begin[1:] |= maskable_places[1:] - maskable_places[:-1] > 1
    # Lists, as arrays of a few numbers cost more than what is done with them.
    words, places = begin.nonzero()[0].tolist(), maskable_places.tolist()
    count = len(words)
    # What rng.choice does with probabilities, without its checks of them.
    sizes = _up_to(longest).searchsorted(rng.random(count), side="right").tolist()
    order = rng.permutation(count).tolist()
    words.append(len(places))
    chosen: set[int] = set()
    for first in order:
        span = places[words[first] : words[min(first + sizes[first] + 1, count)]]
        within_one_segment = span[-1] - span[0] == len(span) - 1
        if within_one_segment and len(chosen) + len(span) <= budget and chosen.isdisjoint(span):
            chosen.update(span)
        if len(chosen) == budget:
            break
    return np.array(sorted(chosen), dtype=np.int64)


def corrupt(
    pieces: np.ndarray,
    mask_replace_prob: float,
    random_replace_prob: float,
    *,
    mask: int,
    first_ordinary: int,
    vocabulary: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """What the model sees at the chosen positions, given the true ``pieces``.

    A share ``mask_replace_prob`` turns into the piece ``mask``, a share ``random_replace_prob`` into a random one
    of the ordinary pieces (ids ``first_ordinary`` to ``vocabulary`` - 1), and the rest stays.
    """
    fate = rng.random(len(pieces))
    random = rng.integers(first_ordinary, vocabulary, len(pieces))
    replaced = np.where(fate < mask_replace_prob + random_replace_prob, random, pieces)
    return np.where(fate < mask_replace_prob, mask, replaced)
