"""Artificial languages, held against what each is said to be."""

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from embryology.corpus import articles, artificial
from embryology.corpus.sentences import split
from embryology.errors import EmbryologyError

LETTERS = [first + second + third for first, second, third in itertools.product("bcdfg", "aeiou", "klmnp")]
RANDOM = np.random.default_rng(7)
TEXTS = [
    " ".join(
        " ".join(RANDOM.choice(LETTERS, RANDOM.integers(2, 30))).capitalize() + "."
        for _ in range(RANDOM.integers(1, 9))
    )
    for _ in range(150)
]


def made(language):
    return [text.split("\n") for text in artificial.texts(language, lambda: TEXTS)]


@pytest.mark.parametrize("language", artificial.LANGUAGES)
def test_text_has_the_shape_of_the_articles_and_is_always_the_same(language):
    by_article = made(language)
    assert [len(sentences) for sentences in by_article] == [len(split(text)) for text in TEXTS]
    lengths = [len(sentence.split()) for text in TEXTS for sentence in split(text)]
    ours = [len(sentence.split()) for sentences in by_article for sentence in sentences]
    expected = {"zipf": lengths, "shuffled": [n + 1 for n in lengths]}
    assert ours == expected.get(language, [max(2, n // 2 * 2) for n in lengths])
    assert made(language) == by_article
    assert [split(text) for text in artificial.texts(language, lambda: TEXTS)] == by_article


@pytest.mark.parametrize("language", ["nested", "flat"])
def test_every_word_of_brackets_stands_twice(language):
    for sentence in itertools.chain(*made(language)):
        assert all(count % 2 == 0 for count in Counter(sentence.split()).values())


def reduced(sentence):
    """What is left when neighbours that are the same go, again and again."""
    stack = []
    for word in sentence.split():
        stack.pop() if stack and stack[-1] == word else stack.append(word)
    return stack


def test_nested_brackets_close_in_order_and_flat_ones_need_not():
    nested, flat = (list(itertools.chain(*made(language))) for language in ("nested", "flat"))
    assert not any(map(reduced, nested))
    assert np.mean([bool(reduced(sentence)) for sentence in flat if len(sentence.split()) > 8]) > 0.9
    depths = [max(itertools.accumulate(_steps(sentence.split()))) for sentence in nested]
    assert max(depths) > 3
    assert min(depths) == 1


def _steps(words):
    opened = []
    for word in words:
        if opened and opened[-1] == word:
            opened.pop()
            yield -1
        else:
            opened.append(word)
            yield 1


def test_words_fall_in_frequency_with_their_rank_and_not_as_in_the_articles():
    counts = Counter(word for sentences in made("zipf") for sentence in sentences for word in sentence.split())
    expected = 1 / np.arange(1, len(LETTERS) + 1)
    observed = np.array(sorted((counts[word] for word in LETTERS), reverse=True))
    top = observed[:20] / observed.sum()
    assert top == pytest.approx(expected[:20] / expected.sum(), rel=0.25)
    assert stats.linregress(np.log(np.arange(1, 41)), np.log(observed[:40])).slope == pytest.approx(-1, abs=0.15)
    words = artificial.Words(["aa " * 50 + "bb " * 20 + "cc " * 5 + "Dd"], np.random.default_rng(4))
    assert sorted(words.words) == ["aa", "bb", "cc", "dd"]
    pairs = [sentence.split()[:2] for sentences in made("zipf") for sentence in sentences]
    table = np.zeros((2, 2))
    common = counts.most_common(1)[0][0]
    for first, second in pairs:
        table[int(first == common), int(second == common)] += 1
    assert stats.fisher_exact(table).pvalue > 0.01


def test_shuffled_sentences_have_their_own_words_in_another_order():
    for sentences, text in zip(made("shuffled"), TEXTS, strict=True):
        for sentence, own in zip(sentences, split(text), strict=True):
            assert sorted(sentence.removesuffix(" .").split()) == sorted(own.replace(".", "").split())
    moved = [s.split()[0] != o.split()[0] for s, o in zip(made("shuffled")[0], split(TEXTS[0]), strict=True)]
    assert any(moved)
    assert artificial.shuffled(["End.", "U.S.", "3.5"], None, np.random.default_rng(0))[-1] == "."
    assert "3.5" in artificial.shuffled(["End.", "U.S.", "3.5"], None, np.random.default_rng(0))


def test_a_corpus_is_asked_for_by_its_language():
    found = [articles.find("artificial", path) for path in artificial.LANGUAGES]
    assert len({str(data.identity()) for data in found}) == len(found)
    first, plain = next(iter(found[0].read())), next(iter(articles.bundled()))
    assert (first.id, first.title) == (plain.id, plain.title)
    assert first.text.count("\n") == len(split(plain.text)) - 1
    with pytest.raises(EmbryologyError, match="needs as its path one of nested, flat, zipf, shuffled, not 'french'"):
        articles.find("artificial", "french")
    with pytest.raises(EmbryologyError, match="not ''"):
        articles.find("artificial")
