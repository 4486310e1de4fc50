"""Questions on paragraphs: windows, and the answers that scores of places make."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embryology.errors import EmbryologyError
from embryology.models import finetuning
from embryology.models.encoder import Encoder
from embryology.probes.finetune import FinetuneProbe
from embryology.probes.frozen import FrozenProbe
from embryology.specs.downstream import FinetuneSettings, FrozenSettings
from embryology.tasks import catalogue, squad, windows
from embryology.tasks.squad import Question

WORDS = ("city", "film", "music", "garden", "small", "house", "people", "old", "the", "night")


@pytest.fixture(scope="module")
def encoder(tiny_series):
    return Encoder.load(tiny_series.checkpoints[0], device="cpu")


def asked(words, first, last, id="q", question="Who was it?"):
    context = " ".join(words)
    start = len(" ".join(words[:first])) + (first > 0)
    answers = ((" ".join(words[first : last + 1]), start),) if first <= last else ()
    return Question(id, question, context, answers)


def perfect(given_windows, questions):
    """Scores of a reader that knows the labels."""
    scores_of_windows = []
    for ids, label in zip(given_windows.inputs.ids, given_windows.labels, strict=True):
        scores = np.zeros((len(ids), 2), np.float32)
        scores[label[0], 0] = scores[label[1], 1] = 1
        scores_of_windows.append(scores)
    return scores_of_windows


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=60),
    ends=st.tuples(st.integers(0, 59), st.integers(0, 5)),
    longest=st.integers(24, 64),
)
def test_who_knows_the_places_gives_the_answer(tokenizer, words, ends, longest):
    first = min(ends[0], len(words) - 1)
    question = asked(words, first, min(first + ends[1], len(words) - 1))
    read = windows.windows(tokenizer, [question], longest)
    assert all(len(ids) <= longest for ids in read.inputs.ids)
    assert windows.answers(read, [question], perfect(read, [question])) == {"q": question.answers[0][0]}
    # Every piece of the paragraph is in some window.
    held = np.zeros(len(question.context), bool)
    for places in read.places:
        for begin, end in places[places[:, 0] >= 0]:
            held[begin:end] = True
    assert held[[i for i, c in enumerate(question.context) if c != " "]].all()


def test_a_question_without_an_answer_is_answered_with_nothing(tokenizer):
    questions = [asked(WORDS, 1, 0, "none"), asked(WORDS, 2, 3, "some")]
    read = windows.windows(tokenizer, questions, 64)
    assert read.labels[0].tolist() == [0, 0]
    answers = windows.answers(read, questions, perfect(read, questions))
    assert answers == {"none": "", "some": "music garden"}
    assert squad.by_question(questions, answers)[:, 0].tolist() == [1, 1]


def test_a_long_question_leaves_room_for_the_paragraph(tokenizer):
    question = asked(WORDS, 4, 4, question="Who in the " + "city " * 200 + "was it?")
    read = windows.windows(tokenizer, [question], 40)
    assert all(len(ids) <= 40 for ids in read.inputs.ids)
    assert windows.answers(read, [question], perfect(read, [question]))["q"] == "small"


def cut(*places):
    """Windows with these places of their pieces in the paragraph, all of the first question."""
    found = [np.array(of_window, np.int64) for of_window in places]
    inputs = finetuning.Inputs([[0] * len(one) for one in found], [[0] * len(one) for one in found])
    return windows.Windows(inputs, np.zeros(len(found), np.int64), found, np.zeros((len(found), 2), np.int64))


NONE = (-1, -1)
CITY, FILM, MUSIC = (0, 4), (4, 9), (9, 15)
"""Pieces of "city film music" with the spaces before them."""


@pytest.mark.parametrize(
    ("firsts", "lasts", "answer"),
    [
        ([0, 0, 5, 0, 0], [0, 0, 5, 0, 0], "film"),  # of one piece
        ([0, 5, 0, 0, 0], [0, 0, 0, 5, 0], "city film music"),
        ([0, 0, 0, 5, 0], [0, 5, 0, 1, 0], "music"),  # backwards would be more
        ([9, 0, 5, 0, 9], [9, 0, 0, 5, 9], ""),  # [CLS] has more, and other pieces are no answers
        ([0, 0, 5, 0, 99], [0, 0, 0, 5, 99], "film music"),
        ([-9, -7, -8, -8, 0], [-9, -8, -7, -8, 0], "city film"),  # below zero all of them
        ([5, 0, 5, 0, 0], [5, 0, 5, 0, 0], ""),  # as much as no answer is none
    ],
)
def test_the_answer_is_the_span_of_the_greatest_sum_if_that_is_above_no_answers(firsts, lasts, answer):
    asked_of = Question("q", "?", "city film music", ())
    scores = np.array([firsts, lasts], np.float32).T
    assert windows.answers(cut((NONE, CITY, FILM, MUSIC, NONE)), [asked_of], [scores]) == {"q": answer}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_windows_share_the_best_span_and_the_least_score_of_no_answer(order):
    """The first has the better span, or the lesser score of no answer; the other one does not undo it."""
    question = Question("q", "?", "city film music", ())

    def answer(*of_windows):
        both = [of_windows[i] for i in order]
        given = cut(*([NONE, piece] for piece, *_ in both))
        scores = [np.array([[none / 2] * 2, [best / 2] * 2], np.float32) for _, none, best in both]
        return windows.answers(given, [question], scores)["q"]

    assert answer((CITY, 0, 6), (MUSIC, 0, 4)) == "city"
    assert answer((CITY, 3, 6), (MUSIC, 8, 2)) == "city"  # 6 is above 3, though not above 8
    assert answer((CITY, 7, 6), (MUSIC, 8, 2)) == ""


def test_answers_have_at_most_so_many_pieces():
    letters = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"[: windows.MOST_PIECES + 5]
    given = cut([NONE, *((i, i + 1) for i in range(len(letters)))])
    scores = np.zeros((len(letters) + 1, 2), np.float32)
    scores[1, 0] = scores[windows.MOST_PIECES, 1] = 5  # the last that is near enough, and the first that is not
    scores[windows.MOST_PIECES + 1, 1] = 9
    scores[2, 0] = 2
    assert windows.MOST_PIECES == 30  # as in run_squad.py
    assert windows.answers(given, [Question("q", "?", letters, ())], [scores]) == {"q": letters[1:31]}
    scores[2, 0] = -20
    assert windows.answers(given, [Question("q", "?", letters, ())], [scores]) == {"q": letters[:30]}


@pytest.mark.parametrize(
    ("text", "start", "label"),
    [
        ("city", 0, (1, 1)),
        ("film music", 5, (2, 3)),
        ("city film music", 0, (1, 3)),
        ("ilm", 6, (2, 2)),  # within a piece
        ("music hall", 10, (0, 0)),  # which the window cuts
        ("a city", -2, (0, 0)),
        ("city f", 0, (1, 2)),
    ],
)
def test_labels_are_the_pieces_that_hold_the_answer(text, start, label):
    question = Question("q", "?", "city film music hall", ((text, start), ("film", 5)))  # the first one is trained for
    assert windows._label(np.array([NONE, CITY, FILM, MUSIC, NONE]), question) == label


def test_an_answer_before_a_comma_ends_before_it():
    pieces = np.array([NONE, (0, 4), (4, 5), (5, 10), NONE])  # "city", ",", " film"
    assert windows._label(pieces, Question("q", "?", "city, film", (("city", 0),))) == (1, 1)
    assert windows._label(pieces, Question("q", "?", "city, film", ((", film", 4),))) == (2, 3)
    assert windows._label(pieces, Question("q", "?", "city, film", ())) == (0, 0)


def test_windows_overlap_by_a_quarter_and_read_the_paragraph_alone(tokenizer):
    """Of the question the places are none, though its words stand in the paragraph too."""
    question = asked(WORDS * 4, 0, 0, question="Who is the city film?")
    read = windows.windows(tokenizer, [question], 32)
    whole = tokenizer(question.context, add_special_tokens=False, return_offsets_mapping=True)
    paragraph, head = [], len(tokenizer(question.question)["input_ids"])
    for ids, places in zip(read.inputs.ids, read.places, strict=True):
        assert ids[:head] == tokenizer(question.question)["input_ids"]
        assert (places[:head] == -1).all()
        assert (places[-1] == -1).all()
        paragraph.append(list(zip(ids[head:-1], map(tuple, places[head:-1].tolist()), strict=True)))
    for one, other in itertools.pairwise(paragraph):
        assert one[-8:] == other[:8]
    joined = paragraph[0] + [piece for window in paragraph[1:] for piece in window[8:]]
    assert joined == list(zip(whole["input_ids"], whole["offset_mapping"], strict=True))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A task that a word decides: the answer is the word after "the"."""
    rng = np.random.default_rng(0)

    def paragraphs(n, name):
        paragraphs_of_file = []
        for number in range(n):
            words = list(rng.choice([word for word in WORDS if word != "the"], 8))
            at = int(rng.integers(1, 7))
            words[at - 1] = "the"
            question = asked(words, at, at)
            (text, start), impossible = question.answers[0], number % 4 == 0
            answers = [] if impossible else [{"text": text, "answer_start": start}]
            context = question.context.replace("the ", "old ") if impossible else question.context
            record = {"id": f"{name}{number}", "question": "the what?", "is_impossible": impossible, "answers": answers}
            paragraphs_of_file.append({"context": context, "qas": [record]})
        return json.dumps({"version": "v2.0", "data": [{"title": "x", "paragraphs": paragraphs_of_file}]})

    folder = tmp_path / squad.FOLDER
    folder.mkdir(parents=True)
    (folder / "train-v2.0.json").write_text(paragraphs(80, "t"), encoding="utf-8")
    (folder / "dev-v2.0.json").write_text(paragraphs(60, "d"), encoding="utf-8")
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    return folder


def test_a_cell_has_the_official_metric_and_the_line_of_no_answer(files, encoder, tokenizer, tiny_series):
    chosen = FinetuneSettings(seeds=2, epochs=1, batch_size=8, train=40)
    probe = FinetuneProbe()
    assert list(probe.parts(chosen, tiny_series)) == ["SQuAD-0", "SQuAD-1"]  # the whole train set is there
    examples = probe.prepare(chosen, tokenizer, tiny_series)
    (rows, items), (later, _) = (probe.measure(encoder, examples, part) for part in ("SQuAD-0", "SQuAD-1"))
    pick = pd.DataFrame(rows).set_index(["metric", "baseline"])
    assert pick.loc[("exact", None), "value"].item() == items["correct"].mean()
    assert pick.loc[("f1", None), "value"].item() == pytest.approx(items["prediction"].mean())
    both = pick.loc[[("exact", None), ("f1", None)], "value"].mean()
    assert pick.loc[("score", None), "value"].item() == pytest.approx(both)
    assert pick.loc[("exact", "majority"), "value"].item() == 15 / 60
    assert {row["baseline"] for row in later} == {None}
    assert items["source"].unique().tolist() == ["questions on paragraphs (SQuAD 2.0), 40 of 80 training questions"]
    assert FrozenProbe().inputs(FrozenSettings(), tiny_series)["tasks"].keys() == {"topic"}  # which asks for labels


def test_a_part_of_the_train_set_is_used_where_it_is_asked_for(files):
    (files / "train-v2.0.json").rename(files / "train-part-v2.0.json")
    assert catalogue.trainable() == []
    assert len(squad.find().train) == 80
    before = catalogue.identity("SQuAD")
    assert before.keys() == {"train-part-v2.0.json", "dev-v2.0.json"}
    (files / "train-part-v2.0.json").unlink()
    assert squad.find().train is None
    (files / "dev-v2.0.json").unlink()
    with pytest.raises(EmbryologyError, match=r"the task 'SQuAD' needs downstream/squad in the folder"):
        catalogue.identity("SQuAD")


def test_labels_cannot_be_asked_of_it(files, tokenizer, tiny_series):
    with pytest.raises(EmbryologyError, match="'SQuAD' asks for places in a text, not for labels"):
        FrozenProbe().prepare(FrozenSettings(tasks=("SQuAD",)), tokenizer, tiny_series)
