"""Baselines on tasks whose answer is known, and what they must not have read."""

from dataclasses import replace

import numpy as np
import pytest

from embryology import intervals
from embryology.specs.downstream import MAJORITY, TF_IDF
from embryology.tasks import Example, Split, Task, baselines

WORDS = ("city", "music", "people", "film", "house", "water", "large", "known", "year", "world")


def task(train, dev, classes=("no", "yes"), metrics=("accuracy",)):
    """Examples are (first, second, label)."""
    made = {name: Split([Example(str(i), *one) for i, one in enumerate(ones)]) for name, ones in dev.items()}
    return Task("x", "made up", classes, metrics, Split([Example(str(i), *one) for i, one in enumerate(train)]), made)


def values(made, train=None):
    rows = baselines.rows(made, made.train.examples if train is None else train)
    return {(row["baseline"], row["group"], row["metric"]): row for row in rows}


def of_a_word(n, seed, share=0.5):
    """The label is whether the second sentence holds a word that no first one has."""
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < share
    texts = [" ".join(rng.choice(WORDS, 5)) for _ in range(n)]
    return [
        (text, f"{text[::-1]} {'garden' if label else ''}", int(label))
        for text, label in zip(texts, labels, strict=True)
    ]


def of_the_order(n, seed):
    """The label is which of two words comes first: no single word tells it."""
    rng = np.random.default_rng(seed)
    return [
        (f"{'not bad' if label else 'bad not'} {' '.join(rng.choice(WORDS, 3))}", None, int(label))
        for label in rng.integers(0, 2, n)
    ]


def of_a_shared_word(n, seed):
    """The label is whether both sentences hold the same word: neither of them tells it."""
    rng = np.random.default_rng(seed)
    examples = []
    for label in rng.integers(0, 2, n):
        first, other = rng.choice(WORDS, 2, replace=False)
        examples.append((f"it is {first}", f"it was {first if label else other}", int(label)))
    return examples


@pytest.mark.parametrize("kind", [of_a_word, of_the_order, of_a_shared_word])
def test_the_linear_model_sees_words_of_both_texts_their_order_and_what_texts_share(kind):
    made = task(kind(300, 0), {"dev": kind(100, 1)})
    found = values(made)
    assert found[TF_IDF, "", "accuracy"]["value"] > 0.9
    assert found[MAJORITY, "", "accuracy"]["value"] < 0.65


def test_the_most_frequent_class_is_that_of_the_examples_given():
    made = task(of_a_word(40, 0, 0.9), {"dev": of_a_word(50, 1, 0.2)})
    labels = np.array([example.label for example in made.dev["dev"].examples])
    assert values(made)[MAJORITY, "", "accuracy"]["value"] == (labels == 1).mean() < 0.4
    zeros = [example for example in made.train.examples if example.label == 0]
    assert values(made, zeros)[MAJORITY, "", "accuracy"]["value"] == (labels == 0).mean()


def test_a_score_is_predicted_too(monkeypatch):
    """By how often a word stands there; the constant answer is the mean, and correlates with nothing."""
    monkeypatch.setattr(intervals, "RESAMPLES", 20)
    rng = np.random.default_rng(0)
    examples = [
        (f"{' '.join(rng.choice(WORDS, 6))} {'garden ' * n}", None, float(n) ** 2) for n in rng.integers(0, 4, 200)
    ]
    made = task(examples[:150], {"dev": examples[150:]}, (), ("pearson",))
    found = values(made)
    assert found[TF_IDF, "", "pearson"]["value"] > 0.8
    assert found[MAJORITY, "", "pearson"]["value"] == 0
    (constant,) = baselines._majority(made, made.train.examples)
    assert np.unique(constant) == pytest.approx(np.mean([score for *_, score in examples[:150]]))


def test_nothing_is_learnt_from_the_development_sets():
    """Their labels change no answer, and no text of theirs the answer to another."""
    made = task(of_a_word(60, 0), {"dev": of_a_word(30, 1)})
    train, split = made.train.examples, made.dev["dev"]
    turned = replace(
        made, dev={"dev": Split([replace(example, label=1 - example.label) for example in split.examples])}
    )
    for predict in (baselines._majority, baselines._tf_idf):
        (whole,), (again,) = predict(made, train), predict(turned, train)
        assert whole.tolist() == again.tolist()
    alone = [
        baselines._tf_idf(replace(made, classes=(), dev={"dev": Split([example])}), train)[0][0]
        for example in split.examples[:5]
    ]
    (together,) = baselines._tf_idf(replace(made, classes=()), train)
    assert alone == pytest.approx(together[:5].tolist())


def test_over_several_sets_the_mean_is_told():
    made = task(of_a_word(60, 0, 0.6), {"matched": of_a_word(40, 1, 0.9), "mismatched": of_a_word(20, 2, 0.3)})
    found = values(made)
    for baseline in (MAJORITY, TF_IDF):
        one, other, both = (found[baseline, group, "accuracy"] for group in ("matched", "mismatched", ""))
        assert (one["n"], other["n"], both["n"]) == (40, 20, 60)
        for end in ("value", "low", "high"):
            assert both[end] == pytest.approx((one[end] + other[end]) / 2)
    assert found[MAJORITY, "matched", "score"]["value"] > found[MAJORITY, "", "score"]["value"]
