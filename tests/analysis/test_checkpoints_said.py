"""What a page's script is given, against the histories that it was made of."""

import pandas as pd
import pytest

from embryology.analysis import checkpoints_said
from tests.synthetic_completions import LIKELY, SENTENCES, completions

STEPS = (0, 40, 640, 2000)


@pytest.fixture(scope="module")
def items():
    return pd.concat([completions(step, "made up")[1].assign(step=step) for step in STEPS], ignore_index=True)


@pytest.fixture(scope="module")
def told(items):
    # In another order, as a frozen run has them.
    return checkpoints_said.packed(items.sample(frac=1, random_state=0), "{:.3f}".format)


def test_words_are_those_of_the_sentence_and_right_from_their_step_on(told):
    assert told["steps"] == [*STEPS]
    for number, (text, known, masked) in enumerate(SENTENCES.values()):
        sentence = told["sentences"][number]
        assert sentence["text"] == text
        words = [text[start:end] for start, end in sentence["words"]]
        assert words == sorted(known, key=text.index)
        start, end, pieces = sentence["gap"]
        assert (text[start:end], pieces) == (masked, 1)
        for at, step in enumerate(STEPS):
            given = told["given"][at][number]
            assert [each < 0 for each in given] == [step >= known[word] for word in words]
            assert {told["texts"][each] for each in given if each >= 0} <= {"the"}


def test_answers_stand_by_rank_with_their_probabilities(told):
    first = told["answers"][0][0]
    assert [told["texts"][number] for number, *_ in first] == [*LIKELY]
    assert [share for _, share, _, _ in first] == [0.5, 0.25, 0.167, 0.125, 0.1]
    assert [label for _, _, label, _ in first] == ["0.500", "0.250", "0.167", "0.125", "0.100"]
    assert [right for *_, right in told["answers"][3][0]] == [1, 0, 0, 0, 0]  # dog, at twice 640
    assert told["own"][0] == ["0.000", "0.000"]
    assert told["own"][3] == ["0.500", "0.500"]
    assert len(told["texts"]) == len(set(told["texts"]))


def test_a_page_opens_where_half_as_many_words_are_given_back_as_at_the_end(items):
    assert checkpoints_said.halfway(items) == 40  # four, of eight
    assert checkpoints_said.halfway(items[items["step"] != 40]) == 640
    assert checkpoints_said.halfway(items[items["step"] == 0]) == 0
    assert checkpoints_said.halfway(items[items["task"] == "preference"]) == 2000


def test_a_sentence_without_a_gap_or_without_words_is_there_all_the_same(items):
    left = items[~((items["sentence"] == "s01") & items["task"].isin(["gap", "answer"]))]
    told = checkpoints_said.packed(left[~((left["sentence"] == "s02") & (left["task"] == "reconstruction"))], str)
    one, two = told["sentences"]
    assert one["gap"] is None
    assert two["words"] == []
    assert told["answers"][0][0] == []
    assert told["given"][0][1] == []
