"""What is said of frequency, and that nothing is drawn where it cannot be told."""

import re

import pandas as pd
import pytest

from embryology.analysis import beyond_frequency
from embryology.figures import frequency


@pytest.fixture(scope="module")
def beyond(series):
    return beyond_frequency.read(series)


def test_figures_are_drawn_of_all_groups(beyond):
    for draw in (frequency.dots, frequency.factors, frequency.predicted):
        page = draw(beyond, "synthetic").data
        assert re.search(r'<img[^>]* alt="[^"]{40,}"', page)
    assert set(frequency.numbers(beyond)) == set(frequency.NUMBERS)


def test_too_few_checkpoints_are_one_sentence_and_no_figure(series):
    reason = beyond_frequency.read(series, "last")
    assert reason == ("Not told for synthetic: when words are acquired cannot be told from 1 checkpoints; it takes 4.")
    for draw in (frequency.dots, frequency.factors, frequency.predicted):
        assert draw(reason, "synthetic").data == f"<p>{reason}</p>"
    assert set(frequency.numbers(reason)) == set(frequency.NUMBERS)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.1, 0.3, "part of speech tells more than frequency alone: 0.200 nats (0.100 to 0.300) a word"),
        (-0.1, 0.3, "that part of speech tells more than frequency alone is not shown: 0.200 nats"),
        (-0.3, -0.1, "part of speech tells nothing that frequency does not: 0.200 nats"),
    ],
)
def test_a_sentence_follows_the_interval_and_not_the_value(low, high, said):
    rows = {"part of speech": (0.2, low, high), "frequency": (0.5, 0.4, 0.6)}
    gains = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])
    assert frequency.adds(gains, "word").startswith(said)
    assert frequency.adds(gains, "word").endswith("frequency adds 0.500 nats (0.400 to 0.600)")
