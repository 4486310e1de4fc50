"""What stands before a question: which text, of which facts, and that nothing is cut."""

import pytest

from embryology.corpus.articles import bundled as bundled_articles
from embryology.facts import Fact, contexts
from embryology.facts.contexts import of_set
from embryology.facts.questions import TOO_LONG
from tests.facts.test_questions import SHORT, asked, restored

TEMPLATES = (SHORT, "The [Y] is where [X] is.")
ARTICLES = {
    "city": ("The City is a house for people. It is large.", "Geography"),
    "film": ("One is seen by people. A film may be long.", "Arts"),
    "music": ("Music " + "is in the house and " * 12 + "is old.", "Arts"),
    "The house": ("The house is in the cíty. It is old.", "Uncategorized"),
    "The garden (1)": ("A garden is green.", "Geography"),
}
FACTS = (
    Fact("a", "The house", "city"),
    Fact("b", "The garden", "film", article="The garden (1)"),
    Fact("c", "The river", "music"),
    Fact("d", "The sea", "people"),
    Fact("e", "A book", "people of the city"),  # of several pieces
    Fact("f", "The road", "city"),
)


@pytest.fixture(autouse=True)
def at_hand(monkeypatch):
    monkeypatch.setattr(contexts, "_articles", lambda: ARTICLES)


def given(tokenizer, kind, longest=64, facts=FACTS, seed=0):
    plain, _ = asked(tokenizer, facts, TEMPLATES)
    (found,), why = of_set([plain], kind, tokenizer, longest, seed)
    return found, why["P1"]


def test_the_first_sentence_of_the_objects_article_stands_before_the_first_question(tokenizer):
    found, why = given(tokenizer, "sentence")
    assert [fact.id for fact in found.right.facts] == ["a", "b", "f"]
    assert why == {"the object has several pieces": 1, "the object has no article": 1, TOO_LONG: 1}
    said = {"city": "The City is a house for people.", "film": "One is seen by people."}
    assert {len(one.questions) for one in (found.without, found.right, found.wrong)} == {1}
    for fact, question in zip(found.right.facts, found.right.questions[0], strict=True):
        text = SHORT.replace("[X]", fact.subject).replace("[Y]", fact.object)
        assert restored(question) == tokenizer(f"{said[fact.object]} {text}")["input_ids"]
        assert len(question.positions) == 1  # what the context says of the object is not masked
    assert found.holds.tolist() == [True, False, True]


def test_a_fact_has_another_objects_context_and_the_same_question_without(tokenizer):
    found, _ = given(tokenizer, "sentence")
    for one in (found.without, found.wrong):
        assert one.facts == found.right.facts
        assert (one.alone, one.named.tolist()) == (found.without.alone, found.right.named.tolist())
    other = {"city": "One is seen by people.", "film": "The City is a house for people."}
    for fact, without, wrong in zip(
        found.without.facts, found.without.questions[0], found.wrong.questions[0], strict=False
    ):
        text = SHORT.replace("[X]", fact.subject).replace("[Y]", fact.object)
        assert restored(without) == tokenizer(text)["input_ids"]
        assert restored(wrong) == tokenizer(f"{other[fact.object]} {text}")["input_ids"]
    assert restored(found.without.alone) == tokenizer("is in the city.")["input_ids"]


def test_what_is_as_long_as_the_model_reads_is_asked_and_one_piece_more_is_not(tokenizer):
    found, _ = given(tokenizer, "sentence")
    longest = max(
        len(question.ids) for one in (found.right, found.wrong) for each in one.questions for question in each
    )
    assert given(tokenizer, "sentence", longest)[0].right.facts == found.right.facts
    facts = (FACTS[0], FACTS[1], FACTS[5])
    plain, _ = asked(tokenizer, facts, TEMPLATES)
    shorter, why = of_set([plain], "sentence", tokenizer, longest - 1, 0)
    left = sum(len(one.wrong.facts) for one in shorter)
    assert left < 3
    assert why["P1"].total() == 3 - left
    assert why["P1"][TOO_LONG]


def test_types_and_the_subjects_own_sentence(tokenizer):
    facts = (FACTS[0], FACTS[1], Fact("g", "city", "music"))
    found, why = given(tokenizer, "types", facts=facts)
    assert why == {"the subject has no article with a topic": 1}
    text = "The garden (geography). The garden is in the film."
    assert restored(found.right.questions[0][0]) == tokenizer(text)["input_ids"]
    found, why = given(tokenizer, "subject_sentence", facts=facts)
    assert not why
    text = "The house is in the cíty. The house is in the city."
    assert restored(found.right.questions[0][0]) == tokenizer(text)["input_ids"]
    assert found.holds.tolist() == [True, False, False]  # with an accent it is the same to a reader


def test_a_wrong_context_never_names_the_object_and_is_drawn_by_seed(tokenizer):
    names = ("city", "film", "music", "people", "house", "garden", "king", "sea")
    names = tuple(name for name in names if len(tokenizer(name, add_special_tokens=False)["input_ids"]) == 1)
    articles = {
        name: (f"A {name} is a {other}.", "Arts") for name, other in zip(names, names[1:] + names[:1], strict=False)
    }
    facts = [Fact(str(number), "The book", name) for number, name in enumerate(names * 3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contexts, "_articles", lambda: articles)
        drawn = []
        for seed in (0, 0, 1):
            found, why = given(tokenizer, "sentence", facts=facts, seed=seed)
            assert not why
            assert len(found.wrong.facts) == len(facts)
            drawn.append([tokenizer.decode(question.ids) for question in found.wrong.questions[0]])
            for fact, question in zip(found.wrong.facts, found.wrong.questions[0], strict=True):
                assert fact.object not in tokenizer.decode(question.ids)
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0][:: len(names)])) > 1 or len(set(drawn[0][1 :: len(names)])) > 1  # drawn fact by fact


def test_without_another_object_there_is_no_control_and_it_is_counted(tokenizer):
    plain, _ = asked(tokenizer, (FACTS[0], FACTS[5]), TEMPLATES)
    found, why = of_set([plain], "sentence", tokenizer, 64, 0)
    assert found == []
    assert why["P1"] == {"no fact with another object has a context without this one's": 2}


@pytest.mark.parametrize("seed", range(5))
def test_the_context_of_a_fact_with_the_same_object_is_no_wrong_one(seed):
    """Not even if it does not name it, as the sentence about another subject may not."""
    facts = [Fact("a", "The house", "City"), Fact("b", "The road", "city"), Fact("c", "The sea", "film")]
    texts = {"a": "It is large.", "b": "It is long.", "c": "It is blue."}
    assert contexts._others(facts, texts, seed)["a"] == contexts._others(facts, texts, seed)["b"] == "It is blue."


def test_bundled_articles_are_looked_up_by_title(monkeypatch):
    monkeypatch.undo()
    text = next(article.text for article in bundled_articles() if article.title == "Ethiopia")
    fact = Fact("x", "Addis Ababa", "Ethiopia")
    said = contexts.context(fact, "sentence")
    assert text.startswith(said)
    assert said.endswith(".")
    assert 20 < len(said) < len(text)
    assert contexts.context(fact, "types") == "Addis Ababa (geography)."
    assert contexts.context(fact, "subject_sentence").startswith("Addis Ababa")
    assert contexts.context(Fact("y", "Addis Ababa", "no such thing"), "sentence") is None
