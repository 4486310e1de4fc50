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
from embryology.probes import edges
from embryology.probes.edges import UNKNOWN, UNREAD, Targets, Task
from embryology.runs.measurements import row
from embryology.specs.edges import EdgesSettings

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


def test_a_label_that_a_draw_lacks_is_left_out_of_its_macro_f1(task):
    """Of 20 documents one has the label that is never found; a third of the draws are without it."""
    labels = np.where(np.arange(TESTED) == 0, 2, np.arange(TESTED) % 2)
    test = replace(task.test, labels=labels, read=np.ones(TESTED, bool))
    predicted = np.where(labels == 2, 0, labels)
    rows = edges._scores(replace(task, test=test), predicted, intervals.resamples(20), layer=0, seed=0)
    (macro,) = (row for row in rows if row["metric"] == "f1_macro")
    assert macro["value"] < 0.67
    assert macro["high"] == 1


def test_classifiers_are_trained_as_the_settings_say():
    settings = EdgesSettings(learning_rate=0.25, batch_size=3, steps=70)
    assert edges._recipe(settings, 5) == linear.Recipe(learning_rate=0.25, batch_size=3, steps=70, seed=5)


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
