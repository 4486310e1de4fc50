"""Questions that are passed through a model once, and again where bfloat16 may be wrong."""

from collections import Counter

import pytest
import torch

from embryology.facts import Fact, Relation
from embryology.facts.answers import Answers
from embryology.facts.questions import ask
from embryology.models.encoder import Encoder


@pytest.fixture(scope="module")
def encoder(tiny_series):
    return Encoder.load(tiny_series.checkpoints[0], device="cpu")


@pytest.fixture(scope="module")
def questions(tokenizer):
    subjects = [f"The {word} {number}" for word in ("film", "city", "music", "house") for number in range(20)]
    facts = tuple(Fact(subject, subject, "city") for subject in subjects)
    return ask(Relation("P1", "made up", "N-1", ("[X] is in the [Y].",), facts), tokenizer, 64, Counter()).questions[0]


def test_logits_are_those_of_the_model_at_the_mask(encoder, questions):
    answers = Answers(encoder, questions, "float32").logits(questions[::-1])
    for question, logits in zip(questions[::-1], answers, strict=True):
        with torch.no_grad():
            plain = encoder.model(torch.tensor([question.ids])).logits[0, question.positions[0]]
        torch.testing.assert_close(logits, plain, atol=1e-4, rtol=0)


def test_what_is_close_in_bfloat16_is_asked_again(encoder, questions, monkeypatch):
    fine = Answers(encoder, questions, "float32").logits(questions)
    rough = Answers(encoder, questions, "bfloat16")
    read = []
    vectors = Encoder.vectors

    def counting(self, sequences, *rest):
        read.append((len(sequences), *rest[1:]))
        return vectors(self, sequences, *rest)

    monkeypatch.setattr(Encoder, "vectors", counting)
    assert not torch.equal(rough.logits(questions, exact=False), fine)
    assert read == []
    two = fine.topk(2).indices
    apart = rough._apart(rough.logits(questions, exact=False), two)
    torch.testing.assert_close(apart, rough._apart(fine, two), atol=rough._close, rtol=0)  # it bounds the errors
    exact = rough.logits(questions)
    assert torch.equal(exact.argmax(1), fine.argmax(1))
    rough._close = float("inf")
    torch.testing.assert_close(rough.logits(questions), fine, atol=1e-4, rtol=0)
    assert read[-1] == (len(questions), "float32")
