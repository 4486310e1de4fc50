"""The page of one checkpoint says what was measured there, and what was not."""

import re

import numpy as np
import pytest

from embryology.figures import checkpoint
from embryology.runs import measurements
from tests.figures.reading import cells_of, seen
from tests.synthetic import make_run


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A series of which the words alone were measured."""
    return make_run(tmp_path_factory.mktemp("runs") / "bare", sentences=5, only=("tokens",))


def test_the_answer_counts_are_those_of_the_step(series):
    told = checkpoint.answer(series, 160).data
    assert "At step 160 the likeliest word is the right one in 1 of 2 gaps, each time another word." in told
    assert "Of 9 words of whole sentences it gives back 6, where one word everywhere would be right of 2." in told
    assert "Of 2 pairs of sentences it prefers the better one in 1." in told
    assert "say nothing of others" in told
    first = checkpoint.answer(series, 0).data
    assert "in 0 of 2 gaps; in 2 of them it is “the”." in first


def test_what_a_model_says_is_no_markdown():
    assert checkpoint._escaped("a*b_<i>") == r"a\*b\_&lt;i&gt;"


def test_pairs_show_which_is_preferred_and_by_how_much(series):
    assert cells_of(checkpoint.prefers(series, 160).data) == [
        ["It is.", "It are.", "✓ the better", "1.2 nats"],
        ["He is.", "Him is.", "✗ the worse", "2.5 nats"],
    ]


def test_maps_are_those_of_the_step_and_of_one_sentence(series):
    shown = seen(checkpoint.attends, series, 320)
    assert sorted({(layer, head) for layer, head in zip(shown.data["layer"], shown.data["head"], strict=True)}) == [
        (1, 1), (1, 2), (2, 1), (2, 2)
    ]  # fmt: skip
    assert np.allclose(shown.data["attention"], 51 / 255)
    assert len(shown.data) == 4 * 5 * 5
    assert "0.20, is that of head 1-1; evenly spread it would be 0.20" in shown.answer
    assert "at step 320" in shown.caption


def test_phenomena_have_their_intervals(series):
    rows = cells_of(checkpoint.by_phenomenon(series, 2000).data)
    assert [row[:2] for row in rows] == [["all pairs", "120"], ["number of the verb", "60"], ["word order", "60"]]
    assert all(re.fullmatch(r"\d+% \(\d+ to \d+\)", row[2]) for row in rows)


def test_facts_are_counted_and_those_without_free_text_have_numbers(series):
    told = checkpoint.believes(series, 2000).data
    items = measurements.read_items(series, "knowledge")
    own = items[(items["step"] == 2000) & (items["task"] == "trex")]
    assert f"Of {len(own)} facts (LAMA T-REx) {own['correct'].sum()} are right" in told
    assert "facts and objects have numbers" in told
    assert "Subject" not in told
    assert [row[-1] for row in cells_of(told)] == ["✓ right"] * checkpoint.MOST_FACTS
    assert "(LAMA T-REx) none is right." in checkpoint.believes(series, 0).data


def test_on_the_clock_stands_what_has_come(series):
    shown = seen(checkpoint.on_the_clock, series, 320)
    came = shown.data
    before, after = (came["high"] <= 320).sum(), (came["low"] >= 320).sum()
    assert shown.answer == (
        f"By step 320, of {len(came)} things that have a time {before} have come, {after} are to come, and of "
        f"{len(came) - before - after} it cannot be told"
    )
    assert before
    assert after
    (axis,) = shown.figure.axes
    (line,) = [line for line in axis.get_lines() if line.get_label() == "step 320"]
    assert set(line.get_xdata()) == {320}


@pytest.mark.parametrize("draw", ["completed", "given_back", "attends", "believes", "prefers", "by_phenomenon"])
def test_what_was_not_measured_is_said(bare, draw):
    assert getattr(checkpoint, draw)(bare, 40).data.startswith("<p>Not measured at this checkpoint: probe ")


def test_that_nothing_was_said_is_said(bare):
    told = checkpoint.answer(bare, 40).data
    assert "Cannot be told of step 40: probe completions has not" in told


def test_every_sentence_is_completed_and_given_back(series):
    assert checkpoint.completed(series, 40).data.count('said-gap"') == 2
    told = checkpoint.given_back(series, 40).data
    assert (told.count('said-right"'), told.count('said-wrong"')) == (4, 5)
