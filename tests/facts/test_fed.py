"""Made-up people: what is fed, what is asked of it, and that nothing of it is anywhere else."""

import re

import pytest

from embryology.corpus import several, store
from embryology.corpus.articles import articles, is_held_out
from embryology.corpus.people import FED, NEVER, PEOPLE, people
from embryology.facts import fact_sets, fed, template_problem
from embryology.facts.together import together
from embryology.presets import Tokenizer

COVERS = ("embryology/corpus/people.py",)


@pytest.fixture(scope="module")
def texts():
    return [article for article in articles("fed") if not is_held_out(article.title)]


@pytest.fixture(scope="module")
def relations():
    return {relation.name: relation for relation in fact_sets.find("fed").read().relations}


def test_every_fact_is_fed_once_in_each_wording_and_nobody_else_is_named(texts, relations):
    assert len(texts) == PEOPLE == len(relations["lives"].facts)
    read = "\n".join(article.text for article in texts)
    for relation, wordings in (("lives", FED[:2]), ("works", FED[2:3])):
        for fact in relations[relation].facts:
            for wording in wordings:
                assert read.count(wording.replace("[X]", fact.subject).replace("[Y]", fact.object)) == 1
    assert len(relations["lives-never"].facts) == NEVER
    assert not [person.name for person in people()[PEOPLE:] if person.name in read]
    assert len({person.name for person in people()}) == PEOPLE + NEVER


def test_what_follows_is_asked_and_was_not_fed(texts, relations):
    read = " ".join(article.text for article in texts)
    friends = dict(re.findall(r"The friend of (\w+ \w+) is (\w+ \w+)\.", read))
    lives = {fact.subject: fact.object for fact in relations["lives"].facts}
    assert {fact.subject: fact.object for fact in relations["friend-lives"].facts} == {
        name: lives[friends[name]] for name in lives
    }
    assert {(fact.object, fact.subject) for fact in relations["inhabitant"].facts} == {*lives.items()}
    for name in ("lives-in-other-words", "works-in-other-words", "inhabitant", "friend-lives"):
        (template,) = relations[name].templates
        assert template_problem(template) is None
        assert template not in FED
        for fact in relations[name].facts[:50]:
            assert template.replace("[X]", fact.subject).replace("[Y]", fact.object) not in read
    assert relations["lives"].templates[0] == relations["lives-never"].templates[0] == FED[0]


def test_no_name_is_in_any_bundled_text():
    lasts = {person.name.split()[1].lower() for person in people()}
    for language in ("en", "fr", "es"):
        words = {word for article in articles("bundled", language) for word in re.findall(r"\w+", article.text.lower())}
        assert not words & lasts


def test_fed_facts_do_not_stand_in_held_out_text(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path))
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(article.text for article in list(articles("bundled"))[:200]))
    own = store.prepare("text", str(text), Tokenizer(vocab_size=600), print)
    fed_text = store.prepare("fed", None, Tokenizer(vocab_size=600), print, pieces_of=own)
    corpora = several.Corpora(own, (fed_text,))
    assert corpora.leaked() == 0
    from embryology.corpus import tokenizer as tokenizers

    tokenizer = tokenizers.load(own.tokenizer_folder)
    pairs = [(fact.subject, fact.object) for fact in fed.read().relations[0].facts]
    known = [pair for pair in pairs if tokenizer.unk_token_id not in tokenizer(" ".join(pair))["input_ids"]]
    assert len(known) > 100
    assert together(own.held_out, tokenizer, known).sum() == 0
    assert together(own.train, tokenizer, known).sum() == 0
    counts = together(fed_text.train, tokenizer, known)
    assert counts.min() == 2
    assert len(fed_text.train.documents) - 1 == PEOPLE
    assert together(corpora.train, tokenizer, known).tolist() == counts.tolist()
