"""Facts -> questions: which facts are asked, what of them is masked, and what is said of each."""

from collections import Counter

import pytest

from embryology.facts import Fact, Relation
from embryology.facts import questions as module
from embryology.facts.questions import ask, filled

SHORT, LONG = "[X] is in the [Y].", "It is said of old that [X] was seen by many people in the [Y] ."
UNKNOWN = Fact("unknown", "The house", "☃")
SEVERAL = Fact("several", "A book", "people of the city")
FILM, CITY = Fact("film", "The music", "film"), Fact("city", "The garden", "city")


def asked(tokenizer, facts, templates=(SHORT,), longest=64, **how):
    excluded = Counter()
    found = ask(Relation("P1", "made up", "N-1", templates, tuple(facts)), tokenizer, longest, excluded, **how)
    return found, +excluded


def restored(question):
    """The ids with the object's in the place of its masks."""
    ids = list(question.ids)
    for position, piece in zip(question.positions, question.pieces, strict=True):
        ids[position] = piece
    return ids


@pytest.mark.parametrize(
    ("facts", "alone"),
    [
        ((SEVERAL, FILM), "film"),
        ((UNKNOWN, SEVERAL, FILM, CITY), "film"),  # counted among all facts, not among those that are asked
        ((CITY, FILM), "city"),
        ((SEVERAL,), "people of the city"),
    ],
)
def test_the_template_alone_has_the_first_object_of_one_piece(tokenizer, facts, alone):
    found, _ = asked(tokenizer, facts)
    assert restored(found.alone) == tokenizer(f"is in the {alone}.")["input_ids"]
    assert len(found.alone.pieces) == len(tokenizer(alone, add_special_tokens=False)["input_ids"])


def test_every_piece_of_the_object_is_masked_and_no_other(tokenizer):
    found, _ = asked(tokenizer, (SEVERAL, CITY))
    for fact, question in zip(found.facts, found.questions[0], strict=True):
        text = tokenizer(f"{fact.subject} is in the {fact.object}.")["input_ids"]
        masks = [i for i, piece in enumerate(question.ids) if piece == tokenizer.mask_token_id]
        assert tuple(masks) == question.positions
        assert len(masks) == len(tokenizer(fact.object, add_special_tokens=False)["input_ids"])
        assert restored(question) == text
        assert [piece for i, piece in enumerate(question.ids) if i not in masks] == [
            piece for i, piece in enumerate(text) if i not in masks
        ]


def test_a_fact_that_one_template_cannot_ask_is_asked_by_none_and_others_stand_beside_their_own_questions(tokenizer):
    wordy = Fact("wordy", " ".join(["garden"] * 20), "film")
    needs = [len(tokenizer(filled(wordy, template))["input_ids"]) for template in (SHORT, LONG)]
    assert needs[0] < needs[1]
    found, excluded = asked(tokenizer, (wordy, FILM, UNKNOWN, CITY), (SHORT, LONG), longest=needs[1] - 2)
    assert found.facts == [FILM, CITY]
    assert sorted(excluded.values()) == [1, 1]
    for template, questions in zip((SHORT, LONG), found.questions, strict=True):
        assert [restored(question) for question in questions] == [
            tokenizer(filled(fact, template))["input_ids"] for fact in found.facts
        ]
    assert all(len(question.ids) <= needs[1] - 2 for questions in found.questions for question in questions)


def test_an_unknown_piece_matters_in_the_object_alone(tokenizer):
    found, excluded = asked(tokenizer, (Fact("a", "The ☃", "city"), UNKNOWN))
    assert [fact.id for fact in found.facts] == ["a"]
    assert excluded == {"object has an unknown piece": 1}


def test_what_is_said_of_facts_is_said_of_those_that_are_asked(tokenizer, monkeypatch):
    monkeypatch.setattr(module.bundled.articles, "is_held_out", lambda title: title == "Out")
    facts = (
        Fact("0", "The house", "☃", article="In"),
        Fact("1", "The City hall", "city", article="Out"),
        Fact("2", "The film", "Film", article="In"),
        Fact("3", "The garden", "city"),
    )
    found, _ = asked(tokenizer, facts)
    assert [fact.id for fact in found.facts] == ["1", "2", "3"]
    assert found.named.tolist() == [True, True, False]
    assert found.held_out.tolist() == [True, False, False]


def test_facts_are_drawn_by_a_seed_and_stay_in_their_order(tokenizer):
    facts = [Fact(f"{number:02}", f"The house {number}", "city") for number in range(40)]
    drawn = []
    for seed in (0, 1, 2, 1):
        found, excluded = asked(tokenizer, facts, most=15, seed=seed)
        assert excluded == {"not drawn": 25}
        drawn.append([fact.id for fact in found.facts])
    assert all(len(set(ids)) == 15 and ids == sorted(ids) for ids in drawn)
    assert drawn[1] == drawn[3]
    assert len({tuple(ids) for ids in drawn}) == 3
    whole, excluded = asked(tokenizer, facts, most=40)
    assert (whole.facts, excluded) == (facts, {})


@pytest.mark.parametrize(
    ("fact", "template", "text"),
    [
        (Fact("a", "Ada", "London"), "[X] was born in [Y] .", "Ada was born in London."),
        (Fact("a", "Ada", "London"), "[Y] , it is said , knew [X] .", "London, it is said, knew Ada."),
        (Fact("a", "", "gold", sentence="Its prize was [Y] , then ."), None, "Its prize was gold, then."),
        (Fact("a", "", "London"), "[X] was born in [Y].", "was born in London."),
    ],
)
def test_a_fact_in_words_is_running_text(fact, template, text):
    assert filled(fact, template) == text
