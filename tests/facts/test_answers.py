"""Questions that are passed through a model once."""

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
    """Objects of one and of several pieces; those of one make the same question, which comes twice and apart."""
    subjects = [f"The {word} {number}" for word in ("film", "city", "music", "house") for number in range(10)]
    objects = ("city", "people of the city", "film")
    facts = tuple(Fact(f"{subject} {object}", subject, object) for object in objects for subject in subjects)
    return ask(Relation("P1", "made up", "N-1", ("[X] is in the [Y].",), facts), tokenizer, 64, Counter()).questions[0]


def test_logits_are_those_of_the_model_at_the_mask(encoder, questions):
    assert len({len(question.positions) for question in questions}) == 2
    answers = Answers(encoder, questions).logits(questions[::-1])
    for question, logits in zip(questions[::-1], answers, strict=True):
        with torch.no_grad():
            plain = encoder.model(torch.tensor([question.ids])).logits[0, question.positions[0]]
        torch.testing.assert_close(logits, plain, atol=1e-4, rtol=0)
