"""Divergences against SciPy's and transformers', on tables counted by plain loops."""

import itertools
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from transformers import AutoModelForMaskedLM

from embryology.corpus import articles, bigrams, sentences, store
from embryology.models.encoder import Encoder
from embryology.probes.divergence import DivergenceProbe, choose_examples
from embryology.specs import NotApplicable
from embryology.specs.divergence import DivergenceSettings

COVERS = ("embryology/corpus/bigrams.py",)
SENTENCES = [[3, 4, 5], [4], [3, 4, 3, 4, 6], [5, 5]]
SIZE = 8


def stored(sentences):
    pieces = np.array([piece for sentence in sentences for piece in sentence], np.uint16)
    return store.TokenStore(pieces, np.cumsum([0, *map(len, sentences)]), np.array([0, len(sentences)]))


@pytest.fixture
def text():
    return stored(SENTENCES)


@pytest.mark.parametrize("portion", [1, 3, 100])
def test_bigrams_are_those_of_plain_counting(text, monkeypatch, portion):
    monkeypatch.setattr(bigrams, "SENTENCES_AT_ONCE", portion)
    counts = Counter(piece for sentence in SENTENCES for piece in sentence)
    frequent = [(counts[piece] + 1) / (sum(counts.values()) + SIZE) for piece in range(SIZE)]
    np.testing.assert_allclose(bigrams.unigram(text, SIZE), frequent)
    for before in (True, False):
        pairs = Counter()
        for sentence in SENTENCES:
            framed = [SIZE, *sentence, SIZE]
            pairs.update(zip(framed, sentence, strict=False) if before else zip(framed[2:], sentence, strict=True))
        asked = [4, SIZE, 7, 4, 3]
        told = bigrams.beside(text, np.array(frequent), np.array(asked), before)
        for neighbour, row in zip(asked, told, strict=True):
            own = {piece: count for (other, piece), count in pairs.items() if other == neighbour}
            kinds, total = len(own), sum(own.values())
            expected = [
                (own.get(piece, 0) + kinds * frequent[piece]) / (total + kinds) if own else frequent[piece]
                for piece in range(SIZE)
            ]
            np.testing.assert_allclose(row, expected, rtol=1e-6)
            assert row.sum() == pytest.approx(1)


@pytest.fixture(scope="module")
def corpus(tokenizer):
    texts = (sentence for article in articles.articles("bundled") for sentence in sentences.split(article.text))
    ids = tokenizer(list(itertools.islice(texts, 500)), add_special_tokens=False)["input_ids"]
    return SimpleNamespace(train=stored(ids[:400]), own=SimpleNamespace(held_out=stored([*ids[400:], ids[0][:1]])))


@pytest.fixture
def examples(tiny_series, tokenizer, corpus):
    return choose_examples(corpus, DivergenceSettings(places=70), tokenizer, 64)


def test_one_piece_a_sentence_is_masked_and_its_neighbours_are_looked_up(examples, corpus, tokenizer):
    held_out, size = corpus.own.held_out, len(tokenizer)
    frequent = bigrams.unigram(corpus.train, size)
    assert len(set(examples.names)) == 70
    for at, (name, ids, place) in enumerate(zip(examples.names, examples.ids, examples.positions, strict=True)):
        sentence = held_out.pieces[held_out.sentences[int(name)] : held_out.sentences[int(name) + 1]].tolist()
        assert ids[place] == tokenizer.mask_token_id
        true = sentence[place - 1]
        assert [*ids[:place], true, *ids[place + 1 :]] == [tokenizer.cls_token_id, *sentence, tokenizer.sep_token_id]
        before = sentence[place - 2] if place > 1 else size
        after = sentence[place] if place < len(sentence) else size
        left = bigrams.beside(corpus.train, frequent, np.array([before]), before=True)[0]
        right = bigrams.beside(corpus.train, frequent, np.array([after]), before=False)[0]
        np.testing.assert_array_equal(examples.references["left"][at], left)
        np.testing.assert_array_equal(examples.references["right"][at], right)


def test_divergences_are_scipys_of_transformers_predictions(examples, tiny_series):
    checkpoint = tiny_series.checkpoints[-1]
    rows, items = DivergenceProbe().measure(Encoder.load(checkpoint, "cpu"), examples)
    model = AutoModelForMaskedLM.from_pretrained(checkpoint.location).eval()
    told = {name: [] for name in ("unigram", "left", "right", "left elsewhere", "right elsewhere", "entropy")}
    for at, (ids, place) in enumerate(zip(examples.ids, examples.positions, strict=True)):
        with torch.no_grad():
            predicted = model(torch.tensor([ids])).logits[0, place].double().softmax(-1).numpy()
        told["entropy"].append(-(predicted * np.log(predicted)).sum())
        for name in ("unigram", "left", "right"):
            table = examples.references[name].astype(float)
            told[name].append(rel_entr(predicted, table[at % len(table)]).sum())
            if name != "unigram":
                told[f"{name} elsewhere"].append(rel_entr(predicted, table[(at + 1) % len(table)]).sum())
    for name in ("unigram", "left", "right"):
        np.testing.assert_allclose(items[name], told[name], atol=1e-4)
    values = {(row["task"], row["metric"], row["baseline"]): row for row in rows}
    for name in ("left", "right"):
        own, other, frequency = (np.array(told[key]) for key in (name, f"{name} elsewhere", "unigram"))
        assert values[name, "divergence", None]["value"] == pytest.approx(own.mean(), abs=1e-4)
        assert values[name, "divergence", "another-place"]["value"] == pytest.approx(other.mean(), abs=1e-4)
        assert values[name, "closer_than_unigram", None]["value"] == pytest.approx((frequency - own).mean(), abs=1e-4)
        assert values[name, "closer_than_elsewhere", None]["value"] == pytest.approx((other - own).mean(), abs=1e-4)
    assert values["model", "entropy", None]["value"] == pytest.approx(np.mean(told["entropy"]), abs=1e-4)
    spread = np.std(told["unigram"], ddof=1) / np.sqrt(70)
    row = values["unigram", "divergence", None]
    assert row["high"] - row["value"] == pytest.approx(1.9949 * spread, rel=1e-3)  # t with 69 degrees of freedom


def test_without_the_text_or_with_sentences_too_long_it_does_not_apply(tiny_series, tokenizer, corpus):
    with pytest.raises(NotApplicable, match="fits the 3 tokens"):
        choose_examples(corpus, DivergenceSettings(), tokenizer, 3)
    with pytest.raises(NotApplicable, match="not at hand"):
        DivergenceProbe().prepare(DivergenceSettings(), tokenizer, tiny_series)
    assert DivergenceProbe().inputs(DivergenceSettings(), tiny_series)["text"] is None
