"""Which words are masked, and as what they are shown."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embryology.pretraining.objectives import choose_words, corrupt, ngram_probabilities

SEQUENCES = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


def words_of(starts, maskable):
    """Slow: the words as lists of positions, cut where one starts or where something may not be masked."""
    words, current = [], []
    for position, (start, open_) in enumerate(zip(starts, maskable, strict=True)):
        if current and (start or not open_):
            words.append(current)
            current = []
        if open_:
            current.append(position)
    return words + ([current] if current else [])


@given(SEQUENCES, st.integers(1, 20), st.integers(1, 4), st.integers(0, 9))
def test_whole_words_within_budget_and_none_that_may_not_be_masked(sequence, budget, longest, seed):
    starts, maskable = (np.array(column, dtype=bool) for column in zip(*sequence, strict=True))
    chosen = choose_words(starts, maskable, budget, longest, np.random.default_rng(seed)).tolist()
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= budget
    words = words_of(starts, maskable)
    for word in words:
        assert set(word) <= set(chosen) or set(word).isdisjoint(chosen)
    assert set(chosen) <= {position for word in words for position in word}
    if longest == 1:  # nothing that would still fit is left over
        left = [len(word) for word in words if not set(word) <= set(chosen)]
        assert all(length > budget - len(chosen) for length in left)


def choose_words_one_by_one(starts, maskable, budget, longest, rng):
    """Slow: what ``choose_words`` gives, as it was first written."""
    places = np.flatnonzero(maskable)
    begins = starts[places] | (np.diff(places, prepend=-2) > 1)
    words = np.split(places, np.flatnonzero(begins)[1:]) if len(places) else []
    sizes = rng.choice(longest, len(words), p=ngram_probabilities(longest)) + 1
    chosen = set()
    for first in rng.permutation(len(words)):
        span = np.concatenate(words[first : first + sizes[first]])
        within_one_segment = span[-1] - span[0] == len(span) - 1
        if within_one_segment and len(chosen) + len(span) <= budget and chosen.isdisjoint(span.tolist()):
            chosen.update(span.tolist())
        if len(chosen) == budget:
            break
    return np.array(sorted(chosen), dtype=np.int64)


@given(SEQUENCES, st.integers(1, 20), st.integers(1, 4), st.integers(0, 9))
def test_the_choice_and_the_random_numbers_that_it_takes_are_those_of_the_slow_way(sequence, budget, longest, seed):
    starts, maskable = (np.array(column, dtype=bool) for column in zip(*sequence, strict=True))
    ours, theirs = np.random.default_rng(seed), np.random.default_rng(seed)
    chosen = choose_words(starts, maskable, budget, longest, ours)
    assert np.array_equal(chosen, choose_words_one_by_one(starts, maskable, budget, longest, theirs))
    assert ours.random() == theirs.random()


def test_ngrams_are_as_frequent_as_albert_has_them():
    assert np.allclose(ngram_probabilities(3), [6 / 11, 3 / 11, 2 / 11])
    rng, starts = np.random.default_rng(0), np.ones(60, bool)
    sizes = []
    for _ in range(4000):  # with room for three, the first n-gram is always taken whole
        chosen = choose_words(starts, np.ones(60, bool), 3, 3, rng)
        sizes.append(1 + int(np.argmax(np.append(np.diff(chosen) > 1, True))))
    assert len(chosen) == 3
    assert min(sizes) == 1
    assert max(sizes) == 3


def test_eighty_ten_ten():
    true = np.full(100_000, 7)
    seen = corrupt(true, 0.8, 0.1, mask=4, first_ordinary=5, vocabulary=1000, rng=np.random.default_rng(0))
    assert abs((seen == 4).mean() - 0.8) < 0.005
    assert abs((seen == 7).mean() - 0.1) < 0.005
    other = seen[(seen != 4) & (seen != 7)]
    assert (other.min(), other.max()) == (5, 999)
