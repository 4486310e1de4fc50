"""Questions on paragraphs: windows, and the answers that scores of places make."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embryology.errors import EmbryologyError
from embryology.models import finetuning
from embryology.models.encoder import Encoder
from embryology.models.finetuning import Recipe
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


def test_spans_end_after_they_begin_and_are_not_too_long(tokenizer, monkeypatch):
    question = asked(["city"] * 20, 0, 0)
    read = windows.windows(tokenizer, [question], 64)
    (places,) = read.places
    inside = np.flatnonzero(places[:, 0] >= 0)
    scores = np.zeros((len(places), 2), np.float32)
    scores[inside[-1], 0], scores[inside[0], 1] = 5, 5  # backwards: the best spans have one of both
    monkeypatch.setattr(windows, "MOST_PIECES", 3)
    answer = windows.answers(read, [question], [scores])["q"]
    assert 1 <= len(tokenizer(answer, add_special_tokens=False)["input_ids"]) <= 3
    scores[:] = 0
    scores[inside[0], 0], scores[inside[-1], 1] = 5, 5
    assert windows.answers(read, [question], [scores])["q"] != question.context


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
    (folder / "train-v2.0.json").write_text(paragraphs(400, "t"), encoding="utf-8")
    (folder / "dev-v2.0.json").write_text(paragraphs(60, "d"), encoding="utf-8")
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    return folder


def test_places_are_learnt(files, encoder, tokenizer):
    prepared = windows.read(None, 0, tokenizer, 64)
    recipe = Recipe(learning_rate=3e-3, epochs=6, batch_size=8)
    model = finetuning.train(encoder, prepared.train.inputs, prepared.train.labels, 2, recipe)
    scores = finetuning.scores_of_places(model, prepared.dev.inputs)
    answers = windows.answers(prepared.dev, prepared.questions, scores)
    assert squad.by_question(prepared.questions, {})[:, 0].mean() == 0.25  # those without an answer
    assert squad.by_question(prepared.questions, answers)[:, 0].mean() > 0.75


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
    assert items["source"].unique().tolist() == ["questions on paragraphs (SQuAD 2.0), 40 of 400 training questions"]
    assert FrozenProbe().inputs(FrozenSettings(), tiny_series)["tasks"].keys() == {"topic"}  # which asks for labels


def test_a_part_of_the_train_set_is_used_where_it_is_asked_for(files):
    (files / "train-v2.0.json").rename(files / "train-part-v2.0.json")
    assert catalogue.trainable() == []
    assert len(squad.find().train) == 400
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
