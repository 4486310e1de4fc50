"""The knowledge probe on answers that are planted: every fact and every row by plain counting."""

import itertools
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from embryology import intervals
from embryology.corpus.articles import articles, is_held_out
from embryology.corpus.store import TokenStore
from embryology.facts import Fact, Reading, Relation, answers
from embryology.models.encoder import Predictions
from embryology.probes import knowledge
from embryology.probes.knowledge import KnowledgeProbe
from embryology.runs.measurements import row
from embryology.specs.knowledge import KnowledgeSettings

COVERS = ("embryology/probes/knowledge.py",)
OBJECTS = ("city", "film", "music", "people")
LONG = "people of the city"
"""Of several pieces, and more common than any object of one."""
TEMPLATES = ("[X] is in the [Y].", "[Y], it is said, has [X]'s name.", "The [X] knew [Y].")
VOCABULARY = 1000
SALT = 17  # with which some are right that the template alone gets too, and one is the tenth


def logits_of(ids, position):
    """Answers that depend on the question alone; the objects are likely, so that some are right."""
    logits = np.random.default_rng([SALT, position, *ids]).normal(size=VOCABULARY)
    logits[logits_of.likely] += 2.5
    return logits


class Planted:
    """In place of what a model answers."""

    def __init__(self, encoder, questions):
        self.known = {(question.positions[0], *question.ids) for question in questions}

    def logits(self, questions):
        assert {(question.positions[0], *question.ids) for question in questions} <= self.known
        return torch.tensor(np.array([logits_of(question.ids, question.positions[0]) for question in questions]))


def predict(sequences, places, targets):
    told = [
        log_softmax(logits_of(ids, place))[target]
        for ids, (place,), (target,) in zip(sequences, places, targets, strict=True)
    ]
    return Predictions(np.zeros(len(told), int), np.array(told, np.float32))


ENCODER = SimpleNamespace(hidden_size=8, predict=predict)


@pytest.fixture(scope="module")
def relations():
    titles = {
        held_out: [a.title for a in articles("bundled") if is_held_out(a.title) == held_out]
        for held_out in (True, False)
    }
    rng = np.random.default_rng(0)
    words = (
        "old man",
        "small house",
        "garden",
        "king",
        "sea",
        "river",
        "bank",
        "church",
        "road",
        "tree",
        "wall",
        "book",
    )
    made = []
    for name, templates, count in (("P1", TEMPLATES, 12), ("P2", TEMPLATES[2:], 9)):
        facts = [
            Fact(
                f"n{i}",
                f"The {words[i]}",
                str(rng.choice(OBJECTS, p=[0.5, 0.2, 0.2, 0.1])),
                titles[bool(i % 3 == 0)][i],
            )
            for i in range(count)
        ]
        facts += [Fact("named", "The old film", "film"), Fact("too", "The music house", "music", titles[True][40])]
        facts += [Fact(f"long{i}", f"Some {word}", LONG) for i, word in enumerate(words)]
        made.append(Relation(name, "made up", "N-1", templates, tuple(facts)))
    return made


@pytest.fixture(scope="module")
def probe(relations, tokenizer):
    made = SimpleNamespace(label="made up", read=lambda: Reading(relations), identity=dict)
    pieces = tokenizer(list(OBJECTS), add_special_tokens=False)["input_ids"]
    assert {len(ids) for ids in pieces} == {1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knowledge.fact_sets, "find", lambda name: made)
        patch.setattr(answers, "Answers", Planted)
        patch.setattr(logits_of, "likely", [ids[0] for ids in pieces], raising=False)
        yield KnowledgeProbe()


@pytest.fixture(scope="module")
def measured(probe, tokenizer, tiny_series):
    settings = KnowledgeSettings(sets=("made",), seed=7)
    return probe.measure(ENCODER, probe.prepare(settings, tokenizer, tiny_series))


def question(tokenizer, template, subject, object_):
    """Ids with the object masked, its places, and its pieces; the object is found where the text is cut."""
    before, after = (part.replace("[X]", subject) for part in template.split("[Y]"))
    pieces = tokenizer(object_, add_special_tokens=False)["input_ids"]
    ids = tokenizer((before + object_ + after).strip())["input_ids"]
    about = len(tokenizer(before.strip())["input_ids"]) - 1
    first = next(i for i in range(about, len(ids)) if ids[i : i + len(pieces)] == pieces)
    ids[first : first + len(pieces)] = [tokenizer.mask_token_id] * len(pieces)
    return ids, first, pieces


def facts_by_hand(relation, tokenizer):
    """A dictionary a fact, of whatever plain loops over its answers give."""
    single = [fact for fact in relation.facts if fact.object != LONG]
    target = {name: tokenizer(name, add_special_tokens=False)["input_ids"][0] for name in OBJECTS}
    candidates = {target[fact.object] for fact in single}
    logits = [
        [logits_of(*question(tokenizer, template, fact.subject, fact.object)[:2]) for fact in single]
        for template in relation.templates
    ]
    alone = logits_of(*question(tokenizer, relation.templates[0].replace("[X] ", ""), "", single[0].object)[:2])
    choices = [[max(candidates, key=one.__getitem__) for one in of_template] for of_template in logits]
    pairs = [*itertools.combinations(range(len(choices)), 2)]
    shuffled = [one == other for a, b in pairs for one in choices[a] for other in choices[b]]
    common = Counter(fact.object for fact in single).most_common(1)[0][0]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(fact.object for fact in relation.facts))}
    number_of = {target.get(name): number for name, number in numbers.items()}
    told = []
    for i, fact in enumerate(single):
        true, first = target[fact.object], logits[0][i]
        others = [log_softmax(logits[0][j])[true] for j, other in enumerate(single) if other.object != fact.object]
        rank = 1 + sum(value > first[true] for value in first)
        one = {
            "rank": rank,
            "correct": rank == 1,
            "right_at_10": rank <= 10,
            "known": rank == 1 and alone.argmax() != true,
            "chosen": choices[0][i] == true,
            "common": fact.object == common,
            "alone": alone.argmax() == true,
            "named": fact.object in fact.subject,
            "held_out": fact.article is not None and is_held_out(fact.article),
            "right_of_templates": np.mean([of_template[i].argmax() == true for of_template in logits]),
            "reciprocal_rank": 1 / rank,
            "log_probability": log_softmax(first)[true],
            "gain": log_softmax(first)[true] - np.mean(others),
            "object": fact.object,
            "object_number": numbers[fact.object],
            "answer": number_of.get(first.argmax(), -1),
            "choice": number_of[choices[0][i]],
            "answer_alone": number_of.get(alone.argmax(), -1),
            "choice_alone": number_of[max(candidates, key=alone.__getitem__)],
        }
        if pairs:
            one["consistency"] = np.mean([choices[a][i] == choices[b][i] for a, b in pairs])
            one["shuffled"] = np.mean(shuffled)
        else:
            del one["right_of_templates"]
        told.append(one | {"relation": relation.name, "item_id": f"{relation.name}:{fact.id}"})
    return told


MEASURES = {
    ("accuracy", None): "correct",
    ("known", None): "known",
    ("precision_at_10", None): "right_at_10",
    ("accuracy_of_candidates", None): "chosen",
    ("accuracy", "most-common-object"): "common",
    ("accuracy", "without-subject"): "alone",
    ("accuracy", "copy"): "named",
    ("accuracy_of_templates", None): "right_of_templates",
    ("consistency", None): "consistency",
    ("reciprocal_rank", None): "reciprocal_rank",
    ("log_probability", None): "log_probability",
    ("gain", None): "gain",
    ("consistency", "shuffled-subjects"): "shuffled",
}
NO_SHARES = ("reciprocal_rank", "log_probability", "gain", "shuffled")


def test_every_fact_is_what_plain_loops_over_its_answers_give(measured, relations, tokenizer):
    _, items = measured
    expected = {one["item_id"]: one for relation in relations for one in facts_by_hand(relation, tokenizer)}
    own = items[items["pieces"] == 1].set_index("item_id")
    assert set(own.index) == set(expected)
    for name in (
        *("rank", "correct", "chosen", "common", "named", "held_out", "object_number", "object"),
        *("answer", "answer_alone", "choice", "choice_alone"),
    ):
        assert own[name].to_dict() == {item: one[name] for item, one in expected.items()}, name
        assert own[name].nunique() > 1, f"{name}: facts that are all alike test nothing"
    for name in ("log_probability", "gain"):
        assert own[name].to_dict() == pytest.approx({item: one[name] for item, one in expected.items()}, abs=1e-5)
    assert own["consistency"].dropna().to_dict() == pytest.approx(
        {item: one["consistency"] for item, one in expected.items() if "consistency" in one}
    )
    assert (own["answer_alone"] != own["choice_alone"]).any()
    assert items["together"].isna().all()  # the training text is not at hand
    long = items[items["pieces"] > 1]
    assert not long[["correct", "chosen", "common"]].any(axis=None)
    assert (long["answer"] != long["object_number"]).all()


def test_every_row_is_a_mean_of_its_facts(measured, relations, tokenizer):
    rows, _ = measured
    facts = [one for relation in relations for one in facts_by_hand(relation, tokenizer)]
    parts = {
        "made": facts,
        "made/not named": [one for one in facts if not one["named"]],
        "made/held out": [one for one in facts if one["held_out"]],
        "made/not held out": [one for one in facts if not one["held_out"]],
    }
    expected = {}
    for (task, part), relation in itertools.product(parts.items(), ("", "P1", "P2")):
        for (metric, baseline), name in MEASURES.items():
            there = [one for one in part if relation in ("", one["relation"]) and name in one]
            if not there:
                continue
            sums, counts = Counter(), Counter()
            for one in there:
                sums[one["relation"], one["object"]] += float(one[name])
                counts[one["relation"], one["object"]] += 1
            ends = (intervals.of_mean if name in NO_SHARES else intervals.of_share)(
                np.array([sums[unit] for unit in counts]), np.array([counts[unit] for unit in counts])
            )
            value = np.mean([float(one[name]) for one in there])
            expected[task, relation, metric, baseline] = row("", "", "", value, ends, len(there))
    found = {tuple(one[name] for name in ("task", "group", "metric", "baseline")): one for one in rows}
    assert len(found) == len(rows)
    assert {one["seed"] for one in rows} == {7}
    several = {key: found.pop(key) for key in [*found] if key[0] == "made/several pieces"}
    assert found.keys() == expected.keys()
    for key, known in expected.items():
        for name in ("value", "low", "high", "n"):
            assert found[key][name] == pytest.approx(known[name], abs=1e-5), (key, name)
    assert [(*key[1:], one["n"]) for key, one in several.items()] == [
        (relation, "log_probability", None, n) for relation, n in (("", 24), ("P1", 12), ("P2", 12))
    ]


def test_objects_of_several_pieces_are_told_from_left_to_right(measured, relations, tokenizer):
    rows, items = measured
    totals = []
    for relation in relations:
        for fact in relation.facts:
            if fact.object == LONG:
                ids, first, pieces = question(tokenizer, relation.templates[0], fact.subject, fact.object)
                total = 0.0
                for number, piece in enumerate(pieces):
                    total += log_softmax(logits_of(ids, first + number))[piece]
                    ids[first + number] = piece
                totals.append(total)
    assert items[items["pieces"] > 1]["log_probability"].tolist() == pytest.approx(totals, abs=1e-4)
    (total,) = (one for one in rows if (one["task"], one["group"]) == ("made/several pieces", ""))
    assert total["value"] == pytest.approx(np.mean(totals), abs=1e-4)


def test_relations_of_kinds_that_were_not_asked_for_are_left_out(probe, relations, tokenizer, tiny_series, monkeypatch):
    kinds = [Relation(kind, "", kind, TEMPLATES[:1], relations[0].facts) for kind in ("1-1", "N-1", "N-M", "")]
    made = SimpleNamespace(label="made up", read=lambda: Reading(kinds), identity=dict)
    monkeypatch.setattr(knowledge.fact_sets, "find", lambda name: made)
    for asked in (("1-1", "N-1", ""), ("N-M",)):
        settings = KnowledgeSettings(sets=("made",), kinds=asked)
        found = probe.prepare(settings, tokenizer, tiny_series).sets["made"][1]
        assert [one.relation.name for one in found] == list(asked)
        texts = probe.texts(settings, tokenizer, tiny_series)
        assert set(texts["item_id"].str.partition(":")[0]) == set(asked)
    assert texts["text"][0] == f"The old man is in the {relations[0].facts[0].object}."
    assert texts["word"].tolist() == [fact.object for fact in relations[0].facts]
    assert texts["subject"].tolist() == [fact.subject for fact in relations[0].facts]


def test_facts_are_drawn_by_seed_and_the_others_are_counted(probe, tokenizer, tiny_series):
    drawn = []
    for seed in (0, 1):
        settings = KnowledgeSettings(sets=("made",), facts=6, seed=seed)
        examples = probe.prepare(settings, tokenizer, tiny_series)
        drawn.append([fact.id for one in examples.sets["made"][1] for fact in one.facts])
    rows, items = probe.measure(ENCODER, examples)
    assert items["source"].unique().tolist() == ["made up"]
    left_out = {one["group"]: one["value"] for one in rows if one["metric"] == "excluded"}
    assert left_out == {"P1": 26 - 6, "P2": 23 - 6}
    assert items["item_id"].str.partition(":")[2].tolist() == drawn[-1]
    assert drawn[0] != drawn[1]


def test_sentences_that_hold_both_names_are_those_of_the_training_text(
    probe, relations, tokenizer, tiny_series, monkeypatch
):
    def stored(*sentences):
        ids = [tokenizer(sentence, add_special_tokens=False)["input_ids"] for sentence in sentences]
        bounds = np.cumsum([0, *map(len, ids)])
        return TokenStore(np.concatenate(ids).astype(np.uint16), bounds, np.array([0, len(ids)]))

    first, second = relations[0].facts[:2]
    both = f"{first.subject} saw the {first.object} ."
    text = stored(both, both, f"the {second.object} and {second.subject} were there .", "nothing else .")
    corpus = SimpleNamespace(train=text, held_out=stored(*[both] * 9), record={"text_sha256": "t"})
    monkeypatch.setattr(knowledge.several, "of_run", lambda folder: corpus)
    settings = KnowledgeSettings(sets=("made",))
    examples = probe.prepare(settings, tokenizer, tiny_series)
    facts = [fact for one in examples.sets["made"][1] for fact in one.facts]
    assert [*zip(facts, examples.together["made"], strict=True)][:2] == [(first, 2), (second, 1)]
    assert examples.together["made"][: len(relations[0].facts)].sum() == 3


def test_with_contexts_the_same_facts_are_asked_three_times_and_all_else_stays(
    probe, relations, tokenizer, tiny_series, monkeypatch
):
    articles = {
        "city": ("A City is here.", "Arts"),
        "film": ("A film is there.", "Arts"),
        "music": ("It is old.", "Arts"),
    }
    monkeypatch.setattr(knowledge.contexts, "_articles", lambda: articles)
    plain = probe.measure(ENCODER, probe.prepare(KnowledgeSettings(sets=("made",)), tokenizer, tiny_series))
    settings = KnowledgeSettings(sets=("made",), contexts=("sentence", "types"))
    examples = probe.prepare(settings, tokenizer, tiny_series)
    rows, items = probe.measure(ENCODER, examples)
    new = ("in_context", "correct_with", "correct_wrong", "log_probability_with", "log_probability_wrong")
    assert [*items.columns[len(plain[1].columns) :]] == [f"{name}_sentence" for name in new]  # no subject has a type
    assert items[[*plain[1]]].equals(plain[1])
    assert [one for one in rows if not one["task"].startswith(("made/with", "made/wrong"))] == plain[0]
    expected = {}
    for relation, given in zip(relations, examples.in_context["made", "sentence"], strict=True):
        template = relation.templates[0]
        for fact, wrong in zip(given.wrong.facts, given.wrong.questions[0], strict=True):
            ids, place, pieces = question(
                tokenizer, f"{articles[fact.object][0]} {template}", fact.subject, fact.object
            )
            with_, others = logits_of(ids, place), logits_of(wrong.ids, wrong.positions[0])
            expected[f"{relation.name}:{fact.id}"] = {
                "in_context": fact.object != "music",
                "correct_with": bool(with_.argmax() == pieces[0]),
                "correct_wrong": bool(others.argmax() == pieces[0]),
                "log_probability_with": log_softmax(with_)[pieces[0]],
                "log_probability_wrong": log_softmax(others)[pieces[0]],
            }
    told = items.set_index("item_id")
    asked = told[told["in_context_sentence"].notna()]
    assert set(asked.index) == set(expected)
    for name in new:
        values = {item: one[name] for item, one in expected.items()}
        assert asked[f"{name}_sentence"].to_dict() == pytest.approx(values, abs=1e-5), name
    for way, column in (("without", "correct"), ("with", "correct_with_sentence"), ("wrong", "correct_wrong_sentence")):
        (row_,) = (
            one
            for one in rows
            if (one["task"], one["metric"], one["baseline"]) == (f"made/{way} sentence", "accuracy", None)
        )
        assert (row_["value"], row_["n"]) == (pytest.approx(asked[column].astype(float).mean()), len(asked)), way
    excluded = Counter()
    for one in rows:
        if one["metric"] == "excluded":
            excluded[one["task"], one["reason"]] += int(one["value"])
    single = sum(fact.object != LONG for relation in relations for fact in relation.facts)
    assert excluded["made/with sentence", "the object has no article"] == single - len(asked)
    assert excluded["made/with types", "the subject has no article with a topic"] == single
    holds = asked["in_context_sentence"].astype(bool)
    share = next(one["value"] for one in rows if (one["metric"], one["group"]) == ("in_context", ""))
    assert share == pytest.approx(holds.mean())
    assert 0.5 < share < 1
    task = "made/with sentence, answer not in it"
    rest = next(one for one in rows if (one["task"], one["metric"]) == (task, "log_probability"))
    assert rest["n"] == (~holds).sum()
    assert rest["value"] == pytest.approx(asked.loc[~holds, "log_probability_with_sentence"].mean())
