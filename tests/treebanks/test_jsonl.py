"""Edge probing as jiant writes it: a line an object."""

import json

import pytest

from embryology.errors import EmbryologyError
from embryology.treebanks import Edge, Word, jsonl
from tests.treebank_files import assert_sound


def record(*targets, text="Cats sleep  a lot"):
    return json.dumps({"text": text, "info": {"source": "ours"}, "targets": list(targets)}) + "\n"


def target(label="x", **spans):
    return {"label": label, **spans}


GOOD = record(target("A0", span1=[1, 2], span2=[0, 1]), text="Cats sleep")


@pytest.fixture
def read(tmp_path):
    def read(text, task="role", **options):
        (tmp_path / "test.json").write_text(text, encoding="utf-8")
        reading = jsonl.read(tmp_path / "test.json", task, **options)
        assert_sound(reading)
        return reading

    return read


def test_targets_are_edges_of_what_blanks_separate(read):
    text = record(target("A1", span1=[1, 2], span2=[2, 4]), target(["a", "b"], span1=[1, 2], span2=[0, 1]))
    (sentence,) = read(text + "\n").sentences
    assert sentence.words[2:] == (Word("a", 12, 13, ""), Word("lot", 14, 17, ""))
    assert sentence.edges == (
        Edge("role", "A1", (1, 2), (2, 4)),
        Edge("role", "a", (1, 2), (0, 1)),
        Edge("role", "b", (1, 2), (0, 1)),
    )
    assert read(record(target("NP", span1=[0, 2])), "constituent").sentences[0].edges[0].second is None
    assert read(record(target([], span1=[0, 2])), "entity").left_out == {"target without a label": 1}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{", "malformed JSON: Expecting"),
        ("[" * 100_000, "malformed JSON: nested too deeply"),
        ("[]", "malformed JSON: an object with text and targets is expected"),
        ('{"text": 3, "targets": []}', "malformed JSON: an object with text and targets is expected"),
        ('{"text": "a", "targets": {}}', "malformed JSON: targets is no list"),
        (r'{"text": "\ud800", "targets": []}', "malformed JSON: text that is no Unicode"),
        (record(target(span1=[2, 2], span2=[0, 1])), r"empty span: \[2, 2\] holds no word"),
        (record(target(span1=[0, 5], span2=[0, 1])), r"span out of range: \[0, 5\] of 4 words"),
        (record(target(span1=[0, 1], span2=[-1, 1])), r"span out of range: \[-1, 1\]"),
        (record(target(span1=[2, 1], span2=[0, 1])), r"span out of range: \[2, 1\]"),
        (record(target(span1=[0, True], span2=[0, 1])), "malformed target: a span is two whole numbers"),
        (record(target(span1=[0, 1])), "malformed target: two spans expected for the task 'role'"),
        (record(target(label=3, span1=[0, 1], span2=[0, 1])), "malformed target: label is no text"),
        (record({"span1": [0, 1]}), "malformed target: span1 and label are expected"),
    ],
)
def test_malformed_lines_are_named(read, bad, message):
    with pytest.raises(EmbryologyError, match=rf"test\.json, line 2: {message}") as caught:
        read(GOOD + bad.strip() + "\n" + GOOD)
    assert "\n" not in str(caught.value)
    reading = read(GOOD + bad.strip() + "\n" + GOOD, skip_bad=True)
    assert [sentence.id for sentence in reading.sentences] == ["test-1", "test-3"]
    assert reading.skipped == {message.split(":")[0]: 1}


def test_one_span_is_expected_of_tasks_with_one(read):
    with pytest.raises(EmbryologyError, match="one span expected for the task 'pos'"):
        read(GOOD, "pos")
