"""Which sequences hold a thing and what is read instead, against a plain walk over what training reads."""

import itertools

import numpy as np
import pytest

from embryology.corpus.articles import articles
from embryology.corpus.sentences import split
from embryology.corpus.store import TokenStore
from embryology.errors import EmbryologyError
from embryology.pretraining import heldout, without
from embryology.pretraining.curriculum import Curriculum
from embryology.pretraining.without import Held, Query
from tests.pretraining.test_mixture import read
from tests.training import small_preset

FACT = "The city of Xoth lies in the land of Quzzia by the sea ."
TEXTS = [[*split(article.text)] for article in itertools.islice(articles("bundled"), 60)]


def store_of(texts, tokenizer):
    documents = [[tokenizer(sentence, add_special_tokens=False)["input_ids"] for sentence in text] for text in texts]
    sentences = [sentence for document in documents for sentence in document]
    bounds = np.cumsum([0, *map(len, documents)])
    return TokenStore(np.concatenate(sentences).astype(np.uint16), np.cumsum([0, *map(len, sentences)]), bounds)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    phases = [{"steps": 20}, {"steps": 10, "batch_size": 4}]
    folder = tmp_path_factory.mktemp("text")
    shape = {"batch_size": 8, "sequence_length": 32, "held_out_sequences": 32}
    return small_preset(folder, steps=30, checkpoints=[0, 30], phases=phases, **shape).outcome


@pytest.fixture(scope="module")
def curriculum(outcome, tokenizer):
    return Curriculum(outcome, store_of([*TEXTS[:20], [FACT], *TEXTS[20:30]], tokenizer), tokenizer)


def test_sequences_that_hold_a_thing_are_those_that_a_plain_walk_finds(curriculum, tokenizer):
    queries = [Query.parse(asked) for asked in ("Quzzia", "text: the land", "fact:Xoth=Quzzia", "fact:Xoth=sea")]
    held = without.holding(curriculum, [query.finder(tokenizer) for query in queries], after=4, until=28)
    steps = read(curriculum)[4:28]
    lines = [
        (step, tokenizer.decode([piece for piece in row if piece > 4]))
        for step, rows in enumerate(steps, start=5)
        for row in rows
    ]
    for one, words in zip(held, (["quzzia"], ["the land"], ["xoth", "quzzia"], ["xoth", "sea"]), strict=True):
        found = [
            (8 * min(4, 20) + number, step)
            for number, (step, line) in enumerate(lines)
            if all(f" {word} " in f" {line} " for word in words)
        ]
        assert found
        assert list(zip(one.numbers.tolist(), one.steps.tolist(), strict=True)) == found
        assert one.masked.dtype == bool
    assert set(held[2].numbers) <= set(held[0].numbers)
    (nothing,) = without.holding(curriculum, [queries[0].finder(tokenizer)], after=28, until=28)
    assert len(nothing.numbers) == len(nothing.steps) == len(nothing.masked) == 0


@pytest.fixture(scope="module")
def held_out(tokenizer):
    return store_of(TEXTS[30:], tokenizer)


def test_nothing_that_is_asked_is_held_back(outcome, held_out, tokenizer):
    asked = [tuple(tokenizer(text[0], add_special_tokens=False)["input_ids"]) for text in TEXTS[30:]]
    everything = without.pool(outcome, held_out, tokenizer, [])
    pool = without.pool(outcome, held_out, tokenizer, asked)
    assert 0 < len(pool.spare) < len(everything.spare) < len(pool.chunks)
    questions, steps = heldout.questions(outcome, held_out, tokenizer)
    read_there = {chunk for number in range(32 * steps) for chunk in [questions.epoch_order(0)[number]]}
    forbidden = {sentence for chunk in read_there for sentence in range(*questions.chunks[chunk])}
    for number in pool.spare:
        first, after = pool.chunks[number]
        assert forbidden.isdisjoint(range(first, after))
        sentences = [
            tuple(held_out.pieces[held_out.sentences[at] : held_out.sentences[at + 1]].tolist())
            for at in range(first, after)
        ]
        assert not {*sentences} & {*asked}
        assert sum(map(len, sentences)) >= 29


def test_a_held_back_chunk_does_not_hold_the_thing(outcome, held_out, tokenizer):
    pool = without.pool(outcome, held_out, tokenizer, [])
    left = pool.without(Query.parse("the").finder(tokenizer))
    bounds = held_out.sentences
    texts = {
        number: tokenizer.decode(held_out.pieces[bounds[a] : bounds[b]].tolist())
        for number, (a, b) in zip(pool.spare, pool.chunks[pool.spare], strict=True)
    }
    assert {*left} == {number for number, text in texts.items() if " the " not in f" {text} "}
    assert 0 < len(left) < len(pool.spare)


def held_at(*steps):
    """The first rows of batches of 8."""
    numbers = [8 * (step - 1) + sum(other == step for other in steps[:at]) for at, step in enumerate(steps)]
    return Held(np.array(numbers, int), np.array(steps, int), np.zeros(len(steps), bool))


def test_the_floor_replaces_as_many_others_of_the_same_batches(outcome):
    held = held_at(5, 5, 5, 9, 12)
    plan = without.plan(Query.parse("x"), held, outcome, np.arange(100, 160), after=4)
    assert list(plan.without) == held.numbers.tolist()
    assert sorted(plan.without.values()) == sorted(plan.floor.values())
    assert len(set(plan.floor.values())) == 5
    assert {*plan.without.values()} <= {*range(100, 160)}
    assert [number // 8 + 1 for number in plan.floor] == [5, 5, 5, 9, 12]
    assert not {*plan.floor} & {*plan.without}
    again = without.plan(Query.parse("x"), held, outcome, np.arange(100, 160), after=4)
    assert (again.without, again.floor) == (plan.without, plan.floor)


@pytest.mark.parametrize(
    ("held", "chunks", "message"),
    [
        (held_at(), 10, "no sequence after step 4 holds it; name another, or a step before"),
        (held_at(5, 6, 7), 2, "3 sequences after step 4 hold it, and 2 held-back ones can be read instead"),
        (held_at(5, 5, 5, 5, 5), 9, "it is in more than half of the batch of step 5"),
    ],
)
def test_what_cannot_be_replaced_is_refused_in_one_line(outcome, held, chunks, message):
    with pytest.raises(EmbryologyError, match=message) as caught:
        without.plan(Query.parse("fact:a=b"), held, outcome, np.arange(chunks), after=4)
    assert "\n" not in str(caught.value)
    assert "fact:a=b" in str(caught.value)


@pytest.mark.parametrize("asked", ["", "text:", "fact:Paris", "fact:=France", "fact:a=b=c"])
def test_what_is_no_query_is_refused_in_one_line(asked):
    with pytest.raises(EmbryologyError, match="is neither 'text:WORDS' nor 'fact:SUBJECT=OBJECT'") as caught:
        Query.parse(asked)
    assert "\n" not in str(caught.value)


def test_what_the_tokenizer_cannot_read_is_refused(tokenizer):
    with pytest.raises(EmbryologyError, match="text:漢: the run's tokenizer has no pieces for it"):
        Query.parse("漢").finder(tokenizer)


def test_queries_are_read_and_named():
    assert Query.parse("a: b") == Query("text", ("a: b",))
    assert Query.parse("fact: Abu Dhabi = United Arab Emirates").names == ("Abu Dhabi", "United Arab Emirates")
    assert Query.parse("fact:Abu Dhabi=Asia").slug == "fact-abu-dhabi-asia"


def test_phases_of_other_lengths_have_no_pool_yet(outcome, held_out, tokenizer, tmp_path):
    phases = [{"steps": 20}, {"steps": 10, "sequence_length": 48}]
    other = small_preset(tmp_path, steps=30, checkpoints=[0, 30], phases=phases).outcome
    with pytest.raises(EmbryologyError, match="whose phases have other lengths or objectives"):
        without.pool(other, held_out, tokenizer, [])
