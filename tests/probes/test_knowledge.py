"""The knowledge probe, on templates with edge cases and against a slow plain way."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from embryology.errors import EmbryologyError
from embryology.facts import Fact, Reading, Relation, fact_sets
from embryology.facts import questions as asking
from embryology.facts.questions import ask
from embryology.models.encoder import Encoder
from embryology.probes import knowledge
from embryology.probes.knowledge import KnowledgeProbe
from embryology.runs import measurements
from embryology.runs.paths import data_folder
from embryology.specs.knowledge import MAJORITY, KnowledgeSettings

COVERS = ("embryology/facts/questions.py", "embryology/specs/knowledge.py")
FACTS = (
    Fact("a", "The film", "city"),
    Fact("b", "The city", "city"),  # named, and as common as the first
    Fact("c", "The music", "film"),
    Fact("d", "A book", "people of the city"),  # several pieces
    Fact("e", "The film", "music"),  # the same question as the first
)
TEMPLATES = ("[X] is in the [Y].", "[Y], it is said, has [X]'s name.", "The [X] knew [Y].")


def relation(facts=FACTS, templates=TEMPLATES, name="P1", kind="N-1"):
    return Relation(name, "made up", kind, templates, tuple(facts))


@pytest.fixture(scope="module")
def encoder(tiny_series):
    return Encoder.load(tiny_series.checkpoints[0], device="cpu")


@pytest.fixture(scope="module")
def asked(tokenizer):
    return ask(relation(), tokenizer, 64, Counter())


def test_a_question_is_the_template_with_the_object_masked(asked, tokenizer):
    for template, questions in zip(TEMPLATES, asked.questions, strict=True):
        for fact, question in zip(asked.facts, questions, strict=True):
            assert [question.ids[position] for position in question.positions] == [tokenizer.mask_token_id] * len(
                question.pieces
            )
            restored = list(question.ids)
            for position, piece in zip(question.positions, question.pieces, strict=True):
                restored[position] = piece
            said = template.replace("[X]", fact.subject).replace("[Y]", fact.object)
            assert restored == tokenizer(said)["input_ids"]


def test_the_template_alone_has_no_subject(asked, tokenizer):
    restored = list(asked.alone.ids)
    restored[asked.alone.positions[0]] = asked.alone.pieces[0]
    assert restored == tokenizer("is in the city.")["input_ids"]


def test_a_question_is_written_as_running_text(tokenizer):
    tokenised = "In the [Y] , they say , [X] was no . 5 ; is it ?"
    (question,) = asking._questions([Fact("a", "The film", "city")], tokenised, tokenizer, 64)
    (same,) = asking._questions(
        [Fact("a", "The film", "city")], "In the [Y], they say, [X] was no. 5; is it?", tokenizer, 64
    )
    assert question == same


def test_a_subject_that_looks_like_a_place_for_the_object_is_a_subject(tokenizer):
    (question,) = asking._questions([Fact("a", "The [Y] film", "city")], TEMPLATES[0], tokenizer, 64)
    restored = list(question.ids)
    restored[question.positions[0]] = question.pieces[0]
    assert restored == tokenizer("The [Y] film is in the city.")["input_ids"]


def test_what_cannot_be_asked_for_is_counted(tokenizer):
    why = Counter()
    facts = (*FACTS, Fact("f", "The house", "☃"), Fact("g", " ".join(["city"] * 80), "film"))
    asked = ask(relation(facts), tokenizer, 64, why)
    assert [fact.id for fact in asked.facts] == [fact.id for fact in FACTS]
    assert sum(why.values()) == 2
    few = Counter()
    assert len(ask(relation(), tokenizer, 64, few, most=2).facts) == 2
    assert few == {"not drawn": 3}


def plainly(encoder, tokenizer, template, fact):
    """One query at a time with all logits, as the released script asks; rank and log-probability of the object."""
    before, after = template.replace("[X]", fact.subject).split("[Y]")
    pieces = tokenizer(fact.object, add_special_tokens=False)["input_ids"]
    text = tokenizer(before + fact.object + after)["input_ids"]
    about = len(tokenizer(before.rstrip())["input_ids"]) - 1
    start = next(i for i in range(about, len(text)) if text[i : i + len(pieces)] == pieces)
    total, ids = 0.0, list(text)
    ids[start : start + len(pieces)] = [tokenizer.mask_token_id] * len(pieces)
    for number, piece in enumerate(pieces):
        with torch.no_grad():
            logits = encoder.model(torch.tensor([ids])).logits[0, start + number]
        total += logits.log_softmax(-1)[piece].item()
        ids[start + number] = piece
    return 1 + int((logits > logits[pieces[-1]]).sum()), total, int(logits.argmax())


def test_scores_are_those_of_a_slow_plain_way(encoder, tokenizer):
    one = relation(templates=TEMPLATES[:1])
    asked = ask(one, tokenizer, 64, Counter())
    (scored,) = knowledge._scored(encoder, [asked])
    for row, fact in zip(scored.itertuples(), asked.facts, strict=True):
        rank, log_probability, top = plainly(encoder, tokenizer, TEMPLATES[0], fact)
        assert row.log_probability == pytest.approx(log_probability, abs=1e-4)
        if row.pieces == 1:
            others = [own for own in asked.facts[:3] + asked.facts[4:] if own.object != fact.object]
            given_others = [
                plainly(encoder, tokenizer, TEMPLATES[0], replace(own, object=fact.object))[1] for own in others
            ]
            assert row.gain == pytest.approx(log_probability - np.mean(given_others), abs=1e-4)
            assert (row.rank, row.top) == (rank, top)
            assert row.reciprocal_rank == pytest.approx(1 / rank)
            assert row.correct == (rank == 1)


def test_distinct_questions_are_asked_once(encoder, asked, monkeypatch):
    seen = []
    vectors = Encoder.vectors

    def counting(self, sequences, *rest):
        seen.append(len(sequences))
        return vectors(self, sequences, *rest)

    monkeypatch.setattr(Encoder, "vectors", counting)
    again = replace(asked, relation=replace(asked.relation, name="the same under another name"))
    first, second = knowledge._scored(encoder, [asked, again])
    assert seen == [10]  # four facts of one piece with three subjects in three templates, and one without a subject
    assert first.drop(columns=["item_id", "group"]).equals(second.drop(columns=["item_id", "group"]))


def test_relations_asked_in_portions_get_the_same_answers(encoder, asked, monkeypatch):
    whole = list(knowledge._scored(encoder, [asked] * 3))
    monkeypatch.setattr(knowledge, "AT_ONCE", 2 * encoder.hidden_size * len(asked.questions) * len(asked.facts))
    assert [len(portion) for portion in knowledge._portions([asked] * 3, encoder.hidden_size)] == [2, 1]
    for one, other in zip(whole, knowledge._scored(encoder, [asked] * 3), strict=True):
        np.testing.assert_allclose(one["log_probability"], other["log_probability"], atol=1e-5)


def test_consistency_counts_pairs_of_templates():
    answers = np.array([[1, 1, 5], [1, 2, 5], [1, 2, 6]], float)
    same, shuffled = knowledge._consistency(answers)
    assert same.tolist() == pytest.approx([1, 1 / 3, 1 / 3])
    drawn = [
        knowledge._consistency(np.random.default_rng(seed).permuted(answers, axis=1))[0].mean() for seed in range(2000)
    ]
    assert shuffled == pytest.approx(np.mean(drawn), abs=0.01)
    assert np.isnan(knowledge._consistency(answers[:1])[0]).all()
    # A model that always says the same agrees with itself, whatever it is asked.
    assert knowledge._consistency(np.full((3, 5), 7))[1] == 1


def test_the_gain_is_over_subjects_with_other_objects():
    log_probabilities = np.array([[-1.0, -5.0], [-2.0, -6.0], [-3.0, -2.0]])
    assert knowledge._with_others(log_probabilities, np.array([0, 0, 1])).tolist() == [-3.0, -5.5]
    assert np.isnan(knowledge._with_others(log_probabilities[:, :1], np.array([0, 0, 0]))).all()


def test_a_sentence_of_its_own_asks_for_a_fact(tokenizer):
    why = Counter()
    facts = [Fact("a", "", "city", sentence="He was in the [Y] then."), Fact("b", "", "film", sentence="[Y] it is.")]
    asked = ask(Relation("squad", "sentences", "", (), tuple(facts)), tokenizer, 64, why)
    assert not why
    assert asked.alone is None
    for fact, question in zip(facts, asked.questions[0], strict=True):
        restored = list(question.ids)
        restored[question.positions[0]] = question.pieces[0]
        assert restored == tokenizer(fact.sentence.replace("[Y]", fact.object))["input_ids"]


@pytest.mark.skipif(data_folder() is None, reason="EMBRYOLOGY_DATA is not set")
def test_every_fact_of_trex_is_asked_for_or_excluded_with_a_reason(tokenizer):
    """Relation by relation, against the counts of the data's README."""
    lines = (data_folder() / "knowledge" / "README.md").read_text().splitlines()
    counts = " ".join(line for line in lines if line.startswith(("- 1-1:", "- N-1:")))
    known = {name: int(count) for name, count in re.findall(r"(P\d+)\*? (\d+)", counts)}
    relations = [own for own in fact_sets.find("trex").read().relations if own.kind in KnowledgeSettings().kinds]
    assert len(relations) == 25
    for own in relations:
        why = Counter()
        asked = ask(own, tokenizer, 64, why)
        assert len(asked.facts) + why.total() == known[own.name]


@pytest.fixture
def measured(monkeypatch, tokenizer, tiny_series, encoder):
    class Made:
        label = "made up"

        def identity(self):
            return {"made": "up"}

        def read(self):
            many = [Fact(f"n{i}", f"The {word}", "film") for i, word in enumerate(("old man", "small house", "garden"))]
            return Reading([relation(), relation(many, TEMPLATES[:1], "P2"), relation(kind="N-M", name="P3")])

    monkeypatch.setattr(knowledge.fact_sets, "find", lambda name: Made())
    settings = KnowledgeSettings(sets=("made-up",))
    probe = KnowledgeProbe()
    assert probe.inputs(settings, tiny_series)["made-up"] == {"made": "up"}
    rows, items = probe.measure(encoder, probe.prepare(settings, tokenizer, tiny_series))
    return pd.DataFrame(rows), items


def test_relations_and_totals_are_measured_with_their_baselines(measured, tmp_path):
    rows, items = measured
    assert set(rows["group"]) == {"", "P1", "P2"}  # the paper's types only
    pick = rows.set_index(["task", "group", "metric", "baseline"])
    assert pick.loc[("made-up", "", "accuracy", None), "n"].item() == 7
    assert pick.loc[("made-up/not named", "P1", "accuracy", None), "n"].item() == 3
    assert pick.loc[("made-up", "P1", "accuracy", MAJORITY), "value"].item() == 2 / 4
    assert pick.loc[("made-up", "P2", "accuracy", MAJORITY), "value"].item() == 1
    assert pick.loc[("made-up/several pieces", "P1", "log_probability", None), "n"].item() == 1
    assert ("made-up", "P1", "consistency", None) in pick.index
    assert ("made-up", "P2", "consistency", None) not in pick.index
    assert items["item_id"].tolist()[:2] == ["P1:a", "P1:b"]
    columns = {"series": "x", "step": 0, "tokens": 0, "model": "albert", "objective": "masked", "probe": "knowledge"}
    measurements.write(tmp_path / "rows.parquet", rows.assign(**columns, key="k"))


def test_a_set_of_which_nothing_can_be_asked_is_refused(monkeypatch, tokenizer, tiny_series):
    class Made:
        label = "made up"

        def read(self):
            return Reading([relation([Fact("f", "The house", "☃")])])

    monkeypatch.setattr(knowledge.fact_sets, "find", lambda name: Made())
    with pytest.raises(EmbryologyError, match="made-up: the tokenizer's pieces represent the object of none"):
        KnowledgeProbe().prepare(KnowledgeSettings(sets=("made-up",)), tokenizer, tiny_series)
