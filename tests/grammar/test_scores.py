"""Pseudo-log-likelihoods against one masked copy at a time, and against minicons where that is installed."""

import math

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM

from embryology.corpus import tokenizer as tokenizers
from embryology.grammar import Pair, scores
from embryology.grammar.questions import ask
from embryology.models.encoder import Encoder
from tests.grammar_pairs import SENTENCES

COVERS = ("embryology/grammar/questions.py", "embryology/grammar/scores.py")
TEXTS = [
    ("The keyboards are unrepresentative of Uzbekistan.", "The keyboards is unrepresentative of Uzbekistan."),
    ("Photosynthesis converts sunlight.", "Photosynthesis convert sunlight."),
    *((good, bad) for pairs in SENTENCES.values() for good, bad, *_ in pairs),
]


def span(text, word):
    start = f" {text}".index(f" {word}")
    return start, start + len(word)


def pairs():
    words = [("are", "is"), ("converts", "convert"), ("is", "are"), ("were", "was")]
    made = []
    for number, (good, bad) in enumerate(TEXTS):
        critical = None
        if number < len(words):
            critical = span(good, words[number][0]), span(bad, words[number][1])
        made.append(Pair(f"p:{number}", "made up", "p", good, bad, f"p:{number}", critical))
    return made


@torch.no_grad()
def slowly(model, tokenizer, text, critical):
    """Three sums by single passes: pieces alone, words left to right, and the latter of the critical word's pieces."""
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids, words, offsets = encoded["input_ids"], encoded.word_ids(), encoded["offset_mapping"]
    sums = [0.0, 0.0, 0.0]
    for place, word in enumerate(words):
        if word is None:
            continue
        together = [other for other in range(place, len(ids)) if words[other] == word]
        for way, hidden in enumerate(([place], together)):
            masked = [tokenizer.mask_token_id if at in hidden else piece for at, piece in enumerate(ids)]
            logits = model(input_ids=torch.tensor([masked])).logits[0, place]
            log_probability = float(logits.log_softmax(-1)[ids[place]])
            sums[way] += log_probability
            if way and critical and offsets[place][0] < critical[1] and offsets[place][1] > critical[0]:
                sums[2] += log_probability
    return sums


@pytest.fixture(scope="module", params=["albert", "bert"])
def loaded(request, make_series):
    checkpoint = make_series(request.param, (0,)).checkpoints[0]
    tokenizer = tokenizers.load(checkpoint.location)
    model = AutoModelForMaskedLM.from_pretrained(checkpoint.location).eval()
    return Encoder.load(checkpoint, threads=1), model, tokenizer


def test_differences_are_those_of_single_passes(loaded):
    encoder, model, tokenizer = loaded
    made = pairs()
    got = scores.score(encoder, ask(made, tokenizer, 64, {}), tokenizer.mask_token_id)
    assert got.shape == (len(made), 3)
    longest = 0
    for row, pair in zip(got, made, strict=True):
        good, bad = (
            slowly(model, tokenizer, text, pair.critical and pair.critical[number])
            for number, text in enumerate((pair.good, pair.bad))
        )
        expected = [one - other for one, other in zip(good, bad, strict=True)]
        assert row[:2] == pytest.approx(expected[:2], abs=2e-4)
        if pair.critical:
            assert row[2] == pytest.approx(expected[2], abs=2e-4)
        else:
            assert math.isnan(row[2])
        longest = max(longest, abs(expected[0] - expected[1]))
    assert longest > 0.01  # words of several pieces tell the two ways apart


def test_each_distinct_copy_is_read_once_whatever_the_portions(loaded, monkeypatch):
    encoder, _, tokenizer = loaded
    asked = ask([*pairs(), *pairs()], tokenizer, 64, {})
    whole = scores.score(encoder, asked, tokenizer.mask_token_id)
    read = []
    vectors = encoder.vectors

    def counted(sequences, positions, *rest):
        read.append([(position, *ids) for ids, position in zip(sequences, positions, strict=True)])
        return vectors(sequences, positions, *rest)

    monkeypatch.setattr(encoder, "vectors", counted)
    again = scores.score(encoder, asked, tokenizer.mask_token_id)
    (copies,) = read
    expected = set()
    for text in {text for pair in TEXTS for text in pair}:
        encoded = tokenizer(text)
        ids, words = encoded["input_ids"], encoded.word_ids()
        for place, word in enumerate(words):
            for hidden in ((place,), tuple(at for at in range(place, len(ids)) if words[at] == word)):
                if word is not None:
                    masked = (tokenizer.mask_token_id if at in hidden else piece for at, piece in enumerate(ids))
                    expected.add((place, *masked))
    assert len(copies) == len(set(copies))
    assert set(copies) == expected
    monkeypatch.setattr(scores, "AT_ONCE", encoder.hidden_size * 60)
    in_portions = scores.score(encoder, asked, tokenizer.mask_token_id)
    assert len(read) > 3
    for other in (again, in_portions):
        np.testing.assert_allclose(other, whole, atol=2e-4)


def test_minicons_gives_the_same(loaded):
    reason = "minicons is not installed; benchmarks/grammar.py tells how to try it"
    scorer = pytest.importorskip("minicons.scorer", reason=reason)
    encoder, model, tokenizer = loaded
    tokenizer.batch_encode_plus = tokenizer.__call__  # transformers 5 dropped it
    theirs = scorer.MaskedLMScorer(model, "cpu", tokenizer=tokenizer)
    got = scores.score(encoder, ask(pairs(), tokenizer, 64, {}), tokenizer.mask_token_id)
    for column, metric in enumerate(("original", "within_word_l2r")):
        good, bad = (
            theirs.sequence_score([pair[side] for pair in TEXTS], PLL_metric=metric, reduction=lambda x: x.sum().item())
            for side in (0, 1)
        )
        np.testing.assert_allclose(got[:, column], np.subtract(good, bad), atol=1e-3)
