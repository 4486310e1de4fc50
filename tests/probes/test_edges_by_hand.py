"""Edge probes on tasks that are made up: every row by hand, and what labels of the test split may not change."""

from collections import defaultdict
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from embryology import intervals
from embryology.models import linear
from embryology.models.encoder import Encoder
from embryology.probes import edges
from embryology.probes.edges import UNKNOWN, UNREAD, EdgesProbe, Targets, Task
from embryology.runs.measurements import row
from embryology.specs.edges import STATIC_LAYER, EdgesSettings
from embryology.treebanks import Edge, Reading, Sentence, Word
from embryology.treebanks.edge_sets import EdgeSet

COVERS = ("embryology/probes/edges.py",)
CLASSES = ["a", "b", "c", "d"]
LAYERS, TRAINED, TESTED = 3, 90, 70


def targets(labels, control, rng, **changes):
    n = len(labels)
    values = {
        "spans": [np.tile([0, 1], (n, 1))] * 2,
        "labels": np.array(labels),
        "control": np.array(control),
        "units": np.sort(np.arange(n) % 20),
        "names": [f"doc:{number}-3:{number + 1}-{number + 1}:1-2" for number in range(n)],
        "recurs": rng.random(n) < 0.5,
        "read": np.ones(n, bool),
    }
    return Targets(**values | changes)


@pytest.fixture(scope="module")
def task():
    """In training most are ``a``; in the test split most are ``b``, none is ``d``, and some no answer can be."""
    rng = np.random.default_rng(0)
    drawn = partial(rng.choice, 4)
    train = targets(drawn(TRAINED, p=[0.5, 0.2, 0.2, 0.1]), drawn(TRAINED, p=[0.1, 0.2, 0.2, 0.5]), rng)
    labels = np.where(rng.random(TESTED) < 0.1, UNKNOWN, rng.choice(3, TESTED, p=[0.2, 0.6, 0.2]))
    test = targets(labels, drawn(TESTED), rng, read=rng.random(TESTED) < 0.9)
    return Task("made-up/role", CLASSES, train, test, "document", dev=targets(drawn(40), drawn(40), rng))


@pytest.fixture(scope="module")
def vectors():
    draw = torch.Generator().manual_seed(0)
    sizes = {"train": TRAINED, "dev": 40, "test": TESTED}
    return {split: torch.randn(LAYERS, n, 6, generator=draw) for split, n in sizes.items()}


def by_document(values, units):
    """Sums of a document, and how many items it has, the one after the other."""
    sums, counts = defaultdict(float), defaultdict(int)
    for value, unit in zip(values, units, strict=True):
        sums[unit] += value
        counts[unit] += 1
    return np.array([sums[unit] for unit in sorted(counts)]), np.array([counts[unit] for unit in sorted(counts)])


def scores_by_hand(test, predicted):
    """By group and metric: value, ends and n of one classifier's answers; the ends of macro F1 are left out."""
    right = [answer == label for answer, label in zip(predicted, test.labels, strict=True)]
    told = {("", "f1_micro"): (np.mean(right), intervals.of_share(*by_document(right, test.units)), len(right))}
    there = sorted(set(test.labels.tolist()) - {UNKNOWN})
    of_labels = partial(f1_score, test.labels, predicted, labels=there, zero_division=0)
    told["", "f1_macro"] = of_labels(average="macro"), None, len(right)
    for label, value in zip(there, of_labels(average=None), strict=True):
        hits, sizes = np.zeros(20), np.zeros(20)
        for answer, own, unit in zip(*(each.tolist() for each in (predicted, test.labels, test.units)), strict=True):
            hits[unit] += answer == own == label
            sizes[unit] += ((answer == label) + (own == label)) / 2
        told[CLASSES[label], "f1"] = value, intervals.of_share(hits, sizes), int((test.labels == label).sum())
    return told


def test_every_row_is_what_plain_counting_gives(task, vectors, monkeypatch):
    rng = np.random.default_rng(1)
    planted = {}
    for field in ("labels", "control"):
        for seed in (3, 4):
            own = getattr(task.test, field)
            answers = np.where(rng.random((LAYERS, TESTED)) < [[0.2], [0.5], [0.8]], own, rng.choice(4, TESTED))
            planted[field, seed] = np.where(task.test.read, answers.clip(0), UNREAD)
    monkeypatch.setattr(edges, "_answers", lambda task, vectors, field, settings, seed: planted[field, seed])

    def compressions(task, train, recipe):
        assert train is vectors["train"]
        return [row(task.name, "", "compression", recipe.seed / 2, n=1, seed=recipe.seed)]

    monkeypatch.setattr(edges, "_compressions", compressions)
    rows, items = edges._measured(task, vectors, EdgesSettings(seed=3, seeds=2))
    told = [one for one in rows if one["metric"] == "compression"]
    assert [(one["seed"], one["value"]) for one in told] == [(3, 1.5), (4, 2.0)]
    rows = [one for one in rows if one not in told]

    expected = {}
    for (group, metric), told in scores_by_hand(task.test, np.where(task.test.read, 0, UNREAD)).items():
        expected[group, metric, None, 3, "majority"] = told
    unread = ~task.test.read
    ends = intervals.of_share(*by_document(unread, task.test.units))
    expected["", "share_unread", None, 3, None] = unread.mean(), ends, TESTED
    for seed in (3, 4):
        for layer in range(LAYERS):
            answers, controlled = planted["labels", seed][layer], planted["control", seed][layer]
            for (group, metric), told in scores_by_hand(task.test, answers).items():
                expected[group, metric, layer, seed, None] = told
            by_heart = controlled == task.test.control
            gain = (answers == task.test.labels).astype(float) - by_heart
            for group, chosen in (("", np.ones(TESTED, bool)), ("recurring", task.test.recurs)):
                ends = intervals.of_share(*by_document(by_heart[chosen], task.test.units[chosen]))
                expected[group, "f1_micro", layer, seed, "control"] = by_heart[chosen].mean(), ends, chosen.sum()
                ends = intervals.of_mean(*by_document(gain[chosen], task.test.units[chosen]))
                expected[group, "selectivity", layer, seed, None] = gain[chosen].mean(), ends, chosen.sum()
    found = {tuple(one[name] for name in ("group", "metric", "layer", "seed", "baseline")): one for one in rows}
    assert len(found) == len(rows)
    assert found.keys() == expected.keys()
    for key, (value, ends, n) in expected.items():
        one = found[key]
        assert (one["value"], one["n"]) == (pytest.approx(value), n), key
        assert (one["task"], one["unit"]) == ("made-up/role", "document")
        if ends is not None:
            known = row("", "", "", value, ends)  # which says how missing ends are written
            assert (one["low"], one["high"]) == (pytest.approx(known["low"]), pytest.approx(known["high"])), key

    first = planted["labels", 3] == task.test.labels
    assert items["correct"].tolist() == first[-1].tolist()
    assert items["layers"].tolist() == [sum(2**k for k in range(LAYERS) if first[k, i]) for i in range(TESTED)]
    names = [*CLASSES, "not in training"]
    assert items["group"].tolist() == [names[label] for label in task.test.labels]
    assert items["item_id"].tolist() == task.test.names
    assert items["sentence"].tolist() == [f"doc:{number}-3" for number in range(TESTED)]


def test_the_interval_of_macro_f1_is_over_documents(task):
    rng = np.random.default_rng(2)
    predicted = np.where(rng.random(TESTED) < 0.7, task.test.labels, rng.choice(4, TESTED)).clip(0)
    told = {}
    for seed in (0, 1):
        rows = edges._scores(task, predicted, intervals.resamples(20, seed=seed), layer=0, seed=0)
        told[seed] = next((one["low"], one["high"]) for one in rows if one["metric"] == "f1_macro")
    assert told[0] != told[1]
    draws = []
    for _ in range(400):
        chosen = np.concatenate([np.flatnonzero(task.test.units == unit) for unit in rng.integers(20, size=20)])
        known, answers = task.test.labels[chosen], predicted[chosen]
        hits = np.array([((known == label) & (answers == label)).sum() for label in range(3)])
        sizes = np.array([((known == label).sum() + (answers == label).sum()) / 2 for label in range(3)])
        draws.append((hits / sizes).mean())
    assert told[0] == pytest.approx(np.percentile(draws, [2.5, 97.5]), abs=0.25 * np.ptp(told[0]))
    settings = [EdgesSettings(steps=1, codelength=False, seed=seed) for seed in (0, 1)]
    vectors = {split: torch.zeros(1, n, 2) for split, n in (("train", TRAINED), ("test", TESTED))}
    ends = [
        next(one["low"] for one in edges._measured(task, vectors, own)[0] if one["metric"] == "f1_macro")
        for own in settings
    ]
    assert ends[0] != ends[1]  # of the seed that was asked for


@pytest.fixture
def quick(monkeypatch):
    """The published protocol in a few steps, after each of which it may stop."""
    monkeypatch.setattr(linear, "Published", partial(linear.Published, learning_rate=0.05, steps=30, every=1))


@pytest.mark.parametrize("protocol", ["fast", "paper"])
def test_labels_of_the_test_split_change_no_classifier_and_no_baseline_that_is_learnt(task, vectors, quick, protocol):
    settings = EdgesSettings(protocol=protocol, steps=30, batch_size=32)
    rng = np.random.default_rng(5)
    permuted = replace(task.test, labels=rng.permutation(task.test.labels), control=rng.permutation(task.test.control))
    others = replace(task, test=permuted)
    for field in ("labels", "control"):
        ours, theirs = (edges._answers(one, vectors, field, settings, 0) for one in (task, others))
        np.testing.assert_array_equal(ours, theirs)
        assert len(np.unique(ours)) == 5  # four classes, and no answer
    ours, theirs = (pd.DataFrame(edges._measured(one, vectors, settings)[0]) for one in (task, others))
    learnt = [rows[rows["metric"] == "compression"].reset_index(drop=True) for rows in (ours, theirs)]
    pd.testing.assert_frame_equal(*learnt)
    for one, rows in ((task, ours), (others, theirs)):
        majority = rows[(rows["baseline"] == "majority") & (rows["metric"] == "f1_micro")]["value"].item()
        assert majority == pytest.approx(((one.test.labels == 0) & one.test.read).mean())


def test_development_labels_choose_the_step_of_the_published_protocol(task, vectors, quick):
    settings = EdgesSettings(protocol="paper")
    wrong = replace(task, dev=replace(task.dev, labels=(task.dev.labels + 1) % 4))
    ours, theirs = (edges._answers(one, vectors, "labels", settings, 0) for one in (task, wrong))
    assert (ours != theirs).any()


@pytest.mark.parametrize("protocol", ["fast", "paper"])
def test_every_seed_has_classifiers_of_its_own(task, vectors, quick, protocol):
    def told(seed, first=0):
        settings = EdgesSettings(protocol=protocol, steps=20, batch_size=16, seed=first, seeds=3)
        return edges._answers(task, vectors, "labels", settings, seed)

    assert (told(0) != told(1)).any()
    np.testing.assert_array_equal(told(1), told(1, first=1))


def test_the_description_length_is_that_of_logistic_regressions_block_by_block():
    """With a prior under which a logit has variance 1; labels that vectors tell, and a control that they do not."""
    rng = np.random.default_rng(0)
    n, features = 192, 12
    labels = rng.choice(3, n)
    vectors = rng.normal(size=(1, n, features)).astype(np.float32)
    vectors[0, :, :3] += 1.5 * np.eye(3)[labels]
    control = rng.choice(3, n, p=[0.8, 0.1, 0.1])
    order = torch.randperm(n, generator=torch.Generator().manual_seed(2)).numpy()
    control[order[:3]] = 0, 1, 2  # so that every block has seen all
    settings = EdgesSettings(steps=400, learning_rate=0.1, batch_size=n, seed=2)
    train = targets(labels, control, rng)
    task = Task("made-up/pos", CLASSES[:3], train, train, "document")
    rows = edges._compressions(task, torch.from_numpy(vectors), edges._recipe(settings, 2))
    ends = [round(n * portion) for portion in (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)]

    def compression(own):
        bits = ends[0] * np.log2(3)
        for seen, end in pairwise(ends):
            known, new = vectors[0, order[:seen]], vectors[0, order[seen:end]]
            mean, deviation = known.mean(0), known.std(0)
            model = LogisticRegression(C=1 / features, max_iter=2000)
            model.fit((known - mean) / deviation, own[order[:seen]])
            shares = model.predict_proba((new - mean) / deviation)
            bits -= np.log2(shares[np.arange(len(new)), own[order[seen:end]]]).sum()
        return n * np.log2(3) / bits

    found = {one["baseline"]: one for one in rows}
    assert len(rows) == 3
    assert found[None]["value"] == pytest.approx(compression(labels), rel=0.02)
    assert found["control"]["value"] == pytest.approx(compression(control), rel=0.02)
    frequencies = n * np.log2(3) / linear.codelength_of_frequencies(torch.from_numpy(labels), 3, 2)
    assert found["label-frequencies"]["value"] == pytest.approx(frequencies)
    assert {(one["n"], one["seed"], one["metric"]) for one in rows} == {(n, 2, "compression")}


def written(name, *pairs, labels=None):
    """A sentence of forms and tags, with an edge of each word and one of every two that stand side by side."""
    text, words = "", []
    for form, tag in pairs:
        words.append(Word(form, len(text), len(text) + len(form), tag))
        text += f"{form} "
    found = [Edge("pos", tag, (place, place + 1)) for place, (_, tag) in enumerate(pairs)]
    found += [Edge("constituent", "NP", (place, place + 2)) for place in range(len(pairs) - 1)]
    return Sentence(name, text.rstrip(), tuple(words), tuple(found))


@pytest.fixture
def sets(monkeypatch):
    """Sets of sentences by split, found under any name."""
    made = {}
    found = partial(EdgeSet, label="made up", tasks=("pos", "constituent"), identity=dict)
    monkeypatch.setattr(
        edges.edge_sets, "find", lambda name, split="test": found(name, split, reader=lambda _: Reading(made[split]))
    )
    return made


def random_sentences(rng, first, number, tags=("A", "B")):
    forms = ["the", "The", "city", "theology", "music", "unbelievable", "Norwegian", "sea", "old", "river"]
    return [
        written(f"s-{first + i}", *((str(form), str(rng.choice(tags))) for form in rng.permutation(forms)[:6]))
        for i in range(number)
    ]


def prepared(sets, tokenizer, series, **settings):
    return EdgesProbe().prepare(EdgesSettings(sets=("made-up",), **settings), tokenizer, series).sets[0]


def test_spans_hold_the_pieces_of_their_words(sets, tokenizer, tiny_series):
    rng = np.random.default_rng(0)
    sets |= {"train": random_sentences(rng, 100, 20), "test": random_sentences(rng, 0, 20)}
    made = prepared(sets, tokenizer, tiny_series)
    words = {each.id: each.words for some in sets.values() for each in some}
    for split in ("train", "test"):
        ids = [piece for sentence in made.ids[split] for piece in sentence]
        for one in made.tasks:
            own = getattr(one, split)
            assert len(own.names) == sum(edge.task in one.name for each in sets[split] for edge in each.edges)
            for name, (first, last) in zip(own.names, own.spans[0], strict=True):
                sentence, _, span = name.partition(":")
                begin, end = map(int, span.split("-"))
                said = " ".join(word.form for word in words[sentence][begin - 1 : end])
                assert tokenizer.decode(ids[first:last]) == said.lower()
                assert own.read.all()


def test_a_span_that_is_not_wholly_in_the_input_is_not_read():
    sentence = written("s-1", ("a", "A"), ("b", "A"), ("c", "A"))
    placed = edges._edges([sentence], [[(1, 2), (2, 4), None]], "constituent")
    assert [(place, spans) for place, _, spans in placed] == [(0, [(1, 4)]), (0, None)]
    pair = replace(sentence, edges=(Edge("role", "A0", (2, 3), (0, 1)), Edge("role", "A1", (0, 1), (1, 2))))
    placed = edges._edges([pair], [[(1, 2), (2, 4), None]], "role")
    assert [spans for _, _, spans in placed] == [None, [(1, 2), (2, 4)]]


def test_a_document_is_all_of_a_name_but_its_last_number(sets, tokenizer, tiny_series):
    named = [written(f"the-book-{i % 30}-{i}", ("city", "A"), ("sea", "B")) for i in range(60)]
    sets |= {"train": random_sentences(np.random.default_rng(0), 0, 5), "test": named}
    for one in prepared(sets, tokenizer, tiny_series).tasks:
        assert one.unit == "document"
        documents = [name.split("-")[2] for name in one.test.names]
        assert (
            len(set(documents))
            == 30
            == len(set(one.test.units))
            == len(set(zip(documents, one.test.units, strict=True)))
        )


def test_labels_of_the_test_split_change_nothing_that_is_prepared_but_themselves(sets, tokenizer, tiny_series):
    rng = np.random.default_rng(0)
    sets |= {"train": random_sentences(rng, 100, 20), "test": random_sentences(rng, 0, 10)}
    made = [prepared(sets, tokenizer, tiny_series, train_sentences=10)]
    sets["test"] = [
        replace(each, edges=tuple(edge._replace(label="new") for edge in each.edges)) for each in sets["test"]
    ]
    made.append(prepared(sets, tokenizer, tiny_series, train_sentences=10))
    for ours, theirs in zip(made[0].tasks, made[1].tasks, strict=True):
        assert ours.classes == theirs.classes
        assert (theirs.test.labels == UNKNOWN).all()
        for name in ("labels", "control", "recurs", "units", "names"):
            assert list(getattr(ours.train, name)) == list(getattr(theirs.train, name))
        for name in ("control", "recurs", "units", "names", "read"):
            assert list(getattr(ours.test, name)) == list(getattr(theirs.test, name))


def test_sentences_to_learn_from_and_controls_are_drawn_by_seed(sets, tokenizer, tiny_series):
    rng = np.random.default_rng(0)
    sets |= {"train": random_sentences(rng, 100, 60), "test": random_sentences(rng, 0, 10)}
    made = [prepared(sets, tokenizer, tiny_series, train_sentences=20, seed=seed) for seed in (0, 1, 0)]
    drawn = [[int(name[2:5]) for name in dict.fromkeys(one.tasks[0].train.names)] for one in made]
    assert drawn[0] == drawn[2] != drawn[1]
    assert max(drawn[0]) > 140  # and not the first twenty
    assert made[0].tasks[0].test.control.tolist() == made[2].tasks[0].test.control.tolist()
    assert made[0].tasks[0].test.control.tolist() != made[1].tasks[0].test.control.tolist()


def test_control_labels_are_as_frequent_as_labels_and_the_same_in_any_case():
    labels = ["rare" if number % 10 == 0 else "often" for number in range(600)]
    train = [written(f"t-{number}", (f"word{number}", label)) for number, label in enumerate(labels)]
    test = [written(f"s-{number}", (form, "often")) for number, form in enumerate(("WORD7", "Word8", "none"))]
    sentences = {"train": train, "test": test}
    placed = {
        split: [(row, each.edges[0], [(0, 1)]) for row, each in enumerate(some)] for split, some in sentences.items()
    }
    controls, recurs = edges._controls(placed, sentences, ["often", "rare"], np.random.default_rng(0))
    assert controls["train"].mean() == pytest.approx(0.1, abs=0.05)
    assert controls["test"][:2].tolist() == controls["train"][[7, 8]].tolist()
    assert recurs["test"].tolist() == [True, True, False]
    assert recurs["train"].all()


def test_vectors_are_of_the_precision_that_was_asked_for(sets, tokenizer, tiny_series, monkeypatch):
    asked = []
    states = Encoder.hidden_states

    def listening(self, ids, precision="float32"):
        asked.append(precision)
        return states(self, ids, precision)

    monkeypatch.setattr(Encoder, "hidden_states", listening)
    sets |= {split: random_sentences(np.random.default_rng(0), 0, 8) for split in ("train", "test")}
    settings = EdgesSettings(sets=("made-up",), precision="bfloat16", steps=2, codelength=False)
    encoder = Encoder.load(tiny_series.checkpoints[0], device="cpu")
    EdgesProbe().measure(encoder, EdgesProbe().prepare(settings, tokenizer, tiny_series))
    assert asked == ["bfloat16"] * 2


def test_the_static_layer_knows_no_context(tokenizer, tiny_series):
    encoder = Encoder.load(tiny_series.checkpoints[0], device="cpu")
    ids = tokenizer(["the city of the sea", "the city was old"])["input_ids"]
    states = encoder.hidden_states(ids)
    same = (states[:, 2] == states[:, len(ids[0]) + 2]).all(-1)  # "city" in its place
    assert same.tolist() == [layer == STATIC_LAYER for layer in range(3)]


def test_texts_are_those_of_the_items(sets, tokenizer, tiny_series):
    sets |= {split: random_sentences(np.random.default_rng(n), n, 5) for n, split in enumerate(("train", "test"))}
    texts = EdgesProbe().texts(EdgesSettings(sets=("made-up",)), tokenizer, tiny_series)
    made = prepared(sets, tokenizer, tiny_series)
    assert list(zip(texts["task"], texts["item_id"], strict=True)) == [
        (one.name, name)
        for sentence in sets["test"]
        for one in made.tasks
        for name in one.test.names
        if name.startswith(f"{sentence.id}:")
    ]
    assert texts["word"].tolist()[:6] == texts["text"][0].split(" ")
